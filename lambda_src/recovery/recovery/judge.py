"""May this run promote? All guards of both paths, and what each refuses.

The invariant: a promotion is called for only where every guard of one path is satisfied in the
acting run. The tables are values, so that a test can take out each guard and show what it prevents.
"""

from __future__ import annotations

from dataclasses import dataclass

from recovery import evidence, ground
from recovery.case import Case, Guard
from recovery.model import Path, Settings, State
from recovery.observation import Observation

PROOFS: dict[Path, tuple[Guard, ...]] = {
    Path.REGION: evidence.REGION,
    Path.DATABASE: evidence.DATABASE,
}
"""What proves each path; one that is proven and refused is a person's business."""
CONDITIONS: dict[Path, tuple[Guard, ...]] = {
    Path.REGION: (),
    Path.DATABASE: evidence.DATABASE_ONLY,
}
SHARED: tuple[Guard, ...] = (*ground.GROUND, *evidence.SILENCE, *evidence.LOSS)


@dataclass(frozen=True)
class Refusal:
    """A guard that isn't satisfied, by name, and why."""

    guard: str
    reason: str


@dataclass(frozen=True)
class Verdict:
    """Of one path: ``proven`` where its own guards hold, and what refuses.

    An unproven path names what isn't proven; a proven one everything else that refuses.
    """

    case: Case
    proven: bool
    refusals: tuple[Refusal, ...]

    @property
    def promotes(self) -> bool:
        """Whether every guard holds."""
        return not self.refusals


def judge(state: State, observation: Observation, settings: Settings) -> Verdict:
    """Returns the verdict of the path that promotes, else of a proven one, else of ``REGION``."""
    verdicts = [_verdict(Case(state, observation, settings, path)) for path in Path]
    return max(verdicts, key=lambda verdict: (verdict.promotes, verdict.proven))


def _verdict(case: Case) -> Verdict:
    if unproven := _refusals(PROOFS[case.path], case):
        return Verdict(case, False, unproven)
    return Verdict(case, True, _refusals((*CONDITIONS[case.path], *SHARED), case))


def _refusals(guards: tuple[Guard, ...], case: Case) -> tuple[Refusal, ...]:
    judged = ((guard.__name__, guard(case)) for guard in guards)
    return tuple(Refusal(name, reason) for name, reason in judged if reason)
