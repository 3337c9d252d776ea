"""Finding Pulumi's CLI and running it, with scripts in its place."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from fake_cli import script
from pulumi.automation import CommandError, ConcurrentUpdateError, StackNotFoundError

from ops import setup
from ops.engines.pulumi_cli import command as pulumi_cli_command
from ops.engines.pulumi_cli.command import MINIMUM, Command, find, installed, version_of
from ops.errors import ExitCode, OperatorError


def test_without_a_cli_one_line_says_how_to_get_one(tmp_path: Path) -> None:
    """No CLI is one line, with how to get it."""
    with pytest.raises(OperatorError, match=r"isn't on PATH: ./inv setup installs") as caught:
        find({"PATH": str(tmp_path), "HOME": str(tmp_path)})
    assert caught.value.code is ExitCode.ENVIRONMENT


def test_the_one_on_path_comes_first_then_the_installed_one(tmp_path: Path) -> None:
    """What ``./inv setup`` installs is found without a change of PATH."""
    environment = {"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path)}
    own = script(installed(environment), "")
    assert find(environment) == own
    assert own.parent.name == "bin" and own.is_relative_to(tmp_path / ".pulumi/versions")
    on_path = script(tmp_path / "bin/pulumi", "")
    assert find(environment) == on_path


def test_a_cli_that_is_too_old_is_one_line(tmp_path: Path) -> None:
    """CLI too old: one line."""
    old = script(tmp_path / "pulumi", "", version="v3.100.0")
    with pytest.raises(OperatorError, match=rf"is 3.100.0, and at least {MINIMUM} is needed"):
        version_of(old)
    assert version_of(script(tmp_path / "pulumi", "", version=f"v{MINIMUM}")) == MINIMUM


@pytest.mark.parametrize("body", ["echo nonsense", "exit 1"])
def test_something_else_of_that_name_is_one_line(tmp_path: Path, body: str) -> None:
    """A ``pulumi`` that doesn't answer is no reason for a traceback."""
    (tmp_path / "pulumi").write_text(f"#!/bin/sh\n{body}\n")
    (tmp_path / "pulumi").chmod(0o755)
    with pytest.raises(OperatorError, match="doesn't answer `pulumi version`"):
        version_of(tmp_path / "pulumi")


def test_the_cli_sees_the_given_environment_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Engines: no profile or token of the operator's reaches the lab's CLI; prompts are off; its
    own language plugins are found beside it."""
    monkeypatch.setenv("AWS_PROFILE", "mine")
    command = Command(script(tmp_path / "bin/pulumi", 'echo "$@"; env; pwd'), {"PATH": "/usr/bin"})
    (tmp_path / "project").mkdir()
    out: list[str] = []
    answer = command.run(["stack"], str(tmp_path / "project"), {"EXTRA": "1"}, on_output=out.append)
    lines = answer.stdout.splitlines()
    assert lines[0] == "--non-interactive stack"
    assert lines == out
    assert lines[-1] == str(tmp_path / "project")
    assert f"PATH={tmp_path}/bin:/usr/bin" in lines
    assert {"EXTRA=1", "PULUMI_SKIP_UPDATE_CHECK=true", "PULUMI_AUTOMATION_API=true"} <= set(lines)
    assert not any(line.startswith("AWS_") for line in lines)
    assert str(command.version) == "3.260.0"


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("error: no stack named 'dev' found", StackNotFoundError),
        ("error: the stack is currently locked by 1 lock(s)", ConcurrentUpdateError),
        ("error: something", CommandError),
    ],
)
def test_a_failure_is_the_automation_api_s(
    tmp_path: Path, said: str, kind: type[Exception]
) -> None:
    """What the CLI says on stderr distinguishes one failure from another."""
    command = Command(script(tmp_path / "pulumi", f'echo "{said}" >&2; exit 1'), {})
    errors: list[str] = []
    with pytest.raises(kind) as caught:
        command.run(["up"], str(tmp_path), {}, on_error=errors.append)
    assert said in str(caught.value)
    assert errors == [said]


class Running:
    """A command under way in a thread."""

    def __init__(self, command: Command, directory: Path) -> None:
        self.error: Exception | None = None

        def run() -> None:
            try:
                command.run(["up"], str(directory), {})
            except CommandError as error:
                self.error = error

        self.thread = threading.Thread(target=run)
        self.thread.start()
        until = time.monotonic() + 20
        while not (directory / "ready").exists():
            assert time.monotonic() < until
            time.sleep(0.01)


def test_the_first_interruption_lets_the_cli_end_by_itself(tmp_path: Path) -> None:
    """Ctrl-C passes to the CLI once: it gets SIGINT, alone, and ends in its own way."""
    # It outlives no test that fails: it ends by itself after half a minute.
    wait = "n=0; while [ $n -lt 600 ]; do n=$((n+1)); sleep 0.05; done"
    body = f"trap 'echo ended in order >&2; exit 255' INT; touch ready; {wait}"
    command = Command(script(tmp_path / "pulumi", body), {"PATH": "/usr/bin:/bin"})
    assert not command.interrupted
    running = Running(command, tmp_path)
    command.interrupt()
    running.thread.join(20)
    assert "ended in order" in str(running.error)
    assert command.interrupted


def ended(process: int, seconds: float = 10) -> bool:
    """Whether the process is gone, or a zombie that nobody waited for, within that time."""
    state = Path(f"/proc/{process}/stat")
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if state.read_text().rpartition(")")[2].split()[0] in "ZX":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.05)
    return False


def test_the_second_interruption_ends_it_with_all_its_children(tmp_path: Path) -> None:
    """… then again kills: a CLI that doesn't end, and the program it runs."""
    body = "trap '' INT; sleep 600 & echo $! > child; touch ready; wait"
    command = Command(script(tmp_path / "pulumi", body), {"PATH": "/usr/bin:/bin"})
    running = Running(command, tmp_path)
    command.interrupt()
    running.thread.join(0.3)
    assert running.thread.is_alive()
    command.interrupt()
    running.thread.join(20)
    assert "code: -9" in str(running.error)
    child = int((tmp_path / "child").read_text())
    assert ended(child)


def test_a_process_that_is_gone_already_needs_no_signal() -> None:
    """An interruption may come at the very end."""

    class Gone:
        pid = 2**30

        def send_signal(self, _number: int) -> None:
            raise ProcessLookupError

    gone: Any = Gone()
    for number in (signal.SIGINT, signal.SIGKILL):
        pulumi_cli_command._signal(gone, number)
    assert gone.pid == 2**30


def test_setup_finds_the_cli_that_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``./inv setup`` installs nothing over a CLI that works."""
    monkeypatch.setenv("PATH", str(script(tmp_path / "pulumi", "").parent))
    assert setup.setup() == [f"Pulumi's CLI 3.260.0 is here: {tmp_path / 'pulumi'}"]


def test_setup_installs_the_release_of_the_sdk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through the Automation API's own installer; also in place of one that is too old."""
    monkeypatch.setenv("HOME", str(tmp_path))
    old = script(tmp_path / "pulumi", "", version="v3.1.0")
    monkeypatch.setenv("PATH", f"{old.parent}:/usr/bin:/bin")

    def install(root: str, version: object) -> None:
        script(Path(root) / "bin/pulumi", "", version=f"v{version}")

    monkeypatch.setattr(setup.PulumiCommand, "install", staticmethod(install))
    first, second = setup.setup()
    assert first == f"installed Pulumi's CLI {pulumi_cli_command.sdk_version()}: {installed()}"
    assert "export PATH=" in second
    assert find() == installed()


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (OSError("Name or service not known"), "Name or service not known"),
        (subprocess.CalledProcessError(1, "sh", output=b"one\nlast words\n\n"), "last words"),
    ],
)
def test_setup_without_a_network_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Exception, said: str
) -> None:
    """Installs "when the network allows"; when it doesn't, one line."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))

    def install(**_: object) -> None:
        raise fault

    monkeypatch.setattr(setup.PulumiCommand, "install", staticmethod(install))
    with pytest.raises(OperatorError, match=said) as caught:
        setup.setup()
    assert "\n" not in str(caught.value)
    assert caught.value.code is ExitCode.ENVIRONMENT
