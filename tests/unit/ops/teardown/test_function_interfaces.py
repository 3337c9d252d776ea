"""Waiting for Lambda's network interfaces, before the network is destroyed."""

from typing import Any, cast

import pytest
from fake_clients import FakeClients, refusal

from ops.cloud.clients import Clients
from ops.errors import OperatorError
from ops.stack_file import parse
from ops.teardown.function_interfaces import WAIT_SECONDS, wait_until_gone
from pulumi_protocol.events import EngineError

SETTINGS = parse("dev", "config: {TapStack:environmentSuffix: dev, aws:region: us-east-1}").settings
VPC = {"describe_vpcs": {"Vpcs": [{"VpcId": "vpc-1"}]}}


class Reaping:
    """EC2 that lists fewer of Lambda's interfaces at each look."""

    def __init__(self, *counts: int) -> None:
        self.counts = list(counts)
        self.filters: Any = None

    def describe(self, Filters: Any) -> dict[str, Any]:  # noqa: N803 - AWS's name
        self.filters = Filters
        count = self.counts.pop(0) if len(self.counts) > 1 else self.counts[0]
        return {"NetworkInterfaces": [{"NetworkInterfaceId": f"eni-{n}"} for n in range(count)]}

    def clients(self) -> Clients:
        table = {
            ("ec2", "us-east-1"): {**VPC, "describe_network_interfaces": self.describe},
            ("ec2", "us-west-2"): {"describe_vpcs": {"Vpcs": []}},
        }
        return cast(Clients, FakeClients(table))


def test_it_waits_until_none_is_left_and_says_what_for() -> None:
    """Trap 19: destroying network right after app waits for Lambda, and says so once a change."""
    said: list[str] = []
    paused: list[float] = []
    reaping = Reaping(3, 3, 1, 0)
    wait_until_gone(reaping.clients(), SETTINGS, said.append, paused.append, lambda: 0.0)
    assert [line[:46] for line in said] == [
        "waiting for Lambda to give back 3 network inte",
        "waiting for Lambda to give back 1 network inte",
    ]
    assert len(paused) == 3
    assert {"Name": "vpc-id", "Values": ["vpc-1"]} in reaping.filters
    assert {"Name": "description", "Values": ["AWS Lambda VPC ENI*"]} in reaping.filters


def test_without_interfaces_nothing_is_said() -> None:
    """N7: a destroy says no more than it does."""
    said: list[str] = []
    wait_until_gone(Reaping(0).clients(), SETTINGS, said.append, lambda _: pytest.fail("waited"))
    assert said == []


def test_patience_ends_with_the_next_command() -> None:
    """N7: what is left is named, and the command that resumes."""
    times = iter((0.0, 0.0, WAIT_SECONDS + 1.0))
    with pytest.raises(OperatorError, match=r"still holds .* eni-0 after 90 min; run ./inv"):
        wait_until_gone(
            Reaping(1).clients(), SETTINGS, lambda _: None, lambda _: None, lambda: next(times)
        )


def test_an_interruption_ends_the_wait() -> None:
    """N7: Ctrl-C needn't wait an hour."""

    def pause(_: float) -> None:
        raise EngineError("interrupted while waiting")

    with pytest.raises(EngineError, match="interrupted"):
        wait_until_gone(Reaping(1).clients(), SETTINGS, lambda _: None, pause)


def test_a_refused_look_is_one_line() -> None:
    """Region and remedy are named."""
    clients = cast(Clients, FakeClients({("ec2", "us-east-1"): {"describe_vpcs": refusal()}}))
    with pytest.raises(OperatorError, match=r"can't list network interfaces in us-east-1: .*run"):
        wait_until_gone(clients, SETTINGS, lambda _: None, lambda _: None)
