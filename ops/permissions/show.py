"""``./inv iam``: the policies of a role, printed or written."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lab.context import ACCOUNT_ID
from ops import node, stack_file, workspace
from ops.cloud import account
from ops.cloud.clients import Clients
from ops.cost.declared import Declared, declared
from ops.doctor import backend
from ops.errors import bad_input, nearest
from ops.permissions.documents import MOST_CHARACTERS, Place, Role, policies, size
from ops.permissions.table import table
from ops.printing import make_console, print_json
from ops.stack_file import StackFile
from ops.waiting import announced
from ops.workspace import Workspace
from pulumi_protocol.files import write_atomically

ROLES: dict[str, Role] = {
    "deploy": "deploy",
    "read": "read",
    "operate": "operate",
    "drill": "drill",
    "emergency": "emergency",
}
MANAGED = "arn:aws:iam::aws:policy/"
ATTACHMENT = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"


def show(stack: str, role: str, to: str = "") -> None:
    """Prints the role's policies as JSON, or writes each to a file of the folder ``to``."""
    if role not in ROLES:
        raise bad_input(f"--role {role!r} is none of {', '.join(ROLES)}{nearest(role, ROLES)}")
    space = workspace.find()
    file = stack_file.load(space, stack)
    made = documents(space, file, ROLES[role])
    if not to:
        print_json({"role": role, "policies": made})
        return
    console, folder = make_console(), Path(to)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for number, document in enumerate(made, 1):
            target = folder / f"{role}-{number}.json"
            write_atomically(target, json.dumps(document, indent=2) + "\n")
            console.print(f"{target}  {size(document)} of {MOST_CHARACTERS} characters")
    except OSError as error:
        raise bad_input(f"--to {to} can't be written: {error.strerror}") from None


def documents(space: Workspace, file: StackFile, role: Role) -> list[dict[str, Any]]:
    """The role's policies: of operators for what their commands call, of the others for what the
    programs declare with this configuration."""
    known = table()
    resources = () if role in known.operators else _declared(space, file)
    settings = file.settings
    place = Place(
        _account(file),
        settings.suffix,
        (settings.primary_region, settings.standby_region),
        attached(resources),
        state_bucket(os.environ),
        settings.stack.permissions_boundary,
    )
    return policies(role, known, known.of(one.type for one in resources), place)


def _declared(space: Workspace, file: StackFile) -> Sequence[Declared]:
    node.ensure()
    with announced("the four programs to say what they declare"):
        return declared(space.repository, file.stack, file.config)


def _account(file: StackFile) -> str:
    """As configured, the lab's, or as the credentials say."""
    if file.settings.is_lab:
        return ACCOUNT_ID
    return file.settings.stack.account_id or account.current(Clients(file))


def attached(resources: Iterable[Declared]) -> tuple[str, ...]:
    """AWS's own policies that the programs attach; ours are known by their names."""
    named = {str(one.inputs.get("policyArn")) for one in resources if one.type == ATTACHMENT}
    return tuple(sorted(arn for arn in named if arn.startswith(MANAGED)))


def state_bucket(environment: Any) -> str:
    """The bucket that holds Pulumi's state; empty for every other backend."""
    parts = urlsplit(backend.chosen(environment))
    return parts.netloc if parts.scheme == "s3" else ""
