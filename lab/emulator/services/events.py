"""EventBridge: a bus's policy is what was given, and rules and targets read back whole."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from lab.api import ApiRefusal, ApiRequest, ApiResponse, CallNext
from lab.emulator.mending import Mending
from lab.emulator.scope import scope

MOST_ARCHIVED = 2000
"""An archive keeps its newest events, as a log stream does: a lab under load must not fill memory
and disk."""


def install(mending: Mending) -> None:
    """Mends EventBridge."""
    from ministack.services import eventbridge

    eventbridge._archive_event = archiving(eventbridge._archive_event)
    mend = mending.mend
    mend("events", "PutPermission", put_permission)
    mend("events", "PutTargets", put_targets)
    mend("events", "DeleteRule", delete_rule)
    mend("events", "DeleteEventBus", delete_bus)


def archiving(archive_event: Callable[..., None]) -> Callable[..., None]:
    """The emulator's way of archiving an event, and what is too old forgotten."""
    from ministack.services import eventbridge

    def archive(event: dict[str, Any], view: Any = None) -> None:
        archive_event(event, view)
        for one in eventbridge._archives.values():
            del one.get("Events", [])[:-MOST_ARCHIVED]

    return archive


async def put_permission(request: ApiRequest, call_next: CallNext) -> ApiResponse:
    """A whole policy document is kept as it is; a statement names its principal as AWS does."""
    from ministack.services import eventbridge

    given = request.parameters
    bus = given.get("EventBusName", "default").rpartition("/")[2]
    with scope(request):
        if bus not in eventbridge._event_buses and bus != "default":
            raise ApiRefusal("ResourceNotFoundException", f"Event bus {bus} does not exist.")
        if "Policy" in given:
            try:
                eventbridge._event_bus_policies[bus] = json.loads(given["Policy"])
            except ValueError:
                raise ApiRefusal("ValidationException", "Policy is not valid JSON.") from None
            return ApiResponse({})
    response = await call_next(request)
    if response.ok:
        with scope(request):
            for statement in eventbridge._event_bus_policies[bus]["Statement"]:
                principal = statement["Principal"]
                if isinstance(principal, str) and principal.isdigit():
                    statement["Principal"] = {"AWS": f"arn:aws:iam::{principal}:root"}
    return response


async def put_targets(request: ApiRequest, call_next: CallNext) -> ApiResponse:
    """A bus as target needs a role (trap 26); at most five targets a rule."""
    region = request.region
    for target in request.parameters.get("Targets", []):
        parts = target["Arn"].split(":")
        if len(parts) < 6 or parts[2] != "events" or not parts[5].startswith("event-bus/"):
            continue
        if parts[3] != region and not target.get("RoleArn"):
            raise ApiRefusal(
                "ValidationException",
                f"RoleArn is required for target {target['Arn']}.",
            )
    return await call_next(request)


async def delete_rule(request: ApiRequest, call_next: CallNext) -> ApiResponse:
    """A rule with targets stays."""
    from ministack.services import eventbridge

    given = request.parameters
    with scope(request):
        bus = given.get("EventBusName", "default").rpartition("/")[2]
        key = eventbridge._rule_key(given["Name"], bus)
        if eventbridge._targets.get(key):
            raise ApiRefusal("ValidationException", "Rule can't be deleted since it has targets.")
    return await call_next(request)


async def delete_bus(request: ApiRequest, call_next: CallNext) -> ApiResponse:
    """A bus with rules stays; its policy goes with it."""
    from ministack.services import eventbridge

    name = request.parameters["Name"]
    with scope(request):
        if any(rule["EventBusName"] == name for rule in eventbridge._rules.values()):
            raise ApiRefusal(
                "ValidationException", f"Event bus {name} can't be deleted since it has rules."
            )
        eventbridge._event_bus_policies.pop(name, None)
    return await call_next(request)
