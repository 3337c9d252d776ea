"""Faults at one moment of a deployment, and what the same command has made of it afterwards.

A slot is one layer deployed or destroyed on a lab whose other layers stand as they must. A fault
strikes once a number of steps were shown; the same command is run again; then what AWS's APIs list
and what the state knows is compared with an undisturbed run.
"""

from __future__ import annotations

import json
import os
import queue
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from deployed_lab import Lab
from killing import STEPS, census, left_behind

from lab import client
from lab.provider.registry import all_types
from ops.errors import ExitCode

SILENT_SECONDS = 10.0
RUN_SECONDS = 600.0
DISTURBED_SECONDS = 3.0
"""How long a fault that isn't a kill lasts, at most."""
RERUNS = 12
"""How often the same command may be given where errors were armed for every operation."""
UNDECLARED = {
    "aws:cloudwatch/eventTarget:EventTarget": "PutTargets",
    "aws:lambda/invocation:Invocation": "Invoke",
    "aws:lb/targetGroupAttachment:TargetGroupAttachment": "RegisterTargets",
    "aws:route53/record:Record": "ChangeResourceRecordSets",
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": (
        "PutBucketLifecycleConfiguration"
    ),
    "aws:s3/bucketLogging:BucketLogging": "PutBucketLogging",
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": "PutBucketOwnershipControls",
    "aws:s3/bucketPolicy:BucketPolicy": "PutBucketPolicy",
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": "PutPublicAccessBlock",
    "aws:s3/bucketReplicationConfig:BucketReplicationConfig": "PutBucketReplication",
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": (
        "PutBucketEncryption"
    ),
    "aws:s3/bucketVersioning:BucketVersioning": "PutBucketVersioning",
    "aws:sns/topicPolicy:TopicPolicy": "SetTopicAttributes",
    "aws:sqs/queuePolicy:QueuePolicy": "SetQueueAttributes",
    "aws:sqs/redriveAllowPolicy:RedriveAllowPolicy": "SetQueueAttributes",
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": "AuthorizeSecurityGroupEgress",
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": "AuthorizeSecurityGroupIngress",
}
"""The call that creates a type whose declaration doesn't name it."""


@dataclass(frozen=True)
class Slot:
    """What is interrupted."""

    task: str
    """up or destroy"""
    layer: str

    @property
    def command(self) -> tuple[str, ...]:
        """The arguments of ``./inv``."""
        return (self.task, "--layer", self.layer)

    def __str__(self) -> str:
        return f"{self.task} {self.layer}"


@dataclass
class Run:
    """One ``./inv`` command: what it printed, and for how long it printed nothing."""

    code: int = 0
    output: str = ""
    shown: int = 0
    longest_silence: float = 0.0


@dataclass
class Outcome:
    """What a fault has done in the end; all zero is as it should be."""

    struck: bool = False
    """Whether there was anything to strike before the run's end."""
    first: int = 0
    """The exit code of the run that was struck."""
    orphans: int = 0
    lost: int = 0
    silences: int = 0
    wrong: list[str] = field(default_factory=list)
    """Anything else: a run that doesn't end well, a traceback, a process left behind."""
    types: list[str] = field(default_factory=list)
    """Resource types whose creating call has failed as it was armed to."""

    @property
    def good(self) -> bool:
        """Whether everything is as an undisturbed run leaves it."""
        return not (self.orphans or self.lost or self.silences or self.wrong)


Strike = Callable[[Lab, psutil.Process], Callable[[], object] | None]
"""Strikes; answers what ends the fault, or None where there was nothing to strike."""


def run(lab: Lab, slot: Slot, at: int = 0, strike: Strike | None = None) -> tuple[Run, bool]:
    """Runs the command and strikes once ``at`` steps were shown, again at each later line until
    there was something to strike; answers whether there was."""
    process = lab.start(*slot.command)
    lines: queue.Queue[str | None] = queue.Queue()
    threading.Thread(target=_read, args=(process, lines), daemon=True).start()
    done, begun, end = Run(), time.monotonic(), None
    struck = False
    last, until = begun, float("inf")
    try:
        while time.monotonic() - begun < RUN_SECONDS:
            with suppress(queue.Empty):
                line = lines.get(timeout=0.2)
                now = time.monotonic()
                done.longest_silence = max(done.longest_silence, now - last)
                last = now
                if line is None:
                    break
                done.output += line
                done.shown += any(step in line for step in STEPS)
                if strike and not struck and done.shown >= at:
                    end = strike(lab, psutil.Process(process.pid))
                    struck = end is not None
                    until = now + DISTURBED_SECONDS
            if end and time.monotonic() > until:
                end()
                end = None
        else:
            os.killpg(process.pid, signal.SIGKILL)
    finally:
        if end:
            end()
    done.code = process.wait(timeout=10)
    return done, struck


def _read(process: subprocess.Popen[str], lines: queue.Queue[str | None]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        lines.put(line)
    lines.put(None)


def play(
    lab: Lab, slot: Slot, at: int, strike: Strike, expected: Counter[tuple[str, str]]
) -> Outcome:
    """One fault at one moment, the same command again, and what is there then."""
    outcome = Outcome()
    first, outcome.struck = run(lab, slot, at, strike)
    outcome.first = first.code
    _note(outcome, first)
    if left := left_behind(lab):
        outcome.wrong.append(f"left behind: {left}")
    acknowledged = ids(lab, slot.layer)
    again, _ = run(lab, slot)
    _note(outcome, again)
    _judge(lab, slot, outcome, again, acknowledged, expected)
    return outcome


def play_errors(
    lab: Lab, slot: Slot, code: str, times: int, expected: Counter[tuple[str, str]]
) -> Outcome:
    """Each changing operation's first ``times`` calls fail; the same command until it ends well."""
    lab.up()
    client.inject(lab.state_dir, ["*", "lambda:Invoke"], code, times)
    outcome = Outcome()
    acknowledged: dict[str, str] = {}
    last = Run(code=1)
    for attempt in range(RERUNS):
        last, _ = run(lab, slot)
        outcome.first = outcome.first if attempt else last.code
        _note(outcome, last)
        if last.code == 0:
            break
        now = ids(lab, slot.layer)
        outcome.lost += _gone(acknowledged, now)
        acknowledged = now
    answered = client.injected(lab.state_dir)
    client.inject(lab.state_dir, [], code)
    outcome.struck = bool(answered)
    _judge(lab, slot, outcome, last, acknowledged, expected)
    failed = {operation for operation, count in answered.items() if count >= times}
    outcome.types = sorted(kind for kind in types(lab, slot.layer) if creating(kind) in failed)
    return outcome


def creating(token: str) -> str:
    """The operation that creates a resource of this type (``ec2:CreateVpc``); empty if unknown."""
    kind = all_types().get(token)
    if kind is None:
        return ""
    name = kind.creation.name if kind.creation else UNDECLARED[token]
    return f"{kind.service}:{name}"


def _note(outcome: Outcome, run: Run) -> None:
    outcome.silences += run.longest_silence > SILENT_SECONDS
    if "Traceback (most recent call last)" in run.output:
        outcome.wrong.append("a traceback: " + run.output[-2000:])


def _judge(
    lab: Lab,
    slot: Slot,
    outcome: Outcome,
    last: Run,
    acknowledged: dict[str, str],
    expected: Counter[tuple[str, str]],
) -> None:
    if last.code:
        outcome.wrong.append(
            f"the same command again ended with {last.code}: {last.output[-2000:]}"
        )
    found = census(lab)
    outcome.orphans += sum((found - expected).values())
    outcome.lost += sum((expected - found).values())
    now = ids(lab, slot.layer)
    if slot.task == "up":
        outcome.lost += _gone(acknowledged, now)
    else:
        outcome.orphans += len(now)


def _gone(before: dict[str, str], after: dict[str, str]) -> int:
    """How many resources that were acknowledged are no longer the same ones."""
    return sum(after.get(urn) != ident for urn, ident in before.items())


def ids(lab: Lab, layer: str) -> dict[str, str]:
    """URN → id of what the layer's state says exists."""
    return {
        one["urn"]: one["id"]
        for one in _resources(lab, layer)
        if one.get("custom") and one.get("id") and not one.get("delete") and not one.get("external")
    }


def types(lab: Lab, layer: str) -> set[str]:
    """The resource types of the layer's state."""
    return {one["type"] for one in _resources(lab, layer) if one.get("custom")}


def _resources(lab: Lab, layer: str) -> list[dict[str, Any]]:
    path = lab.workspace.checkpoints / layer / "lab.json"
    if not path.exists():
        return []
    return json.loads(path.read_text())["deployment"].get("resources") or []


# Strikes


def _killed(process: psutil.Process | None) -> Callable[[], object] | None:
    if process is None:
        return None
    try:
        process.kill()
    except psutil.NoSuchProcess:
        return None
    return lambda: None


def kill_driver(_lab: Lab, driver: psutil.Process) -> Callable[[], object] | None:
    """``./inv`` itself."""
    return _killed(driver)


def kill_lab(lab: Lab, _driver: psutil.Process) -> Callable[[], object] | None:
    """The lab's process."""
    return _killed(_server(lab))


def kill_plugin(_lab: Lab, driver: psutil.Process) -> Callable[[], object] | None:
    """A provider plugin."""
    return _killed(_first(driver, lambda _one, command: "lab.provider" in command))


def kill_postgres(lab: Lab, _driver: psutil.Process) -> Callable[[], object] | None:
    """A PostgreSQL server."""
    return _killed(_first(_server(lab), lambda one, _command: _is_postmaster(one)))


def kill_worker(lab: Lab, _driver: psutil.Process) -> Callable[[], object] | None:
    """A process that runs a deployed function."""
    return _killed(_first(_server(lab), lambda _one, command: "emulator/bootstrap" in command))


def full_disk_of_lab(lab: Lab, _driver: psutil.Process) -> Callable[[], object] | None:
    """No process of the lab can write a file; sockets still work."""
    return _unwritable(_server(lab))


def full_disk_of_driver(_lab: Lab, driver: psutil.Process) -> Callable[[], object] | None:
    """``./inv`` can write no file, its state among them."""
    return _unwritable(driver)


def read_only_lab(lab: Lab, _driver: psutil.Process) -> Callable[[], object] | None:
    """The emulator's state directory takes no new file."""
    return _read_only(lab.state_dir / "emulator")


def read_only_state(lab: Lab, _driver: psutil.Process) -> Callable[[], object] | None:
    """The stacks' directories take no new file."""
    ends = [_read_only(path) for path in lab.workspace.checkpoints.iterdir() if path.is_dir()]
    return lambda: [end() for end in ends if end] if all(ends) else None


def clock_jump(lab: Lab, _driver: psutil.Process) -> Callable[[], object] | None:
    """The lab's time passes a hundred times as fast, then as before."""
    client.set_clock(lab.state_dir, 100)
    return lambda: client.set_clock(lab.state_dir, 1)


def _server(lab: Lab) -> psutil.Process | None:
    try:
        return psutil.Process(json.loads((lab.state_dir / "lab.json").read_text())["pid"])
    except (OSError, ValueError, psutil.NoSuchProcess):
        return None


def _below(process: psutil.Process | None) -> Iterator[psutil.Process]:
    if process is not None:
        with suppress(psutil.NoSuchProcess):
            yield from process.children(recursive=True)


def _first(
    process: psutil.Process | None, chosen: Callable[[psutil.Process, str], bool]
) -> psutil.Process | None:
    for one in _below(process):
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if chosen(one, " ".join(one.cmdline())):
                return one
    return None


def _is_postmaster(process: psutil.Process) -> bool:
    parent = process.parent()
    return process.name() == "postgres" and (parent is None or parent.name() != "postgres")


def _unwritable(process: psutil.Process | None) -> Callable[[], object] | None:
    """By the limit on a file's size, which a write meets as it meets a full disk, with an error."""
    if process is None:
        return None

    def limit(one: psutil.Process, size: int | None) -> None:
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            hard = one.rlimit(resource.RLIMIT_FSIZE)[1]
            one.rlimit(resource.RLIMIT_FSIZE, (hard if size is None else size, hard))

    limit(process, 0)

    def end() -> None:
        for one in (process, *_below(process)):
            limit(one, None)

    return end


def _read_only(directory: Path) -> Callable[[], object] | None:
    """Root writes whatever the mode says, so for root the directory becomes immutable."""
    if os.geteuid():
        directory.chmod(0o500)
        return lambda: directory.chmod(0o700)
    if subprocess.run(
        ["chattr", "+i", str(directory)], capture_output=True, check=False
    ).returncode:
        return None
    return lambda: subprocess.run(["chattr", "-i", str(directory)], check=True)


def play_half_installed(
    lab: Lab, slot: Slot, package: str, expected: Counter[tuple[str, str]]
) -> Outcome:
    """The command in an environment that lacks one package's folder ends in a line; then again in a
    complete one."""
    outcome = Outcome(struck=True)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="warm-standby-half-") as directory:
        python = _environment_without(package, Path(directory))
        answer = subprocess.run(
            [str(python), "-m", "ops.program", *slot.command],
            cwd=lab.repository, env=lab.environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=RUN_SECONDS,
            check=False,
        )  # fmt: skip
    first = Run(answer.returncode, answer.stdout)
    outcome.first = first.code
    first.longest_silence = (
        time.monotonic() - begun if answer.returncode == ExitCode.ENVIRONMENT else 0.0
    )
    _note(outcome, first)
    if answer.returncode == ExitCode.ENVIRONMENT and len(answer.stdout.splitlines()) != 1:
        outcome.wrong.append(f"more than one line without {package}: {answer.stdout[-2000:]}")
    acknowledged = ids(lab, slot.layer)
    again, _ = run(lab, slot)
    _note(outcome, again)
    _judge(lab, slot, outcome, again, acknowledged, expected)
    return outcome


def _environment_without(package: str, directory: Path) -> Path:
    """A copy of this environment, by links; answers its interpreter."""
    whole = Path(sys.prefix)
    (packages,) = whole.glob("lib/python3*/site-packages")
    copy = directory / packages.relative_to(whole)
    copy.mkdir(parents=True)
    for entry in packages.iterdir():
        if entry.name != package:
            (copy / entry.name).symlink_to(entry)
    shutil.copy(whole / "pyvenv.cfg", directory)
    (directory / "bin").mkdir()
    python = directory / "bin" / "python"
    python.symlink_to(Path(sys.executable).resolve())
    return python
