"""Membership of the global database is looked at, before and after a deployment (trap 43)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from fake_engine import FakeEngine
from watched_driver import stack_file, watched

from ops.deploy.membership import NOBODY, missing_members
from ops.errors import ExitCode, OperatorError

EAST, WEST = "us-east-1", "us-west-2"
NAME = "aurora-global-us-east-1-lab"
AWAY = EndpointConnectionError(endpoint_url="http://127.0.0.1:1")


class Rds:
    """Each region's RDS: its members' regions, or what it fails with."""

    regions = (EAST, WEST)

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def get(self, service: str, region: str) -> Rds:
        assert service == "rds"
        self.asked.append(region)
        return self

    def describe_global_clusters(self, GlobalClusterIdentifier: str) -> Any:  # noqa: N803
        assert GlobalClusterIdentifier == NAME
        found = self.answers[self.asked[-1].replace("-", "_")]
        if isinstance(found, Exception):
            raise found
        members = [{"DBClusterArn": f"arn:aws:rds:{one}:1:cluster:c"} for one in found]
        return {"GlobalClusters": [{"GlobalClusterMembers": members}]}


def error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code}}, "DescribeGlobalClusters")


@pytest.mark.parametrize(
    ("west", "east", "missing"),
    [
        ([EAST, WEST], None, ()),
        ([WEST], None, (EAST,)),
        ([], None, (EAST, WEST)),
        (error(NOBODY), None, ()),
        (AWAY, [EAST], (WEST,)),
        (error("Throttling"), [EAST], (WEST,)),
        (AWAY, AWAY, ()),
    ],
)
def test_a_region_without_a_member_is_found(west: Any, east: Any, missing: tuple[str, ...]) -> None:
    """Trap 43: asked of us-west-2, which outlives us-east-1's loss, then of us-east-1; nobody is
    missed before there is a database, or while nobody answers."""
    rds = Rds(us_east_1=east, us_west_2=west)
    assert missing_members(rds, stack_file().settings) == missing  # type: ignore[arg-type]
    assert rds.asked == ([WEST] if east is None else [WEST, EAST])


def test_a_database_that_lost_a_member_is_read_anew_and_rebuilt(tmp_path: Path) -> None:
    """Trap 43: the state remembers the member, so a deployment would change nothing."""
    answers = iter([(EAST,), ()])
    engine = FakeEngine("network", "data", "app", "global")
    driver = watched(tmp_path, engine, missing_members=lambda: next(answers))
    driver.up(["network", "data"])
    assert engine.calls == [("up", "network"), ("refresh", "data"), ("up", "data")]
    assert "no member in us-east-1: reading the state anew" in driver.out


def test_a_member_that_is_still_missing_ends_in_one_line(tmp_path: Path) -> None:
    """Trap 43: AWS lets no cluster that exists join; a deployment that didn't help says so."""
    engine = FakeEngine("network")
    driver = watched(tmp_path, engine, missing_members=lambda: (EAST, WEST))
    with pytest.raises(OperatorError, match="no member in us-east-1 and us-west-2 after") as raised:
        driver.up(["data"])
    assert raised.value.code is ExitCode.DIFFERENCE
    # Nothing was deployed before, so there was nothing to read anew.
    assert engine.calls == [("up", "data")]


def test_other_layers_ask_nothing_of_the_database(tmp_path: Path) -> None:
    """A deployment of the application doesn't depend on RDS's answers."""
    engine = FakeEngine("network", "data", "app", "global")
    driver = watched(tmp_path, engine, missing_members=lambda: pytest.fail("asked"))
    driver.up(["app"])
    assert engine.calls == [("up", "app")]
