"""What the emulator refuses goes through every mend as it is."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from emulator_world import ACCOUNT, EAST, World

from lab.api import ApiRefusal, ApiRequest, ApiResponse

GIVEN: dict[str, Any] = {
    "LoadBalancerArn": f"arn:aws:elasticloadbalancing:{EAST}:{ACCOUNT}:loadbalancer/app/a/1",
    "SubscriptionArn": f"arn:aws:sns:{EAST}:{ACCOUNT}:t:1",
    "Name": "refused",
    "HealthCheckConfig": {"Type": "TCP"},
    "VersioningConfiguration": {"Status": "Enabled"},
    "ReplicationConfiguration": {},
    "ResourcePolicy": "{}",
    "Attributes": {"Policy": "", "DelaySeconds": "1"},
    "Delete": {"Objects": []},
}


def test_a_refusal_goes_through_every_mend(world: World) -> None:
    """N1: code and message are the emulator's; a mend that answers or refuses itself asks it
    nothing."""
    refusal = ApiResponse(status=400, error_code="Refused", error_message="no")
    through = 0

    async def one(hook: Any, request: ApiRequest) -> bool:
        asked = []

        async def call_next(_request: ApiRequest) -> ApiResponse:
            asked.append(True)
            return refusal

        try:
            answer = await hook(request, call_next)
        except ApiRefusal:
            answer = None
        assert not asked or answer is refusal, (request.service, request.operation)
        return bool(asked)

    for service, names, hook in world.emulator.hooks.mends:
        for name in names:
            given = {} if name.endswith("Settings") else GIVEN
            parameters: dict[str, Any] = defaultdict(str, given)
            through += world.run(one(hook, ApiRequest(service, name, EAST, parameters)))
    assert through > 60
