"""``./inv`` itself: mistakes are one line and exit code 2, and output never stops the work."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fake_engine import FakeEngine
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from invoke.executor import Executor
from watched_driver import Watched, watched

import tasks
from ops import init, lab, lab_tools, program, session, setup
from ops.cloud import batch_replication, emergency, inventory, redrive, restores
from ops.console import server
from ops.cost import report
from ops.deploy import alarms, status
from ops.doctor import examination
from ops.drill import command as drills
from ops.front import recovery as recovery_front
from ops.permissions import show as permissions
from ops.policies import table
from ops.printing import make_console
from ops.quality import benches, checks, pins
from ops.recovery import asking, orders, rollback, standing
from ops.report import compare, figures, verify
from ops.report import history as drill_history
from ops.secrets import rotation

ROOT = Path(tasks.__file__).resolve().parent
TASKS = sorted(tasks.namespace.task_names)


class Recording(Executor):
    """Runs nothing; remembers which tasks would have run."""

    ran: list[str] = []  # noqa: RUF012 - one list for the class is the point

    def execute(self, *tasks: Any) -> dict[Any, Any]:
        self.ran.extend(task.name for task in tasks)
        return {}


@pytest.fixture(autouse=True)
def _at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tasks are found from the repository, as ``./inv`` runs them."""
    monkeypatch.chdir(ROOT)
    Recording.ran.clear()


def run(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, list[str]]:
    """Exit code, what was printed, and the lines of what went wrong; no task is run."""
    code = program.main(arguments, Recording)
    out, err = capfd.readouterr()
    return code, out, err.splitlines()


@pytest.mark.parametrize(
    ("line", "mistake"),
    [
        ("deploy-al", "unknown task 'deploy-al'; did you mean deploy-all?"),
        ("deploy_all", "unknown task 'deploy_all'; did you mean deploy-all?"),
        ("up --layr network", "up has no flag --layr; did you mean --layer?"),
        ("up", "up needs --layer: network, data, app or global"),
        ("up --layer", "--layer needs a value: network, data, app or global"),
        ("deploy-all --parallel x", "--parallel x isn't a whole number"),
        ("status extra", "unknown task 'extra' (after status): ./inv --list shows the tasks"),
        ("--list=lba", "unknown name 'lba' after --list; did you mean lab?"),
        (
            "--list=x",
            "unknown name 'x' after --list: there are drill, lab, recovery, state, events, "
            "secrets, objects, app, emergency, pins",
        ),
        ("--help deploy-al", "unknown name 'deploy-al' after --help; did you mean deploy-all?"),
        ("--list-depth x", "'x' isn't a whole number"),
        ("-c nope", "Can't find any collection named 'nope'!"),
        ("--list --list", "--list is given twice"),
    ],
)
def test_a_mistake_is_one_line_and_code_2(
    capfd: pytest.CaptureFixture[str], line: str, mistake: str
) -> None:
    """R9: what is wrong and the nearest name that exists; nothing ran."""
    assert run(capfd, *line.split()) == (2, "", [mistake])
    assert Recording.ran == []


def test_one_mistake_keeps_all_tasks_of_the_line_from_running(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Nothing touched: the whole line is read first."""
    assert run(capfd, "deploy-all", "status", "--jsn")[0] == 2
    assert Recording.ran == []
    assert run(capfd, "status", "--json", "up", "-l", "network")[0] == 0
    assert Recording.ran == ["status", "up"]


@pytest.mark.parametrize("line", ["--list", "--help", "--version", "--help up", "up --help", ""])
def test_help_is_no_mistake(capfd: pytest.CaptureFixture[str], line: str) -> None:
    """Lists and help go to standard output, with exit code 0."""
    code, out, err = run(capfd, *line.split())
    assert (code, err) == (0, [])
    assert out


def test_help_says_what_each_flag_means(capfd: pytest.CaptureFixture[str]) -> None:
    """STYLE: every argument has help, and ``--help`` shows it."""
    _, out, _ = run(capfd, "--help", "lab.outage")
    assert "api, compute, database, peering or replication" in out
    assert "down, slow, hang or flap" in out


def test_a_package_that_is_missing_is_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    """A half-installed environment ends with code 3 and the way out, no traceback."""

    class Incomplete(Executor):
        def execute(self, *tasks: Any) -> dict[Any, Any]:
            raise ModuleNotFoundError("No module named 'grpc.aio'", name="grpc.aio")

    code = program.main(["status"], Incomplete)
    (line,) = capfd.readouterr().err.splitlines()
    assert code == 3
    assert line.startswith(f"the package grpc is missing from {sys.prefix}: remove that folder")


@pytest.mark.parametrize("name", ["ops.nothing", None])
def test_a_fault_of_the_programs_own_is_not_taken_for_it(name: str | None) -> None:
    """A module of ours that isn't there is a mistake in the code, and says where."""

    class Broken(Executor):
        def execute(self, *tasks: Any) -> dict[Any, Any]:
            raise ModuleNotFoundError("No module named 'ops.nothing'", name=name)

    with pytest.raises(ModuleNotFoundError):
        program.main(["status"], Broken)


def test_an_interruption_before_a_task_began_has_its_code(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """130, as in a task; no traceback."""

    class Interrupted(Executor):
        def execute(self, *tasks: Any) -> dict[Any, Any]:
            raise KeyboardInterrupt

    assert program.main(["status"], Interrupted) == 130
    assert capfd.readouterr().err == "interrupted\n"


WORDS = st.one_of(
    st.sampled_from(TASKS),
    st.sampled_from(
        ["--stack", "--layer", "--json", "--parallel", "-s", "-jr", "--", "--list", "-h", "lab",
         "4", "-1", "--parallel=x", "--stack=dev", "us-east-1", "--no-dedupe", "-D", "-T", "-e"]
    ),
    st.text(st.characters(exclude_characters="\0"), max_size=6),
)  # fmt: skip


@pytest.mark.no_cover
@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(WORDS, max_size=5))
def test_any_command_line_runs_or_is_one_line(
    capfd: pytest.CaptureFixture[str], tokens: list[str]
) -> None:
    """Fuzzed: a line is accepted as a whole, or refused by one line with exit code 2."""
    # Other tasks, other files, and invoke's own log: -c, -r, -f, -d.
    assume(not any(re.match(r"-\w*[crfd]|--(coll|search|conf|debug)", token) for token in tokens))
    Recording.ran.clear()
    code, _, err = run(capfd, *tokens)
    assert code in (0, 2), (code, err)
    if code == 2:
        assert len(err) == 1, err
        assert Recording.ran == []
    else:
        assert err == []


# Output that can't be written, and work that continues


@pytest.fixture
def working(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every task over doubles that print much and then note that their work was done."""
    done: list[str] = []

    def talk(*_: Any, **__: Any) -> None:
        for number in range(400):
            print(f"line {number}: and some more text, so that buffers are filled")
        done.append("done")

    class Talking(FakeEngine):
        def _called(self, verb: str, layer: str) -> None:
            super()._called(verb, layer)
            talk()

    driver = watched(tmp_path, Talking("network", "data", "app", "global"))
    driver.console, driver.errors = make_console(), make_console(stderr=True)
    monkeypatch.setattr(session, "driver_for", lambda *_, **__: driver)
    monkeypatch.setattr(session, "clients_for", lambda stack: (None, stack))
    monkeypatch.setattr(session, "looking_at", lambda _: (None, None, None))
    monkeypatch.setattr(session, "acting_on", lambda _: None)
    monkeypatch.setattr(session, "waiting_on", lambda *_: (None, None))
    monkeypatch.setattr(session, "move_state", lambda *_: talk() or {"network": 1})
    for module, name in (
        (inventory, "show"), (redrive, "show"), (status, "show"), (alarms, "show"),
        (table, "show"), (report, "show"), (permissions, "show"),
        (rotation, "show"), (restores, "show"), (batch_replication, "show"),
        (emergency, "export"), (emergency, "open_newest"),
        (examination, "show"), (checks, "lint"), (checks, "test"), (benches, "run"), (lab, "up"),
        (lab, "down"), (lab, "status"),
        (pins, "check"), (pins, "write"),
        (pins, "audit"), (lab, "outage"), (lab, "restore"), (lab, "clock"), (lab, "fault"),
        (lab_tools, "mails"), (lab_tools, "env"), (lab_tools, "types"), (lab_tools, "aws"),
        (server, "run"), (standing, "show"), (orders, "freeze"), (orders, "thaw"), (orders, "hold"),
        (orders, "acknowledge"), (recovery_front, "_items"),
        (asking, "fail_over"), (asking, "fail_back"), (asking, "reconcile"),
        (rollback, "show"),
        (drills, "run"), (drill_history, "show"), (figures, "show"),
        (compare, "show"), (verify, "show"),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, talk)
    monkeypatch.setattr(inventory, "take", lambda *_: talk() or [])
    monkeypatch.setattr(setup, "setup", lambda: talk() or ["done"])
    monkeypatch.setattr(init, "write", lambda *_: talk() or tmp_path / "Pulumi.x.yaml")
    monkeypatch.setattr(Watched, "write_outputs", lambda self: talk() or {"Stack": "lab", "x": 1})
    return done


NEEDED = {
    "up": ["network"], "preview": ["network"], "refresh": ["network"], "destroy": ["global"],
    "init": ["x"], "bench": ["api"], "lab.outage": ["us-east-1"], "lab.restore": ["us-east-1"],
    "lab.clock": ["2"], "state.move": ["pulumi"], "recovery.freeze": ["why"],
    "recovery.hold": ["why"], "drill.compare": ["a", "b"], "drill.verify": ["file"],
}  # fmt: skip


@contextmanager
def standard_output(descriptor: int) -> Iterator[None]:
    """Standard output goes there for a while, for this process and those that it starts."""
    kept, stream = os.dup(1), sys.stdout
    os.dup2(descriptor, 1)
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    try:
        yield
    finally:
        os.dup2(kept, 1)
        sys.stdout.close()
        sys.stdout = stream
        os.close(kept)


@pytest.mark.no_cover
@pytest.mark.no_cover
@pytest.mark.parametrize("name", TASKS)
def test_a_closed_pipe_stops_no_task(
    capfd: pytest.CaptureFixture[str], working: list[str], name: str
) -> None:
    """``| head -3``: the work is done to its end, silently, with its own exit code."""
    reader, writer = os.pipe()
    os.close(reader)
    with standard_output(writer):
        os.close(writer)
        code = program.main([name, *NEEDED.get(name, [])])
    assert (code, capfd.readouterr().err) == (0, "")
    assert working


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("name", TASKS)
def test_a_full_disk_stops_no_task_and_is_said(
    capfd: pytest.CaptureFixture[str], working: list[str], name: str
) -> None:
    """``> /dev/full``: the work is done to its end; one line and exit code 1 say what is lost."""
    with open("/dev/full", "w") as full, standard_output(full.fileno()):  # noqa: PTH123
        code = program.main([name, *NEEDED.get(name, [])])
    said = capfd.readouterr().err.splitlines()
    assert (code, said) == (1, ["standard output can't be written: No space left on device"])
    assert working


def test_a_deployment_of_the_real_command_outlives_its_reader(tmp_path: Path) -> None:
    """``./inv … | true`` ends by itself, without a traceback; also help and lists."""
    for arguments in ("--list", "--help up", "nope", "lab.status --json"):
        line = f'"{sys.executable}" -m ops.program {arguments} | true; echo "${{PIPESTATUS[0]}}"'
        answer = subprocess.run(
            ["bash", "-c", line],
            cwd=ROOT, env={**os.environ, "WARM_STANDBY_WORKSPACE": str(tmp_path)},
            capture_output=True, text=True, check=True, timeout=120,
        )  # fmt: skip
        assert "Traceback" not in answer.stderr, answer.stderr
        assert answer.stdout == ("2\n" if arguments == "nope" else "0\n")
