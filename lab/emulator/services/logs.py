"""CloudWatch Logs: resource policies, and a group's key."""

from __future__ import annotations

import json

from lab.api import ApiRefusal, ApiRequest, ApiResponse, CallNext
from lab.emulator.mending import Mending
from lab.emulator.scope import account_of, scope

MOST_POLICIES = 10


def install(mending: Mending) -> None:
    """Mends CloudWatch Logs."""
    mends = Logs(mending)
    mend = mending.mend
    mend(
        "logs",
        "PutResourcePolicy DescribeResourcePolicies DeleteResourcePolicy",
        mends.resource_policies,
    )
    mend(
        "logs",
        "CreateLogGroup AssociateKmsKey DisassociateKmsKey DescribeLogGroups DeleteLogGroup",
        mends.groups,
    )


class Logs:
    """The hooks."""

    def __init__(self, mending: Mending) -> None:
        self.policies = mending.store("logs.resource_policies")
        self.keys = mending.store("logs.keys")

    async def resource_policies(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        """A region's resource policies; the emulator knows none."""
        given = request.parameters
        held = self.policies.setdefault(f"{account_of(request)}/{request.region}", {})
        if request.operation == "DescribeResourcePolicies":
            return ApiResponse({"resourcePolicies": list(held.values())})
        name = given["policyName"]
        if request.operation == "DeleteResourcePolicy":
            if name not in held:
                raise ApiRefusal(
                    "ResourceNotFoundException",
                    f"Policy with name [{name}] does not exist.",
                )
            del held[name]
            return ApiResponse({})
        try:
            json.loads(given["policyDocument"])
        except ValueError:
            raise ApiRefusal("InvalidParameterException", "Policy is not valid JSON.") from None
        if name not in held and len(held) >= MOST_POLICIES:
            raise ApiRefusal("LimitExceededException", "Resource limit exceeded.")
        from ministack.services import cloudwatch_logs

        held[name] = {
            "policyName": name,
            "policyDocument": given["policyDocument"],
            "lastUpdatedTime": int(cloudwatch_logs.time.time() * 1000),
        }
        return ApiResponse({"resourcePolicy": held[name]})

    async def groups(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        """A group's key, as given or changed later."""
        from ministack.services import cloudwatch_logs

        given = request.parameters
        response = (
            ApiResponse({})
            if request.operation in ("AssociateKmsKey", "DisassociateKmsKey")
            else await call_next(request)
        )
        if not response.ok:
            return response
        where = f"{account_of(request)}/{request.region}/"
        name = given.get("logGroupName", "")
        if request.operation in ("CreateLogGroup", "AssociateKmsKey"):
            with scope(request):
                if name not in cloudwatch_logs._log_groups:
                    raise ApiRefusal(
                        "ResourceNotFoundException", "The specified log group does not exist."
                    )
            if given.get("kmsKeyId"):
                self.keys[where + name] = given["kmsKeyId"]
        elif request.operation in ("DisassociateKmsKey", "DeleteLogGroup"):
            self.keys.pop(where + name, None)
        else:
            for group in response.result["logGroups"]:
                if key := self.keys.get(where + group["logGroupName"]):
                    group["kmsKeyId"] = key
        return response
