"""Where a server's volume began, and its log since: what makes it what it was at any moment.

The volume is copied as ``initdb`` made it, before its first start, which costs a fraction of a
second; all that happened since is in the write-ahead log, of which a server keeps the newest part
(``wal_keep_size``). So a cluster can be restored until its log has grown beyond that.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from lab.database.postgres import PostgresServer
from lab.errors import LabError

FOLDER = "origin"
"""Below the server's directory, beside ``data``."""
SEGMENT = re.compile(r"[0-9A-F]{24}")
SEGMENTS_A_LOG = 256
"""Of 16 MB each, as ``initdb`` makes them."""


def keep(server: PostgresServer) -> None:
    """Copies a volume that no server has started on yet."""
    shutil.copytree(server.data, server.directory / FOLDER)


def complete(server: PostgresServer) -> list[Path]:
    """The segments of a writer's log from its origin to this moment, in their order. Raises
    LabError where some are gone, or where the volume came from another server."""
    folder = server.directory / FOLDER
    if not folder.is_dir() or not server.alive or server.is_standby:
        raise LabError(f"lab database: {server.name} is no running writer that began here")
    # A commit after every moment that may be asked for, and a segment that ends with it.
    server.value("SELECT pg_current_xact_id()::text")
    last = _number(server.value("SELECT pg_walfile_name(pg_switch_wal())"))
    first = min(_number(path.name) for path in _segments(folder))
    held = {_number(path.name): path for path in _segments(server.data)}
    missing = [number for number in range(first, last + 1) if number not in held]
    if missing:
        raise LabError(
            f"lab database: {server.name} can't be restored: {len(missing)} segments of its log "
            "are gone, since the lab keeps the newest 128 MB"
        )
    return [held[number] for number in range(first, last + 1)]


def recover(
    segments: Iterable[Path],
    source: PostgresServer,
    target: PostgresServer,
    moment: datetime | None,
) -> None:
    """Fills a new server's directory, which becomes the source as it was at ``moment`` when it
    starts; None: as it was when its last segment ended."""
    target.prepare_directory()
    shutil.copytree(source.directory / FOLDER, target.data)
    for segment in segments:
        shutil.copyfile(segment, target.data / "pg_wal" / segment.name)
    settings = {
        # There is no archive: what is needed lies in pg_wal.
        "restore_command": "false",
        "recovery_target_action": "promote",
        # A class with fewer connections than the source's must be able to replay.
        "hot_standby": "off",
    }
    if moment is not None:
        settings["recovery_target_time"] = moment.isoformat()
    lines = [f"{name} = '{value}'\n" for name, value in settings.items()]
    (target.data / "postgresql.auto.conf").write_text("".join(lines))
    (target.data / "recovery.signal").touch()
    own_files(target)


def own_files(server: PostgresServer) -> None:
    """Gives a data directory that the lab filled to the server's user."""
    for path in (server.data, *server.data.rglob("*")):
        server.run_as.own(path)


def _segments(data: Path) -> list[Path]:
    return [path for path in (data / "pg_wal").iterdir() if SEGMENT.fullmatch(path.name)]


def _number(name: str) -> int:
    """A segment's place in the log, whatever its timeline."""
    return int(name[8:16], 16) * SEGMENTS_A_LOG + int(name[16:], 16)
