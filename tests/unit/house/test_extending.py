"""The guides of docs/extending.md, performed as a newcomer would perform them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from house_graph import ROOT, repository_files

GUIDE = ROOT / "docs" / "extending.md"


@dataclass(frozen=True)
class Step:
    """One block of a guide: a file that is new, or lines that are added to one."""

    file: str
    body: str
    new: bool

    def perform(self, root: Path) -> None:
        """Does it in a working copy; raises where its lines don't stand there once."""
        path = root / self.file
        if self.new:
            assert not path.exists(), f"{self.file} is there already"
            path.write_text(self.body)
            return
        lines = self.body.splitlines(keepends=True)
        old = "".join(line[1:] for line in lines if line.startswith(" "))
        text = path.read_text()
        assert text.count(old) == 1, f"{self.file} has no such lines once:\n{old}"
        path.write_text(text.replace(old, "".join(line[1:] for line in lines)))


def steps(section: str) -> list[Step]:
    """The blocks of one section, in their order."""
    text = GUIDE.read_text().partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    found = re.findall(r"^```(python|diff)\n# (\S+)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [Step(file, body, kind == "python") for kind, file, body in found]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A working copy, as a clone has it."""
    root = tmp_path_factory.mktemp("clone")
    for file in repository_files():
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / file, root / file)
    yield root
    shutil.rmtree(root)


def run(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """pytest in the working copy, and nothing of this one."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", *arguments],
        cwd=root,
        env={
            **os.environ,
            "PYTHONPATH": str(root),
            "PYTEST_ADDOPTS": "",
            "COVERAGE_PROCESS_START": "",
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_a_type_is_one_file_and_one_test(copy: Path) -> None:
    """Issue 22: by the guide alone the lab's provider gets a type, which lives as all others do."""
    made = steps("A resource type of the lab")
    assert [(Path(step.file).parts[0], step.new) for step in made] == [
        ("lab", True), ("tests", True),
    ]  # fmt: skip
    for step in made:
        step.perform(copy)
    lives = run(
        copy, "tests/unit/lab/provider/test_provider_types.py", "-k",
        "test_every_type_has_a_life or (ecr and (named or unknown)) or (lives and repository)",
    )  # fmt: skip
    assert "4 passed" in lives.stdout, lives.stdout + lives.stderr


@pytest.mark.slow
def test_an_alarm_is_one_entry_and_its_tables(copy: Path) -> None:
    """Issue 22: by the guide alone both regions get an alarm; without its rows the tests refuse."""
    alarms, runbook = "tests/unit/global/test_global_alarms.py", "tests/unit/global/test_runbook.py"
    # Those that read the tables; each deploys the program anew, so no others.
    read = "every_metric or of_each_region or what_silence or how_long or explained"
    entry, *tables = steps("An alarm")
    assert (entry.file, len(tables)) == ("global/alarm_specs.py", 5)
    entry.perform(copy)
    alone = run(copy, runbook)
    assert alone.returncode == 1, alone.stdout + alone.stderr
    for step in tables:
        step.perform(copy)
    complete = run(copy, alarms, runbook, "-k", read)
    assert complete.returncode == 0, complete.stdout + complete.stderr
    assert "rds-deadlocks" in (copy / "docs/runbook.md").read_text()


def test_a_guide_that_does_not_fit_fails(tmp_path: Path) -> None:
    """Lines that have changed, or a file that is there, are found and not passed over."""
    (tmp_path / "a.py").write_text("one\ntwo\n")
    Step("a.py", " one\n+between\n", new=False).perform(tmp_path)
    assert (tmp_path / "a.py").read_text() == "one\nbetween\ntwo\n"
    for step in (Step("a.py", " three\n+four\n", new=False), Step("a.py", "x", new=True)):
        with pytest.raises(AssertionError, match=r"a\.py"):
            step.perform(tmp_path)
