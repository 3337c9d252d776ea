"""New code goes to the standby first, going back is one command, and a lost member is rebuilt while
the standby writes (traps 43, 65)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from application_client import ask, until
from deployed_lab import Lab, copied
from lab_copies import a_deployed_lab
from region_outage import EAST, WEST, writer_region
from released_code import change, versions

REAL_SECONDS = 180.0


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A deployed lab whose working copy may be changed."""
    repository = copied(tmp_path_factory.mktemp("repository") / "copy")
    with a_deployed_lab(tmp_path_factory.mktemp("releases"), repository) as made:
        yield made


def inv(lab: Lab, *arguments: str, code: int = 0) -> str:
    """Runs a command that must end so; what it printed."""
    answer = lab.inv(*arguments)
    assert answer.returncode == code, answer.stdout + answer.stderr
    return answer.stdout + answer.stderr


def served(lab: Lab, role: str) -> tuple[int, str]:
    """What a read is answered with, and the version that says that it's healthy."""
    health = ask(lab, role, "/health")
    headers = {name.lower(): value for name, value in health.headers.items()}
    return ask(lab, role, "/records?limit=1").status, headers["x-function-version"]


def test_a_bundle_that_fails_stops_before_us_east_1(lab: Lab) -> None:
    """N14, trap 65: /health answers and reads fail; the deployment ends in one line, us-west-2
    alone has the new version, and us-east-1 serves as before."""
    assert versions(lab) == {EAST: "1", WEST: "1"}
    change(lab, 'throw new Error("a bad bundle");')
    said = inv(lab, "up", "--layer", "app", code=1)
    (line,) = [one for one in said.splitlines() if "gate" in one and one.startswith("app: the new")]
    assert "us-west-2 doesn't serve version 2: GET /records?limit=1 answered 500" in line
    assert "us-east-1 keeps what it had" in line
    assert line.endswith("or put us-west-2 back with ./inv app.rollback")
    assert "Traceback" not in said
    assert versions(lab) == {EAST: "1", WEST: "2"}
    assert served(lab, "primary") == (200, "1")
    assert served(lab, "secondary") == (500, "2")


@pytest.mark.long
def test_a_rollback_is_kept_by_the_deployment_of_the_same_code(lab: Lab) -> None:
    """Trap 65: us-west-2 goes back to what us-east-1 serves; the same code deployed again changes
    nothing that serves, neither after a refresh. In every run the gate stops a bad bundle
    (above), and what is rolled back is held by ``test_rollback``."""
    answer = lab.inv("app.rollback", "--json")
    assert answer.returncode == 0, answer.stderr
    moved = json.loads(answer.stdout)
    assert {(one["region"], one["was"], one["version"]) for one in moved} == {(WEST, 2, 1)}
    assert served(lab, "secondary") == (200, "1")
    inv(lab, "up", "--layer", "app", "--refresh")
    assert versions(lab) == {EAST: "1", WEST: "1"}
    assert served(lab, "primary") == (200, "1")
    assert "no changes" in inv(lab, "preview", "--layer", "app")


@pytest.mark.long
def test_mended_code_goes_through_the_gate_and_back_again(lab: Lab) -> None:
    """N14, trap 65: standby and primary get it; one command leads both back, to the release before,
    and there is none before that one."""
    change(lab, 'query.delete("nothing");')
    inv(lab, "up", "--layer", "app")
    newest = versions(lab)
    assert int(newest[EAST]) > 1
    assert int(newest[WEST]) > 1
    assert served(lab, "primary") == (200, newest[EAST])
    # As while us-east-1 is lost: the version that the gate stopped, number 2, is passed over.
    (alone, *_) = json.loads(inv(lab, "app.rollback", "--region", WEST, "--json"))
    assert (alone["region"], alone["version"]) == (WEST, 1)
    inv(lab, "app.rollback", "--undo")
    inv(lab, "up", "--layer", "app")
    assert versions(lab) == newest
    inv(lab, "app.rollback")
    assert versions(lab) == {EAST: "1", WEST: "1"}
    assert "nothing to go back to" in inv(lab, "app.rollback", code=2)
    inv(lab, "up", "--layer", "app")
    assert versions(lab) == {EAST: "1", WEST: "1"}
    assert "no changes" in inv(lab, "preview-all")


def lose_member(lab: Lab) -> None:
    """Takes us-east-1's member out of the global database and deletes it."""
    rds = lab.client("rds", EAST)
    name = lab.outputs["data.primary.cluster_identifier"]
    (found,) = rds.describe_db_clusters(DBClusterIdentifier=name)["DBClusters"]
    rds.remove_from_global_cluster(
        GlobalClusterIdentifier=lab.outputs["GlobalClusterId"],
        DbClusterIdentifier=found["DBClusterArn"],
    )
    assert until(lambda: state(rds, name) == "available", REAL_SECONDS)
    for instance in found["DBClusterMembers"]:
        rds.delete_db_instance(
            DBInstanceIdentifier=instance["DBInstanceIdentifier"], SkipFinalSnapshot=True
        )
    assert until(lambda: state(rds, name, "DBClusterMembers") == [], REAL_SECONDS)
    rds.delete_db_cluster(DBClusterIdentifier=name, SkipFinalSnapshot=True)
    assert until(lambda: state(rds, name) is None, REAL_SECONDS)


def state(rds: Any, name: str, field: str = "Status") -> Any:
    """A cluster's field; None when it is gone."""
    try:
        return rds.describe_db_clusters(DBClusterIdentifier=name)["DBClusters"][0].get(field)
    except rds.exceptions.DBClusterNotFoundFault:
        return None


@pytest.mark.long
def test_a_lost_member_is_rebuilt_while_us_west_2_writes(lab: Lab) -> None:
    """N13, trap 43: roles swapped is a normal state: the member comes back as one that follows,
    what is written in us-west-2 arrives there, and nothing is left to change."""
    inv(lab, "failover", "--planned", "--yes")
    assert writer_region(lab) == WEST
    lose_member(lab)
    assert "no member in us-east-1: reading the state anew" in inv(lab, "deploy-all")
    rds = lab.client("rds", EAST)
    (found,) = rds.describe_global_clusters(GlobalClusterIdentifier=lab.outputs["GlobalClusterId"])[
        "GlobalClusters"
    ]
    writers = {
        member["DBClusterArn"].split(":")[3]: member["IsWriter"]
        for member in found["GlobalClusterMembers"]
    }
    assert writers == {EAST: False, WEST: True}
    body = {"patientId": "p-1", "type": "note", "data": {}}
    stored: list[str] = []

    def accepted() -> bool:
        answer = ask(lab, "secondary", "/records", body, key="after-the-swap")
        stored[:] = [answer.json["id"]] if answer.status in (200, 201) else []
        return bool(stored)

    assert until(accepted, REAL_SECONDS)
    path = f"/records/{stored[0]}"
    assert until(lambda: ask(lab, "primary", path).status == 200, REAL_SECONDS)
    assert "no changes" in inv(lab, "preview-all")
