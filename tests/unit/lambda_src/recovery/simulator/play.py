"""Plays a timeline with the real controllers of both regions, and judges it over the truth."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cache, cached_property

from recovery.act import Run
from recovery.model import Mode, Settings, Stage
from recovery.observation import Switch
from simulator.faults import ALIASES, BY_NAME, FOREVER, NOTHING, Fault
from simulator.known import current
from simulator.ports import Side
from simulator.truth import EAST, FIRST_MINUTE, WEST, Truth

SETTLED = Settings(WEST, EAST, Switch.ENGAGED)
"""us-west-2's controller, allowed to promote."""
BUDGET_SECONDS = 900
"""840 s and one lost run (recovery.md 3)."""
RUN_SECONDS = 10
WARM_UP_MINUTES = 12
"""Healthy minutes before the disaster's minute 0."""
QUIET_UNTIL = -9
"""The last minute before any fault begins."""
WARM_UNTIL = 6
"""The last minute that timelines may have in common: a loss isn't recovered by then."""
UNHEARD = frozenset({"peering cut", "probe lost for good"})
"""With one of them, and RDS's events lost, nobody can know of two writers (docs/decision.md)."""
AFTER_MINUTES = 3
"""Minutes that are played after a recovery: nothing may follow it."""


@dataclass(frozen=True)
class Timeline:
    """A disaster in minute 0 and faults, each with the minute in which it begins."""

    disaster: str
    faults: tuple[tuple[str, int], ...] = ()
    settings: Settings = SETTLED
    minutes: tuple[tuple[str, int], ...] = ()
    """How long a fault lasts where that isn't its own length: (name, minutes)."""

    def lasts(self, name: str) -> int:
        """For how many minutes a fault is active."""
        return dict(self.minutes).get(name, BY_NAME[name].minutes)

    def __str__(self) -> str:
        """For people: what begins when."""
        parts = [f"{name} from minute {start:+d}" for name, start in self.faults]
        return "; ".join([f"{self.disaster} in minute 0", *parts])


@dataclass
class Played:
    """What became of it; times in seconds after the disaster."""

    timeline: Timeline
    truth: Truth
    sides: dict[str, Side]
    recovered: int | None = None
    red: int | None = None
    """When Route 53's checkers first called us-east-1's load balancer unhealthy."""
    wrong: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)

    @cached_property
    def spans(self) -> list[tuple[Fault, int, int]]:
        """Each fault, and its first minute and the one after its last."""
        return [
            (BY_NAME[name], start, start + self.timeline.lasts(name))
            for name, start in self.timeline.faults
        ]

    @property
    def west(self) -> Side:
        """The standby's side."""
        return self.sides[WEST]

    @property
    def heals(self) -> bool:
        """Whether the disaster ends by itself."""
        return any(BY_NAME[name].heals for name, _ in self.timeline.faults)

    @property
    def paged(self) -> bool:
        """Whether a person was called since anything went wrong."""
        first = min([start for _, start in self.timeline.faults], default=0)
        start = FIRST_MINUTE + WARM_UP_MINUTES + min(first, 0)
        return any(minute >= start for minute, _ in self.west.pages)

    @property
    def sighted(self) -> int:
        """The first second after the disaster from which the ground may hold."""
        ends = [
            (start + self.timeline.lasts(name)) * 60
            for name, start in self.timeline.faults
            if self.timeline.disaster in BY_NAME[name].suspends
        ]
        return max([0, *ends])

    @property
    def deadline(self) -> int | None:
        """Seconds until writes must be back; None where no promotion is promised."""
        disaster = self.timeline.disaster
        faults = [BY_NAME[name] for name, _ in self.timeline.faults]
        excused = any(fault.excuse and disaster in fault.excuses for fault in faults)
        return None if disaster == NOTHING or excused else self.sighted + BUDGET_SECONDS

    @property
    def missed(self) -> bool:
        """Whether the budget was missed, or a promotion refused without calling anybody."""
        if self.heals and self.truth.takes_client_writes():
            return False
        if self.deadline is None:
            return self.timeline.disaster != NOTHING and self.recovered is None and not self.paged
        return self.recovered is None or self.recovered > self.deadline


def sides(truth: Truth, *, json: bool = False) -> dict[str, Side]:
    """Returns both regions' outsides over one truth."""
    known = None if json else current()
    return {region: Side(truth, region, json, known=known) for region in (EAST, WEST)}


def play(
    timeline: Timeline,
    *,
    json: bool = False,
    log: bool = False,
    truth: Truth | None = None,
    until: int | None = None,
) -> Played:
    """Plays until three minutes after the recovery, or until it can't come any more."""
    first = min([start for _, start in timeline.faults], default=0)
    if truth is None and not json and not log and until is None and first > QUIET_UNTIL:
        played, minute = _warm(timeline, min(first - 1, WARM_UNTIL))
    else:
        truth = truth or Truth()
        played, minute = Played(timeline, truth, sides(truth, json=json)), -WARM_UP_MINUTES
    truth = played.truth
    settings = _both(timeline.settings)
    end = _end(played, timeline) if until is None else until
    while minute <= end:
        begun = (minute + WARM_UP_MINUTES) * 60
        if truth.now < begun:
            truth.advance(begun - truth.now)
        for region in (EAST, WEST):
            if truth.computes(region):
                _runs(played, played.sides[region], settings[region], minute)
        if played.recovered is None and _recovered(played):
            played.recovered = truth.now + RUN_SECONDS - WARM_UP_MINUTES * 60
            end = min(end, minute + AFTER_MINUTES)
        if played.red is None and truth.red(EAST):
            played.red = minute * 60
        if log:
            state = played.west.state
            played.log.append(f"{minute:+3d} {state.stage:12} {state.reason}")
        if truth.now < begun + 1:
            truth.advance(begun + 1 - truth.now)
        _change(played, minute)
        minute += 1
    _judge(played, minute - 1)
    return played


@cache
def _both(settings: Settings) -> dict[str, Settings]:
    """The settings of both regions; the very same ones, for whom runs are known."""
    east = replace(settings, region=EAST, peer=WEST, switch=Switch.RELEASED)
    return {WEST: settings, EAST: east}


def _warm(timeline: Timeline, until: int) -> tuple[Played, int]:
    """Returns a copy of the world as it is after the runs of the minute ``until``, before the first
    fault begins: all timelines of one disaster have it in common. And the minute that follows."""
    key = (timeline.settings, timeline.disaster if until >= 0 else NOTHING, until)
    if key not in _WARM:
        _WARM[key] = play(Timeline(key[1], (), key[0]), until=until)
    kept = _WARM[key]
    before = kept.truth
    truth = replace(
        before, on=set(before.on), volume=dict(before.volume), epoch=dict(before.epoch),
        red_since=dict(before.red_since), accepted=list(before.accepted),
        refused=list(before.refused), events=list(before.events), wrong=list(before.wrong),
    )  # fmt: skip
    copied = sides(truth)
    for region, side in copied.items():
        side.state, side.last = kept.sides[region].state, kept.sides[region].last
        side.pages = list(kept.sides[region].pages)
    return Played(timeline, truth, copied, red=kept.red), until + 1


_WARM: dict[tuple[Settings, str, int], Played] = {}


def _end(played: Played, timeline: Timeline) -> int:
    if timeline.disaster == NOTHING:
        return max([start for _, start in timeline.faults], default=0) + 16
    return played.sighted // 60 + 18


def _active(played: Played, minute: int) -> list[tuple[Fault, int]]:
    return [(fault, start) for fault, start, end in played.spans if start <= minute < end]


def _change(played: Played, minute: int) -> None:
    """What begins or ends in a minute does so right after its runs: the worst moment."""
    timeline, truth = played.timeline, played.truth
    active = _active(played, minute)
    truth.on = {ALIASES.get(fault.name, fault.name) for fault, _ in active}
    healed = any(fault.heals for fault, _ in active)
    if minute >= 0 and timeline.disaster != NOTHING and not healed:
        truth.on.add(timeline.disaster)
    for fault, start in active:
        if start == minute and fault.begin is not None:
            fault.begin(played.west)


def _runs(played: Played, side: Side, settings: Settings, minute: int) -> None:
    scheduled = FIRST_MINUTE + minute + WARM_UP_MINUTES
    how = ""
    if side.region == WEST:
        # A fault that began right after the last run bends this one.
        for fault, _ in _active(played, minute - 1):
            how = fault.runs or how
    if how == "lost":
        return
    if how == "late":
        played.truth.advance(50)
    if how == "clock":
        played.truth.on |= {"clock ahead" if minute % 2 else "clock behind"}
    if how.startswith("overlap "):
        step = how.removeprefix("overlap ")
        side.between[step] = lambda: _run(side, settings, scheduled, "between")
    if how == "late call":
        side.between["before call"] = lambda: _next(played, side, settings, scheduled + 1)
    _run(side, settings, scheduled, "first")
    side.between.clear()
    if how == "twice":
        _run(side, settings, scheduled, "second")


def _run(side: Side, settings: Settings, minute: int, name: str) -> None:
    side.run(settings, Run(f"{minute} {name}", minute))


def _next(played: Played, side: Side, settings: Settings, minute: int) -> None:
    """The next minute's run, while a call of this one is still on its way."""
    played.truth.advance(60)
    _run(side, settings, minute, "next")


def _recovered(played: Played) -> bool:
    """Over the truth: the standby's cluster is the writer, and its controller has proven it."""
    incident = played.west.state.incident
    return played.truth.writer == WEST and incident is not None and incident.promoted > 0


def _second(played: Played, name: str) -> int:
    """The second from which the runs know of a fault."""
    start = next(start for fault, start in played.timeline.faults if fault == name)
    return (start + WARM_UP_MINUTES + 1) * 60


def _judge(played: Played, last: int) -> None:
    """The invariants, over the truth, after the minute ``last``."""
    truth, state = played.truth, played.west.state
    played.wrong.extend(truth.wrong)
    calls = Counter(region for _, region in truth.accepted)
    played.wrong.extend(f"{n} calls accepted for {region}" for region, n in calls.items() if n > 1)
    frozen = any(name == "frozen" for name, _ in played.timeline.faults)
    if calls and played.timeline.settings.mode is not Mode.AUTOMATIC:
        played.wrong.append(f"a call in mode {played.timeline.settings.mode}")
    if frozen and any(at >= _second(played, "frozen") for at, _ in truth.accepted):
        played.wrong.append("a call while frozen")
    if EAST in calls:
        played.wrong.append("the writer's own region called")
    incident = state.incident
    if incident is not None and truth.moved >= 0 and incident.path is not None:
        bound = incident.loss_bound_seconds
        if not incident.forced and truth.lost_seconds > bound:
            played.wrong.append(f"{truth.lost_seconds} s lost, the bound was {bound} s")
        if not incident.forced and truth.lost_seconds > played.timeline.settings.lag_limit_seconds:
            played.wrong.append(f"{truth.lost_seconds} s lost, above the limit")
    # A person's call that AWS accepted moves traffic as well: that it failed is known only later.
    refused = state.stage is Stage.FAILED and not truth.accepted and not truth.by_hand
    if refused and truth.switch == "engaged":
        played.wrong.append("the switch is engaged though nothing was promoted")
    if truth.unfenced_seconds > 0 and not _said(played, "split") and _heard(played):
        played.wrong.append("two writers, and nobody was paged for it")
    if _undisturbed(played, last):
        played.wrong.extend(_unfinished(played))


def _unfinished(played: Played) -> list[str]:
    """What a proven promotion owes within ``AFTER_MINUTES``."""
    truth, state = played.truth, played.west.state
    done = {
        "the switch isn't engaged": truth.switch == "engaged",
        "the database's epoch hasn't grown": truth.epoch[WEST] >= state.epoch > 1,
        "nobody was notified of the promotion": _said(played, "promoted"),
    }
    return [f"recovered, and {what}" for what, holds in done.items() if not holds]


def _undisturbed(played: Played, last: int) -> bool:
    """Whether the promotion had its minutes, and the last two were free of faults that end."""
    faults = played.timeline.faults
    if played.recovered is None or last - played.recovered // 60 < AFTER_MINUTES:
        return False
    ends = [start + played.timeline.lasts(name) for name, start in faults]
    return all(end <= last - 1 or end >= FOREVER - WARM_UP_MINUTES for end in ends)


def _heard(played: Played) -> bool:
    """Whether RDS's events or both clusters' answers come to the standby."""
    names = {name for name, _ in played.timeline.faults}
    return "events lost" not in names or names.isdisjoint(UNHEARD)


def _said(played: Played, key: str) -> bool:
    return any(said == key for _, said in played.west.pages)
