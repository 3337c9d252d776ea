"""A timeline's verdict, small enough to be kept, with an argument where the budget is missed."""

from __future__ import annotations

from dataclasses import dataclass

from recovery.model import Stage
from simulator.play import Played, Timeline, play


@dataclass(frozen=True)
class Verdict:
    """``recovered`` and ``sighted`` are seconds after the loss; ``timeline`` is for people."""

    disaster: str
    faults: tuple[tuple[str, int], ...]
    wrong: tuple[str, ...]
    missed: bool
    paged: bool
    recovered: int | None
    sighted: int
    timeline: str = ""
    argument: str = ""

    @property
    def failed(self) -> bool:
        """Whether the certificate has to list it."""
        return bool(self.wrong) or self.missed


def judged(timeline: Timeline) -> Verdict:
    """Plays a timeline; one that fails is played again for its story."""
    played = play(timeline)
    verdict = Verdict(
        timeline.disaster, timeline.faults, tuple(played.wrong), played.missed, played.paged,
        played.recovered, played.sighted,
    )  # fmt: skip
    if not verdict.failed:
        return verdict
    again = play(timeline, log=True)
    return Verdict(**{**vars(verdict), "timeline": _story(again), "argument": _argument(again)})


def _story(played: Played) -> str:
    """Changes of the standby's stage after the loss, with their minutes."""
    parts: list[str] = []
    last = ""
    for line in played.log:
        minute, stage = line.split()[:2]
        if int(minute) >= 0 and stage != last:
            parts.append(f"{minute} {stage}")
            last = stage
    if played.recovered is not None:
        parts.append(f"writes at {played.recovered} s, due at {played.deadline} s")
    return " → ".join(parts)


def _argument(played: Played) -> str:
    state = played.west.state
    if played.wrong:
        return "none: " + "; ".join(played.wrong)
    if played.recovered is not None:
        return "recovered late: each fault costs runs, and the budget contains one lost run"
    if state.stage in (Stage.CALLED, Stage.PROMOTING, Stage.VERIFYING):
        return "called late or again: each fault costs runs, and the promotion's 480 s follow"
    if state.stage is Stage.INTENT:
        return "the call's outcome is unclear and Describe can't settle it: a person looks"
    if state.stage is Stage.FAILED:
        return "AWS refused: a person was paged, traffic isn't moved"
    return f"{state.stage.value}, a person decides: {state.reason}".replace("|", "/")
