"""The feed of records over PostgreSQL itself: interleaved transactions, lost tails, role swaps."""

from __future__ import annotations

import random
import uuid
from pathlib import Path

import pytest
from application_process import DATABASE, everywhere, running
from feed_clients import PLAIN, Reader, Writers, with_schema

from lab.database.postgres import PostgresServer
from lab.database.postgres_settings import Upstream
from lab.database.replication import create_standby, promote

SEEDS = range(8)
SWAPS = range(2)
STEPS = 60
TAIL = 80
"""More than the 32 numbers by which a promoted server's sequence jumps ahead."""


def inversions(server: PostgresServer) -> int:
    """Neighbours whose transactions and numbers are in opposite order."""
    with server.connect(DATABASE) as connection:
        row = connection.execute(
            "SELECT count(*) FROM (SELECT transaction_id < lag(transaction_id)"
            " OVER (ORDER BY sequence) AS inverted FROM public.records) AS pairs WHERE inverted"
        ).fetchone()
        assert row
        return row[0]


def test_every_committed_record_is_read_once_whatever_overlaps(server: PostgresServer) -> None:
    """Trap 61: 8 orders of chance of up to five transactions that begin, write, commit and roll
    back while a client follows: each committed record once, none of the others."""
    crossed = 0
    with running("us-east-1", everywhere(server)) as application:
        for seed in SEEDS:
            chance = random.Random(seed)
            with server.connect(DATABASE) as connection:
                connection.execute("TRUNCATE public.records")
            writers, reader = Writers(server, chance), Reader(application, chance)
            for _ in range(STEPS):
                writers.step()
                if chance.random() < 0.5:
                    reader.read()
            writers.finish()
            reader.read_all()
            assert len(reader.seen) == len(set(reader.seen)), seed
            assert set(reader.seen) == writers.committed, seed
            assert reader.resumed == 0
            crossed += inversions(server)
    # A feed by number alone would have lost some: the orders did cross.
    assert crossed > len(SEEDS)


def test_a_record_that_commits_late_is_not_skipped(server: PostgresServer) -> None:
    """Trap 61: the lower number is still open when the higher one is committed; it comes first."""
    with (
        running("us-east-1", everywhere(server)) as application,
        server.connect(DATABASE) as first,
        server.connect(DATABASE) as second,
    ):
        second.execute("TRUNCATE public.records")
        early, late = str(uuid.uuid4()), str(uuid.uuid4())
        first.execute("BEGIN")
        first.execute(PLAIN, {"id": early})
        second.execute(PLAIN, {"id": late})
        page = application.ask("/records").json
        assert page == {"records": [], "next": None, "cursor": "1.0"}
        first.execute("COMMIT")
        page = application.ask(f"/records?after={page['cursor']}").json
        assert [record["id"] for record in page["records"]] == [early, late]


def test_a_cursor_between_two_records_skips_neither(server: PostgresServer) -> None:
    """A number that no record has (one that was rolled back, or lost) is a point like any other."""
    with (
        running("us-east-1", everywhere(server)) as application,
        server.connect(DATABASE) as connection,
    ):
        connection.execute("TRUNCATE public.records")
        keys = [str(uuid.uuid4()) for _ in range(3)]
        for key in keys:
            connection.execute(PLAIN, {"id": key})
        whole = application.ask("/records").json["records"]
        connection.execute("DELETE FROM public.records WHERE id = %s", (keys[1],))
        page = application.ask(f"/records?after=1.{whole[1]['sequence']}").json
        assert [record["id"] for record in page["records"]] == [keys[2]]


def test_a_page_is_found_by_the_index(server: PostgresServer) -> None:
    """R2.2: a page costs its own rows, not the table."""
    with server.connect(DATABASE) as connection:
        connection.execute("TRUNCATE public.records")
        connection.execute(
            "INSERT INTO public.records (id, idempotency_key, request_hash, event_id, patient_id,"
            " type, data, region) SELECT gen_random_uuid(), n::text, 'h', gen_random_uuid(), 'p',"
            " 'note', '{}', 'us-east-1' FROM generate_series(1, 20000) AS n"
        )
        connection.execute("ANALYZE public.records")
        connection.execute("SELECT pg_stat_reset_single_table_counters('public.records'::regclass)")
    with running("us-east-1", everywhere(server)) as application:
        page = application.ask("/records?limit=200").json
        page = application.ask(f"/records?after={page['cursor']}&limit=200").json
        assert len(page["records"]) == 200
    with server.connect(DATABASE) as connection:
        row = connection.execute(
            "SELECT pg_stat_force_next_flush(), seq_tup_read, idx_tup_fetch"
            " FROM pg_stat_user_tables WHERE relname = 'records'"
        ).fetchone()
        assert row
        assert row[1] == 0
        assert row[2] < 2_000


def pair(directory: Path, seed: int) -> tuple[PostgresServer, PostgresServer]:
    """A primary with the schema and a standby that follows it."""
    east = with_schema(directory, f"east-{seed}")
    west = PostgresServer(directory / f"west-{seed}", east.admin_password, "16.8", f"west-{seed}")
    create_standby(east, west, "west")
    return east, west


def replayed(east: PostgresServer, west: PostgresServer) -> None:
    """Waits until the standby shows all that the primary has committed."""
    lsn = east.value("SELECT pg_current_wal_lsn()::text")
    with west.connect() as connection:
        for _ in range(500):
            row = connection.execute(
                "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn, pg_sleep(0.01)", (lsn,)
            ).fetchone()
            if row and row[0]:
                return
    raise AssertionError("the standby did not catch up")


@pytest.mark.parametrize("seed", SWAPS)
def test_a_cursor_survives_a_lost_tail(tmp_path: Path, seed: int) -> None:
    """Trap 61, RECOVERY 5: a client reads records that are lost with their region and whose numbers
    are given out again; sent back by 409 it reads every surviving record, old and new."""
    chance = random.Random(seed)
    east, west = pair(tmp_path, seed)
    try:
        writers = Writers(east, chance)
        with running("us-east-1", everywhere(east)) as application:
            reader = Reader(application, chance)
            for _ in range(40):
                writers.step()
                if chance.random() < 0.5:
                    reader.read()
            replayed(east, west)
            west.settings.upstream = Upstream(east.port, "west", cut=True)
            west.apply()
            with west.connect() as connection:
                while connection.execute("SELECT 1 FROM pg_stat_wal_receiver").fetchone():
                    connection.execute("SELECT pg_sleep(0.02)")
            # Acknowledged, read, and never replicated.
            for _ in range(20):
                writers.step()
                reader.read()
            writers.finish()
            with east.connect(DATABASE) as connection:
                for _ in range(TAIL):
                    writers.committed.add(key := str(uuid.uuid4()))
                    connection.execute(PLAIN, {"id": key})
            reader.read_all()
        lost_at_most = writers.committed.copy()
        moment = east.value("SELECT clock_timestamp()")
        last_read = int(reader.cursor.partition(".")[2])
        east.kill()
        promote(west)
        new = Writers(west, chance)
        with running("us-west-2", everywhere(west)) as application:
            reader.application = application
            # Before the epoch grows the new writer gives out the lost numbers again.
            for _ in range(20):
                new.step()
                reader.read()
            grown = application.call(
                "probe",
                {"action": "grow_epoch", "epoch": 2, "promoted_at": moment.isoformat()},
            )
            assert grown == {"epoch": 2}
            for _ in range(20):
                new.step()
                if chance.random() < 0.5:
                    reader.read()
            new.finish()
            reader.read_all()
        with west.connect(DATABASE) as connection:
            kept = {str(row[0]) for row in connection.execute("SELECT id FROM public.records")}
            reused = connection.execute(
                "SELECT count(*) FROM public.records WHERE sequence <= %s AND id = ANY(%s)",
                (last_read, list(new.committed)),
            ).fetchone()
        assert new.committed <= kept
        # A client that continued from its own number would have missed these.
        assert reused is not None
        assert reused[0] > 0
        assert kept - set(reader.seen) == set()
        assert set(reader.seen) <= kept | lost_at_most
        assert reader.resumed == 1
        assert reader.cursor.startswith("2.")
    finally:
        east.destroy()
        west.destroy()


OLD_VOLUME = "aurora-cluster-lost-tail-us-east-1-test.cluster-x.us-east-1.rds.amazonaws.com"
BEFORE = 40
"""Records of the new epoch before the replay, which gives out lost numbers: a client that took its
own number for replicated would miss these."""


def store(server: PostgresServer, count: int, age: str = "0 minutes") -> set[str]:
    """Stores records one by one, ``age`` ago where given; returns their ids."""
    keys = {str(uuid.uuid4()) for _ in range(count)}
    with server.connect(DATABASE) as connection:
        for key in keys:
            connection.execute(PLAIN, {"id": key})
            connection.execute(
                "UPDATE public.records SET created_at = created_at - %s::interval"
                " WHERE id = %s::uuid",
                (age, key),
            )
    return keys


def test_a_lost_number_that_a_replay_got_misleads_no_reader(tmp_path: Path) -> None:
    """Trap 61, RECOVERY 5: a replayed record keeps its creation time, of before the promotion, and
    may get the very number at which an absent client stands; sent back by 409 that client still
    reads all that survived, and the next epoch's point to resume from lies before the replay."""
    east, west = pair(tmp_path, 9)
    try:
        with running("us-east-1", everywhere(east)) as application:
            kept = store(east, 5, age="20 minutes")
            replayed(east, west)
            west.settings.upstream = Upstream(east.port, "west", cut=True)
            west.apply()
            with west.connect() as connection:
                while connection.execute("SELECT 1 FROM pg_stat_wal_receiver").fetchone():
                    connection.execute("SELECT pg_sleep(0.02)")
            lost = store(east, TAIL, age="10 minutes")
            reader = Reader(application, random.Random(0))
            reader.read_all()
        assert set(reader.seen) == kept | lost
        moment = east.value("SELECT clock_timestamp()")
        east.kill()
        promote(west)
        servers = everywhere(west) | {OLD_VOLUME: east.port}
        with running("us-west-2", servers) as application:
            grow = {"action": "grow_epoch", "promoted_at": moment.isoformat()}
            assert application.call("probe", grow | {"epoch": 2}) == {"epoch": 2}
            kept |= store(west, BEFORE)
            east.start()
            tail = {"action": "compare_tail", "host": OLD_VOLUME, "since": "2000-01-01T00:00:00Z"}
            newest = {"before": str(2**63 - 1), "mode": "replay", "epoch": 2}
            page = application.call("probe", tail | newest)
            assert page["counts"] == {
                "held": 5, "repeated": 0, "conflict": 0, "lost": 0, "replayed": TAIL,
                "withdrawn": 0,
            }  # fmt: skip
            kept |= lost | store(west, 1)
            with west.connect(DATABASE) as connection:
                (at,) = connection.execute(
                    "SELECT id::text FROM public.records WHERE sequence = %s",
                    (reader.cursor.partition(".")[2],),
                ).fetchone() or ("",)
            # Another record than the one that was read under this number, and one of the replay.
            assert at in lost
            assert at != reader.seen[-1]
            reader.application = application
            reader.read_all()
            assert reader.resumed == 1
            assert kept - set(reader.seen) == set()
            now = west.value("SELECT clock_timestamp()")
            grow = {"action": "grow_epoch", "promoted_at": now.isoformat()}
            assert application.call("probe", grow | {"epoch": 3}) == {"epoch": 3}
        with west.connect(DATABASE) as connection:
            row = connection.execute(
                "SELECT count(*) FILTER (WHERE id::text = ANY(%s)), count(*) FROM public.records"
                " WHERE sequence <= (SELECT last_sequence FROM recovery.epochs WHERE epoch = 3)",
                (list(lost),),
            ).fetchone()
        assert row == (0, 5)
    finally:
        east.destroy()
        west.destroy()


def test_after_a_planned_swap_a_client_reads_nothing_twice(tmp_path: Path) -> None:
    """RECOVERY 5: nothing was lost, so the point to resume from is the client's own."""
    east, west = pair(tmp_path, 0)
    try:
        with running("us-east-1", everywhere(east)) as application:
            reader = Reader(application, random.Random(0))
            writers = Writers(east, random.Random(1))
            for _ in range(40):
                writers.step()
            writers.finish()
            reader.read()
            reader.read()
        replayed(east, west)
        moment = east.value("SELECT clock_timestamp()")
        east.stop()
        promote(west)
        with running("us-west-2", everywhere(west)) as application:
            reader.application = application
            application.call(
                "probe",
                {"action": "grow_epoch", "epoch": 2, "promoted_at": moment.isoformat()},
            )
            reader.read_all()
        assert reader.resumed == 1
        assert sorted(reader.seen) == sorted(writers.committed)
    finally:
        east.destroy()
        west.destroy()
