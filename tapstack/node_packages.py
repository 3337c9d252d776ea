"""The packages of a Node.js project, exactly as locked, installed by one process at a time.

Deployments bundle the functions, tests run and check them: each needs the packages, ``npm ci``
removes them all first, and so only one way may install them, in one place.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from fasteners import InterProcessLock

from tapstack import node
from tapstack.node import Node, NodeError

LOCK_SECONDS = 600.0
"""Longest wait for another process with the same project, in seconds."""
STEP_SECONDS = 300.0
"""Longest run of npm or esbuild, in seconds."""
CHECK_NETWORK = "check the network, then "

_ONE_THREAD = threading.Lock()
"""File locks exclude processes; this one the threads of a process."""


@contextmanager
def held(project: Path) -> Iterator[None]:
    """Waits until no other process installs or bundles this project; the lock ends with its
    process. Raises NodeError after ``LOCK_SECONDS``."""
    with _ONE_THREAD:
        lock = InterProcessLock(project / ".bundle.lock")
        if not lock.acquire(timeout=LOCK_SECONDS):
            raise NodeError(
                f"another process has bundled {project.name} for {LOCK_SECONDS:.0f} s; "
                "wait for it or stop it, then run again"
            )
        try:
            yield
        finally:
            lock.release()


def complete(project: Path) -> bool:
    """Whether the packages of the lock file are there, put there by ``install``."""
    stamp = _stamp(project)
    return stamp.is_file() and stamp.read_text() == _lock_hash(project)


def install(project: Path, used: Node, hint: str) -> None:
    """Installs the packages of the lock file unless they are there; the caller has it ``held``.

    Raises NodeError, one line with ``hint`` for what to run next.
    """
    if complete(project):
        return
    wanted = _lock_hash(project)
    npm = node.npm(used, os.environ.get("PATH", ""))
    flags = ("--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")
    run([*npm, "ci", *flags], used, project, "npm ci", hint, slow=CHECK_NETWORK)
    _stamp(project).write_text(wanted)


def run(
    command: Sequence[str], used: Node, project: Path, what: str, hint: str, slow: str = ""
) -> None:
    """Runs a command to its end; a failure becomes one line with its first complaint, and with
    the network as its cause where it was. ``slow`` stands before the hint when it took too long.

    Raises NodeError.
    """
    try:
        done = subprocess.run(
            command,
            cwd=project,
            capture_output=True,
            text=True,
            check=False,
            timeout=STEP_SECONDS,
            env={**os.environ, "PATH": used.path(os.environ.get("PATH", ""))},
        )
    except subprocess.TimeoutExpired as error:
        late = f"{what} took more than {STEP_SECONDS:.0f} s; {slow}{hint}"
        raise NodeError(late) from error
    except OSError as error:
        raise NodeError(f"{what} could not start ({error.strerror}); {hint}") from error
    if done.returncode != 0:
        said = done.stderr or done.stdout
        network = CHECK_NETWORK if node.is_network(said) else ""
        complaint = node.complaint(said)
        raise NodeError(f"{what} ended with {done.returncode} ({complaint}); {network}{hint}")


def _stamp(project: Path) -> Path:
    # Inside node_modules: whatever removes the packages removes the statement that they are there.
    return project / "node_modules" / ".lock-sha256"


def _lock_hash(project: Path) -> str:
    return hashlib.sha256((project / "package-lock.json").read_bytes()).hexdigest()
