"""What the DNS part remembers of a deployment that changes under it."""

import asyncio
from types import SimpleNamespace

from lab.api import ApiRefusal
from lab.clock import Clock
from lab.dns import part as parts
from lab.dns.health_checks import CheckConfig
from lab.dns.part import DnsPart

EAST, WEST = "us-east-1", "us-west-2"


def dns(alarms):
    """A part over a CloudWatch that lists ``alarms``, name → state, in us-east-1."""

    async def every(service, region, operation, key, AlarmTypes):  # noqa: N803 - AWS's name
        assert (service, operation) == ("cloudwatch", "DescribeAlarms")
        assert [f"{name}s" for name in AlarmTypes] == [key]
        if (region, key) != (EAST, "MetricAlarms"):
            return []
        return [{"AlarmName": name, "StateValue": state} for name, state in alarms.items()]

    aws = SimpleNamespace(every=every)
    return DnsPart(SimpleNamespace(clock=Clock(1000), port=1, aws=aws))  # type: ignore[arg-type]


async def no_balancers(_aws):
    return {}


def test_an_alarm_that_was_deleted_has_no_state(monkeypatch):
    """R3.1: a check over it goes by its status for insufficient data, not by the last it heard."""
    monkeypatch.setattr(parts, "deployed_load_balancers", no_balancers)
    alarms = {"a": "ALARM"}
    part = dns(alarms)
    part._checks["check"] = CheckConfig(
        "check",
        "CLOUDWATCH_METRIC",
        alarm_name="a",
        alarm_region=EAST,
        insufficient_data="Healthy",
    )
    asyncio.run(part._read_balancers())
    assert not part.check_healthy("check")
    alarms.clear()
    asyncio.run(part._read_balancers())
    assert part.check_healthy("check")


def test_a_look_that_fails_is_followed_by_the_next(monkeypatch):
    """A load balancer deleted between two calls of one look must not end the DNS server."""
    looks = []

    async def look(_aws):
        looks.append(1)
        if len(looks) == 1:
            raise ApiRefusal("LoadBalancerNotFound", "gone")
        return {}

    monkeypatch.setattr(parts, "deployed_load_balancers", look)
    part = dns({})

    async def run():
        watching = asyncio.create_task(part._watch())
        async with asyncio.timeout(5):
            while len(looks) < 2:
                assert not watching.done()
                await asyncio.sleep(0.01)
        watching.cancel()

    asyncio.run(run())
