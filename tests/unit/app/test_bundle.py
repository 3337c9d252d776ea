"""The application's bundle: made when needed, the same bytes each time, one line when it fails."""

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import bundle
from bundle import BundleError, bundle_function, source_hash
from tapstack import node_packages
from tapstack.node import Node, NodeError


class Commands:
    """Stands in for the processes: records what was started and does what esbuild would."""

    def __init__(self) -> None:
        self.started: list[list[str]] = []
        self.paths: list[str] = []
        self.failures: dict[str, subprocess.CompletedProcess[str] | Exception] = {}

    def names(self) -> list[str]:
        """The first argument of all that was started."""
        return [command[1] for command in self.started]

    def __call__(
        self, command: list[str], *, cwd: Path, env: dict[str, str], **_: object
    ) -> subprocess.CompletedProcess[str]:
        self.started.append(list(command))
        self.paths.append(env["PATH"])
        for word, failure in self.failures.items():
            if word in command:
                if isinstance(failure, Exception):
                    raise failure
                return failure
        if "ci" in command:
            (cwd / "node_modules").mkdir(exist_ok=True)
        if "build.mjs" in command:
            output = Path(command[-1])
            output.mkdir()
            (output / "index.mjs").write_text((cwd / "src" / "index.mjs").read_text().upper())
        return subprocess.CompletedProcess(command, 0, "", "")


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> Commands:
    """Processes that don't run, and a Node.js on PATH."""
    fake = Commands()
    monkeypatch.setattr(node_packages.subprocess, "run", fake)
    monkeypatch.setattr(bundle.node, "find", lambda _path: Node("/opt/node/node", "v22.1.0"))
    monkeypatch.setattr(bundle.node, "npm", lambda _node, _path: ("/opt/node/npm",))
    return fake


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """The sources of an application."""
    root = tmp_path / "api"
    (root / "src" / "aws").mkdir(parents=True)
    for name in ("package.json", "package-lock.json", "build.mjs"):
        (root / name).write_text(name)
    (root / "src" / "index.mjs").write_text("one")
    (root / "src" / "aws" / "ssm.mjs").write_text("two")
    return root


def test_unchanged_sources_start_no_process(commands: Commands, source: Path) -> None:
    """R2.1, reproducible: npm and esbuild run for the first bundle and not for the second."""
    output = bundle_function(source, source / "dist")
    assert output == (source / "dist").resolve()
    assert (output / "index.mjs").read_text() == "ONE"
    assert commands.names() == ["ci", "build.mjs"]
    count = len(commands.started)
    assert bundle_function(source, source / "dist") == output
    assert len(commands.started) == count


def test_a_changed_source_runs_esbuild_alone(commands: Commands, source: Path) -> None:
    """npm runs only for another package-lock.json."""
    bundle_function(source, source / "dist")
    (source / "src" / "index.mjs").write_text("changed")
    output = bundle_function(source, source / "dist")
    assert (output / "index.mjs").read_text() == "CHANGED"
    assert commands.names() == ["ci", "build.mjs", "build.mjs"]
    (source / "package-lock.json").write_text("newer")
    bundle_function(source, source / "dist")
    assert commands.names()[3:] == ["ci", "build.mjs"]


def _truncate(output: Path) -> None:
    (output / "index.mjs").write_text("")


def _remove(output: Path) -> None:
    (output / "index.mjs").unlink()
    output.rmdir()


def _spoil_stamp(output: Path) -> None:
    output.with_name(".dist.json").write_text("{")


@pytest.mark.parametrize("damage", [_truncate, _remove, _spoil_stamp])
def test_a_damaged_bundle_is_built_again(
    commands: Commands, source: Path, damage: Callable[[Path], None]
) -> None:
    """A bundle that isn't as it was built never reaches a function."""
    output = bundle_function(source, source / "dist")
    damage(output)
    bundle_function(source, source / "dist")
    assert (output / "index.mjs").read_text() == "ONE"
    assert commands.names() == ["ci", "build.mjs", "build.mjs"]


def test_a_failed_build_leaves_the_last_bundle(commands: Commands, source: Path) -> None:
    """N7: an interrupted or failing build takes nothing away, and the next one builds."""
    output = bundle_function(source, source / "dist")
    (source / "src" / "index.mjs").write_text("broken")
    said = "\n✘ [ERROR] Could not resolve\n    more\n"
    commands.failures["build.mjs"] = subprocess.CompletedProcess([], 1, "", said)
    with pytest.raises(BundleError, match=r"esbuild ended with 1 \(✘ \[ERROR\] Could not resolve"):
        bundle_function(source, source / "dist")
    assert (output / "index.mjs").read_text() == "ONE"
    commands.failures.clear()
    bundle_function(source, source / "dist")
    assert (output / "index.mjs").read_text() == "BROKEN"


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (
            subprocess.CompletedProcess([], 1, "", "npm warn x\nnpm error code ENOTFOUND\nnpm y"),
            r"ended with 1 \(npm error code ENOTFOUND\)",
        ),
        (subprocess.CompletedProcess([], 2, "said so\n", ""), r"ended with 2 \(said so\)"),
        (subprocess.CompletedProcess([], 3, "", ""), r"ended with 3 \(no message\)"),
        (subprocess.TimeoutExpired("npm", 300), "took more than 300 s"),
        (PermissionError(13, "Permission denied"), r"could not start \(Permission denied\)"),
    ],
)
def test_a_failed_npm_is_one_line_that_says_what_it_said(
    commands: Commands,
    source: Path,
    failure: subprocess.CompletedProcess[str] | Exception,
    reason: str,
) -> None:
    """What failed, why, and what to run next, in one line."""
    commands.failures["ci"] = failure
    with pytest.raises(BundleError, match=reason) as caught:
        bundle_function(source, source / "dist")
    assert "\n" not in str(caught.value)
    assert "npm ci" in str(caught.value)
    assert "./inv up --layer app" in str(caught.value)
    # Only where it was the cause: its code says so, or npm waited for its registry to the end.
    network = "ENOTFOUND" in reason or "took more" in reason
    assert ("check the network" in str(caught.value)) is network


def test_incomplete_sources_are_named(source: Path) -> None:
    """A checkout without its lock file is refused before anything runs."""
    (source / "package-lock.json").unlink()
    with pytest.raises(BundleError, match=r"api has no package-lock\.json"):
        bundle_function(source, source / "dist")


def test_the_hash_goes_by_names_and_contents_alone(source: Path, tmp_path: Path) -> None:
    """The same sources in another folder, made in another order, have the same hash."""
    other = tmp_path / "elsewhere"
    for path in sorted((file for file in source.rglob("*") if file.is_file()), reverse=True):
        copy = other / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    assert source_hash(other) == source_hash(source)
    (other / "test").mkdir()
    (other / "test" / "x.mjs").write_text("tests are not in the bundle")
    assert source_hash(other) == source_hash(source)
    (other / "src" / "aws" / "ssm.mjs").rename(other / "src" / "aws" / "renamed.mjs")
    assert source_hash(other) != source_hash(source)


def test_npm_finds_the_node_that_was_chosen(commands: Commands, source: Path) -> None:
    """npm starts ``node`` by name: its folder stands first on PATH, the rest behind it."""
    bundle_function(source, source / "dist")
    assert all(path.startswith("/opt/node:") for path in commands.paths)


def test_a_machine_without_node_or_npm_learns_what_to_install(
    commands: Commands, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ``tapstack.node`` found wanting is the bundle's one line; nothing was started."""
    for missing in ("npm", "find"):

        def absent(*_given: object, missing: str = missing) -> None:
            raise NodeError(f"no {missing} here")

        monkeypatch.setattr(bundle.node, missing, absent)
        with pytest.raises(BundleError, match=f"bundling lambda_src/api failed: no {missing} here"):
            bundle_function(source, source / "dist")
    assert commands.started == []


def test_two_at_once_build_once(commands: Commands, source: Path) -> None:
    """Two deployments of one checkout: one builds, the other waits and takes its bundle."""
    threads = [
        threading.Thread(target=bundle_function, args=(source, source / "dist")) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert commands.names() == ["ci", "build.mjs"]


def test_a_lock_that_stays_taken_is_reported(
    commands: Commands, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Waiting ends, and the message says for whom it waited."""
    monkeypatch.setattr(node_packages, "LOCK_SECONDS", 0.05)
    hold = "import fasteners, sys; held = fasteners.InterProcessLock(sys.argv[1]); held.acquire(); print('held', flush=True); input()"  # noqa: E501
    lock = str(source / ".bundle.lock")
    with subprocess.Popen(
        [sys.executable, "-c", hold, lock], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(BundleError, match="another process has bundled api"):
            bundle_function(source, source / "dist")
        holder.communicate("\n")
    assert commands.started == []
    bundle_function(source, source / "dist")
    assert commands.names() == ["ci", "build.mjs"]
