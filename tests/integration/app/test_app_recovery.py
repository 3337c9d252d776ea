"""The application and a real pair of PostgreSQL servers through a change of the writer: schema,
epoch, probe, events, durability, connections."""

from __future__ import annotations

import json
import re
import signal
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from application_client import until
from application_process import (
    DATABASE,
    ROOT,
    Application,
    CallError,
    as_user,
    everywhere,
    new_server,
    running,
)

from lab.database.postgres import PostgresServer
from lab.database.postgres_settings import Upstream
from lab.database.replication import create_standby, promote

SCHEDULE = {"source": "warm-standby.schedule", "detail-type": "outbox.drain"}
RECORD = {"patientId": "patient-1", "type": "note", "data": {"text": "stable"}}
OWN, PEER = "/warm-standby/us-east-1/test/shared/epoch", "/warm-standby/us-west-2/test/shared/epoch"
EPOCHS = {"EPOCH_PARAMETER": OWN, "PEER_EPOCH_PARAMETER": PEER, "PEER_REGION": "us-west-2"}


@dataclass
class Pair:
    """A primary in us-east-1 and a standby in us-west-2 that follows it."""

    east: PostgresServer
    west: PostgresServer

    @property
    def servers(self) -> dict[str, int]:
        """The endpoints' ports while us-east-1 writes."""
        return everywhere(self.east) | {
            "cluster-us-west-2": self.west.port,
            "reader-us-west-2": self.west.port,
        }

    def cut(self, *, cut: bool) -> None:
        """Stops or resumes the replication, and waits until it did."""
        self.west.settings.upstream = Upstream(self.east.port, "west", cut=cut)
        self.west.apply()
        receives = "SELECT count(*) = %s FROM pg_stat_wal_receiver"
        assert until(lambda: self.west.value(receives, 0 if cut else 1))


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Both servers, with the schema."""
    directory = tmp_path_factory.mktemp("recovery")
    east = new_server(directory)
    west = PostgresServer(directory / "west", east.admin_password, "16.8", "west")
    try:
        with running("us-east-1", everywhere(east)) as application:
            application.call("migrate")
        create_standby(east, west, "west")
        yield Pair(east, west)
    finally:
        east.destroy()
        west.destroy()


@pytest.fixture
def clean(pair: Pair) -> Pair:
    """The pair without rows, in epoch 1."""
    with pair.east.connect(DATABASE) as connection:
        connection.execute(
            "TRUNCATE public.records, public.outbox, public.receipts, public.heartbeats,"
            " public.republications, recovery.epochs"
        )
        connection.execute("UPDATE recovery.epoch SET epoch = 1")
    return pair


def post(application: Application, **headers: str) -> Any:
    """Stores a record."""
    return application.ask("/records", RECORD, idempotency_key=uuid.uuid4().hex, **headers)


def one(server: PostgresServer, query: Any, *parameters: object) -> Any:
    """The first column of a query's first row, in the application's database."""
    with server.connect(DATABASE) as connection:
        row = connection.execute(query, parameters or None).fetchone()
        assert row is not None
        return row[0]


# -- schema and epoch ------------------------------------------------------------------------------


def test_the_schema_of_before_is_brought_up_with_its_rows(tmp_path: Path) -> None:
    """R9.3: the later steps over rows of step 1 keep them all, in the order of their numbers; a
    second migration applies nothing, and without pg_cron none of it fails."""
    server = new_server(tmp_path)
    try:
        source = (ROOT / "lambda_src/api/src/schema.mjs").read_text()
        first = source.split("version: 2")[0]
        statements = re.findall(r"`(CREATE[^`]+)`|\"(CREATE INDEX[^\"]+)\"", first)
        with server.connect(DATABASE) as connection:
            connection.execute("SET ROLE clinic")
            for pair in statements:
                connection.execute("".join(pair))  # pyright: ignore[reportArgumentType, reportCallIssue]
            connection.execute("CREATE TABLE public.schema_versions (version integer PRIMARY KEY)")
            connection.execute("INSERT INTO public.schema_versions VALUES (1)")
            connection.execute("INSERT INTO public.heartbeats (region) VALUES ('us-east-1')")
            connection.execute(
                "INSERT INTO public.records (id, idempotency_key, request_hash, event_id,"
                " patient_id, type, data, region) SELECT gen_random_uuid(), n::text, 'h',"
                " gen_random_uuid(), 'p', 'note', '{}', 'r' FROM generate_series(1, 5) AS n"
            )
        with running("us-east-1", everywhere(server)) as application:
            done = application.call("migrate")
            assert (done["applied"], done["version"]) == ([2, 3, 4], 4)
            assert done["heartbeat"] == "absent"
            assert application.call("migrate")["applied"] == []
            page = application.ask("/records").json
        assert [record["sequence"] for record in page["records"]] == ["1", "2", "3", "4", "5"]
        assert page["cursor"] == "1.5"
        assert one(server, "SELECT source FROM public.heartbeats") == "us-east-1"
    finally:
        server.destroy()


def test_the_application_reads_the_epoch_and_grows_it_by_one_function_alone(clean: Pair) -> None:
    """H26, least privilege: no other way to change it; it never goes back, repeats change nothing,
    and a leap is refused."""
    with as_user(clean.east) as connection:
        for statement in (
            "UPDATE recovery.epoch SET epoch = 9",
            "INSERT INTO recovery.epochs (epoch, promoted_at, last_sequence) VALUES (9, now(), 0)",
            "DELETE FROM recovery.epochs",
            "DELETE FROM public.records",
            "UPDATE public.receipts SET region = 'x'",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)
    with running("us-east-1", clean.servers) as application:
        grow = {"action": "grow_epoch"}
        assert application.call("probe", grow | {"epoch": 2}) == {"epoch": 2}
        assert application.call("probe", grow | {"epoch": 2}) == {"epoch": 2}
        assert application.call("probe", grow | {"epoch": 1}) == {"epoch": 2}
        with pytest.raises(CallError, match="epoch 19 can't follow 2"):
            application.call("probe", grow | {"epoch": 19})
        assert application.call("probe", grow | {"epoch": 18}) == {"epoch": 18}
    assert one(clean.east, "SELECT array_agg(epoch ORDER BY epoch) FROM recovery.epochs") == [2, 18]


@pytest.mark.parametrize("parameter", [OWN, PEER])
def test_no_write_lands_on_a_writer_of_an_older_epoch(clean: Pair, parameter: str) -> None:
    """H26: either region's parameter alone holds writes, receipts and beats off the demoted
    volume; the other unreadable, the last known counts; once the epoch is there, they land. While
    neither can be read a cold instance writes nothing."""
    with running("us-east-1", clean.servers, **EPOCHS) as application:
        unknown = post(application)
        assert (unknown.status, unknown.json["error"]["code"]) == (503, "epoch_unknown")
        assert application.call("handle", SCHEDULE)["waitsFor"] == "epoch_unknown"
        application.call("set", {"parameters": {parameter: "1"}})
        assert until(lambda: post(application).status == 201)
    with running("us-east-1", clean.servers, **EPOCHS) as application:
        application.call("set", {"parameters": {parameter: "2"}})
        refused = post(application)
        assert (refused.status, refused.json["error"]["code"]) == (503, "writer_demoted")
        assert refused.headers["retry-after"] == "5"
        assert application.call("handle", SCHEDULE)["waitsFor"] == "demoted"
        batch = application.call("handle", {"Records": [message("m", "event-1")]})
        assert batch == {"batchItemFailures": [{"itemIdentifier": "m"}]}
        # Nothing more can be read; what was read holds.
        application.call("set", {"parameters": {}})
        assert post(application).status == 503
        assert one(clean.east, "SELECT count(*) FROM public.records") == 1
        assert one(clean.east, "SELECT count(*) FROM public.heartbeats") == 0
        assert one(clean.east, "SELECT count(*) FROM public.receipts") == 0
        application.call("probe", {"action": "grow_epoch", "epoch": 2})
        assert post(application).status == 201


# -- probe -----------------------------------------------------------------------------------------


def test_the_probe_sees_a_living_pair_and_each_of_its_ends(clean: Pair) -> None:
    """H7: alive only by a committed row; roles of both clusters; each commit changes the LSN that
    the standby's reader shows, and the heartbeat is the database's own."""
    with running("us-west-2", clean.servers) as application:
        first = application.call("probe", {})
        values = {part: first[part]["value"] for part in first if isinstance(first[part], dict)}
        assert values == dict.fromkeys(
            ("writer_sql", "own_cluster", "peer_cluster", "own_reader"), "alive"
        )
        assert (first["own_cluster"]["writes"], first["peer_cluster"]["writes"]) == (False, True)
        assert first["own_reader"]["heartbeat_at"] is None
        committed = "SELECT beat_at::text FROM public.heartbeats WHERE source = 'probe:us-west-2'"
        assert one(clean.east, committed)
        with clean.east.connect(DATABASE) as connection:
            connection.execute("INSERT INTO public.heartbeats (source) VALUES ('database')")

        def heartbeat_arrived() -> Any:
            seen = application.call("probe", {})
            return seen if seen["own_reader"]["heartbeat_at"] else None

        second = until(heartbeat_arrived)
        assert int(second["own_reader"]["primary_lsn"]) > int(first["own_reader"]["primary_lsn"])
        assert second["own_reader"]["newest_record"] is None
        assert second["own_reader"]["epoch"] == 1


def test_the_probe_distinguishes_a_dead_writer_from_a_refusing_one(clean: Pair) -> None:
    """H3, H28: no server is dead; a server without a connection left, or with another password,
    is unknown."""
    nobody = clean.servers | {"writer": 1, "cluster-us-east-1": 1}
    with running("us-west-2", nobody) as application:
        seen = application.call("probe", {})
        assert (seen["writer_sql"]["value"], seen["peer_cluster"]["value"]) == ("dead", "dead")
        assert seen["own_reader"]["value"] == "alive"
    with clean.east.connect() as connection:
        connection.execute("ALTER ROLE api CONNECTION LIMIT 0")
    try:
        with running("us-west-2", clean.servers) as application:
            seen = application.call("probe", {})["writer_sql"]
            assert (seen["value"], seen["tries"][0]["reason"]) == (
                "unknown",
                "connections_exhausted",
            )
            parts = application.ask("/ready").json["parts"]
            assert parts["writer"] == {"ready": False, "reason": "connections_exhausted"}
    finally:
        with clean.east.connect() as connection:
            connection.execute("ALTER ROLE api CONNECTION LIMIT -1")
    with clean.east.connect() as connection:
        connection.execute("ALTER ROLE api NOLOGIN")
    try:
        with running("us-west-2", clean.servers) as application:
            seen = application.call("probe", {})["writer_sql"]
            assert (seen["value"], seen["tries"][0]["reason"]) == ("unknown", "credentials_refused")
            parts = application.ask("/ready").json["parts"]
            assert parts["writer"] == {"ready": False, "reason": "credentials_refused"}
    finally:
        with clean.east.connect() as connection:
            connection.execute("ALTER ROLE api LOGIN")


def test_a_promotion_is_verified_by_the_row_that_it_wrote(clean: Pair) -> None:
    """H22: us-east-1 writes and the global endpoint leads there; us-west-2's own cluster only
    reads, and an endpoint that leads to the standby is no writer's."""
    with running("us-east-1", clean.servers) as application:
        assert application.call("probe", {"action": "verify"}) == {
            "wrote": True, "endpoint": "us-east-1", "detail": "",
        }  # fmt: skip
    with running("us-west-2", clean.servers) as application:
        seen = application.call("probe", {"action": "verify"})
        assert seen == {"wrote": False, "endpoint": "", "detail": "own cluster: read_only"}
    late = clean.servers | {"writer": clean.west.port}
    with running("us-east-1", late) as application:
        seen = application.call("probe", {"action": "verify"})
        assert (seen["wrote"], seen["endpoint"]) == (True, "")


# -- events ----------------------------------------------------------------------------------------


def message(identifier: str, key: str, kind: str = "record.created", **detail: str) -> Any:
    """A queue's message with an event of the application."""
    event = {
        "source": "warm-standby.app",
        "detail-type": kind,
        "detail": {"eventId": key} | detail,
    }
    return {"messageId": identifier, "eventSource": "aws:sqs", "body": json.dumps(event)}


def test_a_batch_with_repetitions_leaves_one_receipt_each(clean: Pair) -> None:
    """Traps 27, 57: twice in a batch and again in the next is once in the table; what isn't ours
    is named."""
    with running("us-east-1", clean.servers) as application:
        records = [message("1", "a"), message("2", "a"), message("3", "b")]
        foreign = {"messageId": "4", "eventSource": "aws:sqs", "body": "{}"}
        for _ in range(2):
            answer = application.call("handle", {"Records": [*records, foreign]})
            assert answer == {"batchItemFailures": [{"itemIdentifier": "4"}]}
        assert one(clean.east, "SELECT count(*) FROM public.receipts") == 2


def test_a_withdrawn_event_is_seen_as_such_in_whatever_order_both_come(clean: Pair) -> None:
    """RECOVERY 5: ``record.withdrawn`` before or after what it withdraws, once or twice."""
    with running("us-east-1", clean.servers) as application:
        withdrawal = {"kind": "record.withdrawn"}
        application.call("handle", {"Records": [message("1", "early"), message("2", "kept")]})
        batch = [
            message("3", "w1", **withdrawal, withdraws="early"),
            message("4", "w2", **withdrawal, withdraws="late"),
            message("5", "w3", **withdrawal, withdraws="late"),
        ]
        for _ in range(2):
            assert application.call("handle", {"Records": batch}) == {"batchItemFailures": []}
        application.call("handle", {"Records": [message("6", "late")]})
        for key, withdrawn in (("early", True), ("late", True), ("kept", False), ("w1", False)):
            (receipt,) = application.ask(f"/receipts?key={key}").json["receipts"]
            assert ("withdrawnAt" in receipt) is withdrawn, key


def test_events_of_before_the_promotion_reach_the_survivor_once(clean: Pair) -> None:
    """Trap 58: what the lost region published and this one holds no receipt for is published anew,
    two minutes after the promotion, and not again in the next minute; what it has is left alone."""
    with running("us-east-1", clean.servers) as east:
        keys = [post(east).json["eventId"] for _ in range(12)]
        assert {entry["detail"]["eventId"] for entry in east.call("published")} == set(keys)
    with running("us-west-2", clean.servers) as west:
        west.call("handle", {"Records": [message("m", key) for key in keys[:2]]})
        answer = west.call("handle", SCHEDULE)
        assert (answer["republished"], answer["waiting"]) == (0, 10)
        # By the writer's own region: the probe asks its own cluster.
        with running("us-east-1", clean.servers) as east:
            east.call("probe", {"action": "grow_epoch", "epoch": 2})
        assert west.call("handle", SCHEDULE)["republished"] == 0
        with clean.east.connect(DATABASE) as connection:
            connection.execute(
                "UPDATE recovery.epochs SET grown_at = grown_at - interval '2 minutes'"
            )
            connection.execute(
                "UPDATE public.outbox SET published_at = published_at - interval '5 minutes'"
            )
        answer = west.call("handle", SCHEDULE)
        assert answer["republished"] == 10
        # Those without a receipt are five minutes late and count until they have one.
        assert answer["propagationMs"] > 290_000
        again = west.call("published")
        assert {entry["detail"]["eventId"] for entry in again} == set(keys[2:])
        assert {entry["detail"]["publishedBy"] for entry in again} == {"us-west-2"}
        assert west.call("handle", SCHEDULE)["republished"] == 0
        with clean.east.connect(DATABASE) as connection:
            connection.execute(
                "UPDATE public.republications SET published_at = published_at - interval '1 hour'"
            )
        west.call("handle", {"Records": [message("m", key) for key in keys[2:11]]})
        answer = west.call("handle", SCHEDULE)
        assert (answer["republished"], answer["waiting"]) == (1, 1)
        # An event that the present writer published travels by itself.
        post(west)
        west.call("published")
        assert west.call("handle", SCHEDULE)["republished"] == 0
        # Once all are there, their lateness is forgotten after five minutes.
        west.call("handle", {"Records": [message("m", key) for key in keys]})
        assert west.call("handle", SCHEDULE)["propagationMs"] > 290_000
        with clean.east.connect(DATABASE) as connection:
            connection.execute(
                "UPDATE public.receipts SET received_at = received_at - interval '6 minutes'"
            )
        assert west.call("handle", SCHEDULE)["propagationMs"] < 60_000


# -- durability, connections -----------------------------------------------------------------------


def test_a_two_region_write_is_answered_when_both_regions_show_it(clean: Pair) -> None:
    """names.md: ``Durability: two-region`` is 201 with the standby following, and with its
    replication cut 503 with what was reached; repeated later it is the same record."""
    peer = {"DATABASE_PEER_READER_ENDPOINT": "reader-us-west-2"}
    with running("us-east-1", clean.servers, **peer) as application:
        reached = post(application, durability="two-region")
        assert (reached.status, reached.headers["durability"]) == (201, "two-region")
        assert one(
            clean.west, "SELECT count(*) FROM public.records WHERE id = %s", reached.json["id"]
        )
        clean.cut(cut=True)
        try:
            application.call("set", {"milliseconds": 3_000})
            key = uuid.uuid4().hex
            headers = {"idempotency_key": key, "durability": "two-region"}
            refused = application.ask("/records", RECORD, **headers)
            assert (refused.status, refused.headers["durability"]) == (503, "one-region")
            assert refused.json["error"]["code"] == "durability_not_reached"
            assert post(application).headers["durability"] == "one-region"
        finally:
            clean.cut(cut=False)
        application.call("set", {"milliseconds": 11_000})
        again = application.ask("/records", RECORD, **headers)
        assert (again.status, again.headers["durability"]) == (201, "two-region")
        assert again.headers["idempotency-replayed"] == "true"


SESSIONS = """SELECT count(*) FROM pg_stat_activity
  WHERE application_name = 'warm-standby-api' AND datname = 'app'"""


def test_a_function_holds_two_connections_where_one_server_is_writer_and_reader(
    clean: Pair,
) -> None:
    """Trap 60: what docs/connections.md counts is what ``pg_stat_activity`` shows, also right after
    ``/ready``, whose third connection is closed."""
    with running("us-east-1", clean.servers) as application:
        assert post(application).status == 201
        assert one(clean.east, SESSIONS) == 1
        assert application.ask("/records").status == 200
        assert application.ask("/ready").status == 200
        assert until(lambda: one(clean.east, SESSIONS) == 2)
    assert until(lambda: one(clean.east, SESSIONS) == 0)


def test_a_session_that_the_server_ended_for_idleness_costs_no_request(clean: Pair) -> None:
    """Trap 60: the server ends the idle session (57P05) while the function stands still; the next
    request finds it out on the dead socket and succeeds on a new one."""
    with running("us-east-1", clean.servers, IDLE_MILLISECONDS="300") as application:
        assert post(application).status == 201
        # As Lambda freezes a function, its socket open.
        application.process.send_signal(signal.SIGSTOP)
        assert until(lambda: one(clean.east, SESSIONS) == 0)
        application.process.send_signal(signal.SIGCONT)
        assert post(application).status == 201


def test_a_dead_writer_is_503_at_once_and_a_promoted_one_is_found(tmp_path: Path) -> None:
    """H27: with the writer gone, requests after the first take less than 50 ms; ``/health`` is 200
    all the time; the promoted standby takes writes within seconds of its promotion."""
    east = new_server(tmp_path)
    west = PostgresServer(tmp_path / "west", east.admin_password, "16.8", "west")
    try:
        with running("us-west-2", everywhere(east)) as application:
            application.call("migrate")
        create_standby(east, west, "west")
        servers = everywhere(west) | {"cluster-us-east-1": east.port}
        with running("us-west-2", servers | {"writer": east.port}) as application:
            assert post(application).status == 201
            east.kill()
            assert post(application).status == 503
            started = time.monotonic()
            quick = [post(application).status for _ in range(10)]
            elapsed = time.monotonic() - started
            assert quick == [503] * 10
            assert elapsed < 10 * 0.05
            assert application.ask("/health").status == 200
        promote(west)
        with running("us-west-2", servers | {"writer": west.port}) as application:
            assert post(application).status == 201
    finally:
        east.destroy()
        west.destroy()
