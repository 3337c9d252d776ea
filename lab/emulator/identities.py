"""Deployed roles and what their policies allow."""

from __future__ import annotations

from typing import Any

from lab.emulator.policies import Access, allows

MANAGED = "arn:aws:iam::aws:policy/"


def role_policies(role_arn: str) -> list[Any] | None:
    """A role's inline and attached policy documents; None when there is no such role."""
    from ministack.services import iam

    account = role_arn.split(":")[4] if role_arn.count(":") >= 5 else ""
    name = role_arn.rpartition("/")[2]
    role = iam._roles._data.get((account, name))
    if role is None:
        return None
    documents = list((role.get("InlinePolicies") or {}).values())
    for arn in role.get("AttachedPolicies") or []:
        documents += _managed(account, arn)
    return documents


def role_allows(role_arn: str, access: Access) -> bool:
    """Whether the role exists and its policies allow the access."""
    documents = role_policies(role_arn)
    return documents is not None and allows(documents, access, identity=True)


def trusts(role_arn: str, service: str, source_arn: str = "") -> bool:
    """Whether the role exists and a service principal may assume it, on behalf of ``source_arn``
    (rule, schedule, function, bucket) in the role's own account."""
    from ministack.services import iam

    account = role_arn.split(":")[4] if role_arn.count(":") >= 5 else ""
    role = iam._roles._data.get((account, role_arn.rpartition("/")[2]))
    if role is None:
        return False
    context = {"aws:SourceAccount": account}
    if source_arn:
        context["aws:SourceArn"] = source_arn
    access = Access("sts:AssumeRole", role_arn, service=service, context=context)
    return allows([role.get("AssumeRolePolicyDocument", {})], access)


def boundary_of(role_arn: str) -> Any:
    """The document of a role's permissions boundary; None without one."""
    from ministack.services import iam

    account = role_arn.split(":")[4] if role_arn.count(":") >= 5 else ""
    role = iam._roles._data.get((account, role_arn.rpartition("/")[2])) or {}
    arn = str(role.get("PermissionsBoundary") or "")
    if not arn:
        return None
    return next(iter(_managed(account, arn)), {})


def _managed(account: str, arn: str) -> list[Any]:
    """The default version of a managed policy; empty when there is no such policy."""
    from ministack.services import iam

    if arn.startswith(MANAGED):
        # The emulator has AWS's own documents by name, without the path (service-role/…).
        policy = iam._aws_managed_policies.get(MANAGED + arn.rpartition("/")[2])
    else:
        policy = iam._policies._data.get((account, arn))
    return [
        version["Document"]
        for version in (policy or {}).get("Versions", {}).values()
        if version.get("IsDefaultVersion")
    ]
