"""``./inv bench scenarios``: the integration tests that take a minute or more each.

A sample of their kind is in ``./inv test``; here all of them run, each file in order.
"""

from __future__ import annotations

import subprocess
import sys

from deployed_lab import REPOSITORY

sys.exit(
    subprocess.run(
        [sys.executable, "-m", "pytest", "tests/integration", "-m", "long", "--durations=0"],
        cwd=REPOSITORY,
        check=False,
    ).returncode
)
