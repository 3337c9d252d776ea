"""What is asked of a region that may be lost: short answers, never a traceback."""

from __future__ import annotations

import json
import socket
import threading
import urllib.error
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)
from dnslib import RR, DNSRecord
from fake_clients import FakeClients, refusal
from http_server import serving
from watched_driver import LAB

from lab.certificates import CertificateAuthority, server_context
from lab.dns.load_balancers import LoadBalancer
from ops.cloud import alarms, queues, readiness, switch, traffic, web
from ops.cloud.answers import reason
from ops.cloud.clients import IMPATIENT_SECONDS, PROBE_SECONDS, Clients
from ops.cloud.readiness import Readiness
from ops.cloud.traffic import Traffic
from ops.stack_file import parse

EAST, WEST = "us-east-1", "us-west-2"
URL = "https://x"


def clients(table: dict[tuple[str, str], dict[str, Any]]) -> Clients:
    return cast(Clients, FakeClients(table))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (refusal("Throttling"), "Throttling"),
        (EndpointConnectionError(endpoint_url=URL), "no connection"),
        (ConnectTimeoutError(endpoint_url=URL), "no answer in time"),
        (ReadTimeoutError(endpoint_url=URL), "no answer in time"),
        (TimeoutError("timed out"), "no answer in time"),
        (NoCredentialsError(), "NoCredentialsError"),
        (urllib.error.URLError(ConnectionRefusedError(111, "Connection refused")),
         "connection refused"),
        (urllib.error.URLError("unknown url type: x"), "<urlopen error unknown url type"),
        (ValueError("a\n b\nc: d"), "a b c"),
        (ValueError(), "ValueError"),
    ],
)  # fmt: skip
def test_a_cell_holds_a_few_words(error: Exception, words: str) -> None:
    """Issue 17.8: no cell holds a library's three-line message."""
    assert reason(error) == words


def test_who_only_looks_does_not_hang_on_a_lost_region() -> None:
    """Issue 17.8: short waits and one retry, where a deployment has five and a minute each."""
    file = parse("lab", LAB)
    looking = Clients(file, "http://127.0.0.1:1", impatient=True).get("ssm", WEST).meta.config
    assert (looking.connect_timeout, looking.read_timeout) == (IMPATIENT_SECONDS,) * 2
    assert looking.retries["total_max_attempts"] == 2
    working = Clients(file, "http://127.0.0.1:1").get("ssm", WEST).meta.config
    assert working.read_timeout > 30
    acting = Clients(file, "http://127.0.0.1:1", once=True).get("rds", WEST).meta.config
    assert acting.retries["total_max_attempts"] == 1, "a retried call would be a second one (H11)"
    assert (acting.connect_timeout, acting.read_timeout) == (IMPATIENT_SECONDS, PROBE_SECONDS)


# -- /ready ----------------------------------------------------------------------------------------

TOKEN = {("secretsmanager", ""): {"get_secret_value": {"SecretString": "open"}}}
NO_TOKEN = {("secretsmanager", ""): {"get_secret_value": refusal("ResourceNotFoundException")}}
UNREADABLE = {("secretsmanager", ""): {"get_secret_value": refusal("AccessDeniedException")}}


def parts(**writer: Any) -> bytes:
    found = {"writer": {"ready": False, **writer}, "bus": {"ready": True}, "odd": 1}
    return json.dumps({"parts": found}).encode()


@pytest.mark.parametrize(
    ("status", "body", "table", "text", "writes"),
    [
        (200, parts(ready=True), TOKEN, "ready", True),
        (503, parts(reason="unreachable"), TOKEN, "not ready: writer unreachable", False),
        (503, parts(), NO_TOKEN, "not ready: writer failed", False),
        (404, b"{}", TOKEN, "unknown (the token was refused)", None),
        (404, b"{}", NO_TOKEN, "unknown (no token is deployed)", None),
        (404, b"{}", UNREADABLE, "unknown (the token can't be read: AccessDeniedException)", None),
        (502, b"<html>", TOKEN, "unknown (answers 502)", None),
        (503, b"[]", TOKEN, "unknown (answers 503)", None),
    ],
)
def test_what_ready_says_of_the_writer(
    status: int, body: bytes, table: Any, text: str, writes: bool | None
) -> None:
    """Issue 17.8, trap 64: with the token of the region's own secret, and where there is none the
    answer says so; whatever isn't the application's answer says nothing of the writer."""
    seen: list[Mapping[str, str]] = []
    with serving({("alb", "/ready"): (status, body)}, seen) as endpoint:
        found = readiness.readiness("alb", clients(table), WEST, "lab", endpoint)
    assert (str(found), found.writes) == (text, writes)
    assert seen[0].get("X-Readiness-Token") == ("open" if table is TOKEN else None)


def test_the_token_is_found_by_its_name_in_the_region_that_is_asked() -> None:
    """Trap 10: a replica has the primary's name, so us-west-2's is read with us-east-1 lost."""
    asked: list[str] = []

    def value(SecretId: str) -> dict[str, str]:  # noqa: N803
        asked.append(SecretId)
        return {"SecretString": "t"}

    table = {("secretsmanager", WEST): {"get_secret_value": value}}
    readiness.readiness("127.0.0.1:1", clients(table), WEST, "lab", None)
    assert asked == ["secret-readiness-token-us-east-1-lab"]


def test_nothing_is_asked_of_what_is_not_deployed_and_no_answer_is_not_known() -> None:
    """Issue 17.8: unknown is neither good nor bad."""
    assert (
        str(readiness.readiness(None, clients({}), EAST, "lab", None)) == "unknown (not deployed)"
    )
    nobody = readiness.readiness("127.0.0.1:1", clients(TOKEN), EAST, "lab", None)
    assert (str(nobody), nobody.writes) == ("unknown (connection refused)", None)
    assert Readiness().writes is None


def test_bodies_that_are_no_objects_are_empty() -> None:
    """Issue 17.8: a page of a proxy is no answer of ours."""
    answers = {("a", "/x"): (200, b"[1]"), ("b", "/x"): (200, b"<html>")}
    with serving(answers) as endpoint:
        assert web.get("a", "/x", endpoint) == web.Answer(200, {})
        assert web.get("b", "/x", endpoint) == web.Answer(200, {})


def test_the_token_goes_over_tls_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Issue 17.8, trap 64: where port 80 redirects, the HTTPS listener is asked, under the name on
    its certificate; a redirect isn't followed, so the token never leaves in the clear."""
    authority = CertificateAuthority(tmp_path)
    tls = server_context()
    authority.load_into(tls, ["app.example"], datetime.now(UTC))
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate_path))
    seen: list[Mapping[str, str]] = []
    answers = {("app.example", "/ready"): (200, parts(ready=True)), ("alb", "/x"): (301, b"")}
    with serving(answers, seen, tls) as address:
        host = address.removeprefix("http://")
        found = readiness.readiness(host, clients(TOKEN), WEST, "lab", None, "app.example")
        other = readiness.readiness(host, clients(TOKEN), WEST, "lab", None, "app.other")
    assert (str(found), len(seen)) == ("ready", 1)
    assert other.status == 0
    assert other.detail == "certificate refused: hostname mismatch"
    with serving(answers) as endpoint:
        assert web.get("alb", "/x", endpoint) == web.Answer(301, {})


def test_in_the_lab_one_port_stands_for_all_listeners() -> None:
    """Issue 17.8: with certificates the lab is asked for the listener on 443."""
    with serving({("alb:443", "/ready"): (200, parts(ready=True))}) as endpoint:
        found = readiness.readiness("alb", clients(TOKEN), WEST, "lab", endpoint, "app.example")
    assert str(found) == "ready"


# -- alarms, queues, switch ------------------------------------------------------------------------


def alarm(name: str, state: str, minute: int, **more: Any) -> dict[str, Any]:
    at = datetime(2026, 1, 2, 3, minute, tzinfo=UTC)
    return {"AlarmName": name, "StateValue": state, "StateUpdatedTimestamp": at, **more}


def test_alarms_that_are_not_well_each_region_by_itself() -> None:
    """Issue 17.8: red and without data, since when; no other environment's, and a region that
    doesn't answer hides nothing of the other."""
    page = {
        "MetricAlarms": [
            alarm("alarm-rds-cpu-us-west-2-lab", "INSUFFICIENT_DATA", 9),
            alarm("alarm-target-5xx-us-west-2-lab", "OK", 1),
            alarm("alarm-heartbeat-us-west-2-other-lab2", "ALARM", 1),
        ],
        "CompositeAlarms": [
            alarm("alarm-primary-impaired-us-west-2-lab", "ALARM", 5, AlarmDescription="lost",
                  StateTransitionedTimestamp=datetime(2026, 1, 2, 3, 4, tzinfo=UTC)),
        ],
    }  # fmt: skip
    table = {
        ("cloudwatch", EAST): {"describe_alarms": refusal("ServiceUnavailable")},
        ("cloudwatch", WEST): {"describe_alarms": page},
    }
    east, west = alarms.alarms(clients(table), "lab")
    assert (east.unknown, east.alarms) == ("ServiceUnavailable", ())
    assert [(one.purpose, one.is_red, one.since.minute) for one in west.alarms] == [
        ("primary-impaired", True, 4),
        ("rds-cpu", False, 9),
    ]
    assert (west.unknown, west.alarms[0].description) == ("", "lost")


def test_events_that_wait_and_those_that_nobody_delivers() -> None:
    """Trap 57: what the function will take once the writer is there, and what a person must."""
    depths = {"queue-consume-us-west-2-lab": (3, 4), "queue-failed-events-us-west-2-lab": (1, 0)}

    def attributes(QueueUrl: str, **_: Any) -> dict[str, Any]:  # noqa: N803
        visible, hidden = depths.get(QueueUrl, (0, 0))
        found = dict(zip(queues.COUNTED, (str(visible), str(hidden)), strict=True))
        return {"Attributes": found}

    table = {
        ("sqs", WEST): {
            "get_queue_url": lambda QueueName: {"QueueUrl": QueueName},  # noqa: N803
            "get_queue_attributes": attributes,
        },
        ("sqs", EAST): {"get_queue_url": refusal("AWS.SimpleQueueService.NonExistentQueue")},
    }
    assert str(queues.events(clients(table), WEST, "lab")) == "7 waiting, 1 dead letters"
    lost = queues.events(clients(table), EAST, "lab")
    assert str(lost) == "unknown (AWS.SimpleQueueService.NonExistentQueue)"


def test_a_queue_s_address_is_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Issue 21: who looks all the time pays for the depth alone; a refusal is asked again."""
    made = Clients(parse("lab", LAB), "http://127.0.0.1:1")
    answers = iter([refusal(), {"QueueUrl": "u"}])
    fake = FakeClients({("sqs", WEST): {"get_queue_url": lambda **_: next(answers)}})
    monkeypatch.setattr(made, "get", fake.get)
    with pytest.raises(ClientError):
        made.queue_url(WEST, "q")
    assert [made.queue_url(WEST, "q") for _ in range(3)] == ["u"] * 3


def test_the_switch_is_read_where_it_is_kept() -> None:
    """Trap 12: a parameter of us-west-2, with nothing of us-east-1."""
    asked: list[str] = []

    def read(Name: str) -> dict[str, Any]:  # noqa: N803
        asked.append(Name)
        return {"Parameter": {"Value": "engaged"}}

    assert switch.switch(clients({("ssm", WEST): {"get_parameter": read}}), "lab") == "engaged"
    assert asked == ["/warm-standby/us-west-2/lab/local/failover-switch"]
    gone = clients({("ssm", WEST): {"get_parameter": refusal("ParameterNotFound")}})
    assert switch.switch(gone, "lab") == "unknown (ParameterNotFound)"


# -- DNS -------------------------------------------------------------------------------------------

BALANCERS = {EAST: "east.elb", WEST: "west.elb"}


@pytest.fixture
def name_server() -> Iterator[tuple[list[str], tuple[str, int]]]:
    """Records that it answers, and its address."""
    records: list[str] = []
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))

    def work() -> None:
        while True:
            packet, sender = server.recvfrom(512)
            if not packet:
                return
            reply = DNSRecord.parse(packet).reply()
            for record in records:
                reply.add_answer(*RR.fromZone(record))
            server.sendto(reply.pack(), sender)

    thread = threading.Thread(target=work)
    thread.start()
    yield records, server.getsockname()
    server.sendto(b"", server.getsockname())
    thread.join()
    server.close()


def addresses(region: str, balancer: str) -> frozenset[str]:
    return frozenset({{"east.elb": "10.0.0.1", "west.elb": "10.0.0.2"}[balancer]})


def test_where_dns_points_and_for_how_long(
    name_server: tuple[list[str], tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Issue 17.8: asked of the zone's own servers, the second when the first is silent; clients
    keep an answer for its TTL."""
    monkeypatch.setattr(traffic, "SECONDS", 0.2)
    records, server = name_server
    records[:] = ["app.x. 60 IN A 10.0.0.2"]
    silent = ("127.0.0.1", 1)
    found = traffic.traffic("app.x", [silent, server], BALANCERS, addresses)
    assert found == Traffic(WEST, 60)
    assert str(found) == "us-west-2; a client keeps the answer for 60 s"
    records[:] = ["app.x. 60 IN A 10.9.9.9"]
    elsewhere = traffic.traffic("app.x", [server], BALANCERS, addresses)
    assert str(elsewhere) == "unknown (app.x leads to 10.9.9.9)"
    records[:] = []
    nowhere = traffic.traffic("app.x", [server], BALANCERS, addresses)
    assert str(nowhere) == "unknown (app.x has no address)"
    unheard = traffic.traffic("app.x", [silent], BALANCERS, addresses)
    assert unheard.detail.startswith("127.0.0.1: ")
    assert traffic.traffic("app.x", [], BALANCERS, addresses).detail == "no name servers"


def test_a_stacks_servers_are_its_zones_or_the_labs(monkeypatch: pytest.MonkeyPatch) -> None:
    """On AWS the zone's own, at DNS's port; in the lab its one server, if it runs."""
    asked: list[Any] = []
    monkeypatch.setattr(traffic, "traffic", lambda *given: asked.append(given))
    traffic.leads_to("app.x", BALANCERS, ["ns-1"], None)
    traffic.leads_to("app.x", BALANCERS, [], "127.0.0.1:53")
    traffic.leads_to("app.x", BALANCERS, [], "")
    assert [(servers, how) for _, servers, _, how in asked] == [
        ([("ns-1", 53)], traffic.resolved),
        ([("127.0.0.1", 53)], traffic.in_the_lab),
        ([], traffic.in_the_lab),
    ]


def test_addresses_of_load_balancers() -> None:
    """On AWS by their names; in the lab by what its DNS puts in their place."""
    assert traffic.resolved(EAST, "localhost") == {"127.0.0.1"}
    assert traffic.resolved(EAST, "nobody.invalid") == frozenset()
    lab = LoadBalancer("alb.elb.amazonaws.com.", WEST, "", healthy=True)
    assert traffic.in_the_lab(WEST, "Alb.elb.amazonaws.com") == {lab.address}


def test_the_runbooks_rows_are_read_for_one_stack(tmp_path: Path) -> None:
    """Issue 17.8: an alarm's own line, with this stack's names in the commands."""
    from ops import runbook

    (tmp_path / "docs").mkdir()
    page = tmp_path / "docs" / "runbook.md"
    page.write_text(
        "# Runbook\n\n## Alarms\n\n| purpose | means | do |\n|---|---|---|\n"
        "| `rds-cpu` | busy | `./inv drift --stack ENV`, log of SUFFIX |\n\n## Failover\n"
        "| `other` | no | alarm |\n"
    )
    assert runbook.read(tmp_path, "prod", "p1") == {
        "rds-cpu": runbook.Line("busy", "`./inv drift --stack prod`, log of p1")
    }
    page.unlink()
    assert runbook.read(tmp_path, "prod", "p1") == {}
