"""``./inv bench``: names and exit codes."""

import ast
import subprocess
import sys
from types import SimpleNamespace

import pytest
from invoke.exceptions import Exit

from ops import workspace
from ops.errors import OperatorError
from ops.quality import benches


def run_by_benches(monkeypatch, run):
    """Runs nothing that benches start; what other threads run isn't theirs."""
    monkeypatch.setattr(benches, "subprocess", SimpleNamespace(run=run))


@pytest.mark.parametrize("name", ["nothing", "bench", "kept", "mutation", "../deploy"])
def test_an_unknown_benchmark_is_one_line_with_the_names(name):
    """House rule: bad input gets one line; what they share is no benchmark."""
    with pytest.raises(OperatorError, match=r"unknown benchmark .*: choose one of .*deploy.*kills"):
        benches.run(name)


@pytest.mark.parametrize("code", [0, 5])
def test_a_missed_limit_is_the_tasks_exit_code(monkeypatch, code):
    """House rule: a benchmark can fail."""
    ran = []

    def run(command, **_options):
        ran.append(command)
        return subprocess.CompletedProcess(command, code)

    run_by_benches(monkeypatch, run)
    if code:
        with pytest.raises(Exit) as ended:
            benches.run("deploy")
        assert ended.value.code == code
    else:
        benches.run("deploy")
    ((python, safe_path, program),) = ran
    assert (python, safe_path) == (sys.executable, "-P")
    assert program.endswith("tests/bench/deploy.py")


def test_the_labs_limits_are_those_of_deploying(monkeypatch):
    """N1: ``bench lab`` is the benchmark of deploying, of its seconds and its memory."""
    ran = []

    def run(command, **_options):
        ran.append(command)
        return subprocess.CompletedProcess(command, 0)

    run_by_benches(monkeypatch, run)
    benches.run("lab")
    assert ran[0][2].endswith("tests/bench/deploy.py")


def test_minutes_are_for_what_goes_on_where_it_stopped(monkeypatch):
    """A benchmark that can't resume refuses the limit instead of ignoring it."""
    ran = []

    def run(command, **_options):
        ran.append(command)
        return subprocess.CompletedProcess(command, 0)

    run_by_benches(monkeypatch, run)
    benches.run("mutants", 2.5)
    assert ran[0][2].endswith("tests/bench/mutants.py")
    assert ran[0][3:] == ["--minutes", "2.5"]
    with pytest.raises(OperatorError, match="bench kills takes no --minutes"):
        benches.run("kills", 1)


def test_a_clock_is_for_the_drills_alone(monkeypatch):
    """Issue 20: a drill's figures are marked at another clock than 1; other benches have theirs."""
    ran = []

    def run(command, **_options):
        ran.append(command)
        return subprocess.CompletedProcess(command, 0)

    run_by_benches(monkeypatch, run)
    benches.run("drills", 30, 5)
    assert ran[0][3:] == ["--minutes", "30", "--clock", "5"]
    with pytest.raises(OperatorError, match="bench kills takes no --clock"):
        benches.run("kills", 0, 5)


def test_a_benchmark_finds_the_package_whose_name_it_has():
    """Honest results: ``bench recovery`` measures the package ``recovery``, and each benchmark
    finds what it shares with the others and with the integration tests."""
    repository = workspace.find().repository
    found = subprocess.run(
        [sys.executable, "-P", "-c", "import recovery.model as m, bench; print(m.__file__)"],
        env=benches.environment(repository), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    assert found.stdout.strip().endswith("lambda_src/recovery/recovery/model.py")


def test_no_benchmark_runs_when_it_is_imported():
    """House rule: what a benchmark shares can be imported and tested without its run."""
    directory = workspace.find().repository / "tests" / "bench"
    running = [
        file.name
        for file in sorted(directory.glob("*.py"))
        if any(
            isinstance(statement, ast.Expr)
            and isinstance(statement.value, ast.Call)
            and not ast.unparse(statement).startswith("sys.path.")
            for statement in ast.parse(file.read_text()).body
        )
    ]
    assert not running


RESUMING = """
import json, sys
from pathlib import Path
from controller_kills import ROUNDS, Record
path = Path(sys.argv[1]) / "kept" / "rounds.json"
record = Record(path)
assert record.left == list(range(ROUNDS + 1))
record.note(0, good=True)
record.note(5, good=False)
again = Record(path)
print(again.held, again.failed, again.left[:3])
path.write_text(json.dumps({**json.loads(path.read_text()), "code": "another"}))
changed = Record(path)
print(changed.held, changed.failed, changed.left[:3])
for number in changed.left:
    changed.note(number, good=True)
print(Record(path).left, Record(path).failed)
"""


@pytest.mark.no_cover
def test_the_kills_resume_where_they_stopped_and_with_what_failed(tmp_path):
    """Honest results: what held counts for the same code alone, what failed until it holds."""
    repository = workspace.find().repository
    found = subprocess.run(
        [sys.executable, "-P", "-c", RESUMING, str(tmp_path)],
        env=benches.environment(repository), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    assert found.stdout.splitlines() == ["[0] [5] [5, 1, 2]", "[] [5] [5, 0, 1]", "[] []"]
