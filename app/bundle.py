"""Bundles the Node.js application into a directory that a Lambda function takes as its code.

``npm ci`` runs when package-lock.json changed, esbuild when a source changed, so that a deploy
of unchanged sources starts neither. The same sources give the same bytes: the next deployment
of them changes nothing.
"""

import hashlib
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from fasteners import InterProcessLock

from bundle_hash import bundle_hash, files_below, hash_of
from tapstack import node
from tapstack.errors import TapStackError
from tapstack.node import Node, NodeError

LOCK_SECONDS = 600.0
"""Longest wait for another process that bundles the same sources, in seconds."""
STEP_SECONDS = 300.0
"""Longest run of npm or esbuild, in seconds."""
CHECK_NETWORK = "check the network, then "
SOURCES = ("package.json", "package-lock.json", "build.mjs", "src")
"""What the bundle is made from; tests and linters' settings are not among it."""

_ONE_THREAD = threading.Lock()
"""File locks exclude processes; this one the threads of a process."""


class BundleError(TapStackError):
    """The application could not be bundled; its message is one line."""


def source_hash(source_dir: Path) -> str:
    """SHA-256 (hexadecimal) of everything the bundle is made from."""
    missing = [name for name in SOURCES if not (source_dir / name).exists()]
    if missing:
        raise BundleError(
            f"app: {source_dir.name} has no {', '.join(missing)}: the application's sources are "
            "incomplete; restore them (git checkout) and deploy again"
        )
    files = [file for name in SOURCES for file in files_below(source_dir / name)]
    return hash_of(source_dir, files)


def _run(
    command: Sequence[str], used: Node, directory: Path, what: str, hint: str, slow: str = ""
) -> None:
    """Runs a command to its end; a failure becomes one line with its first complaint, and with
    the network as its cause where it was. ``slow`` stands before the hint when it took too long."""
    failed = f"app: bundling lambda_src/api failed: {what}"
    try:
        done = subprocess.run(
            command,
            cwd=directory,
            capture_output=True,
            text=True,
            check=False,
            timeout=STEP_SECONDS,
            env={**os.environ, "PATH": used.path(os.environ.get("PATH", ""))},
        )
    except subprocess.TimeoutExpired as error:
        raise BundleError(f"{failed} took more than {STEP_SECONDS:.0f} s; {slow}{hint}") from error
    except OSError as error:
        raise BundleError(f"{failed} could not start ({error.strerror}); {hint}") from error
    if done.returncode != 0:
        said = done.stderr or done.stdout
        network = CHECK_NETWORK if node.is_network(said) else ""
        raise BundleError(
            f"{failed} ended with {done.returncode} ({node.complaint(said)}); {network}{hint}"
        )


def _find_node() -> Node:
    try:
        return node.find(os.environ.get("PATH", ""))
    except NodeError as error:
        raise BundleError(f"app: bundling lambda_src/api failed: {error}") from None


def _install(source_dir: Path, used: Node) -> None:
    """Packages exactly as locked, unless those of this lock file are there already."""
    wanted = hashlib.sha256((source_dir / "package-lock.json").read_bytes()).hexdigest()
    # Inside node_modules: whatever removes the packages removes the statement that they are there.
    stamp = source_dir / "node_modules" / ".lock-sha256"
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    try:
        npm = node.npm(used, os.environ.get("PATH", ""))
    except NodeError as error:
        raise BundleError(f"app: bundling lambda_src/api failed: {error}") from None
    _run(
        [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"],
        used,
        source_dir,
        "npm ci",
        "run `./inv up --layer app` again",
        slow=CHECK_NETWORK,
    )
    stamp.write_text(wanted)


def _is_current(stamp: Path, source: str, output_dir: Path) -> bool:
    """Whether the output stands as it was last built, and from these very sources."""
    if not stamp.is_file() or not output_dir.is_dir():
        return False
    try:
        built = json.loads(stamp.read_text())
    except ValueError:
        return False
    return built == {"source": source, "output": bundle_hash(output_dir)}


@contextmanager
def _only_process(source_dir: Path) -> Iterator[None]:
    """Waits until no other process bundles these sources; the lock ends with its process."""
    lock = InterProcessLock(source_dir / ".bundle.lock")
    if not lock.acquire(timeout=LOCK_SECONDS):
        raise BundleError(
            f"app: another process has bundled {source_dir.name} for {LOCK_SECONDS:.0f} s; "
            "wait for it or stop it, then deploy again"
        )
    try:
        yield
    finally:
        lock.release()


def bundle_function(source_dir: Path, output_dir: Path) -> Path:
    """The directory with the bundled application, built when its sources or it itself changed.

    Safe against several processes at once: one builds, the others wait and take its result; an
    interrupted build leaves the last whole bundle in place. Raises BundleError, one line.
    """
    source_dir, output_dir = source_dir.resolve(), output_dir.resolve()
    stamp = output_dir.with_name(f".{output_dir.name}.json")
    building = output_dir.with_name(f".{output_dir.name}.building")
    source = source_hash(source_dir)
    with _ONE_THREAD, _only_process(source_dir):
        if not _is_current(stamp, source, output_dir):
            used = _find_node()
            _install(source_dir, used)
            output_dir.parent.mkdir(parents=True, exist_ok=True)
            _run(
                [used.executable, "build.mjs", str(building)],
                used,
                source_dir,
                "esbuild",
                "run `npm run build` in lambda_src/api for the whole message",
            )
            shutil.rmtree(output_dir, ignore_errors=True)
            building.rename(output_dir)
            built = {"source": source, "output": bundle_hash(output_dir)}
            stamp.write_text(json.dumps(built))
    return output_dir
