"""The writer's operations of a recorded drill, judged by porcupine: a checker that isn't ours.

The program in ``tests/linearizability`` reads a history in its published form. The fixture is a
real drill's, a lost region at clock 1, thinned to every sixth record; each violation is a line of
it, changed.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
SOURCE = REPOSITORY / "tests" / "linearizability"
HISTORY = SOURCE / "histories" / "region-loss.jsonl"
BUILD_SECONDS = 300

Line = dict[str, Any]


@pytest.fixture(scope="module")
def checker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checker, built from the module that go.sum pins."""
    go = shutil.which("go")
    if go is None:
        pytest.skip("Go's toolchain isn't installed: porcupine is a module of Go")
    environment = {**os.environ, "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local"}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [go, *arguments],
            cwd=SOURCE, env=environment, capture_output=True, text=True, timeout=BUILD_SECONDS,
            check=False,
        )  # fmt: skip

    fetched = run("mod", "download")
    if fetched.returncode:
        pytest.skip(f"porcupine can't be fetched here: {fetched.stderr.strip()[-200:]}")
    program = tmp_path_factory.mktemp("porcupine") / "linearizability"
    built = run("build", "-o", str(program), ".")
    assert built.returncode == 0, built.stderr
    return program


def judged(checker: Path, lines: list[Line]) -> list[dict[str, Any]]:
    """What the checker says of each epoch of a history."""
    text = "".join(f"{json.dumps(line)}\n" for line in lines)
    answer = subprocess.run(
        [str(checker)], input=text, capture_output=True, text=True, timeout=60, check=False
    )
    found = [json.loads(line) for line in answer.stdout.splitlines()]
    assert answer.returncode == int(any(not epoch["linearizable"] for epoch in found)), answer
    return found


def recorded() -> list[Line]:
    """The lines of the recorded history."""
    return [json.loads(line) for line in HISTORY.read_text("utf-8").splitlines()]


def first_epoch() -> list[Line]:
    """The same up to the loss, with the rows that us-east-1 held at the end: one epoch."""
    lines = recorded()
    first, second, *_ = (line for line in lines if line["line"] == "seen")
    late = {
        line["number"]
        for line in lines
        if line["line"] == "operation" and line["ended"] >= second["at"]
    }
    kept = [line for line in lines if line["line"] != "seen" and line.get("number") not in late]
    return [first, *kept]


def test_the_writers_operations_of_an_epoch_are_linearizable(checker: Path) -> None:
    """Issue 20.3: what clients were answered is explained by one register a record, in an order
    that real time allows, in each epoch of a real drill."""
    found = judged(checker, recorded())
    assert [epoch["writer"] for epoch in found] == ["us-east-1", "us-west-2", "us-east-1"]
    assert all(epoch["linearizable"] for epoch in found), found
    assert all(epoch["operations"] > 20 for epoch in found[:2])
    (epoch,) = judged(checker, first_epoch())
    assert epoch["linearizable"], epoch
    assert epoch["operations"] > found[0]["operations"], "the rows at the end are read as well"


def written(lines: list[Line]) -> Line:
    """An acknowledged write that the writer's region read back later."""
    back = next(line for line in lines if read_back(line))
    return next(
        line
        for line in lines
        if line.get("kind") == "write"
        and (line["number"], line["outcome"]) == (back["number"], "ok")
    )


def read_back(line: Line) -> bool:
    """Whether a line is a successful read-back in the writer's region."""
    asked = (line.get("kind"), line.get("region"), line.get("outcome"))
    return asked == ("read-back", "us-east-1", "ok")


def _lost(lines: list[Line]) -> Iterator[Line]:
    """One acknowledged record isn't found when it is read back."""
    chosen = next(line for line in lines if read_back(line))
    yield from ({**line, "outcome": "absent"} if line is chosen else line for line in lines)


def _duplicated(lines: list[Line]) -> Iterator[Line]:
    """One write is tried again and answered another id."""
    chosen = written(lines)
    for line in lines:
        yield line
        if line is chosen:
            later = {"began": line["ended"] + 1, "ended": line["ended"] + 2, "attempt": 2}
            yield {**line, **later, "record": "another"}


def _phantom(lines: list[Line]) -> Iterator[Line]:
    """One write was refused, and its record is read back all the same."""
    chosen = written(lines)
    yield from ({**line, "outcome": "refused"} if line is chosen else line for line in lines)


def _too_early(lines: list[Line]) -> Iterator[Line]:
    """One record is read before its write began."""
    chosen = written(lines)
    for line in lines:
        early = {"began": chosen["began"] - 2, "ended": chosen["began"] - 1}
        moved = read_back(line) and line["number"] == chosen["number"]
        yield {**line, **early} if moved else line


def _gone_at_the_end(lines: list[Line]) -> Iterator[Line]:
    """One acknowledged row isn't among those that the writer's region holds at the end."""
    number = written(lines)["number"]
    yield from (
        line
        for line in lines
        if (line["line"], line.get("region"), line.get("number")) != ("found", "us-east-1", number)
    )


@pytest.mark.parametrize(
    "violated", [_lost, _duplicated, _phantom, _too_early, _gone_at_the_end],
    ids=lambda one: one.__name__.strip("_"),
)  # fmt: skip
def test_exactly_one_violation_is_found_and_named(
    checker: Path, violated: Callable[[list[Line]], Iterator[Line]]
) -> None:
    """Issue 20, the checker can fail: one record's operations that no order explains."""
    lines = first_epoch()
    (epoch,) = judged(checker, list(violated(lines)))
    assert epoch["illegal"] == [written(lines)["number"]]


def test_a_write_without_an_answer_may_have_happened_or_not(checker: Path) -> None:
    """It explains a record that is read later, and one that never is; not one that comes and
    goes."""
    common = {"line": "operation", "number": 1, "region": "us-east-1", "record": "r"}
    write = {**common, "kind": "write", "began": 1.0, "ended": 2.0, "outcome": "unknown"}
    found = {**common, "kind": "read-back", "began": 3.0, "ended": 4.0, "outcome": "ok"}
    gone = {**found, "began": 5.0, "ended": 6.0, "outcome": "absent"}
    writer = {"line": "seen", "at": 0.0, "source": "writer", "what": "us-east-1"}
    for reads, right in (([found], True), ([gone], True), ([gone, found], False)):
        (epoch,) = judged(checker, [writer, write, *reads])
        assert epoch["linearizable"] is right, reads


def test_a_file_that_is_no_history_is_one_line(checker: Path) -> None:
    """Bad input: exit code 2, and nothing is judged."""
    for text, line in (("", "no history"), ("{", "line 1 is no JSON")):
        answer = subprocess.run(
            [str(checker)], input=text, capture_output=True, text=True, timeout=60, check=False
        )
        assert (answer.returncode, answer.stdout) == (2, "")
        assert answer.stderr.startswith(line)
