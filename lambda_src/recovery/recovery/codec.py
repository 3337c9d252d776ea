"""Frozen dataclasses to JSON values and back, without loss.

Only what the model uses: dataclasses, enumerations of strings, tuples of one type, optional and
plain values. A field that an older release didn't store gets its default; an unknown one is refused
by name, since a release that doesn't understand its item must not act on it.
"""

from __future__ import annotations

import types
import typing
from dataclasses import MISSING, fields, is_dataclass
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")


class CodecError(ValueError):
    """A stored value doesn't fit its type."""


def to_json(value: Any) -> Any:
    """Returns a value that ``json.dumps`` takes."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_json(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple):
        return [to_json(item) for item in value]
    return value.value if isinstance(value, StrEnum) else value


def from_json(kind: type[T], data: Any) -> T:
    """Returns the value of ``kind`` that ``to_json`` made ``data`` of; raises ``CodecError``."""
    return _read(kind, data, kind.__name__)


@cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _read(kind: Any, data: Any, where: str) -> Any:
    origin = typing.get_origin(kind)
    if origin is types.UnionType:
        inner = next(part for part in typing.get_args(kind) if part is not types.NoneType)
        return None if data is None else _read(inner, data, where)
    if origin is tuple:
        if not isinstance(data, list):
            raise CodecError(f"{where}: a list is expected, not {data!r}")
        item = typing.get_args(kind)[0]
        return tuple(_read(item, part, f"{where}[{n}]") for n, part in enumerate(data))
    if is_dataclass(kind):
        return _dataclass(kind, data, where)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        try:
            return kind(data)
        except ValueError:
            raise CodecError(f"{where}: {data!r} is no {kind.__name__}") from None
    if kind is float and type(data) is int:
        return float(data)
    if type(data) is not kind:
        raise CodecError(f"{where}: {kind.__name__} is expected, not {data!r}")
    return data


def _dataclass(kind: Any, data: Any, where: str) -> Any:
    if not isinstance(data, dict):
        raise CodecError(f"{where}: the fields of {kind.__name__} are expected, not {data!r}")
    hints = _hints(kind)
    needed = {f.name for f in fields(kind) if f.default is MISSING}
    if wrong := sorted((set(data) - set(hints)) | (needed - set(data))):
        raise CodecError(f"{where}: unknown or missing in {kind.__name__}: {', '.join(wrong)}")
    return kind(**{name: _read(hints[name], data[name], f"{where}.{name}") for name in data})
