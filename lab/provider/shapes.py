"""Names and values between pulumi-aws and AWS, converted by botocore's own shapes.

pulumi-aws names things in camelCase and often in the singular (``rule``, ``filter``), AWS in
PascalCase and in the plural; a list that holds at most one element is an object in pulumi-aws.
Both spellings are matched without regard to case and number; what differs more than that is
declared by the resource type as an exception (``names``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from pulumi_protocol.values import UNKNOWN, is_asset, plain_without_nulls

Names = Mapping[str, str]


class UnmappedError(Exception):
    """A property that no member of the AWS shape answers to."""

    def __init__(self, path: str, shape: str) -> None:
        super().__init__(f"{path}: the lab's provider maps it to nothing in AWS's {shape}")
        self.path = path


@lru_cache(maxsize=8192)
def normal(name: str) -> str:
    """Returns a name without case and separators."""
    return "".join(char for char in name.lower() if char.isalnum())


@lru_cache(maxsize=8192)
def spellings(name: str) -> tuple[str, ...]:
    """Returns singular and plural spellings of a normal name, nearest first."""
    found = [name]
    if name.endswith("ies"):
        found.append(name[:-3] + "y")
    if name.endswith("es"):
        found.append(name[:-2])
    if name.endswith("s"):
        found.append(name[:-1])
    if name.endswith("y"):
        found.append(name[:-1] + "ies")
    found += [name + "s", name + "es", name + "list", name.removesuffix("s") + "list"]
    return tuple(dict.fromkeys(found))


def member(shape: Any, name: str) -> str | None:
    """Returns the member of a structure that a Pulumi name means, or None."""
    table = _members(shape)
    for spelling in spellings(normal(name)):
        if spelling in table:
            return table[spelling]
    return None


_tables: dict[int, tuple[Any, dict[str, str]]] = {}


def _members(shape: Any) -> dict[str, str]:
    # The shape itself is kept beside its table: an id() is unique only while the object lives.
    kept = _tables.get(id(shape))
    if kept is None:
        kept = _tables[id(shape)] = (shape, {normal(name): name for name in shape.members})
    return kept[1]


def follow(shape: Any, path: str) -> Any | None:
    """Returns the shape at a dotted path of members (``Rules[0].Filter``), or None."""
    for step in filter(None, path.split(".")):
        name, _, index = step.partition("[")
        if getattr(shape, "type_name", "") != "structure" or name not in shape.members:
            return None
        shape = shape.members[name]
        if index:
            shape = shape.member
    return shape


def locate(shape: Any, name: str, names: Names) -> str | None:
    """Returns the dotted member path that a top-level property has in ``shape``, or None."""
    if shape is None:
        return None
    if name in names:
        path = names[name]
        return path if path and follow(shape, path) is not None else None
    return member(shape, name)


def put(target: dict[str, Any], path: str, value: Any) -> None:
    """Sets a value at a dotted path."""
    *parents, last = path.split(".")
    for step in parents:
        target = target.setdefault(step, {})
    target[last] = value


def get(source: Any, path: str) -> Any:
    """Returns the value at a dotted path (``A.B[0].C``), or None."""
    for step in filter(None, path.split(".")):
        name, _, index = step.partition("[")
        source = source.get(name) if isinstance(source, Mapping) else None
        if index:
            source = source[int(index[:-1])] if source else None
    return source


def to_aws(value: Any, shape: Any, names: Names, path: str) -> Any:  # noqa: PLR0912
    """Returns a Pulumi value as AWS's ``shape`` has it.

    ``path`` is the property's path without indexes, for ``names`` (``rules.filter``) and errors.
    """
    kind = shape.type_name
    if isinstance(value, str) and value == UNKNOWN:
        return value
    if kind == "structure":
        if isinstance(value, list):
            if len(value) > 1:
                raise UnmappedError(f"{path}: AWS takes one of it, got {len(value)}", shape.name)
            value = value[0] if value else {}
        if not isinstance(value, Mapping):
            # A value that AWS wraps in a structure of one member ({"Value": true}).
            if len(shape.members) == 1:
                (only,) = shape.members
                return {only: to_aws(value, shape.members[only], names, path)}
            raise UnmappedError(path, shape.name)
        return _structure_to_aws(value, shape, names, path)
    if kind == "list":
        items = value if isinstance(value, list) else [value]
        return [to_aws(item, shape.member, names, path) for item in items]
    if kind == "map":
        if not isinstance(value, Mapping):
            raise UnmappedError(path, shape.name)
        return {str(k): to_aws(item, shape.value, names, path) for k, item in value.items()}
    if kind in ("integer", "long"):
        return int(value)
    if kind in ("float", "double"):
        return float(value)
    if kind == "boolean":
        return value.lower() == "true" if isinstance(value, str) else bool(value)
    if kind == "string":
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, Mapping | list):
            return json.dumps(value, sort_keys=True, separators=(",", ":"))
        return str(value)
    return value


def _structure_to_aws(value: Mapping[str, Any], shape: Any, names: Names, path: str) -> Any:
    made: dict[str, Any] = {}
    for key, item in value.items():
        if item is None:
            continue
        inner = f"{path}.{key}"
        if inner in names:
            target = names[inner]
            if not target:
                continue
        else:
            target = member(shape, key)
        target_shape = follow(shape, target) if target else None
        if target is None or target_shape is None:
            raise UnmappedError(inner, shape.name)
        put(made, target, to_aws(item, target_shape, names, inner))
    return made


def from_aws(value: Any, shape: Any, names: Names, path: str, like: Any = None) -> Any:
    """Returns an AWS value as Pulumi has it, guided by ``like``, the value that was written.

    Only keys that ``like`` has are answered; what AWS leaves out is answered as ``like`` has it.
    Without ``like`` every member is answered in camelCase.
    """
    if value is None:
        return like
    if shape is None:
        return value
    kind = shape.type_name
    if kind == "structure" and isinstance(value, Mapping):
        if isinstance(like, list):
            return [_structure_from_aws(value, shape, names, path, like[0] if like else None)]
        if like is not None and not isinstance(like, Mapping) and len(shape.members) == 1:
            (only,) = shape.members
            return from_aws(value.get(only), shape.members[only], names, path, like)
        return _structure_from_aws(value, shape, names, path, like)
    if kind == "list" and isinstance(value, list):
        return _list_from_aws(value, shape, names, path, like)
    if kind == "map" and isinstance(value, Mapping):
        return {key: from_aws(item, shape.value, names, path) for key, item in value.items()}
    if kind == "string" and isinstance(value, Mapping | list):
        value = json.dumps(value)  # botocore decodes IAM's documents; Pulumi has them as text
    if hasattr(value, "isoformat"):
        return like if like is not None else value.isoformat()
    if like is not None and not isinstance(like, Mapping | list):
        return like if same(value, like) else value
    return value


def _structure_from_aws(
    value: Mapping[str, Any], shape: Any, names: Names, path: str, like: Any
) -> dict[str, Any]:
    if not isinstance(like, Mapping):
        return {
            key[:1].lower() + key[1:]: from_aws(item, shape.members.get(key), names, path)
            for key, item in value.items()
            if item is not None
        }
    made: dict[str, Any] = {}
    for key, item in like.items():
        inner = f"{path}.{key}"
        target = names.get(inner) or member(shape, key)
        target_shape = follow(shape, target) if target else None
        if target is None or target_shape is None:
            made[key] = item
        else:
            made[key] = from_aws(get(value, target), target_shape, names, inner, item)
    return made


def _list_from_aws(value: list[Any], shape: Any, names: Names, path: str, like: Any) -> Any:
    if like is not None and not isinstance(like, list):
        # pulumi-aws flattened a list of at most one element.
        return from_aws(value[0], shape.member, names, path, like) if value else like
    written = list(like or [])
    made: list[Any] = []
    for index, item in enumerate(value):
        template = written[index] if index < len(written) else (written[0] if written else None)
        made.append(from_aws(item, shape.member, names, path, template))
    if len(made) != len(written):
        return made
    # AWS answers most lists in an order of its own: the same elements are no difference.
    left = list(range(len(value)))
    for wanted in written:
        for position in left:
            if same(from_aws(value[position], shape.member, names, path, wanted), wanted):
                left.remove(position)
                break
        else:
            return made
    return like


def same(one: Any, other: Any) -> bool:
    """Returns whether two values are equal as a user means it: numbers and booleans as text, JSON
    documents by content, assets and archives by hash."""
    one, other = plain_without_nulls(one), plain_without_nulls(other)
    if one == other:
        return True
    if is_asset(one) and is_asset(other):
        return bool(one.get("hash")) and one.get("hash") == other.get("hash")
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, Mapping | list) or isinstance(other, Mapping | list):
        return False
    if one is None or other is None:
        return False
    first, second = _text(one), _text(other)
    return first == second or (first[:1] in "{[" and _json(first) == _json(second) is not None)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value)


def _json(text: str) -> Any:
    """Returns the document with one-element lists unwrapped and lists of strings sorted, as IAM
    compares policies; None when ``text`` is no JSON."""
    try:
        return _policy(json.loads(text))
    except ValueError:
        return None


def _policy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _policy(item) for key, item in value.items()}
    if isinstance(value, list):
        items = [_policy(item) for item in value]
        if len(items) == 1 and isinstance(items[0], str):
            return items[0]
        return sorted(items) if all(isinstance(item, str) for item in items) else items
    return value
