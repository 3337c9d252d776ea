"""``./inv init ENV``: a stack file for a new environment, from flags only."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from ops import stack_file, workspace
from ops.errors import bad_input

HEADER = "# One environment, shared by the four projects; all keys: each project's Pulumi.yaml.\n"


def write(name: str, values: Mapping[str, str]) -> Path:
    """Writes ``Pulumi.<name>.yaml`` with the keys that have a value; refuses to overwrite.

    ``values``: ``namespace:key`` → text. Nothing is written that the programs would refuse.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", name):
        raise bad_input(f"{name} can't name a stack: use lower-case letters, digits and hyphens")
    file = workspace.find().stack_file(name)
    if file.exists():
        raise bad_input(f"{file.name} exists: edit it, or choose another name")
    text = HEADER + document({key: value for key, value in values.items() if value})
    stack_file.parse(name, text)
    file.write_text(text, encoding="utf-8")
    return file


def document(config: Mapping[str, str]) -> str:
    """A stack file's text; every value is in quotes, since YAML's readers agree on nothing else."""
    lines = (f"  {key}: {_quoted(value)}\n" for key, value in config.items())
    return f"config:\n{''.join(lines)}"


def _quoted(value: str) -> str:
    """JSON's quotes and escapes, which are YAML's too; what JSON leaves as it is and YAML takes for
    a line break (NEL, U+2028) or refuses is escaped, outside the first plane as YAML alone does."""
    quoted = json.dumps(value, ensure_ascii=False)
    return "".join(one if one.isprintable() else _escaped(ord(one)) for one in quoted)


def _escaped(code: int) -> str:
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
