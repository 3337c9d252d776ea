"""From flags to a driver, and faults as one line with an exit code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fake_engine import FakeEngine
from invoke.exceptions import Exit
from watched_driver import LAB

from lab import client
from lab.errors import LabError, LabInputError
from ops import lab, node, session
from ops.engines import choice as engines
from ops.errors import ExitCode, OperatorError
from ops.stack_file import parse
from ops.teardown import destroy as teardown
from ops.workspace import Workspace
from pulumi_protocol.events import EngineError
from tapstack.errors import SettingsError


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
    """N1: nothing has to be started first; programs are told where the lab is."""
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
        teardown, "detach_demoted", lambda clients, settings, pause: asked.append(settings.suffix)
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
    monkeypatch.setattr(engines, "make", lambda *given: FakeEngine())
    session.driver_for("lab").permit()
    assert checked == []
    session.driver_for("dev").permit()
    assert checked == ["dev"]


def test_a_stack_on_aws_starts_no_lab(
    space: Workspace, started: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lab is for lab stacks; programs elsewhere are told of none."""
    given: list[dict[str, str]] = []
    monkeypatch.setattr(
        session.engines, "make", lambda *arguments: given.append(arguments[3]) or FakeEngine()
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
    """DESIGN, engines: to the engine that was named, from the other one."""
    moved: list[tuple[str, str]] = []

    def move(source: Held, target: Held, layers: list[str]) -> dict[str, int]:
        moved.append((source.name, target.name))
        return dict.fromkeys(layers, 1)

    monkeypatch.setattr(session.engines, "any_of", lambda name, *_: Held(name))
    monkeypatch.setattr(session.pulumi_cli_state, "move", move)
    assert session.move_state("lab", "pulumi")["network"] == 1
    session.move_state("lab", "embedded")
    assert moved == [("embedded", "pulumi"), ("pulumi", "embedded")]

    def refuse(*_: object) -> None:
        raise EngineError("both hold a state")

    monkeypatch.setattr(session.pulumi_cli_state, "move", refuse)
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


def test_only_lab_stacks_have_a_lab(space: Workspace) -> None:
    """lab.up of a stack on AWS would start something nobody uses."""
    assert session.lab_stack("lab").stack == "lab"
    with pytest.raises(OperatorError, match="the lab is for stacks of environment lab only"):
        session.lab_stack("dev")


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


def test_the_lab_s_address_may_be_overridden_but_not_beyond_this_machine() -> None:
    """First light: in the lab nothing calls beyond 127.0.0.1."""
    stack_file = parse("lab", LAB)
    assert lab.endpoint(stack_file, {}) == "http://127.0.0.1:1"
    assert lab.endpoint(stack_file, {lab.ENDPOINT_VARIABLE: "http://localhost:2/"}) == (
        "http://localhost:2"
    )
    with pytest.raises(OperatorError, match="on this machine only"):
        lab.endpoint(stack_file, {lab.ENDPOINT_VARIABLE: "http://example.com:2"})


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (OperatorError("x", ExitCode.BUSY), 4),
        (SettingsError("x"), 2),
        (EngineError("x"), 1),
        (LabError("x"), 1),
        (LabInputError("x"), 2),
        (KeyboardInterrupt(), 130),
    ],
)
def test_every_fault_is_one_line_and_an_exit_code(fault: BaseException, code: int) -> None:
    """STYLE: never a traceback."""

    @session.reported
    def body() -> None:
        raise fault

    with pytest.raises(Exit) as caught:
        body()
    assert caught.value.code == code
    assert caught.value.message in ("x", "interrupted")


def test_a_task_s_answer_is_passed_on() -> None:
    """The wrapper changes nothing where nothing fails."""
    assert session.reported(lambda value: value + 1)(1) == 2


def fake_node(directory: Path, says: str) -> str:
    """A search path whose node says this version."""
    directory.mkdir()
    (directory / "node").write_text(f"#!/bin/sh\n{says}\n")
    (directory / "node").chmod(0o755)
    return str(directory)


def test_node_comes_from_the_path_when_it_is_new_enough(tmp_path: Path) -> None:
    """First light: Node 20 from PATH."""
    environment = {"PATH": fake_node(tmp_path / "bin", "echo v20.1.0")}
    assert node.ensure(environment) == "v20.1.0"
    assert environment["PATH"] == str(tmp_path / "bin")


@pytest.mark.parametrize("says", ["echo v18.0.0", "echo nonsense", "exit 1", None])
def test_node_comes_from_the_wheel_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str | None
) -> None:
    """First light: a machine without Node, or with an old one, uses the wheel's."""
    wheel = fake_node(tmp_path / "wheel", "echo v24.0.0")
    monkeypatch.setattr(node, "wheel_directory", lambda: Path(wheel))
    environment = {"PATH": fake_node(tmp_path / "bin", says)} if says else {}
    assert node.ensure(environment) == "v24.0.0"
    assert environment["PATH"].split(":")[0] == wheel


@pytest.mark.parametrize("wheel", ["echo v18.0.0", None])
def test_no_node_at_all_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wheel: str | None
) -> None:
    """First light: no Node gets one line."""
    directory = Path(fake_node(tmp_path / "wheel", wheel)) if wheel else None
    monkeypatch.setattr(node, "wheel_directory", lambda: directory)
    with pytest.raises(OperatorError, match="none is on PATH") as caught:
        node.ensure({"PATH": str(tmp_path)})
    assert caught.value.code is ExitCode.ENVIRONMENT
    with pytest.raises(OperatorError, match="the one on PATH is v16"):
        node.ensure({"PATH": fake_node(tmp_path / "old", "echo v16.0.0")})


def test_a_node_that_can_t_run_is_no_node(tmp_path: Path) -> None:
    """A binary of another machine's kind doesn't end in a traceback."""
    path = fake_node(tmp_path / "bin", "")
    (tmp_path / "bin/node").write_bytes(b"\x7fELF broken")
    assert node.version(path) is None


def test_the_wheel_brings_a_node(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wheel that requirements.txt pins is found where it keeps its binary."""
    directory = node.wheel_directory()
    assert directory is not None
    assert (directory / "node").exists()
    monkeypatch.setattr(node.importlib.util, "find_spec", lambda _name: None)
    assert node.wheel_directory() is None
