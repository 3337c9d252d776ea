"""What outages and faults of the lab mean for the servers."""

from __future__ import annotations

import math
from pathlib import Path

from lab.context import LabContext
from lab.database.snapshots import Snapshots
from lab.database.topology import Cluster, Topology
from lab.faults import Fault
from lab.outage import Mode, OutageKind

SLOW_REPLICATION_SECONDS = 60.0
"""Lab seconds that a slow replication is behind."""
AWAY_SECONDS = 60.0
"""Lab seconds of a failover inside a region to a second instance, at most ("High availability for
Amazon Aurora", Aurora user guide)."""
ALONE_SECONDS = 600.0
"""Where there is no second one and the instance is made anew, at most."""

REBOOT_SECONDS = 30.0
"""Lab seconds for which an instance that reboots is shown so ("Rebooting an Amazon Aurora DB
cluster", Aurora user guide: its status is ``rebooting``; the time depends on recovery)."""


class Conditions:
    """Asked by the fleet and by the relays of its streams; off the event loop too."""

    def __init__(self, lab: LabContext, topology: Topology, snapshots: Snapshots) -> None:
        self._lab, self._topology, self._snapshots = lab, topology, snapshots
        self._loss = ""

    def has_lost(self, region: str, kind: OutageKind) -> bool:
        """As servers feel it: a database that hangs still runs, and replicates nothing."""
        outages = self._lab.outages
        if kind is OutageKind.DATABASE:
            return outages.mode(region, kind) is Mode.DOWN
        hangs = outages.mode(region, OutageKind.DATABASE) is Mode.HANG
        return outages.has_lost(region, kind) or (kind is OutageKind.REPLICATION and hangs)

    def lag(self, arn: str) -> float:
        """Lab seconds that a standby's WAL comes late. What is on its way to a cluster that was
        promoted never comes."""
        cluster = self._topology.clusters.get(arn)
        writer = self._topology.writer_of(cluster) if cluster else None
        if cluster is None or writer is None:
            return math.inf
        if cluster.region == writer.region:
            return 0.0
        late = self._lab.faults.seconds(Fault.REPLICATION_LAG)
        mode = self._lab.outages.between(cluster.region, writer.region, OutageKind.REPLICATION)
        if mode is Mode.SLOW:
            late = max(late, SLOW_REPLICATION_SECONDS)
        return self._lab.one_way_seconds + late

    def is_away(self, cluster: Cluster) -> bool:
        """Whether a failover inside its region keeps a cluster from answering."""
        return cluster.away_until > self._lab.clock.now()

    def fence_fails(self) -> bool:
        """Whether old writers can't be kept from writing."""
        return self._lab.faults.is_on(Fault.FENCE_TIMEOUT)

    def keep_volume(self, cluster: Cluster, data: Path) -> None:
        """Makes the snapshot of an old writer's volume, unless that fails."""
        if not self._lab.faults.is_on(Fault.SNAPSHOT_FAILS):
            self._snapshots.keep_volume(cluster, data)

    def lose_instances(self) -> None:
        """Follows the fault ``instance-loss``: its region's writers are away from its beginning,
        for as long as Aurora takes, or until it is turned off."""
        faults = self._lab.faults
        before, self._loss = self._loss, str(faults.value(Fault.INSTANCE_LOSS) or "")
        if before == self._loss:
            return
        for cluster in self._topology.clusters.values():
            if self._topology.writer_of(cluster) is not None:
                continue
            if cluster.region == self._loss:
                lasts = AWAY_SECONDS if len(cluster.instances) > 1 else ALONE_SECONDS
                cluster.away_until = faults.since(Fault.INSTANCE_LOSS) + lasts
            elif cluster.region == before:
                cluster.away_until = 0.0
