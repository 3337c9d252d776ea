"""Stands in for ``aurora_global_db_status()`` and ``aurora_global_db_instance_status()``.

Columns from the Aurora user guide's pages of these names: a row a region, or an instance; -1, 1970
and ``MASTER_SESSION_ID`` mark the primary. PostgreSQL's package has neither, so both are written
into the writer's catalogue, from where they are replicated, and read what the lab has measured from
a file beside the server's data. Times are lab time, lags lab milliseconds.

A secondary knows what replication brings: while it receives nothing that its writer has written,
its rows stay as they were. AWS documents no more than that they are its own view.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import psycopg

from lab.database.fleet import Fleet
from lab.database.measurement import Position, Sampler
from lab.database.postgres import PostgresServer
from lab.database.topology import Cluster, GlobalDatabase
from lab.facts import DatabaseFacts
from pulumi_protocol.files import write_private

logger = logging.getLogger("lab.database")

FILE = "global_status.json"
PRIMARY_LAG = -1
PRIMARY_SESSION = "MASTER_SESSION_ID"
NEVER = datetime.fromtimestamp(0, UTC)

# The file lies beside the data directory, which is the server's working directory. Without one the
# cluster is no member of a global database and there are no rows.
FUNCTIONS = """
CREATE OR REPLACE FUNCTION pg_catalog.aurora_global_db_status(
    OUT aws_region text, OUT highest_lsn_written bigint, OUT durability_lag_in_msec bigint,
    OUT rpo_lag_in_msec bigint, OUT last_lag_calculation_time timestamptz,
    OUT feedback_epoch bigint, OUT feedback_xmin bigint)
  RETURNS SETOF record LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog AS $$
  SELECT * FROM json_to_recordset(
      pg_read_file('../{FILE}', 0, 1048576, true)::json->'regions') AS shown(
    aws_region text, highest_lsn_written bigint, durability_lag_in_msec bigint,
    rpo_lag_in_msec bigint, last_lag_calculation_time timestamptz, feedback_epoch bigint,
    feedback_xmin bigint) $$;
CREATE OR REPLACE FUNCTION pg_catalog.aurora_global_db_instance_status(
    OUT server_id text, OUT session_id text, OUT aws_region text, OUT durable_lsn bigint,
    OUT highest_lsn_rcvd bigint, OUT feedback_epoch bigint, OUT feedback_xmin bigint,
    OUT oldest_read_view_lsn bigint, OUT visibility_lag_in_msec bigint)
  RETURNS SETOF record LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog AS $$
  SELECT * FROM json_to_recordset(
      pg_read_file('../{FILE}', 0, 1048576, true)::json->'instances') AS shown(
    server_id text, session_id text, aws_region text, durable_lsn bigint, highest_lsn_rcvd bigint,
    feedback_epoch bigint, feedback_xmin bigint, oldest_read_view_lsn bigint,
    visibility_lag_in_msec bigint) $$;
""".replace("{FILE}", FILE)


class GlobalStatus:
    """Keeps what both functions show up to date. Methods block, and must not run at the same
    time."""

    def __init__(self, fleet: Fleet, now: Callable[[], float]) -> None:
        self._fleet, self._now = fleet, now
        self._installed: set[str] = set()
        self._heard: dict[str, int] = {}
        """ARN → how far a secondary was when its rows were last written"""

    def show(self, sampler: Sampler) -> None:
        """Writes what the last sample saw beside every server that can know it."""
        topology = self._fleet.topology
        positions, facts = sampler.positions, {f.region: f for f in sampler.facts}
        for cluster in list(topology.clusters.values()):
            if topology.global_of(cluster.arn) is None:
                (self._fleet.server(cluster).directory / FILE).unlink(missing_ok=True)
        for database in list(topology.globals.values()):
            writer = topology.clusters.get(database.writer)
            if writer is None or writer.arn not in positions:
                continue
            self._install(writer)
            rows = json.dumps(self._rows(database, positions, facts), default=str)
            _write(self._fleet.server(writer), rows)
            for arn in database.members:
                member, position = topology.clusters.get(arn), positions.get(arn)
                if member is None or member is writer or position is None:
                    continue
                level = position.durable >= positions[writer.arn].durable
                if level or position.durable > self._heard.get(arn, 0):
                    self._heard[arn] = position.durable
                    _write(self._fleet.server(member), rows)

    def _install(self, writer: Cluster) -> None:
        if writer.arn in self._installed or not self._fleet.is_ready(writer):
            return
        try:
            # In ``template1`` as well: each database has them, those that are made later too.
            for name in {"template1", "postgres", writer.database_name or "postgres"}:
                with self._fleet.server(writer).connect(name) as connection:
                    connection.execute("SET allow_system_table_mods = on")
                    connection.execute(FUNCTIONS)
        except psycopg.Error as error:
            # It ended a moment ago, or its first database isn't made yet: the next look finds out.
            logger.info("global status of %s: %s", writer.region, str(error).strip())
        else:
            self._installed.add(writer.arn)

    def _rows(
        self,
        database: GlobalDatabase,
        positions: Mapping[str, Position],
        facts: Mapping[str, DatabaseFacts],
    ) -> dict[str, list[dict[str, Any]]]:
        """The rows of both functions, of the members whose position is known."""
        regions: list[dict[str, Any]] = []
        instances: list[dict[str, Any]] = []
        for arn in database.members:
            cluster, position = self._fleet.topology.clusters.get(arn), positions.get(arn)
            if cluster is None or position is None or cluster.region not in facts:
                continue
            primary, measured = arn == database.writer, facts[cluster.region]
            # The writer was asked first: nobody is ahead of it.
            durable = min(position.durable, positions[database.writer].durable)
            durability = PRIMARY_LAG if primary else round(measured.rpo_lag_ms or 0)
            regions.append(
                {
                    "aws_region": cluster.region,
                    "highest_lsn_written": durable,
                    "durability_lag_in_msec": durability,
                    "rpo_lag_in_msec": durability,
                    "last_lag_calculation_time": NEVER
                    if primary
                    else datetime.fromtimestamp(self._now(), UTC),
                    "feedback_epoch": 0,
                    "feedback_xmin": position.feedback_xmin,
                }
            )
            visibility = round(measured.replication_lag_ms or 0)
            for number, instance in enumerate(cluster.instances):
                row: dict[str, Any] = {
                    "server_id": instance,
                    "session_id": PRIMARY_SESSION,
                    "aws_region": cluster.region,
                    "durable_lsn": durable,
                }
                if number or not primary:
                    row |= {
                        "session_id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{arn}/{instance}")),
                        "highest_lsn_rcvd": durable,
                        "feedback_epoch": 0,
                        "feedback_xmin": position.feedback_xmin,
                        "oldest_read_view_lsn": position.visible,
                        "visibility_lag_in_msec": visibility,
                    }
                instances.append(row)
        return {"regions": regions, "instances": instances}


def _write(server: PostgresServer, rows: str) -> None:
    """Replaces the file in one step; the server's user owns it."""
    path = server.directory / FILE
    if not path.parent.is_dir():
        return
    draft = path.with_name(f".{FILE}.draft")
    try:
        write_private(draft, rows.encode())
        server.run_as.own(draft)
        draft.replace(path)
    except OSError as error:
        logger.info("global status beside %s: %s", server.name, error)
