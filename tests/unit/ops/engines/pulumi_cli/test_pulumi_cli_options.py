"""What came with the second engine: options for both, and a state that may change hands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from invoke.context import Context
from invoke.exceptions import Exit
from watched_driver import LAB, stack_file

from ops import session, setup
from ops.engines import choice, embedded, state
from ops.engines.embedded import Embedded
from ops.engines.engine import Options
from ops.errors import ExitCode, OperatorError
from ops.front import upkeep
from ops.stack_file import parse
from ops.workspace import Workspace
from pulumi_protocol.events import EngineError, Summary
from pulumi_protocol.lock import locked


class Recording:
    """In place of the lab's engine: remembers what it was asked for, and on which state."""

    calls: list[tuple[str, str]] = []  # noqa: RUF012 - one list for the class is the point
    made: list[dict[str, Any]] = []  # noqa: RUF012

    def __init__(self, **options: Any) -> None:
        self.made.append(options)
        self.state = options["state_dir"]

    def _called(self, verb: str) -> Summary:
        self.calls.append((verb, self.state.parent.name))
        return Summary()

    def preview(self, on_event: Any, environment: Any) -> Summary:
        return self._called("preview")

    def refresh(self, on_event: Any) -> Summary:
        return self._called("refresh")

    def up(self, on_event: Any, environment: Any) -> Summary:
        return self._called("up")

    def resources(self) -> list[dict[str, Any]]:
        return [{}] if (self.state / "network/lab.json").exists() else []

    def export(self) -> dict[str, Any]:
        return {"version": 3}

    def import_state(self, deployment: dict[str, Any]) -> None:
        self.calls.append(("import", str(deployment["version"])))


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A workspace with a lab stack, over a recording engine."""
    monkeypatch.setattr(embedded, "EmbeddedEngine", Recording)
    Recording.calls.clear()
    Recording.made.clear()
    (tmp_path / "Pulumi.lab.yaml").write_text(LAB)
    made = Workspace(tmp_path, tmp_path)
    monkeypatch.setattr(session.workspace, "find", lambda: made)
    return made


def nothing(_event: object) -> None:
    """Hears no event."""


def test_the_embedded_engine_reads_anew_first_when_asked(workspace: Workspace) -> None:
    """``--refresh``: an up takes drift into the state; a preview does so on a copy."""
    made = Embedded(workspace, "lab", {}, Options(refresh=True, parallel=5))
    made.up("network", nothing)
    made.preview("network", nothing, frozenset())
    (first, second, third, fourth) = Recording.calls
    assert (first, second) == (("refresh", ".lab"), ("up", ".lab"))
    assert (third[0], fourth[0]) == ("refresh", "preview")
    assert third[1] == fourth[1] != ".lab"
    assert {options["parallel"] for options in Recording.made} == {5}


def test_the_embedded_engine_refuses_targets(workspace: Workspace) -> None:
    """It moves whole layers; silently moving more than was asked for would be worse."""
    with pytest.raises(OperatorError, match="--target needs --engine pulumi"):
        choice.engine_for("embedded", workspace, stack_file(), {}, Options(targets=("urn",)))


def test_the_embedded_engine_s_state_comes_and_goes(workspace: Workspace) -> None:
    """What isn't deployed has no state to export; forgetting removes the file alone."""
    made = Embedded(workspace, "lab", {})
    assert made.export("network") is None
    path = workspace.checkpoints / "network/lab.json"
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    assert made.export("network") == {"version": 3}
    made.import_state("network", {"version": 3})
    assert Recording.calls == [("import", "3")]
    made.forget("network")
    made.forget("network")
    assert not path.exists()


def test_who_holds_the_state_matters_in_the_lab_alone(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any other stack has one engine."""

    def refused(*_: object) -> None:
        raise AssertionError("asked for a stack that isn't the lab")

    monkeypatch.setattr(state, "refuse_other", refused)
    monkeypatch.setattr(choice, "movable", lambda *given: given[0])
    dev = parse("dev", "config: {TapStack:environmentSuffix: dev, aws:region: us-east-1}")
    assert choice.engine_for("pulumi", workspace, dev, {}) == "pulumi"


@pytest.fixture
def moved(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """(from, to) of each move, which is only recorded."""
    calls: list[tuple[str, str]] = []

    def move(source: str, target: str, layers: list[str]) -> dict[str, int]:
        assert layers == ["network", "data", "app", "global"]
        calls.append((source, target))
        return {"network": 134}

    monkeypatch.setattr(state, "move", move)
    monkeypatch.setattr(choice, "movable", lambda name, *_: name)
    return calls


def test_the_state_moves_to_the_engine_named(
    workspace: Workspace, moved: list[tuple[str, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    """Both ways, from whichever is the other."""
    for to in ("pulumi", "embedded"):
        upkeep.state_move(Context(), to=to)
    assert moved == [("embedded", "pulumi"), ("pulumi", "embedded")]
    assert "network: 134 resources are the pulumi engine's now" in capsys.readouterr().out


def test_the_state_doesn_t_move_under_a_deployment(
    workspace: Workspace, moved: list[tuple[str, str]]
) -> None:
    """One operation at a time on one stack."""
    with (
        locked(workspace.lab_state / "locks/lab.lock", "deploy-all"),
        pytest.raises(Exit, match="another operation is under way"),
    ):
        upkeep.state_move(Context(), to="pulumi")
    assert moved == []


def test_a_move_that_fails_is_one_line(
    workspace: Workspace, moved: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line is the engine's."""

    def failing(*_: object) -> dict[str, int]:
        raise EngineError("network: took 1 of 2")

    monkeypatch.setattr(state, "move", failing)
    with pytest.raises(Exit, match="network: took 1 of 2") as caught:
        upkeep.state_move(Context(), to="pulumi")
    assert caught.value.code == ExitCode.FAILED
    assert moved == []


def test_setup_prints_what_it_found(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A thin task."""
    monkeypatch.setattr(setup, "setup", lambda: ["found", "use it"])
    upkeep.setup(Context())
    assert capsys.readouterr().out == "found\nuse it\n"


def test_a_stack_that_isn_t_the_lab_starts_none(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its programs and plugins get no lab's address either."""
    (workspace.repository / "Pulumi.dev.yaml").write_text(
        "config: {TapStack:environmentSuffix: dev, aws:region: us-east-1}"
    )

    def started(*_: object) -> None:
        raise AssertionError("the lab was started")

    made = Embedded(workspace, "dev", {})
    asked: list[tuple[Any, ...]] = []
    monkeypatch.setattr(session.lab, "start", started)
    monkeypatch.setattr(session.node, "ensure", lambda: "v20.0.0")
    monkeypatch.setattr(choice, "engine_for", lambda *given: asked.append(given) or made)
    driver = session.driver_for("dev")
    assert driver.lab_endpoint is None
    ((name, _, _, environment, _),) = asked
    assert (name, environment) == ("pulumi", {})
