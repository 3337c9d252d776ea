"""Port ``Rds``: the call that promotes, and the copy of what the old volume still held."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from recovery import failover_call
from recovery.describe import global_cluster
from recovery.model import Called
from recovery.ports import UnavailableError
from recovery.stored import error_code

SYSTEM_SNAPSHOT = "rds:unplanned-global-failover-"
"""How AWS names what it saves of a volume before it is replaced (recovery.md 1.4)."""
ABSENT = "absent"
EXISTS = "DBClusterSnapshotAlreadyExistsFault"


class Rds(failover_call.Rds, Protocol):
    """What is used of boto3's RDS client; its retries are off."""

    def describe_db_clusters(self, **arguments: Any) -> Mapping[str, Any]:
        """Clusters of the client's region."""
        ...

    def describe_global_clusters(self, **arguments: Any) -> Mapping[str, Any]:
        """Global clusters."""
        ...

    def describe_db_cluster_snapshots(self, **arguments: Any) -> Mapping[str, Any]:
        """Snapshots of the client's region."""
        ...

    def copy_db_cluster_snapshot(self, **arguments: Any) -> Mapping[str, Any]:
        """Begins a manual copy."""
        ...


@dataclass(frozen=True)
class Promoting:
    """``peer_client`` is RDS of the other region, where the old volume is."""

    client: Rds
    peer_client: Rds
    global_cluster: str
    own_arn: str
    peer_cluster: str
    """The other region's cluster, by its identifier."""

    def fail_over(self) -> Called:
        """Promotes the own cluster, with data loss allowed; one call."""
        return failover_call.fail_over(self.client, self.global_cluster, self.own_arn)

    def copy_snapshot(self, since: int) -> str:
        """Copies the newest system snapshot that was made of the old volume in the minute
        ``since`` or later to a manual one: an earlier one is of an earlier promotion.

        AWS makes it when the lost region returns, or doesn't: there is none where the region is
        back in the global cluster and none is found. Raises ``UnavailableError`` until one of the
        two is known. The copy's name follows from the snapshot's, so a repeated call finds it.
        """
        try:
            source = self._system_snapshot(since)
            if source is None:
                return self._none_yet()
            return self._copy(source)
        except UnavailableError:
            raise
        except Exception as fault:
            raise UnavailableError(f"the old volume's snapshot: {error_code(fault)}") from fault

    def _system_snapshot(self, since: int) -> str | None:
        answer = self.peer_client.describe_db_cluster_snapshots(
            DBClusterIdentifier=self.peer_cluster, SnapshotType="automated"
        )
        found: Sequence[Mapping[str, Any]] = answer["DBClusterSnapshots"]
        ours = [
            one for one in found
            if str(one["DBClusterSnapshotIdentifier"]).startswith(SYSTEM_SNAPSHOT)
            and one["SnapshotCreateTime"].timestamp() >= since * 60
        ]  # fmt: skip
        if not ours:
            return None
        newest = max(ours, key=lambda one: str(one["DBClusterSnapshotIdentifier"]))
        if newest.get("Status") != "available":
            raise UnavailableError("the old volume's snapshot isn't complete yet")
        return str(newest["DBClusterSnapshotIdentifier"])

    def _none_yet(self) -> str:
        seen = global_cluster(self.client, self.global_cluster, self.own_arn)
        if seen.peer_connected and not seen.failover_state:
            return ABSENT
        raise UnavailableError("the old volume has no snapshot yet: its region isn't back")

    def _copy(self, source: str) -> str:
        name = f"lost-tail-{source.removeprefix('rds:')}"
        try:
            copied = self.peer_client.copy_db_cluster_snapshot(
                SourceDBClusterSnapshotIdentifier=source,
                TargetDBClusterSnapshotIdentifier=name,
                CopyTags=True,
            )["DBClusterSnapshot"]
        except Exception as fault:
            if error_code(fault) != EXISTS:
                raise
            copied = self.peer_client.describe_db_cluster_snapshots(
                DBClusterSnapshotIdentifier=name
            )["DBClusterSnapshots"][0]
        return str(copied["DBClusterSnapshotArn"])
