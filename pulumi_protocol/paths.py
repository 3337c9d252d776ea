"""Property paths (``tags["x"]``, ``a.b[0]``, ``rules[*].port``): parsing, ignoring, comparing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from pulumi_protocol.events import PropertyDiff
from pulumi_protocol.values import SIGNATURE, is_asset, is_secret, plain, secret

Path = tuple[str | int, ...]
_ABSENT: Any = object()
_SEGMENT = re.compile(
    r"""\.?(?P<name>[^.\[\]"]+)
    | \[(?P<index>\d+)\]
    | \[(?P<star>\*)\]
    | \["(?P<key>(?:[^"\\]|\\.)*)"\]""",
    re.VERBOSE,
)


def parse(text: str) -> Path:
    """``a.b[0]["c d"]`` as ("a", "b", 0, "c d"). A star stands for every key or index.

    Raises ValueError for what is no path.
    """
    segments: list[str | int] = []
    position = 0
    while position < len(text):
        match = _SEGMENT.match(text, position)
        if match is None:
            raise ValueError(f"{text!r} is no property path")
        if match["index"] is not None:
            segments.append(int(match["index"]))
        elif match["key"] is not None:
            segments.append(re.sub(r"\\(.)", r"\1", match["key"]))
        else:
            segments.append(match["name"] or "*")
        position = match.end()
    if not segments:
        raise ValueError("an empty property path")
    return tuple(segments)


def text(path: Path) -> str:
    """The path as Pulumi writes it."""
    parts: list[str] = []
    for segment in path:
        if isinstance(segment, int):
            parts.append(f"[{segment}]")
        elif re.fullmatch(r"[A-Za-z_$][\w$-]*", segment):
            parts.append(f".{segment}" if parts else segment)
        else:
            escaped = segment.replace("\\", "\\\\").replace('"', '\\"')
            parts.append(f'["{escaped}"]')
    return "".join(parts)


def matches(pattern: Path, path: Path) -> bool:
    """Whether the pattern names this path, something above it or something below it."""
    return all(want in ("*", have) for want, have in zip(pattern, path, strict=False))


def ignoring(news: dict[str, Any], olds: dict[str, Any], patterns: Sequence[str]) -> dict[str, Any]:
    """The new inputs with the old values at every ignored path.

    Where the old inputs had nothing, the new ones get nothing; a path whose surroundings are gone
    on either side is left as it is.
    """
    result: Any = news
    for pattern in patterns:
        result = _ignore(result, olds, parse(pattern))
    return result


def _ignore(new: Any, old: Any, path: Path) -> Any:
    if is_secret(new):
        inner = _ignore(new["value"], old["value"] if is_secret(old) else old, path)
        return {**new, "value": inner}
    if is_secret(old):
        old = old["value"]
    head, rest = path[0], path[1:]
    if head == "*":
        for key in _keys(new, old):
            new = _ignore(new, old, (key, *rest))
        return new
    if isinstance(new, dict) and isinstance(old, dict) and not is_asset(new):
        return _ignore_key(new, old, str(head), rest)
    if isinstance(new, list) and isinstance(old, list) and isinstance(head, int):
        return _ignore_index(new, old, head, rest)
    return new


def _keys(new: Any, old: Any) -> Sequence[str | int]:
    if isinstance(new, dict) and isinstance(old, dict):
        return sorted(new.keys() | old.keys())
    if isinstance(new, list) and isinstance(old, list):
        return range(min(len(new), len(old)))
    return ()


def _ignore_key(new: dict[str, Any], old: dict[str, Any], key: str, rest: Path) -> dict[str, Any]:
    if rest:
        if key in new and key in old:
            return {**new, key: _ignore(new[key], old[key], rest)}
        return new
    if key in old:
        return {**new, key: old[key]}
    return {name: value for name, value in new.items() if name != key}


def _ignore_index(new: list[Any], old: list[Any], index: int, rest: Path) -> list[Any]:
    if index >= len(new) or index >= len(old):
        return new
    changed = list(new)
    changed[index] = _ignore(new[index], old[index], rest) if rest else old[index]
    return changed


def differences(old: Any, new: Any, path: Path = ()) -> Iterator[tuple[Path, Any, Any]]:
    """Each innermost difference as (path, old, new); None stands for absent.

    Keys that begin with ``__`` are an engine's own and don't count; secrets stay wrapped in what is
    given back, and count as changed only when their content is.
    """
    if old is _ABSENT or new is _ABSENT or is_asset(old) or is_asset(new):
        if _comparable(old) != _comparable(new):
            yield path, _shown(old), _shown(new)
    elif is_secret(old) or is_secret(new):
        if plain(old) != plain(new):
            yield path, _wrapped(old), _wrapped(new)
    elif isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            if not key.startswith("__"):
                yield from differences(old.get(key, _ABSENT), new.get(key, _ABSENT), (*path, key))
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            yield from differences(_at(old, index), _at(new, index), (*path, index))
    elif old != new or isinstance(old, bool) != isinstance(new, bool):
        yield path, old, new


def _at(items: list[Any], index: int) -> Any:
    return items[index] if index < len(items) else _ABSENT


def _comparable(value: Any) -> Any:
    if is_asset(value):
        return (value[SIGNATURE], value.get("hash"))
    return plain(value) if value is not _ABSENT else _ABSENT


def _shown(value: Any) -> Any:
    if value is _ABSENT:
        return None
    return value.get("hash") if is_asset(value) else value


def _wrapped(value: Any) -> Any:
    """The other side of a changed secret is as secret as the one that is marked."""
    return secret(value)


def property_diffs(
    old: dict[str, Any], new: dict[str, Any], replacing: Sequence[str] = ()
) -> tuple[PropertyDiff, ...]:
    """The differences as events show them (unmasked: the caller masks)."""
    forcing = [parse(pattern) for pattern in replacing]
    return tuple(
        PropertyDiff(text(path), before, after, any(matches(want, path) for want in forcing))
        for path, before, after in differences(old, new)
    )
