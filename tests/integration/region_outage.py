"""One outage from the healthy system to the healthy system, held against what is promised."""

from __future__ import annotations

import time
from dataclasses import dataclass

from application_client import until
from botocore.exceptions import ClientError
from deployed_lab import Lab
from traffic import Load, front_door_of, records, served_by

from lab import client

EAST, WEST = "us-east-1", "us-west-2"
ROLES = {EAST: "primary", WEST: "secondary"}
SERVES_AGAIN_SECONDS = 60.0
SYNC_SECONDS = 90.0
CLOCK_ERROR_SECONDS = 1.0
"""Between an acknowledgement, the client's own clock reading, and the last lag sample."""


@dataclass(frozen=True)
class Outage:
    """``part`` is api, compute, database, peering, replication or None for all of it."""

    region: str
    part: str | None

    @property
    def kills_database(self) -> bool:
        """Whether the region's database dies."""
        return self.part in (None, "database")


@dataclass(frozen=True)
class Report:
    """What one outage did. Seconds are real ones; the lab's clock is the caller's business."""

    writes_again: float
    lost: int
    unexcused: int
    """Acknowledged records that are gone though they were older than the lag at the kill."""
    lag_ms: float
    in_sync: bool


def writer_region(lab: Lab) -> str:
    """Who writes, by the truth of describe_global_clusters."""
    for region in (WEST, EAST):
        try:
            found = lab.client("rds", region).describe_global_clusters()["GlobalClusters"][0]
        except ClientError:
            continue
        for member in found["GlobalClusterMembers"]:
            if member["IsWriter"]:
                return member["DBClusterArn"].split(":")[3]
    return ""


def lag_ms(lab: Lab) -> float:
    """The largest RPO lag of the last sampled minutes; 0 where none was measured."""
    now = client.status(lab.state_dir)
    cluster = lab.outputs["data.secondary.cluster_identifier"]
    answer = lab.client("cloudwatch", WEST).get_metric_statistics(
        Namespace="AWS/RDS",
        MetricName="AuroraGlobalDBRPOLag",
        Dimensions=[{"Name": "DBClusterIdentifier", "Value": cluster}],
        StartTime=0,
        EndTime=time.time() + 86400 * 365 * max(now.clock, 1),
        Period=60,
        Statistics=["Maximum"],
    )
    points = sorted(answer["Datapoints"], key=lambda point: point["Timestamp"])
    return max((point["Maximum"] for point in points[-2:]), default=0.0)


def fail_over(lab: Lab, to: str) -> None:
    """The disaster call, made in the surviving region."""
    rds = lab.client("rds", to)
    rds.failover_global_cluster(
        GlobalClusterIdentifier=lab.outputs["GlobalClusterId"],
        TargetDbClusterIdentifier=cluster_arn(lab, to),
        AllowDataLoss=True,
    )
    assert until(lambda: writer_region(lab) == to, 30), "the standby was not promoted"


def switch_over(lab: Lab, to: str) -> None:
    """The planned call, which needs both regions and loses nothing."""
    lab.client("rds", writer_region(lab)).switchover_global_cluster(
        GlobalClusterIdentifier=lab.outputs["GlobalClusterId"],
        TargetDbClusterIdentifier=cluster_arn(lab, to),
    )
    assert until(lambda: writer_region(lab) == to, 30), "the writer did not move"


def leave_to_people(lab: Lab) -> None:
    """Stops the recovery controllers, where a test moves the writer by hand: they would adopt what
    they find, and move the switch (tests/integration/global/test_recovery.py is theirs)."""
    for region in (EAST, WEST):
        lab.client("events", region).disable_rule(Name=f"rule-recovery-{region}-lab")


def cluster_arn(lab: Lab, region: str) -> str:
    """The ARN of a region's member cluster."""
    name = lab.outputs[f"data.{ROLES[region]}.cluster_identifier"]
    return f"arn:aws:rds:{region}:000000000000:cluster:{name}"


def endure(lab: Lab, load: Load, outage: Outage) -> Report:
    """Begins the outage under load, fails the database over when it's hit, ends it, brings the
    writer home, and waits for both regions to hold the same."""
    door = front_door_of(lab)
    assert until(lambda: load.written_since(time.monotonic() - 1) > 0, SERVES_AGAIN_SECONDS), (
        f"{outage}: nothing is written before it"
    )
    lag = lag_ms(lab)
    killed = time.monotonic()
    client.outage(lab.state_dir, outage.region, outage.part)
    fails_over = outage.kills_database and outage.region == EAST
    if fails_over:
        fail_over(lab, WEST)
    promoted = time.monotonic()
    assert until(
        lambda: load.written_since(max(promoted, time.monotonic() - 1)) > 0 and served_by(door),
        SERVES_AGAIN_SECONDS,
    ), f"{outage}: the front door doesn't serve again"
    restored = time.monotonic()
    client.restore(lab.state_dir, outage.region)
    in_sync = bool(until(lambda: _same_in_both(lab, load), SYNC_SECONDS))
    kept = until(lambda: _readable(lab, "primary"), SERVES_AGAIN_SECONDS)
    assert kept is not None, f"{outage}: us-east-1's records can't be read"
    lost = {key: at for key, at in load.before(restored).items() if key not in kept}
    # Only a failover may lose something: what the standby hadn't received when the writer died.
    oldest = killed - lag / 1000 - CLOCK_ERROR_SECONDS if fails_over else promoted
    if writer_region(lab) != EAST:
        switch_over(lab, EAST)
    assert until(lambda: served_by(door) == EAST, SERVES_AGAIN_SECONDS), f"{outage}: no way home"
    return Report(
        writes_again=restored - killed,
        lost=len(lost),
        unexcused=sum(not oldest <= at < promoted for at in lost.values()),
        lag_ms=lag,
        in_sync=in_sync,
    )


def _readable(lab: Lab, role: str) -> set[str] | None:
    """The ids of all records through one region, or None while they can't be read."""
    try:
        return records(lab, role)
    except (ConnectionError, OSError):
        return None


def _same_in_both(lab: Lab, load: Load) -> bool:
    """Whether what was acknowledged half a second ago or earlier is the same in both regions."""
    settled = set(load.before(time.monotonic() - 0.5))
    east, west = _readable(lab, "primary"), _readable(lab, "secondary")
    return east is not None and west is not None and east & settled == west & settled
