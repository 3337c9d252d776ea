"""What an old volume held and the present writer doesn't, over PostgreSQL itself: found, replayed
or withdrawn, and what consumers are notified of."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from application_process import DATABASE, Application, everywhere, running
from feed_clients import with_schema

from lab.database.postgres import PostgresServer

OLD_VOLUME = "aurora-cluster-lost-tail-us-east-1-test.cluster-abc123.us-east-1.rds.amazonaws.com"
LONG_AGO = "2000-01-01T00:00:00Z"
NEWEST = str(2**63 - 1)
EVERYTHING = {"since": LONG_AGO, "epoch": 1}
COPY = """INSERT INTO public.records (id, idempotency_key, request_hash, event_id, patient_id, type,
    data, attachment, region)
  SELECT id, idempotency_key, request_hash, event_id, patient_id, type, data, attachment, region
  FROM jsonb_populate_record(NULL::public.records, %s)"""
ATTACHMENT = {"contentType": "text/plain", "content": "c2Nhbg=="}


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """The volume that was replaced."""
    server = with_schema(tmp_path_factory.mktemp("old"))
    try:
        yield server
    finally:
        server.destroy()


@pytest.fixture(scope="module")
def present(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """The promoted region's."""
    server = with_schema(tmp_path_factory.mktemp("present"))
    try:
        yield server
    finally:
        server.destroy()


def post(application: Application, key: str, text: str, **more: Any) -> dict[str, Any]:
    """Stores a record; returns it."""
    body = {"patientId": "p-1", "type": "note", "data": {"text": text}, **more}
    answer = application.ask("/records", body, idempotency_key=key)
    assert answer.status == 201, answer
    return answer.json


def replicated(old: PostgresServer, present: PostgresServer, ids: list[str]) -> None:
    """These records arrived before the loss, with their events."""
    with old.connect(DATABASE) as source, present.connect(DATABASE) as target:
        for record in source.execute(
            "SELECT to_jsonb(records) FROM public.records WHERE id::text = ANY(%s)", (ids,)
        ).fetchall():
            target.execute(COPY, (json.dumps(record[0]),))


def compared(application: Application, mode: str) -> dict[str, Any]:
    """The whole old volume, which is one page."""
    event = {"action": "compare_tail", "host": OLD_VOLUME, "before": NEWEST, "mode": mode}
    page = application.call("probe", event | EVERYTHING)
    assert page["next"] is None
    return page


def orphans(application: Application, *, withdraw: bool = False) -> list[str]:
    """Received events whose record is gone."""
    event = {"action": "find_orphans", "after": "", "withdraw": withdraw}
    return application.call("probe", event | EVERYTHING)["orphaned"]


def delivered(application: Application, *events: Any) -> None:
    """The region's queue delivers them."""
    records = [
        {
            "messageId": str(number),
            "eventSource": "aws:sqs",
            "body": json.dumps(
                {"source": "warm-standby.app", "detail-type": kind, "detail": detail}
            ),
        }
        for number, (kind, detail) in enumerate(events)
    ]
    assert application.call("handle", {"Records": records}) == {"batchItemFailures": []}


MANY = """INSERT INTO public.records
    (id, idempotency_key, request_hash, event_id, patient_id, type, data, attachment, region,
     created_at)
  SELECT gen_random_uuid(), 'key-' || n, 'hash', gen_random_uuid(), 'p-1', 'note', '{}',
    jsonb_build_object('key', 'attachments/' || n), 'us-east-1',
    CASE WHEN n <= 1000 THEN now() - interval '1 day' ELSE now() END
  FROM generate_series(%s::bigint, 1040) AS n"""
"""Records whose numbers grow by a digit on the way; those above 1,000 are young."""


def numbered(server: PostgresServer, first: int) -> None:
    """Stores these records, from that number on."""
    with server.connect(DATABASE) as connection:
        place = "pg_get_serial_sequence('public.records', 'sequence')"
        connection.execute(f"SELECT setval({place}, %s)", (first - 1,))
        connection.execute(MANY, (first,))


def test_the_newest_records_are_found_whatever_their_numbers_digits(tmp_path: Path) -> None:
    """N12, RECOVERY 5, issue 20: pages lead back by number, not by its text, in which 999 comes
    after 1,000: a drill's lost record was never compared, and the tail called reconciled."""
    old, present = with_schema(tmp_path / "old"), with_schema(tmp_path / "present")
    try:
        numbered(old, 700)
        numbered(present, 400)
        with present.connect(DATABASE) as connection:
            connection.execute("DELETE FROM public.records WHERE sequence BETWEEN 1021 AND 1030")
        since = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
        question = {"since": since, "epoch": 1, "before": NEWEST}
        with running("us-west-2", everywhere(present) | {OLD_VOLUME: old.port}) as west:
            event = {"action": "compare_tail", "host": OLD_VOLUME, "mode": "list"}
            page = west.call("probe", event | question)
            assert (page["counts"]["repeated"], page["counts"]["lost"]) == (30, 10)
            assert page["next"] == "941"
            found = west.call("probe", {"action": "list_attachments"} | question)
            keys = [one["key"] for one in found["attachments"]]
            assert keys[0] == "attachments/1040"
            assert len([key for key in keys if len(key) == len("attachments/1040")]) == 30
    finally:
        old.destroy()
        present.destroy()


def test_a_lost_tail_is_given_back_or_taken_back_by_name(
    old: PostgresServer, present: PostgresServer
) -> None:
    """N12, RECOVERY 5: of five records that the old writer acknowledged one arrived, two are
    replayed, one was sent again and one's key has another request; what isn't stored again is
    withdrawn, once, and its receipts say so. A second run of each changes nothing."""
    with running("us-east-1", everywhere(old)) as east:
        held = post(east, "key-held", "held", attachment=ATTACHMENT)
        lost = [post(east, f"key-lost-{n}", "lost", attachment=ATTACHMENT) for n in range(2)]
        repeated = post(east, "key-repeated", "same")
        conflict = post(east, "key-conflict", "one")
    replicated(old, present, [held["id"]])
    servers = everywhere(present) | {OLD_VOLUME: old.port}
    with running("us-west-2", servers) as west:
        again = post(west, "key-repeated", "same")
        post(west, "key-conflict", "another")
        counts = {"held": 1, "repeated": 1, "conflict": 1, "lost": 2, "replayed": 0, "withdrawn": 0}
        listed = compared(west, "list")
        assert listed["counts"] == counts
        assert [record["id"] for record in listed["records"]] == [
            conflict["id"], lost[1]["id"], lost[0]["id"],
        ]  # fmt: skip
        west.call("published")

        assert compared(west, "replay")["counts"] == counts | {"lost": 0, "replayed": 2}
        assert compared(west, "replay")["counts"] == counts | {"lost": 0, "held": 3}
        accepted = compared(west, "accept")
        assert accepted["counts"] == counts | {"conflict": 0, "lost": 0, "held": 3, "withdrawn": 1}
        for mode in ("list", "replay", "accept"):
            assert compared(west, mode)["counts"] == accepted["counts"]
        assert [one["id"] for one in west.ask("/records").json["records"]][-2:] == [
            one["id"] for one in lost
        ]

        ghost = str(uuid.uuid4())
        seen = [repeated["eventId"], conflict["eventId"], again["eventId"], ghost]
        delivered(west, *(("record.created", {"eventId": key}) for key in seen))
        assert orphans(west) == [ghost]
        assert orphans(west, withdraw=True) == [ghost]
        assert orphans(west) == []
        post(west, "key-next", "publishes what waits")
        published = west.call("published")
        taken = {
            one["detail"]["withdraws"]: one["detail"].get("recordId")
            for one in published
            if one["type"] == "record.withdrawn"
        }
        assert taken == {
            repeated["eventId"]: repeated["id"], conflict["eventId"]: conflict["id"], ghost: None,
        }  # fmt: skip
        delivered(west, *((one["type"], one["detail"]) for one in published))
        for key, withdrawn in (
            (ghost, True),
            (repeated["eventId"], True),
            (again["eventId"], False),
        ):
            (receipt,) = west.ask(f"/receipts?key={key}").json["receipts"]
            assert ("withdrawnAt" in receipt) is withdrawn, key
        # Withdrawals are received as well; a week later the outbox has forgotten them.
        assert orphans(west) == []
        with present.connect(DATABASE) as connection:
            connection.execute("DELETE FROM public.outbox WHERE detail_type = 'record.withdrawn'")
        assert orphans(west) == []
        assert compared(west, "list")["counts"] == accepted["counts"]


def test_attachments_are_listed_as_the_present_writer_names_them(
    old: PostgresServer, present: PostgresServer
) -> None:
    """N12: of the time that is asked for, the newest first, with their records' ids; the tail is
    read as far back, and no further."""
    with running("us-west-2", everywhere(present) | {OLD_VOLUME: old.port}) as west:
        stored = post(west, "key-attached", "new", attachment=ATTACHMENT)
        ask = {"action": "list_attachments", "before": NEWEST}
        found = west.call("probe", ask | EVERYTHING)
        newest = found["attachments"][0]
        assert newest == {"id": stored["id"], "key": stored["attachment"]["key"]}
        assert (found["newest"], found["next"]) == (stored["sequence"], None)
        before = west.call("probe", ask | EVERYTHING | {"before": stored["sequence"]})
        assert newest not in before["attachments"]
        late = {"since": "2100-01-01T00:00:00Z", "epoch": 1}
        assert west.call("probe", ask | late)["attachments"] == []
        event = {"action": "compare_tail", "host": OLD_VOLUME, "before": NEWEST, "mode": "list"}
        assert set(west.call("probe", event | late)["counts"].values()) == {0}
