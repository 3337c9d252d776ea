"""What ``./inv`` alone says."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest

import tasks
from ops import overview, program

ROOT = Path(tasks.__file__).resolve().parent


def named() -> set[str]:
    """Every task as a person types it."""
    names = tasks.namespace.task_names
    return {min((name, *aliases), key=len) for name, aliases in names.items()}


def flat(groups: Iterable[overview.Group]) -> list[str]:
    return [name for group in groups for name in group.tasks]


def test_a_group_names_tasks_that_exist_once_each() -> None:
    """Issue 22: a task that was renamed is found here."""
    listed = flat(overview.GROUPS)
    assert len(set(listed)) == len(listed)
    assert set(listed) <= named()


def test_every_task_has_its_group() -> None:
    """Issue 22: no task of this repository is left for ``Other``."""
    assert named() - set(flat(overview.GROUPS)) == set()


def test_the_page_of_commands_lists_every_task() -> None:
    """Issue 22: docs/commands.md is found short by this, and not by a reader."""
    rows = re.findall(r"^\| (`.*?) \|(.*)", (ROOT / "docs/commands.md").read_text(), re.MULTILINE)
    listed = {name for row in rows for name in re.findall(r"`([a-z][a-z.-]*)`", " ".join(row))}
    assert named() - listed == set()
    assert listed <= named()


@pytest.mark.parametrize("group", overview.GROUPS, ids=lambda group: group.title)
def test_an_example_is_a_command_of_its_group(group: overview.Group) -> None:
    """Issue 22: what is shown can be typed."""
    begin, task, *_ = shlex.split(group.example)
    assert begin == "./inv"
    assert task in group.tasks


@pytest.mark.parametrize("line", [[], ["--help"], ["-h"]])
def test_inv_alone_shows_every_task_once(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], line: list[str]
) -> None:
    """Issue 22: our own words, in groups; without a task and with the flag alike."""
    monkeypatch.chdir(ROOT)
    assert program.main(line) == 0
    out = capfd.readouterr().out
    assert out.startswith(overview.WHAT)
    shown = re.findall(r"^  ([a-z][a-z.-]*)  ", out, re.MULTILINE)
    assert sorted(shown) == sorted(named())


def test_a_task_without_a_group_comes_last() -> None:
    """Issue 22: a new task is shown before somebody has thought of its place."""
    text = overview.text({"up": "Deploy one layer.", "new-task": "Do something."})
    assert text.partition("Other\n")[2].startswith("  new-task  Do something.\n")
    assert "Other" not in overview.text({"up": "Deploy one layer."})
    assert overview.text({}).startswith(overview.WHAT)


def test_the_version_is_the_system_s_own(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Issue 22: not that of a library."""
    monkeypatch.chdir(ROOT)
    assert program.main(["--version"]) == 0
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert capfd.readouterr().out == f"Warm Standby {wanted}\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_asks_the_command_that_is_here(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], shell: str
) -> None:
    """Issue 22: by Tab, for ``./inv``, without anything on PATH."""
    monkeypatch.chdir(ROOT)
    assert program.main(["--print-completion-script", shell]) == 0
    script = capfd.readouterr().out
    assert re.search(r"\./inv .*--complete", script)
    assert not re.search(r"(?<!\./)\binv .*--complete", script)
    assert program.main(["--complete", "--", "./inv"]) == 0
    assert "deploy-all" in capfd.readouterr().out.splitlines()
