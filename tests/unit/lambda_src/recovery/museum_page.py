"""docs/museum.md: what the real controllers decide in each incident of the outage museum.

The rivals are played by the budget's numbers (``tapstack/budget.py``), not by the incident's own:

- *unguarded*: a health check that moves requests, and an alarm on it that promotes at once;
- *a person*: nothing moves by itself; somebody is paged by the same health check, decides within
  the objective or in the minute that the source names, moves requests by hand and promotes only
  where that is right.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from simulator.faults import NOTHING
from simulator.play import AFTER_MINUTES, Played, Timeline, play
from simulator.speed import quick
from simulator.truth import EAST

from ops.drill.incident import Incident, Requests, Right
from ops.drill.schedule import POPULATIONS
from tapstack.budget import (
    DATABASE_LAG_ALARM_SECONDS,
    OBJECTIVE_SECONDS,
    PROMOTION_ALLOWANCE_SECONDS,
    recovery_budget,
)
from tapstack.settings import GlobalSettings

DEFAULTS = GlobalSettings()
BUDGET = recovery_budget(DEFAULTS.health_check_interval, DEFAULTS.health_check_threshold)
DETECTION, TTL = (piece.seconds for piece in BUDGET.traffic)
PROOF = BUDGET.writes[-1].seconds
ROWS_A_SECOND = sum(one.writes for one in POPULATIONS)
"""The drill's load: the incidents' own rates aren't published."""
AWAY = (f"{EAST} bad deploy",)
"""Signals that keep clients from us-east-1's application."""
FLAPS, FLAPPED = (f"{EAST} flaps",), 2 / 3
"""Those that fail for this share of the time, too briefly for a health check to help."""
NO_WRITES = ("credentials refused",)
"""Signals that keep the application from its database, in whichever region."""
RESTART = f"{EAST} restarts"
LONGEST = 2 * 60
"""The last minute in which a longer signal is played: nothing changes any more."""


@dataclass(frozen=True)
class Cost:
    """Seconds without requests and without writes, and rows that a promotion gives up."""

    requests: int
    writes: int
    rows: int

    def __str__(self) -> str:
        """As the page has it."""
        away = f"{_minutes(self.requests)} / {_minutes(self.writes)}"
        return f"{away}, {self.rows} rows"


@dataclass(frozen=True)
class Shown:
    """One incident with what was computed of it."""

    incident: Incident
    decision: Right
    traffic: Requests
    paged: bool
    stage: str
    reason: str
    wrong: tuple[str, ...]
    ours: Cost
    unguarded: Cost
    person: Cost


def shown(incident: Incident) -> Shown:
    """Plays an incident with the real controllers of both regions."""
    lasting = {one.fault: min(one.minutes, LONGEST - one.minute) for one in incident.signals}
    ends = [one.minute + lasting[one.fault] for one in incident.signals]
    last = LONGEST if incident.disaster else max([1, *ends])
    timeline = Timeline(
        incident.disaster or NOTHING,
        tuple((one.fault, one.minute) for one in incident.signals),
        minutes=tuple(lasting.items()),
    )
    with quick():
        played = play(timeline, log=True, until=last + AFTER_MINUTES)
    decision = _decision(played)
    stage, reason = _standing(played, last)
    return Shown(
        incident,
        decision,
        Requests.STAYS if played.red is None else Requests.MOVES,
        played.paged,
        stage,
        reason,
        tuple(played.wrong),
        *_costs(incident, played, decision),
    )


def _standing(played: Played, minute: int) -> tuple[str, str]:
    """Where us-west-2's controller stood in the last minute of the signals, and why."""
    lines = (line.split(maxsplit=2) for line in played.log)
    of = [(stage, *reason) for at, stage, *reason in lines if int(at) <= minute]
    return of[-1][0], "".join(of[-1][1:])


def _decision(played: Played) -> Right:
    if played.truth.accepted:
        return Right.PROMOTE
    return Right.LEAVE if played.timeline.disaster == NOTHING else Right.HOLD


def _costs(incident: Incident, played: Played, decision: Right) -> tuple[Cost, Cost, Cost]:
    """Of this system, of the unguarded one and of a person."""
    whole = incident.minutes * 60
    away = _lasting(incident, AWAY) or (whole if incident.disaster == f"{EAST} lost" else 0)
    flapped = round(_lasting(incident, FLAPS) * FLAPPED)
    lost = whole if incident.disaster else _lasting(incident, NO_WRITES)
    restart = _lasting(incident, (RESTART,))
    moved, by_hand = BUDGET.traffic_rto, _by_hand(incident)
    given_up = round(DATABASE_LAG_ALARM_SECONDS * ROWS_A_SECOND)
    promoted, red = decision is Right.PROMOTE, played.red is not None
    promotion = PROMOTION_ALLOWANCE_SECONDS + PROOF

    def cost(requests: int, writes: int, promotes: bool) -> Cost:
        # A write is away with its request, and while an instance is replaced.
        return Cost(requests, max(requests, restart, writes), given_up if promotes else 0)

    ours = cost(min(away, moved) + flapped, (played.recovered or 0) if promoted else lost, promoted)
    unguarded = cost(min(away, moved) + flapped, DETECTION + promotion if red else lost, red)
    helped = min(away, by_hand + TTL) + round(min(flapped, (by_hand + TTL) * FLAPPED))
    person = cost(helped, by_hand + promotion if promoted else lost, promoted)
    return ours, unguarded, person


def _by_hand(incident: Incident) -> int:
    """Seconds until a person has decided."""
    if incident.decided_minute >= 0:
        return incident.decided_minute * 60
    return DETECTION + OBJECTIVE_SECONDS


def _lasting(incident: Incident, faults: tuple[str, ...]) -> int:
    """Seconds of the longest of these signals."""
    found = [one.minutes * 60 for one in incident.signals if one.fault in faults]
    return max(found, default=0)


def _minutes(seconds: int) -> str:
    if seconds >= 48 * 3600:
        return f"{seconds / 86400:.0f} d"
    return f"{seconds / 3600:.1f} h" if seconds >= 2 * 3600 else f"{seconds / 60:.1f} min"


# The page

DECISIONS = {
    Right.PROMOTE: "promote us-west-2",
    Right.HOLD: "hold, and page a person",
    Right.LEAVE: "leave the writer",
}
TRAFFIC = {Requests.MOVES: "requests move", Requests.STAYS: "requests stay"}


HEAD = f"""# The outage museum

Written by `./inv bench museum`: published incidents (`ops/drill/museum/`), each as what a
controller in us-west-2 would have met here, played by the real `decide` and `act` of both regions
in `tests/unit/lambda_src/recovery/simulator/`. The decision is computed, and a test holds that it
is the one that the incident's file argues for.

Beside it two rivals, **by the budget's numbers** (`tapstack/budget.py`), not by the incident's own:

- *Unguarded*: a health check moves requests ({DETECTION} s and a TTL of {TTL} s) and its alarm
  promotes at once ({PROMOTION_ALLOWANCE_SECONDS} s allowed for AWS's promotion, {PROOF} s for the
  proof), whatever else is true.
- *A person*: nothing moves by itself; the same health check pages somebody, who decides within the
  objective of {OBJECTIVE_SECONDS // 60} min, or in the minute that the source names, moves requests
  by hand, and promotes only where that is right.

Each cell is time without requests / without writes, and the rows that a promotion may give up: what
the alarm on the lag allows, {DATABASE_LAG_ALARM_SECONDS} s of the drill's {ROWS_A_SECOND:g} rows a
second (incidents don't publish their own rates). Where an application flaps it fails in two minutes
of three, too briefly for a health check to help: there a person is better than both, by
`./inv failover --planned`.

| incident | it took | the decision, computed | this system | unguarded | a person |
|---|---|---|---|---|---|"""


def page(incidents: Iterable[Incident]) -> str:
    """Returns docs/museum.md."""
    found = [shown(one) for one in incidents]
    return "\n".join([HEAD, *(_row(one) for one in found), *_sections(found)]) + "\n"


def _row(one: Shown) -> str:
    decided = f"{DECISIONS[one.decision]}; {TRAFFIC[one.traffic]}"
    title = f"[{one.incident.title}](#{one.incident.name})"
    took = _minutes(one.incident.minutes * 60)
    return f"| {title} | {took} | {decided} | {one.ours} | {one.unguarded} | {one.person} |"


def _sections(found: Iterable[Shown]) -> Iterator[str]:
    for one in found:
        incident = one.incident
        yield from ("", f'## <a id="{incident.name}"></a>{incident.title}', "")
        yield f"{incident.why}. Source: <{incident.source}>; began {incident.began}."
        yield from ("", "| minute | what the source says |", "|---|---|")
        yield from (f"| {event.minute:+d} | {event.what} |" for event in incident.events)
        yield ""
        if incident.disaster:
            yield f"- played as: {incident.disaster} from minute 0"
        yield from (
            f"- played as: {one.fault} from minute {one.minute:+d} for {one.minutes} min: "
            f"{one.means}"
            for one in incident.signals
        )
        if not incident.disaster and not incident.signals:
            yield "- played as: nothing that a probe could see"
        paged = "; a person was paged" if one.paged else ""
        yield f"- computed: {DECISIONS[one.decision]}, {TRAFFIC[one.traffic]}{paged}; the " + (
            f"controller stood in `{one.stage}`: {one.reason or 'no reason needed'}"
        )
        if incident.scenario:
            yield f"- in the lab: `./inv drill --scenario {incident.scenario}`"
