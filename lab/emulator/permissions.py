"""What each caller has called, and callers who may do no more than policies allow.

Functions may do what their roles may (``lab.emulator.function_permissions``). Nobody else is
limited by itself: ``/_lab/access`` limits a signer, with the lab's token, so that a deployment is
seen to need no more than a role's policies. Calls of the lab's own parts don't come this way.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from lab.api import ApiRefusal
from lab.call import Answer
from lab.context import LabContext
from lab.emulator.exchange import Exchange, Proceed
from lab.emulator.function_permissions import FunctionPermissions
from lab.emulator.iam_actions import PASSED_TO, action_of, ids_in, resource_of, roles_in
from lab.emulator.operation_kinds import is_reading
from lab.emulator.policies import Access, allows, statements
from lab.emulator.protocol.answers import write_error
from lab.emulator.protocol.operations import Operation
from lab.emulator.protocol.requests import read_parameters

logger = logging.getLogger("lab")

MOST_REFUSALS = 1_000
"""Those before are forgotten."""
ALWAYS = frozenset({"sts:GetCallerIdentity"})
"""Needs no permission (STS API reference)."""
REFUSALS = {"ec2": "UnauthorizedOperation", "sns": "AuthorizationError"}
KEY_REFUSALS = {"sns": "KMSAccessDenied", "sqs": "KMS.AccessDeniedException"}
"""Where a service has an error of its own for a key that it may not use for the caller."""
NAMED_KEYS = (
    ("PolicyArn", "iam:PolicyARN"),
    ("AWSServiceName", "iam:AWSServiceName"),
    ("Namespace", "cloudwatch:namespace"),
)
"""Parameters that conditions know, and their keys."""
JSON_SERVICES = frozenset(
    {
        "backup", "dynamodb", "events", "kms", "lambda", "logs", "scheduler", "secretsmanager",
        "service-quotas", "ssm",
    }
)  # fmt: skip
"""Services that say AccessDeniedException; the others say AccessDenied."""


class Permissions:
    """Remembers actions by signer, and refuses what a limited signer's policies don't allow."""

    def __init__(self, lab: LabContext) -> None:
        self.lab = lab
        self._called: dict[str, set[str]] = {}
        self._limits: dict[str, list[Any]] = {}
        self._functions = FunctionPermissions()
        self._refused: deque[str] = deque(maxlen=MOST_REFUSALS)
        self._observe = False

    def limit(self, principal: str, policies: Iterable[Any], *, observe: bool = False) -> None:
        """Lets whoever signs with the access key ``principal`` do what these policies allow; with
        none it may do everything again. What was called and refused before is forgotten.
        ``observe``: refusals are listed, and nothing is refused."""
        self._observe = observe
        self._limits.pop(principal, None)
        if wanted := list(policies):
            self._limits[principal] = wanted
        self._called.pop(principal, None)
        self._refused.clear()

    def as_dict(self) -> dict[str, Any]:
        """The actions by signer, and what was refused: ``ACTION on ARN``."""
        called = {name: sorted(actions) for name, actions in sorted(self._called.items())}
        return {"called": called, "refused": list(self._refused)}

    async def answer(self, exchange: Exchange, proceed: Proceed) -> Answer | None:
        """Refuse what isn't allowed; pass everything else on."""
        operation = exchange.operation
        if operation is None or exchange.internal:
            return await proceed(exchange)
        action = action_of(exchange.service, operation.name)
        self._called.setdefault(exchange.principal, set()).add(action)
        policies = self._limits.get(exchange.principal)
        if policies is None and (role := self._functions.role_of(exchange.principal)):
            return await self._as_function(role, exchange, operation, proceed)
        if policies is not None and action not in ALWAYS:
            parameters = read_parameters(operation, exchange.call)
            for wanted, resource in self._asked(exchange, action, parameters):
                if not await self._allowed(policies, exchange, wanted, resource, parameters):
                    self._refused.append(f"{wanted} on {resource or '*'}")
                    if self._observe:
                        continue
                    message = (
                        f"User: {exchange.principal} is not authorized to perform: {wanted} on "
                        f"resource: {resource or '*'} because no identity-based policy allows the "
                        f"{wanted} action"
                    )
                    return write_error(operation, _code(exchange.service), message, 403)
        return await proceed(exchange)

    async def _as_function(
        self, role: str, exchange: Exchange, operation: Operation, proceed: Proceed
    ) -> Answer | None:
        """A call of a function's code, decided by its role."""
        given = read_parameters(operation, exchange.call)
        action = action_of(exchange.service, operation.name)
        if action in ALWAYS:
            return await proceed(exchange)
        refused = self._functions.refused(role, exchange, operation.name, given)
        if refused is None:
            answer = await proceed(exchange)
            missing = action == "s3:GetObject" and answer is not None and answer.status == 404
            if not missing or self._functions.may_list(role, given["Bucket"], given["Key"]):
                return answer
            return write_error(operation, "AccessDenied", "Access Denied", 403)
        access = refused.access
        self._refused.append(f"{access.action} on {access.resource} by {role.rpartition('/')[2]}")
        logger.warning("%s", refused.message)
        code = _code(exchange.service)
        if access.action.startswith("kms:"):
            code = KEY_REFUSALS.get(exchange.service, code)
        return write_error(operation, code, refused.message, 403)

    def _asked(
        self, exchange: Exchange, action: str, parameters: Mapping[str, Any]
    ) -> list[tuple[str, str]]:
        """The action on its resource, and each role that the call hands on."""
        account = self.lab.account_id
        resource = resource_of(exchange.service, exchange.region, account, parameters)
        asked = [(action, resource)]
        if parameters.get("BypassGovernanceRetention"):
            asked.append(("s3:BypassGovernanceRetention", resource))
        if exchange.service in PASSED_TO and not is_reading(action.partition(":")[2]):
            asked += [("iam:PassRole", role) for role in roles_in(parameters)]
        return asked

    async def _allowed(
        self,
        policies: list[Any],
        exchange: Exchange,
        action: str,
        resource: str,
        parameters: Mapping[str, Any],
    ) -> bool:
        context: dict[str, str | list[str]] = {
            "aws:RequestedRegion": exchange.region,
            "aws:userid": self._user_id(exchange.principal),
        }
        if action == "iam:PassRole":
            context["iam:PassedToService"] = PASSED_TO[exchange.service]
        for name, key in NAMED_KEYS:
            if isinstance(parameters.get(name), str):
                context[key] = parameters[name]
        if exchange.service == "dynamodb":
            context |= await self._leading_keys(exchange.region, parameters)
        if not resource:
            # What isn't named yet is decided by the action: its resource is AWS's to make.
            policies = [_anywhere(policy) for policy in policies]
        access = Access(action, resource, context=context)
        if allows(policies, access, identity=True):
            return True
        tags = await self._tags(exchange, parameters)
        tagged = Access(action, resource, context={**context, **tags})
        return bool(tags) and allows(policies, tagged, identity=True)

    def _user_id(self, principal: str) -> str:
        """As GetCallerIdentity answers: of a session ``ROLEID:NAME``, else the account's root."""
        from ministack.services import sts

        return str(sts._sessions.get(principal, {}).get("UserId", self.lab.account_id))

    async def _leading_keys(
        self, region: str, parameters: Mapping[str, Any]
    ) -> dict[str, str | list[str]]:
        """The partition of the item that a call names (DynamoDB developer guide, "Using IAM policy
        conditions for fine-grained access control")."""
        item = parameters.get("Key") or parameters.get("Item")
        if not isinstance(item, Mapping):
            return {}
        name = parameters["TableName"]
        try:
            found = await self.lab.aws.call("dynamodb", region, "DescribeTable", TableName=name)
        except ApiRefusal:
            return {}
        schema = found["Table"]["KeySchema"]
        hashed = [key["AttributeName"] for key in schema if key["KeyType"] == "HASH"]
        given = [value for key in hashed for value in (item.get(key) or {}).values()]
        return {"dynamodb:LeadingKeys": [str(value) for value in given]}

    async def _route_tables(self, region: str, associations: list[str]) -> list[str]:
        name = "association.route-table-association-id"
        filters = [{"Name": name, "Values": associations}]
        answer = await self.lab.aws.call("ec2", region, "DescribeRouteTables", Filters=filters)
        return [table["RouteTableId"] for table in answer.get("RouteTables", [])]

    async def _tags(self, exchange: Exchange, parameters: Mapping[str, Any]) -> dict[str, str]:
        """The tags of what a call names by an id, as conditions know them."""
        region, found = exchange.region, []
        try:
            if exchange.service == "ec2" and (ids := ids_in(parameters)):
                # What is asked about is the route table, of whose association the id is.
                held = [one for one in ids if one.startswith("rtbassoc-")]
                ids += await self._route_tables(region, held) if held else []
                filters = [{"Name": "resource-id", "Values": ids}]
                answer = await self.lab.aws.call("ec2", region, "DescribeTags", Filters=filters)
                found = [(tag["Key"], tag["Value"]) for tag in answer.get("Tags", [])]
            elif exchange.service == "kms":
                key = parameters.get("KeyId") or parameters.get("TargetKeyId", "")
                answer = await self.lab.aws.call("kms", region, "ListResourceTags", KeyId=key)
                found = [(tag["TagKey"], tag["TagValue"]) for tag in answer.get("Tags", [])]
            elif exchange.service == "backup":
                arn = parameters.get("ResourceArn") or (
                    f"arn:aws:backup:{region}:{self.lab.account_id}:backup-plan:"
                    f"{parameters.get('BackupPlanId', '')}"
                )
                answer = await self.lab.aws.call("backup", region, "ListTags", ResourceArn=arn)
                found = list(answer.get("Tags", {}).items())
        except ApiRefusal:
            return {}
        return {f"aws:ResourceTag/{key}": value for key, value in found}


def _code(service: str) -> str:
    """The error of a refusal, in the service's own word."""
    default = "AccessDeniedException" if service in JSON_SERVICES else "AccessDenied"
    return REFUSALS.get(service, default)


def _anywhere(policy: Any) -> dict[str, Any]:
    """The policy as if each statement reached everything."""
    return {
        "Statement": [{**statement, "Resource": "*"} for statement in statements(policy)],
    }
