"""A Pulumi project's files, read as the CLI reads them: ``Pulumi.yaml`` and a stack's settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from pulumi_protocol.events import EngineError

_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "array": list,
    "object": dict,
}


@dataclass(frozen=True)
class Project:
    """One project with one stack's configuration: full keys (``network:natGateways``) to texts.

    Lists and objects are JSON texts, booleans ``true`` and ``false``, as programs get them.
    """

    name: str
    directory: Path
    stack: str
    config: Mapping[str, str]
    secret_keys: tuple[str, ...] = ()
    encryption_salt: str = field(default="", repr=False)

    @property
    def stack_urn(self) -> str:
        """The URN of the stack's root resource."""
        head = f"urn:pulumi:{self.stack}::{self.name}::pulumi:pulumi:Stack"
        return f"{head}::{self.name}-{self.stack}"


def project_name(directory: Path) -> str:
    """The name in ``Pulumi.yaml``."""
    return str(_document(directory / "Pulumi.yaml")["name"])


def load(directory: Path, stack: str) -> Project:
    """Reads project and stack configuration; EngineError says what is wrong with either."""
    document = _document(directory / "Pulumi.yaml")
    name = str(document.get("name", ""))
    if not name:
        raise EngineError(f"{directory / 'Pulumi.yaml'} has no `name`")
    folder = directory / str(document.get("stackConfigDir", "."))
    path = (folder / f"Pulumi.{stack}.yaml").resolve()
    if not path.is_file():
        raise EngineError(f"{name}: stack {stack!r} has no configuration file: {path} is missing")
    settings = _document(path)
    given = _stack_values(settings.get("config") or {}, name, path)
    values = _with_defaults(document.get("config") or {}, given, name, stack)
    return Project(
        name,
        directory,
        stack,
        {key: _as_text(value) for key, value in values.items()},
        encryption_salt=str(settings.get("encryptionsalt", "")),
    )


def _document(path: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise EngineError(f"{path} can't be read: {error.strerror}") from None
    except yaml.YAMLError as error:
        line = " ".join(str(error).split())
        raise EngineError(f"{path} is no valid YAML: {line}") from None
    if not isinstance(document, dict):
        raise EngineError(f"{path} is no mapping of settings")
    return document


def _stack_values(config: Any, project: str, path: Path) -> dict[str, Any]:
    if not isinstance(config, dict):
        raise EngineError(f"{path}: `config` is no mapping")
    values: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, dict) and "secure" in value:
            raise EngineError(
                f"{path}: {key} is a `secure` value, which a file that several stacks share "
                "can't hold; keep the secret in AWS Secrets Manager and configure its name"
            )
        values[_full(str(key), project)] = value
    return values


def _with_defaults(
    declared: Any, given: dict[str, Any], project: str, stack: str
) -> dict[str, Any]:
    if not isinstance(declared, dict):
        raise EngineError(f"{project}: `config` in Pulumi.yaml is no mapping")
    values = dict(given)
    for key, declaration in declared.items():
        full = _full(str(key), project)
        settings = declaration if isinstance(declaration, dict) else {"default": declaration}
        own = full.startswith(f"{project}:")
        if full not in values:
            default = settings.get("default") if own else None
            value = settings.get("value", default)
            if value is not None:
                values[full] = value
            elif own and "default" not in settings:
                raise EngineError(
                    f"{project}: stack {stack!r} is missing the configuration value {full}"
                )
        if settings.get("type") == "array" and "items" not in settings:
            raise EngineError(
                f"{project}: the configuration key {full} is an array without `items`"
            )
        if full in values and "type" in settings:
            _check_type(values[full], str(settings["type"]), full, stack)
    return values


def _check_type(value: Any, wanted: str, key: str, stack: str) -> None:
    allowed = _TYPES.get(wanted)
    if allowed is None:
        raise EngineError(f"{key} is declared with the unknown type {wanted!r}")
    if isinstance(value, str) and wanted != "string":
        value = _parsed(value)
    if wanted == "string" and isinstance(value, bool | int | float):
        return  # the CLI takes scalars as texts
    misfit = isinstance(value, bool) and wanted in ("integer", "number")
    if misfit or not isinstance(value, allowed):
        raise EngineError(
            f"stack {stack!r} with configuration key {key!r} must be of type {wanted!r}"
        )


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _full(key: str, project: str) -> str:
    return key if ":" in key else f"{project}:{key}"


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value) if not isinstance(value, float) else repr(value)
