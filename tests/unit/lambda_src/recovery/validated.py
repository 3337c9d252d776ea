"""Facts of an environment in which a failover would work."""

from __future__ import annotations

from recovery.facts import Crossing, Facts, Member, Missing, Standing
from recovery.observation import GlobalCluster, Reader, Witness
from recovery.parameter_plan import Setting

NOW = 1_800_000_000.0
DAY = 24 * 3600
SILENT = Missing("nobody answers", asked=False)
REFUSED = Missing("AccessDenied", asked=True)


def member(
    *, writer: bool, version: str = "16.8", available: int = 1, age: float = 30 * DAY
) -> Member:
    """A cluster of one instance."""
    return Member(version, ("db.r6g.large",), available, "", NOW - age, writer)


READY = Facts(
    region="us-west-2",
    peer="us-east-1",
    now=NOW,
    own=member(writer=False),
    other=member(writer=True),
    global_cluster=GlobalCluster(True, False, True, True),
    standing=Standing(armed=True, frozen_by=""),
    own_ready={},
    other_ready={},
    own_secrets={"token": "a", "application": "b"},
    other_secrets={"token": "a", "application": "b"},
    own_parameters={"epoch": Setting("1", NOW - DAY), "port": Setting("5432", NOW - DAY)},
    other_parameters={"epoch": Setting("1", NOW - DAY), "port": Setting("5432", NOW - DAY)},
    reader=Reader(1, 1, 1, lag_seconds=2, epoch=1),
    objects=Crossing(NOW - DAY, NOW, 1.5),
    events=Crossing(NOW - DAY, NOW, 0.5),
    own_quota=1000,
    other_quota=1000,
    denied=(),
    unarmed=(),
    witness=Witness.PRIMARY,
    subscriptions=1,
    backup=NOW - 3600,
)
"""As us-west-2's validator finds them while us-east-1 writes."""
