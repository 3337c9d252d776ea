"""A drill over the recovery simulator: the real controllers decide, clients meet the truth, and
what they were answered is the history that checker and judge get."""

from __future__ import annotations

from dataclasses import dataclass, field

from drill_histories import BUDGET, FACTS, request, written
from simulator.play import WARM_UP_MINUTES, Timeline, play
from simulator.truth import EAST, WEST, Truth, other

from ops.drill import measure
from ops.drill.checker import check
from ops.drill.history import Found, History, Operation, Outcome, Reading, Seen, What
from ops.drill.judge import Facts, Judgement, judge
from ops.drill.scenario import Lost, load

LOSS_AT = WARM_UP_MINUTES * 60 + 1
"""The simulator's second in which its disaster begins."""
EVERY_SECONDS = 2


@dataclass
class Broken:
    """How a deployment is wrong; none is right."""

    no_failover_record: bool = False
    """Route 53 has nobody else to answer with."""
    no_route_over_the_peering: bool = False
    """Functions of us-west-2 don't reach the writer in us-east-1."""
    forwards_no_events: bool = False
    """The bus of us-east-1 sends nothing to us-west-2."""
    replicates_no_objects: bool = False
    """The bucket of us-east-1 has no rule."""


@dataclass
class Met(Truth):
    """The truth, with what one client a region met of it, second by second."""

    broken: Broken = field(default_factory=Broken)
    operations: list[Operation] = field(default_factory=list)
    rows: dict[str, set[int]] = field(default_factory=lambda: {EAST: set(), WEST: set()})
    writers: list[tuple[int, str]] = field(default_factory=list)
    led: list[tuple[int, str]] = field(default_factory=list)

    def leads_to(self) -> str:
        """The region that DNS answers."""
        moved = self.red(EAST) or self.switch == "engaged"
        return WEST if moved and not self.broken.no_failover_record else EAST

    def accepts(self, region: str) -> bool:
        """Whether an application there stores a write."""
        apart = self.broken.no_route_over_the_peering and region != self.writer
        return self.healthy(region) and self.reaches_writer(region) and not apart

    def _live(self, until: int) -> None:
        began = self.now
        super()._live(until)
        region = self.leads_to()
        if self.replicates():
            self.rows[other(self.writer)] = set(self.rows[self.writer])
        for last, now in ((self.writers, self.writer), (self.led, region)):
            if not last or last[-1][1] != now:
                last.append((began, now))
        for at in range(began, until, EVERY_SECONDS):
            self.operations.append(request(at, self.healthy(region), region))
            self.operations.append(self._write(at, region))

    def _write(self, at: int, region: str) -> Operation:
        number = len(self.operations) // 2
        made = written(number, at, region=region)
        if not self.accepts(region):
            return written(
                number, at, outcome=Outcome.UNKNOWN, status=503, region=region, record="", event="",
                object="", digest="",
            )  # fmt: skip
        self.rows[self.writer].add(number)
        if self.replicates():
            self.rows[other(self.writer)].add(number)
        return made


def drilled(name: str, timeline: Timeline, broken: Broken | None = None) -> Judgement:
    """The judgement on a scenario of the drill, played as this timeline at clock 1."""
    met = Met(broken=broken or Broken(), promotion_seconds=120)
    played = play(timeline, truth=met, log=True)
    met.advance(200)
    chosen, incident = load(name), played.west.state.incident
    history = _history(met)
    may_lose = chosen.expect.lost is Lost.WITHIN_BOUND and incident is not None
    data = check(
        history,
        loss_at=LOSS_AT,
        bound_seconds=incident.loss_bound_seconds if may_lose and incident else None,
        stale_seconds=chosen.watch_seconds,
    )
    stages = [line.split()[:2] for line in played.log]
    facts = Facts(
        writer=met.writer,
        promotions=len(met.accepted),
        stages=frozenset(stage for minute, stage in stages if int(minute) >= 0),
        steady=measure.steady(history.operations, LOSS_AT, 20.0),
        late_seconds=FACTS.late_seconds,
        clock=1.0,
        home=EAST,
        refused=len(met.refused),
    )
    return judge(chosen, measure.figures(history, LOSS_AT), data, facts, BUDGET)


def _history(met: Met) -> History:
    """What was recorded, with both regions read once the lost one follows the writer again."""
    history = History(operations=met.operations)
    history.seen = [
        *(Seen(at, "writer", region) for at, region in met.writers),
        *(Seen(at, "dns", region) for at, region in met.led),
        *(Seen(at, "controller", f"{WEST}: called") for at, _ in met.accepted),
    ]
    by_number = {one.number: one for one in met.operations if one.ok and one.record}
    kept = met.rows[met.writer]
    for region in (EAST, WEST):
        for number in kept:
            history.add(Found(region, What.ROW, f"id-{number}", number))
            one = by_number[number]
            at_home = one.region in ("", region)
            if at_home or not met.broken.forwards_no_events:
                history.add(Found(region, What.EVENT, one.event))
            if at_home or not met.broken.replicates_no_objects:
                history.add(Found(region, What.OBJECT, one.object, -1, one.digest))
        for what in What:
            history.add(Reading(region, what, True))
    return history
