"""``./inv drill`` from flags to evidence: what is refused, asked, given back and printed."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from drill_histories import EAST, WEST, document, keyed
from fake_engine import FakeEngine
from recovery_tables import Measured, Table
from watched_driver import Watched, stack_file, watched

from ops import signing
from ops.deploy.sequence import LayerResult, Outcome
from ops.drill import command, planned
from ops.drill.command import Options
from ops.drill.inject import Injector
from ops.drill.play import Play
from ops.drill.restoration import Undo
from ops.errors import ExitCode, OperatorError
from ops.recovery.items import Items
from ops.report import page
from pulumi_protocol.events import Summary
from pulumi_protocol.lock import locked
from recovery.model import State


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Watched:
    """A lab's driver; what it deploys is nothing."""
    keyed(tmp_path, monkeypatch)
    made = watched(
        tmp_path, FakeEngine("network", "data", "app", "global"), lab_endpoint="http://127.0.0.1:1"
    )
    monkeypatch.setattr(Watched, "outputs", lambda _: {"global.fqdn": "app.example"})
    return made


@pytest.fixture
def world(driver: Watched, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """What the command asks, and how it is answered."""
    asked: dict[str, Any] = {"pending": [], "ran": 0, "waited": 0, "document": document()}

    def run(report: Any) -> None:
        asked["ran"] += 1
        report("back")

    restoration = SimpleNamespace(pending=lambda: asked["pending"], run=run)
    system: Any = SimpleNamespace(
        clients=Measured(Table(State()), Table(State(armed=True))), suffix="lab"
    )
    prepared: Any = SimpleNamespace(
        restoration=restoration, system=system, outputs={}, lab_state=tmp_path,
        stack_file=stack_file(), items=Items(system.clients, "lab", "lab"),
    )  # fmt: skip
    asked["clients"] = system.clients
    monkeypatch.setattr(command, "prepared", lambda *_: prepared)
    monkeypatch.setattr(Injector, "refuse", lambda *_: None)
    monkeypatch.setattr(Injector, "undoes", lambda *_: [Undo("region", EAST)])
    monkeypatch.setattr(
        command.readiness, "wait", lambda *_: asked.update(waited=asked["waited"] + 1)
    )

    def play_it(asked_for: Play, _ready: Any, injector: Injector, path: Path, *_: Any) -> Any:
        asked["play"], asked["injector"] = asked_for, injector
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
        return {**asked["document"], "id": path.stem}

    monkeypatch.setattr(command, "played", play_it)
    return asked


NO_WORLD: Any = lambda: None  # noqa: E731


def run(driver: Watched, **options: Any) -> ExitCode:
    """The command, with these options."""
    return command.run(driver, Options(**options), page.page, NO_WORLD, None, lambda _: None)


def test_the_command_ends_with_verdict_figures_and_the_pages_place(
    driver: Watched, world: dict[str, Any]
) -> None:
    """Issue 20: OK where it passed; evidence is beside the history."""
    assert run(driver, seed=3, participants=["A. Reader:observer", "B"]) == 0
    out = driver.out
    assert "region-loss: PASSED" in out
    assert "writes with AWS's allowance: 738 s of 900 s" in out or "737" in out
    assert out.rstrip().endswith("-region-loss-3.html")
    assert world["play"].participants == (("A. Reader", "observer"), ("B", "took part"))
    assert world["waited"] == 1
    assert len(list((driver.workspace.directory / "evidence" / "drills").iterdir())) == 4


def test_the_result_is_written_where_the_system_reads_it(
    driver: Watched, world: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """RECOVERY 3: while it runs, the controllers know of it; then both items have its result, and
    the metrics are where the controller is armed."""
    tables = world["clients"].tables
    seen: list[Any] = []
    monkeypatch.setattr(
        command.readiness, "wait",
        lambda *_: seen.extend(one.state.drill.running_until > 0 for one in tables.values()),
    )  # fmt: skip
    assert run(driver) == 0
    assert seen == [True, True]
    assert [one.state.drill.passed for one in tables.values()] == [True, True]
    assert [one.state.drill.running_until for one in tables.values()] == [0, 0]
    assert [(region, name) for region, name, *_ in world["clients"].put] == [
        (WEST, "DrillTrafficRto"), (WEST, "DrillWriteRto"),
    ]  # fmt: skip


def test_a_key_of_kms_signs_where_it_is_asked_for(
    driver: Watched, world: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Issue 20.5: known before anything is broken, in the region that a loss leaves."""
    asked: list[Any] = []

    def signer(client: Any, key: str) -> Any:
        asked.append((client, key, world["waited"]))
        return signing.own_signer()

    monkeypatch.setattr(command.kms_signing, "signer", signer)
    monkeypatch.setattr(world["clients"], "get", lambda *given: given)
    monkeypatch.setattr(command.result, "running", lambda *_: nullcontext())
    monkeypatch.setattr(command.result, "record", lambda *_: None)
    assert run(driver, kms_key="alias/evidence") == 0
    assert asked == [(("kms", WEST), "alias/evidence", 0)]


def test_a_failed_drill_is_a_difference_and_says_why(
    driver: Watched, world: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """``--json`` ends with the document and nothing else."""
    world["document"] |= {"verdict": "failed", "reasons": ["late"], "clock": 5.0}
    names = ("traffic_rto_seconds", "write_rto_seconds", "write_rto_with_allowance_seconds")
    world["document"] |= dict.fromkeys(names)
    world["document"]["figures"] |= {"traffic": {}}
    assert run(driver) == 5
    assert "  late" in driver.out
    assert "at clock 5, no RTO): never" in driver.out
    assert run(driver, as_json=True) == 5
    assert json.loads(capsys.readouterr().out)["verdict"] == "failed"
    world["document"] |= {"verdict": "void", "reasons": ["interrupted"]}
    assert run(driver) == 130


def test_the_planned_change_is_the_commands_own(
    driver: Watched, world: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Issue 20: one way to move the writer, for drills as for people. One that is refused before
    anything was touched is asked for again, and measured from when it begins."""
    moved: list[Any] = []
    refusals = [OperatorError("the lag is 2 s, at most 1 s")]

    def move(*given: Any, confirm: Any) -> None:
        if refusals:
            raise refusals.pop()
        assert confirm(WEST)
        moved.append(given)

    monkeypatch.setattr(planned.switchover, "run", move)
    run(driver)
    world["injector"].planned(WEST, lambda: moved.append("begun"))
    assert moved == ["begun", (None, WEST)]


@pytest.mark.parametrize(("begins", "tries"), [(True, 1), (False, 152)])
def test_a_planned_change_that_fails_ends_the_drill(
    monkeypatch: pytest.MonkeyPatch, begins: bool, tries: int
) -> None:
    """What went wrong after it began isn't tried again; a refusal is, for some minutes."""
    asked: list[int] = []
    time = [0.0]

    def move(*_: Any, confirm: Any) -> None:
        asked.append(1)
        if begins:
            confirm(WEST)
        raise OperatorError("the lag is 2 s, at most 1 s")

    def pause(seconds: float) -> None:
        time[0] += seconds

    monkeypatch.setattr(planned.switchover, "run", move)
    with pytest.raises(OperatorError, match="the lag is 2 s"):
        planned.move(NO_WORLD(), WEST, lambda: None, pause, lambda: time[0])
    assert len(asked) == tries


def test_what_an_earlier_drill_broke_is_given_back_first(
    driver: Watched, world: dict[str, Any]
) -> None:
    """After a kill the next command says so; ``--restore`` does no more."""
    world["pending"] = [Undo("region", EAST)]
    assert run(driver, restore=True) == 0
    assert "ended before it gave back: ./inv lab.restore us-east-1" in driver.err
    assert (world["ran"], world["waited"]) == (1, 0)


def test_two_drills_at_once_are_refused(driver: Watched, world: dict[str, Any]) -> None:
    """Issue 20, bad input: exit code 4, and the first one isn't disturbed."""
    with (
        locked(driver.workspace.directory / "evidence" / "drill.lock", "drill"),
        pytest.raises(OperatorError) as caught,
    ):
        run(driver)
    assert caught.value.code == 4
    assert run(driver) == 0


def test_a_lab_that_is_not_deployed_is_deployed(
    driver: Watched, world: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a fresh lab no hand is needed; a deployment that fails ends it."""
    monkeypatch.setattr(Watched, "outputs", lambda _: {})
    outcome = [Outcome.DONE, Outcome.FAILED]
    monkeypatch.setattr(
        Watched, "up", lambda _, layers: [LayerResult(layers[0], outcome.pop(0), Summary(), 0.0)]
    )
    assert run(driver) == 0
    with pytest.raises(OperatorError, match="isn't deployed"):
        run(driver)


@pytest.mark.parametrize(("typed", "confirm"), [("lab", ""), ("", "lab")])
def test_on_aws_the_stacks_name_is_asked_for(
    driver: Watched,
    world: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    typed: str,
    confirm: str,
) -> None:
    """Issue 20.6: never without confirmation and a printed undo."""
    driver.lab_endpoint = None
    monkeypatch.setattr(command.sys, "stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("builtins.input", lambda _: typed)
    assert run(driver, confirm=confirm) == 0
    assert "./inv lab.restore us-east-1" in driver.err
    assert "control plane, which is in us-east-1" in driver.err
    monkeypatch.setattr("builtins.input", lambda _: "")
    with pytest.raises(OperatorError, match="nothing isn't lab: nothing was touched"):
        run(driver)
    monkeypatch.setattr(command.sys, "stdin", SimpleNamespace(isatty=lambda: False))
    with pytest.raises(OperatorError, match="add --confirm lab"):
        run(driver)


@pytest.mark.parametrize(
    "options", [{"rate": 0.0}, {"scenario": "x"}, {"participants": [":role"]}, {"findings": ["x"]}]
)
def test_bad_flags_touch_nothing(
    driver: Watched, world: dict[str, Any], options: dict[str, Any]
) -> None:
    """One line, before anything is prepared."""
    with pytest.raises(OperatorError) as caught:
        run(driver, **options)
    assert caught.value.code == 2
    assert world["waited"] == 0


def test_the_scenarios_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """``--list``: each with what it expects, and where it can be played."""
    command.show_list(False)
    out = capsys.readouterr().out
    assert "requests: fails-over, writes: regained in us-west-2" in out
    assert "lab, AWS" in out
    command.show_list(True)
    assert json.loads(capsys.readouterr().out)[0]["name"] == "region-loss"
