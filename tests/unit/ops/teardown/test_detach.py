"""Detaching what a role swap demoted, before the data layer is destroyed."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from ops.cloud.clients import Clients
from ops.errors import OperatorError
from ops.stack_file import StackFile, parse
from ops.teardown.detach import WAIT_SECONDS, detach_demoted

NAME = "aurora-global-us-east-1-x1"
EAST = "arn:aws:rds:us-east-1:123456789012:cluster:aurora-cluster-us-east-1-x1"
WEST = "arn:aws:rds:us-west-2:123456789012:cluster:aurora-cluster-us-west-2-x1"
STACK: StackFile = parse(
    "dev", "config: {'TapStack:environmentSuffix': x1, 'aws:region': us-east-1}"
)


class NotFoundFault(Exception):  # noqa: N818 (as boto3 names it)
    """RDS's GlobalClusterNotFoundFault."""


class FakeRds:
    """As much of RDS as detaching calls, in both regions."""

    def __init__(self, writer: str | None, members: list[str], polls: int = 0) -> None:
        self.writer = writer
        self.members = members
        self.detached: list[str] = []
        self.polls = polls
        """Descriptions until a detached cluster is available."""
        self.exceptions = type("E", (), {"GlobalClusterNotFoundFault": NotFoundFault})
        self.regions: list[str] = []
        self.at_last = "available"

    def get(self, service: str, region: str) -> FakeRds:
        """As :class:`Clients` gives a client."""
        assert service == "rds"
        self.regions.append(region)
        return self

    def describe_global_clusters(self, GlobalClusterIdentifier: str) -> dict[str, Any]:  # noqa: N803
        if not self.members:
            raise NotFoundFault
        assert GlobalClusterIdentifier == NAME
        members = [
            {"DBClusterArn": arn, "IsWriter": arn == self.writer}
            for arn in self.members
            if arn not in self.detached
        ]
        return {"GlobalClusters": [{"GlobalClusterMembers": members}]}

    def remove_from_global_cluster(self, **call: str) -> None:
        self.detached.append(call["DbClusterIdentifier"])

    def describe_db_clusters(self, DBClusterIdentifier: str) -> dict[str, Any]:  # noqa: N803
        self.polls -= 1
        return {"DBClusters": [{"Status": "promoting" if self.polls >= 0 else self.at_last}]}


def detach(rds: Any, **more: Any) -> str | None:
    """Runs it over the fake, without waiting."""

    class Fakes(Clients):
        def get(self, service: str, region: str) -> Any:
            return rds.get(service, region)

    return detach_demoted(Fakes(STACK), STACK.settings, sleep=lambda _: None, **more)


def test_roles_as_declared_are_left_alone() -> None:
    """Trap 2: without a swap Pulumi's own order is right."""
    rds = FakeRds(EAST, [EAST, WEST])
    assert detach(rds) is None
    assert rds.detached == []


def test_no_global_database_is_nothing_to_do() -> None:
    """N7: a destroy that resumed after an interruption finds it gone."""
    assert detach(FakeRds(None, [])) is None


def test_a_database_without_writer_is_left_to_the_destroy() -> None:
    """N7: an empty global cluster has no member to detach."""
    assert detach(FakeRds(None, [WEST])) is None


def test_the_demoted_member_is_detached_and_waited_for() -> None:
    """Trap 2, tf-aws #26236: AWS refuses to delete the writer while other members exist."""
    rds = FakeRds(WEST, [EAST, WEST], polls=2)
    said = detach(rds)
    assert rds.detached == [EAST]
    assert said is not None
    assert "detached the demoted cluster in us-east-1" in said
    assert rds.polls < 0


def test_a_writer_alone_is_nothing_to_do() -> None:
    """N7: a second run after the detachment goes straight on."""
    rds = FakeRds(WEST, [WEST])
    assert detach(rds) is None
    assert rds.detached == []


def test_the_lost_region_is_not_asked_first() -> None:
    """Trap 10: what the standby can answer is asked of the standby."""
    rds = FakeRds(EAST, [EAST, WEST])
    detach(rds)
    assert rds.regions == ["us-west-2"]


def test_a_refusal_is_one_line() -> None:
    """N7: what failed, why, and what to run."""

    class Refusing(FakeRds):
        def remove_from_global_cluster(self, **call: str) -> None:
            raise ClientError(
                {"Error": {"Code": "InvalidGlobalClusterStateFault", "Message": "failing over"}},
                "RemoveFromGlobalCluster",
            )

    with pytest.raises(OperatorError, match=r"data: can't detach.*failing over.*destroy-all again"):
        detach(Refusing(WEST, [EAST, WEST]))


def test_waiting_ends() -> None:
    """N7: an operator isn't left before a silent terminal for ever."""
    times = iter([0.0, 1.0, WAIT_SECONDS + 1.0])
    with pytest.raises(OperatorError, match=f"still detaching after {WAIT_SECONDS} s"):
        detach(FakeRds(WEST, [EAST, WEST], polls=99), clock=lambda: next(times))


@pytest.mark.parametrize("status", ["stopped", "inaccessible-encryption-credentials"])
def test_a_cluster_that_can_t_stand_alone_is_not_waited_for(status: str) -> None:
    """Waiting that can't succeed ends at once with its cause, not after half an hour."""
    rds = FakeRds(WEST, [EAST, WEST], polls=1)
    rds.at_last = status
    with pytest.raises(OperatorError, match=f"{EAST} is {status}; run ./inv destroy-all again"):
        detach(rds)


def test_a_member_is_detached_in_its_own_region() -> None:
    """Trap 49: RDS documents the call there."""
    rds = FakeRds(WEST, [EAST, WEST])
    asked: list[str] = []
    remove = rds.remove_from_global_cluster

    def removed(**call: str) -> None:
        asked.append(rds.regions[-1])
        remove(**call)

    rds.remove_from_global_cluster = removed  # type: ignore[method-assign]
    assert detach(rds)
    assert asked == ["us-east-1"]


def test_the_primary_is_asked_where_the_standby_does_not_answer() -> None:
    """Trap 49: destroy works from either side."""
    rds = FakeRds(EAST, [EAST, WEST])
    describe = rds.describe_global_clusters

    def answers(GlobalClusterIdentifier: str) -> dict[str, Any]:  # noqa: N803
        if rds.regions[-1] == "us-west-2":
            raise EndpointConnectionError(endpoint_url="https://rds.us-west-2.amazonaws.com")
        return describe(GlobalClusterIdentifier)

    rds.describe_global_clusters = answers  # type: ignore[method-assign]
    assert detach(rds) is None
    assert rds.regions == ["us-west-2", "us-east-1"]
