"""What is measured at the servers: replication lag, connections, CPU. Published by others as the
AWS/RDS metrics."""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import dataclass, field
from typing import LiteralString

import psutil
import psycopg
from psycopg.rows import TupleRow

from lab.clock import Clock
from lab.database.fleet import Fleet
from lab.database.postgres import PostgresServer
from lab.database.postgres_settings import ADMIN
from lab.database.replication import parse_lsn
from lab.database.topology import Cluster
from lab.facts import DatabaseFacts

CPU_SECONDS = 4.0
CORES = psutil.cpu_count() or 1
STALE_MS = 1000.0
"""PostgreSQL's own lag columns hold what the standby last reported; when the WAL position says
that more than this has passed on the machine's clock, the position counts."""

SAMPLE = """
SELECT (SELECT count(*) FROM pg_stat_activity
         WHERE backend_type = 'client backend' AND usename <> %s),
       CASE WHEN pg_is_in_recovery() THEN NULL ELSE pg_current_wal_lsn()::text END
"""
STANDBYS = """
SELECT application_name, flush_lsn::text, replay_lsn::text,
       coalesce(extract(epoch FROM flush_lag) * 1000, 0)::float,
       coalesce(extract(epoch FROM replay_lag) * 1000, 0)::float,
       coalesce(backend_xmin::text::bigint, 0)
  FROM pg_stat_replication WHERE state = 'streaming'
"""


@dataclass(frozen=True)
class Position:
    """How far a cluster is in its writer's log (LSNs), as the last sample saw it."""

    durable: int
    """What it has written; a secondary: received and stored."""
    visible: int
    """What its readers see."""
    feedback_xmin: int = 0
    """A secondary's oldest transaction."""


@dataclass
class LagClock:
    """How far one position follows another in time, by samples of both."""

    _written: deque[tuple[float, int]] = field(default_factory=deque)
    _level: float | None = None

    def written(self, now: float, position: int) -> None:
        """At ``now`` (lab seconds) the writer had written up to ``position``."""
        self._written.append((now, position))

    def lag_ms(self, now: float, reached: int | None) -> float | None:
        """How long ago the follower, now at ``reached``, was last known to be level; 0 when it is.
        ``reached`` None: not known now. None before it was ever level."""
        while reached is not None and self._written and self._written[0][1] <= reached:
            self._level = self._written.popleft()[0]
        if reached is not None and not self._written and self._level is not None:
            self._level = now
        return None if self._level is None else 1000.0 * (now - self._level)


@dataclass
class _Follower:
    writer: str
    received: LagClock = field(default_factory=LagClock)
    replayed: LagClock = field(default_factory=LagClock)


class Sampler:
    """Takes one sample of all clusters at a time; ``facts`` is what the last one saw. Blocks.

    Lag is the lab's: what lasts a second of the machine's at clock 10 is a lag of 10 s.
    """

    def __init__(self, fleet: Fleet, clock: Clock) -> None:
        self._fleet, self._clock = fleet, clock
        self._followers: dict[str, _Follower] = {}
        self._cpu: dict[str, tuple[float, float, float]] = {}
        self.facts: list[DatabaseFacts] = []
        self.positions: dict[str, Position] = {}
        """ARN → how far it is, of those that are known now: a writer that answers, a secondary that
        it hears of"""

    def sample(self) -> None:
        """Asks every server that is up."""
        topology = self._fleet.topology
        facts: list[DatabaseFacts] = []
        self.positions = {}
        clusters = [c for c in list(topology.clusters.values()) if c.instances]
        for cluster in sorted(clusters, key=lambda c: topology.writer_of(c) is not None):
            writer = topology.writer_of(cluster)
            server = self._fleet.server(cluster)
            connections, position = self._counts(server) if server.alive else (0, None)
            replication_lag, rpo_lag = (
                self._lags(cluster, writer) if writer is not None else (None, None)
            )
            if writer is None:
                self._followers.pop(cluster.arn, None)
                self._wrote(cluster, position)
            facts.append(
                DatabaseFacts(
                    region=cluster.region,
                    cluster_identifier=cluster.identifier,
                    instance_identifiers=tuple(cluster.instances),
                    writer=writer is None,
                    alive=server.alive,
                    connections=float(connections),
                    max_connections=cluster.max_connections,
                    cpu_percent=self._cpu_percent(cluster, server),
                    replication_lag_ms=replication_lag,
                    rpo_lag_ms=rpo_lag,
                )
            )
        self.facts = facts

    def _wrote(self, writer: Cluster, position: int | None) -> None:
        if position is None:
            return
        self.positions[writer.arn] = Position(position, position)
        now = self._clock.now()
        for arn, cluster in list(self._fleet.topology.clusters.items()):
            if self._fleet.topology.writer_of(cluster) is not writer:
                continue
            follower = self._followers.get(arn)
            if follower is None or follower.writer != writer.arn:
                # Another writer is another history.
                follower = self._followers[arn] = _Follower(writer.arn)
            follower.received.written(now, position)
            follower.replayed.written(now, position)

    def _lags(self, cluster: Cluster, writer: Cluster) -> tuple[float | None, float | None]:
        follower = self._followers.get(cluster.arn)
        if follower is None or follower.writer != writer.arn:
            return None, None
        server = self._fleet.server(writer)
        row = None
        if server.alive:
            rows = self._ask(server, STANDBYS) or []
            row = next((row for row in rows if row[0] == cluster.slot), None)
        now, factor = self._clock.now(), self._clock.factor
        if row is None:
            return follower.replayed.lag_ms(now, None), follower.received.lag_ms(now, None)
        _, flush_lsn, replay_lsn, flush_ms, replay_ms, xmin = row
        flushed, replayed = _position(flush_lsn), _position(replay_lsn)
        if flushed is not None and replayed is not None:
            self.positions[cluster.arn] = Position(flushed, replayed, xmin)
        return (
            _better(follower.replayed.lag_ms(now, replayed), replay_ms, factor),
            _better(follower.received.lag_ms(now, flushed), flush_ms, factor),
        )

    def _counts(self, server: PostgresServer) -> tuple[int, int | None]:
        rows = self._ask(server, SAMPLE, ADMIN)
        if not rows:
            return 0, None
        return int(rows[0][0]), _position(rows[0][1])

    def _ask(
        self, server: PostgresServer, query: LiteralString, *parameters: str
    ) -> list[TupleRow] | None:
        try:
            return server.ask(query, *parameters)
        except psycopg.Error:
            return None

    def _cpu_percent(self, cluster: Cluster, server: PostgresServer) -> float:
        """Of the last four seconds: listing a server's processes takes longer than all else."""
        now = time.monotonic()
        then, before, percent = self._cpu.get(cluster.arn, (-math.inf, 0.0, 0.0))
        if now - then < CPU_SECONDS:
            return percent
        try:
            used = _used(server)
        except psutil.Error:  # one has just ended
            used = before
        percent = min(100.0, 100.0 * max(0.0, used - before) / (now - then) / CORES)
        self._cpu[cluster.arn] = now, used, percent
        return percent


def _used(server: PostgresServer) -> float:
    """Seconds of processor time of a server's processes that run now."""
    process = server.process()
    running = [] if process is None else [process, *process.children(recursive=True)]
    return sum(times.user + times.system for times in (one.cpu_times() for one in running))


def _better(by_position: float | None, reported: float, factor: float) -> float | None:
    """Lab milliseconds, of the lag by positions (lab) and as PostgreSQL reports it (real)."""
    if by_position is None:
        return None
    counts = by_position > STALE_MS * factor or by_position == 0
    return by_position if counts else reported * factor


def _position(lsn: str | None) -> int | None:
    return None if lsn is None else parse_lsn(lsn)
