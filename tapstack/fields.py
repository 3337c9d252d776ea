"""How a configuration key becomes a typed, checked field of a settings dataclass.

A settings dataclass declares one field a key: ``nat_gateways: int = setting(1, check=...)`` reads
``network:natGateways``. Pulumi hands every value to the program as a string (JSON for lists and
maps), so the field's annotation decides how it is parsed.
"""

import dataclasses
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, get_type_hints

from tapstack.errors import SettingsError

Check = Callable[[Any], str | None]
"""Answers what is wrong with a value, as the end of a sentence, or None."""

T = TypeVar("T")


def setting(default: Any = dataclasses.MISSING, *, check: Check | None = None, help: str) -> Any:
    """Declares one configuration key; without a default the key is required.

    ``help`` describes the key to a person; the projects' ``Pulumi.yaml`` files repeat it.
    """
    metadata = {"check": check, "help": help}
    if isinstance(default, dict):
        return dataclasses.field(default_factory=lambda: dict(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def one_of(*allowed: Any) -> Check:
    """The value is one of those listed."""

    def check(value: Any) -> str | None:
        if value in allowed:
            return None
        return "must be " + " or ".join(str(choice) for choice in allowed)

    return check


def between(low: float, high: float) -> Check:
    """The value is in ``low..high``, both included."""
    return lambda value: None if low <= value <= high else f"must be between {low} and {high}"


def matching(pattern: str, meaning: str) -> Check:
    """The whole value matches the regular expression; ``meaning`` says so in words."""
    return lambda value: None if re.fullmatch(pattern, value) else f"must be {meaning}"


def key_of(field_name: str) -> str:
    """``nat_gateways`` → ``natGateways``, as Pulumi's configuration keys are written."""
    head, *tail = field_name.split("_")
    return head + "".join(word.capitalize() for word in tail)


def parse(settings_class: type[T], namespace: str, values: Mapping[str, str]) -> T:
    """Builds ``settings_class`` from the keys of one namespace (their names without it).

    Raises :class:`SettingsError` for the first key that is unknown, missing, of the wrong type or
    refused by its check.
    """
    fields = {key_of(f.name): f for f in dataclasses.fields(settings_class)}  # type: ignore[arg-type]
    types = get_type_hints(settings_class)
    for key in values:
        if key not in fields:
            known = ", ".join(sorted(fields))
            raise SettingsError(f"{namespace}:{key} is not a setting; {namespace} has: {known}")
    arguments = {}
    for key, field in fields.items():
        name = f"{namespace}:{key}"
        if key in values:
            value = _convert(name, values[key], types[field.name])
            check = field.metadata["check"]
            # A project file says "not set" with an empty text, which needs no check.
            unset = value == "" and field.default == ""
            wrong = check(value) if check and not unset else None
            if wrong:
                raise SettingsError(f"{name} {wrong} (got {_shown(value)})")
            arguments[field.name] = value
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise SettingsError(
                f"{name} is missing: set it in Pulumi.<stack>.yaml ({field.metadata['help']})"
            )
    return settings_class(**arguments)


def _shown(value: Any) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _convert(name: str, text: str, kind: Any) -> Any:
    if kind is str:
        return text
    if kind is bool:
        if text not in ("true", "false"):
            raise SettingsError(f"{name} must be true or false (got {text})")
        return text == "true"
    if kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            article = "a whole number" if kind is int else "a number"
            raise SettingsError(f"{name} must be {article} (got {text})") from None
    if kind == tuple[str, ...]:
        return tuple(_json(name, text, list, "a list of strings"))
    return dict(_json(name, text, dict, "a map of strings"))


def _json(name: str, text: str, shape: type, meaning: str) -> Any:
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        value = None
    items: Sequence[Any] = list(value.values()) if isinstance(value, dict) else value or []
    if not isinstance(value, shape) or not all(isinstance(item, str) for item in items):
        raise SettingsError(f"{name} must be {meaning} (got {text})")
    return value
