"""Lambda: published versions, the aliases that lead to them, and a policy for each of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lab.api import ApiRefusal, ApiRequest, ApiResponse, CallNext
from lab.emulator.mending import Mending
from lab.emulator.scope import account_of, scope
from lab.emulator.services.lambda_runtime import qualifier_of

LATEST = "$LATEST"
OF_A_VERSION = frozenset(
    {
        "Version", "FunctionArn", "RevisionId", "LastModified", "State", "StateReason",
        "StateReasonCode", "LastUpdateStatus", "LastUpdateStatusReason",
        "LastUpdateStatusReasonCode",
    }
)  # fmt: skip
"""Settings in which versions of the same code and configuration differ."""


def install(mending: Mending) -> None:
    """Mend versions, aliases and policies."""
    mend = mending.mend
    mend("lambda", "CreateFunction UpdateFunctionCode PublishVersion", publish)
    mend("lambda", "GetFunction GetFunctionConfiguration", named_as_asked)
    mend("lambda", "DeleteFunction", check_deletion)
    mend("lambda", "CreateAlias UpdateAlias", check_alias)
    mend("lambda", "GetPolicy", own_statements)
    mend("lambda", "RemovePermission", check_removal)


async def publish(request: ApiRequest, call_next: CallNext) -> ApiResponse:
    """A version is published once: where neither code nor settings have changed since the last one,
    that one is answered. The function itself stays $LATEST (Lambda developer guide, "Manage Lambda
    function versions")."""
    response = await call_next(request)
    if not response.ok or not (
        request.operation == "PublishVersion" or request.parameters.get("Publish")
    ):
        return response
    with scope(request):
        record = _record(request)
        config, versions = record["config"], record["versions"]
        config["Version"] = LATEST
        newest = max(versions, key=int)
        before = max((one for one in versions if one != newest), key=int, default="")
        # Where the last version was deleted, its number isn't given again.
        if before == str(int(newest) - 1) and _same(versions[before], versions[newest]):
            del versions[newest]
            record["next_version"] = int(newest)
            newest = before
        published = versions[newest]["config"]
        published["FunctionArn"] = f"{config['FunctionArn']}:{newest}"
        response.result["Version"] = newest
        if request.operation == "PublishVersion":
            response.result["FunctionArn"] = published["FunctionArn"]
    return response


async def named_as_asked(request: ApiRequest, call_next: CallNext) -> ApiResponse:
    """The ARN of an answer is the one that was asked for: an alias's is not its version's."""
    response = await call_next(request)
    qualifier = _qualifier(request)
    if response.ok and qualifier:
        config = response.result.get("Configuration") or response.result
        plain = ":".join(config["FunctionArn"].split(":")[:7])
        config["FunctionArn"] = f"{plain}:{qualifier}"
    return response


async def check_deletion(request: ApiRequest, call_next: CallNext) -> ApiResponse:
    """$LATEST goes with its function only, and with it every version and alias."""
    given = str(request.parameters.get("Qualifier") or "")
    if given == LATEST or str(request.parameters["FunctionName"]).endswith(f":{LATEST}"):
        raise ApiRefusal(
            "InvalidParameterValueException",
            "$LATEST version cannot be deleted without deleting the function.",
        )
    return await call_next(request)


async def check_alias(request: ApiRequest, call_next: CallNext) -> ApiResponse:
    """An alias leads to a version that exists; weights are for published ones."""
    given = request.parameters
    name = str(given["Name"])
    if name.isdigit():
        raise ApiRefusal(
            "ValidationException",
            f"1 validation error detected: Value '{name}' at 'name' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)",
        )
    weights = dict((given.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {})
    with scope(request):
        record = _record(request)
        for version in (given.get("FunctionVersion"), *weights):
            if version and version != LATEST and version not in record["versions"]:
                raise ApiRefusal(
                    "ResourceNotFoundException",
                    f"Function not found: {record['config']['FunctionArn']}:{version}",
                    404,
                )
        leads_to = given.get("FunctionVersion") or _alias(record, name).get("FunctionVersion")
    if weights and LATEST in (leads_to, *weights):
        raise ApiRefusal(
            "InvalidParameterValueException",
            "$LATEST is not supported for an alias pointing to more than 1 version",
        )
    return await call_next(request)


async def own_statements(request: ApiRequest, call_next: CallNext) -> ApiResponse:
    """The function's policy holds nothing of its aliases' and versions'."""
    response = await call_next(request)
    if not response.ok or _qualifier(request):
        return response
    with scope(request):
        own = _statements(_record(request), "")
    if not own:
        raise _no_policy()
    policy = json.loads(response.result["Policy"])
    response.result["Policy"] = json.dumps({**policy, "Statement": own})
    return response


async def check_removal(request: ApiRequest, call_next: CallNext) -> ApiResponse:
    """A statement is taken out of the policy that has it: of the function's, or of an alias's."""
    wanted = request.parameters["StatementId"]
    with scope(request):
        held = _statements(_record(request), _qualifier(request))
    if wanted not in {statement.get("Sid") for statement in held}:
        raise _no_policy()
    return await call_next(request)


def _no_policy() -> ApiRefusal:
    return ApiRefusal(
        "ResourceNotFoundException", "No policy is associated with the given resource.", 404
    )


def _qualifier(request: ApiRequest) -> str:
    given = request.parameters
    return qualifier_of(str(given["FunctionName"]), str(given.get("Qualifier") or ""))


def _record(request: ApiRequest) -> dict[str, Any]:
    """The emulator's record of a function, by any form of its name. Raises ApiRefusal."""
    from ministack.services import lambda_svc

    reference = str(request.parameters["FunctionName"])
    name = reference.rpartition(":function:")[2].partition(":")[0]
    record = lambda_svc._functions.get(name)
    if record is None:
        arn = f"arn:aws:lambda:{request.region}:{account_of(request)}:function:{name}"
        raise ApiRefusal("ResourceNotFoundException", f"Function not found: {arn}", 404)
    return record


def _alias(record: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return record["aliases"].get(name) or {}


def _statements(record: Mapping[str, Any], qualifier: str) -> list[dict[str, Any]]:
    """What the policy of the function, or of one alias or version, says."""
    arn = record["config"]["FunctionArn"] + (f":{qualifier}" if qualifier else "")
    return [one for one in record["policy"]["Statement"] if one.get("Resource") == arn]


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two versions have the same code and settings."""

    def settings(version: Mapping[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in version["config"].items() if key not in OF_A_VERSION}

    return one["code_zip"] == other["code_zip"] and settings(one) == settings(other)
