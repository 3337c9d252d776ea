"""The lab's clock."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from lab.clock import NAME, Clock, keep, kept


class Machine:
    """A machine's clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_lab_time_passes_by_the_factor_and_never_jumps() -> None:
    """N2: a drill may run faster than real time; a change of factor keeps the time."""
    machine = Machine()
    clock = Clock(20, machine)
    machine.now += 3
    assert clock.now() == 1060
    clock.factor = 1
    assert clock.now() == 1060
    machine.now += 3
    assert clock.now() == 1063
    assert clock.real_seconds(10) == 10
    assert clock.utc_now().timestamp() == 1063


@pytest.mark.parametrize("factor", [0, -1, 1001])
def test_a_clock_that_stands_still_or_races_is_refused(factor: float) -> None:
    """A factor out of its range names the range."""
    with pytest.raises(ValueError, match="above 0 and at most 1000"):
        Clock(factor)


def test_sleepers_notice_a_faster_clock() -> None:
    """``lab.clock`` holds for waits that have begun."""

    async def scenario() -> float:
        clock = Clock(1)
        sleeper = asyncio.create_task(clock.sleep(60))
        await asyncio.sleep(0.01)
        clock.factor = 1000
        began = asyncio.get_running_loop().time()
        await sleeper
        return asyncio.get_running_loop().time() - began

    assert asyncio.run(scenario()) < 1


def test_lab_time_does_not_go_back_when_the_lab_is_started_again(tmp_path: Path) -> None:
    """Issue 16.4: what a killed lab may have reached since it was last written is left out, never
    lived twice; at clock 1 the lab's time is the machine's."""
    machine = Machine()
    assert kept(tmp_path) == 0
    clock = Clock(50, machine)
    keep(tmp_path, clock, real_seconds=10)
    machine.now += 10
    reached = clock.now()
    again = Clock(50, machine, kept(tmp_path))
    assert again.now() == pytest.approx(reached, abs=10)
    assert again.now() >= reached - 10
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    keep(fresh, Clock(1, machine), real_seconds=10)
    machine.now += 1
    assert Clock(1, machine, kept(fresh)).now() == machine.now
    (fresh / NAME).write_text("{")
    assert kept(fresh) == 0
