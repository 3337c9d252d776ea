"""One operation at a time on one stack."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pulumi_protocol.events import EngineError
from pulumi_protocol.lock import locked


def test_a_lock_names_its_holder_and_dies_with_it(tmp_path: Path) -> None:
    """A second operation is refused in one line with the holder's process id; the lock of a
    process that was killed is no obstacle."""
    path = tmp_path / "shop" / "lab.lock"
    script = (
        "import sys, pathlib; from pulumi_protocol.lock import locked\n"
        "with locked(pathlib.Path(sys.argv[1]), 'x'): print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert holder.stdout and holder.stdin
    holder.stdout.readline()
    with (
        pytest.raises(EngineError, match=f"shop: another operation .*process {holder.pid}"),
        locked(path, "shop"),
    ):
        pytest.fail("two hold the lock")
    holder.kill()
    holder.wait()
    with locked(path, "shop"):
        assert path.read_text().strip() == str(os.getpid())
    holder.stdin.close()
    holder.stdout.close()
