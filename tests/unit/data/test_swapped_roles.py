"""The data layer while the standby writes: roles swapped is a normal state (trap 43)."""

from __future__ import annotations

from collections.abc import Callable

import computed_outputs
import pytest
from harness import SUFFIX, Deployment, Registered, program, run_program

REGIONS = ("us-east-1", "us-west-2")
CLUSTER = "aws:rds/cluster:Cluster"
BY_PATH = "aws:ssm/getParametersByPath:getParametersByPath"
LOCAL = f"/warm-standby/us-west-2/{SUFFIX}/local"
OF_THE_WRITER = ("databaseName", "masterUsername", "masterPassword")


Switched = Callable[[str], Deployment]


@pytest.fixture
def switched(monkeypatch: pytest.MonkeyPatch) -> Switched:
    """Runs the program with the failover switch as given, among its region's other parameters."""

    def run(value: str) -> Deployment:
        parameters = {f"{LOCAL}/role": "secondary", f"{LOCAL}/failover-switch": value}
        found = {"names": [*parameters], "values": [*parameters.values()]}
        monkeypatch.setitem(
            computed_outputs._INVOKES, BY_PATH, lambda given, _region: {**given, **found}
        )
        return run_program("data")

    return run


def cluster(deployment: Deployment, region: str) -> Registered:
    return deployment.one(CLUSTER, region=region)


def asked(deployment: Deployment) -> list[tuple[str, str]]:
    """Path and provider of each question for parameters."""
    return [
        (one.arguments["path"], one.provider.split("::")[-2])
        for one in deployment.invokes
        if one.token == BY_PATH
    ]


def test_a_lost_member_is_rebuilt_as_what_follows_the_writer(switched: Switched) -> None:
    """Trap 43: while us-west-2 writes, us-east-1's member is made without user, password and
    database, and copies from us-west-2; us-west-2's would be made as the writer."""
    deployment = switched("engaged")
    east, west = (cluster(deployment, region) for region in REGIONS)
    assert [key for key in OF_THE_WRITER if east.inputs.get(key) is not None] == []
    assert east.inputs["sourceRegion"] == "us-west-2"
    assert set(OF_THE_WRITER) <= set(west.inputs)
    assert "masterPassword" in west.secret_inputs
    assert "sourceRegion" not in west.inputs


@pytest.mark.no_cover
@pytest.mark.parametrize("region", REGIONS)
def test_members_that_stand_are_left_alone(switched: Switched, region: str) -> None:
    """Traps 2, 43: what differs after a swap is ignored, since it would replace the cluster."""
    before, after = (cluster(switched(value), region) for value in ("released", "engaged"))
    differing = {
        key
        for key in {*before.inputs, *after.inputs}
        if before.inputs.get(key) != after.inputs.get(key)
    }
    assert differing == {*OF_THE_WRITER, "sourceRegion"}
    assert differing <= set(after.ignore_changes)


def test_the_failover_switch_says_who_writes() -> None:
    """Trap 43: the one setting that failover and failback write; where there is none yet, or it is
    released, us-east-1 is made as the writer."""
    assert asked(program("data")) == [(LOCAL, "aws-us-west-2")]
    assert "masterUsername" in cluster(program("data"), "us-east-1").inputs


def test_nothing_is_asked_of_a_standby_that_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Trap 66: a deployment while us-west-2 is lost; us-east-1 writes then."""
    monkeypatch.setenv("WARM_STANDBY_SPARED_REGION", "us-west-2")
    deployment = run_program("data")
    assert asked(deployment) == []
    assert "masterUsername" in cluster(deployment, "us-east-1").inputs


def test_the_backup_follows_the_writer(switched: Switched) -> None:
    """Trap 45: while us-west-2 writes its plan backs its cluster up, and us-east-1's leaves its own
    out; the copies go the other way."""
    deployment = switched("engaged")
    for region, excluded in zip(REGIONS, (True, False), strict=True):
        arn = cluster(deployment, region).outputs["arn"]
        selection = deployment.one("aws:backup/selection:Selection", region=region).inputs
        assert selection["resources"] == [arn]
        assert selection["notResources"] == ([arn] if excluded else [])
