"""Lambda: settings read back as AWS gives them, and a role that Lambda can use is required."""

from __future__ import annotations

from typing import Any

from lab.api import ApiRefusal, ApiRequest, ApiResponse, CallNext
from lab.emulator.concurrency import LEAST_UNRESERVED, reservations
from lab.emulator.identities import role_allows, trusts
from lab.emulator.mending import Mending
from lab.emulator.policies import Access
from lab.emulator.scope import account_of, scope

CONFIGURATIONS = (
    "CreateFunction UpdateFunctionConfiguration UpdateFunctionCode GetFunction "
    "GetFunctionConfiguration ListFunctions PublishVersion ListVersionsByFunction"
)


def install(mending: Mending) -> None:
    """Mends Lambda's settings."""
    mend = mending.mend

    concurrency = mending.concurrency

    async def account(request: ApiRequest, call_next: CallNext) -> ApiResponse:
        """The account's limits in the region, and what isn't reserved of them."""
        response = await call_next(request)
        if response.ok:
            limit = response.result["AccountLimit"]
            limit["ConcurrentExecutions"] = concurrency.limit(request.region)
            unreserved = concurrency.unreserved(account_of(request), request.region)
            limit["UnreservedConcurrentExecutions"] = unreserved
        return response

    async def reserve(request: ApiRequest, call_next: CallNext) -> ApiResponse:
        """No more may be reserved than leaves the account its least (PutFunctionConcurrency)."""
        given = request.parameters
        name = given["FunctionName"].rpartition(":")[2]
        held = reservations(account_of(request), request.region) | {
            name: int(given["ReservedConcurrentExecutions"] or 0)
        }
        limit = concurrency.limit(request.region)
        least = min(LEAST_UNRESERVED, limit)
        if limit - sum(held.values()) < least:
            raise ApiRefusal(
                "InvalidParameterValueException",
                "Specified ReservedConcurrentExecutions for function decreases account's "
                f"UnreservedConcurrentExecution below its minimum value of [{least}].",
            )
        return await call_next(request)

    mend("lambda", "PutFunctionConcurrency", reserve)
    mend("lambda", "GetAccountSettings", account)
    mend("lambda", CONFIGURATIONS, configurations)
    mend("lambda", "CreateFunction UpdateFunctionConfiguration", check_role)


async def check_role(request: ApiRequest, call_next: CallNext) -> ApiResponse:
    """The role must trust Lambda, and may make network interfaces for a function in a VPC."""
    given = request.parameters
    role = given.get("Role") or _current(request).get("Role", "")
    if "Role" in given and not trusts(
        role,
        "lambda.amazonaws.com",
        f"arn:aws:lambda:{request.region}:{account_of(request)}:function:"
        f"{given['FunctionName'].rpartition(':')[2]}",
    ):
        raise ApiRefusal(
            "InvalidParameterValueException",
            "The role defined for the function cannot be assumed by Lambda.",
        )
    if (given.get("VpcConfig") or {}).get("SubnetIds") and not role_allows(
        role, Access("ec2:CreateNetworkInterface", "*")
    ):
        raise ApiRefusal(
            "InvalidParameterValueException",
            "The provided execution role does not have permissions to call "
            "CreateNetworkInterface on EC2",
        )
    if target := (given.get("DeadLetterConfig") or {}).get("TargetArn"):
        action = "sqs:SendMessage" if target.split(":")[2] == "sqs" else "sns:Publish"
        if not role_allows(role, Access(action, target)):
            raise ApiRefusal(
                "InvalidParameterValueException",
                "The provided execution role does not have permissions to call "
                f"{action.partition(':')[2]} on {action.partition(':')[0].upper()}",
            )
    return await call_next(request)


async def configurations(request: ApiRequest, call_next: CallNext) -> ApiResponse:
    """The VPC of the subnets; a changed function stays active; empty settings are absent."""
    response = await call_next(request)
    if not response.ok:
        return response
    result = response.result
    listed = result.get("Functions", result.get("Versions"))
    found = [result.get("Configuration") or result] if listed is None else listed
    for config in found:
        _complete(config, request)
    return response


def _current(request: ApiRequest) -> dict[str, Any]:
    from ministack.services import lambda_svc

    with scope(request):
        name = request.parameters["FunctionName"].rpartition(":")[2]
        return (lambda_svc._functions.get(name) or {}).get("config", {})


def _complete(config: dict[str, Any], request: ApiRequest) -> None:
    from ministack.services import ec2

    network = config.get("VpcConfig") or {}
    if subnets := network.get("SubnetIds"):
        with scope(request):
            network["VpcId"] = (ec2._subnets.get(subnets[0]) or {}).get("VpcId", "")
        network.setdefault("Ipv6AllowedForDualStack", False)
    if config.get("StateReasonCode") == "Updating":
        config["State"] = "Active"
        config.pop("StateReason", None)
        config.pop("StateReasonCode", None)
    for name in (
        "KMSKeyArn",
        "StateReason",
        "StateReasonCode",
        "LastUpdateStatusReason",
        "LastUpdateStatusReasonCode",
    ):
        if config.get(name) == "":
            config.pop(name)
    logging = config.get("LoggingConfig") or {}
    logging.setdefault("LogFormat", "Text")
    logging.setdefault("LogGroup", f"/aws/lambda/{config['FunctionName']}")
    if logging["LogFormat"] == "JSON":
        logging.setdefault("ApplicationLogLevel", "INFO")
        logging.setdefault("SystemLogLevel", "INFO")
    config["LoggingConfig"] = logging
