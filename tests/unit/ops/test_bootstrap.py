"""Making the environment: once, safely, and with one line for each fault."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ops import bootstrap
from ops.bootstrap import BootstrapError, Progress

ROOT = Path(bootstrap.__file__).resolve().parent.parent


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with requirements and nothing else."""
    (tmp_path / "requirements.txt").write_text(
        "# everything pinned\nrich==15.0.0 \\\n    --hash=sha256:1 \\\n    --hash=sha256:2\n"
        "invoke==3.0.3\n\n# [check] what lint and test need\nruff==1  # a linter\n"
        "\n# [audit] more\naudit==1\n"
    )
    return tmp_path


@pytest.fixture
def pip(root: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """An environment whose pip only records that it was called; answers its calls."""
    calls: list[str] = []

    class Builder:
        def __init__(self, **options: object) -> None:
            assert options["clear"] is True

        def create(self, environment: Path) -> None:
            calls.append("venv")
            (environment / "lib/python3.11/site-packages").mkdir(parents=True, exist_ok=True)
            (environment / "pyvenv.cfg").write_text(f"command = python -m venv {environment}\n")
            (environment / "bin").mkdir(exist_ok=True)
            (environment / "bin/python").write_text("#!/bin/sh\n")
            (environment / "bin/python").chmod(0o755)

    monkeypatch.setattr(bootstrap.venv, "EnvBuilder", Builder)
    monkeypatch.setattr(bootstrap, "_pip", lambda *_: calls.append("pip"))
    return calls


def test_the_environment_is_made_once(root: Path, pip: list[str]) -> None:
    """First light: again only when requirements.txt changed, and then without making it anew."""
    bootstrap.ensure(root)
    bootstrap.ensure(root)
    assert pip == ["venv", "pip"]
    (root / "requirements.txt").write_text("rich==15.0.1\n")
    bootstrap.ensure(root)
    assert pip == ["venv", "pip", "pip"]
    packages = root / ".venv/lib/python3.11/site-packages"
    assert (packages / "warm_standby.pth").read_text() == f"{root}\n{root}/lambda_src/recovery\n"


def test_requirements_have_groups(root: Path) -> None:
    """What comes before the first group's line is what every command needs."""
    assert bootstrap.groups_of((root / "requirements.txt").read_text()) == {
        "run": ["rich==15.0.0 --hash=sha256:1 --hash=sha256:2", "invoke==3.0.3"],
        "check": ["ruff==1"],
        "audit": ["audit==1"],
    }


def test_a_command_installs_no_more_than_it_needs(root: Path, pip: list[str]) -> None:
    """Linters and test runner come when lint or test first run, once, held together
    with what is there already."""
    bootstrap.ensure(root)
    assert (root / ".venv/requirements-run.txt").read_text().split() == [
        "rich==15.0.0", "--hash=sha256:1", "--hash=sha256:2", "invoke==3.0.3",
    ]  # fmt: skip
    for _ in range(2):
        bootstrap.ensure(root, bootstrap.CHECK)
    assert pip == ["venv", "pip", "pip"]
    pins = (root / ".venv/requirements-check.txt").read_text().splitlines()
    assert [pin.partition("=")[0] for pin in pins] == ["rich", "invoke", "ruff"]
    bootstrap.ensure(root)
    assert pip == ["venv", "pip", "pip"]
    (root / "requirements.txt").write_text("rich==15.0.1\n# [check]\n")
    bootstrap.ensure(root, bootstrap.CHECK)
    assert bootstrap.read_stamp(root / ".venv") != bootstrap.stamp_of(root)


def test_an_interrupted_installation_is_taken_up_again(
    root: Path, pip: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """First light: the stamp is written last, so half an installation counts as none; a usable
    environment of this place isn't made anew."""

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(bootstrap, "_pip", killed)
        with pytest.raises(KeyboardInterrupt):
            bootstrap.ensure(root)
    assert bootstrap.read_stamp(root / ".venv") == ""
    bootstrap.ensure(root)
    assert pip == ["venv", "pip"]
    assert bootstrap.read_stamp(root / ".venv") == bootstrap.stamp_of(root)


def test_an_environment_that_was_moved_is_made_anew(root: Path, pip: list[str]) -> None:
    """Scripts of an environment hold its path: a copied working copy can't use the old one."""
    bootstrap.ensure(root)
    for name in (".complete", "pyvenv.cfg"):
        file = root / ".venv" / name
        file.write_text(file.read_text().replace(str(root), "/elsewhere"))
    bootstrap.ensure(root)
    assert pip == ["venv", "pip", "venv", "pip"]


def test_an_environment_whose_python_is_gone_is_made_anew(root: Path, pip: list[str]) -> None:
    """An upgraded Python leaves a stamp and a dangling link behind."""
    bootstrap.ensure(root)
    (root / ".venv/bin/python").unlink()
    bootstrap.ensure(root)
    assert pip == ["venv", "pip", "venv", "pip"]


def test_two_starts_at_once_install_once(
    root: Path, pip: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """First light: the second waits, says so, and finds the work done."""
    monkeypatch.setattr(bootstrap, "_pip", lambda *_: (pip.append("pip"), time.sleep(0.3), None)[2])
    both = [threading.Thread(target=bootstrap.ensure, args=(root,)) for _ in range(2)]
    for start in both:
        start.start()
    for start in both:
        start.join()
    assert pip.count("pip") == 1
    assert "waiting for another ./inv" in capsys.readouterr().err


def test_a_lock_left_by_a_killed_start_is_no_lock(root: Path, pip: list[str]) -> None:
    """First light: the kernel drops the lock with its process; the file alone holds nobody."""
    script = f"import fcntl; f = open({str(root / '.inv.lock')!r}, 'a'); fcntl.flock(f, 2)"
    subprocess.run([sys.executable, "-c", script], check=True)
    bootstrap.ensure(root)
    assert pip == ["venv", "pip"]
    with (root / ".inv.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


@pytest.mark.parametrize(
    ("output", "line"),
    [
        ("OSError: [Errno 28] No space left on device", "no space left for"),
        ("NewConnectionError: Temporary failure in name resolution\nERROR: no", "can't be reached"),
        ("ERROR: one\nERROR: two", "pip failed: two"),
        (
            "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM\n    rich==15.0.0 from x (y):\n",
            "rich==15.0.0 isn't the file that requirements.txt pins",
        ),
        ("ERROR: Hashes are required in --require-hashes mode, but", "run ./inv pins.write"),
        (
            "ERROR: Could not find\nERROR: No matching distribution found for wrapt==2.5.2",
            "there is no wheel of wrapt==2.5.2 for Python 3.",
        ),
        ("ERROR: Double requirement given", "pip failed: Double requirement given"),
        ("ERROR: These do not:\n    rich>=15 (from x)", "pip failed: These do not: rich>=15"),
        ("", "pip failed: no output"),
        ("Killed", "pip failed: Killed"),
    ],
)
def test_a_failed_pip_is_one_line(root: Path, output: str, line: str) -> None:
    """First light: no network, no disk, and everything else."""
    explained = bootstrap.explain(output, root / ".venv")
    assert line in explained
    assert "\n" not in explained


def test_a_python_without_ensurepip_is_one_line(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Debian's Python without python3-venv, as on a fresh machine."""

    def refuse(*_: object, **__: object) -> None:
        raise subprocess.CalledProcessError(1, "ensurepip")

    monkeypatch.setattr(bootstrap.venv.EnvBuilder, "create", refuse)
    with pytest.raises(BootstrapError, match=r"apt-get install python3-venv"):
        bootstrap.ensure(root)


def test_no_disk_while_making_the_environment_is_one_line(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First light: no disk is said even when it isn't pip that finds out."""

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(bootstrap, "install", full)
    with pytest.raises(BootstrapError, match="no space left"):
        bootstrap.ensure(root)


def test_a_place_that_can_t_be_written_is_one_line(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First light: a read-only working copy gives no traceback."""

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(bootstrap, "install", refused)
    with pytest.raises(BootstrapError, match="can't write"):
        bootstrap.ensure(root)


class Clock:
    """Seconds that pass when a test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_pip_s_progress_moves() -> None:
    """A minute of silence would look like a hang. What is downloaded and what is
    unpacked is counted and named, and how long the present one takes is shown."""
    clock, unpacked = Clock(), [3]
    shown = Progress(2, True, lambda: unpacked[0], clock)
    assert shown.tick() == ""
    assert shown.line("Collecting rich==15.0.0") == "\r\033[K  1 of 2: rich"
    assert shown.line("  Downloading rich") == ""
    clock.now = 2.4
    assert shown.tick() == "\r\033[K  1 of 2: rich (2 s)"
    assert shown.line("Requirement already satisfied: x") == "\r\033[K  2 of 2: x"
    assert shown.line("Collecting y") == "\r\033[K  2 of 2: y"
    assert shown.line("Installing collected packages: a, b") == "\r\033[K  unpacking 1 of 2: a"
    clock.now = 8.0
    unpacked[0] = 4
    assert shown.tick() == "\r\033[K  unpacking 2 of 2: b"
    unpacked[0] = 9
    assert shown.tick() == "\r\033[K  unpacking 2 of 2: b"
    unpacked[0] = 2  # pip takes an older version out first
    assert shown.tick() == "\r\033[K  unpacking 1 of 2: a"
    assert shown.end() == "\r\033[K"


def test_progress_in_a_log_is_a_line_now_and_then() -> None:
    """Where no terminal renews the line, one every ten seconds is enough."""
    clock = Clock()
    shown = Progress(2, False, lambda: 0, clock)
    assert shown.line("Collecting a") == "  1 of 2: a\n"
    clock.now = 9.0
    assert shown.line("Collecting b") == ""
    clock.now = 10.0
    assert shown.tick() == "  2 of 2: b (1 s)\n"
    assert shown.end() == ""


def test_pip_is_asked_for_the_requirements_and_its_failure_is_raised(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The real command line, on a pip that prints and fails."""
    python = root / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "Installing collected packages: $*"\n')
    python.chmod(0o755)
    monkeypatch.setattr(bootstrap, "_POLL_SECONDS", 0.05)
    python.write_text('#!/bin/sh\nsleep 0.3\necho "Installing collected packages: $*"\n')
    bootstrap._pip(root / ".venv", root / "requirements.txt", 2)
    # Nothing is compiled ahead, nothing is built: what has no wheel here fails at once.
    shown = capsys.readouterr().err
    assert (
        "unpacking 1 of 1: -m pip install --no-input --no-compile --no-deps --only-binary :all:"
        in shown
    )
    record = root / ".venv/lib/python3.11/site-packages/rich-15.0.0.dist-info/RECORD"
    record.parent.mkdir(parents=True)
    assert bootstrap._unpacked(root / ".venv") == 0
    record.touch()
    assert bootstrap._unpacked(root / ".venv") == 1
    python.write_text("#!/bin/sh\necho 'ERROR: no such package'\nexit 1\n")
    with pytest.raises(BootstrapError, match="no such package"):
        bootstrap._pip(root / ".venv", root / "requirements.txt", 2)


def test_an_environment_is_usable_with_its_pip_and_at_its_place(root: Path) -> None:
    """What an interrupted installation left behind is used only when it works."""
    environment = root / ".venv"
    assert not bootstrap._usable(environment)
    python = environment / "bin/python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\nexit 0\n")
    python.chmod(0o755)
    (environment / "pyvenv.cfg").write_text("home = /usr\n")
    assert bootstrap._usable(environment)
    (environment / "pyvenv.cfg").write_text("command = /usr/bin/python3 -m venv /elsewhere\n")
    assert not bootstrap._usable(environment)
    (environment / "pyvenv.cfg").write_text(f"command = python3 -m venv {environment}\n")
    python.write_text("#!/bin/sh\nexit 1\n")
    assert not bootstrap._usable(environment)


def test_invoke_takes_over_the_process(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """./inv runs from any directory, and its exit code and signals are invoke's."""
    ran: list[object] = []
    monkeypatch.setattr(bootstrap, "ensure", lambda _root: None)
    monkeypatch.setattr(bootstrap.os, "chdir", ran.append)
    monkeypatch.setattr(bootstrap.os, "execv", lambda *arguments: ran.append(arguments))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    with pytest.raises(AssertionError):
        bootstrap.main(root, ["deploy-all"])
    # Nothing was compiled at installation, so what is imported must be allowed to stay compiled.
    assert "PYTHONDONTWRITEBYTECODE" not in os.environ
    python = str(root / ".venv/bin/python")
    assert ran == [root, (python, [python, "-m", "ops.program", "deploy-all"])]


@pytest.mark.parametrize(
    ("fault", "code"), [(BootstrapError("no network"), 3), (KeyboardInterrupt(), 130)]
)
def test_a_fault_of_the_machine_ends_with_one_line_and_its_code(
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    fault: BaseException,
    code: int,
) -> None:
    """First light: one line, and an exit code of its own."""

    def failing(_root: Path) -> None:
        raise fault

    monkeypatch.setattr(bootstrap, "ensure", failing)
    assert bootstrap.main(root, []) == code
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("./inv: ")


def test_without_a_python_that_is_new_enough_inv_says_so(tmp_path: Path) -> None:
    """First light: an old Python gets one line, not a syntax error."""
    (tmp_path / "inv").write_bytes((ROOT / "inv").read_bytes())
    (tmp_path / "python3").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "python3").chmod(0o755)
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("sh", "dirname", "readlink"):
        (tools / tool).symlink_to(f"/bin/{tool}" if Path(f"/bin/{tool}").exists() else tool)
    answer = subprocess.run(
        ["/bin/sh", str(tmp_path / "inv"), "--list"],
        env={"PATH": os.pathsep.join((str(tools), str(tmp_path)))},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert answer.returncode == 3
    (line,) = answer.stderr.strip().splitlines()
    assert "Python 3.11 or newer" in line
