"""The guides of docs/extending.md, performed as a newcomer would perform them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from house_graph import ROOT, repository_files

GUIDE = ROOT / "docs" / "extending.md"
RUNBOOK = "docs/runbook.md"


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
        path.unlink()  # a copy's file may be a link to the original's content
        path.write_text(text.replace(old, "".join(line[1:] for line in lines)))


def steps(section: str) -> list[Step]:
    """The blocks of one section, in their order."""
    text = GUIDE.read_text().partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    found = re.findall(r"^```(python|diff)\n# (\S+)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [Step(file, body, kind == "python") for kind, file, body in found]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working copy, as a clone has it; with what is compiled already, which saves its time."""
    root = tmp_path_factory.mktemp("clone")
    files = repository_files()
    folders = {file.parent for file in files if file.suffix == ".py"}
    compiled = [
        file.relative_to(ROOT)
        for folder in folders
        for file in (ROOT / folder / "__pycache__").glob("*.pyc")
    ]
    for file in [*files, *compiled]:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        linked(ROOT / file, root / file)
    return root


def linked(source: Path, target: Path) -> None:
    """A file of the same content; of its own where the two are on different disks."""
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copy2(source, target)


def run(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """pytest in the working copy, and nothing of this one: its lines count for no coverage."""
    unmeasured = {key: value for key, value in os.environ.items() if not key.startswith("COV")}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
        cwd=root,
        env={**unmeasured, "PYTHONPATH": str(root), "PYTEST_ADDOPTS": ""},
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
    tests = "tests/unit/lab/provider/test_provider_types.py"
    of_it = (
        "test_every_type_has_a_life",
        "test_a_resource_lives_as_it_is_declared[repository]",
        "test_inputs_are_named_as_in_pulumi_aws[aws:ecr/repository:Repository]",
        "test_an_unknown_input_is_refused_by_name[aws:ecr/repository:Repository]",
    )
    lives = run(copy, *(f"{tests}::{name}" for name in of_it))
    assert "4 passed" in lives.stdout, lives.stdout + lives.stderr


@pytest.mark.slow
def test_an_alarm_is_one_entry_and_its_tables(copy: Path) -> None:
    """Issue 22: by the guide alone both regions get an alarm; the tests' tables are exact, so that
    none of its rows could be left out."""
    alarms = "tests/unit/global/test_global_alarms.py"
    # Those that read the tables; each deploys the program anew, so no others.
    read = "every_metric or of_each_region or what_silence or how_long or explained"
    made = steps("An alarm")
    assert [step.file for step in made] == ["global/alarm_specs.py", *[alarms] * 4, RUNBOOK]
    for step in made:
        step.perform(copy)
    complete = run(copy, alarms, "tests/unit/global/test_runbook.py", "-k", read)
    assert complete.returncode == 0, complete.stdout + complete.stderr
    assert "rds-deadlocks" in (copy / RUNBOOK).read_text()


def test_a_guide_that_does_not_fit_fails(tmp_path: Path) -> None:
    """Lines that have changed, or a file that is there, are found and not passed over."""
    (tmp_path / "a.py").write_text("one\ntwo\n")
    Step("a.py", " one\n+between\n", new=False).perform(tmp_path)
    assert (tmp_path / "a.py").read_text() == "one\nbetween\ntwo\n"
    for step in (Step("a.py", " three\n+four\n", new=False), Step("a.py", "x", new=True)):
        with pytest.raises(AssertionError, match=r"a\.py"):
            step.perform(tmp_path)
