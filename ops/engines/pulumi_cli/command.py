"""Pulumi's CLI as a command: finding it, and running it so that this process decides what it sees
and when it is interrupted."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from pulumi import automation
from pulumi.automation import CommandResult, PulumiCommand
from pulumi.automation.errors import create_command_error
from semver import VersionInfo

from ops.errors import ExitCode, OperatorError
from ops.waiting import announced

MINIMUM = VersionInfo(3, 206, 0)
"""The oldest CLI taken: earlier ones write their events to a file that has to be followed, where
the last ones can be lost; later ones send them."""
GET_ONE = "./inv setup installs Pulumi's own release, or see https://www.pulumi.com/docs/install"
VERSION_SECONDS = 60


def find(environment: Mapping[str, str] = os.environ) -> Path:
    """The CLI on PATH, else (or where that one is too old) the one that ``./inv setup`` installed;
    one line when there is none."""
    own = installed(environment)
    on_path = shutil.which("pulumi", path=environment.get("PATH", ""))
    if on_path and not (own.is_file() and _unfit(Path(on_path))):
        return Path(on_path).resolve()
    if own.is_file():
        return own
    raise OperatorError(f"Pulumi's CLI isn't on PATH: {GET_ONE}", ExitCode.ENVIRONMENT)


def installed(environment: Mapping[str, str] = os.environ) -> Path:
    """Where ``./inv setup`` puts the release that belongs to the SDK."""
    home = Path(environment.get("HOME") or Path.home())
    return home / ".pulumi" / "versions" / str(sdk_version()) / "bin" / "pulumi"


def sdk_version() -> VersionInfo:
    """The version of the Pulumi SDK of requirements.txt."""
    from pulumi._version import version

    return version


def version_of(executable: Path) -> VersionInfo:
    """The CLI's version; one line when it doesn't run or is too old."""
    try:
        with announced(f"{executable} to say its version"):
            answer = subprocess.run(
                [executable, "version"],
                env={**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=VERSION_SECONDS,
                check=False,
            )
        found = VersionInfo.parse(answer.stdout.strip().removeprefix("v"))
    except (OSError, ValueError, subprocess.TimeoutExpired):
        raise OperatorError(
            f"{executable} doesn't answer `pulumi version`: {GET_ONE}", ExitCode.ENVIRONMENT
        ) from None
    if found < MINIMUM:
        raise OperatorError(
            f"Pulumi's CLI {executable} is {found}, and at least {MINIMUM} is needed: {GET_ONE}",
            ExitCode.ENVIRONMENT,
        )
    return found


def _unfit(executable: Path) -> bool:
    try:
        version_of(executable)
    except OperatorError:
        return True
    return False


class Command(PulumiCommand):
    """The CLI with exactly the given environment, in process groups of its own.

    In a group of its own an interrupt at the terminal doesn't reach it: it would get a second one
    from here, and two interrupts mean to it "leave at once". Thread-safe: several layers may be
    moved at a time.
    """

    def __init__(self, executable: Path, environment: Mapping[str, str]) -> None:
        # Not the base's: it looks for `bin/pulumi` below a root only, and takes any version.
        self.command = str(executable)
        self.version = version_of(executable)
        self._environment = {
            **environment,
            "PATH": os.pathsep.join((str(executable.parent), environment.get("PATH", os.defpath))),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_AUTOMATION_API": "true",
        }
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[str]] = set()
        self._interruptions = 0

    @property
    def interrupted(self) -> bool:
        """Whether :meth:`interrupt` was called."""
        return self._interruptions > 0

    def run(
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],
        on_output: automation.OnOutput | None = None,
        on_error: automation.OnOutput | None = None,
    ) -> CommandResult:
        """Runs one command to its end; raises ``CommandError`` unless it succeeds. The callbacks
        get the lines after the end."""
        with subprocess.Popen(
            [self.command, "--non-interactive", *args],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env={**self._environment, **additional_env},
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        ) as process:
            with self._lock:
                self._running.add(process)
            quiet = args[:1] == ["stack"]  # all others report events
            try:
                with announced(f"pulumi {' '.join(args[:2])}") if quiet else nullcontext():
                    out, err = process.communicate()
            finally:
                with self._lock:
                    self._running.discard(process)
        for text, callback in ((out, on_output), (err, on_error)):
            for line in text.splitlines() if callback else ():
                callback(line)  # type: ignore[misc]
        result = CommandResult(stdout=out.rstrip(), stderr=err.rstrip(), code=process.returncode)
        if process.returncode:
            raise create_command_error(result)
        return result

    def interrupt(self) -> None:
        """What Ctrl-C means: the first lets calls under way end, the next ends the CLI at once.

        A CLI that is ended at once leaves its lock on a stack of a self-managed backend.
        """
        with self._lock:
            self._interruptions += 1
            for process in self._running:
                _signal(process, signal.SIGINT if self._interruptions == 1 else signal.SIGKILL)


def _signal(process: subprocess.Popen[Any], number: signal.Signals) -> None:
    """The first signal is for the CLI alone, which passes it to its program and plugins; the last
    one is for all of its group."""
    try:
        if number == signal.SIGKILL:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
    except ProcessLookupError:
        return
