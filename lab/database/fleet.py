"""Brings the PostgreSQL servers to where the topology says they should be, again and again."""

from __future__ import annotations

import contextlib
import logging
import secrets
import shutil
import time
from pathlib import Path

import psycopg

from lab.database import origin, replication
from lab.database.master import create_database, create_master
from lab.database.postgres import PostgresServer
from lab.database.postgres_settings import Upstream
from lab.database.surroundings import Surroundings
from lab.database.topology import Cluster, Topology
from lab.errors import LabError
from lab.outage import OutageKind
from pulumi_protocol.files import write_private

logger = logging.getLogger("lab.database")

DISCONNECTED_SECONDS = 10.0
"""A standby that can't stream for so long, though nothing is cut, is copied anew."""


class Fleet:
    """The servers of all clusters. Methods block, and must not run at the same time; roles follow
    from the topology alone, so a step that was interrupted is taken again."""

    def __init__(self, directory: Path, topology: Topology, surroundings: Surroundings) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.directory = directory
        self.topology = topology
        self._lab = surroundings
        self.restarts: dict[str, int] = {}
        """ARN → how often its server was found dead without an outage"""
        self.problems: dict[str, str] = {}
        """ARN → why it isn't as it should be; empty when nothing is wrong"""
        self.rejoined: dict[str, str] = {}
        """ARN → how it last came back as a standby (rewind, base backup, new volume)"""
        self._servers: dict[str, PostgresServer] = {}
        self._expected: set[str] = set()
        self._disconnected: dict[str, float] = {}
        self._password = self._admin_password()

    def server(self, cluster: Cluster) -> PostgresServer:
        """The cluster's server, made or not."""
        if cluster.arn not in self._servers:
            self._servers[cluster.arn] = PostgresServer(
                self.directory / cluster.folder,
                self._password,
                engine_version=self._engine_version(cluster),
                name=f"the database of {cluster.region} ({cluster.identifier})",
            )
        return self._servers[cluster.arn]

    def is_ready(self, cluster: Cluster) -> bool:
        """Whether the cluster's server runs in its present role."""
        server = self.server(cluster)
        follows = self.topology.writer_of(cluster) is not None and not cluster.is_unfenced
        return server.alive and (
            server.is_standby if follows else cluster.provisioned and not server.is_standby
        )

    def reconcile(self) -> None:
        """Takes the steps that are needed and possible; what fails is in ``problems`` and is tried
        again the next time."""
        clusters = list(self.topology.clusters.values())
        # Writers first: the others follow them.
        for cluster in sorted(clusters, key=lambda c: self.topology.writer_of(c) is not None):
            lost = self._lab.has_lost(cluster.region, OutageKind.DATABASE)
            if lost or self._lab.is_away(cluster):
                self.fence(cluster)
                self.problems.pop(cluster.arn, None)
                continue
            self._note_crash(cluster)
            try:
                self._bring(cluster)
            except (LabError, psycopg.Error, OSError) as error:
                line = str(error).strip().splitlines()
                message = line[0] if line else type(error).__name__
                if self.problems.get(cluster.arn) != message:
                    logger.warning("%s", message)
                self.problems[cluster.arn] = message
            else:
                self.problems.pop(cluster.arn, None)

    def kill_region(self, region: str) -> None:
        """SIGKILL to the servers of a region."""
        for cluster in self.topology.clusters.values():
            if cluster.region == region:
                self.fence(cluster)

    def switch_over(self, writer: Cluster, target: Cluster) -> None:
        """Swaps roles without losing a row. Raises LabError and changes nothing when the target
        can't be brought level; the caller records the new roles in the topology."""
        replication.switch_over(
            self.server(writer),
            self.server(target),
            writer.slot,
            self._lab.stream_port(writer.arn),
        )

    def fence(self, cluster: Cluster) -> None:
        """Kills a writer that must not write any more. As its topology role is reader from now on,
        it starts again only by rejoining."""
        self.server(cluster).kill()
        self._expected.discard(cluster.arn)

    def detach(self, cluster: Cluster, writer: Cluster | None) -> None:
        """After a cluster left its global database: its writer keeps no WAL for it any more."""
        if writer is not None and self.server(writer).alive:
            with contextlib.suppress(psycopg.Error):
                replication.drop_slot(self.server(writer), cluster.slot)

    def set_master_password(self, cluster: Cluster) -> None:
        """Gives the master user the password whose verifier the topology holds."""
        if self.server(cluster).alive and cluster.provisioned:
            create_master(self.server(cluster), cluster)

    def restart(self, cluster: Cluster) -> None:
        """Stops a cluster's server in order; the next ``reconcile`` starts it."""
        self._expected.discard(cluster.arn)
        self.server(cluster).stop()

    def remove(self, cluster: Cluster) -> None:
        """Ends a deleted cluster's server and removes its data."""
        self.server(cluster).destroy()
        for known in (self._servers, self.problems, self.restarts, self.rejoined):
            known.pop(cluster.arn, None)
        self._expected.discard(cluster.arn)

    def stop(self) -> None:
        """Stops all servers: readers first, so that a writer hands over all its WAL to nobody twice
        and none is taken for crashed."""
        clusters = self.topology.clusters.values()
        for cluster in sorted(clusters, key=lambda c: self.topology.writer_of(c) is None):
            self._expected.discard(cluster.arn)
            self.server(cluster).stop()

    def sweep(self) -> None:
        """Removes directories that belong to no cluster."""
        folders = {cluster.folder for cluster in self.topology.clusters.values()}
        for path in self.directory.iterdir():
            if path.is_dir() and path.name not in folders:
                PostgresServer(path, self._password).end_leftover()
                shutil.rmtree(path, ignore_errors=True)

    # -- one cluster -------------------------------------------------------------------------------

    def _bring(self, cluster: Cluster) -> None:
        writer = self.topology.writer_of(cluster)
        server = self.server(cluster)
        if not server.alive:
            server.settings.max_connections = cluster.max_connections
        if writer is None:
            self._bring_writer(cluster, server)
        elif self._goes_on_writing(cluster, server):
            pass
        elif self._lab.has_lost(writer.region, OutageKind.DATABASE):
            self._keep(cluster, server)
        else:
            self._bring_standby(cluster, server, writer)
        if server.alive:
            self._expected.add(cluster.arn)

    def _bring_writer(self, cluster: Cluster, server: PostgresServer) -> None:
        if not server.exists:
            if cluster.provisioned:
                raise LabError(
                    f"lab database: the data of {cluster.identifier} in {cluster.region} is gone; "
                    "destroy and deploy the data layer again"
                )
            server.initialise()
            origin.keep(server)
        if server.is_standby:
            if not server.alive:
                server.settings.upstream = Upstream(0, cluster.slot, cut=True)
                server.start()
            replication.promote(server)
            cluster.provisioned = True
            self.topology.save()
        server.settings.upstream = None
        server.start()
        if not cluster.provisioned:
            create_master(self.server(cluster), cluster)
            create_database(self.server(cluster), cluster)
            cluster.provisioned = True
            self.topology.save()

    def _bring_standby(self, cluster: Cluster, server: PostgresServer, writer: Cluster) -> None:
        primary, port = self.server(writer), self._lab.stream_port(cluster.arn)
        cut = self._is_cut(cluster, writer)
        if not self.is_ready(writer) or (cut and not server.is_standby):
            self._keep(cluster, server)
            return
        if not server.exists:
            if not cut:
                replication.create_standby(primary, server, cluster.slot, port)
        elif not server.is_standby and cluster.is_stale:
            self._renew(cluster, server, primary, port)
        elif not server.is_standby:
            self.rejoined[cluster.arn] = replication.rejoin(server, primary, cluster.slot, port)
        else:
            wanted = Upstream(port or primary.port, cluster.slot, cut)
            small = server.settings.max_connections < primary.settings.max_connections
            if not server.alive or server.settings.upstream != wanted or (small and not cut):
                server.settings.upstream = wanted
                if not cut:
                    replication.follow(server, primary, cluster.slot, port)
                else:
                    server.apply()
                    server.start()
            if not cut:
                self._mend_stream(cluster, server, primary)
        if server.exists and not cluster.provisioned:
            cluster.provisioned = True
            self.topology.save()

    def _keep(self, cluster: Cluster, server: PostgresServer) -> None:
        # Its writer is away. A standby still answers reads; one that was a primary is fenced
        # and stays down until it can rejoin.
        if server.exists and server.is_standby:
            if not server.alive:
                server.settings.upstream = Upstream(0, cluster.slot, cut=True)
                server.start()
        elif server.alive:
            server.kill()
            self._expected.discard(cluster.arn)

    def _goes_on_writing(self, cluster: Cluster, server: PostgresServer) -> bool:
        """Whether an old writer that couldn't be fenced still writes; ends it when it can be."""
        if not cluster.is_unfenced:
            return False
        if server.alive and not server.is_standby and self._lab.fence_fails():
            return True
        cluster.is_unfenced = False
        self.topology.save()
        self.fence(cluster)
        return False

    def _renew(
        self, cluster: Cluster, server: PostgresServer, primary: PostgresServer, port: int | None
    ) -> None:
        """Brings an old writer back on a new volume, as Aurora does after an unplanned failover
        (Aurora user guide, "Performing managed failovers for Aurora global databases")."""
        server.stop()
        self._lab.notify(cluster, "RDS-EVENT-0240")
        self._lab.keep_volume(cluster, server.data)
        replication.create_standby(primary, server, cluster.slot, port)
        self.rejoined[cluster.arn] = "new volume"

    def _mend_stream(
        self, cluster: Cluster, server: PostgresServer, primary: PostgresServer
    ) -> None:
        streams = primary.ask(
            "SELECT pid FROM pg_stat_replication WHERE application_name = %s", cluster.slot
        )
        now = time.monotonic()
        if streams:
            self._disconnected.pop(cluster.arn, None)
            if cluster.is_stale:
                cluster.is_stale = False
                self.topology.save()
                self._lab.notify(cluster, "RDS-EVENT-0241")
        elif now - self._disconnected.setdefault(cluster.arn, now) > DISCONNECTED_SECONDS:
            self._disconnected.pop(cluster.arn)
            port = self._lab.stream_port(cluster.arn)
            replication.create_standby(primary, server, cluster.slot, port)
            self.rejoined[cluster.arn] = "base backup"

    def _is_cut(self, one: Cluster, other: Cluster) -> bool:
        return one.region != other.region and any(
            self._lab.has_lost(cluster.region, OutageKind.REPLICATION) for cluster in (one, other)
        )

    def _note_crash(self, cluster: Cluster) -> None:
        if cluster.arn in self._expected and not self.server(cluster).alive:
            self.restarts[cluster.arn] = self.restarts.get(cluster.arn, 0) + 1
            logger.warning(
                "the database of %s (%s) died; restarting it", cluster.region, cluster.identifier
            )

    def _engine_version(self, cluster: Cluster) -> str:
        # A secondary runs what its primary runs, whatever its own record says.
        writer = self.topology.writer_of(cluster)
        return (writer or cluster).engine_version

    def _admin_password(self) -> str:
        path = self.directory / "rdsadmin.password"
        if not path.exists():
            write_private(path, secrets.token_urlsafe(24).encode())
        return path.read_text()
