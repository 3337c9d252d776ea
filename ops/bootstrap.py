"""Makes ``.venv`` from ``requirements.txt`` when that file changed, then becomes ``ops.program``.

Runs before anything is installed, so it needs the standard library alone. A stamp inside the
environment says for which requirements, at which place, it was completed; it is written last, so
an interrupted installation is taken up again. A lock lets one of two starts install and the other
wait; the lock ends with its process.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import subprocess
import sys
import time
import venv
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

ENVIRONMENT_FAULT = 3
"""Exit code of everything that this machine lacks (Python, network, disk)."""

_NO_DISK = re.compile(r"No space left on device|Disk quota exceeded")
_NO_NETWORK = re.compile(
    r"name resolution|Name or service not known|nodename nor servname|NewConnectionError|"
    r"Network is unreachable|Connection refused|ConnectionError|ConnectTimeout|ProxyError|"
    r"Read timed out|Could not fetch URL|No route to host"
)
_TICK_SECONDS = 10.0
"""How often a line is printed where no terminal shows the running one."""


class BootstrapError(Exception):
    """One line: what the machine lacks, and what to do."""


def main(root: Path, arguments: list[str]) -> int:
    """Completes the environment and becomes ``ops.program``; returns only on a fault."""
    try:
        ensure(root)
    except BootstrapError as error:
        print(f"./inv: {error}", file=sys.stderr)
        return ENVIRONMENT_FAULT
    except KeyboardInterrupt:
        print("./inv: interrupted; the next ./inv goes on with the installation", file=sys.stderr)
        return 130
    os.chdir(root)
    python = str(root / ".venv/bin/python")
    os.execv(python, [python, "-m", "ops.program", *arguments])  # noqa: S606
    raise AssertionError("execv returned")


def ensure(root: Path) -> None:
    """Makes or completes ``root/.venv``; does nothing when its stamp is the one wanted."""
    environment = root / ".venv"
    wanted = stamp_of(root)
    if complete(environment, wanted):
        return
    try:
        with _one_installer(root):
            if not complete(environment, wanted):  # else another start did it while this waited
                install(root, environment, wanted)
    except OSError as error:
        if _NO_DISK.search(str(error)):
            raise BootstrapError(_no_disk(environment)) from None
        raise BootstrapError(f"can't write {environment}: {error}") from None


def stamp_of(root: Path) -> str:
    """What a complete environment is complete for: the requirements' hash, and the place."""
    digest = hashlib.sha256((root / "requirements.txt").read_bytes()).hexdigest()
    return f"{digest} {root}"


def read_stamp(environment: Path) -> str:
    """The stamp of a complete environment; empty when there is none."""
    try:
        return (environment / ".complete").read_text()
    except OSError:
        return ""


def complete(environment: Path, wanted: str) -> bool:
    """Whether the stamp is the one wanted and the interpreter it was made with is still there."""
    return read_stamp(environment) == wanted and (environment / "bin/python").exists()


def install(root: Path, environment: Path, wanted: str) -> None:
    """Makes the environment, unless a usable one is there, completes its packages, stamps it."""
    (environment / ".complete").unlink(missing_ok=True)
    started = time.monotonic()
    if not _usable(environment):
        _say(f"making {environment.name} with Python {sys.version.split()[0]}")
        venv.EnvBuilder(with_pip=True, clear=True, symlinks=True).create(environment)
    requirements = root / "requirements.txt"
    total = sum(1 for line in requirements.read_text().splitlines() if line.strip())
    _say(f"installing {total} packages from requirements.txt (about a minute, once)")
    _pip(environment, requirements, total)
    _make_importable(root, environment)
    (environment / ".complete").write_text(wanted)
    _say(f"ready after {time.monotonic() - started:.0f} s")


def explain(output: str, environment: Path) -> str:
    """One line for a failed pip: no disk, no network, or pip's own last error."""
    if _NO_DISK.search(output):
        return _no_disk(environment)
    if _NO_NETWORK.search(output):
        return (
            "the package index can't be reached: check the network, or PIP_INDEX_URL and "
            "HTTPS_PROXY, then run ./inv again"
        )
    errors = [line for line in output.splitlines() if line.startswith("ERROR:")]
    last = (errors or output.strip().splitlines() or ["no output"])[-1]
    return f"pip failed: {last.removeprefix('ERROR:').strip()}; then run ./inv again"


def progress(lines: Iterable[str], total: int, terminal: bool) -> Iterator[str]:
    """Turns pip's output into what a person sees: a running line, or one every few seconds."""
    found = 0
    last = time.monotonic()
    for line in lines:
        if match := re.match(r"\s*(Collecting|Requirement already satisfied:) ([\w.-]+)", line):
            found += 1
            now = f"{min(found, total)} of {total}: {match[2]}"
        elif line.startswith("Installing collected packages"):
            now = f"unpacking {line.count(',') + 1} packages"
        else:
            continue
        if terminal:
            yield f"\r\033[K  {now}"
        elif time.monotonic() - last >= _TICK_SECONDS or now.startswith("unpacking"):
            last = time.monotonic()
            yield f"  {now}\n"
    if terminal:
        yield "\r\033[K"


def _pip(environment: Path, requirements: Path, total: int) -> None:
    command = [
        str(environment / "bin/python"), "-m", "pip", "install", "--no-input",
        "--disable-pip-version-check", "--progress-bar", "off", "--retries", "2",
        "--timeout", "20", "-r", str(requirements),
    ]  # fmt: skip
    kept: list[str] = []
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors="replace",
    ) as process:  # fmt: skip
        assert process.stdout is not None  # noqa: S101 - asked for above
        for text in progress(_kept(process.stdout, kept), total, sys.stderr.isatty()):
            sys.stderr.write(text)
            sys.stderr.flush()
    if process.returncode:
        raise BootstrapError(explain("".join(kept), environment))


def _kept(lines: Iterable[str], into: list[str]) -> Iterator[str]:
    for line in lines:
        into.append(line)
        yield line


def _make_importable(root: Path, environment: Path) -> None:
    """The repository's packages, editable: what ``pip install -e .`` does, without a build."""
    for packages in environment.glob("lib/python3*/site-packages"):
        (packages / "warm_standby.pth").write_text(f"{root}\n")


def _usable(environment: Path) -> bool:
    """An environment of this place that was left half-way, and whose pip works."""
    try:
        configured = (environment / "pyvenv.cfg").read_text()
        pip = [str(environment / "bin/python"), "-m", "pip", "--version"]
        answer = subprocess.run(pip, capture_output=True, check=False)
    except OSError:
        return False
    moved = "command = " in configured and not re.search(
        rf"^command = .* {re.escape(str(environment))}$", configured, re.MULTILINE
    )
    return answer.returncode == 0 and not moved


def _no_disk(environment: Path) -> str:
    return f"no space left for {environment} (it takes about 900 MB): free some, then run again"


@contextmanager
def _one_installer(root: Path) -> Iterator[None]:
    with (root / ".inv.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("waiting for another ./inv that is installing")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _say(text: str) -> None:
    print(f"./inv: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":  # pragma: no cover - the line that ./inv runs
    sys.exit(main(Path(__file__).resolve().parent.parent, sys.argv[1:]))
