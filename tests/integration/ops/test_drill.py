"""Drills in a deployed lab at a high clock: real processes, real traffic, evidence that verifies.

A busy machine may make a drill void, which says that nothing was measured; it never makes one fail.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from deployed_lab import Lab
from lab_copies import a_deployed_lab

from lab import client
from ops.report import drills

pytestmark = pytest.mark.long
CLOCK = 10.0
RATE = "0.5"
SECONDS = 1200


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A deployed lab at a high clock."""
    with a_deployed_lab(tmp_path_factory.mktemp("drilled")) as made:
        client.set_clock(made.state_dir, CLOCK)
        yield made


def drilled(lab: Lab, scenario: str) -> dict[str, Any]:
    """The document of one drill, its evidence verified and everything given back."""
    key = {"WARM_STANDBY_SIGNING_KEY": str(lab.directory / "keys" / "signing.key")}
    answer = lab.inv(
        "drill", "--scenario", scenario, "--seed", "1", "--rate", RATE, "--json",
        environment=key, timeout=SECONDS,
    )  # fmt: skip
    assert answer.returncode in (0, 5), answer.stderr
    document = json.loads(answer.stdout)
    assert document["verdict"] != "failed", document["reasons"]
    assert document["traffic_rto_seconds"] is None, "no RTO at another clock"
    page = drills.folder(lab.directory) / f"{document['id']}.html"
    verified = lab.inv("drill.verify", str(page), environment=key)
    assert verified.returncode == 0, verified.stdout
    assert client.status(lab.state_dir).outages == {}
    assert document["restored"].endswith(("writes, as before", "us-east-1 writes")), document
    return document


@pytest.mark.parametrize("scenario", ["application-only", "planned-switchover"])
def test_a_drill_is_judged_and_brought_home(lab: Lab, scenario: str) -> None:
    """Issue 20: nothing that was acknowledged is lost, and the next drill finds all as before."""
    document = drilled(lab, scenario)
    assert document["rows"]["lost"] == document["rows"]["duplicated"] == 0
    if document["verdict"] == "passed":
        assert document["rows"]["acknowledged"] > 0
