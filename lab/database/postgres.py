"""One PostgreSQL server on 127.0.0.1: made, configured, started, watched and killed.

``fsync`` is off: a killed process loses nothing that it wrote, for the operating system keeps it,
and the lab kills processes, not machines. So a row that was acknowledged is in the files after
SIGKILL; a power cut on the laptop may cost the lab's data, which is nobody's.

The binaries are built without TLS; the lab's network part speaks it before them
(``lab/database/proxy.py``), and nothing but that part knows a server's port.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, LiteralString

import psutil
import psycopg
from psycopg.rows import TupleRow

from lab.database.binaries import RunAs, binaries_of, clean_environment, run, unprivileged_user
from lab.database.kept_connection import KeptConnection
from lab.database.postgres_settings import (
    ADMIN,
    CLIENT_AUTHENTICATION,
    HOST,
    ServerSettings,
    configuration,
)
from lab.errors import LabError
from pulumi_protocol.files import write_private

START_TIMEOUT = 60.0
STOP_TIMEOUT = 30.0
KILL_TIMEOUT = 5.0

# Runs the server, and ends it at once when the lab is gone, however it went: the lab holds the
# other end of standard input. Shells take standard input from background commands, hence fd 3, and
# let them ignore SIGQUIT, hence SIGTERM first: it ends a server that has no handlers yet.
GUARD = """
exec 3<&0
"$@" </dev/null 3<&- &
server=$!
{ read -r _ <&3; kill -TERM "$server" 2>/dev/null; kill -QUIT "$server" 2>/dev/null; } &
reader=$!
wait "$server"
code=$?
kill "$reader" 2>/dev/null
exit "$code"
"""


@dataclass
class PostgresServer:
    """A server in ``directory``. Methods block; callers keep two of them from running at once.

    ``directory`` holds ``data`` and, outside it so that pg_rewind doesn't copy them from another
    server, the configuration, port and log.
    """

    directory: Path
    admin_password: str = field(repr=False)
    engine_version: str = ""
    name: str = "postgres"
    """Its application name when it follows another, and in messages."""
    run_as: RunAs = field(default_factory=unprivileged_user)
    settings: ServerSettings = field(default_factory=ServerSettings)
    _guard: subprocess.Popen[Any] | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        self.directory = self.directory.absolute()
        self.data = self.directory / "data"
        self.log_path = self.directory / "postgresql.log"
        self._binaries = binaries_of(self.engine_version)
        self._kept = KeptConnection(self._connected)

    # -- its life ----------------------------------------------------------------------------------

    @property
    def exists(self) -> bool:
        """Whether it has a data directory."""
        return (self.data / "PG_VERSION").exists()

    @property
    def is_standby(self) -> bool:
        """Whether its data directory is a standby's."""
        return (self.data / "standby.signal").exists()

    @property
    def alive(self) -> bool:
        """Whether its process runs, by the guard that the lab holds."""
        return self._guard is not None and self._guard.poll() is None and self.process() is not None

    @property
    def port(self) -> int:
        """Its port, chosen once and kept in ``directory``; chosen anew when another took it."""
        path = self.directory / "port"
        with contextlib.suppress(FileNotFoundError, ValueError):
            return int(path.read_text())
        return self._choose_port()

    def initialise(self) -> None:
        """Makes an empty database cluster, with checksums, which pg_rewind needs."""
        self.prepare_directory()
        password_file = self.directory / "initdb.password"
        password_file.unlink(missing_ok=True)
        write_private(password_file, self.admin_password.encode())
        self.run_as.own(password_file)
        try:
            self.tool(
                "initdb",
                f"--pgdata={self.data}",
                f"--username={ADMIN}",
                f"--pwfile={password_file}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
                "--data-checksums",
                "--no-sync",
                "--no-instructions",
            )
        finally:
            password_file.unlink()

    def start(self) -> None:
        """Starts and waits until it accepts connections. A server that is up stays as it is.

        Raises LabError with the last line of its log.
        """
        if self.alive:
            return
        if self.settings.upstream is None and self.is_standby:
            raise LabError(f"lab database: {self.name} is a standby and has nothing to follow")
        self.prepare_directory()
        self.end_leftover()
        if not _is_free(self.port):
            self._choose_port()
        if self.settings.upstream is not None:
            # A standby doesn't start with fewer than its primary had when it was last heard of.
            had = int(self.control("max_connections setting"))
            self.settings.max_connections = max(self.settings.max_connections, had)
        self._write_configuration()
        before, options = self.run_as.start(self._binaries / "postgres", self.data)
        with self.log_path.open("wb") as log:
            self._guard = subprocess.Popen(
                [
                    *before,
                    "/bin/sh",
                    "-c",
                    GUARD,
                    "lab-database",
                    str(self._binaries / "postgres"),
                    "-D",
                    str(self.data),
                    "-c",
                    f"config_file={self.configuration_path}",
                ],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=self.directory,
                env=clean_environment(),
                start_new_session=True,
                **options,
            )
        self._wait_until_ready()

    def stop(self) -> None:
        """Stops as ``pg_ctl stop -m fast`` does: sessions end, a checkpoint is written, and a
        connected standby has received all of it before the process ends."""
        process = self.process()
        if process is not None and self._guard is not None:
            process.send_signal(signal.SIGINT)
            try:
                self._guard.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                self.kill()
        self._forget_guard()
        self.end_leftover()

    def kill(self) -> None:
        """SIGKILL to the server and all its children, as a lost machine."""
        process = self.process()
        if process is not None:
            _kill_tree(process)
        self._forget_guard()

    def destroy(self) -> None:
        """Ends it and removes its files."""
        self.kill()
        self.end_leftover()
        shutil.rmtree(self.directory, ignore_errors=True)

    def end_leftover(self) -> None:
        """Ends a server that an earlier lab still runs in this data directory."""
        process = self.process()
        if process is not None:
            _kill_tree(process)
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def process(self) -> psutil.Process | None:
        """The server's main process, by its pid file; None when it isn't running."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
            process = psutil.Process(int(lines[0]))
            ours = str(self.data) in process.cmdline()
            return process if ours and process.status() != psutil.STATUS_ZOMBIE else None
        except (FileNotFoundError, ValueError, IndexError, psutil.Error):
            return None

    def apply(self) -> None:
        """Writes the settings and lets a running server read them. ``max_connections`` counts at
        the next start."""
        if not self.exists:
            return
        self._write_configuration()
        process = self.process()
        if process is not None:
            process.send_signal(signal.SIGHUP)

    # -- talking to it -----------------------------------------------------------------------------

    @contextlib.contextmanager
    def connect(self, database: str = "postgres") -> Iterator[psycopg.Connection[TupleRow]]:
        """A connection of the lab's superuser, in autocommit."""
        with self._connected(database) as connection:
            yield connection

    def ask(self, query: LiteralString, *parameters: object) -> list[TupleRow]:
        """Rows of what is asked every second, over a connection that is kept: of queries that
        change nothing, in the database ``postgres``."""
        return self._kept.ask(query, *parameters)

    def value(self, query: LiteralString, *parameters: object) -> Any:
        """The first column of the query's first row; None without a row."""
        with self.connect() as connection:
            row = connection.execute(query, parameters or None).fetchone()
            return row[0] if row else None

    def _connected(self, database: str = "postgres") -> psycopg.Connection[TupleRow]:
        return psycopg.connect(
            host=HOST,
            port=self.port,
            user=ADMIN,
            password=self.admin_password,
            dbname=database,
            sslmode="disable",
            connect_timeout=5,
            autocommit=True,
            application_name="lab",
        )

    def tool(self, program: str, *arguments: str) -> str:
        """Runs ``initdb``, ``pg_rewind`` … as the server's user, with the superuser's password."""
        return run(
            self._binaries / program,
            *arguments,
            run_as=self.run_as,
            cwd=self.directory,
            environment=clean_environment(PGPASSWORD=self.admin_password),
        )

    def control(self, label: str) -> str:
        """One line of ``pg_controldata``, by what stands before the colon."""
        for line in self.tool("pg_controldata", f"--pgdata={self.data}").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == label:
                return value.strip()
        raise LabError(f"lab database: pg_controldata of {self.name} names no {label}")

    @property
    def configuration_path(self) -> Path:
        """Its postgresql.conf."""
        return self.directory / "postgresql.conf"

    def last_log_line(self) -> str:
        """The last line that the server wrote to its log."""
        with contextlib.suppress(FileNotFoundError):
            lines = self.log_path.read_text(errors="replace").strip().splitlines()
            return lines[-1] if lines else ""
        return ""

    # -- files -------------------------------------------------------------------------------------

    def prepare_directory(self) -> None:
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.run_as.own(self.directory)

    def _choose_port(self) -> int:
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            port: int = probe.getsockname()[1]
        self.prepare_directory()
        (self.directory / "port").write_text(str(port))
        return port

    def _write_configuration(self) -> None:
        self._write("pg_hba.conf", CLIENT_AUTHENTICATION)
        written = configuration(
            self.directory, self.data, self.port, self.settings, self.admin_password
        )
        self._write("postgresql.conf", written)

    def _write(self, name: str, content: str) -> None:
        temporary = self.directory / f"{name}.tmp"
        temporary.unlink(missing_ok=True)
        write_private(temporary, content.encode())
        self.run_as.own(temporary)
        temporary.replace(self.directory / name)

    # -- waiting -----------------------------------------------------------------------------------

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline:
            if self._guard is None or self._guard.poll() is not None:
                self._forget_guard()
                raise LabError(f"lab database: {self.name} did not start: {self.last_log_line()}")
            if self._is_ready():
                return
            time.sleep(0.02)
        self.kill()
        raise LabError(
            f"lab database: {self.name} accepts no connection after {START_TIMEOUT:g} s: "
            f"{self.last_log_line()}"
        )

    def _is_ready(self) -> bool:
        # Line 8 of the pid file is the server's own word ("ready"), as pg_ctl reads it.
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[7].strip() == "ready" and self.process() is not None

    def _forget_guard(self) -> None:
        # Not before it ended: a question to a server that hangs ends with it.
        self._kept.close()
        if self._guard is None:
            return
        if self._guard.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._guard.stdin.close()
        try:
            self._guard.wait(5)
        except subprocess.TimeoutExpired:
            self._guard.kill()
            self._guard.wait()
        self._guard = None


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As PostgreSQL binds: a port in TIME_WAIT is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _kill_tree(process: psutil.Process) -> None:
    # Stopped first, so that the main process starts no child between the listing and the kill.
    with contextlib.suppress(psutil.Error):
        process.suspend()
    family = [process]
    with contextlib.suppress(psutil.Error):
        family += process.children(recursive=True)
    for member in family:
        with contextlib.suppress(psutil.Error):
            member.kill()
    deadline = time.monotonic() + KILL_TIMEOUT
    while any(map(_runs, family)) and time.monotonic() < deadline:
        time.sleep(0.005)


def _runs(process: psutil.Process) -> bool:
    # Orphans whose new parent is slow to collect them are dead all the same.
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
