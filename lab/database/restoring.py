"""RestoreDBClusterFromSnapshot: a cluster of its own on a copy of a kept volume."""

from __future__ import annotations

import secrets
import shutil

from lab.api import ApiRequest, ApiResponse, CallNext
from lab.context import LabContext
from lab.database.fleet import Fleet
from lab.database.runner import Runner
from lab.database.snapshots import Snapshots
from lab.database.topology import ENGINE, Cluster, Snapshot, Topology

PASSED_ON = (
    "DBClusterIdentifier", "DBSubnetGroupName", "VpcSecurityGroupIds", "Port", "KmsKeyId",
    "ServerlessV2ScalingConfiguration", "DBClusterParameterGroupName", "DeletionProtection", "Tags",
)  # fmt: skip
"""What a restored cluster has by the call; credentials and data come with the snapshot."""
PROCESS_FILE = "postmaster.pid"


class Restoring:
    """Makes clusters out of snapshots."""

    def __init__(
        self,
        lab: LabContext,
        topology: Topology,
        fleet: Fleet,
        runner: Runner,
        snapshots: Snapshots,
    ) -> None:
        self._lab, self._topology, self._fleet = lab, topology, fleet
        self._runner, self._snapshots = runner, snapshots

    async def restore(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        """Answers when the cluster exists; it has no instance yet, as in AWS."""
        given = request.parameters
        kept = self._snapshots.find(request.region, given.get("SnapshotIdentifier", ""))
        if kept is None:
            return await call_next(request)
        created = await self._lab.aws.call(
            "rds",
            request.region,
            "CreateDBCluster",
            Engine=ENGINE,
            EngineVersion=kept.engine_version,
            MasterUsername=kept.master_username,
            # The emulator wants one; the restored volume has its own.
            MasterUserPassword=secrets.token_urlsafe(24),
            StorageEncrypted=True,
            **{name: given[name] for name in PASSED_ON if name in given},
        )
        made = created["DBCluster"]
        await self._runner.change(lambda: self._add(kept, request.region, made))
        return ApiResponse({"DBCluster": made})

    def _add(self, kept: Snapshot, region: str, made: dict[str, object]) -> None:
        cluster = self._topology.add_cluster(region, made)
        self._fill(cluster, kept)
        cluster.provisioned = True
        self._topology.save()

    def _fill(self, cluster: Cluster, kept: Snapshot) -> None:
        server = self._fleet.server(cluster)
        server.prepare_directory()
        shutil.copytree(self._snapshots.volume(kept), server.data)
        (server.data / PROCESS_FILE).unlink(missing_ok=True)
        for path in (server.data, *server.data.rglob("*")):
            server.run_as.own(path)
