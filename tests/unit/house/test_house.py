"""The house of docs/architecture.md: floors, no circles, small files, nothing written twice."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from equal_lines import twins
from house_graph import (
    FLOORS,
    ROOT,
    circles,
    dynamic_imports,
    files_by_ignored_names,
    floor_of,
    imports,
    program_files,
    repository_files,
    source_of,
)

LONGEST_FILE = 450
LONGEST_CLASS = 300
EQUAL_LINES = 6

ALIKE: dict[tuple[str, str], str] = {
    ("lab/engine/custom.py", "lab/engine/steps.py"): (
        "Diff and Update are asked in the same words of Pulumi's provider protocol"
    ),
}
"""Pairs of files that share lines, and the reason why one piece can't serve both."""

NAMED_AT_RUN_TIME: dict[str, str] = {
    "lab/emulator/bootstrap.py": "the handler of a function is named by its configuration",
    "lab/provider/registry.py": "each module of ``types`` is a service: a new one needs no list",
}
"""Files that import by a name found at run time, and why."""


def test_no_file_imports_from_a_higher_floor():
    """A lower floor knows nothing of a higher one, type-checking imports included."""
    upward = [
        f"{found} ({FLOORS[floor_of(found.source)][0]} -> {FLOORS[floor_of(found.target)][0]})"
        for found in imports()
        if floor_of(found.target) > floor_of(found.source)
    ]
    assert not upward, "\n".join(upward)


@pytest.mark.skipif(shutil.which("git") is None, reason="no git on PATH to compare with")
def test_the_files_are_found_without_git_as_well():
    """A machine without Git runs these tests too: the names in .gitignore are enough."""
    assert files_by_ignored_names() == repository_files()


def test_every_program_file_has_its_floor():
    """A new folder is given its place before it is built on."""
    for file in program_files(".py"):
        if file.parts[0] != ".github":
            assert floor_of(file) >= 0


def test_no_files_import_each_other_in_a_circle():
    """What a file needs can be read to the end before the file itself."""
    edges: dict[str, set[str]] = {}
    for found in imports():
        edges.setdefault(str(found.source), set()).add(str(found.target))
    assert circles(edges) == []


def test_no_rooms_import_each_other_in_a_circle():
    """Of two folders at most one knows the other."""
    edges: dict[str, set[str]] = {}
    for found in imports():
        source, target = str(found.source.parent), str(found.target.parent)
        if source != target and not _within(source, target):
            edges.setdefault(source, set()).add(target)
    assert circles(edges) == []


def test_the_console_imports_nothing_that_deploys():
    """Issue 21: nor does anything that it imports; a drill or failover is a process of its own."""
    edges: dict[str, set[str]] = {}
    for found in imports():
        edges.setdefault(str(found.source), set()).add(str(found.target))
    seen: set[str] = set()
    left = [name for name in edges if name.startswith("ops/console/")]
    while left:
        name = left.pop()
        if name not in seen:
            seen.add(name)
            left += edges.get(name, ())
    assert "ops/cloud/regions.py" in seen
    assert not {"ops/deploy/driver.py", "ops/session.py"} & seen


def _within(one: str, two: str) -> bool:
    """A folder and its own subfolder: files beside ``__main__`` may lead and be led."""
    return Path(one).is_relative_to(two) or Path(two).is_relative_to(one)


def test_imports_are_written_out():
    """An import whose name is made at run time is invisible to reader and checker alike."""
    found = [
        place for place in dynamic_imports() if place.partition(":")[0] not in NAMED_AT_RUN_TIME
    ]
    assert not found


def test_no_program_file_is_long():
    """A file is read in one sitting."""
    long = {
        str(file): length
        for file in program_files(".py", ".mjs", ".cjs")
        if (length := len((ROOT / file).read_text().splitlines())) > LONGEST_FILE
    }
    assert not long


def test_no_class_is_long():
    """A class has one task."""
    long = {
        f"{file}:{name}": length
        for file in program_files(".py")
        for name, length in source_of(file).classes
        if length > LONGEST_CLASS
    }
    assert not long


def test_no_two_program_files_share_a_run_of_lines():
    """The same logic stands in one place; what must stay twice is listed with its reason."""
    found = [
        twin
        for twin in twins(program_files(".py", ".mjs", ".cjs"), EQUAL_LINES)
        if (str(twin.first), str(twin.second)) not in ALIKE
    ]
    assert not found, "\n\n".join(map(str, found))


@pytest.mark.parametrize("pair", ALIKE, ids=str)
def test_a_listed_pair_is_still_alike(pair):
    """The list of reasons shrinks with the code."""
    shared = {
        (str(twin.first), str(twin.second)) for twin in twins([*map(Path, pair)], EQUAL_LINES)
    }
    assert pair in shared


@pytest.mark.parametrize(
    ("edges", "expected"),
    [
        ({"a": {"b"}, "b": {"c"}}, []),
        ({"a": {"b"}, "b": {"a"}, "c": {"a"}}, [{"a", "b"}]),
        (
            {"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": {"e"}, "e": {"d"}},
            [{"d", "e"}, {"a", "b", "c"}],
        ),
    ],
)
def test_a_circle_is_found(edges, expected):
    """The measure itself finds circles of two and of three, and none in a line."""
    assert circles(edges) == expected
