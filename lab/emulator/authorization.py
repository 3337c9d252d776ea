"""Whether a role may do what it asks of a resource of its own account.

As IAM decides ("Policy evaluation logic" in the IAM user guide): an explicit Deny in any policy
ends it; a permissions boundary must allow as well; one Allow is enough, of the role's policies or
of the resource's own to the role itself. A key is otherwise (KMS developer guide, "Key policies"):
its own policy must allow, and where it trusts the account, the role's policies must too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from lab.emulator.policies import Access, allows, denies


@dataclass(frozen=True)
class Governing:
    """The policies (documents as dict or JSON text) that decide on an access."""

    identity: Sequence[Any]
    """of the role"""
    resource: Any = None
    """of what it wants to use; None where there is none"""
    boundary: Any = None
    """the role's permissions boundary; None without one"""


def refusal(access: Access, by: Governing) -> str:
    """Why the access is refused, in AWS's words; empty when it is allowed."""
    if reason := _denied(access, by):
        return reason
    if by.resource and allows([by.resource], access, direct=True):
        return ""
    if allows(by.identity, access, identity=True):
        return ""
    return f"because no identity-based policy allows the {access.action} action"


def key_refusal(access: Access, by: Governing) -> str:
    """Why the use of a key is refused, in AWS's words; empty when it is allowed."""
    if reason := _denied(access, by):
        return reason
    if allows([by.resource], access, direct=True):
        return ""
    account = access.principal.split(":")[4]
    trusted = replace(access, principal=f"arn:aws:iam::{account}:root")
    if not allows([by.resource], trusted):
        return f"because no resource-based policy allows the {access.action} action"
    if allows(by.identity, access, identity=True):
        return ""
    return f"because no identity-based policy allows the {access.action} action"


def _denied(access: Access, by: Governing) -> str:
    if denies(by.identity, access, identity=True):
        return "with an explicit deny in an identity-based policy"
    if by.resource and denies([by.resource], access):
        return "with an explicit deny in a resource-based policy"
    if by.boundary is not None:
        if denies([by.boundary], access, identity=True):
            return "with an explicit deny in a permissions boundary"
        if not allows([by.boundary], access, identity=True):
            return f"because no permissions boundary allows the {access.action} action"
    return ""
