"""One drill from flags to evidence, over a system that is played: nothing is started."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from drill_histories import EAST, WEST, keyed, recovered_course, written
from rich.console import Console
from watched_driver import stack_file

from ops.drill import decisions, play, reading
from ops.drill.decisions import Entry
from ops.drill.history import Found, Kind, Reading, Seen, What
from ops.drill.play import Play, played
from ops.drill.prepare import Prepared
from ops.drill.scenario import load
from ops.drill.schema import validator
from ops.errors import OperatorError
from ops.report import drills
from ops.workspace import Workspace
from recovery.model import Incident, State
from recovery.model import Path as Way

OUTCOME = {"action": {"name": "CallFailover"}, "outcome": {"answer": "accepted"}}


class System:
    """A system that recovers as ``recovered_course`` does."""

    regions = (EAST, WEST)
    suffix = "lab"

    def __init__(self) -> None:
        self.ill: set[str] = set()
        self.incident: Incident | None = Incident(5, Way.REGION, 3, promoted=9)
        self.silent = False
        self.site = SimpleNamespace(name="app.example")
        self.clients = SimpleNamespace(get=lambda *_: None, regions=self.regions)

    def looks(self) -> dict[Any, Any]:
        return {("writer", ""): lambda: WEST}

    def steady(self) -> dict[str, str]:
        return {"writer": EAST}

    def healthy(self, region: str) -> bool:
        return region not in self.ill

    def writer(self) -> str:
        return WEST

    def state(self, _region: str) -> State | None:
        return None if self.silent else State(incident=self.incident)


class Loaded:
    """A load that has asked what it asks before it began."""

    origin = 0.0

    def __init__(self, *_: Any) -> None:
        self.time = 0.0

    def start(self) -> None:
        self.time = 600.0

    def stop(self) -> None:
        self.time += 1

    def drill_time(self) -> float:
        self.time += 5
        return self.time


class Home:
    """A way home that notes where it stood."""

    fault: BaseException | None = None
    steps: list[str]

    def __init__(self, *given: Any) -> None:
        Home.steps = []
        self.note = given[2]

    def give_back(self) -> None:
        Home.steps.append("give back")
        if Home.fault:
            raise Home.fault
        self.note("what was broken is given back")

    def wait_until_whole(self) -> None:
        Home.steps.append("whole")

    def bring_home(self, stay: bool, *, guarded: bool) -> str:
        Home.steps += ["guarded", "home"] if guarded else ["home"]
        return "stayed" if stay else "home"


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[System]:
    """A whole system, and a course in which a region is lost and recovered."""
    keyed(tmp_path, monkeypatch)
    made = System()
    monkeypatch.setattr(Home, "fault", None)
    quiet = SimpleNamespace(close=lambda: None)
    for name in ("Asking", "Connections"):
        monkeypatch.setattr(play, name, lambda *_: quiet)
    monkeypatch.setattr(play, "Load", Loaded)
    monkeypatch.setattr(play, "Homecoming", Home)
    calls: list[str] = []

    def entries(_items: Any, region: str, _after: int) -> list[Entry]:
        calls.append(region)
        # Before the drill there is nothing; then the standby's one call.
        began = calls.count(region) == 1
        return [] if began or region == EAST else [Entry(region, 1, 1, "outcome", OUTCOME)]

    monkeypatch.setattr(decisions, "entries", entries)
    history = recovered_course()

    def run(self: Any) -> None:
        self.loss_at = 100.0
        for entry in [*history.operations, *history.seen]:
            self.record(entry)

    monkeypatch.setattr(play.Course, "run", run)
    numbers = {one.number for one in history.operations if one.kind is Kind.WRITE and one.ok}

    def rows(_connections: Any, region: str, *_: Any) -> list[Any]:
        found = [Found(region, What.ROW, f"id-{n}", n) for n in numbers]
        return [*found, Reading(region, What.ROW, True)]

    monkeypatch.setattr(reading, "rows", rows)

    def objects(_client: Any, _bucket: str, region: str, asked: list[Any]) -> list[Any]:
        found = [Found(region, What.OBJECT, one.object, -1, one.digest) for one in asked]
        return [*found, Reading(region, What.OBJECT, True)]

    def events(_connections: Any, _asked: str, regions: Any, asked: list[Any]) -> list[Any]:
        found = [Found(region, What.EVENT, one.event) for one in asked for region in regions]
        return [*found, *(Reading(region, What.EVENT, True) for region in regions)]

    monkeypatch.setattr(reading, "objects", objects)
    monkeypatch.setattr(reading, "events", events)
    yield made


class Ready(Prepared):
    """What the drill works with, at clock 1 and with a time of its own."""

    @property
    def clock(self) -> float:
        return 1.0

    def now(self) -> float:
        return 0.0

    def bucket(self, region: str) -> str:
        return f"bucket-{region}"


def ready_for(system: System, tmp_path: Path, lab: bool = True) -> Prepared:
    """Over a workspace of the test's own."""
    made: Any = system
    restoration: Any = SimpleNamespace()
    return Ready(
        Workspace(tmp_path, tmp_path), stack_file(), made, {}, restoration,
        tmp_path if lab else None, lambda _: None,
    )  # fmt: skip


def drilled(
    system: System, tmp_path: Path, lab: bool = True, ready: Prepared | None = None, **more: Any
) -> dict[str, Any]:
    """The document of one drill."""
    chosen = more.pop("scenario", load())
    asked = Play("20261128T004500Z-region-loss-7", chosen, 7, **more)
    injector: Any = SimpleNamespace(do=lambda _: None)
    path = tmp_path / "evidence" / "drills" / f"{asked.name}.jsonl"
    console = Console(file=io.StringIO(), width=200)
    nowhere: Any = None
    return played(
        asked, ready or ready_for(system, tmp_path, lab), injector, path, console, [], nowhere,
        lambda _: None,
    )  # fmt: skip


def test_a_drill_is_judged_by_its_history(system: System, tmp_path: Path) -> None:
    """Issue 20: recorded, read in both regions, brought home, and one document of the schema."""
    made = drilled(system, tmp_path)
    validator()(made)
    assert (made["verdict"], made["reasons"]) == ("passed", [])
    assert made["rows"]["acknowledged"] == made["rows"]["found"] == 340
    assert made["loss_bound_seconds"] == 3
    assert made["restored"] == "home"
    assert Home.steps == ["give back", "whole", "home"]
    assert {
        "source": "decision",
        "at": 60.0,
        "what": "us-west-2: CallFailover: answer accepted",
    } in (made["timeline"])
    recorded = drills.history_of(
        drills.Recorded(tmp_path / "evidence" / "drills" / f"{made['id']}.json", made)
    )
    assert len(recorded.operations) == made["operations"] == 1200


def test_a_lost_region_is_read_when_it_is_back(system: System, tmp_path: Path) -> None:
    """The survivor before anything is given back, the other one after it: each once."""
    system.ill = {EAST}
    made = drilled(system, tmp_path, lab=False, stay=True)
    assert (made["rows"]["stale"], made["where"], made["restored"]) == (0, "aws", "stayed")


def rows_of(monkeypatch: pytest.MonkeyPatch, tables: list[dict[str, set[int]]]) -> list[str]:
    """Regions hold these numbers, reading by reading; returns which were read, in their order."""
    asked: list[str] = []

    def rows(_connections: Any, region: str, *_: Any) -> list[Any]:
        asked.append(region)
        table = tables[0] if len(tables) == 1 else tables.pop(0)
        found = [Found(region, What.ROW, f"id-{n}", n) for n in table[region]]
        return [*found, Reading(region, What.ROW, True)]

    monkeypatch.setattr(reading, "rows", rows)
    return asked


def test_a_region_that_stayed_the_writer_is_read_when_all_is_whole(
    system: System, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """H14: replication was behind when us-east-1 was lost. Nothing was promoted, so nothing is
    lost, and what the standby lacked before it caught up is not stale."""
    monkeypatch.setattr(System, "looks", lambda _: {("writer", ""): lambda: EAST})
    steps: list[str] = []
    whole = reading.rows

    def rows(connections: Any, region: str, *more: Any) -> Any:
        steps.append(f"{region} after {Home.steps[-1:]}")
        return whole(connections, region, *more)

    monkeypatch.setattr(reading, "rows", rows)
    made = drilled(system, tmp_path)
    assert set(steps) == {f"{one} after ['whole']" for one in (EAST, WEST)}
    assert made["rows"]["stale"] == made["rows"]["lost"] == 0


def test_what_is_lost_is_not_waited_for(
    system: System, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row that the promoted region lacks never comes: neither the other region nor the events
    are waited for because of it."""
    all_ = {one.number for one in recovered_course().operations if one.ok and one.record}
    kept = all_ - {min(all_)}
    asked = rows_of(monkeypatch, [{EAST: kept, WEST: kept}])
    made = drilled(system, tmp_path)
    assert made["rows"]["lost"] == 1
    assert asked.count(WEST) <= 3
    assert asked.count(EAST) == 1


@pytest.mark.parametrize(("comes_home", "stay"), [(True, False), (False, False), (False, True)])
def test_a_full_circle_ends_with_every_row(
    system: System, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, comes_home: bool, stay: bool
) -> None:
    """Issue 20.1: the survivor is guarded, the tail replayed, and both regions read once more; a
    drill that is left in us-west-2 ends before."""
    all_ = {one.number for one in recovered_course().operations if one.ok and one.record}
    kept = all_ - {min(all_)}
    after = all_ if comes_home else kept

    def rows(_connections: Any, region: str, *_: Any) -> list[Any]:
        held = after if "home" in Home.steps else kept
        found = [Found(region, What.ROW, f"id-{n}", n) for n in held]
        return [*found, Reading(region, What.ROW, True)]

    monkeypatch.setattr(reading, "rows", rows)
    made = drilled(system, tmp_path, scenario=load("full-circle"), stay=stay)
    lacks = [one for one in made["reasons"] if "after the way home" in one]
    some = (
        rf"lacks 1 of {len(all_)} acknowledged rows \(id-{min(all_)}, acknowledged in us-east-1 at "
    )
    if comes_home or stay:
        assert lacks == []
    else:
        (said,) = lacks
        expected = (
            rf"not brought home: after the way home us-east-1 {some}-[0-9.]+ s\); us-west-2 {some}"
        )
        assert re.match(expected, said), said
    notes = [one["what"] for one in made["timeline"] if one["source"] == "drill"]
    assert (f"both regions have all {len(all_)} acknowledged rows" in notes) is comes_home
    assert Home.steps[-2:] == (["whole", "home"] if stay else ["guarded", "home"])


@pytest.mark.parametrize(
    ("fault", "reason"),
    [(KeyboardInterrupt(), "interrupted"), (OperatorError("nothing was broken"), "nothing was b")],
)
def test_an_interrupted_drill_gives_back_and_is_void(
    system: System, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Any, reason: str
) -> None:
    """Issue 20.6: always restored, also after Ctrl-C; what was measured proves nothing."""

    def run(_: Any) -> None:
        raise fault

    monkeypatch.setattr(play.Course, "run", run)
    made = drilled(system, tmp_path)
    assert made["verdict"] == "void"
    assert made["reasons"][0].startswith(reason)
    assert Home.steps == ["give back"]


def test_an_interruption_while_reading_gives_back_as_well(
    system: System, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C after the course: void, and nothing stays broken."""

    def rows(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(reading, "rows", rows)
    made = drilled(system, tmp_path)
    assert made["reasons"] == ["interrupted"]
    assert Home.steps == ["give back"]


def test_a_fault_of_any_kind_leaves_nothing_broken(
    system: System, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What nobody foresaw ends the drill with what it was, after all was given back."""

    def steady(_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(System, "steady", steady)
    ready = ready_for(system, tmp_path)
    back: list[Any] = []
    given: Any = SimpleNamespace(run=back.append)
    with pytest.raises(ZeroDivisionError):
        drilled(system, tmp_path, ready=replace(ready, restoration=given))
    assert len(back) == 1


@pytest.mark.parametrize(
    ("fault", "said"),
    [(OperatorError("not given back"), "not given back"), (KeyboardInterrupt(), "interrupted; ")],
)
def test_what_is_not_given_back_stands_in_the_document(
    system: System, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Any, said: str
) -> None:
    """How the drill left the system, whatever went wrong on the way home; and it didn't pass."""
    monkeypatch.setattr(Home, "fault", fault)
    made = drilled(system, tmp_path)
    assert made["restored"].startswith(said)
    assert made["verdict"] == "failed"
    assert made["reasons"][0].startswith(f"not brought home: {said}")


@pytest.mark.parametrize(
    ("silent", "incident"),
    [(True, None), (False, None), (False, Incident(5, Way.REGION, -1, promoted=9))],
)
def test_without_a_measured_bound_nothing_may_be_lost(
    system: System, tmp_path: Path, silent: bool, incident: Incident | None
) -> None:
    """A promotion that was found, not made, measured nothing."""
    system.silent, system.incident = silent, incident
    assert drilled(system, tmp_path)["loss_bound_seconds"] is None


def test_a_scenario_that_may_lose_nothing_asks_for_no_bound(system: System, tmp_path: Path) -> None:
    """Whatever an incident says."""
    drill: Any = SimpleNamespace(play=Play("x", load("peering-cut"), 1), system=system)
    assert play._Drill._bound(drill) is None


def test_times_and_steadiness_are_the_loads(system: System, tmp_path: Path) -> None:
    """Clients keep DNS answers by the load's own time; a state is steady by its operations."""
    recorder: Any = SimpleNamespace(history=recovered_course())
    drill: Any = SimpleNamespace(load=Loaded(), recorder=recorder, clock=1.0)
    assert play._Drill._drill_time(drill) == 5
    assert play._Drill._steady(drill, 90.0) is True
    assert play._Drill._figures(drill, 100.0).served_by == WEST


def test_a_reading_is_repeated_until_nothing_lacks() -> None:
    """Within some of the system's seconds: then it is what it is."""
    load_: Any = Loaded()
    answers = [[Reading(WEST, What.ROW, True)], [Found(WEST, What.ROW, "id-1"),
               Reading(WEST, What.ROW, True)]]  # fmt: skip
    paused: list[float] = []
    drill: Any = SimpleNamespace(load=load_, pause=paused.append, clock=1.0)
    found = play._Drill._settled(drill, lambda: answers.pop(0), [written(1)], What.ROW, 20.0)  # type: ignore[arg-type, return-value]
    assert len(found) == 2
    assert paused == [1.0]


def test_a_history_line_of_the_display_is_only_what_was_seen(
    system: System, tmp_path: Path
) -> None:
    """Operations are kept silently; changes are shown."""
    shown: list[Any] = []
    drill: Any = SimpleNamespace(
        recorder=SimpleNamespace(add=shown.append), display=SimpleNamespace(seen=shown.append)
    )
    play._Drill._record(drill, written(1))
    seen = Seen(1.0, "dns", EAST)
    play._Drill._record(drill, seen)
    assert shown == [written(1), seen, seen]
