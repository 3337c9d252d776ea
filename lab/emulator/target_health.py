"""Checks the health of load balancers' Lambda targets, as their target groups are configured.

Health checks of Lambda targets are off unless enabled; such a target's state is ``unavailable``
and it gets requests. Checks run on the lab's clock (Elastic Load Balancing user guide, "Health
checks for your target groups").
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from lab.context import LabContext
from lab.emulator.load_balancers import LoadBalancers

logger = logging.getLogger("lab")

FOLLOW_SECONDS = 0.5
"""Between looks at what is registered."""
INITIAL = {
    "State": "initial",
    "Reason": "Elb.InitialHealthChecking",
    "Description": "Initial health checks in progress",
}
UNUSED = {
    "State": "unused",
    "Reason": "Target.NotInUse",
    "Description": "Target group is not configured to receive traffic from the load balancer",
}
DISABLED = {
    "State": "unavailable",
    "Reason": "Target.HealthCheckDisabled",
    "Description": "Health checks are not enabled for this target",
}


class TargetHealth:
    """States of all registered targets."""

    def __init__(self, lab: LabContext, balancers: LoadBalancers) -> None:
        self.lab, self.balancers = lab, balancers
        self._states: dict[tuple[str, str], Mapping[str, str]] = {}
        self._checks: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._follower: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Checks what is registered, from now on."""
        self._follower = asyncio.create_task(self._follow())

    def stop(self) -> None:
        """Checks no more."""
        for task in (self._follower, *self._checks.values()):
            if task:
                task.cancel()

    def state(self, group: str, target: str) -> Mapping[str, str]:
        """``TargetHealth`` of DescribeTargetHealth."""
        record = _group(group)
        if record is None or not record["LoadBalancerArns"]:
            return UNUSED
        if not record["HealthCheckEnabled"]:
            return DISABLED
        return self._states.get((group, target), INITIAL)

    async def _follow(self) -> None:
        while True:
            wanted = {
                (arn, target["Id"])
                for (account, _, arn), record in _groups()
                if record["LoadBalancerArns"] and record["HealthCheckEnabled"]
                for target in _targets(account, arn)
            }
            for key in wanted - {key for key, task in self._checks.items() if not task.done()}:
                self._checks[key] = asyncio.create_task(self._check(*key))
            for key in set(self._checks) - wanted:
                self._checks.pop(key).cancel()
                self._states.pop(key, None)
            await asyncio.sleep(FOLLOW_SECONDS)

    async def _check(self, group: str, target: str) -> None:
        successes = failures = 0
        while (record := _group(group)) is not None:
            if await self._probe(record, target):
                successes, failures = successes + 1, 0
            else:
                successes, failures = 0, failures + 1
            first = (group, target) not in self._states
            # The first check decides alone; later ones need the threshold.
            if successes >= (1 if first else record["HealthyThresholdCount"]):
                self._states[group, target] = {"State": "healthy"}
            elif failures >= (1 if first else record["UnhealthyThresholdCount"]):
                self._states[group, target] = {
                    "State": "unhealthy",
                    "Reason": "Target.ResponseCodeMismatch",
                    "Description": "Health checks failed with these codes: [502]",
                }
            await self.lab.clock.sleep(record["HealthCheckIntervalSeconds"])

    async def _probe(self, record: Mapping[str, Any], target: str) -> bool:
        event = {
            "requestContext": {"elb": {"targetGroupArn": record["TargetGroupArn"]}},
            "httpMethod": "GET",
            "path": record["HealthCheckPath"],
            "queryStringParameters": {},
            "headers": {"user-agent": "ELB-HealthChecker/2.0"},
            "body": "",
            "isBase64Encoded": False,
        }
        try:
            # In real seconds, as functions' own limits: their code doesn't get faster.
            answer = await asyncio.wait_for(
                self.balancers.invoke_target(record["TargetGroupArn"], target, event),
                record["HealthCheckTimeoutSeconds"],
            )
        except TimeoutError:
            return False
        except Exception:
            # A check that can't be made fails; its end would leave the last state for ever.
            logger.exception("the health check of %s", target)
            return False
        return answer is not None and _in_matcher(answer.status, record["Matcher"]["HttpCode"])


def _in_matcher(status: int, matcher: str) -> bool:
    """``200``, ``200,202`` or ``200-299``."""
    for part in matcher.split(","):
        low, _, high = part.strip().partition("-")
        if int(low) <= status <= int(high or low):
            return True
    return False


def _groups() -> list[Any]:
    from ministack.services import alb

    return list(alb._tgs._data.items())


def _group(arn: str) -> Mapping[str, Any] | None:
    return next((record for key, record in _groups() if key[-1] == arn), None)


def _targets(account: str, arn: str) -> list[Mapping[str, Any]]:
    from ministack.services import alb

    return alb._targets._data.get((account, arn), [])
