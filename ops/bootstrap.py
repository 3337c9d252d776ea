"""Makes ``.venv`` from ``requirements.txt`` when that file changed, then becomes ``ops.program``.

Runs before anything is installed, so it needs the standard library alone. A stamp inside the
environment says for which requirements, at which place, it was completed; it is written last, so
an interrupted installation is taken up again. A lock lets one of two starts install and the other
wait; the lock ends with its process.

``requirements.txt`` has groups, each after a line ``# [name] …``: ``run`` is what every command
needs and ``./inv`` installs; the others (``check``, ``audit``, ``aws``) are installed by the
commands that need them, when they first run.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import queue
import re
import subprocess
import sys
import threading
import time
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ENVIRONMENT_FAULT = 3
"""Exit code of everything that this machine lacks (Python, network, disk)."""

_NO_DISK = re.compile(r"No space left on device|Disk quota exceeded")
_NO_NETWORK = re.compile(
    r"name resolution|Name or service not known|nodename nor servname|NewConnectionError|"
    r"Network is unreachable|Connection refused|ConnectionError|ConnectTimeout|ProxyError|"
    r"Read timed out|Could not fetch URL|No route to host"
)
_NO_WHEEL = re.compile(r"No matching distribution found for (\S+)")
_OTHER_HASH = re.compile(r"DO NOT MATCH THE HASHES.*?^\s+(\S+) from", re.DOTALL | re.MULTILINE)
_TICK_SECONDS = 10.0
"""How often a line is printed where no terminal shows the running one."""
_POLL_SECONDS = 0.5
"""How often the running line is renewed while pip says nothing."""

RUN = "run"
"""The group that every command needs."""
CHECK = "check"
"""What ``lint`` and ``test`` need besides."""
AUDIT = "audit"
"""What ``pins.audit`` needs besides."""
AWS = "aws"
"""What ``lab.aws`` needs besides."""


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
        print("./inv: interrupted; the next ./inv resumes the installation", file=sys.stderr)
        return 130
    os.chdir(root)
    # pip compiled nothing: what is imported is compiled once, and kept, whoever forbade it.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    python = str(root / ".venv/bin/python")
    os.execv(python, [python, "-m", "ops.program", *arguments])  # noqa: S606
    raise AssertionError("execv returned")


def ensure(root: Path, group: str = RUN) -> None:
    """Makes or completes ``root/.venv`` for a group; does nothing when its stamp is the one
    wanted."""
    environment = root / ".venv"
    wanted = stamp_of(root)
    if complete(environment, wanted, group):
        # An environment of an older release is complete, and knows fewer folders.
        _make_importable(root, environment)
        return
    try:
        with _one_installer(root):
            if not complete(environment, wanted, group):  # else another start did it meanwhile
                install(root, environment, wanted, group)
    except OSError as error:
        if _NO_DISK.search(str(error)):
            raise BootstrapError(_no_disk(environment)) from None
        raise BootstrapError(f"can't write {environment}: {error}") from None


def stamp_of(root: Path) -> str:
    """What a complete environment is complete for: the requirements' hash, and the place."""
    digest = hashlib.sha256((root / "requirements.txt").read_bytes()).hexdigest()
    return f"{digest} {root}"


def groups_of(requirements: str) -> dict[str, list[str]]:
    """The pins of each group of ``requirements.txt``, one string each, with its hashes; those
    before the first group's line are ``run``'s."""
    groups: dict[str, list[str]] = {RUN: []}
    current = groups[RUN]
    for line in requirements.replace("\\\n", " ").splitlines():
        if heading := re.match(r"# \[(\w+)\]", line):
            current = groups.setdefault(heading[1], [])
        elif pin := line.partition("#")[0].strip():
            current.append(" ".join(pin.split()))
    return groups


def stamp_file(environment: Path, group: str) -> Path:
    """Where it is written that an environment has all of a group."""
    return environment / (".complete" if group == RUN else f".complete-{group}")


def read_stamp(environment: Path, group: str = RUN) -> str:
    """The stamp of a complete environment; empty when there is none."""
    try:
        return stamp_file(environment, group).read_text()
    except OSError:
        return ""


def complete(environment: Path, wanted: str, group: str = RUN) -> bool:
    """Whether the stamp is the one wanted and the interpreter it was made with is still there."""
    return read_stamp(environment, group) == wanted and (environment / "bin/python").exists()


def install(root: Path, environment: Path, wanted: str, group: str = RUN) -> None:
    """Makes the environment, unless a usable one is there, completes its packages, stamps it."""
    stamp = stamp_file(environment, group)
    stamp.unlink(missing_ok=True)
    started = time.monotonic()
    if not _usable(environment):
        _say(f"making {environment.name} with Python {sys.version.split()[0]}")
        try:
            venv.EnvBuilder(with_pip=True, clear=True, symlinks=True).create(environment)
        except (ImportError, subprocess.CalledProcessError):  # Debian packs ensurepip by itself
            raise BootstrapError(
                f"{sys.executable} can't make an environment with pip: install what it lacks "
                "(Debian and Ubuntu: apt-get install python3-venv), or name another Python: "
                "PYTHON=/path/to/python3.13 ./inv"
            ) from None
    groups = groups_of((root / "requirements.txt").read_text())
    # With the groups before it, which are there already or belong to it, so that pip holds all
    # of them together.
    upto = [RUN, AWS] if group == AWS else list(groups)[: list(groups).index(group) + 1]
    pins = [pin for name in upto for pin in groups[name]]
    _say(f"installing {len(groups[group])} packages from requirements.txt ({_TAKES[group]}, once)")
    wanted_pins = environment / f"requirements-{group}.txt"
    wanted_pins.write_text("\n".join(pins) + "\n")
    _pip(environment, wanted_pins, len(pins))
    _make_importable(root, environment)
    stamp.write_text(wanted)
    _say(f"ready after {time.monotonic() - started:.0f} s")


_TAKES = {
    RUN: "half a minute to a minute",
    CHECK: "some seconds",
    AUDIT: "some seconds",
    AWS: "some seconds",
}


def explain(output: str, environment: Path) -> str:
    """One line for a failed pip: no disk, no network, or pip's own last error."""
    if _NO_DISK.search(output):
        return _no_disk(environment)
    if _NO_NETWORK.search(output):
        return (
            "the package index can't be reached: check the network, or PIP_INDEX_URL and "
            "HTTPS_PROXY, then run ./inv again"
        )
    if other := _OTHER_HASH.search(output):
        return (
            f"{other[1]} isn't the file that requirements.txt pins by its hash, so it wasn't "
            "installed: a mirror or proxy may have altered it; check PIP_INDEX_URL, then run "
            "./inv again"
        )
    if "Hashes are required in --require-hashes mode" in output:
        return "requirements.txt has pins without hashes: run ./inv pins.write in a complete .venv"
    if missing := _NO_WHEEL.search(output):
        return (
            f"there is no wheel of {missing[1]} for Python {platform.python_version()} on "
            f"{platform.system()} {platform.machine()}: README.md says which have all; another "
            "Python: PYTHON=/path/to/python3.13 ./inv"
        )
    lines = output.strip().splitlines() or ["no output"]
    errors = [place for place, line in enumerate(lines) if line.startswith("ERROR:")]
    place = errors[-1] if errors else len(lines) - 1
    # An error that ends with a colon names what it is about in the next line.
    last = lines[place : place + 1 + lines[place].rstrip().endswith(":")]
    said = " ".join(line.removeprefix("ERROR:").strip() for line in last)
    return f"pip failed: {said}; then run ./inv again"


@dataclass
class Progress:
    """Turns pip's output into what a person sees: a running line, or one every few seconds.

    ``unpacked`` answers how many packages are in place; ``clock`` is in seconds.
    """

    total: int
    terminal: bool
    unpacked: Callable[[], int]
    clock: Callable[[], float] = time.monotonic
    _found: int = 0
    _now: str = ""
    _order: list[str] = field(default_factory=list)
    _before: int = 0
    _since: float = 0.0
    _shown: float | None = None

    def line(self, text: str) -> str:
        """What to print after a line of pip's."""
        if match := re.match(r"\s*(Collecting|Requirement already satisfied:) ([\w.-]+)", text):
            self._found += 1
            self._begin(f"{min(self._found, self.total)} of {self.total}: {match[2]}")
        elif text.startswith("Installing collected packages:"):
            self._order = [name.strip() for name in text.partition(":")[2].split(",")]
            self._before = self.unpacked()
            self._begin("")
        else:
            return ""
        return self.tick()

    def tick(self) -> str:
        """What to print while pip says nothing."""
        if self._order:
            place = max(min(self.unpacked() - self._before, len(self._order) - 1), 0)
            now = f"unpacking {place + 1} of {len(self._order)}: {self._order[place]}"
            if now != self._now:
                self._begin(now)
        if not self._now:
            return ""
        seconds = self.clock() - self._since
        text = f"  {self._now}" + (f" ({seconds:.0f} s)" if seconds >= 1 else "")
        if self.terminal:
            return f"\r\033[K{text}"
        if self._shown is not None and self.clock() - self._shown < _TICK_SECONDS:
            return ""
        self._shown = self.clock()
        return f"{text}\n"

    def end(self) -> str:
        """What to print at pip's end."""
        return "\r\033[K" if self.terminal else ""

    def _begin(self, now: str) -> None:
        self._now, self._since = now, self.clock()


def _pip(environment: Path, requirements: Path, total: int) -> None:
    # Nothing is compiled ahead: that took three quarters of the time, most of it for modules that
    # are never imported. Python compiles what it imports, once. Dependencies aren't resolved:
    # all of them are pins, and a pip that resolves asks again for what an extra names.
    command = [
        str(environment / "bin/python"), "-m", "pip", "install", "--no-input", "--no-compile",
        "--no-deps", "--only-binary", ":all:", "--disable-pip-version-check",
        "--progress-bar", "off", "--retries", "2", "--timeout", "20", "-r", str(requirements),
    ]  # fmt: skip
    kept: list[str] = []
    progress = Progress(total, sys.stderr.isatty(), lambda: _unpacked(environment))
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors="replace",
    ) as process:  # fmt: skip
        for line in _lines(process):
            if line:
                kept.append(line)
            sys.stderr.write(progress.line(line) if line else progress.tick())
            sys.stderr.flush()
        sys.stderr.write(progress.end())
    if process.returncode:
        raise BootstrapError(explain("".join(kept), environment))


def _lines(process: subprocess.Popen[str]) -> Iterator[str]:
    """A process's lines as they come, and an empty one whenever none came for a while."""
    lines: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        assert process.stdout is not None  # noqa: S101 - asked for by the caller
        for line in process.stdout:
            lines.put(line)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    while True:
        try:
            line = lines.get(timeout=_POLL_SECONDS)
        except queue.Empty:
            yield ""
            continue
        if line is None:
            return
        yield line


def _unpacked(environment: Path) -> int:
    """How many packages are in place: pip writes a package's RECORD last."""
    return sum(1 for _ in environment.glob("lib/python3*/site-packages/*.dist-info/RECORD"))


def _make_importable(root: Path, environment: Path) -> None:
    """The repository's packages, editable: what ``pip install -e .`` does, without a build.

    Beside the root the folder of the recovery functions' package, which operators' commands share.
    """
    text = f"{root}\n{root / 'lambda_src' / 'recovery'}\n"
    for packages in environment.glob("lib/python3*/site-packages"):
        path = packages / "warm_standby.pth"
        if not path.is_file() or path.read_text() != text:
            path.write_text(text)


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
    return f"no space left for {environment} (it takes about 700 MB): free some, then run again"


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
