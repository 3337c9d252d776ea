"""From flags to a driver, and faults as one line with an exit code."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from fake_engine import FakeEngine
from lab_answers import RUNNING, STOPPED
from watched_driver import LAB

from lab import client
from lab.errors import LabError
from ops import lab, session
from ops.engines import choice
from ops.engines.engine import Options
from ops.errors import ExitCode, OperatorError
from ops.recovery import holding
from ops.teardown import destroy
from ops.workspace import Workspace
from pulumi_protocol.events import EngineError


@pytest.fixture
def space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A workspace with a lab and a dev stack; starting the lab only records how."""
    (tmp_path / "Pulumi.lab.yaml").write_text(LAB)
    (tmp_path / "Pulumi.dev.yaml").write_text(
        "config: {TapStack:environmentSuffix: dev, aws:region: us-east-1}"
    )
    made = Workspace(tmp_path, tmp_path)
    monkeypatch.setattr(session.workspace, "find", lambda: made)
    monkeypatch.setattr(session.node, "ensure", lambda: "v20.0.0")
    monkeypatch.delenv(lab.ENDPOINT_VARIABLE, raising=False)
    return made


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """How the lab was started."""
    calls: list[dict[str, Any]] = []

    def start(state_dir: Path, **options: Any) -> None:
        calls.append({"state_dir": state_dir, **options})

    monkeypatch.setattr(client, "start", start)
    return calls


def test_a_lab_stack_starts_its_lab(space: Workspace, started: list[dict[str, Any]]) -> None:
    """N1: nothing has to be started first; programs get the lab's address."""
    driver = session.driver_for("lab")
    assert started == [{"state_dir": space.lab_state, "port": 1, "clock": None}]
    assert driver.lab_endpoint == "http://127.0.0.1:1"
    assert driver.default_engine
    assert driver.engine.name == "embedded"
    assert driver.flags == ""


def test_the_data_layer_is_prepared_before_it_is_destroyed(
    space: Workspace, started: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trap 2: after a role swap the demoted member is detached first, or AWS refuses."""
    asked: list[Any] = []
    monkeypatch.setattr(
        destroy, "detach_demoted", lambda clients, settings, pause: asked.append(settings.suffix)
    )
    session.driver_for("lab").before_destroy["data"](asked.append, asked.append)
    assert asked == ["lab"]


def test_only_stacks_on_aws_have_an_account_to_check(
    space: Workspace, started: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """N1: the lab asks no account; elsewhere TapStack:accountId is held before anything moves."""
    checked: list[str] = []
    monkeypatch.setattr(
        session.account, "check", lambda clients, settings: checked.append(settings.stack_name)
    )
    monkeypatch.setattr(choice, "engine_for", lambda *given: FakeEngine())
    monkeypatch.setattr(session.offers, "check", lambda clients, settings: checked.append("offers"))
    lab = session.driver_for("lab")
    lab.permit()
    lab.ready()
    assert checked == []
    dev = session.driver_for("dev")
    dev.permit()
    dev.ready()
    assert checked == ["dev", "offers"]
    session.driver_for("dev", options=Options(spared_region="us-east-1")).ready()
    assert checked == ["dev", "offers"]


def test_a_region_to_move_is_the_other_one_to_leave_alone(space: Workspace) -> None:
    """Trap 66: ``--region us-west-2`` spares us-east-1; a region of neither is one line."""
    assert session.sparing("lab", "") == ""
    assert session.sparing("lab", "us-west-2") == "us-east-1"
    assert session.sparing("dev", "us-east-1") == "us-west-2"
    with pytest.raises(
        OperatorError, match="--region eu-west-1 is neither us-east-1 nor us-west-2"
    ) as caught:
        session.sparing("lab", "eu-west-1")
    assert caught.value.code is ExitCode.BAD_INPUT


def test_a_stack_on_aws_starts_no_lab(
    space: Workspace, started: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lab is for lab stacks; programs elsewhere get no address of one."""
    given: list[dict[str, str]] = []
    monkeypatch.setattr(
        choice, "engine_for", lambda *arguments: given.append(arguments[3]) or FakeEngine()
    )
    driver = session.driver_for("dev")
    assert started == []
    assert given == [{}]
    assert driver.lab_endpoint is None


class Held:
    """An engine that holds a state, or could."""

    def __init__(self, name: str) -> None:
        self.name = name


def test_state_is_moved_between_the_lab_s_engines(
    space: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """architecture.md, Engines: to the engine that was named, from the other one."""
    moved: list[tuple[str, str]] = []

    def move(source: Held, target: Held, layers: list[str]) -> dict[str, int]:
        moved.append((source.name, target.name))
        return dict.fromkeys(layers, 1)

    monkeypatch.setattr(choice, "movable", lambda name, *_: Held(name))
    monkeypatch.setattr(session.state, "move", move)
    assert session.move_state("lab", "pulumi")["network"] == 1
    session.move_state("lab", "embedded")
    assert moved == [("embedded", "pulumi"), ("pulumi", "embedded")]

    def refuse(*_: object) -> None:
        raise EngineError("both hold a state")

    monkeypatch.setattr(session.state, "move", refuse)
    with pytest.raises(OperatorError, match="both hold a state"):
        session.move_state("lab", "embedded")


def test_advice_is_printed_before_the_work(
    space: Workspace, started: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    """R1.3: less than 8 ACU works, against AWS's advice."""
    space.stack_file("lab").write_text(
        LAB.replace("}", ", data:instanceClass: db.serverless, data:minCapacity: 2}")
    )
    session.driver_for("lab")
    assert "warning: data:minCapacity is 2.0 ACU" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("message", "code"), [("port 1 is taken", ExitCode.BUSY), ("no disk", ExitCode.FAILED)]
)
def test_a_lab_that_does_not_start_is_one_line(
    space: Workspace, monkeypatch: pytest.MonkeyPatch, message: str, code: ExitCode
) -> None:
    """First light: a port already taken."""

    def start(*_: object, **__: object) -> None:
        raise LabError(message)

    monkeypatch.setattr(client, "start", start)
    with pytest.raises(OperatorError, match=message) as caught:
        session.driver_for("lab")
    assert caught.value.code is code


def test_looking_starts_no_lab(
    space: Workspace, started: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Issue 17.8: a stopped lab is one line and exit code 3, for status and alarms alike; a running
    one is asked, and a stack on AWS needs none."""
    monkeypatch.setattr(client, "status", lambda _: STOPPED)
    for look in (lambda: session.driver_for("lab", start=False), lambda: session.looking_at("lab")):
        with pytest.raises(OperatorError, match=r"the lab isn't running.*lab\.up") as caught:
            look()
        assert caught.value.code is ExitCode.ENVIRONMENT
    monkeypatch.setattr(client, "status", lambda _: RUNNING)
    assert session.driver_for("lab", start=False).lab_endpoint
    found, file, clients = session.looking_at("lab")
    assert (found, file.stack, clients.regions) == (space, "lab", ("us-east-1", "us-west-2"))
    assert session.looking_at("dev")[1].stack == "dev"
    assert started == []


def test_who_moves_the_writer_acts_on_the_stacks_own_account(
    space: Workspace, started: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stopped lab is refused; on AWS credentials of another account touch nothing."""
    monkeypatch.setattr(client, "status", lambda _: STOPPED)
    with pytest.raises(OperatorError, match="the lab isn't running"):
        session.acting_on("lab")
    monkeypatch.setattr(client, "status", lambda _: RUNNING)
    world = session.acting_on("lab")
    assert (world.clients.endpoint, world.lab_dns) == ("http://127.0.0.1:1", RUNNING.dns)
    checked: list[str] = []
    monkeypatch.setattr(
        session.account, "check", lambda _, settings: checked.append(settings.stack_name)
    )
    world = session.acting_on("dev")
    assert (world.clients.endpoint, world.lab_dns, checked) == (None, None, ["dev"])
    assert started == []


def test_what_takes_minutes_is_asked_once_of_the_stacks_own_account(
    space: Workspace, started: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call that works for a quarter of an hour isn't given up and repeated unseen."""
    monkeypatch.setattr(client, "status", lambda _: STOPPED)
    with pytest.raises(OperatorError, match="the lab isn't running"):
        session.waiting_on("lab", 900)
    monkeypatch.setattr(client, "status", lambda _: RUNNING)
    assert session.waiting_on("lab", 900)[1].endpoint == "http://127.0.0.1:1"
    checked: list[str] = []
    monkeypatch.setattr(
        session.account, "check", lambda _, settings: checked.append(settings.stack_name)
    )
    file, clients = session.waiting_on("dev", 900)
    config = clients.get("lambda", "us-west-2").meta.config
    assert (config.read_timeout, config.retries["total_max_attempts"]) == (900, 1)
    assert (file.stack, checked, started) == ("dev", ["dev"], [])


def test_a_driver_announces_its_deployment_to_the_stacks_own_controllers(
    space: Workspace, started: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """H16: both regions' items of the suffix, and lines for who deploys."""
    seen: list[Any] = []

    def held(items: Any, report: Any) -> Any:
        seen.append((items.table("us-west-2"), report))
        return nullcontext()

    monkeypatch.setattr(holding, "held", held)
    with session.driver_for("lab").announced(print):
        assert seen == [("table-recovery-us-west-2-lab", print)]
    assert len(started) == 1
    assert space.lab_state.name == ".lab"
