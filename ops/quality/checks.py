"""What ``lint`` and ``test`` run: the same commands for a person and for a pipeline."""

from __future__ import annotations

import re
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
from invoke.context import Context
from invoke.runners import Local

from ops import node, workspace
from ops.bootstrap import CHECK
from ops.errors import ExitCode, OperatorError
from ops.printing import make_console
from ops.quality.pins import require
from tapstack import node_packages

COMPLETE = (
    "network", "data", "app", "global", "tapstack", "pulumi_protocol", "lambda_src/recovery", "ops",
    "tasks.py",
)  # fmt: skip
"""Covered whole by unit tests, lines and branches (R9.5)."""

LAB_PERCENT = 95
"""Least coverage of ``lab``, lines and branches, by its unit tests alone (R9.5 counts integration
tests as well; measuring them doubles the time of every deployment)."""

PROSE = ("tests/unit/house/test_words.py", "tests/unit/house/test_named_paths.py")
"""The tests that read prose: its words, and whether what it names exists."""

SLOW = "tests/slow.txt"
"""Names the unit tests that ``--quick`` leaves out, one a line; ``./inv bench quick`` writes it."""

SECOND_TRIES = 20
"""At most so many failed tests are run again; more of them aren't a busy machine's doing."""

SLOWEST = "--durations=20 --durations-min=0.5"
"""pytest's own list of the slowest tests, so that a slow one is seen when it comes."""


class Interruptible(Local):
    """Ends the run at Ctrl-C: invoke's own runner passes it on and then starts the next command."""

    _interrupt: KeyboardInterrupt | None = None

    def send_interrupt(self, interrupt: KeyboardInterrupt) -> None:
        """Passes Ctrl-C on to the command, and remembers it."""
        super().send_interrupt(interrupt)
        self._interrupt = interrupt

    def kill(self) -> None:
        """Ends the command and all that it has started: npm's own end leaves its tests running."""
        with suppress(psutil.Error):
            for child in psutil.Process(self.process.pid).children(recursive=True):
                with suppress(psutil.Error):
                    child.kill()
        super().kill()

    def generate_result(self, **kwargs: Any) -> Any:
        """Returns what the command answered; raises KeyboardInterrupt when it was interrupted."""
        if self._interrupt is not None:
            raise self._interrupt
        return super().generate_result(**kwargs)


@dataclass(frozen=True)
class Result:
    """One suite: its exit code and how many of its tests passed and failed."""

    name: str
    code: int
    passed: int
    failed: int
    alone: int = 0
    """Of those that passed, how many failed beside the others first."""


def lint(c: Context) -> None:
    """Every checker runs, also after one found something."""
    require(workspace.find().repository, CHECK)
    c.config.runners.local = Interruptible
    npm = node.npm()
    python = shlex.quote(sys.executable)
    commands = [
        f"{python} -m ruff check .",
        f"{python} -m ruff format --check .",
        f"{python} -m basedpyright",
        f"{python} -m codespell_lib",
        f"{python} -m pytest {' '.join(PROSE)}",
        f"{npm} run --silent lint --prefix {shlex.quote(str(_functions()))}",
    ]
    failed = [command for command in commands if _run(c, command) != 0]
    if failed:
        raise OperatorError(f"found by: {'; '.join(failed)}", ExitCode.DIFFERENCE)


def test(c: Context, *, unit: bool, integration: bool, match: str, quick: bool = False) -> None:
    """Unit tests with the functions' own beside them, then the lab's integration tests.

    ``quick`` runs the unit tests that ``tests/slow.txt`` doesn't name, and the functions' own,
    without coverage, and says what it left out. Raises OperatorError (5) when something failed,
    KeyboardInterrupt after Ctrl-C.
    """
    require(workspace.find().repository, CHECK)
    node.ensure()
    c.config.runners.local = Interruptible
    both = unit == integration
    whole = both and not match and not quick
    started = time.monotonic()
    if whole or quick:
        _announce(quick)
    results: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="warm-standby-") as directory:
        report = Path(directory)
        first = _quick if quick else _unit
        if quick or ((unit or both) and not match):
            with _functions_beside(c, "run quick" if quick else "test") as functions:
                results += [first(c, report, match), functions()]
        elif unit or both:
            results.append(first(c, report, match))
        if not quick and (integration or both):
            results.append(_integration(c, report, match))
    if whole or quick:
        _remember(quick, time.monotonic() - started)
    if quick:
        _say(f"left out: {_left_out()}")
    _report(results)


def _announce(quick: bool) -> None:
    """Says how long it takes, by the last run on this machine."""
    try:
        seconds = float(_clock_file(quick).read_text())
    except (OSError, ValueError):
        return _say("the first run here: how long it takes is remembered for the next")
    return _say(f"the last run took {seconds // 60:.0f} min {seconds % 60:.0f} s")


def _remember(quick: bool, seconds: float) -> None:
    file = _clock_file(quick)
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"{seconds:.0f}")
    _say(f"took {seconds // 60:.0f} min {seconds % 60:.0f} s")


def _clock_file(quick: bool) -> Path:
    name = "quick-seconds" if quick else "all-seconds"
    return workspace.find().repository / ".pytest_cache" / name


def _say(text: str) -> None:
    make_console().print(text)


def _quick(c: Context, report: Path, match: str) -> Result:
    chosen = "-m 'not slow and not long'"
    return _pytest(c, "quick", f"tests/unit -n 2 {chosen} {SLOWEST}", report, match)


def _left_out() -> str:
    """What the quick tests don't run, and what does."""
    table = (workspace.find().repository / SLOW).read_text().splitlines()
    slow = len([line for line in table if not line.startswith("#")])
    return (
        f"{slow} unit tests that take a processor long, all of them named in {SLOW}; coverage; "
        "every integration test. ./inv test runs everything"
    )


def _unit(c: Context, report: Path, match: str) -> Result:
    sources = " ".join(f"--cov={name.removesuffix('.py')}" for name in (*COMPLETE, "lab"))
    if match:
        return _pytest(c, "unit", f"tests/unit -n 2 {SLOWEST}", report, match)
    _coverage_file().parent.mkdir(exist_ok=True)
    for file in _coverage_files():
        file.unlink()
    measured = f"{sources} --cov-branch --cov-report= "
    result = _pytest(c, "unit", f"tests/unit -n 2 {SLOWEST} {measured}", report, match)
    if unread := len([file for file in _coverage_files() if file != _coverage_file()]):
        _say(
            f"coverage: what {unread} killed or late processes ran can't be read and doesn't count"
        )
    complete = ",".join(f"{name}/*" if not name.endswith(".py") else name for name in COMPLETE)
    covered = _covered(c, complete, 100, "--show-missing") or _covered(c, "lab/*", LAB_PERCENT)
    return replace(result, code=result.code or covered)


def _coverage_file() -> Path:
    """Where coverage.py keeps what it measured; each process first writes a file beside it."""
    return workspace.find().repository / "coverage" / "measured"


def _coverage_files() -> list[Path]:
    """The file and what lies beside it. What one process couldn't write whole would be found, and
    complained of, by every later run."""
    return sorted(_coverage_file().parent.glob(f"{_coverage_file().name}*"))


def _covered(c: Context, files: str, percent: int, *options: str) -> int:
    """Holds the measured coverage of some files against its line; 0 when it is reached."""
    words = [sys.executable, "-m", "coverage", "report", f"--include={files}", "--skip-covered"]
    return _run(c, shlex.join([*words, *options, f"--fail-under={percent}"]))


@contextmanager
def _functions_beside(c: Context, script: str) -> Iterator[Callable[[], Result]]:
    """Runs the functions' own tests, which mostly wait, beside what the block does; the block calls
    what it gets for their result. ``run quick`` is the script without coverage."""
    command = f"{node.npm()} {script} --silent --prefix {shlex.quote(str(_functions()))}"
    _say(f"beside the others: {command}")
    running: Any = c.run(command, warn=True, in_stream=False, asynchronous=True)

    def result() -> Result:
        answer = running.join()
        sys.stdout.write(f"{answer.stdout}{answer.stderr}")
        sys.stdout.flush()
        first = _functions_result(answer.exited, answer.stdout)
        if first.code == 0 or not first.failed:
            return first
        # Some measure milliseconds.
        _say(f"functions: {first.failed} failed beside the others; once more, alone:")
        second = _functions_result(*_captured(c, command))
        return second if second.code else replace(second, alone=first.failed)

    try:
        yield result
    except BaseException:
        running.runner.kill()
        raise


def _functions_result(code: int, output: str) -> Result:
    return Result("functions", code, _count(output, "pass"), _count(output, "fail"))


def _integration(c: Context, report: Path, match: str) -> Result:
    # In the order of LONGEST_FIRST (its conftest): pytest-xdist's own begins files with few tests
    # last, and those take minutes. Three at a time, as they wait for a region's clock and checks.
    arguments = f"tests/integration -n 3 --dist loadfile --no-loadscope-reorder {SLOWEST}"
    return _pytest(c, "integration", arguments, report, match)


def _pytest(c: Context, name: str, arguments: str, report: Path, match: str) -> Result:
    chosen = f" -k {shlex.quote(match)}" if match else ""
    # A memory of its own: what --last-failed runs is what failed just now.
    memory = f"-o cache_dir={shlex.quote(str(report / f'{name}-failed'))}"
    first = _one_pytest(c, name, f"{arguments.strip()}{chosen} {memory}", report)
    if first.code == 5 and match:
        # No test matched: not a fault of the suite that the expression wasn't meant for.
        return replace(first, code=0)
    if first.code != 1 or match or name == "quick" or not 0 < first.failed <= SECOND_TRIES:
        return first
    return _second_try(c, first, f"tests/{name} -n 0 --last-failed {memory}", report)


def _second_try(c: Context, first: Result, arguments: str, report: Path) -> Result:
    """Runs what failed once more, alone; a run counts by it, and says so.

    Tests with servers, processes and two workers on a busy machine can be late; a fault of the
    code fails alone as well. CPython's own runner does so (``python -m test --rerun``).
    """
    _say(f"{first.name}: {first.failed} failed beside the others; once more, alone:")
    second = _one_pytest(c, f"{first.name}-alone", arguments, report)
    if second.code != 0 or second.passed != first.failed:
        return first
    passed = first.passed + second.passed
    return Result(first.name, 0, passed, 0, alone=second.passed)


def _one_pytest(c: Context, name: str, arguments: str, report: Path) -> Result:
    file = report / f"{name}.xml"
    code = _run(
        c,
        f"{shlex.quote(sys.executable)} -m pytest {arguments} --junitxml={shlex.quote(str(file))}",
    )
    return Result(name, code, *_junit(file))


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


def _report(results: Sequence[Result]) -> None:
    """One line a suite, then the closing line with the true numbers."""
    console = make_console()
    for result in results:
        state = "ok" if result.code == 0 else f"failed (exit code {result.code})"
        if result.alone:
            state += f"; {result.alone} failed beside the others and passed alone, see above"
        console.print(f"{result.name}: {state}")
    passed = sum(result.passed for result in results)
    # What failed without a failed test of its own (coverage, a runner that died) counts as one.
    failed = sum(max(result.failed, int(result.code != 0)) for result in results)
    console.print(f"{passed} passed, {failed} failed")
    if failed:
        names = ", ".join(result.name for result in results if result.code or result.failed)
        raise OperatorError(f"failed: {names}; see above", ExitCode.DIFFERENCE)


def _functions() -> Path:
    """The Node.js project, with the packages of its lock file installed."""
    directory = workspace.find().repository / "lambda_src" / "api"
    if not node_packages.complete(directory):
        _say("installing the functions' packages (some seconds, once)")
        node.install(directory)
    return directory


def _run(c: Context, command: str) -> int:
    environment = {"COVERAGE_FILE": str(_coverage_file())}
    answer = c.run(command, warn=True, in_stream=False, echo=True, env=environment)
    return answer.exited if answer is not None else 1


def _captured(c: Context, command: str) -> tuple[int, str]:
    answer = c.run(command, warn=True, in_stream=False, echo=True)
    return (answer.exited, answer.stdout) if answer is not None else (1, "")
