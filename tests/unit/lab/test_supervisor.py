"""The lab's parts are started in order, watched, restarted and stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lab import supervisor
from lab.part import Health, Part
from lab.parts import PARTS
from lab.supervisor import Supervisor


@dataclass
class FakePart:
    """A part that notes what it was asked."""

    name: str
    calls: list[str]
    fails: dict[str, BaseException] = field(default_factory=dict)
    healthy: bool = True

    async def _note(self, what: str) -> None:
        self.calls.append(f"{self.name} {what}")
        if what.split(maxsplit=1)[0] in self.fails:
            raise self.fails[what.split(maxsplit=1)[0]]

    async def start(self) -> None:
        await self._note("start")

    async def stop(self) -> None:
        await self._note("stop")

    async def outage(self, region: str, kinds: Any) -> None:
        await self._note(f"outage {region}")

    async def restore(self, region: str) -> None:
        await self._note(f"restore {region}")

    async def health(self) -> Health:
        await self._note("health")
        return Health(self.healthy, "" if self.healthy else "sick")


def made(parts: list[FakePart], lost: Callable[[str], Any] = lambda region: ()) -> Supervisor:
    lab: Any = SimpleNamespace(parts={}, outages=SimpleNamespace(lost=lost))
    return Supervisor(lab, parts)  # pyright: ignore[reportArgumentType]


def test_parts_start_in_order_and_stop_in_reverse(monkeypatch: pytest.MonkeyPatch) -> None:
    """N1: everything starts with the lab and stops with it; a loss that lasts over a restart is
    passed to each part that starts."""
    monkeypatch.setattr(supervisor, "WATCH_SECONDS", 60)
    calls: list[str] = []
    parts = [FakePart("a", calls), FakePart("b", calls)]

    async def live() -> None:
        kept = made(parts, lambda region: {"api"} if region == "us-east-1" else ())
        await kept.start()
        assert kept.ready
        assert all(watched.health.healthy for watched in kept.watched.values())
        await kept.stop()

    asyncio.run(live())
    assert calls == [
        "a start", "a outage us-east-1", "b start", "b outage us-east-1", "b stop", "a stop",
    ]  # fmt: skip


def test_a_part_that_fails_is_restarted_after_a_growing_pause() -> None:
    """N1: the part is stopped and started anew, said in the status, and not again at once."""
    calls: list[str] = []
    part = FakePart("a", calls, healthy=False)

    async def live() -> dict[str, object]:
        kept = made([part])
        watched = kept.watched["a"]
        await kept._look_after(watched)
        assert calls == ["a health", "a stop", "a start"]
        await kept._look_after(watched)
        assert calls[3:] == ["a health"], "restarted again without a pause"
        part.healthy = True
        await kept._look_after(watched)
        once = watched.as_dict()
        part.healthy, watched.not_before = False, 0
        await kept._look_after(watched)
        assert "restarted 2 times" in str(watched.as_dict()["detail"])
        return once

    assert asyncio.run(live()) == {
        "healthy": True,
        "detail": "restarted once, last for: sick",
        "restarts": 1,
    }


def test_a_part_whose_calls_raise_is_unwell_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """N1: one part's fault is its own: named in its health, and felt by no other."""
    monkeypatch.setattr(supervisor, "WATCH_SECONDS", 60)
    calls: list[str] = []
    fault = ValueError("first\nsecond")
    broken = FakePart("a", calls, dict.fromkeys(("start", "stop", "outage", "health"), fault))
    sound = FakePart("b", calls)

    async def live() -> list[Health]:
        kept = made([broken, sound])
        watched, seen = kept.watched["a"], []
        await kept.start()
        seen.append(watched.health)
        await kept.outage("us-west-2")
        seen.append(watched.health)
        await kept._look_after(watched)
        seen.append(watched.health)
        await kept.restore("us-west-2")
        seen.append(watched.health)
        assert kept.watched["b"].health.healthy
        await kept.stop()
        return seen

    started, lost, restarted, restored = asyncio.run(live())
    assert started == Health(False, "did not start: ValueError: first second")
    assert lost == Health(False, "ValueError: first second")
    assert restarted == Health(False, "did not start: ValueError: first second")
    assert restored == Health(False, "ValueError: first second"), "not examined after the restore"
    assert {"b outage us-west-2", "b restore us-west-2", "b stop"} <= set(calls)


def test_a_restore_waits_for_a_restart_that_still_passes_the_outage() -> None:
    """The part hears of the outage by its start and then of the restore, in this order: it would
    stay lost in a region that is restored."""
    calls: list[str] = []
    stopping, go_on = asyncio.Event(), asyncio.Event()

    class SlowPart(FakePart):
        async def outage(self, region: str, kinds: Any) -> None:
            stopping.set()
            await go_on.wait()
            await super().outage(region, kinds)

    async def live() -> None:
        lost = {"us-east-1": {"api"}}
        kept = made([SlowPart("a", calls, healthy=False)], lambda region: lost.get(region, ()))
        restart = asyncio.create_task(kept._look_after(kept.watched["a"]))
        await stopping.wait()
        lost.clear()
        restore = asyncio.create_task(kept.restore("us-east-1"))
        await asyncio.sleep(0)
        go_on.set()
        await asyncio.gather(restart, restore)

    asyncio.run(live())
    assert calls == [
        "a health", "a stop", "a start", "a outage us-east-1", "a restore us-east-1", "a health",
    ]  # fmt: skip


def test_the_lab_s_watch_restarts_and_stopping_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """N1: nobody needs to ask: the part is found unwell and restarted; a lab that was stopped
    before it ran stops its parts all the same."""
    monkeypatch.setattr(supervisor, "WATCH_SECONDS", 0.001)
    calls: list[str] = []
    part = FakePart("a", calls, healthy=False)

    async def live() -> None:
        kept = made([part])
        await kept.start()
        while not kept.watched["a"].restarts:
            await asyncio.sleep(0.001)
        part.healthy = True
        await kept.stop()
        count = len(calls)
        await asyncio.sleep(0.01)
        assert len(calls) == count, "watched on after the stop"
        await made([part]).stop()

    asyncio.run(live())
    assert calls[:4] == ["a start", "a health", "a stop", "a start"]
    assert calls[-2:] == ["a stop", "a stop"]


def test_every_part_is_listed_once() -> None:
    """N1: what the lab starts is every part there is, each under a name of its own; metrics come
    last, because they look at what the others have registered."""
    listed = {part.__module__ for part in PARTS}
    found = {
        f"lab.{file.parent.name}.part"
        for file in (Path(__file__).parents[3] / "lab").glob("*/part.py")
    }
    assert listed == found
    assert len({part.name for part in PARTS}) == len(PARTS)
    assert all(issubclass(part, Part) for part in PARTS)
    assert PARTS[-1].name == "metrics"
