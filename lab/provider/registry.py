"""Which module declares a resource type; modules are imported when first asked for."""

from __future__ import annotations

import importlib
from functools import cache

from lab.provider.resource import ResourceType

MODULES: dict[str, tuple[str, ...]] = {
    "ec2": ("ec2", "ec2_routes", "ec2_security"),
    "vpc": ("ec2_security",),
    "cloudwatch": ("logs", "events", "alarms"),
    "iam": ("iam",),
    "kms": ("kms",),
    "rds": ("rds",),
    "secretsmanager": ("secretsmanager",),
    "s3": ("s3", "s3_settings"),
    "ssm": ("ssm",),
    "backup": ("backup",),
    "lambda": ("functions",),
    "lb": ("elbv2",),
    "route53": ("route53",),
    "scheduler": ("scheduler",),
    "sns": ("sns",),
    "sqs": ("sqs",),
}
"""Namespace of the token (``aws:ec2/vpc:Vpc``) → modules in ``lab.provider.types``."""


class UnknownTypeError(Exception):
    """A type that the lab's provider doesn't have."""

    def __init__(self, token: str) -> None:
        super().__init__(f"resource type {token} is not supported by the lab's provider")


@cache
def _module_types(module: str) -> dict[str, ResourceType]:
    found = importlib.import_module(f"lab.provider.types.{module}")
    made: dict[str, ResourceType] = {}
    for value in vars(found).values():
        if (
            isinstance(value, type)
            and issubclass(value, ResourceType)
            and "pulumi_type" in vars(value)
        ):
            made[value.pulumi_type] = value()
    return made


@cache
def resource_type(token: str) -> ResourceType:
    """The declaration of a type."""
    namespace = token.partition(":")[2].partition("/")[0]
    for module in MODULES.get(namespace, ()):
        found = _module_types(module).get(token)
        if found is not None:
            return found
    raise UnknownTypeError(token)


def all_types() -> dict[str, ResourceType]:
    """Every type, by token."""
    made: dict[str, ResourceType] = {}
    for modules in MODULES.values():
        for module in modules:
            made |= _module_types(module)
    return made
