"""Rounds of a lost database whose promotion is led by runs that a test makes itself: each is a
process that may be killed at a step, or many at once. The schedule is off, so that nothing depends
on how fast a machine is."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from application_client import until
from controller_run import KILLED, STEPS
from deployed_lab import Lab
from recovery_state import Controller
from region_outage import EAST, WEST, writer_region

from lab import client
from recovery.model import State

KILLS = tuple(f"{when} {step}" for step in STEPS for when in ("before", "after"))
SCRIPT = Path(__file__).with_name("controller_run.py")
RUNS = 60
"""More than a promotion with every kill takes."""
REAL_SECONDS = 300.0


def by_hand(lab: Lab) -> None:
    """Ends the schedules of both regions' controllers and validators."""
    for region in (EAST, WEST):
        for purpose in ("recovery", "validate"):
            lab.client("events", region).disable_rule(Name=f"rule-{purpose}-{region}-lab")


@dataclass
class Round:
    """The guard's runs in one incident; ``guard`` is the region that reads."""

    lab: Lab
    guard: str
    killed: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    """What became of each call that was made."""
    said: list[str] = field(default_factory=list)
    _shift: int = 0

    @property
    def controller(self) -> Controller:
        """The guard's item."""
        return Controller(self.lab, self.guard)

    @property
    def lost(self) -> str:
        """The region whose database is lost."""
        return WEST if self.guard == EAST else EAST

    def run(self, fatal: str = "", at_once: int = 1) -> bool:
        """Makes the next minute's run, ``at_once`` times side by side; whether one was killed."""
        self._shift += 60
        minute = (self._state().last_minute or 0) + 1
        command = [sys.executable, str(SCRIPT), self.guard, str(minute), str(self._shift), fatal]
        runs = [
            subprocess.Popen(
                command, cwd=self.lab.repository, env=self.lab.environment, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )
            for _ in range(at_once)
        ]  # fmt: skip
        codes: list[int] = []
        for process in runs:
            out, err = process.communicate(timeout=REAL_SECONDS)
            assert process.returncode in (0, KILLED), err
            codes.append(process.returncode)
            self.said += out.splitlines()
        self.answers = [line.split()[1] for line in self.said if line.startswith("called ")]
        return KILLED in codes

    def prepare(self) -> None:
        """Runs until the guard is armed, with a validation that lets it promote."""
        assert until(lambda: self.run() or self._state().armed, REAL_SECONDS), self.said[-5:]
        self.controller.validate()
        self.run()
        assert self._state().validation is not None

    def lose(self, *parts: str) -> None:
        """Loses the other region's database, and other parts of it."""
        for part in ("database", *parts):
            client.outage(self.lab.state_dir, self.lost, part)

    def promote(self, kills: Sequence[str] = (), at_once: int = 1) -> None:
        """Runs until the guard has proven its own database: each run is killed at the next of
        ``kills`` once it gets there."""
        waiting = list(kills)
        for _ in range(RUNS):
            if self.run(waiting[0] if waiting else "", at_once):
                self.killed.append(waiting.pop(0))
            incident = self._state().incident
            if not waiting and incident is not None and incident.promoted and self._is_done():
                return
        raise AssertionError(f"{waiting} are left: {self.said[-8:]}")

    def give_back(self) -> None:
        """The lost database is back as a standby, its old volume kept, and people have looked."""
        client.restore(self.lab.state_dir, self.lost)
        assert until(self._is_whole, REAL_SECONDS), "the lost member isn't connected again"
        assert until(lambda: self.run() or self._is_copied(), REAL_SECONDS), self.said[-5:]
        for order in (["recovery.reconcile", "--accept", "a test"], ["recovery.acknowledge"]):
            answer = self.lab.inv(*order)
            assert answer.returncode == 0, answer.stdout + answer.stderr

    def _state(self) -> State:
        return self.controller.state

    def _is_done(self) -> bool:
        return not self._state().pending

    def _is_copied(self) -> bool:
        incident = self._state().incident
        return incident is not None and incident.snapshot != ""

    def _is_whole(self) -> bool:
        found = self.lab.client("rds", self.guard).describe_global_clusters()["GlobalClusters"][0]
        members = found["GlobalClusterMembers"]
        return (
            writer_region(self.lab) == self.guard
            and {member["SynchronizationStatus"] for member in members} == {"connected"}
            and not found.get("FailoverState")
        )
