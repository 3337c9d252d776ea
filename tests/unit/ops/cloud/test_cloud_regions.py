"""Both regions as clients and AWS's APIs see them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, cast

import pytest
from fake_clients import FakeClients, refusal
from http_server import serving
from watched_driver import LAB

from ops.cloud import clients as aws
from ops.cloud import regions as status
from ops.cloud.clients import Clients
from ops.stack_file import parse

OUTPUTS = {
    "data.global_cluster_id": "aurora-global-dev",
    "data.primary.cluster_identifier": "one",
    "data.secondary.cluster_identifier": "two",
}


HEALTH = "/health"
MOODS = {
    ("well", HEALTH): (200, b'{"status": "healthy"}'),
    ("ill", HEALTH): (503, b"nonsense"),
    ("odd", HEALTH): (200, b"nonsense"),
}


@pytest.fixture
def endpoint() -> Iterator[str]:
    """The address of a load balancer of three moods, chosen by the Host header."""
    with serving(MOODS) as address:
        yield address


def test_health_is_what_the_load_balancer_answers(endpoint: str) -> None:
    """R2.3: healthy, refusing, or answering something else, each in a few words."""
    assert status.health("well", endpoint) == "200 healthy"
    assert status.health("ill", endpoint) == "answers 503"
    assert status.health("odd", endpoint) == "answers 200"
    assert status.health(None, endpoint) == "not deployed"


def test_health_on_aws_asks_the_load_balancer_itself() -> None:
    """Without a lab the load balancer's name is the address."""
    answers: dict[tuple[str, str], tuple[int, bytes]] = {}
    with serving(answers) as address:
        host = address.removeprefix("http://")
        answers[host, HEALTH] = MOODS["well", HEALTH]
        assert status.health(host, None) == "200 healthy"
    assert status.health("127.0.0.1:1", None) == "no answer (connection refused)"


def clusters(*members: tuple[str, bool]) -> dict[str, Any]:
    """A global cluster with these members."""
    return {
        "describe_global_clusters": {
            "GlobalClusters": [
                {
                    "Status": "available",
                    "GlobalClusterMembers": [
                        {"DBClusterArn": f"arn:aws:rds:r:1:cluster:{name}", "IsWriter": writer}
                        for name, writer in members
                    ],
                }
            ]
        }
    }


def test_who_writes_is_asked_in_each_region_itself() -> None:
    """Trap 9: membership and IsWriter are the truth, and the other region may be gone."""
    table = {
        ("rds", "us-east-1"): {"describe_global_clusters": refusal("ServiceUnavailable")},
        ("rds", "us-west-2"): clusters(("one", False), ("two", True)),
    }
    first, second = status.regions(OUTPUTS, cast(Clients, FakeClients(table)), "lab", None)
    assert first.database == "unknown (ServiceUnavailable)"
    assert second.database == "writer, available"
    assert (second.region, second.role, second.health) == (
        "us-west-2",
        "secondary",
        "not deployed",
    )
    assert second.as_dict()["database"] == "writer, available"
    assert (second.as_dict()["writes"], second.is_writer, second.answers) == (None, True, False)
    assert (first.replication_lag, second.replication_lag) == ("", "")
    assert str(second.events) == "unknown (not deployed)"


def test_a_region_counts_its_events() -> None:
    """Issue 17.8: dead letters are in the same table as who writes."""
    table = {
        ("rds", ""): clusters(("one", True), ("two", False)),
        ("cloudwatch", ""): {"get_metric_statistics": {"Datapoints": []}},
        ("sqs", ""): {
            "get_queue_url": {"QueueUrl": "u"},
            "get_queue_attributes": {"Attributes": {"ApproximateNumberOfMessages": "2"}},
        },
    }
    outputs = {**OUTPUTS, "global.primary.bus_name": "b", "global.secondary.bus_name": "b"}
    found = status.regions(outputs, cast(Clients, FakeClients(table)), "lab", None)
    assert [str(region.events) for region in found] == ["2 waiting, 6 dead letters"] * 2


def test_a_member_that_left_is_said_to_be_detached() -> None:
    """Trap 2: after an unplanned failover the old primary may stand alone."""
    clients = cast(Clients, FakeClients({("rds", ""): clusters(("two", True))}))
    assert status.database(OUTPUTS, "primary", clients, "us-east-1").startswith("detached")
    readers = cast(Clients, FakeClients({("rds", ""): clusters(("one", False))}))
    assert status.database(OUTPUTS, "primary", readers, "us-east-1") == "reader, available"


def lag_of(answer: Any) -> status.RegionStatus:
    """us-west-2 as the reader, with what CloudWatch answers there."""
    table = {
        ("rds", ""): clusters(("one", True), ("two", False)),
        ("cloudwatch", "us-west-2"): {"get_metric_statistics": answer},
    }
    return status.regions(OUTPUTS, cast(Clients, FakeClients(table)), "lab", None)[1]


def test_a_reader_s_lag_is_its_newest_figure() -> None:
    """N2: what would be lost if the writer died now; asked where the reader is."""
    asked: dict[str, Any] = {}

    def statistics(**given: Any) -> dict[str, Any]:
        asked.update(given)
        at = given["EndTime"]
        older = {"Timestamp": at - timedelta(minutes=2), "Maximum": 900.0}
        return {"Datapoints": [{"Timestamp": at, "Maximum": 12.4}, older]}

    assert lag_of(statistics).replication_lag == "12 ms"
    assert asked["Dimensions"] == [{"Name": "DBClusterIdentifier", "Value": "two"}]
    assert asked["MetricName"] == "AuroraGlobalDBReplicationLag"


def test_a_lag_that_isn_t_known_is_said_so() -> None:
    """No figure is no zero."""
    assert lag_of({"Datapoints": []}).replication_lag == "not reported for 10 min"
    assert lag_of(refusal()).replication_lag.startswith("unknown (")


def test_a_database_that_was_never_deployed_is_said_so() -> None:
    """No call is made for what isn't there."""
    assert status.database({}, "primary", cast(Clients, FakeClients({})), "x") == "not deployed"


def test_lab_clients_reach_the_lab_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """First light: with a profile, credentials and proxies in the environment, clients of the lab
    use none of them."""
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "real")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:8080")
    clients = Clients(parse("lab", LAB), "http://127.0.0.1:1")
    made = clients.get("s3", "us-west-2")
    assert made.meta.endpoint_url == "http://127.0.0.1:1"
    assert made.meta.region_name == "us-west-2"
    assert made.meta.config.proxies == {}
    assert made._request_signer._credentials.access_key == "lab"
    assert clients.get("s3", "us-west-2") is made
    assert clients.regions == ("us-east-1", "us-west-2")


def test_clients_of_an_account_use_the_operator_s_credentials(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On AWS the usual chain of credentials counts."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "mine")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    made = aws.Clients(parse("dev", LAB)).get("rds", "us-west-2")
    assert made.meta.endpoint_url == "https://rds.us-west-2.amazonaws.com"
    assert made._request_signer._credentials.access_key == "mine"
