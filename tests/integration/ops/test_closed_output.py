"""A deployment whose output can't be written continues to its end, in the real lab."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from deployed_lab import Lab, free_port

from pulumi_protocol.lock import locked

SECONDS = 240


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A lab with nothing deployed."""
    made = Lab(tmp_path, free_port())
    yield made
    made.stop()


def shell(lab: Lab, line: str) -> subprocess.CompletedProcess[str]:
    """Runs a line of bash in the lab's environment; ``$INV`` is ``./inv`` for it."""
    command = " ".join(map(shlex.quote, lab.command()))
    return subprocess.run(
        ["bash", "-c", line.replace("$INV", command)],
        cwd=lab.repository, env=lab.environment, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=SECONDS, check=False,
    )  # fmt: skip


@pytest.mark.long
def test_a_reader_that_goes_away_leaves_a_whole_deployment(lab: Lab) -> None:
    """``./inv up | head -1``: the layer is deployed whole, the lock is free, nothing hangs; and
    reading it back into a closed pipe or a full disk is no traceback either. In every run each
    task is held to that without a lab (``test_program``)."""
    answer = shell(lab, "$INV up --layer network | head -1; echo ${PIPESTATUS[0]}")
    assert answer.stdout.splitlines() == [
        "deploy lab with the embedded engine",
        "0",
    ], answer.stderr
    assert "Traceback" not in answer.stderr
    with locked(lab.state_dir / "locks" / "lab.lock", "this test"):
        pass  # raises while another holds it
    again = shell(lab, "$INV preview --layer network")
    assert "no changes: what is deployed is what the programs say" in again.stdout
    full = shell(lab, "$INV outputs --json > /dev/full")
    assert full.returncode == 1
    assert full.stderr == "standard output can't be written: No space left on device\n"
