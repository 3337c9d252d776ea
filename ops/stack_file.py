"""A stack file (``Pulumi.<stack>.yaml``) as settings, checked before anything is touched."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ops.errors import bad_input
from ops.workspace import Workspace
from pulumi_protocol import yaml_files
from pulumi_protocol.yaml_files import YamlFileError
from tapstack.errors import SettingsError
from tapstack.naming import physical_name
from tapstack.settings import Settings, refuse_secrets

NAMESPACES = ("aws", "TapStack", "network", "data", "app", "global")


@dataclass(frozen=True)
class StackFile:
    """One environment: its name, what its file says, and that as settings."""

    stack: str
    config: dict[str, str]
    settings: Settings


def names(workspace: Workspace) -> list[str]:
    """The stacks that have a file."""
    return sorted(
        path.name.removeprefix("Pulumi.").removesuffix(".yaml")
        for path in workspace.repository.glob("Pulumi.*.yaml")
    )


def load(workspace: Workspace, stack: str) -> StackFile:
    """Reads and checks a stack file; every fault is one line."""
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,100}", stack):
        raise bad_input(f"--stack {stack!r} is no stack name: letters, digits, _ . - only")
    path = workspace.stack_file(stack)
    if not path.is_file():
        raise bad_input(
            f"unknown stack {stack}: there is no {path.name}; there are: "
            f"{', '.join(names(workspace))}"
        )
    try:
        return parse(stack, path.read_text(encoding="utf-8"))
    except (SettingsError, ValueError) as error:
        raise bad_input(f"{path.name}: {' '.join(str(error).split())}") from None


def load_lab(workspace: Workspace, stack: str) -> StackFile:
    """The file of a stack that lives in the lab; any other is refused."""
    file = load(workspace, stack)
    if not file.settings.is_lab:
        raise bad_input(
            f"stack {stack} is {file.settings.environment}: the lab is for stacks of "
            "environment lab only"
        )
    return file


def secrets_provider(path: Path) -> str | None:
    """The secrets provider that a stack file names, or implies by its salt (trap 38)."""
    document = _document(path.read_text(encoding="utf-8"))
    if named := document.get("secretsprovider"):
        return str(named)
    return "passphrase" if document.get("encryptionsalt") else None


def parse(stack: str, text: str) -> StackFile:
    """The settings that a stack file's text makes; raises :class:`SettingsError`."""
    given = _document(text).get("config")
    if not isinstance(given, dict):
        raise SettingsError("has no `config:` map")
    refuse_secrets({k for k, v in given.items() if isinstance(v, dict) and "secure" in v})
    config = {key: yaml_files.as_text(value) for key, value in given.items()}
    for key in config:
        if given[key] is None:
            raise SettingsError(f"{key} has no value; give it one, or take the key away")
        namespace, colon, _ = key.partition(":")
        if not colon or namespace not in NAMESPACES:
            raise SettingsError(
                f"{key} is in no namespace of this system: keys begin with "
                f"{', '.join(f'{name}:' for name in NAMESPACES)}"
            )
    settings = Settings.of(stack, config)
    _check_names(settings)
    return StackFile(stack, config, settings)


def _document(text: str) -> dict[str, Any]:
    try:
        document = yaml_files.read(text)
    except YamlFileError as error:
        raise SettingsError(str(error)) from None
    return document if isinstance(document, dict) else {}


def _check_names(settings: Settings) -> None:
    """Makes the names with the tightest limit now, so that a suffix that is too long is refused
    before the first layer and not in the third."""
    for region in (settings.primary_region, settings.standby_region):
        physical_name("alb", "app", region, settings.suffix)
