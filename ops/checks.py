"""What ``lint`` and ``test`` run: the same commands for a person and for a pipeline."""

from __future__ import annotations

import re
import shlex
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from invoke.context import Context
from rich.text import Text

from ops import node, workspace
from ops.errors import ExitCode, OperatorError
from ops.render import make_console

COMPLETE = (
    "network",
    "data",
    "app",
    "global",
    "tapstack",
    "ops",
    "tasks.py",
    "lambda_src/recovery",
)
"""Covered whole by unit tests, lines and branches (R9.5)."""

LAB_PERCENT = 95
"""Least coverage of ``lab``, lines and branches, by unit and integration tests together (R9.5)."""


@dataclass(frozen=True)
class Result:
    """One suite: its exit code and how many of its tests passed and failed."""

    name: str
    code: int
    passed: int
    failed: int


def lint(c: Context) -> None:
    """Every checker runs, also after one found something."""
    node.ensure()
    python = shlex.quote(sys.executable)
    commands = [
        f"{python} -m ruff check .",
        f"{python} -m ruff format --check .",
        f"{python} -m basedpyright",
        f"npm run --silent lint --prefix {shlex.quote(str(_functions(c)))}",
    ]
    failed = [command for command in commands if _run(c, command) != 0]
    if failed:
        raise OperatorError(f"found by: {'; '.join(failed)}", ExitCode.DIFFERENCE)


def test(c: Context, *, unit: bool, integration: bool, match: str) -> None:
    """Unit tests, the functions' own tests, then the lab's integration tests."""
    node.ensure()
    both = unit == integration
    results: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="warm-standby-") as directory:
        report = Path(directory)
        if unit or both:
            results.append(_unit(c, report, match))
            if not match:
                results.append(_functions_tests(c))
        if integration or both:
            results.append(_integration(c, report, match))
        if both and not match:
            results.append(_lab_coverage(c))
    _tell(results)


def _unit(c: Context, report: Path, match: str) -> Result:
    sources = " ".join(f"--cov={name.removesuffix('.py')}" for name in (*COMPLETE, "lab"))
    coverage = "" if match else f"{sources} --cov-branch --cov-report= "
    result = _pytest(c, "unit", f"tests/unit -n 2 {coverage}", report, match)
    if match:
        return result
    complete = ",".join(f"{name}/*" if not name.endswith(".py") else name for name in COMPLETE)
    python = shlex.quote(sys.executable)
    covered = _run(
        c,
        f"{python} -m coverage report --include={shlex.quote(complete)} --skip-covered "
        "--show-missing --fail-under=100",
    )
    return Result(result.name, result.code or covered, result.passed, result.failed)


def _functions_tests(c: Context) -> Result:
    code, output = _captured(c, f"npm test --silent --prefix {shlex.quote(str(_functions(c)))} ")
    return Result("functions", code, _count(output, "pass"), _count(output, "fail"))


def _integration(c: Context, report: Path, match: str) -> Result:
    # Tests use the lab's modules themselves, too, so their own processes are measured as well; each
    # process has a working directory of its own, and the data shall come together.
    repository = workspace.find().repository
    measured = {
        "COVERAGE_PROCESS_START": str(repository / "pyproject.toml"),
        "COVERAGE_FILE": str(repository / ".coverage"),
    }
    return _pytest(c, "integration", "tests/integration -n 2 --dist loadfile ", report, match,
                   {} if match else measured)  # fmt: skip


def _lab_coverage(c: Context) -> Result:
    python = shlex.quote(sys.executable)
    combined = _run(c, f"{python} -m coverage combine --append --quiet")
    reported = _run(
        c,
        f"{python} -m coverage report --include='lab/*' --skip-covered --fail-under={LAB_PERCENT}",
    )
    return Result("coverage of lab", combined or reported, 0, 0)


def _pytest(
    c: Context,
    name: str,
    arguments: str,
    report: Path,
    match: str,
    environment: dict[str, str] | None = None,
) -> Result:
    file = report / f"{name}.xml"
    chosen = f" -k {shlex.quote(match)}" if match else ""
    code = _run(
        c,
        f"{shlex.quote(sys.executable)} -m pytest {arguments.strip()} "
        f"--junitxml={shlex.quote(str(file))}{chosen}",
        environment,
    )
    passed, failed = _junit(file)
    # 5 = no test matched: not a fault of the suite that the expression wasn't meant for.
    return Result(name, 0 if code == 5 and match else code, passed, failed)


def _junit(file: Path) -> tuple[int, int]:
    """Passed and failed tests of a JUnit report; a suite that didn't run failed once."""
    if not file.exists():
        return 0, 1
    text = file.read_text()
    found = re.search(r"<testsuite [^>]*>", text)
    counts = dict(re.findall(r'(\w+)="(\d+)"', found[0])) if found else {}
    failed = int(counts.get("errors", 0)) + int(counts.get("failures", 0))
    return int(counts.get("tests", 0)) - failed - int(counts.get("skipped", 0)), failed


def _count(output: str, word: str) -> int:
    """``# pass 12`` of Node's test runner."""
    found = re.findall(rf"^\S* ?{word} (\d+)\s*$", output, re.MULTILINE)
    return int(found[-1]) if found else 0


def _tell(results: Sequence[Result]) -> None:
    """One line a suite, then the closing line with the true numbers."""
    console = make_console()
    for result in results:
        state = "ok" if result.code == 0 else f"failed (exit code {result.code})"
        console.print(Text(f"{result.name}: {state}"))
    passed = sum(result.passed for result in results)
    # What failed without a failed test of its own (coverage, a runner that died) counts as one.
    failed = sum(max(result.failed, int(result.code != 0)) for result in results)
    console.print(Text(f"{passed} passed, {failed} failed"))
    if failed:
        names = ", ".join(result.name for result in results if result.code or result.failed)
        raise OperatorError(f"not well: {names}; see above", ExitCode.DIFFERENCE)


def _functions(c: Context) -> Path:
    """The Node.js project, with the packages of its lock file installed."""
    directory = workspace.find().repository / "lambda_src" / "api"
    installed = directory / "node_modules" / ".package-lock.json"
    wanted = directory / "package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < wanted.stat().st_mtime:
        command = f"npm ci --no-audit --no-fund --prefix {shlex.quote(str(directory))}"
        if _run(c, command) != 0:
            raise OperatorError(
                "npm couldn't install the functions' packages: check the network, then run again",
                ExitCode.ENVIRONMENT,
            )
    return directory


def _run(c: Context, command: str, environment: dict[str, str] | None = None) -> int:
    answer = c.run(command, warn=True, in_stream=False, env=environment or {}, echo=True)
    return answer.exited if answer is not None else 1


def _captured(c: Context, command: str) -> tuple[int, str]:
    answer = c.run(command, warn=True, in_stream=False, echo=True)
    return (answer.exited, answer.stdout) if answer is not None else (1, "")
