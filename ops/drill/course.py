"""The course of a drill under load: steady, broken, watched until all has happened or time is over.

Times are the drill's; ``pause`` waits real seconds and is the only thing that takes time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ops.drill.history import Seen
from ops.drill.load import Load
from ops.drill.measure import GOOD_SECONDS, HONEST, Figures
from ops.drill.scenario import Action, Scenario, Step, Traffic, Writes
from ops.drill.watch import Watcher
from ops.errors import OperatorError

STEADY_REAL_SECONDS = 20.0
"""How long everything must be served before anything is broken."""
BRIEF_REAL_SECONDS = 8.0
"""The same at a fast clock, whose figures are held against nothing."""
SETTLING_REAL_SECONDS = 180.0
"""Longest that is waited for it: functions start with the load."""
LOOK_SECONDS = 1.0
WHEN_SECONDS = 600.0
"""Longest that a step waits for a stage of the controller."""

Show = Callable[[str, float, "Figures | None"], None]
"""(what comes next, the drill's time, figures since the loss): the live display."""


@dataclass
class Course:
    """One drill's course. ``phase`` is how long after the steady time the first step comes, in the
    drill's seconds: anywhere in the controller's and the checkers' minute."""

    scenario: Scenario
    load: Load
    watcher: Watcher
    act: Callable[[Step, Callable[[], object]], None]
    """Carries a step out; what has to wait first calls its second argument when it begins."""
    record: Callable[[Seen], None]
    figures: Callable[[float], Figures]
    steady: Callable[[float], bool]
    phase: float
    clock: float
    pause: Callable[[float], None]
    show: Show
    loss_at: float = 0.0

    def run(self) -> None:
        """Plays the scenario from the first request to the end of the watch."""
        self._note("the load begins")
        self._until(steady_seconds(self.clock), "a steady state is looked for")
        self._settle()
        self._until(self.load.drill_time() + self.phase, "everything is served; the loss")
        self._settle()  # a busy machine may have lost it meanwhile
        moment = self.load.drill_time()
        before = moment
        for step in self.scenario.steps:
            self._until(before + step.after, f"{step.action} of {step.region}")
            if step.when:
                self._wait_for(step, moment)
            if step is self.scenario.loss and self._only_faults_before(step):
                self._settle()
            before = self._begin(step)
            self._note(said(step))
            self.act(step, lambda step=step: self._begin(step))
        self._watch()

    def done(self, figures: Figures) -> bool:
        """Whether all that must happen has happened, and nothing more is to be waited for."""
        expect = self.scenario.expect
        if self.scenario.patient or expect.writes is Writes.LOST:
            return False
        if expect.stage and expect.stage not in self.watcher.standing.stages_since(self.loss_at):
            return False
        if figures.writes.get(HONEST) is None:
            return False
        if expect.traffic is Traffic.FAILS_OVER and figures.dns_switch is None:
            return False
        writes = self.watcher.standing.now.get("writer") == expect.writer
        return writes and figures.traffic.get(HONEST) is not None

    def _settle(self) -> None:
        end = self.load.drill_time() + SETTLING_REAL_SECONDS * self.clock
        real = steady_seconds(self.clock) / self.clock
        while not self.steady(self.load.drill_time()):
            now = self.load.drill_time()
            if now > end:
                raise OperatorError(
                    f"requests and writes weren't served for {real:.0f} s without a break: "
                    "nothing was broken, ./inv status says what is wrong"
                )
            self.show("waiting for a steady state", now, None)
            self.pause(LOOK_SECONDS)

    def _watch(self) -> None:
        end = self.loss_at + self.scenario.watch_seconds
        while (now := self.load.drill_time()) < end:
            figures = self.figures(self.loss_at)
            self.show(f"watching, {end - now:.0f} s at most", now, figures)
            if now > self.loss_at + GOOD_SECONDS and self.done(figures):
                break
            self.pause(LOOK_SECONDS)
        self._note("the watch ends")

    def _until(self, moment: float, what: str) -> None:
        while (left := moment - self.load.drill_time()) > 0:
            self.show(f"{what} in {left:.0f} s", self.load.drill_time(), None)
            self.pause(min(LOOK_SECONDS, left / self.clock))

    def _only_faults_before(self, loss: Step) -> bool:
        """Whether clients have noticed nothing yet: AWS's faults of replication or of a promotion
        that comes are none of theirs."""
        steps = self.scenario.steps
        return all(one.action is Action.FAULT for one in steps[: steps.index(loss)])

    def _begin(self, step: Step) -> float:
        """Returns the moment at which a step acts, which is the loss's where it is that one."""
        now = self.load.drill_time()
        if step is self.scenario.loss:
            self.loss_at = now
        return now

    def _wait_for(self, step: Step, moment: float) -> None:
        end = self.load.drill_time() + WHEN_SECONDS
        while step.when not in self.watcher.standing.stages_since(moment):
            now = self.load.drill_time()
            if now > end:
                raise OperatorError(
                    f"no controller was {step.when} within "
                    f"{WHEN_SECONDS:.0f} s: {step.action} was left out"
                )
            self.show(f"{step.action} once the controller is {step.when}", now, None)
            self.pause(LOOK_SECONDS)

    def _note(self, what: str) -> None:
        self.record(Seen(self.load.drill_time(), "drill", what))


def steady_seconds(clock: float) -> float:
    """For how long everything must be served before anything is broken, in the drill's seconds."""
    return (STEADY_REAL_SECONDS if clock == 1 else BRIEF_REAL_SECONDS) * clock


def said(step: Step) -> str:
    """A step as the timeline has it."""
    how = " ".join(filter(None, (step.part, step.mode, step.fault, step.value)))
    return f"{step.action} {step.region}{f' ({how})' if how else ''}"
