"""What functions may call: each call of their code is decided by their role's policies.

A function signs with a key that stands for its role (``functions.principal_key``). Its role's
policies and boundary, the policies of what it uses and of the keys behind that decide, with the
condition keys that the calls carry.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from lab.emulator.authorization import Governing, key_refusal, refusal
from lab.emulator.call_accesses import accesses
from lab.emulator.exchange import Exchange
from lab.emulator.functions import principal_key
from lab.emulator.identities import boundary_of, role_policies
from lab.emulator.policies import Access
from lab.emulator.resource_policies import policy_of


@dataclass(frozen=True)
class Refused:
    """An access that a function's role hasn't."""

    role: str
    access: Access
    why: str

    @property
    def message(self) -> str:
        """In AWS's words ("Access denied error message examples")."""
        account, name = self.role.split(":")[4], self.role.rpartition("/")[2]
        session = f"arn:aws:sts::{account}:assumed-role/{name}/function"
        return (
            f"User: {session} is not authorized to perform: {self.access.action} on resource: "
            f"{self.access.resource} {self.why}"
        )


class FunctionPermissions:
    """Decides the calls of functions; other signers are not its business."""

    def __init__(self) -> None:
        self._roles: dict[str, str] = {}
        """access key → role's ARN"""

    def role_of(self, principal: str) -> str:
        """The ARN of the role that an access key stands for; empty for another signer's."""
        from ministack.services import iam

        if not principal.startswith("ASIA"):
            return ""
        if principal not in self._roles:
            held = [str(role["Arn"]) for role in list(iam._roles._data.values())]
            self._roles = {principal_key(arn): arn for arn in held}
        return self._roles.get(principal, "")

    def refused(
        self, role: str, exchange: Exchange, operation: str, given: Mapping[str, Any]
    ) -> Refused | None:
        """The first access of a call that is refused; None when all are allowed."""
        account = role.split(":")[4]
        asked = accesses(exchange.service, operation, exchange.region, account, given)
        return self._first_refused(role, asked)

    def may_list(self, role: str, bucket: str, key: str) -> bool:
        """Whether S3 says that an object is missing, and not that it is forbidden. Whether a
        condition on ``s3:prefix`` is met by the key isn't documented: it is taken for met."""
        context = {"s3:prefix": key}
        listing = Access("s3:ListBucket", f"arn:aws:s3:::{bucket}", context=context)
        return self._first_refused(role, iter([listing])) is None

    def _first_refused(self, role: str, asked: Iterator[Access]) -> Refused | None:
        identity, boundary = role_policies(role) or [], boundary_of(role)
        own = _context(role)
        for one in asked:
            access = replace(one, principal=role, context={**own, **one.context})
            is_key = access.resource.split(":")[2:3] == ["kms"]
            resource = policy_of(access.resource) if access.resource != "*" else None
            by = Governing(identity, resource, boundary)
            if why := (key_refusal if is_key else refusal)(access, by):
                return Refused(role, access, why)
        return None


def _context(role: str) -> dict[str, str | list[str]]:
    """What every call of a function carries (IAM user guide, "AWS global condition context keys";
    Lambda developer guide, "Working with lambda:SourceFunctionArn")."""
    from ministack.services import lambda_svc

    account = role.split(":")[4]
    context: dict[str, str | list[str]] = {
        "aws:PrincipalArn": role,
        "aws:PrincipalAccount": account,
        # The lab has no TLS between its functions and its APIs; AWS has.
        "aws:SecureTransport": "true",
    }
    callers = [
        str(record["config"]["FunctionArn"])
        for record in list(lambda_svc._functions._data.values())
        if (record.get("config") or {}).get("Role") == role
    ]
    if len(callers) == 1:
        context["lambda:SourceFunctionArn"] = callers[0]
    return context
