"""One drill from the first request to the judged document: play, give back, read, judge."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from lab.errors import LabError
from ops.drill import decisions, document, findings, measure, reading
from ops.drill.asking import Asking
from ops.drill.checker import DataVerdict, check
from ops.drill.course import Course, steady_seconds
from ops.drill.display import Display
from ops.drill.findings import Finding
from ops.drill.history import Entry, Operation, Recorder, Seen, What
from ops.drill.homecoming import Homecoming
from ops.drill.inject import Injector
from ops.drill.judge import Facts, Verdict, judge
from ops.drill.load import Load
from ops.drill.prepare import Prepared, commit, configuration_hash
from ops.drill.scenario import Lost, Scenario
from ops.drill.schedule import (
    BRIEF_RAMP_SECONDS,
    POPULATIONS,
    RAMP_SECONDS,
    scaled,
    schedule,
)
from ops.drill.site import Connections
from ops.drill.watch import Watcher
from ops.errors import OperatorError
from ops.recovery.place import World

PHASE_SECONDS = 60.0
"""The loss begins anywhere in the controller's and the checkers' minute."""
SETTLE_SECONDS = 240.0
"""Real seconds for which a region may still lack an event or an object at the end, at any clock:
functions run in real time."""
ROWS_SECONDS = 60.0
"""The same for a row."""
OWN_ROWS_SECONDS = 5.0
"""The same for a row in the region that writes: what it lacks then is lost."""
CLOCK_ERROR_SECONDS = 1.0
"""Real seconds between an acknowledgement, the client's reading of its clock and the loss."""


@dataclass(frozen=True)
class Play:
    """One drill as it was asked for."""

    name: str
    scenario: Scenario
    seed: int
    participants: tuple[tuple[str, str], ...] = ()
    approved_by: str = ""
    stay: bool = False
    rate: float = 1.0
    """Requests in a real second, by this factor."""


WorldOf = Callable[[], World]
"""Recovery as commands act on it, made when it is needed."""


def played(
    play: Play,
    ready: Prepared,
    injector: Injector,
    path: Path,
    console: Console,
    noted: list[Finding],
    world: WorldOf,
    pause: Callable[[float], None],
) -> dict[str, Any]:
    """Plays one drill and returns its document; ``path`` is the history's file."""
    with ExitStack() as stack:
        recorder = Recorder(path)
        stack.callback(recorder.close)
        drill = _Drill(play, ready, injector, recorder, console, world, pause, stack)
        try:
            return drill.run(noted)
        except BaseException:
            # Whatever it was, nothing stays broken; what did is written down.
            ready.restoration.run(console.print)
            raise


class _Drill:
    """The parts of one drill, put together."""

    def __init__(
        self,
        play: Play,
        ready: Prepared,
        injector: Injector,
        recorder: Recorder,
        console: Console,
        world: WorldOf,
        pause: Callable[[float], None],
        stack: ExitStack,
    ) -> None:
        self.play, self.ready, self.recorder = play, ready, recorder
        self.injector, self.console, self.pause, self.world = injector, console, pause, world
        self.system, self.clock = ready.system, ready.clock
        self.left = ""
        self.home, self.standby = self.system.regions
        self.items = ready.items
        self.connections = Connections(self.system.site)
        stack.callback(self.connections.close)
        self.asking = Asking(
            play.name, self.system.site, POPULATIONS, self._drill_time, self._record
        )
        stack.callback(self.asking.close)
        ramp = RAMP_SECONDS if self.clock == 1 else BRIEF_RAMP_SECONDS
        self.load = Load(
            schedule(scaled(POPULATIONS, play.rate), play.seed, ramp),
            self.asking,
            self.system.regions,
            self.clock,
        )
        self.watcher = Watcher(self.system.looks(), self._record, self.load.drill_time)
        self.display = Display(console, recorder.history, lambda: dict(self.watcher.standing.now))
        stack.callback(self.watcher.stop)
        stack.callback(self.load.stop)
        chance = random.Random(play.seed)  # noqa: S311 - a drill shall be repeatable
        self.course = Course(
            play.scenario, self.load, self.watcher, injector.do, self._record, self._figures,
            self._steady,
            chance.uniform(0, PHASE_SECONDS), self.clock, pause, self.display.show,
        )  # fmt: skip

    def run(self, noted: list[Finding]) -> dict[str, Any]:
        """Everything, in its order."""
        started, before = time.time(), self.system.steady()
        marks = {region: self._last_entry(region) for region in self.system.regions}
        began_at = self.ready.now()
        interrupted = self._course()
        self.watcher.look(("writer", ""))
        writer = self.watcher.standing.now.get("writer", "")
        found = [e for region, n in marks.items() for e in decisions.entries(self.items, region, n)]
        bound = self._bound()
        operations = reading.acknowledged(self.recorder.history.operations)
        interrupted = interrupted or self._survived(writer, operations, bound)
        restored = self._give_back(operations, interrupted)
        for one in decisions.timeline(found, began_at):
            self._record(one)
        self.watcher.stop()
        facts = Facts(
            writer=writer,
            promotions=decisions.promotions(found),
            refused=decisions.refusals(found),
            stages=self.watcher.standing.stages_since(self.course.loss_at),
            steady=self._steady(self.course.loss_at),
            late_seconds=measure.lateness(self.recorder.history.operations) / self.clock,
            clock=self.clock,
            home=self.home,
            history_fault=self.recorder.fault,
            interrupted=interrupted,
            left=self.left,
        )
        self.recorder.close()
        course = document.Course(
            started, time.time(), self.course.loss_at, bound, before, self.system.steady(),
            restored, decisions.notices(found, began_at),
        )  # fmt: skip
        return self._judged(facts, course, noted)

    def _judged(
        self, facts: Facts, course: document.Course, noted: list[Finding]
    ) -> dict[str, Any]:
        play, history = self.play, self.recorder.history
        budget = self.ready.stack_file.settings.budget
        figures, data = self._figures(course.loss_at), self._data(course.loss_bound_seconds)
        judgement = judge(play.scenario, figures, data, facts, budget)
        reasons = judgement.reasons if judgement.verdict is Verdict.FAILED else ()
        today = datetime.now(UTC).date()
        name = f"{play.name}.jsonl"
        about = document.About(
            play.name,
            "aws" if self.ready.lab_state is None else "lab",
            self.ready.stack_file.stack,
            self.clock,
            play.seed,
            commit(self.ready.workspace.repository),
            configuration_hash(self.ready.stack_file),
            {"engine": str(self.ready.stack_file.settings.data.engine_version)},
            play.participants,
            play.approved_by,
        )
        content = (
            self.ready.workspace.directory / "evidence" / "drills" / name
        ).read_bytes()  # fmt: skip
        return document.build(
            about, play.scenario, course, history, figures, data, facts, judgement, budget,
            (name, content), findings.with_reasons(noted, reasons, today, play.name),
        )  # fmt: skip

    def _course(self) -> str:
        """Plays it; returns why it was ended before its end, or nothing."""
        try:
            with self.display:
                self.load.start()
                self.watcher.start()
                self.course.run()
        except KeyboardInterrupt:
            return "interrupted"
        except (OperatorError, LabError) as error:
            return str(error)
        finally:
            self.load.stop()
        return ""

    def _survived(self, writer: str, operations: list[Operation], bound: float | None) -> str:
        """Reads a region that was promoted before anything is given back: what is lost shows there
        alone. Where the writer stayed, the other region may catch up first. Returns why it was
        ended, or nothing."""
        if writer != self.standby:
            return ""
        try:
            self._read([writer], operations, OWN_ROWS_SECONDS)
            self._early(bound)
        except KeyboardInterrupt:
            return "interrupted"
        return ""

    def _read(self, regions: list[str], operations: list[Operation], seconds: float) -> None:
        """Rows of each of these regions; ``seconds`` are real ones, within which they may still
        come."""
        for region in regions:
            for entry in self._rows_of(region, self._kept(operations), seconds):
                self._record(entry)

    def _rows_of(self, region: str, wanted: list[Operation], seconds: float) -> list[Entry]:
        return self._settled(
            lambda: reading.rows(self.connections, region, self.play.name, self.pause),
            wanted,
            What.ROW,
            seconds,
        )

    def _read_objects(self, operations: list[Operation]) -> None:
        """Objects of both regions, once both are whole: S3 continues replicating what a lost region
        had."""
        for region in self.system.regions:
            client, bucket = self.system.clients.get("s3", region), self.ready.bucket(region)
            entries = self._settled(
                lambda c=client, b=bucket, r=region: reading.objects(c, b, r, operations),
                self._kept(operations),
                What.OBJECT,
                SETTLE_SECONDS,
            )
            for entry in entries:
                self._record(entry)

    def _read_events(self, asked: str, operations: list[Operation]) -> None:
        entries = self._settled(
            lambda: reading.events(self.connections, asked, self.system.regions, operations),
            self._kept(operations),
            What.EVENT,
            SETTLE_SECONDS,
        )
        for entry in entries:
            self._record(entry)

    def _kept(self, operations: list[Operation]) -> list[Operation]:
        """Those whose row a region has that was read to its end; all of them before the first
        reading. What is lost, and its event, isn't waited for."""
        history = self.recorder.history
        if not any(one.what is What.ROW and one.complete for one in history.readings):
            return operations
        held = {one.key for one in history.found if one.what is What.ROW}
        return [one for one in operations if one.record in held]

    def _settled(
        self,
        read: Callable[[], list[Entry]],
        operations: list[Operation],
        what: What,
        seconds: float,
    ) -> list[Entry]:
        """A reading that lacks nothing, or the last one within some real seconds."""
        end = self.load.drill_time() + seconds * self.clock
        while True:
            entries = read()
            if not reading.missing(entries, operations, what) or self.load.drill_time() > end:
                return entries
            self.pause(1.0)

    def _early(self, bound: float | None) -> None:
        """The verdict on rows as soon as it is known; the document's comes at the end."""
        data, seconds = self._data(bound), self.load.drill_time() - self.course.loss_at
        self.console.print(
            f"after {seconds:.0f} s: {data.rows.acknowledged} rows acknowledged, "
            f"{len(data.rows.lost)} lost; giving back what was broken"
        )

    def _give_back(self, operations: list[Operation], interrupted: str) -> str:
        home = Homecoming(self.ready, self.world, self._note, self.load.drill_time, self.pause)
        before = self.recorder.history.readings
        read = {one.region for one in before if one.what is What.ROW and one.complete}
        try:
            home.give_back()
            if interrupted:
                return "what was broken is given back; the drill was ended"
            home.wait_until_whole()
            left = [one for one in self.system.regions if one not in read]
            self._read(left, operations, ROWS_SECONDS)
            self._read_objects(operations)
            self._read_events(self.system.writer(), operations)
            circle = self.play.scenario.reconcile and not self.play.stay
            how = home.bring_home(self.play.stay, guarded=circle)
            if circle:
                self._check_circle(operations)
            return how
        except (OperatorError, KeyboardInterrupt) as error:
            self.left = str(error) or "interrupted; ./inv drill --restore gives back what is broken"
            return self.left

    def _check_circle(self, operations: list[Operation]) -> None:
        """Raises ``OperatorError`` where a region lacks an acknowledged row after the way home: the
        lost tail was replayed, and the failback lost nothing."""
        found = {
            region: self._rows_of(region, operations, ROWS_SECONDS)
            for region in self.system.regions
        }
        lacks = [
            text
            for region, entries in found.items()
            if (text := reading.lacks(region, entries, operations, self.course.loss_at))
        ]
        if lacks:
            raise OperatorError(f"after the way home {'; '.join(lacks)}")
        self._note(f"both regions have all {len(operations)} acknowledged rows")

    def _bound(self) -> float | None:
        """How old a lost row may be, in the drill's seconds: what the controller measured before it
        promoted; None where nothing may be lost."""
        if self.play.scenario.expect.lost is Lost.NONE:
            return None
        state = self.system.state(self.standby)
        incident = state.incident if state else None
        if incident is None or incident.loss_bound_seconds < 0:
            return None
        return float(incident.loss_bound_seconds)

    def _data(self, bound: float | None) -> DataVerdict:
        slack = CLOCK_ERROR_SECONDS * self.clock
        return check(
            self.recorder.history,
            loss_at=self.course.loss_at,
            bound_seconds=None if bound is None else bound + slack,
            stale_seconds=self.play.scenario.watch_seconds,
        )

    def _figures(self, loss_at: float) -> measure.Figures:
        history = replace(
            self.recorder.history,
            operations=list(self.recorder.history.operations),
            seen=list(self.recorder.history.seen),
        )
        return measure.figures(history, loss_at)

    def _last_entry(self, region: str) -> int:
        return max(
            (one.number for one in decisions.entries(self.items, region, 0)), default=0
        )  # fmt: skip

    def _record(self, entry: Entry) -> None:
        self.recorder.add(entry)
        if isinstance(entry, Seen):
            self.display.seen(entry)

    def _steady(self, at: float) -> bool:
        """Whether all was served just before a moment, of which the last answers may be due."""
        operations = list(self.recorder.history.operations)
        return measure.steady(operations, at, steady_seconds(self.clock))

    def _drill_time(self) -> float:
        """The load's own, which is made after its clients."""
        return self.load.drill_time()

    def _note(self, what: str) -> None:
        self._record(Seen(self.load.drill_time(), "drill", what))
