"""The truth: two regions, one Aurora global database, Route 53, and time in seconds.

Nothing here knows a controller. ``on`` holds the names of the faults that are active now; every
fact below derives from them, so that a timeline is a list of (name, from, to).
"""

from __future__ import annotations

from dataclasses import dataclass, field

EAST, WEST = "us-east-1", "us-west-2"
FIRST_MINUTE = 1_000_000
"""The scheduled minute in which every timeline begins."""
WITNESS_SECONDS = 115
"""From a dead load balancer to Route 53's changed answer."""


def other(region: str) -> str:
    """The other of the two regions."""
    return EAST if region == WEST else WEST


def _names(*faults: str) -> dict[str, frozenset[str]]:
    return {region: frozenset(f"{region} {fault}" for fault in faults) for region in (EAST, WEST)}


LOST, BALANCER, FLAPS = _names("lost"), _names("lost", "balancer down"), _names("flaps")
UNHEALTHY = _names("lost", "balancer down", "bad deploy")
DATABASE_FLAPS = _names("database flaps")
NO_DATABASE = _names("lost", "database lost", "database hangs", "restarts")
UNFIT = _names("without instance", "detached", "restarts")
UNUSABLE = frozenset({"credentials refused", "connections exhausted"})
UNPEERED = frozenset({"peering cut", *LOST[EAST], *LOST[WEST]})


@dataclass
class Process:
    """A failover that AWS has accepted; ``done`` in seconds."""

    target: str
    done: int


@dataclass
class Truth:
    """``volume`` is the newest second of the writer's history that a region holds.

    ``acknowledged`` is the newest second at which a client's write was acknowledged.
    """

    now: int = 0
    on: set[str] = field(default_factory=set)
    writer: str = EAST
    volume: dict[str, int] = field(default_factory=lambda: {EAST: 0, WEST: 0})
    epoch: dict[str, int] = field(default_factory=lambda: {EAST: 1, WEST: 1})
    acknowledged: int = 0
    process: Process | None = None
    switch: str = "released"
    red_since: dict[str, int] = field(default_factory=dict)
    accepted: list[tuple[int, str]] = field(default_factory=list)
    refused: list[tuple[int, str]] = field(default_factory=list)
    demoted_since: int = -1
    moved: int = -1
    lost_seconds: int = 0
    events: list[tuple[str, int]] = field(default_factory=list)
    promotion_seconds: int = 480
    by_hand: bool = False
    acknowledged_at_call: int = 0
    unfenced_seconds: int = 0
    """How long the old writer acknowledged writes after the call: AWS couldn't fence it."""
    wrong: list[str] = field(default_factory=list)

    @property
    def minute(self) -> int:
        """The scheduled minute that runs now."""
        return FIRST_MINUTE + self.now // 60

    def lost(self, region: str) -> bool:
        """Whether a whole region is down."""
        return not self.on.isdisjoint(LOST[region])

    def computes(self, region: str) -> bool:
        """Whether functions run there."""
        return not self.lost(region)

    def serves(self, region: str) -> bool:
        """Whether its load balancer answers, with any status."""
        return self.on.isdisjoint(BALANCER[region])

    def healthy(self, region: str) -> bool:
        """Whether its application answers 200."""
        return self.on.isdisjoint(UNHEALTHY[region]) and not self._flapping(FLAPS[region])

    def database(self, region: str) -> bool:
        """Whether its cluster's instances answer SQL."""
        down = not self.on.isdisjoint(NO_DATABASE[region])
        return not down and not self._flapping(DATABASE_FLAPS[region])

    def _flapping(self, fault: frozenset[str]) -> bool:
        """Whether a fault that comes and goes is active: two minutes of three."""
        return not self.on.isdisjoint(fault) and (self.now // 60) % 3 != 0

    def writes(self, region: str) -> bool:
        """Whether commits succeed on its cluster (its own heartbeat at least).

        AWS fences the old writer when a failover begins, where it can (recovery.md 1.5).
        """
        fenced = "unfenced" not in self.on
        if region == self.writer:
            return self.database(region) and not (self.process is not None and fenced)
        return not fenced and self.moved >= 0 and self.database(region)

    def replicates(self) -> bool:
        """Whether the writer's commits arrive on the other region's volume."""
        reader = other(self.writer)
        cut = "replication cut" in self.on or self.lost(reader) or self.demoted_since >= 0
        return self.writes(self.writer) and not cut and self.process is None

    def peered(self) -> bool:
        """Whether the regions reach each other over the peering."""
        return self.on.isdisjoint(UNPEERED)

    def reaches_writer(self, region: str) -> bool:
        """Whether an application there can use the writer."""
        near = region == self.writer or self.peered()
        return near and self.on.isdisjoint(UNUSABLE) and self.writes(self.writer)

    def red(self, region: str) -> bool:
        """What Route 53's checkers say of a load balancer."""
        since = self.red_since.get(region)
        return since is not None and self.now - since >= WITNESS_SECONDS

    def takes_client_writes(self) -> bool:
        """Whether some client's write is acknowledged by the writer's volume now."""
        east = self.healthy(EAST) and self.reaches_writer(EAST)
        moved = self.red(EAST) or self.switch == "engaged"
        west = moved and self.healthy(WEST) and self.reaches_writer(WEST)
        return east or west

    def advance(self, seconds: int) -> None:
        """Lets time pass; all faults stay as they are meanwhile."""
        end = self.now + seconds
        while self.now < end:
            done = self.process.done if self.process else end
            step = min(end, max(done, self.now + 1)) if self.process else end
            self._live(step)
            if self.process and self.now >= self.process.done:
                self._promoted()

    def _live(self, until: int) -> None:
        for region in (EAST, WEST):
            if self.healthy(region):
                self.red_since.pop(region, None)
            else:
                self.red_since.setdefault(region, self.now)
        replicates, writes = self.replicates(), self.writes(self.writer)
        takes = self.takes_client_writes()
        self.now = until
        if writes:
            self.volume[self.writer] = until
        if replicates:
            self.volume[other(self.writer)] = until
            self.epoch[other(self.writer)] = self.epoch[self.writer]
        if takes:
            self.acknowledged = until

    def fail_over(self, target: str) -> str:
        """AWS's answer to ``failover_global_cluster``: empty when accepted, else the fault."""
        fault = self._fault(target)
        if fault:
            self.refused.append((self.now, fault))
            return fault
        self._judge_promotion(target)
        self.accepted.append((self.now, target))
        self._begin(target)
        return ""

    def promote_by_hand(self, target: str) -> None:
        """A person's own call, which no controller is judged by."""
        if not self._fault(target):
            self.by_hand = True
            self._begin(target)

    def _begin(self, target: str) -> None:
        self.acknowledged_at_call = self.acknowledged
        self.process = Process(target, self.now + self.promotion_seconds)

    def _fault(self, target: str) -> str:
        if self.process is not None or "switchover" in self.on:
            return "InvalidGlobalClusterStateFault"
        unfit = not self.on.isdisjoint(UNFIT[target])
        if self.writer == target or unfit or "versions differ" in self.on:
            return "InvalidDBClusterStateFault"
        denied = self.on & {"promotion denied", "permission lost"}
        return "AccessDenied" if denied else ""

    def _judge_promotion(self, target: str) -> None:
        if self.replicates():
            self.wrong.append("the writer takes writes that replicate")
        if self.takes_client_writes() and self.healthy(other(target)):
            self.wrong.append("clients are served by the writer")
        if not self.serves(target):
            self.wrong.append("the target can't serve")

    def _promoted(self) -> None:
        assert self.process is not None
        target, self.process = self.process.target, None
        if "promotion fails" in self.on:
            self.events.append(("RDS-EVENT-0239", self.minute))
            return
        self.lost_seconds = max(0, self.acknowledged_at_call - self.volume[target])
        self.unfenced_seconds = self.acknowledged - self.acknowledged_at_call
        self.events.append(("RDS-EVENT-0238", self.minute))
        if "unfenced" in self.on:
            self.events.append(("RDS-EVENT-0391", self.minute))
        self.writer, self.demoted_since, self.moved = target, self.now, self.now

    def endpoint(self) -> str:
        """Where the global writer endpoint leads."""
        late = "endpoint late" in self.on and self.moved >= 0
        return other(self.writer) if late else self.writer

    def rejoin(self) -> None:
        """The demoted cluster is back on a new volume, with the writer's history."""
        self.demoted_since = -1
        self.volume[other(self.writer)] = self.volume[self.writer]
        self.epoch[other(self.writer)] = self.epoch[self.writer]
