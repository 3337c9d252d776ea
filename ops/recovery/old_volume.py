"""The old volume, restored beside from its snapshot for as long as it is compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ops.cloud.answers import reason
from ops.errors import OperatorError
from ops.recovery.place import Place, World
from tapstack.naming import physical_name
from tapstack.well_known import PROJECT, SNAPSHOT_TAG, SUFFIX_TAG

PURPOSE = "lost-tail"
READY_SECONDS = 3600.0
"""Longest wait for AWS to restore a volume and start an instance."""
PAUSE_SECONDS = 2.0
AVAILABLE = "available"
MISSING = ("DBClusterNotFoundFault", "DBInstanceNotFound", "DBInstanceNotFoundFault")

Report = Callable[[str], None]


@contextmanager
def restored(world: World, place: Place, snapshot: str, report: Report) -> Iterator[str]:
    """The endpoint of a temporary cluster in the lost region; it is deleted afterwards.

    A cluster that an earlier run left is taken up; one of another snapshot, which would hide what
    was lost, is deleted instead. Raises ``OperatorError``.
    """
    volume = _OldVolume(world, place)
    try:
        report(f"restore    {snapshot.rpartition(':')[2]} beside, as {volume.cluster}")
        volume.make(snapshot)
        yield volume.endpoint()
        report(f"delete     {volume.cluster}")
        volume.delete()
    except (ClientError, BotoCoreError) as fault:
        raise OperatorError(
            f"the old volume in {place.region}: {reason(fault)}; run the same again to resume"
        ) from fault


class _OldVolume:
    def __init__(self, world: World, place: Place) -> None:
        self._world, self._place, self._rds = world, place, place.rds
        suffix = world.file.settings.suffix
        self._suffix = suffix
        self.cluster = physical_name("aurora-cluster", PURPOSE, place.region, suffix)
        self._instance = physical_name("aurora-instance", PURPOSE, place.region, suffix)

    def make(self, snapshot: str) -> None:
        """In the lost cluster's own network, with its key and parameters."""
        like = self._cluster(self._place.environment.cluster)
        if like is None:
            raise OperatorError(f"{self._place.environment.cluster} isn't there: restore by hand")
        tags = [
            {"Key": "Project", "Value": PROJECT},
            {"Key": SUFFIX_TAG, "Value": self._suffix},
            {"Key": SNAPSHOT_TAG, "Value": snapshot},
        ]
        left = self._cluster(self.cluster)
        if left is not None:
            self._check_origin(left, snapshot)
        else:
            optional = {
                "KmsKeyId": like.get("KmsKeyId"),
                "ServerlessV2ScalingConfiguration": like.get("ServerlessV2ScalingConfiguration"),
                "DBClusterParameterGroupName": like.get("DBClusterParameterGroup"),
            }
            self._rds.restore_db_cluster_from_snapshot(
                DBClusterIdentifier=self.cluster,
                SnapshotIdentifier=snapshot,
                Engine=like["Engine"],
                DBSubnetGroupName=like["DBSubnetGroup"],
                VpcSecurityGroupIds=[
                    group["VpcSecurityGroupId"] for group in like["VpcSecurityGroups"]
                ],
                Port=like["Port"],
                Tags=tags,
                **{name: value for name, value in optional.items() if value},
            )
        if self._find_instance(self._instance) is None:
            member = like["DBClusterMembers"][0]["DBInstanceIdentifier"]
            found = self._find_instance(member) or {}
            self._rds.create_db_instance(
                DBInstanceIdentifier=self._instance,
                DBClusterIdentifier=self.cluster,
                DBInstanceClass=found.get("DBInstanceClass", "db.serverless"),
                Engine=like["Engine"],
                Tags=tags,
            )

    def _check_origin(self, left: Mapping[str, Any], snapshot: str) -> None:
        tags = {tag["Key"]: tag["Value"] for tag in left.get("TagList", ())}
        if (origin := tags.get(SNAPSHOT_TAG, "another snapshot")) != snapshot:
            self.delete()
            raise OperatorError(
                f"{self.cluster} was left by another reconciliation and holds {origin}: it is "
                "being deleted, run the same again in a few minutes"
            )

    def endpoint(self) -> str:
        """Its endpoint, once cluster and instance are available."""
        deadline = self._world.now() + READY_SECONDS
        while True:
            cluster, instance = self._cluster(self.cluster), self._find_instance(self._instance)
            found = (cluster or {}).get("Status"), (instance or {}).get("DBInstanceStatus")
            if cluster is not None and found == (AVAILABLE, AVAILABLE):
                return str(cluster["Endpoint"])
            if self._world.now() > deadline:
                raise OperatorError(
                    f"{self.cluster} isn't available after {READY_SECONDS:.0f} s: run the same "
                    "again to keep waiting"
                )
            self._world.sleep(PAUSE_SECONDS)

    def delete(self) -> None:
        """The copy of the snapshot stays."""
        if self._find_instance(self._instance) is not None:
            self._rds.delete_db_instance(
                DBInstanceIdentifier=self._instance, SkipFinalSnapshot=True
            )
        self._rds.delete_db_cluster(DBClusterIdentifier=self.cluster, SkipFinalSnapshot=True)

    def _cluster(self, name: str) -> Mapping[str, Any] | None:
        return _found(
            lambda: self._rds.describe_db_clusters(DBClusterIdentifier=name)["DBClusters"]
        )

    def _find_instance(self, name: str) -> Mapping[str, Any] | None:
        return _found(
            lambda: self._rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"]
        )


def _found(ask: Callable[[], list[Mapping[str, Any]]]) -> Mapping[str, Any] | None:
    try:
        return ask()[0]
    except ClientError as fault:
        if reason(fault) in MISSING:
            return None
        raise
