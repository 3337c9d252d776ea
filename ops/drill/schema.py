"""The published form of a drill's document (docs/drill.schema.json)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import fastjsonschema

SCHEMA = Path(__file__).resolve().parents[2] / "docs" / "drill.schema.json"


def fault(text: str) -> str:
    """What of a document's JSON text isn't of the published form; empty where it is.

    Raises ``json.JSONDecodeError`` where the text isn't JSON.
    """
    try:
        validator()(json.loads(text))
    except fastjsonschema.JsonSchemaException as error:
        return f"isn't of docs/drill.schema.json: {error}"
    return ""


@cache
def validator() -> Callable[[Mapping[str, Any]], Any]:
    """The published schema as a function that raises ``fastjsonschema.JsonSchemaException``."""
    return fastjsonschema.compile(json.loads(SCHEMA.read_text("utf-8")))
