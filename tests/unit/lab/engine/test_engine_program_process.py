"""The program's process."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import psutil
import pytest
from stage import operation

from lab.engine.embedded import EmbeddedEngine
from lab.engine.program_process import ProgramProcess
from lab.engine.runner import Runner


@pytest.fixture
def runner() -> Iterator[Runner]:
    """A runner that imports nothing."""
    made = Runner({"PATH": "/usr/bin:/bin"}, ())
    yield made
    made.close()


def started(runner: Runner, folder: Path) -> AbstractContextManager[ProgramProcess]:
    """A program in ``folder``."""
    return ProgramProcess.started(operation(folder), runner, {})


def cwd(pid: int) -> Path:
    """The folder of a process."""
    return Path(psutil.Process(pid).cwd())


def test_a_program_whose_runner_ends_at_its_start_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """N7: a runner that can't run is no endless wait: the program has ended, with code -1."""
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\nexit 7\n")
    script.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(script))
    runner = Runner({"PATH": "/usr/bin:/bin"})
    with started(runner, tmp_path) as made:
        assert made.ended.wait(10)
        made.configure("127.0.0.1:1", 1)
        assert made.exit_code == -1
    runner.close()


def test_a_program_ends_with_its_runner(runner: Runner, tmp_path: Path) -> None:
    """N7: a runner that is killed takes its programs with it, and the next one ends at once."""
    with started(runner, tmp_path) as first:
        assert first._process.running.wait(30)
        runner._process.kill()
        assert first.ended.wait(10)
        with started(runner, tmp_path) as second:
            assert second.ended.wait(10)


def test_a_program_whose_engine_is_gone_at_its_start_ends(runner: Runner, tmp_path: Path) -> None:
    """Standard input that ends without settings: exit code 1, and nothing was run."""
    with started(runner, tmp_path) as made:
        made._process.stdin.close()
        assert made.ended.wait(30)
        assert made.exit_code == 1


def test_programs_of_one_runner_are_processes_of_their_own(runner: Runner, tmp_path: Path) -> None:
    """N7: each has its own folder, environment and session; one that is killed harms no other."""
    with started(runner, tmp_path) as one, started(runner, tmp_path / "..") as other:
        for process in (one, other):
            assert process._process.running.wait(30)
        pids = [process._process.pid or 0 for process in (one, other)]
        for _ in range(100):  # a fork becomes a process of its own by its first steps
            if all(os.getsid(pid) == pid for pid in pids) and cwd(pids[0]) == tmp_path.resolve():
                break
            time.sleep(0.1)
        else:
            pytest.fail("a program shares its runner's session or folder")
        one.kill()
        assert one.exit_code == -signal.SIGKILL
        assert not other.ended.is_set()


def test_an_engine_that_does_nothing_cannot_be_interrupted(tmp_path: Path) -> None:
    """An interrupt between two operations holds for neither."""
    (tmp_path / "Pulumi.yaml").write_text("name: shop\nruntime: python\n")
    (tmp_path / "Pulumi.lab.yaml").write_text("config: {}\n")
    engine = EmbeddedEngine(
        project_dir=tmp_path, stack="lab", state_dir=tmp_path / "state", plugin=["false"]
    )
    engine.interrupt()
    assert engine.refresh(lambda _: None).changed == 0
