"""The difference between what was written and what is asked for, property by property."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lab.provider import shapes
from pulumi_protocol.values import is_asset, plain_without_nulls

ADD, DELETE, UPDATE = 0, 2, 4
REPLACING = 1
"""Added to a kind when the change forces replacement."""


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[str, str, int]]:
    """Yields (top-level property, path, kind) of each difference."""
    for key in sorted({*old, *new}):
        if key.startswith("__"):
            continue
        for path, kind in _walk(key, old.get(key), new.get(key)):
            yield key, path, kind


def _walk(path: str, old: Any, new: Any) -> Iterator[tuple[str, int]]:
    old, new = plain_without_nulls(old), plain_without_nulls(new)
    if old is None and new is None:
        return
    if old is None:
        yield path, ADD
    elif new is None:
        yield path, DELETE
    elif is_asset(old) or is_asset(new):
        if not shapes.same(old, new):
            yield path, UPDATE
    elif isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            yield from _walk(_member(path, key), old.get(key), new.get(key))
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            before = old[index] if index < len(old) else None
            after = new[index] if index < len(new) else None
            yield from _walk(f"{path}[{index}]", before, after)
    elif not shapes.same(old, new):
        yield path, UPDATE


def _member(path: str, key: str) -> str:
    simple = key.replace("_", "").replace("-", "").isalnum()
    return f"{path}.{key}" if simple else f'{path}["{key}"]'


def is_ignored(path: str, ignored: list[str]) -> bool:
    """Returns whether ``path`` is one of the ignored paths or lies inside one."""
    return any(path == item or path.startswith((f"{item}.", f"{item}[")) for item in ignored)
