"""IAM: what a role may do, decided by its deployed policies."""

from __future__ import annotations

from typing import Any

from lab.api import ApiRefusal, ApiRequest, ApiResponse, CallNext
from lab.emulator.identities import role_policies
from lab.emulator.mending import Mending
from lab.emulator.policies import Access, allows, denies


def install(mending: Mending) -> None:
    """Mends IAM."""
    mending.mend("iam", "SimulatePrincipalPolicy", simulate)


async def simulate(request: ApiRequest, call_next: CallNext) -> ApiResponse:
    """One result an action: its decision over every resource, and each resource's own where there
    are several (IAM API reference, EvaluationResult)."""
    del call_next
    given = request.parameters
    role = given["PolicySourceArn"]
    policies = role_policies(role)
    if policies is None:
        raise ApiRefusal("NoSuchEntity", f"The role {role} cannot be found.", 404)
    policies += given.get("PolicyInputList") or []
    context = {
        entry["ContextKeyName"]: list(entry["ContextKeyValues"])
        for entry in given.get("ContextEntries") or []
    }
    resources = given.get("ResourceArns") or ["*"]
    results = [
        _result(action, resources, [_decided(policies, action, one, context) for one in resources])
        for action in given["ActionNames"]
    ]
    return ApiResponse({"EvaluationResults": results, "IsTruncated": False})


def _decided(policies: list[Any], action: str, resource: str, context: dict[str, Any]) -> str:
    access = Access(action, resource, context=context)
    if denies(policies, access, identity=True):
        return "explicitDeny"
    return "allowed" if allows(policies, access, identity=True) else "implicitDeny"


def _result(action: str, resources: list[str], decisions: list[str]) -> dict[str, Any]:
    worst = next((one for one in ("explicitDeny", "implicitDeny") if one in decisions), "allowed")
    result: dict[str, Any] = {
        "EvalActionName": action,
        "EvalResourceName": resources[0] if len(resources) == 1 else "*",
        "EvalDecision": worst,
        "MatchedStatements": [],
        "MissingContextValues": [],
    }
    if len(resources) > 1:
        result["ResourceSpecificResults"] = [
            {
                "EvalResourceName": resource,
                "EvalResourceDecision": decision,
                "MatchedStatements": [],
                "MissingContextValues": [],
            }
            for resource, decision in zip(resources, decisions, strict=True)
        ]
    return result
