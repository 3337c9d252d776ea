"""Templates of parameters, ids and outputs: ``{id}``, ``{region}``, ``{account}``, ``{input}``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_FIELD = re.compile(r"\{(\w+)\}")


def fill(template: Any, values: Mapping[str, Any]) -> Any:
    """Returns a template with its fields filled in; None if a field has no value."""
    if isinstance(template, list):
        return [fill(item, values) for item in template]
    if not isinstance(template, str):
        return template
    fields = _FIELD.findall(template)
    if any(values.get(name) is None for name in fields):
        return None
    if len(fields) == 1 and template == "{" + fields[0] + "}":
        return values[fields[0]]
    return _FIELD.sub(lambda match: str(values[match[1]]), template)
