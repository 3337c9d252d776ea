"""Two PostgreSQL servers as Aurora's global database has two regions: streaming replication,
promotion, fencing, rejoining, switchover."""

from __future__ import annotations

import contextlib
import logging
import shutil
import time
from pathlib import Path
from typing import Literal

import psycopg

from lab.database.postgres import PostgresServer
from lab.database.postgres_settings import ADMIN, HOST, Upstream
from lab.errors import LabError

logger = logging.getLogger("lab.database")

PROMOTION_TIMEOUT = 30
CATCH_UP_TIMEOUT = 30.0
CONNECT_TIMEOUT = 5.0
COPY = "copy"
"""Where a base backup is made, beside the data directory that it becomes."""
Rejoined = Literal["rewind", "base backup"]


def parse_lsn(text: str) -> int:
    """``0/3000148`` as a byte position in the WAL."""
    high, _, low = text.partition("/")
    return (int(high, 16) << 32) | int(low, 16)


def create_standby(
    primary: PostgresServer, standby: PostgresServer, slot: str, port: int | None = None
) -> None:
    """Copies ``primary`` into ``standby`` (which keeps nothing it had) and lets it follow, at
    ``port`` if that isn't the primary's own.

    The copy is made beside and a standby's from its first moment in place: one without that mark
    would be taken for an old writer's volume, whose tail a snapshot keeps.
    """
    standby.stop()
    standby.prepare_directory()
    copy = standby.directory / COPY
    shutil.rmtree(copy, ignore_errors=True)
    ensure_slot(primary, slot)
    standby.tool(
        "pg_basebackup",
        f"--host={HOST}",
        f"--port={primary.port}",
        f"--username={ADMIN}",
        f"--pgdata={copy}",
        f"--slot={slot}",
        "--wal-method=stream",
        "--checkpoint=fast",
        "--no-sync",
    )
    _mark_standby(standby, copy)
    if standby.data.exists():
        shutil.rmtree(standby.data)
    copy.rename(standby.data)
    follow(standby, primary, slot, port)


def follow(
    standby: PostgresServer, primary: PostgresServer, slot: str, port: int | None = None
) -> None:
    """Starts ``standby``, or lets it read anew, as a follower of ``primary`` through ``slot``, at
    ``port`` if that isn't the primary's own."""
    ensure_slot(primary, slot)
    standby.settings.upstream = Upstream(port or primary.port, slot)
    if standby.settings.max_connections < primary.settings.max_connections:
        # A standby with a lower limit than its primary's doesn't replay.
        standby.settings.max_connections = primary.settings.max_connections
        standby.stop()
    if not standby.is_standby:
        if standby.alive:
            raise LabError(f"lab database: {standby.name} is a primary and can't follow")
        _mark_standby(standby, standby.data)
    standby.apply()
    standby.start()
    _drop_slots(standby)


def ensure_slot(primary: PostgresServer, slot: str) -> None:
    """Makes the physical replication slot if it isn't there; its WAL is kept from this moment."""
    with primary.connect() as connection, contextlib.suppress(psycopg.errors.DuplicateObject):
        connection.execute("SELECT pg_create_physical_replication_slot(%s, true)", (slot,))


def drop_slot(primary: PostgresServer, slot: str) -> None:
    """Forgets a standby that has left, so that WAL isn't kept for it."""
    with primary.connect() as connection:
        for (pid,) in connection.execute(
            "SELECT active_pid FROM pg_replication_slots WHERE slot_name = %s AND active", (slot,)
        ).fetchall():
            connection.execute("SELECT pg_terminate_backend(%s, 2000)", (pid,))
        connection.execute(
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots "
            "WHERE slot_name = %s AND NOT active",
            (slot,),
        )


def promote(standby: PostgresServer) -> None:
    """Makes a standby the primary: all WAL it has received is replayed first. A server that is a
    primary stays one. Raises LabError when it doesn't end."""
    with standby.connect() as connection:
        row = connection.execute("SELECT pg_is_in_recovery()").fetchone()
        if row is not None and row[0]:
            done = connection.execute("SELECT pg_promote(true, %s)", (PROMOTION_TIMEOUT,))
            if (answer := done.fetchone()) is None or not answer[0]:
                raise LabError(
                    f"lab database: {standby.name} was not promoted within {PROMOTION_TIMEOUT} s: "
                    f"{standby.last_log_line()}"
                )
    standby.settings.upstream = None
    standby.apply()


def switch_over(
    writer: PostgresServer, standby: PostgresServer, slot: str, port: int | None = None
) -> None:
    """Swaps roles without losing a row: ``writer`` stops and hands all its WAL to ``standby``,
    which is promoted; the old writer follows it through a slot named ``slot``, at ``port`` if
    that isn't the new writer's own.

    Raises LabError and leaves ``writer`` writing when ``standby`` doesn't receive everything.
    """
    _wait_for_stream(writer, standby)
    writer.stop()
    try:
        if (state := writer.control("Database cluster state")) != "shut down":
            # Killed: its last checkpoint isn't its end, and the standby may lack what came after.
            raise LabError(f"lab database: {writer.name} did not stop in order, it is {state}")
        end = parse_lsn(writer.control("Latest checkpoint location"))
        _wait_for_lsn(standby, end)
    except (LabError, psycopg.Error):
        writer.start()
        raise
    promote(standby)
    # From here the roles have changed, whatever becomes of the old writer: one that can't follow
    # at once rejoins later.
    try:
        follow(writer, standby, slot, port)
    except (LabError, psycopg.Error, OSError) as error:
        logger.warning("%s", error)


def rejoin(
    old: PostgresServer, writer: PostgresServer, slot: str, port: int | None = None
) -> Rejoined:
    """Brings a server that was a primary back as ``writer``'s standby.

    pg_rewind takes back what ``writer`` never received; where that is impossible (no data, WAL
    gone) the server is copied anew. Says which of the two it was.
    """
    old.stop()
    if old.exists:
        try:
            _rewind(old, writer, slot, port)
        except (LabError, psycopg.Error, OSError):
            old.kill()
        else:
            return "rewind"
    create_standby(writer, old, slot, port)
    return "base backup"


def is_streaming(writer: PostgresServer) -> bool:
    """Whether a standby receives from ``writer`` right now."""
    return bool(writer.value("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"))


def _rewind(
    old: PostgresServer, writer: PostgresServer, slot: str, port: int | None = None
) -> None:
    # The server that pg_rewind starts to finish crash recovery must not follow anything.
    old.settings.upstream = None
    (old.data / "standby.signal").unlink(missing_ok=True)
    old.apply()
    with writer.connect() as connection:
        # Before its first checkpoint a promoted server's control file names the old timeline.
        connection.execute("CHECKPOINT")
    ensure_slot(writer, slot)
    old.tool(
        "pg_rewind",
        f"--target-pgdata={old.data}",
        f"--config-file={old.configuration_path}",
        f"--source-server=host={HOST} port={writer.port} user={ADMIN} dbname=postgres",
        "--no-sync",
    )
    follow(old, writer, slot, port)


def _mark_standby(server: PostgresServer, data: Path) -> None:
    signal_file = data / "standby.signal"
    signal_file.touch(0o600)
    server.run_as.own(signal_file)


def _drop_slots(standby: PostgresServer) -> None:
    # Slots of the time when it was the primary would keep WAL for ever.
    with standby.connect() as connection:
        connection.execute(
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active"
        )


def _wait_for_stream(writer: PostgresServer, standby: PostgresServer) -> None:
    """A standby that was started a moment ago connects within a second or two."""
    deadline = time.monotonic() + CONNECT_TIMEOUT
    while not is_streaming(writer):
        if time.monotonic() > deadline:
            raise LabError(f"lab database: {standby.name} doesn't replicate from {writer.name}")
        time.sleep(0.05)


def _wait_for_lsn(standby: PostgresServer, end: int) -> None:
    deadline = time.monotonic() + CATCH_UP_TIMEOUT
    with standby.connect() as connection:
        while time.monotonic() < deadline:
            row = connection.execute("SELECT pg_last_wal_receive_lsn()").fetchone()
            # The checkpoint record at ``end`` is the last; having received past its start on a
            # connection that the primary closed in order means having it whole.
            if row is not None and row[0] and parse_lsn(row[0]) > end:
                return
            time.sleep(0.01)
    raise LabError(
        f"lab database: {standby.name} did not receive all WAL within {CATCH_UP_TIMEOUT:g} s"
    )
