"""AWS Backup: restore testing plans and selections, which the emulator lists empty.

The lab's recovery points hold no content, so nothing is restored: what is deployed is kept, and
refused as AWS does.
"""

from __future__ import annotations

import re
from typing import Any

from lab.api import ApiRefusal, ApiRequest, ApiResponse, CallNext
from lab.emulator.mending import Mending
from lab.emulator.scope import account_of

NAME = re.compile(r"[A-Za-z0-9_]{1,50}")
"""CreateRestoreTestingPlan: "alphanumeric characters and underscores"."""


def install(mending: Mending) -> None:
    """Mend AWS Backup's restore testing."""
    kept = RestoreTesting(mending)
    for verb in ("Create", "Update", "Get", "Delete"):
        mending.mend("backup", f"{verb}RestoreTestingPlan", kept.plan)
        mending.mend("backup", f"{verb}RestoreTestingSelection", kept.selection)
    mending.mend("backup", "ListRestoreTestingPlans", kept.plans)
    mending.mend("backup", "TagResource UntagResource ListTags", kept.tags)


class RestoreTesting:
    """The hooks."""

    def __init__(self, mending: Mending) -> None:
        self.kept = mending.store("backup.restore_testing")

    async def plan(self, request: ApiRequest, _: CallNext) -> ApiResponse:
        """One plan."""
        given = request.parameters
        body = given.get("RestoreTestingPlan") or {}
        name = given.get("RestoreTestingPlanName") or body.get("RestoreTestingPlanName", "")
        arn = _arn(request, name)
        if request.operation.startswith("Create"):
            _allowed(name)
            if arn in self.kept:
                raise ApiRefusal("AlreadyExistsException", f"Plan {name} already exists.")
            self.kept[arn] = {"plan": body, "tags": dict(given.get("Tags") or {}), "selections": {}}
            return ApiResponse({"RestoreTestingPlanName": name, "RestoreTestingPlanArn": arn})
        plan = self._known(arn, name)
        if request.operation.startswith("Update"):
            plan["plan"] = {**body, "RestoreTestingPlanName": name}
        elif request.operation.startswith("Delete"):
            if plan["selections"]:
                said = "Restore testing plan has selections: delete them first."
                raise ApiRefusal("InvalidRequestException", said)
            del self.kept[arn]
            return ApiResponse({})
        shown = {**plan["plan"], "RestoreTestingPlanArn": arn}
        if request.operation.startswith("Get"):
            return ApiResponse({"RestoreTestingPlan": shown})
        return ApiResponse({"RestoreTestingPlanName": name, "RestoreTestingPlanArn": arn})

    async def selection(self, request: ApiRequest, _: CallNext) -> ApiResponse:
        """One selection of a plan."""
        given = request.parameters
        plan_name = given["RestoreTestingPlanName"]
        arn = _arn(request, plan_name)
        selections = self._known(arn, plan_name)["selections"]
        body = given.get("RestoreTestingSelection") or {}
        key = "RestoreTestingSelectionName"
        name = given.get(key) or body.get(key, "")
        answered = {key: name, "RestoreTestingPlanName": plan_name, "RestoreTestingPlanArn": arn}
        if request.operation.startswith("Create"):
            _allowed(name)
            if name in selections:
                raise ApiRefusal("AlreadyExistsException", f"Selection {name} already exists.")
            selections[name] = body
            return ApiResponse(answered)
        if name not in selections:
            raise ApiRefusal("ResourceNotFoundException", f"Cannot find selection {name}.")
        if request.operation.startswith("Update"):
            selections[name] = {**selections[name], **body}
        elif request.operation.startswith("Delete"):
            del selections[name]
            return ApiResponse({})
        if request.operation.startswith("Get"):
            shown = {**selections[name], **answered}
            shown.pop("RestoreTestingPlanArn")
            return ApiResponse({"RestoreTestingSelection": shown})
        return ApiResponse(answered)

    async def plans(self, request: ApiRequest, _: CallNext) -> ApiResponse:
        """The region's plans."""
        here = _arn(request, "")
        return ApiResponse(
            {
                "RestoreTestingPlans": [
                    {**one["plan"], "RestoreTestingPlanArn": arn}
                    for arn, one in self.kept.items()
                    if arn.startswith(here)
                ]
            }
        )

    async def tags(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        """A plan's tags; other resources' are the emulator's."""
        arn = request.parameters["ResourceArn"]
        if arn not in self.kept:
            return await call_next(request)
        tags: dict[str, Any] = self.kept[arn]["tags"]
        if request.operation == "TagResource":
            tags |= request.parameters["Tags"]
        elif request.operation == "UntagResource":
            for key in request.parameters["TagKeyList"]:
                tags.pop(key, None)
        else:
            return ApiResponse({"Tags": dict(tags)})
        return ApiResponse({})

    def _known(self, arn: str, name: str) -> dict[str, Any]:
        if arn not in self.kept:
            raise ApiRefusal(
                "ResourceNotFoundException", f"Cannot find restore testing plan {name}."
            )
        return self.kept[arn]


def _arn(request: ApiRequest, name: str) -> str:
    start = f"arn:aws:backup:{request.region}:{account_of(request)}"
    return f"{start}:restore-testing-plan:{name}"


def _allowed(name: str) -> None:
    if not NAME.fullmatch(name):
        raise ApiRefusal(
            "InvalidParameterValueException",
            f"{name} must consist of only alphanumeric characters and underscores.",
        )
