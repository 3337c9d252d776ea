"""Which engine moves which stack, and the embedded one behind the common interface."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from watched_driver import stack_file

from ops.engines import choice, embedded
from ops.engines.engine import Options
from ops.errors import ExitCode, OperatorError
from ops.stack_file import parse
from ops.workspace import WORKSPACE_VARIABLE, Workspace, find
from pulumi_protocol.events import Summary

DEV = "config: {TapStack:environmentSuffix: dev, aws:region: us-east-1}"


def test_the_lab_is_embedded_and_everything_else_is_pulumi_s() -> None:
    """architecture.md, Engines: nobody must ask for the right one."""
    assert choice.choose(None, stack_file()) == "embedded"
    assert choice.choose("", parse("dev", DEV)) == "pulumi"
    assert choice.choose("pulumi", stack_file()) == "pulumi"


@pytest.mark.parametrize(
    ("name", "line"),
    [("embedded", "is for the lab only, and stack dev is dev"), ("terraform", "unknown engine")],
)
def test_the_embedded_engine_is_refused_for_anything_but_the_lab(name: str, line: str) -> None:
    """First light: a local test engine never touches an account."""
    with pytest.raises(OperatorError, match=line) as caught:
        choice.choose(name, parse("dev", DEV))
    assert caught.value.code is ExitCode.BAD_INPUT


def test_the_engine_of_a_lab_stack_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The embedded engine needs nothing but the workspace; the lab's two engines refuse each
    other's state, and a stack on AWS has one engine alone."""
    space = Workspace(tmp_path, tmp_path)
    asked: list[str] = []
    monkeypatch.setattr(
        choice.state, "refuse_other", lambda _space, stack, name: asked.append(name)
    )
    assert choice.engine_for("embedded", space, stack_file(), {}).name == "embedded"
    assert asked == ["embedded"]
    monkeypatch.setattr(choice, "movable", lambda name, *_: name)
    assert str(choice.engine_for("pulumi", space, parse("dev", DEV), {})) == "pulumi"
    assert asked == ["embedded"]


class Recording:
    """In place of the lab's engine: remembers what it was made with and asked for."""

    made: list[dict[str, Any]] = []  # noqa: RUF012 - one list for the class is the point
    calls: list[tuple[Any, ...]] = []  # noqa: RUF012

    def __init__(self, **options: Any) -> None:
        self.made.append(options)
        self.options = options

    def preview(self, on_event: Any, environment: Any) -> Summary:
        self.calls.append(("preview", environment))
        return Summary()

    def up(self, on_event: Any, environment: Any) -> Summary:
        self.calls.append(("up", environment))
        return Summary()

    def refresh(self, on_event: Any) -> Summary:
        path = self.options["state_dir"] / "network/lab.json"
        self.calls.append(("refresh", path.read_text() if path.exists() else None))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("refreshed")
        return Summary()

    def destroy(self, on_event: Any) -> Summary:
        self.calls.append(("destroy",))
        return Summary()

    def outputs(self) -> dict[str, Any]:
        return {"a": 1}

    def resources(self) -> list[dict[str, Any]]:
        return [{"urn": "x"}]

    def export(self) -> dict[str, Any]:
        return {"deployment": {}}

    def import_state(self, deployment: dict[str, Any]) -> None:
        self.calls.append(("import", deployment))

    def interrupt(self) -> None:
        self.calls.append(("interrupt",))


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> embedded.Embedded:
    """The embedded engine over a recording one."""
    monkeypatch.setattr(embedded, "EmbeddedEngine", Recording)
    Recording.made.clear()
    Recording.calls.clear()
    return embedded.Embedded(Workspace(tmp_path, tmp_path / "ws"), "lab", {"A": "1"})


def nothing(_event: object) -> None:
    """Hears no event."""


def test_each_layer_has_one_engine_over_the_workspace_s_state(
    recorded: embedded.Embedded, tmp_path: Path
) -> None:
    """N1: projects from the repository, state in the workspace, only stacks of the lab."""
    recorded.up("network", nothing)
    recorded.destroy("network", nothing)
    assert recorded.outputs("network") == {"a": 1}
    assert recorded.resources("network") == [{"urn": "x"}]
    (options,) = Recording.made
    assert options["project_dir"] == tmp_path / "network"
    assert options["state_dir"] == tmp_path / "ws/.lab/stacks"
    assert options["environment"] == {"PYTHONPATH": str(tmp_path), "A": "1"}
    assert options["required_config"] == {"TapStack:environment": "lab"}
    assert options["spared"] == ()
    assert Recording.calls == [("up", None), ("destroy",)]


def test_undeployed_upstreams_reach_the_program_in_a_preview_only(
    recorded: embedded.Embedded,
) -> None:
    """N5: one environment variable names them; without any it isn't set."""
    recorded.preview("app", nothing, frozenset({"network", "data"}))
    recorded.preview("app", nothing, frozenset())
    assert Recording.calls == [
        ("preview", {"WARM_STANDBY_UNDEPLOYED": "data,network"}),
        ("preview", None),
    ]


def test_a_region_that_is_left_alone_reaches_engine_and_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trap 66: the engine spares its provider's resources, the program asks nothing of it."""
    monkeypatch.setattr(embedded, "EmbeddedEngine", Recording)
    Recording.made.clear()
    Recording.calls.clear()
    options = Options(spared_region="us-east-1")
    engine = embedded.Embedded(Workspace(tmp_path, tmp_path), "lab", {}, options)
    engine.up("app", nothing)
    engine.preview("app", nothing, frozenset({"data"}))
    assert Recording.made[0]["spared"] == ["aws-us-east-1"]
    variable = {"WARM_STANDBY_SPARED_REGION": "us-east-1"}
    assert Recording.calls == [
        ("up", variable),
        ("preview", {**variable, "WARM_STANDBY_UNDEPLOYED": "data"}),
    ]


def test_a_region_and_targets_exclude_each_other() -> None:
    """Both say what is touched."""
    with pytest.raises(OperatorError, match="--region and --target") as caught:
        Options(targets=("urn",), spared_region="us-east-1")
    assert caught.value.code is ExitCode.BAD_INPUT


def test_a_drift_check_works_on_a_copy_of_the_state(
    recorded: embedded.Embedded, tmp_path: Path
) -> None:
    """Drift is reported and the state stays as it was; a refresh changes it."""
    state = tmp_path / "ws/.lab/stacks/network/lab.json"
    recorded.refresh("network", nothing, preview=True)
    assert Recording.calls.pop() == ("refresh", None)
    state.parent.mkdir(parents=True)
    state.write_text("before")
    recorded.refresh("network", nothing, preview=True)
    assert Recording.calls.pop() == ("refresh", "before")
    assert state.read_text() == "before"
    recorded.refresh("network", nothing)
    assert state.read_text() == "refreshed"


def test_a_refresh_may_come_before_the_deployment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``--refresh``: a deployment refreshes the state itself, a preview a copy of it."""
    monkeypatch.setattr(embedded, "EmbeddedEngine", Recording)
    Recording.calls.clear()
    space = Workspace(tmp_path, tmp_path / "ws")
    engine = embedded.Embedded(space, "lab", {}, Options(refresh=True))
    state = space.checkpoints / "network/lab.json"
    state.parent.mkdir(parents=True)
    state.write_text("before")
    engine.preview("network", nothing, frozenset())
    assert Recording.calls == [("refresh", "before"), ("preview", None)]
    assert state.read_text() == "before"
    Recording.calls.clear()
    engine.up("network", nothing)
    assert Recording.calls == [("refresh", "before"), ("up", None)]
    assert state.read_text() == "refreshed"


def test_the_embedded_engine_moves_whole_layers(tmp_path: Path) -> None:
    """``--target`` is Pulumi's CLI's: one line, and nothing touched."""
    with pytest.raises(OperatorError, match="--target needs --engine pulumi"):
        embedded.Embedded(Workspace(tmp_path, tmp_path), "lab", {}, Options(targets=("urn",)))


def test_state_moves_out_of_the_embedded_engine_and_into_it(
    recorded: embedded.Embedded, tmp_path: Path
) -> None:
    """architecture.md, Engines: a state is exported and imported; forgetting it leaves the lab."""
    assert recorded.export("network") == {"deployment": {}}
    recorded.import_state("network", {"deployment": {"x": 1}})
    assert Recording.calls == [("import", {"deployment": {"x": 1}})]
    state = tmp_path / "ws/.lab/stacks/network/lab.json"
    recorded.forget("network")
    state.parent.mkdir(parents=True)
    state.write_text("state")
    recorded.forget("network")
    assert not state.exists()


def test_what_was_never_deployed_has_no_state_to_move(
    recorded: embedded.Embedded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty state isn't handed over as if it were one."""
    monkeypatch.setattr(Recording, "resources", lambda _self: [])
    assert recorded.export("network") is None


def test_an_interruption_reaches_every_layer_that_works(recorded: embedded.Embedded) -> None:
    """N7: layers may run side by side."""
    recorded.up("network", nothing)
    recorded.up("data", nothing)
    Recording.calls.clear()
    recorded.interrupt()
    assert Recording.calls == [("interrupt",), ("interrupt",)]


def test_the_workspace_is_the_repository_unless_a_variable_says_otherwise(tmp_path: Path) -> None:
    """names.md: tests and second labs put state and outputs elsewhere; the programs stay."""
    here = find({})
    assert here.directory == here.repository
    there = find({WORKSPACE_VARIABLE: str(tmp_path)})
    assert there.repository == here.repository
    assert there.flat_outputs == tmp_path / "cfn-outputs/flat-outputs.json"
    assert there.checkpoints == tmp_path / ".lab/stacks"
    assert there.stack_file("dev") == here.repository / "Pulumi.dev.yaml"


@pytest.mark.parametrize("parallel", [-1, 0, 1001, 10**18])
def test_an_impossible_number_at_a_time_is_one_line(parallel: int) -> None:
    """``--parallel -1``: exit code 2 and the range, before anything starts."""
    with pytest.raises(OperatorError, match="isn't from 1 to 1000") as caught:
        Options(parallel=parallel)
    assert caught.value.code is ExitCode.BAD_INPUT
