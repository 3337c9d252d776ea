"""Clusters that run with other parameters than theirs (trap 53)."""

from __future__ import annotations

from typing import Any, cast

import pytest
from fake_clients import FakeClients, refusal
from watched_driver import stack_file

from ops.cloud.clients import Clients
from ops.doctor import parameters
from ops.doctor.finding import Finding

GROUP = "aurora-parameters-16-us-west-2-lab"


def found(answer: Any) -> list[Finding]:
    table = {("rds", ""): {"describe_db_clusters": answer}}
    clients = cast(Clients, FakeClients(table))
    return list(parameters.examine(clients, stack_file("dev").settings, "us-west-2"))


def cluster(group: str, *states: str) -> dict[str, Any]:
    members = [
        {"DBInstanceIdentifier": f"i-{number}", "DBClusterParameterGroupStatus": state}
        for number, state in enumerate(states, 1)
    ]
    return {"DBClusters": [{"DBClusterParameterGroup": group, "DBClusterMembers": members}]}


@pytest.mark.parametrize(
    ("answer", "state", "said"),
    [
        (cluster(GROUP, "in-sync", "in-sync"), "ok", GROUP),
        (cluster(GROUP, "in-sync", "pending-reboot"), "advice", "i-2 must be rebooted"),
        (
            cluster("default.aurora-postgresql16", "in-sync"),
            "advice",
            "neither pgaudit nor pg_cron",
        ),
    ],
)
def test_what_isn_t_loaded_is_named(answer: Any, state: str, said: str) -> None:
    """Trap 53: after a change that waits for a reboot, and after a major upgrade that reset the
    group, nothing is audited; the remedy is the command."""
    (finding,) = found(answer)
    assert finding.state.value == state
    assert said in finding.detail
    assert ("aws rds" in finding.remedy) is (state == "advice")


def test_without_a_cluster_there_is_nothing_to_say() -> None:
    """Before the first deployment."""
    assert found(refusal("DBClusterNotFoundFault")) == []


def test_another_fault_is_the_caller_s() -> None:
    """The doctor says what can't be examined."""
    with pytest.raises(Exception, match="AccessDenied"):
        found(refusal("AccessDenied"))
