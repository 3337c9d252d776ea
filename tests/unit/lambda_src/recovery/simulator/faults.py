"""All faults by name: how long each lasts, and what it does to the promise.

``suspends`` names the disasters whose ground a fault takes away while it lasts: the budget begins
anew at its end. ``excuse`` is the argument why a promotion is *not* wanted with it: then a person
must have been paged instead. Both are empty for a fault that must change nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from recovery.model import Freeze, Hold
from simulator.ports import Crash, Side
from simulator.truth import EAST, WEST

REGION, DATABASE, HANGS = f"{EAST} lost", f"{EAST} database lost", f"{EAST} database hangs"
NOTHING = "nothing is lost"
DISASTERS = (NOTHING, REGION, DATABASE, HANGS)
LOSSES = frozenset({REGION, DATABASE, HANGS})
BY_DATABASE = frozenset({DATABASE, HANGS})
BY_REGION = frozenset({REGION})
FOREVER = 10_000


@dataclass(frozen=True)
class Fault:
    """``minutes`` active; ``begin`` changes more than ``truth.on``."""

    name: str
    minutes: int
    suspends: frozenset[str] = frozenset()
    excuse: str = ""
    excuses: frozenset[str] = LOSSES
    begin: Callable[[Side], None] | None = None
    runs: str = ""
    heals: bool = False
    """The disaster is over when it begins."""


def _crash(step: str) -> Fault:
    def begin(side: Side) -> None:
        side.crashes.append(Crash(step))

    return Fault(f"killed {step}", 1, begin=begin)


def _answer(*answers: str) -> Callable[[Side], None]:
    def begin(side: Side) -> None:
        side.answers.extend(answers)

    return begin


def _freeze(side: Side) -> None:
    minute = side.truth.minute
    side.state = replace(
        side.state, freeze=Freeze("drill of the team", "ops", minute, minute + 1440)
    )


def _hold(side: Side) -> None:
    minute = side.truth.minute
    side.state = replace(side.state, hold=Hold("deploy", minute, minute + 60))


def _frozen_process(side: Side) -> None:
    side.monotonic_jump = 90.0


def _by_hand(side: Side) -> None:
    side.truth.promote_by_hand(side.region)


def _slow(side: Side) -> None:
    side.truth.promotion_seconds = 700


SLEPT = (
    "a controller that saw nothing for longer than the loss limit can't know when replication "
    "stopped: a person decides (H14, H19, H25)"
)

FAULTS: tuple[Fault, ...] = (
    # Truth: the network and the lost region's own troubles
    Fault("peering cut", FOREVER),
    Fault("replication cut", 2),
    Fault(
        "replication cut for good",
        FOREVER,
        excuse="the loss bound passes the limit where replication stood still before a loss (H15)",
    ),
    Fault(f"{EAST} bad deploy", FOREVER),
    Fault(f"{EAST} restarts", 1),
    Fault(f"{EAST} flaps", 12, BY_DATABASE),
    Fault(f"{EAST} database flaps", 12),
    Fault(
        f"{EAST} returns",
        FOREVER,
        excuse="the lost region is back by itself: writes continue there, or are fenced off",
        heals=True,
    ),
    Fault("credentials refused", FOREVER),
    Fault("connections exhausted", FOREVER),
    Fault("switchover", 5, LOSSES),
    Fault("unfenced", FOREVER),
    Fault("endpoint late", 10, LOSSES),
    Fault("snapshot fails", FOREVER),
    Fault("snapshot absent", FOREVER),
    # Truth: the standby
    Fault(f"{WEST} balancer down", 3, LOSSES),
    Fault(f"{WEST} reader down", 3, LOSSES),
    Fault(f"{WEST} balancer down for long", 8, LOSSES, excuse=SLEPT),
    Fault(f"{WEST} reader down for long", 8, LOSSES, excuse=SLEPT),
    Fault(f"{WEST} without instance", 5, LOSSES),
    Fault(f"{WEST} restarts", 2, LOSSES),
    Fault(f"{WEST} detached", FOREVER, excuse="a cluster outside the global one can't be promoted"),
    Fault(
        f"{WEST} password wrong",
        FOREVER,
        excuse="a reader that refuses us isn't silent: the standby would have the same fault (H32)",
    ),
    # Sight
    Fault("probe lost", 2, LOSSES),
    Fault("writer unknown", 2, LOSSES),
    Fault("writer seen dead", FOREVER),
    Fault("application unknown", 2, BY_REGION),
    Fault(
        "application seen dead",
        FOREVER,
        excuse="only the lost writer's own application can say that it can't be reached",
        excuses=BY_DATABASE,
    ),
    Fault("ready silent", 2, BY_DATABASE),
    Fault("ready says unreachable", FOREVER),
    Fault("witness unknown", 2, BY_REGION),
    Fault(
        "witness stuck",
        FOREVER,
        excuse="Route 53's checkers reach the application, so it isn't lost (H1)",
        excuses=BY_REGION,
    ),
    Fault("witness wrong", FOREVER),
    Fault(
        "probe lost for good",
        FOREVER,
        excuse="a probe that never answers proves no silence (H32)",
    ),
    Fault(
        "application unknown for good",
        FOREVER,
        excuse="an application that can't be asked isn't proven dead (H1)",
        excuses=BY_REGION,
    ),
    Fault(
        "ready silent for good",
        FOREVER,
        excuse="only the lost writer's own application can say that it can't be reached",
        excuses=BY_DATABASE,
    ),
    Fault(
        "witness unknown for good",
        FOREVER,
        excuse="Route 53 can't be asked: nobody says that it isn't our own way that is cut (H1)",
        excuses=BY_REGION,
    ),
    Fault(
        "reader seen standing still",
        FOREVER,
        excuse="the loss bound passes the limit where the reader stood still before a loss (H15)",
    ),
    Fault("describe gone", FOREVER),
    Fault("describe throttled", 3),
    Fault("describe stale", FOREVER),
    Fault("own describe stale", FOREVER),
    Fault("own describe throttled", 2, LOSSES),
    Fault(
        "own describe throttled for good",
        FOREVER,
        excuse="an own cluster whose status is unknown isn't promoted (H12)",
    ),
    Fault("switch unreadable", FOREVER),
    Fault("events lost", FOREVER),
    Fault("lag high", FOREVER, excuse="400 s would be lost, the limit is 300 s (H14)"),
    # What was proven before
    Fault("validator silent", FOREVER),
    Fault("validator fails by the loss", FOREVER),
    Fault("readiness 0", FOREVER, excuse="a standby that wasn't ready is promoted by a person"),
    Fault("versions differ", FOREVER, excuse="AWS refuses unequal versions (H17)"),
    Fault("permission lost", FOREVER, excuse="the call would be denied (H17)"),
    # The call
    Fault("internal accepted", 1, begin=_answer("internal accepted")),
    Fault("internal lost", 1, begin=_answer("internal lost")),
    Fault("call throttled", 1, begin=_answer("throttled")),
    Fault("call refused once", 1, begin=_answer("refused")),
    Fault(
        "internal failure for good",
        1,
        excuse="AWS answers InternalFailure to each try, and nothing begins (H11)",
        begin=_answer(*["internal lost"] * 9),
    ),
    Fault(
        "call throttled for good",
        1,
        excuse="AWS throttles each try (H33)",
        begin=_answer(*["throttled"] * 9),
    ),
    Fault("promoted by hand", 1, begin=_by_hand),
    Fault("promotion denied", FOREVER, excuse="AWS refuses the call for good (H33)"),
    Fault("promotion fails", FOREVER, excuse="RDS gave the failover up (RDS-EVENT-0239)"),
    Fault(
        "promotion slow",
        1,
        excuse="AWS takes 700 s where the budget allows 480: paged, never detached",
        begin=_slow,
    ),
    # The controller's own process, clock and memory
    *(
        _crash(step)
        for step in (
            "before load",
            "before observe",
            "after observe",
            "before save intent",
            "after save intent",
            "before call",
            "after call",
            "before save called",
            "after save called",
            "before switch",
            "after switch",
            "before verify",
            "after verify",
            "before save promoted",
            "after save promoted",
            "before epoch",
            "before copy",
            "before send",
            "after send",
            "before journal",
        )
    ),
    Fault("runs twice", 12, runs="twice"),
    Fault("runs overlap", 12, runs="overlap after observe"),
    Fault("runs overlap at the intent", 12, runs="overlap after save intent"),
    Fault("runs overlap at the call", 12, runs="overlap after call"),
    Fault("runs overlap at the record", 12, runs="overlap after save called"),
    Fault("runs overlap at the proof", 12, runs="overlap before save promoted"),
    Fault("call arrives late", 12, runs="late call"),
    Fault("runs late", 12, runs="late"),
    Fault("run lost", 1, runs="lost"),
    Fault("runs lost", 3, LOSSES, runs="lost"),
    Fault("no runs", 20, LOSSES, excuse=SLEPT, runs="lost"),
    Fault("clock ahead", FOREVER),
    Fault("clock behind", FOREVER),
    Fault("clock jumps", 2, runs="clock"),
    Fault("process frozen", 1, begin=_frozen_process),
    Fault("table unreadable", 1, LOSSES),
    Fault("table unreadable for long", 15, LOSSES, excuse=SLEPT),
    Fault("frozen", FOREVER, excuse="a person froze recovery (H30)", begin=_freeze),
    Fault("deploy holds", 60, BY_DATABASE, begin=_hold),
    # Side effects
    Fault("parameters fail", 5),
    Fault("epoch fails", 5),
    Fault("topic fails", 5),
    Fault("journal fails", FOREVER),
)
LONGER: tuple[Fault, ...] = (
    Fault(f"{EAST} restarts for long", 9),
    Fault("switchover ends", 3),
)
"""For single tests, outside the certificate."""
BY_NAME = {fault.name: fault for fault in (*FAULTS, *LONGER)}
ALIASES = {
    "switchover ends": "switchover",
    f"{EAST} restarts for long": f"{EAST} restarts",
    f"{WEST} balancer down for long": f"{WEST} balancer down",
    f"{WEST} reader down for long": f"{WEST} reader down",
    "replication cut for good": "replication cut",
    "table unreadable for long": "table unreadable",
    "probe lost for good": "probe lost",
    "application unknown for good": "application unknown",
    "ready silent for good": "ready silent",
    "witness unknown for good": "witness unknown",
    "own describe throttled for good": "own describe throttled",
}
"""Faults that differ from another one in nothing but their length."""
