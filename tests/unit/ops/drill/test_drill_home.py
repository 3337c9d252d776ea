"""Ready before, and home afterwards: by the commands that people use, or with what is missing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from drill_histories import EAST, WEST
from fake_engine import FakeEngine
from recovery_tables import Table, Tables, lost
from watched_driver import Watched, stack_file, watched

from lab import client
from lab.client import Status
from ops.drill import homecoming, prepare, readiness
from ops.drill.homecoming import Homecoming
from ops.drill.prepare import Prepared, prepared
from ops.drill.scenario import load
from ops.errors import OperatorError
from ops.recovery.items import Items
from ops.recovery.reconcile import Reconciled
from ops.workspace import Workspace
from recovery.model import Incident, State, Tail
from recovery.model import Path as Way
from recovery.observation import Validation
from recovery.promoting import ABSENT

FILE = stack_file()


class World:
    """A system of which each part can be away; time passes by pauses."""

    regions = (EAST, WEST)
    suffix = "lab"

    def __init__(self) -> None:
        self.ill: set[str] = set()
        self.writes, self.answered, self.follows = EAST, EAST, True
        self.item: State | None = State(armed=True, last_minute=10)
        self.time = 0.0
        self.clients: Any = None

    def healthy(self, region: str) -> bool:
        return region not in self.ill

    def writer(self) -> str:
        return self.writes

    def dns(self) -> str:
        return self.answered

    def synchronised(self) -> bool:
        return self.follows

    def state(self, _region: str) -> State | None:
        return self.item

    def pause(self, seconds: float) -> None:
        self.time += seconds


def ready_for(world: World, tmp_path: Path, lab: bool = True) -> Prepared:
    """What a drill works with, over that world."""

    class Timed(Prepared):
        @property
        def clock(self) -> float:
            return 2.0

        def now(self) -> float:
            return world.time

    restoration: Any = SimpleNamespace(run=lambda note: note("back"))
    system: Any = world
    state = tmp_path if lab else None
    return Timed(Workspace(tmp_path, tmp_path), FILE, system, {}, restoration, state, world.pause)


# Readiness


def proven(**changes: Any) -> Validation:
    """What the validator stores where everything is healthy."""
    made = Validation(10, True, True, True, True, "16.8")
    return replace(made, **changes)


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> State:
    """Items of a guarded, validated standby."""
    state = State(armed=True, last_minute=10, validation=proven())
    monkeypatch.setattr(readiness, "minute_of", lambda _: 10)
    return state


def test_a_ready_system_lacks_nothing(tmp_path: Path, tables: State) -> None:
    """Armed, validated and automatic."""
    world = World()
    world.item = tables
    world.clients = Tables(Table(State()), Table(tables))
    assert readiness.lacking(ready_for(world, tmp_path), load()) == []


def test_what_is_missing_is_named(tmp_path: Path, tables: State) -> None:
    """Each part by itself: a drill on less proves nothing."""
    world = World()
    world.ill, world.writes, world.answered, world.follows = {WEST}, WEST, "unknown", False
    world.item = None
    assert readiness.lacking(ready_for(world, tmp_path), load()) == [
        "us-west-2's application", "the writer in us-east-1 (now us-west-2)",
        "DNS to answer us-east-1 (now unknown)", "the regions' databases to be synchronised",
        "the recovery table of us-west-2",
    ]  # fmt: skip
    world = World()
    world.item = replace(tables, armed=False, validation=None)
    world.clients = Tables(Table(State()), Table(world.item))
    assert readiness.lacking(ready_for(world, tmp_path), load()) == [
        "the controller of us-west-2 to be armed (watching)",
        "the mode to be automatic (now notify: no validation of the last 24 hours)",
    ]


def test_a_scenario_without_a_promotion_needs_no_mode_in_the_lab(
    tmp_path: Path, tables: State
) -> None:
    """On AWS full readiness is asked for everything."""
    world = World()
    world.item = replace(tables, validation=None)
    world.clients = Tables(Table(State()), Table(world.item))
    chosen = load("application-only")
    assert readiness.lacking(ready_for(world, tmp_path), chosen) == []
    assert len(readiness.lacking(ready_for(world, tmp_path, lab=False), chosen)) == 1


class Provable(Tables):
    """Clients of both, whose validators prove readiness at the second time that they are asked."""

    def __init__(self, world: World, state: State) -> None:
        super().__init__(Table(State()), Table(state))
        self.world, self.asked = world, []

    def get(self, service: str, region: str) -> Any:
        """The client of that service there."""
        return SimpleNamespace(invoke=self.invoke) if service == "lambda" else self.tables[region]

    def invoke(self, FunctionName: str, InvocationType: str, Payload: bytes) -> None:  # noqa: N803
        """Validates later, as an event does; the lost region's doesn't answer."""
        assert (InvocationType, Payload) == ("Event", b"{}")
        if EAST in FunctionName:
            raise lost()
        self.asked.append((self.world.time, FunctionName))
        if len(self.asked) > 1:
            assert self.world.item is not None
            self.world.item = replace(self.world.item, validation=proven())


def test_validators_run_on_demand_while_only_their_proof_is_missing(
    tmp_path: Path, tables: State
) -> None:
    """Issue 20: a drill waits for no schedule; both are asked again after half a minute, and one
    that doesn't answer stops nothing."""
    world = World()
    world.item = replace(tables, validation=None)
    world.clients = Provable(world, tables)
    readiness.wait(ready_for(world, tmp_path), load(), [].append, world.pause)
    assert world.clients.asked == [
        (0.0, "function-validate-us-west-2-lab"), (30.0, "function-validate-us-west-2-lab"),
    ]  # fmt: skip


def test_the_lab_is_waited_for_and_aws_is_refused_at_once(tmp_path: Path) -> None:
    """Issue 20.6: below full readiness nothing is broken; what is missing is said once."""
    world, said = World(), []
    world.ill = {EAST}
    chosen = load("application-only")

    def pause(seconds: float) -> None:
        world.pause(seconds)
        world.ill = set() if world.time > 5 else world.ill

    readiness.wait(ready_for(world, tmp_path), chosen, said.append, pause)
    assert said == ["waiting for us-east-1's application"]
    world.ill, world.item = {EAST}, None
    paused: list[float] = []
    with pytest.raises(OperatorError, match="not ready for a drill: us-east-1's application"):
        readiness.wait(ready_for(world, tmp_path, lab=False), chosen, said.append, paused.append)
    assert paused == []
    with pytest.raises(OperatorError, match="not ready for a drill"):
        readiness.wait(ready_for(world, tmp_path), chosen, said.append, world.pause)
    assert world.time > 2 * readiness.LONGEST_SECONDS


# Preparing


OUTPUTS = {
    "global.fqdn": "app.example", "data.global_cluster_id": "g",
    "app.primary.load_balancer_dns_name": "alb-east",
    "app.secondary.load_balancer_dns_name": "alb-west",
    "PrimaryBucketName": "b-east", "SecondaryBucketName": "b-west",
    "global.name_servers": ["ns-1", "ns-2", "ns-3"],
}  # fmt: skip


def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **more: Any) -> Watched:
    """A driver of a deployed stack."""
    made = watched(tmp_path, FakeEngine(), **more)
    monkeypatch.setattr(Watched, "outputs", lambda _: dict(OUTPUTS))
    return made


def test_the_lab_is_found_by_its_status(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its DNS, its clock, its time."""
    status = Status("", 1, "", {}, {}, "127.0.0.1:5", "", 20.0, now="1970-01-01T00:01:00+00:00")
    monkeypatch.setattr(client, "status", lambda _: status)
    made = prepared(
        driver(tmp_path, monkeypatch, lab_endpoint="http://127.0.0.1:1"), lambda _: None
    )
    assert made.system.site.servers == (("127.0.0.1", 5),)
    assert (made.clock, made.now(), made.bucket(WEST)) == (20.0, 60.0, "b-west")
    assert made.lab_state == tmp_path / ".lab"
    stopped = replace(status, dns="")
    monkeypatch.setattr(client, "status", lambda _: stopped)
    again = prepared(
        driver(tmp_path, monkeypatch, lab_endpoint="http://127.0.0.1:1"), lambda _: None
    )
    assert again.system.site.servers == ()


def test_aws_is_found_by_its_zone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The zone's own servers; a machine that can't resolve them says so."""
    monkeypatch.setattr(prepare.socket, "gethostbyname", lambda name: f"ip-{name}")
    made = prepared(driver(tmp_path, monkeypatch), lambda _: None)
    assert made.system.site.servers == (("ip-ns-1", 53), ("ip-ns-2", 53))
    assert (made.lab_state, made.clock) == (None, 1.0)
    assert made.now() > 1e9

    def nowhere(_: str) -> str:
        raise OSError("no resolver")

    monkeypatch.setattr(prepare.socket, "gethostbyname", nowhere)
    with pytest.raises(OperatorError, match="name servers can't be resolved"):
        prepared(driver(tmp_path, monkeypatch), lambda _: None)


def test_the_plan_is_named_by_commit_and_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RECOVERY 7: what was tried can be found again, also where there is no git or no commit."""
    git = tmp_path / "git"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert prepare.commit(tmp_path) == "unknown"
    for text, said in (("echo 0123abc-dirty", "0123abc-dirty"), ("exit 128", "unknown")):
        git.write_text(f"#!/bin/sh\n{text}\n")
        git.chmod(0o700)
        assert prepare.commit(tmp_path) == said
    assert len(prepare.configuration_hash(FILE)) == 64


# Home


INCIDENT = Incident(5, Way.REGION, 3, promoted=9, tail=Tail.OPEN)


class Home:
    """One way home: what was done, and the items as they stand."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.world, self.done, self.notes = World(), [], []
        self.world.writes = WEST
        self.east, self.west = Table(State()), Table(State(epoch=2, incident=INCIDENT))
        self.whole = Reconciled(WEST, "s", "reconciled")
        tables = Tables(self.east, self.west)
        self.items = Items(tables, "lab", "lab")  # type: ignore[arg-type]
        monkeypatch.setattr(homecoming.reconcile, "compare", self._compare)
        monkeypatch.setattr(
            homecoming.reconcile, "accept", lambda _, why: self.done.append(f"accept: {why}")
        )
        monkeypatch.setattr(homecoming.failback, "run", self._fail_back)
        self.refused = 0
        self.home = Homecoming(
            ready_for(self.world, tmp_path), lambda: self,  # type: ignore[arg-type, return-value]
            self.notes.append, lambda: self.world.time, self.world.pause,
        )  # fmt: skip

    def _compare(self, _world: Any, *, replay: bool, report: Any) -> Reconciled:
        assert replay
        report("compared")
        self.done.append("compare")
        return self.whole

    def _fail_back(self, _world: Any, report: Any) -> Any:
        if self.refused:
            self.refused -= 1
            raise OperatorError("the lag is 9 s")
        report("switching")
        self.done.append("failback")
        return SimpleNamespace(epoch=3, switchover_seconds=4.0)


@pytest.fixture
def way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A region that was promoted, and what it was promoted from is back."""
    return Home(tmp_path, monkeypatch)


def test_the_writer_comes_home_step_by_step(way: Home) -> None:
    """Issue 20: reconciled, acknowledged, failed back, though the first try is too early."""
    way.refused = 2
    assert way.home.bring_home(stay=False).endswith("failed back: us-east-1 writes")
    assert way.done == ["compare", "failback"]
    incident = way.west.state.incident
    assert incident is not None
    assert incident.acknowledged
    assert way.east.state.epoch == 2
    assert way.notes == [
        "compared", "the lost tail is reconciled", "people have looked", "switching",
        "epoch 3, switched in 4 s", "us-east-1 writes again",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("incident", "done"),
    [
        (replace(INCIDENT, loss_bound_seconds=-1, snapshot=ABSENT),
         ["accept: a drill's planned change: nothing was lost", "failback"]),
        (replace(INCIDENT, tail=Tail.RECONCILED), ["failback"]),
        (None, ["failback"]),
    ],
)  # fmt: skip
def test_what_has_no_tail_is_not_compared(
    way: Home, incident: Incident | None, done: list[str]
) -> None:
    """A planned change lost nothing; what was reconciled before isn't again."""
    way.west.item = Table(State(epoch=1, incident=incident)).item
    way.home.bring_home(stay=False)
    assert way.done == done


def test_a_promotion_that_was_found_is_compared_where_there_is_a_volume(way: Home) -> None:
    """Issue 20: its loss isn't bounded, and nobody accepts it unseen."""
    incident = replace(INCIDENT, loss_bound_seconds=-1, snapshot="arn:copied")
    way.west.item = Table(State(epoch=2, incident=incident)).item
    way.home.bring_home(stay=False)
    assert way.done == ["compare", "failback"]


def test_of_two_promotions_the_newest_one_is_reconciled(way: Home) -> None:
    """H34: after mirrored promotions the other region's old incident may still stand, done."""
    way.east.item = Table(State(epoch=2, incident=replace(INCIDENT, tail=Tail.RECONCILED))).item
    way.west.item = Table(State(epoch=3, incident=INCIDENT)).item
    way.home.bring_home(stay=False)
    assert way.done == ["compare", "failback"]


def test_a_survivor_is_guarded_before_the_writer_comes_home(way: Home) -> None:
    """Issue 20.1, H34: the full circle waits until us-east-1's controller is armed."""
    way.world.item = None
    answers = [State(), State(armed=True)]

    def pause(seconds: float) -> None:
        way.world.pause(seconds)
        way.world.item = answers.pop(0) if answers else way.world.item

    way.home._pause = pause
    way.home.bring_home(stay=False, guarded=True)
    assert "us-east-1 guards us-west-2" in way.notes
    assert way.done == ["compare", "failback"]
    way.world.item = State()
    with pytest.raises(OperatorError, match="us-east-1 isn't armed: the writer has no guard"):
        way.home.bring_home(stay=False, guarded=True)


def test_a_tail_that_is_not_whole_keeps_the_writer_away(way: Home) -> None:
    """H21: it is tried for some minutes, and then said."""
    way.whole = Reconciled(WEST, "s", "open", counts={"lost": 2})
    with pytest.raises(OperatorError, match=r"the lost tail is open: \{'lost': 2\}"):
        way.home.bring_home(stay=False)
    assert way.world.time > 2 * homecoming.WHOLE_SECONDS
    assert "failback" not in way.done


def test_a_table_that_does_not_answer_keeps_it_away(way: Home) -> None:
    """Both items must agree before a writer moves."""
    way.east.fault = lost()
    with pytest.raises(OperatorError, match="recovery table doesn't answer"):
        way.home.bring_home(stay=False)


def test_who_stays_or_is_home_is_left(way: Home) -> None:
    """``--stay`` leaves it in us-west-2; a writer that never moved needs nothing."""
    assert way.home.bring_home(stay=True).startswith("us-west-2 writes, as was asked for")
    way.world.writes = EAST
    assert way.home.bring_home(stay=False) == "us-east-1 writes, as before"
    assert way.done == []


def test_a_writer_that_nobody_knows_is_asked_for_again(
    way: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One look without an answer moves no writer; none at all is said after some minutes."""
    answers = ["unknown", EAST]
    monkeypatch.setattr(way.world, "writer", lambda: answers.pop(0) if answers else "unknown")
    assert way.home.bring_home(stay=False) == "us-east-1 writes, as before"
    with pytest.raises(OperatorError, match="nobody answers which region writes"):
        way.home.bring_home(stay=False)
    assert way.done == []


def test_both_regions_are_waited_for(way: Home) -> None:
    """What doesn't come back is named."""
    way.home.give_back()
    way.home.wait_until_whole()
    assert way.notes == ["back", "what was broken is given back", "both regions are whole"]
    way.world.ill, way.world.follows = {EAST}, False
    with pytest.raises(OperatorError, match="us-east-1 doesn't answer; the databases aren't synch"):
        way.home.wait_until_whole()
