"""Frozen dataclasses to JSON values and back, without loss.

Only what the model uses: dataclasses, enumerations of strings, tuples of one type, optional and
plain values. A field that an older release didn't store gets its default; an unknown one is refused
by name, since a release that doesn't understand its item must not act on it.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")
Reader = Callable[[Any], Any]
"""Makes a value of one type of its JSON; raises ``_MisfitError``."""


class CodecError(ValueError):
    """A stored value doesn't fit its type."""


class _MisfitError(Exception):
    """Where in a value which part doesn't fit: the place is put together only when it is asked."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what, self.where = what, ""


def to_json(value: Any) -> Any:
    """Returns a value that ``json.dumps`` takes."""
    names = _names(type(value))
    if names is not None:
        return {name: to_json(getattr(value, name)) for name in names}
    if isinstance(value, tuple):
        return [to_json(item) for item in value]
    return value.value if isinstance(value, StrEnum) else value


def from_json(kind: type[T], data: Any) -> T:
    """Returns the value of ``kind`` that ``to_json`` made ``data`` of; raises ``CodecError``."""
    try:
        return _reader(kind)(data)
    except _MisfitError as fault:
        raise CodecError(f"{kind.__name__}{fault.where}: {fault.what}") from None


@cache
def _names(kind: type) -> tuple[str, ...] | None:
    return tuple(field.name for field in fields(kind)) if is_dataclass(kind) else None


@cache
def _reader(kind: Any) -> Reader:
    """Returns what reads values of a type: looked at once, not at each of its values."""
    origin = typing.get_origin(kind)
    if origin is types.UnionType:
        inner = next(part for part in typing.get_args(kind) if part is not types.NoneType)
        read = _reader(inner)
        return lambda data: None if data is None else read(data)
    if origin is tuple:
        return _tuple_reader(_reader(typing.get_args(kind)[0]))
    if is_dataclass(kind):
        return _dataclass_reader(kind)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return _enumeration_reader(kind)
    return _plain_reader(kind)


def _tuple_reader(read_item: Reader) -> Reader:
    def read(data: Any) -> Any:
        if not isinstance(data, list):
            raise _MisfitError(f"a list is expected, not {data!r}")
        return tuple(_read_part(read_item, part, f"[{n}]") for n, part in enumerate(data))

    return read


def _dataclass_reader(kind: Any) -> Reader:
    readers = {name: _reader(hint) for name, hint in typing.get_type_hints(kind).items()}
    places = {name: f".{name}" for name in readers}
    known = frozenset(readers)
    needed = {field.name for field in fields(kind) if field.default is MISSING}

    def read(data: Any) -> Any:
        if not isinstance(data, dict):
            raise _MisfitError(f"the fields of {kind.__name__} are expected, not {data!r}")
        if wrong := sorted((data.keys() - known) | (needed - data.keys())):
            raise _MisfitError(f"unknown or missing in {kind.__name__}: {', '.join(wrong)}")
        return kind(**{name: _read_part(readers[name], data[name], places[name]) for name in data})

    return read


def _read_part(read: Reader, data: Any, place: str) -> Any:
    try:
        return read(data)
    except _MisfitError as fault:
        fault.where = place + fault.where
        raise


def _enumeration_reader(kind: type[StrEnum]) -> Reader:
    def read(data: Any) -> Any:
        try:
            return kind(data)
        except ValueError:
            raise _MisfitError(f"{data!r} is no {kind.__name__}") from None

    return read


def _plain_reader(kind: type) -> Reader:
    def read(data: Any) -> Any:
        if kind is float and type(data) is int:
            return float(data)
        if type(data) is not kind:
            raise _MisfitError(f"{kind.__name__} is expected, not {data!r}")
        return data

    return read
