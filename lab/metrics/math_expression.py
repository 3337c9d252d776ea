"""CloudWatch metric math, as far as alarms use it.

Source: CloudWatch user guide, "Using metric math": arithmetic works on the periods that both
series have; a comparison gives 1 or 0; a division by zero gives no data point.
"""

import ast
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

from lab.metrics.series import Series

Value = Series | float

_OPERATORS: dict[type, Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


def evaluate(expression: str, metrics: Mapping[str, Series], periods: list[int]) -> Series:
    """The expression's series; ``periods`` are the starts that FILL fills and constants have.

    Raises ValueError for what the lab doesn't do, naming it.
    """
    text = expression.replace("&&", " and ").replace("||", " or ")
    text = re.sub(r"\bIF\s*\(", "_IF(", text)
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except SyntaxError:
        raise ValueError(f"metric math {expression!r} can't be read") from None
    value = _value(tree, metrics, periods)
    return value if isinstance(value, dict) else dict.fromkeys(periods, value)


def _value(node: ast.expr, metrics: Mapping[str, Series], periods: list[int]) -> Value:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return float(node.value)
    if isinstance(node, ast.Name):
        if node.id not in metrics:
            raise ValueError(f"metric math names {node.id}, which is no metric of the alarm")
        return metrics[node.id]
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        left, right = (_value(side, metrics, periods) for side in (node.left, node.right))
        return _combine(_OPERATORS[type(node.op)], left, right)
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _OPERATORS:
        left, right = (_value(side, metrics, periods) for side in (node.left, node.comparators[0]))
        return _combine(_OPERATORS[type(node.ops[0])], left, right)
    if isinstance(node, ast.BoolOp):
        combine = min if isinstance(node.op, ast.And) else max
        first, *others = (_truth(_value(side, metrics, periods)) for side in node.values)
        for other in others:
            first = _combine(combine, first, other)
        return first
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return _combine(operator.sub, 0.0, _value(node.operand, metrics, periods))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return _call(node.func.id, node.args, metrics, periods)
    raise ValueError(f"the lab's metric math doesn't do {ast.unparse(node)}")


def _call(
    name: str, nodes: list[ast.expr], metrics: Mapping[str, Series], periods: list[int]
) -> Value:
    if name == "FILL" and isinstance(nodes[1], ast.Name) and nodes[1].id == "REPEAT":
        return _repeated(_value(nodes[0], metrics, periods), periods)
    lists = [_values(node, metrics, periods) for node in nodes]
    flat = [value for values in lists for value in values]
    if name == "FILL":
        return _filled(flat[0], flat[1], periods)
    if name == "_IF":
        return _if(flat[0], flat[1], flat[2] if len(flat) > 2 else {}, periods)
    folds: dict[str, Callable[..., Any]] = {"MAX": max, "MIN": min, "SUM": operator.add}
    if name in folds and flat:
        result = flat[0]
        for value in flat[1:]:
            result = _combine(folds[name], result, value)
        return result
    if name == "ABS" and len(flat) == 1:
        return _combine(lambda value, _: abs(value), flat[0], 0.0)
    raise ValueError(f"the lab's metric math doesn't do {name} with {len(flat)} arguments")


def _values(node: ast.expr, metrics: Mapping[str, Series], periods: list[int]) -> list[Value]:
    if isinstance(node, ast.List):
        return [_value(item, metrics, periods) for item in node.elts]
    return [_value(node, metrics, periods)]


def _combine(operation: Callable[[Any, Any], Any], left: Value, right: Value) -> Value:
    if not isinstance(left, dict) and not isinstance(right, dict):
        return float(operation(left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        times = [start for start in left if start in right]
    else:
        times = list(left) if isinstance(left, dict) else list(right)  # type: ignore[arg-type]
    result: Series = {}
    for start in times:
        a = left[start] if isinstance(left, dict) else left
        b = right[start] if isinstance(right, dict) else right
        try:
            result[start] = float(operation(a, b))
        except ZeroDivisionError:
            continue
    return result


def _truth(value: Value) -> Value:
    return _combine(lambda number, _: float(bool(number)), value, 0.0)


def _filled(value: Value, filler: Value, periods: list[int]) -> Series:
    filled: Series = {}
    for start in periods:
        found = _at(value, start)
        found = _at(filler, start) if found is None else found
        if found is not None:
            filled[start] = found
    return filled


def _repeated(value: Value, periods: list[int]) -> Series:
    filled: Series = {}
    last: float | None = None
    for start in sorted(periods):
        found = _at(value, start)
        last = found if found is not None else last
        if last is not None:
            filled[start] = last
    return filled


def _if(condition: Value, then: Value, otherwise: Value, periods: list[int]) -> Series:
    result: Series = {}
    for start in condition if isinstance(condition, dict) else periods:
        branch = then if _at(condition, start) else otherwise
        found = _at(branch, start)
        if found is not None:
            result[start] = found
    return result


def _at(value: Value, start: int) -> float | None:
    return value.get(start) if isinstance(value, dict) else value
