"""RestoreDBClusterFromSnapshot and RestoreDBClusterToPointInTime: clusters of their own, beside."""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from lab.api import ApiRefusal, ApiRequest, ApiResponse, CallNext
from lab.context import LabContext
from lab.database import origin
from lab.database.fleet import Fleet
from lab.database.runner import Runner
from lab.database.snapshots import Snapshots
from lab.database.topology import ENGINE, Cluster, Snapshot, Topology
from lab.errors import LabError

PASSED_ON = (
    "DBClusterIdentifier", "DBSubnetGroupName", "VpcSecurityGroupIds", "Port", "KmsKeyId",
    "ServerlessV2ScalingConfiguration", "DBClusterParameterGroupName", "DeletionProtection", "Tags",
)  # fmt: skip
"""What a restored cluster has by the call; credentials and data come with what is restored."""
PROCESS_FILE = "postmaster.pid"


class Restoring:
    """Makes clusters out of snapshots, and out of what a cluster was at a moment."""

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
        kept = self._snapshots.find(
            request.region, request.parameters.get("SnapshotIdentifier", "")
        )
        if kept is None:
            return await call_next(request)
        return await self._made(request, kept, lambda cluster: self._fill(cluster, kept))

    async def to_point_in_time(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        """The same of a cluster as it was at ``RestoreToTime``, or is now with
        ``UseLatestRestorableTime``."""
        given = request.parameters
        source = self._topology.find(request.region, given.get("SourceDBClusterIdentifier", ""))
        if source is None:
            return await call_next(request)
        moment = self._moment(given)
        server = self._fleet.server(source)
        try:
            held = await self._runner.blocking(lambda: origin.complete(server))
        except LabError as error:
            raise ApiRefusal("InvalidDBClusterStateFault", str(error)) from None
        return await self._made(
            request,
            source,
            lambda cluster: origin.recover(held, server, self._fleet.server(cluster), moment),
        )

    def _moment(self, given: dict[str, Any]) -> datetime | None:
        """The machine's time of the asked moment, which is lab time; None: the latest."""
        asked = given.get("RestoreToTime")
        if (asked is None) is not bool(given.get("UseLatestRestorableTime")):
            raise ApiRefusal(
                "InvalidParameterCombination",
                "Either RestoreToTime or UseLatestRestorableTime must be given.",
            )
        if asked is None:
            return None
        wanted = asked if isinstance(asked, datetime) else datetime.fromisoformat(str(asked))
        now = self._lab.clock.now()
        if wanted.timestamp() > now:
            raise ApiRefusal(
                "InvalidParameterValue",
                f"RestoreToTime {wanted.isoformat()} is later than the latest restorable time.",
            )
        return datetime.fromtimestamp(wanted.timestamp() - now + time.time(), UTC)

    async def _made(
        self, request: ApiRequest, source: Cluster | Snapshot, fill: Callable[[Cluster], None]
    ) -> ApiResponse:
        given = request.parameters
        created = await self._lab.aws.call(
            "rds",
            request.region,
            "CreateDBCluster",
            Engine=ENGINE,
            EngineVersion=source.engine_version,
            MasterUsername=source.master_username,
            # The emulator wants one; the restored volume has its own.
            MasterUserPassword=secrets.token_urlsafe(24),
            StorageEncrypted=True,
            **{name: given[name] for name in PASSED_ON if name in given},
        )
        made = created["DBCluster"]

        def add() -> None:
            cluster = self._topology.add_cluster(request.region, made)
            fill(cluster)
            cluster.provisioned = True
            self._topology.save()

        await self._runner.change(add)
        return ApiResponse({"DBCluster": made})

    def _fill(self, cluster: Cluster, kept: Snapshot) -> None:
        server = self._fleet.server(cluster)
        server.prepare_directory()
        shutil.copytree(self._snapshots.volume(kept), server.data)
        (server.data / PROCESS_FILE).unlink(missing_ok=True)
        origin.own_files(server)
