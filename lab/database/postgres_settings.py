"""What a PostgreSQL server of the lab is configured with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

HOST = "127.0.0.1"
ADMIN = "rdsadmin"
"""The superuser that RDS keeps for itself; the lab's own connections and replication use it."""
SUPERUSER_RESERVED = 3
WAL_SENDERS = 10


@dataclass(frozen=True)
class Upstream:
    """The primary that a standby follows: its port, the standby's slot there, and whether the
    link is cut (a region without network)."""

    port: int
    slot: str
    cut: bool = False


@dataclass
class ServerSettings:
    """What may change over a server's life; ``apply`` or a start makes it so."""

    max_connections: int = 100
    upstream: Upstream | None = None
    """None for a primary."""


CLIENT_AUTHENTICATION = (
    f"host replication {ADMIN} {HOST}/32 scram-sha-256\n"
    f"host all         all      {HOST}/32 scram-sha-256\n"
)
"""pg_hba.conf"""


def configuration(
    directory: Path, data: Path, port: int, settings: ServerSettings, password: str
) -> str:
    """postgresql.conf of the server in ``directory``; ``password`` is the superuser's, which a
    standby sends to its primary."""
    values: dict[str, object] = {
        "data_directory": str(data),
        "hba_file": str(directory / "pg_hba.conf"),
        "listen_addresses": HOST,
        "port": port,
        "unix_socket_directories": "",
        "max_connections": settings.max_connections,
        "superuser_reserved_connections": SUPERUSER_RESERVED,
        # Lock tables are laid out for each connection: at 1,802 of them and the defaults a
        # server takes 65 MB, with these 20.
        "max_locks_per_transaction": 10,
        "max_pred_locks_per_transaction": 10,
        "shared_buffers": "16MB",
        "max_worker_processes": 4,
        "jit": "off",
        "fsync": "off",
        "wal_log_hints": "on",
        "wal_level": "replica",
        "max_wal_senders": WAL_SENDERS,
        "max_replication_slots": WAL_SENDERS,
        "wal_keep_size": "128MB",
        "max_slot_wal_keep_size": "1GB",
        "wal_sender_timeout": "10s",
        "wal_receiver_timeout": "10s",
        "wal_receiver_status_interval": "1s",
        "wal_retrieve_retry_interval": "200ms",
        "hot_standby": "on",
        "hot_standby_feedback": "on",
        "password_encryption": "scram-sha-256",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_line_prefix": "%m %u@%d ",
    }
    upstream = settings.upstream
    if upstream is not None:
        values["primary_slot_name"] = upstream.slot
        values["primary_conninfo"] = (
            ""
            if upstream.cut
            else f"host={HOST} port={upstream.port} user={ADMIN} sslmode=disable "
            f"password={password} application_name={upstream.slot}"
        )
    return "".join(f"{key} = '{value!s}'\n" for key, value in values.items())
