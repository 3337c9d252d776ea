"""DB cluster snapshots that hold a volume: those that RDS makes of an old writer, and copies."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lab.api import ApiRefusal, ApiRequest, ApiResponse, CallNext
from lab.clock import Clock
from lab.database.topology import ENGINE, Cluster, Snapshot, Topology

PREFIX = "rds:unplanned-global-failover-"
"""Aurora user guide, "Performing managed failovers for Aurora global databases"."""
DAY = 86_400.0


class Snapshots:
    """Keeps volumes below ``directory``, each in a folder of its own."""

    def __init__(self, directory: Path, topology: Topology, clock: Clock) -> None:
        self._directory, self._topology, self._clock = directory, topology, clock

    # -- volumes; off the event loop ---------------------------------------------------------------

    def keep_volume(self, cluster: Cluster, data: Path) -> None:
        """Makes the snapshot of an old writer out of its data directory, which is gone then."""
        now = self._clock.now()
        at = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d-%H-%M-%S")
        name = f"{PREFIX}{cluster.identifier}-{at}"
        folder = self._topology.new_folder(f"snapshot-{cluster.region}")
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        made = Snapshot(
            identifier=name,
            region=cluster.region,
            account_id=cluster.account_id,
            cluster_identifier=cluster.identifier,
            engine_version=cluster.engine_version,
            port=cluster.port,
            master_username=cluster.master_username,
            folder=folder,
            created=now,
            expires=now + cluster.retention_days * DAY,
        )
        # First the record: a lab that is killed in between finds the data where it was and keeps it
        # then; a folder without a record would be swept away, and the tail with it.
        self._topology.snapshots.append(made)
        self._topology.save()
        try:
            data.rename(self._directory / folder)
        except OSError:
            self._topology.snapshots.remove(made)
            self._topology.save()
            raise

    def sweep(self) -> None:
        """Removes what has expired, records whose folder was never made, and folders that belong to
        no snapshot."""
        now = self._clock.now()
        kept = [
            snapshot
            for snapshot in self._topology.snapshots
            if (not snapshot.expires or snapshot.expires > now) and self.volume(snapshot).exists()
        ]
        if len(kept) < len(self._topology.snapshots):
            self._topology.snapshots = kept
            self._topology.save()
        if self._directory.exists():
            folders = {snapshot.folder for snapshot in kept}
            for path in self._directory.iterdir():
                if path.name not in folders:
                    shutil.rmtree(path, ignore_errors=True)

    def forget(self, cluster: Cluster) -> None:
        """A cluster is deleted: its automated snapshots go with it."""
        self._topology.snapshots = [
            snapshot
            for snapshot in self._topology.snapshots
            if not snapshot.expires
            or (snapshot.region, snapshot.cluster_identifier)
            != (cluster.region, cluster.identifier)
        ]
        self._topology.save()
        self.sweep()

    def find(self, region: str, name: str) -> Snapshot | None:
        """A region's snapshot by its identifier or ARN."""
        return next(
            (
                snapshot
                for snapshot in self._topology.snapshots
                if snapshot.region == region and name in (snapshot.identifier, snapshot.arn)
            ),
            None,
        )

    def volume(self, snapshot: Snapshot) -> Path:
        """The data directory that it keeps."""
        return self._directory / snapshot.folder

    # -- the API -----------------------------------------------------------------------------------

    async def describe(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        """DescribeDBClusterSnapshots: the emulator's records, and those with a volume."""
        given = request.parameters
        named = given.get("DBClusterSnapshotIdentifier", "")
        if found := self.find(request.region, named):
            return ApiResponse({"DBClusterSnapshots": [_described(found)]})
        response = await call_next(request)
        if response.ok and not named:
            response.result = {
                **response.result,
                "DBClusterSnapshots": [
                    *response.result.get("DBClusterSnapshots", ()),
                    *(_described(s) for s in self._matching(request.region, given)),
                ],
            }
        return response

    async def copy(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        """CopyDBClusterSnapshot: a manual one, which never expires."""
        given = request.parameters
        source = self.find(request.region, given["SourceDBClusterSnapshotIdentifier"])
        name = given["TargetDBClusterSnapshotIdentifier"]
        if source is None:
            return await call_next(request)
        if self.find(request.region, name) is not None:
            raise ApiRefusal(
                "DBClusterSnapshotAlreadyExistsFault",
                f"Cannot create the snapshot because a snapshot with the identifier {name} "
                "already exists.",
            )
        made = Snapshot(
            **{**vars(source), "identifier": name, "expires": 0.0, "source": source.arn}
        )
        made.folder = self._topology.new_folder(f"snapshot-{made.region}")
        made.created = self._clock.now()
        # Files of a snapshot never change: the copy shares them.
        shutil.copytree(
            self._directory / source.folder, self._directory / made.folder, copy_function=os.link
        )
        self._topology.snapshots.append(made)
        self._topology.save()
        return ApiResponse({"DBClusterSnapshot": _described(made)})

    async def delete(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        """DeleteDBClusterSnapshot: manual ones only."""
        name = request.parameters["DBClusterSnapshotIdentifier"]
        found = self.find(request.region, name)
        if found is None:
            return await call_next(request)
        if found.expires:
            raise ApiRefusal(
                "InvalidDBClusterSnapshotStateFault",
                f"Only manual snapshots may be deleted; {name} is an automated one.",
            )
        self._topology.snapshots.remove(found)
        self._topology.save()
        shutil.rmtree(self._directory / found.folder, ignore_errors=True)
        return ApiResponse({"DBClusterSnapshot": {**_described(found), "Status": "deleted"}})

    def _matching(self, region: str, given: Mapping[str, Any]) -> list[Snapshot]:
        cluster = given.get("DBClusterIdentifier", "").rpartition(":")[2]
        kind = given.get("SnapshotType")
        return [
            snapshot
            for snapshot in self._topology.snapshots
            if snapshot.region == region
            and cluster in ("", snapshot.cluster_identifier)
            and kind in (None, _kind(snapshot))
        ]


def _kind(snapshot: Snapshot) -> str:
    return "automated" if snapshot.expires else "manual"


def _described(snapshot: Snapshot) -> dict[str, Any]:
    described = {
        "DBClusterSnapshotIdentifier": snapshot.identifier,
        "DBClusterSnapshotArn": snapshot.arn,
        "DBClusterIdentifier": snapshot.cluster_identifier,
        "SnapshotCreateTime": datetime.fromtimestamp(snapshot.created, UTC),
        "Engine": ENGINE,
        "EngineVersion": snapshot.engine_version,
        "Status": "available",
        "Port": snapshot.port,
        "MasterUsername": snapshot.master_username,
        "SnapshotType": _kind(snapshot),
        "PercentProgress": 100,
        "StorageEncrypted": True,
        "TagList": [],
    }
    if snapshot.source:
        described["SourceDBClusterSnapshotArn"] = snapshot.source
    return described
