"""After the verdict: everything given back, both regions whole, the writer brought home by the same
commands that people use."""

from __future__ import annotations

from collections.abc import Callable

from ops.drill.prepare import Prepared
from ops.errors import OperatorError
from ops.recovery import failback, reconcile
from ops.recovery.place import World
from recovery import commands
from recovery.model import Tail
from recovery.promoting import ABSENT

WHOLE_SECONDS = 1200.0
"""Real seconds until a region that came back serves and follows again, and for each step of the way
home."""
PAUSE_SECONDS = 2.0


class Homecoming:
    """``now`` is the drill's time, ``note`` puts a line into the timeline, ``world`` is recovery as
    commands act on it."""

    def __init__(
        self,
        ready: Prepared,
        world: Callable[[], World],
        note: Callable[[str], None],
        now: Callable[[], float],
        pause: Callable[[float], None],
    ) -> None:
        self._ready, self._world, self._note = ready, world, note
        self._now, self._pause = now, pause

    def give_back(self) -> None:
        """Gives back what the drill broke. Raises ``OperatorError`` where something stays."""
        self._ready.restoration.run(self._note)
        self._note("what was broken is given back")

    def wait_until_whole(self) -> None:
        """Waits until both applications answer and the databases follow. Raises ``OperatorError``
        with what is missing."""
        end = self._now() + WHOLE_SECONDS * self._ready.clock
        while left := self._missing():
            if self._now() > end:
                raise OperatorError(
                    f"{'; '.join(left)} {WHOLE_SECONDS:.0f} s after it was given back"
                )
            self._pause(PAUSE_SECONDS)
        self._note("both regions are whole")

    def bring_home(self, stay: bool, *, guarded: bool = False) -> str:
        """Reconciles, acknowledges and fails back; returns how the system was left. ``guarded``
        waits before the failback until the region that came back guards the one that writes."""
        home = self._ready.system.regions[0]
        writer = self._writer()
        if writer == home:
            return f"{home} writes, as before"
        if stay:
            return f"{writer} writes, as was asked for: ./inv failback brings it home"
        world = self._world()
        guard = [(f"{home} guards {writer}", self._check_guard)] if guarded else []
        for what, step in (
            ("the lost tail is reconciled", self._reconcile),
            ("people have looked", self._acknowledge),
            *guard,
            (f"{home} writes again", self._fail_back),
        ):
            self._insist(lambda step=step: step(world))
            self._note(what)
        return f"reconciled, acknowledged and failed back: {home} writes"

    def _writer(self) -> str:
        """The region that writes: one look that wasn't answered moves no writer."""
        system, end = self._ready.system, self._now() + WHOLE_SECONDS * self._ready.clock
        while (writer := system.writer()) not in system.regions:
            if self._now() > end:
                raise OperatorError("nobody answers which region writes: ./inv status says more")
            self._pause(PAUSE_SECONDS)
        return writer

    def _reconcile(self, world: World) -> None:
        """A planned change has no lost tail; one that AWS kept no volume of is accepted by name."""
        found = reconcile.last_promotion(world)
        if found is None:
            return
        _, incident = found
        if incident.tail is not Tail.OPEN:
            return
        # A promotion that was found has no bound, and may have a tail all the same.
        if incident.loss_bound_seconds < 0 and incident.snapshot == ABSENT:
            reconcile.accept(world, "a drill's planned change: nothing was lost")
            return
        compared = reconcile.compare(world, replay=True, report=self._note)
        if not compared.is_whole:
            raise OperatorError(f"the lost tail is {compared.tail}: {dict(compared.counts)}")

    def _acknowledge(self, world: World) -> None:
        first, second = world.items.read()
        if first.state is None or second.state is None:
            raise OperatorError("a region's recovery table doesn't answer")
        if commands.nothing_to_acknowledge(first.state, second.state):
            return
        epoch = max(first.state.epoch, second.state.epoch)
        world.items.change(lambda state: commands.acknowledge(state, epoch))

    def _check_guard(self, _world: World) -> None:
        """Once acknowledged, the region that was lost is the other one's standby (N2)."""
        home = self._ready.system.regions[0]
        state = self._ready.system.state(home)
        if state is None or not state.armed:
            raise OperatorError(f"the controller of {home} isn't armed: the writer has no guard")

    def _fail_back(self, world: World) -> None:
        done = failback.run(world, report=self._note)
        self._note(f"epoch {done.epoch}, switched in {done.switchover_seconds:.0f} s")

    def _insist(self, step: Callable[[], None]) -> None:
        """A step is refused until the lost region has caught up: again, for some minutes."""
        end = self._now() + WHOLE_SECONDS * self._ready.clock
        while True:
            try:
                step()
            except OperatorError:
                if self._now() > end:
                    raise
                self._pause(PAUSE_SECONDS)
            else:
                return

    def _missing(self) -> list[str]:
        system = self._ready.system
        found = [f"{one} doesn't answer" for one in system.regions if not system.healthy(one)]
        return found + ([] if system.synchronised() else ["the databases aren't synchronised"])
