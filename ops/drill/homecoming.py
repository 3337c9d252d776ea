"""After the verdict: everything given back, both regions whole, the writer brought home."""

from __future__ import annotations

from collections.abc import Callable

from ops.drill.prepare import Prepared
from ops.drill.scenario import Scenario
from ops.errors import OperatorError

WHOLE_SECONDS = 900.0
"""The system's seconds until a region that came back serves and follows again."""
PAUSE_SECONDS = 1.0


class Homecoming:
    """``now`` is the drill's time, ``note`` puts a line into the timeline."""

    def __init__(
        self,
        ready: Prepared,
        scenario: Scenario,
        note: Callable[[str], None],
        now: Callable[[], float],
        pause: Callable[[float], None],
    ) -> None:
        self._ready, self._scenario, self._note = ready, scenario, note
        self._now, self._pause = now, pause

    def give_back(self) -> None:
        """Gives back what the drill broke. Raises ``OperatorError`` where something stays."""
        self._ready.restoration.run(self._note)
        self._note("what was broken is given back")

    def wait_until_whole(self) -> None:
        """Waits until both applications answer and the databases follow. Raises ``OperatorError``
        with what is missing."""
        self._until(self._missing, "both regions are whole")

    def bring_home(self, stay: bool) -> str:
        """Returns how the system was left: the writer at home, or where it is and why."""
        home = self._ready.system.regions[0]
        writer = self._ready.system.writer()
        if writer == home:
            return f"{home} writes, as before"
        return f"{writer} writes: ./inv recovery.acknowledge, once people have looked"

    def _missing(self) -> list[str]:
        system = self._ready.system
        found = [f"{one} doesn't answer" for one in system.regions if not system.healthy(one)]
        return found + ([] if system.synchronised() else ["the databases aren't synchronised"])

    def _until(self, missing: Callable[[], list[str]], what: str) -> None:
        end = self._now() + WHOLE_SECONDS
        while left := missing():
            if self._now() > end:
                raise OperatorError(
                    f"{'; '.join(left)} {WHOLE_SECONDS:.0f} s after it was given back"
                )
            self._pause(PAUSE_SECONDS)
        self._note(what)
