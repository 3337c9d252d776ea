"""The front door: every task says what it does, and calls what it should."""

from __future__ import annotations

import importlib.util
import inspect
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from fake_engine import FakeEngine
from front_calls import DRIVER, check_passes_on
from invoke.context import Context
from invoke.exceptions import Exit
from watched_driver import Watched, watched

import tasks
from ops import session
from ops.cloud import inventory
from ops.deploy.driver import Driver
from ops.engines import ahead
from pulumi_protocol.events import EngineError

ROOT = Path(tasks.__file__).resolve().parent
PROSE = {"again", "resumes", "instead", "once", "runs", "that"}
"""Words that follow ``./inv`` in sentences."""
ALL = {name: tasks.namespace[name] for name in tasks.namespace.task_names}
HELP = {name: set(task.help) for name, task in ALL.items()}
"""Task → its explained arguments; invoke takes them out of a task whose command line it parses."""


@pytest.mark.parametrize("name", sorted(ALL))
def test_every_task_and_every_argument_is_explained(name: str) -> None:
    """STYLE: one imperative line a task, help for every argument."""
    task = ALL[name]
    text = inspect.getdoc(task.body) or ""
    assert text.count("\n") == 0
    assert text.endswith(".")
    parameters = inspect.signature(task.body).parameters
    arguments = {name.rstrip("_") for name in parameters} - {"_c", "c"}
    assert arguments == HELP[name]


def test_the_agreed_tasks_exist() -> None:
    """names.md: scripts and people rely on these names."""
    agreed = {
        "deploy-all", "preview-all", "refresh-all", "destroy-all", "up", "preview", "refresh",
        "destroy", "outputs", "inventory", "status", "test", "lint", "bench", "lab.up", "lab.down",
        "lab.status", "lab.outage", "lab.restore", "lab.clock",
    }  # fmt: skip
    assert agreed <= set(ALL)


@pytest.fixture(autouse=True)
def begun(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str | None]]:
    """The stacks and engines for which a runner of programs was begun; no process is."""
    seen: list[tuple[str, str | None]] = []
    monkeypatch.setattr(ahead, "begin", lambda stack, engine: seen.append((stack, engine)))
    return seen


def test_programs_are_begun_ahead_where_they_will_run(
    driver: Watched, begun: list[tuple[str, str | None]]
) -> None:
    """Twice as fast: deployments and previews begin the runner of programs before their own
    imports; refreshing and destroying run no program."""
    for name in ("refresh-all", "destroy-all"):
        with suppress(Exit):
            ALL[name].body(Context())
    assert begun == []
    for name in ("deploy-all", "preview-all"):
        with suppress(Exit):
            ALL[name].body(Context())
    assert begun == [("lab", None)] * 2


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Watched:
    """The driver that tasks get: a fake engine, nothing deployed."""
    made = watched(tmp_path, FakeEngine())
    monkeypatch.setattr(session, "driver_for", lambda stack, engine, options=None: made)
    return made


def calls(driver: Watched) -> list[tuple[str, str]]:
    """What the engine was asked, and forgets it."""
    assert isinstance(driver.engine, FakeEngine)
    asked, driver.engine.calls = driver.engine.calls, []
    return asked


def test_tasks_over_all_layers(driver: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """names.md: deploy-all, preview-all, refresh-all, destroy-all."""
    layers = list(driver.graph)
    for task, verb in (
        ("preview_all", "preview"),
        ("deploy_all", "up"),
        ("refresh_all", "refresh"),
    ):
        getattr(tasks, task)(Context())
        assert calls(driver) == [(verb, layer) for layer in layers]
    monkeypatch.setattr(inventory, "take", lambda *_: [])
    tasks.destroy_all(Context())
    assert calls(driver) == [("destroy", layer) for layer in reversed(layers)]


@pytest.mark.parametrize("verb", ["up", "preview", "refresh", "destroy"])
def test_tasks_over_one_layer(driver: Watched, verb: str) -> None:
    """names.md: the same four with --layer."""
    getattr(tasks, verb)(Context(), layer="network")
    assert calls(driver) == [(verb, "network")]
    with pytest.raises(Exit) as caught:
        getattr(tasks, verb)(Context(), layer="nework")
    assert caught.value.code == 2
    assert "unknown layer nework" in str(caught.value.message)


def test_a_failed_operation_ends_with_its_exit_code(driver: Watched) -> None:
    """The table and the lines were printed; the code is for the pipeline."""
    assert isinstance(driver.engine, FakeEngine)
    driver.engine.fails["up", "network"] = EngineError("network: no")
    with pytest.raises(Exit) as caught:
        tasks.deploy_all(Context())
    assert caught.value.code == 1
    assert not caught.value.message


def test_outputs_are_the_drivers(monkeypatch: pytest.MonkeyPatch) -> None:
    """STYLE: tasks are thin; a fault of what they call is one line."""
    check_passes_on(
        monkeypatch,
        lambda: tasks.outputs(Context(), json=True),
        Driver,
        "show_outputs",
        (DRIVER, True),
    )


def test_outside_the_environment_one_line_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """First light: plain ``invoke deploy-all`` without the packages gets no traceback."""
    spec = importlib.util.spec_from_file_location("bare_tasks", ROOT / "tasks.py")
    assert spec is not None
    assert spec.loader is not None
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(Exit) as caught:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
    assert caught.value.code == 3
    assert "run ./inv instead of invoke" in str(caught.value.message)


def test_listing_the_tasks_imports_neither_pulumi_nor_boto() -> None:
    """First light: ``./inv --list`` answers at once; of ops it imports the front alone."""
    script = (
        "import sys, tasks; "
        "print([m for m in sys.modules if m in ('pulumi', 'boto3', 'rich', 'lab', 'grpc')"
        " or m.startswith('ops.') and not (m + '.').startswith('ops.front.')])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "[]"


def test_every_error_that_names_a_command_names_one_that_exists() -> None:
    """N7: a next command that doesn't exist would be worse than none."""
    aliases = tasks.namespace.task_names.values()
    names = {*ALL, *(name for others in aliases for name in others)}
    for path in (*(ROOT / "ops").glob("**/*.py"), ROOT / "tasks.py"):
        for command in re.findall(r"\./inv ([a-z][a-z.-]*[a-z])", path.read_text()):
            assert command in names | PROSE, f"{path.name}: ./inv {command}"


def test_a_part_of_the_chain(driver: Watched) -> None:
    """N7: --from and --to, both included; the wrong way round is one line."""
    tasks.deploy_all(Context(), to="data")
    assert calls(driver) == [("up", "network"), ("up", "data")]
    tasks.deploy_all(Context(), from_="app")
    assert calls(driver) == [("up", "app"), ("up", "global")]
    with pytest.raises(Exit) as caught:
        tasks.deploy_all(Context(), from_="app", to="data")
    assert caught.value.code == 2
    assert "--from app comes after --to data" in str(caught.value.message)


def test_flags_are_named_as_people_write_them() -> None:
    """names.md: ``from`` is a word of Python, and a flag all the same."""
    shown = subprocess.run(
        [sys.executable, "-m", "invoke", "--help", "deploy-all"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert "--from=STRING" in shown
    assert "--to=STRING" in shown
