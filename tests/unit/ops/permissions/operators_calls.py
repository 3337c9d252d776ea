"""Which modules the operators' commands reach, and what of AWS's APIs those call: from the code."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from botocore import xform_name
from botocore.session import Session

from lab.emulator.iam_actions import action_of
from lab.emulator.permissions import ALWAYS

ROOT = Path(__file__).parents[4]
SERVICES = (
    "backup", "cloudwatch", "dynamodb", "ec2", "elbv2", "events", "fis", "iam", "kms", "lambda",
    "logs", "rds", "resourcegroupstaggingapi", "route53", "s3", "s3control", "scheduler",
    "secretsmanager", "service-quotas", "sns", "sqs", "ssm", "sts",
)  # fmt: skip
"""What the operators' code has clients of."""
FRONT = {
    "operate": {
        "ops.front.recovery": ("status", "freeze", "thaw", "hold", "acknowledge", "_items",
                               "failover", "failback", "reconcile"),
        "ops.front.upkeep": ("events_redrive", "app_rollback", "secrets_rotate",
                             "objects_replicate"),
        "ops.front.looking": ("inventory", "status", "console", "alarms", "restores"),
    },
    "emergency": {"ops.front.upkeep": ("emergency_export", "emergency_open")},
    "drill": {
        "ops.front.drill": ("drill",),
        "ops.front.looking": ("status",),
    },
}  # fmt: skip
"""Role → module of tasks → the functions of its commands."""
LOOKING = {
    "ops.front.recovery": ("status",),
    "ops.front.looking": ("inventory", "status", "console", "alarms", "doctor", "drift", "policy",
                          "restores"),
}  # fmt: skip
"""The same of what only looks, for the reading role."""
BEYOND = ("ops.session",)
"""Leads to what deploys as well: the commands use its clients, and its questions who they are."""
OWN_NAMES: dict[tuple[str, str], str] = {
    # (module, name): why it is no call of AWS
    ("ops.console.server", "publish"): "its own, to browsers",
    ("ops.drill.evidence", "sign"): "ops.signing's",
    ("ops.cloud.restores", "sign"): "ops.signing's",
    ("ops.signing", "sign"): "a signer's own, or a key's of this user",
    ("ops.signing", "verify"): "a key's of this user",
    ("ops.recovery.switchover", "verify"): "the database's port",
    ("recovery.act", "verify"): "the database's port",
    ("recovery.act", "copy_snapshot"): "RDS's port",
    ("recovery.database_probe", "verify"): "its own port",
    ("ops.cloud.kms_signing", "sign"): "of a key that isn't the environment's: by its own policy",
    ("ops.cloud.kms_signing", "get_public_key"): "the same",
}


@cache
def operations() -> dict[str, set[str]]:
    """A boto3 client's method → the IAM actions that it may be, one for each service."""
    session = Session()
    found: dict[str, set[str]] = {}
    for service in SERVICES:
        names: Any = session.get_service_model(service).operation_names
        for name in names:
            action = action_of(service, name)
            found.setdefault(xform_name(name), set()).add(action)
    return found


def path_of(module: str) -> Path | None:
    """The file of a module of ours."""
    relative = module.replace(".", "/")
    for base in ("", "lambda_src/recovery/"):
        for end in (".py", "/__init__.py"):
            path = ROOT / f"{base}{relative}{end}"
            if path.is_file():
                return path
    return None


def imported(tree: ast.AST) -> set[str]:
    """The modules of ``ops`` and ``recovery`` that run when this does."""
    found: set[str] = set()
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        found |= imported(node)
    return {name for name in found if name.startswith(("ops.", "recovery.")) and path_of(name)}


def reached(commands: Mapping[str, Sequence[str]]) -> set[str]:
    """Every module that these commands run, from their own imports on."""
    todo: list[str] = []
    for front, names in commands.items():
        tree = _tree(front)
        functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
        todo += [module for name in names for module in imported(functions[name])]
    seen: set[str] = set()
    while todo:
        module = todo.pop()
        if module not in seen and module not in BEYOND:
            seen.add(module)
            todo += imported(_tree(module))
    return seen


def names_in(module: str) -> set[str]:
    """Attributes that a module names; a text counts as well, for ``get_paginator("…")`` and for
    tables of calls."""
    names: set[str] = set()
    for node in ast.walk(_tree(module)):
        if isinstance(node, ast.Attribute):
            names.add(node.attr)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names.add(node.value)
    return names


def calls(module: str) -> dict[str, set[str]]:
    """The methods of boto3's clients that a module names, and the actions that each may be."""
    return {
        name: operations()[name]
        for name in sorted(names_in(module) & operations().keys())
        if (module, name) not in OWN_NAMES and not operations()[name] <= ALWAYS
    }


def _tree(module: str) -> ast.Module:
    path = path_of(module)
    assert path is not None, module
    return ast.parse(path.read_text("utf-8"))
