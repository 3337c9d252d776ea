"""The commands of lint and test, and the closing line with the true numbers."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from invoke.context import Context, MockContext
from invoke.runners import Result as Answer

from ops.errors import ExitCode, OperatorError
from ops.quality import checks
from ops.workspace import Workspace

JUNIT = '<testsuites><testsuite name="x" errors="1" failures="2" skipped="3" tests="20" /></tests>'


@pytest.fixture
def functions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Node.js project whose packages are installed."""
    space = Workspace(tmp_path, tmp_path)
    monkeypatch.setattr(checks.workspace, "find", lambda: space)
    monkeypatch.setattr(checks.node, "ensure", lambda: "v20.0.0")
    monkeypatch.setattr(checks.node, "npm", lambda: "npm")
    directory = tmp_path / "lambda_src/api"
    directory.mkdir(parents=True)
    (directory / "package-lock.json").touch()
    monkeypatch.setattr(checks.node_packages, "complete", lambda _project: True)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/slow.txt").write_text("# why\ntests/unit/a.py::one\ntests/unit/a.py::two\n")
    return directory


class Beside:
    """A command that runs beside the others; ``killed`` says whether it was ended."""

    def __init__(self, answer: Answer) -> None:
        self._answer, self.runner, self.killed = answer, self, False

    def join(self) -> Answer:
        return self._answer

    def kill(self) -> None:
        self.killed = True


class Commands(MockContext):
    """Records commands; those that match a key answer with its exit code and output."""

    def __init__(self, answers: dict[str, tuple[int, str]] | None = None) -> None:
        super().__init__()
        object.__setattr__(self, "commands", [])
        object.__setattr__(self, "answers", answers or {})
        object.__setattr__(self, "passed", 0)
        object.__setattr__(self, "alone", None)
        object.__setattr__(self, "beside", None)

    def run(self, command: str, **options: object) -> Answer:  # type: ignore[override]
        assert options["warn"] is True
        assert options["in_stream"] is False
        self.commands.append(command)
        if report := re.search(r"--junitxml=(\S+)", command):
            failures = 0 if self.passed else 2
            text = JUNIT.replace('errors="1"', 'errors="0"')
            text = text.replace('failures="2"', f'failures="{failures}"')
            if self.alone and "--last-failed" in command:
                tests, failures = self.alone
                text = f'<testsuite errors="0" failures="{failures}" skipped="0" tests="{tests}" />'
            Path(report[1]).write_text(text)
        answer = Answer(stdout="", exited=0)
        for key, (code, output) in self.answers.items():
            if key in command:
                answer = Answer(stdout=output, exited=code)
        if not options.get("asynchronous"):
            return answer
        beside = Beside(answer)
        object.__setattr__(self, "beside", beside)
        return beside  # type: ignore[return-value]


def test_lint_runs_every_checker_and_names_those_that_found_something(functions: Path) -> None:
    """One run shows all findings, not only the first checker's."""
    commands = Commands({"basedpyright": (1, "")})
    with pytest.raises(OperatorError, match=r"found by: .*basedpyright$") as caught:
        checks.lint(commands)
    assert caught.value.code is ExitCode.DIFFERENCE
    python = sys.executable
    assert commands.commands == [
        f"{python} -m ruff check .",
        f"{python} -m ruff format --check .",
        f"{python} -m basedpyright",
        f"{python} -m codespell_lib",
        f"{python} -m pytest tests/unit/house/test_words.py tests/unit/house/test_named_paths.py",
        f"npm run --silent lint --prefix {functions}",
    ]
    checks.lint(Commands())


def test_packages_of_the_functions_are_installed_when_their_lock_changed(
    functions: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """N1: a fresh clone lints and tests the functions without a step of its own, and says so."""
    installed: list[Path] = []
    monkeypatch.setattr(checks.node, "install", installed.append)
    checks.lint(Commands())
    assert installed == []
    monkeypatch.setattr(checks.node_packages, "complete", lambda _project: False)
    checks.lint(Commands())
    assert installed == [functions]
    assert "installing the functions' packages" in capsys.readouterr().out


def test_all_suites_run_and_the_closing_line_has_the_true_numbers(
    functions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """CI reads ``N passed, N failed``: 17 of each pytest run, and the functions' own."""
    commands = Commands({"npm test": (0, "# tests 5\n# pass 5\n# fail 0\n")})
    object.__setattr__(commands, "passed", 1)
    checks.test(commands, unit=False, integration=False, match="")
    printed = capsys.readouterr().out
    assert printed.splitlines()[-1] == "39 passed, 0 failed"
    joined = "\n".join(commands.commands)
    assert "pytest tests/unit" in joined
    assert "--fail-under=100" in joined
    assert "pytest tests/integration" in joined
    assert f"'--include=lab/*' --skip-covered --fail-under={checks.LAB_PERCENT}" in joined


def test_a_failed_suite_fails_the_run(functions: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run with failed tests, or with coverage below its line, ends with exit code 5."""
    commands = Commands({"-m pytest": (1, ""), "npm test": (1, "# pass 4\n# fail 1\n")})
    with pytest.raises(OperatorError, match="failed: unit, functions"):
        checks.test(commands, unit=True, integration=False, match="")
    # 15 of 20 passed, 2 failed and 3 were skipped; the functions had 4 and 1.
    assert capsys.readouterr().out.splitlines()[-1] == "19 passed, 3 failed"
    covered = Commands({"coverage report": (2, "")})
    object.__setattr__(covered, "passed", 1)
    with pytest.raises(OperatorError, match="failed: unit"):
        checks.test(covered, unit=True, integration=False, match="")
    assert capsys.readouterr().out.splitlines()[-1] == "17 passed, 1 failed"


def test_what_failed_beside_the_others_is_tried_once_more_alone(
    functions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two that fail under load and pass alone pass, and the run says so; nothing else does."""
    late = Commands({"pytest tests/integration -n 3": (1, "")})
    object.__setattr__(late, "alone", (2, 0))
    checks.test(late, unit=False, integration=True, match="")
    printed = capsys.readouterr().out
    assert "2 failed beside the others; once more, alone" in printed
    assert "integration: ok; 2 failed beside the others and passed alone" in printed
    assert printed.splitlines()[-1] == "17 passed, 0 failed"
    assert "-n 0 --last-failed" in late.commands[-1]
    for alone, codes in (
        ((1, 0), {"-n 3": (1, "")}),  # not all of them ran
        ((1, 1), {"-m pytest": (1, "")}),  # one failed again
    ):
        broken = Commands(codes)
        object.__setattr__(broken, "alone", alone)
        with pytest.raises(OperatorError, match="failed: integration"):
            checks.test(broken, unit=False, integration=True, match="")
        assert len(broken.commands) == 2
        assert capsys.readouterr().out.splitlines()[-1] == "15 passed, 2 failed"


@pytest.mark.parametrize(("code", "failed"), [(2, 2), (1, 21), (3, 0)])
def test_a_broken_runner_and_many_failures_get_no_second_try(
    functions: Path, monkeypatch: pytest.MonkeyPatch, code: int, failed: int
) -> None:
    """A suite that was interrupted, crashed, or fails in many places isn't a busy machine's."""
    monkeypatch.setattr(checks, "_junit", lambda _file: (5, failed))
    commands = Commands({"-m pytest": (code, "")})
    with pytest.raises(OperatorError):
        checks.test(commands, unit=False, integration=True, match="")
    assert len(commands.commands) == 1


def test_a_lab_that_its_tests_leave_out_fails_the_run(
    functions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """R9.5: the lab's own line is held as well as the others' 100 %."""
    commands = Commands({"--include=lab": (2, ""), "npm test": (0, "# pass 5\n# fail 0\n")})
    object.__setattr__(commands, "passed", 1)
    with pytest.raises(OperatorError, match="failed: unit"):
        checks.test(commands, unit=False, integration=False, match="")
    assert capsys.readouterr().out.splitlines()[-1] == "39 passed, 1 failed"


def test_what_a_killed_process_measured_is_passed_over_with_one_line(
    functions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """House rule: it isn't counted, which can only lower the figure, and the next run, which would
    find it again, takes it away before it measures."""
    left = functions.parents[1] / "coverage" / "measured.host.12.x"
    left.parent.mkdir()
    left.write_bytes(b"half a file of an earlier run")
    (left.parent / "measured").touch()
    commands = Commands()
    object.__setattr__(commands, "passed", 1)
    checks.test(commands, unit=True, integration=False, match="")
    assert list(left.parent.iterdir()) == []
    assert "can't be read" not in capsys.readouterr().out
    run = Commands.run

    def killed(self: Commands, command: str, **options: Any) -> Answer:
        if "--cov" in command:
            assert options["env"] == {"COVERAGE_FILE": str(left.with_name("measured"))}
            left.touch()
            left.with_name("measured").touch()
        return run(self, command, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Commands, "run", killed)
        checks.test(commands, unit=True, integration=False, match="")
    said = capsys.readouterr().out
    assert said.count("coverage: what 1 killed or late processes ran can't be read") == 1


def test_a_chosen_part_runs_without_coverage(functions: Path) -> None:
    """``./inv test --match`` is for working on something; no test of one suite is no fault."""
    commands = Commands({"tests/unit": (5, "")})
    object.__setattr__(commands, "passed", 1)
    checks.test(commands, unit=False, integration=False, match="a or b")
    assert len(commands.commands) == 2
    assert all("-k 'a or b'" in command for command in commands.commands)
    assert not any("--cov" in command for command in commands.commands)


def test_unit_tests_alone(functions: Path) -> None:
    """``./inv test --unit`` runs no integration test; with --match only pytest's."""
    commands = Commands()
    object.__setattr__(commands, "passed", 1)
    checks.test(commands, unit=True, integration=False, match="a")
    (command,) = commands.commands
    assert "tests/unit" in command


def test_integration_tests_may_run_alone(functions: Path) -> None:
    """``./inv test --integration``."""
    commands = Commands()
    object.__setattr__(commands, "passed", 1)
    checks.test(commands, unit=False, integration=True, match="")
    (command,) = commands.commands
    assert "pytest tests/integration" in command
    assert "--dist loadfile --no-loadscope-reorder" in command, "the longest are begun first"


def test_a_runner_that_died_counts_as_failed(tmp_path: Path) -> None:
    """No report is no success."""
    assert checks._junit(tmp_path / "none.xml") == (0, 1)
    (tmp_path / "odd.xml").write_text("odd")
    assert checks._junit(tmp_path / "odd.xml") == (0, 0)
    assert checks._count("nothing", "pass") == 0


def test_the_quick_tests_run_alone_without_coverage(
    functions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before a commit: slow tests are left out and so is coverage, and the run says so."""
    commands = Commands({"npm run quick": (0, "# pass 5\n# fail 0\n")})
    object.__setattr__(commands, "passed", 1)
    checks.test(commands, unit=False, integration=False, match="", quick=True)
    assert len(commands.commands) == 2
    assert "tests/unit -n 2 -m 'not slow and not long'" in commands.commands[1]
    assert "--cov" not in commands.commands[1]
    *_, left_out, _quick, _functions, result = capsys.readouterr().out.splitlines()
    assert left_out == (
        "left out: 2 unit tests that take a processor long, all of them named in tests/slow.txt; "
        "coverage; every integration test. ./inv test runs everything"
    )
    assert result == "22 passed, 0 failed"


@pytest.mark.parametrize("quick", [True, False])
def test_a_run_says_at_its_start_how_long_the_last_one_took(
    functions: Path, capsys: pytest.CaptureFixture[str], quick: bool
) -> None:
    """A person decides at the start whether to wait."""
    for expected in ("the first run here", "the last run took 0 min 0 s"):
        commands = Commands({"npm": (0, "# pass 5\n# fail 0\n")})
        object.__setattr__(commands, "passed", 1)
        checks.test(commands, unit=False, integration=False, match="", quick=quick)
        assert capsys.readouterr().out.splitlines()[0].startswith(expected)


def test_functions_that_fail_beside_the_others_are_tried_once_more_alone(
    functions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What measures milliseconds may be late beside two busy processes; a fault fails again."""
    late = Commands({"npm test": (1, "# pass 4\n# fail 1\n")})
    object.__setattr__(late, "passed", 1)
    run = Commands.run

    def well(self: Commands, command: str, **options: Any) -> Answer:
        if "npm test" in command and not options.get("asynchronous"):
            return Answer(stdout="# pass 5\n# fail 0\n", exited=0)
        return run(self, command, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Commands, "run", well)
        checks.test(late, unit=True, integration=False, match="")
    printed = capsys.readouterr().out
    assert "functions: 1 failed beside the others; once more, alone" in printed
    assert "functions: ok; 1 failed beside the others and passed alone" in printed
    assert printed.splitlines()[-1] == "22 passed, 0 failed"


def test_ctrl_c_ends_the_functions_tests_too(
    functions: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing that was begun beside goes on after the run has ended."""
    commands = Commands()

    def interrupted(*_given: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(checks, "_unit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        checks.test(commands, unit=True, integration=False, match="")
    assert commands.beside.killed


def wait_for_children(pid: int) -> list[psutil.Process]:
    """What a process has started, once it has."""
    end = time.monotonic() + 10
    while not (found := psutil.Process(pid).children()) and time.monotonic() < end:
        time.sleep(0.01)
    return found


def test_ctrl_c_ends_the_run_and_not_only_the_command() -> None:
    """invoke passes Ctrl-C on to the running command; the next one must not start."""

    class Interrupted(checks.Interruptible):
        waited = False

        def wait(self) -> None:
            if not self.waited:
                self.waited = True
                raise KeyboardInterrupt
            super().wait()

    context = Context()
    with pytest.raises(KeyboardInterrupt):
        Interrupted(context).run("sleep 0.1", in_stream=False)
    running: Any = checks.Interruptible(context).run("sleep 60; true", asynchronous=True, warn=True)
    (child,) = wait_for_children(running.runner.process.pid)
    running.runner.kill()
    running.join()
    child.wait(10)
    assert not child.is_running()
    assert checks.Interruptible(context).run("true", in_stream=False).exited == 0
