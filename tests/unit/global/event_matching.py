"""EventBridge's pattern matching, as "Amazon EventBridge event patterns" and "Comparison operators
for use in event patterns" (EventBridge user guide) describe it.

A pattern is a JSON object; each leaf is a list of alternatives. An event matches when every field
of the pattern is there with a value among the alternatives; for a field that is a list in the
event, one of its values suffices. Fields that the pattern doesn't name don't matter.
"""

import fnmatch
import ipaddress
import operator
from collections.abc import Mapping, Sequence
from typing import Any

_MISSING = object()
_COMPARISONS = {
    "<": operator.lt, "<=": operator.le, "=": operator.eq, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


def matches(pattern: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    """Whether a rule with ``pattern`` takes ``event``."""
    for key, wanted in pattern.items():
        if key == "$or":
            if not any(matches(alternative, event) for alternative in wanted):
                return False
            continue
        value = event.get(key, _MISSING)
        if isinstance(wanted, Mapping):
            if not matches(wanted, value if isinstance(value, Mapping) else {}):
                return False
        elif not _field_matches(wanted, value):
            return False
    return True


def _field_matches(alternatives: Sequence[Any], value: Any) -> bool:
    values = value if isinstance(value, list) else [value]
    return any(_alternative(wanted, values, value) for wanted in alternatives)


def _alternative(wanted: Any, values: Sequence[Any], whole: Any) -> bool:
    if not isinstance(wanted, Mapping):
        return any(_same(wanted, one) for one in values)
    ((kind, operand),) = wanted.items()
    if kind == "exists":
        return (whole is not _MISSING) is operand
    present = [one for one in values if one is not _MISSING]
    return any(_filter(kind, operand, one) for one in present)


def _same(wanted: Any, value: Any) -> bool:
    # JSON: true isn't 1.
    return value is not _MISSING and type(wanted) is type(value) and wanted == value


def _filter(kind: str, operand: Any, value: Any) -> bool:
    if kind == "anything-but":
        if isinstance(operand, Mapping):
            ((inner, inner_operand),) = operand.items()
            forbidden = inner_operand if isinstance(inner_operand, list) else [inner_operand]
            return not any(_filter(inner, one, value) for one in forbidden)
        return value not in (operand if isinstance(operand, list) else [operand])
    if kind == "numeric":
        pairs = zip(operand[::2], operand[1::2], strict=True)
        return isinstance(value, int | float) and all(
            _COMPARISONS[sign](value, limit) for sign, limit in pairs
        )
    if not isinstance(value, str):
        return False
    if kind == "cidr":
        return ipaddress.ip_address(value) in ipaddress.ip_network(operand)
    if kind == "equals-ignore-case":
        return value.lower() == operand.lower()
    if kind == "wildcard":
        return fnmatch.fnmatchcase(value, operand.replace("[", "[[]").replace("?", "[?]"))
    if isinstance(operand, Mapping):  # {"prefix": {"equals-ignore-case": …}}
        operand, value = operand["equals-ignore-case"].lower(), value.lower()
    return value.startswith(operand) if kind == "prefix" else value.endswith(operand)
