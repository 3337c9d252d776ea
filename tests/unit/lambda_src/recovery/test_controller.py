"""The handler: what starts a run, what it knows, and its probes over HTTP and DNS."""

from __future__ import annotations

import errno
import http.client
import http.server
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
from controller_variables import VARIABLES

from recovery import aws, controller, http_get, probes, txt_query
from recovery.act import Run
from recovery.environment import Environment
from recovery.model import Mode, Settings, State
from recovery.observation import Event, Ready, Switch, Trigger, Value, Witness


@pytest.fixture
def _environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in {
        **VARIABLES,
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
    }.items():
        monkeypatch.setenv(name, value)
    cached = (
        controller._environment, aws.session, aws.client, controller._ports,
    )  # fmt: skip
    yield
    for function in cached:
        function.cache_clear()


def test_the_environment_is_read_whole() -> None:
    """Every variable has its place; the settings are the decision's."""
    found = Environment.of(VARIABLES)
    assert found.settings == Settings(
        region="us-west-2", peer="us-east-1", switch=Switch.ENGAGED, environment="prod",
        mode=Mode.NOTIFY, lag_limit_seconds=120, instances=2, accepted_by="A. Owner",
    )  # fmt: skip
    assert found.name_servers == ("ns-1.test", "ns-2.test", "ns-3.test")
    with pytest.raises(KeyError, match="WITNESS"):
        Environment.of({key: value for key, value in VARIABLES.items() if key != "WITNESS"})


@pytest.mark.parametrize(
    ("event", "minute", "trigger"),
    [
        (
            {"source": "aws.events", "time": "1970-01-01T01:00:59Z"},
            60, Trigger.SCHEDULE,
        ),
        ({}, 5, Trigger.MANUAL),
        ({"source": "aws.health", "time": "1970-01-01T01:00:59Z"}, 5, Trigger.MANUAL),
    ],
)  # fmt: skip
def test_only_the_schedules_event_counts_by_its_own_time(
    event: dict[str, Any], minute: int, trigger: Trigger
) -> None:
    """H31: the minute is the scheduled one, not that of the delivery."""
    with mock.patch("recovery.controller.time.time", return_value=300.0):
        assert controller.run_of(event, "id") == Run("id", minute, trigger)


@pytest.mark.usefixtures("_environment")
def test_the_handler_runs_with_everything_outside_in_place() -> None:
    """One run with the ports of this region, its id that of the request."""
    runs: list[Any] = []

    def run(ports: Any, settings: Settings, this: Run) -> str:
        runs.append((ports, settings, this))
        return "watching: the other region lives"

    with mock.patch("recovery.controller.run", run):
        line = controller.handler({}, SimpleNamespace(aws_request_id="request"))
        controller.handler({}, None)
    assert line == "watching: the other region lives"
    ports, settings, this = runs[0]
    assert (settings.region, this.id) == ("us-west-2", "request")
    assert runs[1][0] is ports
    assert runs[1][2].id not in ("", "request")
    assert ports.rds.peer_client.meta.region_name == "us-east-1"
    assert ports.parameters.peer_epoch.client.meta.region_name == "us-east-1"
    assert ports.rds.client.meta.config.retries["total_max_attempts"] == 1
    assert ports.clock.now() > 1e9
    assert ports.clock.monotonic() <= ports.clock.monotonic()


@pytest.mark.usefixtures("_environment")
def test_an_event_of_rds_is_stored_and_starts_no_run() -> None:
    """recovery.md 1.5: it counts in the next scheduled run."""
    with (
        mock.patch("recovery.controller.run", side_effect=AssertionError),
        mock.patch("recovery.controller.RecordedEvents.store", return_value=Event("E", 1)),
    ):
        assert controller.handler({"source": "aws.rds"}, None) == "stored E"


@contextmanager
def site(status: int, body: bytes = b"") -> Iterator[tuple[int, list[dict[str, str]]]]:
    """A web server on this machine; the port and the headers of each request."""
    asked: list[dict[str, str]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append({"path": self.path, **{k.lower(): v for k, v in self.headers.items()}})
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *_: Any) -> None:
            """Quiet."""

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port, asked
    server.shutdown()
    server.server_close()


def test_load_balancers_are_asked_by_their_names() -> None:
    """H27: any status of the own one is life, only 200 of the other's application."""
    with site(502, b"no") as (port, asked):
        assert probes.own_load_balancer(f"127.0.0.1:{port}").value is Value.ALIVE
        assert probes.peer_application(f"127.0.0.1:{port}").value is Value.DEAD
    assert [request["path"] for request in asked] == ["/health", "/health"]


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (200, {"parts": {"writer": {"ready": True}}}, Ready.READY),
        (503, {"parts": {"writer": {"ready": True}}}, Ready.READY),
        (503, {"parts": {"writer": {"ready": False, "reason": "unreachable"}}}, Ready.UNREACHABLE),
        (503, {"parts": {"writer": {"ready": False, "reason": "demoted"}}}, Ready.NO_ANSWER),
        (503, {"parts": {"writer": {"ready": False}}}, Ready.NO_ANSWER),
        (503, {"error": "x"}, Ready.NO_ANSWER),
        (404, {"error": "x"}, Ready.NO_ANSWER),
        (404, {"parts": {"writer": {"ready": True}}}, Ready.NO_ANSWER),
    ],
)
def test_ready_is_asked_with_the_token_for_its_writer_alone(
    status: int, body: dict[str, Any], said: Ready
) -> None:
    """H28: another part's fault is no word on the writer, a code that isn't known is none."""
    with site(status, json.dumps(body).encode()) as (port, asked):
        assert probes.peer_ready(f"127.0.0.1:{port}", "", "secret") is said
    assert asked[0]["x-readiness-token"] == "secret"


def test_a_site_that_is_gone_is_silent() -> None:
    """Nobody listens: refused, which a lost region looks like."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert http_get.get(f"127.0.0.1:{port}", "/") == http_get.Answered(None, "refused")
    assert probes.peer_application(f"127.0.0.1:{port}").value is Value.DEAD


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        (TimeoutError(), "timeout"),
        (ConnectionRefusedError(), "refused"),
        (ConnectionResetError(), "unreachable"),
        (http.client.RemoteDisconnected("closed"), "unreachable"),
        (OSError(errno.EHOSTUNREACH, "no route"), "unreachable"),
        (socket.gaierror(), "dns"),
        (ssl.SSLCertVerificationError(), "tls"),
        (OSError(errno.EMFILE, "too many"), "failed"),
        (http.client.BadStatusLine("x"), "failed"),
    ],
)
def test_silence_is_distinguished_from_faults_that_we_would_have_as_well(
    fault: Exception, word: str
) -> None:
    """H28: DNS, TLS and our own limits are no sign of a lost region."""
    assert http_get.fault_of(fault) == word


def test_over_tls_the_name_on_the_certificate_is_asked_for() -> None:
    """A load balancer's own name is on no certificate, the clients' name is."""
    context = mock.Mock()
    context.wrap_socket.side_effect = ssl.SSLError("refused")
    with (
        site(200) as (port, _),
        mock.patch("recovery.http_get.ssl.create_default_context", return_value=context),
    ):
        answer = http_get.get(f"127.0.0.1:{port}", "/ready", server_name="app.test")
    assert answer == http_get.Answered(None, "tls")
    assert context.wrap_socket.call_args.kwargs == {"server_hostname": "app.test"}
    assert http_get._connection("a.test", "app.test").port == 443


def test_two_of_the_name_servers_are_asked_by_address() -> None:
    """recovery.md 2: the zone's own servers; one that can't be resolved or asked is as none."""
    asked: list[tuple[str, int]] = []

    def ask(server: str, name: str, number: int, seconds: float, port: int) -> tuple[str, ...]:
        assert (name, 0 <= number < 2**16, seconds) == ("witness.app.test", True, 3.0)
        asked.append((server, port))
        if server == "127.0.0.2":
            raise txt_query.TxtError("silent")
        return ("secondary",)

    addresses = {"ns-1.test": "127.0.0.1", "ns-2.test": "127.0.0.2"}

    def getaddrinfo(host: str, port: int, *_: Any) -> list[Any]:
        if host not in addresses:
            raise socket.gaierror
        return [(socket.AF_INET, socket.SOCK_DGRAM, 17, "", (addresses[host], port))]

    with (
        mock.patch("recovery.probes.txt_query.ask", ask),
        mock.patch("recovery.probes.socket.getaddrinfo", getaddrinfo),
    ):
        servers = ("ns-1.test", "ns-2.test", "ns-3.test")
        assert probes.witness(servers, "witness.app.test") is Witness.SECONDARY
        assert asked == [("127.0.0.1", 53), ("127.0.0.2", 53)]
        assert probes.witness(("ns-9.test",), "witness.app.test") is Witness.UNKNOWN


@pytest.mark.usefixtures("_environment")
def test_an_observation_asks_everybody_once() -> None:
    """All thirteen probes of the region's own observer, each with what it must know."""
    observer: Any = controller._ports().observer
    reader = {
        "value": "alive", "tries": [], "now": "2026-01-02T03:04:05Z", "epoch": 1,
        "heartbeat_at": "2026-01-02T03:04:05Z", "newest_record": None, "primary_lsn": "5",
        "global_status": [],
    }  # fmt: skip
    silent = {"value": "dead", "tries": [{"reason": "unreachable"}] * 2}
    writes = {"value": "alive", "tries": [], "writes": True}
    answer = {
        "own_reader": reader, "writer_sql": silent, "own_cluster": writes, "peer_cluster": silent,
    }  # fmt: skip
    secret = {"SecretString": "token"}
    ready = json.dumps({"parts": {"writer": {"ready": False, "reason": "unreachable"}}}).encode()
    paths: list[tuple[str, str]] = []

    def get(host: str, path: str, headers: Any = None, server_name: str = "") -> Any:
        paths.append((host, path))
        if path == "/ready":
            assert (headers, server_name) == ({"x-readiness-token": "token"}, "app.test")
            return http_get.Answered(503, body=ready)
        return http_get.Answered(200)

    observed = SimpleNamespace(
        **{
            **vars(observer),
            "rds": mock.Mock(
                describe_db_clusters=lambda **_: {"DBClusters": [{"Status": "available"}]},
                describe_global_clusters=lambda **_: {"GlobalClusters": [{}]},
            ),
            "secrets": mock.Mock(get_secret_value=lambda **_: secret),
            "database": mock.Mock(observe=lambda: lambda: answer),
            "parameters": mock.Mock(position=lambda: Switch.RELEASED),
            "events": mock.Mock(recent=lambda minute: (Event("E", minute),)),
            "validations": mock.Mock(newest=lambda: None),
        }
    )
    with (
        mock.patch("recovery.probes.http_get.get", get),
        mock.patch("recovery.probes.witness", return_value=Witness.PRIMARY),
    ):
        seen = probes.RegionalObserver(**vars(observed)).observe(7, State())
    assert sorted(paths) == [
        ("east.elb", "/health"), ("east.elb", "/ready"), ("west.elb", "/health"),
    ]  # fmt: skip
    assert (seen.minute, seen.ready, seen.switch) == (7, Ready.UNREACHABLE, Switch.RELEASED)
    assert (seen.writer_sql.value, seen.old_writer.value) == (Value.DEAD, Value.DEAD)
    assert seen.own_writer.alive
    assert seen.reader is not None
    assert seen.reader.lsn == 5
    assert seen.own_cluster is not None
    assert seen.global_cluster is not None
    assert seen.events == (Event("E", 7),)
    assert seen.witness is Witness.PRIMARY
