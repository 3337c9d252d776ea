"""Stands in for pg_cron: what of it a migration uses, and a scheduler that runs the jobs.

PostgreSQL's package has no pg_cron, so its schema is written into the server where the deployed
parameter group preloads the library: the catalogue then lists the extension, and
``CREATE EXTENSION IF NOT EXISTS pg_cron`` finds it made. Jobs run on the lab's clock, in the writer
alone, with the rights of who scheduled them ("Scheduling maintenance with the PostgreSQL pg_cron
extension", Aurora user guide; pg_cron's README for the schedules).
"""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg import sql

from lab.database.fleet import Fleet
from lab.database.postgres import PostgresServer
from lab.database.topology import Cluster

logger = logging.getLogger("lab.database")

HOME = "postgres"
"""``cron.database_name``, at its default."""
LOOK_SECONDS = 0.25

# pg_cron's own names and signatures (version 1.6), as far as jobs are made, changed and removed.
SCHEMA = """
CREATE SCHEMA IF NOT EXISTS cron;
CREATE TABLE IF NOT EXISTS cron.job (
  jobid bigserial PRIMARY KEY, schedule text NOT NULL, command text NOT NULL,
  database text NOT NULL DEFAULT current_database(), username text NOT NULL DEFAULT session_user,
  active boolean NOT NULL DEFAULT true, jobname text, UNIQUE (jobname, username));
CREATE TABLE IF NOT EXISTS cron.job_run_details (
  jobid bigint, status text, return_message text, start_time timestamptz, end_time timestamptz);
CREATE OR REPLACE FUNCTION cron.schedule_in_database(
    job_name text, schedule text, command text, database text) RETURNS bigint
  LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
  INSERT INTO cron.job (jobname, schedule, command, database) VALUES ($1, $2, $3, $4)
  ON CONFLICT (jobname, username) DO UPDATE
    SET schedule = excluded.schedule, command = excluded.command, database = excluded.database
  RETURNING jobid $$;
CREATE OR REPLACE FUNCTION cron.schedule(job_name text, schedule text, command text) RETURNS bigint
  LANGUAGE sql AS $$ SELECT cron.schedule_in_database($1, $2, $3, current_database()) $$;
CREATE OR REPLACE FUNCTION cron.unschedule(job_name text) RETURNS boolean
  LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
  WITH gone AS (DELETE FROM cron.job WHERE jobname = $1 AND username = session_user RETURNING 1)
  SELECT count(*) > 0 FROM gone $$;
GRANT USAGE ON SCHEMA cron TO rds_superuser;
GRANT SELECT ON cron.job TO rds_superuser;
GRANT SELECT, DELETE ON cron.job_run_details TO rds_superuser;
INSERT INTO pg_catalog.pg_extension
  (oid, extname, extowner, extnamespace, extrelocatable, extversion)
  SELECT 999999, 'pg_cron', 10, 'cron'::regnamespace, false, '1.6'
  WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_extension WHERE extname = 'pg_cron');
"""
# In each database: pg_cron is among the extensions that could be made there, and its setting among
# those that are shown, as where the library is loaded.
AVAILABLE = """
CREATE OR REPLACE VIEW pg_catalog.pg_settings AS
  SELECT * FROM pg_show_all_settings() AS a
  UNION ALL SELECT 'cron.database_name', 'postgres', NULL, 'Customized Options',
    'Database in which pg_cron metadata is kept.', NULL, 'postmaster', 'string', 'default', NULL,
    NULL, NULL, 'postgres', 'postgres', NULL, NULL, false;
CREATE OR REPLACE VIEW pg_catalog.pg_available_extensions AS
  SELECT e.name, e.default_version, x.extversion AS installed_version, e.comment
  FROM (SELECT name, default_version, comment FROM pg_available_extensions()
        UNION ALL SELECT 'pg_cron', '1.6', 'Job scheduler for PostgreSQL') AS e
  LEFT JOIN pg_extension AS x ON e.name = x.extname
"""
JOBS = "SELECT jobid, schedule, command, database, username FROM cron.job WHERE active"
RAN = """
INSERT INTO cron.job_run_details VALUES (%s, %s, %s, clock_timestamp(), clock_timestamp())
"""


class CronJobs:
    """Runs the jobs of all writers. Methods block, and must not run at the same time."""

    def __init__(self, fleet: Fleet, now: Callable[[], float]) -> None:
        self._fleet, self._now = fleet, now
        self._installed: set[str] = set()
        self._last: dict[tuple[str, int], tuple[str, float]] = {}

    def run(self, cluster: Cluster) -> None:
        """Runs what is due in one cluster whose parameter group preloads pg_cron; a cluster that
        doesn't write, or isn't up, has no jobs."""
        fleet = self._fleet
        if fleet.topology.writer_of(cluster) is not None or not fleet.is_ready(cluster):
            return
        server = fleet.server(cluster)
        try:
            if cluster.arn not in self._installed:
                self._install(server, cluster)
                self._installed.add(cluster.arn)
            self._run_due(server, cluster)
        except psycopg.Error as error:
            # It ended a moment ago, or doesn't write yet: the next look finds out.
            logger.info("pg_cron of %s: %s", cluster.region, str(error).strip())

    def _install(self, server: PostgresServer, cluster: Cluster) -> None:
        for database in {HOME, cluster.database_name or HOME}:
            with server.connect(database) as connection:
                connection.execute("SET allow_system_table_mods = on")
                connection.execute(AVAILABLE)
                if database == HOME:
                    connection.execute(SCHEMA)

    def _run_due(self, server: PostgresServer, cluster: Cluster) -> None:
        now = self._now()
        for jobid, schedule, command, database, username in server.ask(JOBS):
            key = (cluster.arn, jobid)
            known, last = self._last.get(key, ("", now))
            if known != schedule:
                self._last[key] = (schedule, now)
            elif is_due(schedule, last, now):
                self._last[key] = (schedule, now)
                said = _execute(server, database, username, command)
                with server.connect(HOME) as connection:
                    connection.execute(RAN, (jobid, "failed" if said else "succeeded", said))


def _execute(server: PostgresServer, database: str, username: str, command: Any) -> str:
    """Runs a job's command; returns the error's first line, or nothing."""
    try:
        with server.connect(database) as connection:
            connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(username)))
            connection.execute(command)
    except psycopg.Error as error:
        return str(error).strip().partition("\n")[0]
    return ""


def is_due(schedule: str, last: float, now: float) -> bool:
    """Whether a job that last ran at ``last`` is to run at ``now`` (seconds since the epoch)."""
    if seconds := re.fullmatch(r"(\d+) seconds?", schedule):
        return now - last >= int(seconds[1])
    from ministack.services import eventbridge

    fields = None
    with contextlib.suppress(ValueError):
        minute, hour, day, month, weekday = schedule.split()
        # EventBridge's cron has a year, ``?`` where the other of two days counts, and its Sunday is
        # 1 where cron's is 0 and 7.
        weekday = str(int(weekday) % 7 + 1) if weekday.isdecimal() else weekday
        weekday = "?" if weekday == "*" else weekday
        day = "?" if weekday != "?" else day
        fields = eventbridge._parse_cron_fields(f"cron({minute} {hour} {day} {month} {weekday} *)")
    if fields is None:
        return False
    upcoming = eventbridge._cron_next_fire(fields, datetime.fromtimestamp(last, UTC))
    return upcoming is not None and upcoming.timestamp() <= now
