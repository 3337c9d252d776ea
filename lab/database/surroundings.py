"""What the fleet asks of the lab around it. Called off the event loop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab.database.topology import Cluster
from lab.outage import OutageKind


@dataclass(frozen=True)
class Surroundings:
    """The defaults are a lab without faults."""

    has_lost: Callable[[str, OutageKind], bool]
    """Whether a region has lost a part, as servers feel it."""
    stream_port: Callable[[str], int | None] = lambda _arn: None
    """Standby's ARN → the port where it reaches its writer; None: the writer's own."""
    is_away: Callable[[Cluster], bool] = lambda _cluster: False
    """Whether a failover inside the cluster's region keeps it from answering."""
    fence_fails: Callable[[], bool] = lambda: False
    """Whether old writers can't be kept from writing."""
    keep_volume: Callable[[Cluster, Path], None] = lambda _cluster, _data: None
    """Take an old writer's data directory away; what is left of it is removed."""
    notify: Callable[[Cluster, str], None] = lambda _cluster, _event: None
    """An RDS event of a cluster has happened."""
