"""TOML tables as typed values: keys and enumerations are checked, in one line each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

from ops.errors import bad_input, nearest


def made(what: str, kind: Any, given: Mapping[str, Any], enums: Mapping[str, Any]) -> Any:
    """Returns a dataclass ``kind`` of what is given; ``enums`` are the enumerations by key.

    Raises ``OperatorError`` that begins with ``what`` for a key or a value that isn't known, or is
    missing.
    """
    known = {field.name: field for field in fields(kind)}
    for key, value in given.items():
        if key not in known:
            raise bad_input(f"{what}: unknown key {key!r}{nearest(key, known)}")
        if key in enums and value not in list(enums[key]):
            raise bad_input(f"{what}: {key} {value!r} is none of {', '.join(enums[key])}")
    missing = [key for key, field in known.items() if field.default is MISSING and key not in given]
    if missing:
        raise bad_input(f"{what}: {', '.join(missing)} isn't given")
    return kind(**{key: enums[key](v) if key in enums else v for key, v in given.items()})
