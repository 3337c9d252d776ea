"""Target health continues, whatever one check runs into."""

import asyncio
from types import SimpleNamespace

import pytest

from lab.clock import Clock
from lab.emulator import target_health
from lab.emulator.target_health import INITIAL, TargetHealth

GROUP, TARGET = "arn:group", "arn:function"
RECORD = {
    "TargetGroupArn": GROUP,
    "LoadBalancerArns": ["arn:balancer"],
    "HealthCheckEnabled": True,
    "HealthCheckPath": "/health",
    "HealthCheckTimeoutSeconds": 1,
    "HealthCheckIntervalSeconds": 5,
    "HealthyThresholdCount": 2,
    "UnhealthyThresholdCount": 2,
    "Matcher": {"HttpCode": "200-299,301"},
}


class Balancers:
    """``answers`` one after the other; the last one stays."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = 0

    async def invoke_target(self, *_given):
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def answered(status):
    return SimpleNamespace(status=status)


@pytest.fixture
def deployed(monkeypatch):
    """One target group with one target."""
    groups = [(("account", "us-east-1", GROUP), RECORD)]
    monkeypatch.setattr(target_health, "_groups", lambda: groups)
    monkeypatch.setattr(target_health, "_targets", lambda _account, _arn: [{"Id": TARGET}])
    monkeypatch.setattr(target_health, "FOLLOW_SECONDS", 0.01)
    return groups


def states(balancers, wanted, deployed, after=lambda _health: None):
    """Runs the checks until ``wanted`` is the state, five seconds at most."""

    async def run():
        lab = SimpleNamespace(clock=Clock(1000))
        health = TargetHealth(lab, balancers)  # type: ignore[arg-type]
        health.start()
        try:
            async with asyncio.timeout(5):
                while health.state(GROUP, TARGET)["State"] != wanted:
                    await asyncio.sleep(0.005)
                after(health)
                asked = balancers.asked
                while balancers.asked == asked:
                    await asyncio.sleep(0.005)
        finally:
            health.stop()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("answer", "state"),
    [(200, "healthy"), (299, "healthy"), (301, "healthy"), (302, "unhealthy"), (500, "unhealthy")],
)
def test_the_matcher_decides(deployed, answer, state):
    """Trap 18: single codes and ranges."""
    states(Balancers(answered(answer)), state, deployed)


def test_a_check_that_breaks_fails_and_is_made_again(deployed):
    """R6.1: a target stays neither healthy nor unhealthy because its check ended."""
    states(Balancers(RuntimeError("broken"), RuntimeError("broken"), None), "unhealthy", deployed)
    states(Balancers(RuntimeError("broken"), answered(200)), "healthy", deployed)


def test_a_check_whose_task_ended_is_started_anew(deployed):
    """Crash of any part is noticed and mended."""

    def end(health):
        next(iter(health._checks.values())).cancel()

    states(Balancers(answered(200)), "healthy", deployed, after=end)


def test_what_is_not_checked_has_its_own_states(monkeypatch):
    """Trap 13: unused without load balancer, unavailable with checks off, initial before one."""
    health = TargetHealth(SimpleNamespace(clock=Clock()), Balancers(None))  # type: ignore[arg-type]
    for change, state in (
        ({"LoadBalancerArns": []}, "unused"),
        ({"HealthCheckEnabled": False}, "unavailable"),
        ({}, INITIAL["State"]),
    ):
        groups = [(("account", "us-east-1", GROUP), {**RECORD, **change})]
        monkeypatch.setattr(target_health, "_groups", lambda groups=groups: groups)
        assert health.state(GROUP, TARGET)["State"] == state
    monkeypatch.setattr(target_health, "_groups", list)
    assert health.state(GROUP, TARGET)["State"] == "unused"
