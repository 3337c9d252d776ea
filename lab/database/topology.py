"""Which clusters there are, and who writes: what was asked of the RDS API, kept on disk.

The lab's own record, and for roles the truth: ``describe_global_clusters`` answers from it.
"""

from __future__ import annotations

import json
import threading
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lab.database.instance_classes import DEFAULT_CLASS, max_connections
from lab.emulator import database_endpoints as endpoints
from pulumi_protocol.files import write_atomically

ENGINE = "aurora-postgresql"
AVAILABLE = "available"
SAVING = threading.Lock()
"""Held while a topology is written."""


@dataclass
class Cluster:
    """An Aurora PostgreSQL cluster: one server, whatever its number of instances."""

    arn: str
    region: str
    account_id: str
    identifier: str
    folder: str
    """The server's directory below the part's."""
    engine_version: str = ""
    port: int = endpoints.PORT
    master_username: str = ""
    master_verifier: str = ""
    """SCRAM-SHA-256; the password itself is never kept."""
    database_name: str = ""
    instances: dict[str, str] = field(default_factory=dict)
    """instance identifier → class"""
    min_capacity: float | None = None
    max_capacity: float | None = None
    provisioned: bool = False
    """The master user and the first database were made. A secondary's come with the copy."""
    retention_days: int = 1
    """Days that its automated backups are kept."""
    away_until: float = 0.0
    """Lab time until which a failover inside its region keeps it from answering."""
    rebooting: dict[str, float] = field(default_factory=dict)
    """instance identifier → lab time until which it reboots"""
    is_stale: bool = False
    """It was the writer when another cluster was promoted without it: its volume holds what the
    other never got, and is replaced."""
    is_unfenced: bool = False
    """It was not kept from writing when another cluster was promoted."""

    @property
    def slot(self) -> str:
        """Its replication slot on the primary that it follows."""
        return self.folder.replace("-", "_")

    @property
    def max_connections(self) -> int:
        """By the smallest of its instances' classes."""
        classes = self.instances.values() or [DEFAULT_CLASS]
        return min(max_connections(name, self.max_capacity, self.min_capacity) for name in classes)

    @property
    def cluster_endpoint(self) -> str:
        """Its writer's host name."""
        return endpoints.cluster_endpoint(self.identifier, self.account_id, self.region)

    @property
    def reader_endpoint(self) -> str:
        """Its readers' host name."""
        return endpoints.reader_endpoint(self.identifier, self.account_id, self.region)

    def instance_endpoint(self, instance: str) -> str:
        """One instance's host name."""
        return endpoints.instance_endpoint(instance, self.account_id, self.region)


@dataclass
class GlobalDatabase:
    """A global cluster: ``members`` are ARNs, ``writer`` one of them or empty."""

    identifier: str
    account_id: str
    writer: str = ""
    members: list[str] = field(default_factory=list)
    status: str = AVAILABLE
    failover_state: dict[str, Any] = field(default_factory=dict)
    endpoint_writer: str = ""
    """The member that the global writer endpoint leads to; empty: the writer."""

    @property
    def endpoint(self) -> str:
        """The global writer endpoint."""
        return endpoints.global_endpoint(self.identifier, self.account_id)


@dataclass
class Snapshot:
    """A DB cluster snapshot that holds a cluster's volume."""

    identifier: str
    region: str
    account_id: str
    cluster_identifier: str
    engine_version: str
    port: int
    master_username: str
    folder: str
    """The volume's directory below the part's."""
    created: float
    """Lab time, seconds since the epoch."""
    expires: float = 0.0
    """Lab time; 0: never."""
    source: str = ""
    """ARN of the snapshot that it was copied from."""

    @property
    def arn(self) -> str:
        """arn:aws:rds:REGION:ACCOUNT:cluster-snapshot:ID"""
        return f"arn:aws:rds:{self.region}:{self.account_id}:cluster-snapshot:{self.identifier}"


@dataclass
class Topology:
    """All of it; ``save`` before it counts."""

    path: Path
    clusters: dict[str, Cluster] = field(default_factory=dict)
    """ARN → cluster"""
    globals: dict[str, GlobalDatabase] = field(default_factory=dict)
    """global cluster identifier → global database"""
    snapshots: list[Snapshot] = field(default_factory=list)
    subscriptions: list[dict[str, Any]] = field(default_factory=list)
    """Event subscriptions, as DescribeEventSubscriptions answers them, with their ``Region``."""
    events: list[dict[str, Any]] = field(default_factory=list)
    """The newest events, as DescribeEvents answers them, with their ``Region``."""
    next_folder: int = 1

    @classmethod
    def load(cls, path: Path) -> Topology:
        """From ``path``; empty where there is no such file."""
        topology = cls(path)
        if path.exists():
            stored = json.loads(path.read_text())
            topology.clusters = {c["arn"]: Cluster(**c) for c in stored["clusters"]}
            topology.globals = {g["identifier"]: GlobalDatabase(**g) for g in stored["globals"]}
            topology.next_folder = stored["next_folder"]
            topology.snapshots = [Snapshot(**s) for s in stored.get("snapshots", ())]
            topology.subscriptions = list(stored.get("subscriptions", ()))
            topology.events = list(stored.get("events", ()))
        return topology

    def save(self) -> None:
        """Writes it, readable by its owner alone, replaced whole. Changes of the fleet save off the
        event loop, events on it: one after the other, so that the newest is what stays."""
        with SAVING:
            stored = {
                "clusters": [asdict(cluster) for cluster in list(self.clusters.values())],
                "globals": [asdict(database) for database in list(self.globals.values())],
                "next_folder": self.next_folder,
                "snapshots": [asdict(snapshot) for snapshot in list(self.snapshots)],
                "subscriptions": self.subscriptions,
                "events": self.events,
            }
            write_atomically(self.path, json.dumps(stored, indent=1))

    def add_cluster(self, region: str, made: dict[str, Any]) -> Cluster:
        """Takes up a cluster as RDS describes it."""
        arn = made["DBClusterArn"]
        cluster = Cluster(
            arn=arn,
            region=region,
            account_id=arn.split(":")[4],
            identifier=made["DBClusterIdentifier"],
            folder=self.new_folder(region),
            engine_version=made.get("EngineVersion", ""),
            port=made.get("Port") or endpoints.PORT,
            master_username=made.get("MasterUsername", ""),
            database_name=made.get("DatabaseName", ""),
        )
        self.clusters[arn] = cluster
        return cluster

    def add_global(self, made: dict[str, Any]) -> GlobalDatabase:
        """Takes up a global cluster as RDS describes it, with those members that are known."""
        account_id = made["GlobalClusterArn"].split(":")[4]
        database = GlobalDatabase(made["GlobalClusterIdentifier"], account_id)
        for member in made.get("GlobalClusterMembers") or ():
            if member["DBClusterArn"] in self.clusters:
                database.members.append(member["DBClusterArn"])
                if member.get("IsWriter"):
                    database.writer = member["DBClusterArn"]
        self.globals[database.identifier] = database
        return database

    def new_folder(self, region: str) -> str:
        """A directory name that was never used."""
        folder = f"{region}-{self.next_folder}"
        self.next_folder += 1
        return folder

    def named(self, region: str, identifier: str) -> Cluster | None:
        """A region's cluster by its identifier."""
        return next(
            (
                cluster
                for cluster in list(self.clusters.values())
                if cluster.region == region and cluster.identifier == identifier
            ),
            None,
        )

    def find(self, region: str, identifier: str) -> Cluster | None:
        """By ARN, wherever it is; by name in the region that was asked."""
        return self.clusters.get(identifier) or self.named(region, identifier)

    def members_of(self, identifier: str) -> list[Cluster]:
        """The clusters of a global database, by its identifier; none of one that isn't known."""
        database = self.globals.get(identifier)
        return [self.clusters[arn] for arn in database.members] if database else []

    def global_of(self, arn: str) -> GlobalDatabase | None:
        """The global database that a cluster is a member of."""
        return next((g for g in list(self.globals.values()) if arn in g.members), None)

    def writer_of(self, cluster: Cluster) -> Cluster | None:
        """The cluster that ``cluster`` follows; None when it is a writer itself."""
        database = self.global_of(cluster.arn)
        if database is None or database.writer in {"", cluster.arn}:
            return None
        return self.clusters.get(database.writer)

    def cluster_of_instance(self, region: str, instance: str) -> Cluster | None:
        """The cluster that an instance belongs to."""
        return next(
            (
                c
                for c in list(self.clusters.values())
                if c.region == region and instance in c.instances
            ),
            None,
        )

    def host_names(self) -> dict[str, int]:
        """Every endpoint that exists now, with its port."""
        names: dict[str, int] = {}
        for cluster in list(self.clusters.values()):
            names[cluster.cluster_endpoint] = cluster.port
            names[cluster.reader_endpoint] = cluster.port
            for instance in cluster.instances:
                names[cluster.instance_endpoint(instance)] = cluster.port
        for database in list(self.globals.values()):
            writer = self.clusters.get(database.writer)
            names[database.endpoint] = writer.port if writer else endpoints.PORT
        return names

    def resolve(self, host: str) -> Cluster | None:
        """The cluster that an endpoint leads to now; None where AWS has no answer in DNS: an
        unknown name, a cluster without instances, the writer endpoint of a secondary."""
        for database in list(self.globals.values()):
            if host == database.endpoint:
                leads_to = database.endpoint_writer or database.writer
                return self._with_instances(self.clusters.get(leads_to))
        for cluster in list(self.clusters.values()):
            if host == cluster.cluster_endpoint:
                writes = cluster.is_unfenced or self.writer_of(cluster) is None
                return self._with_instances(cluster) if writes else None
            if host == cluster.reader_endpoint:
                return self._with_instances(cluster)
            if host in map(cluster.instance_endpoint, cluster.instances):
                return cluster
        return None

    @staticmethod
    def _with_instances(cluster: Cluster | None) -> Cluster | None:
        return cluster if cluster and cluster.instances else None
