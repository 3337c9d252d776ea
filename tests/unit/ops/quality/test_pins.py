"""What holds requirements.txt to the platforms and Pythons that README.md names."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from invoke.context import MockContext
from invoke.runners import Result
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ops import bootstrap
from ops.errors import ExitCode, OperatorError
from ops.quality import pins
from ops.workspace import Workspace

ROOT = Path(bootstrap.__file__).resolve().parents[1]
TEXT = """# pinned
# [run] needed
Rich_text[x]==1 \\
    --hash=sha256:old
wrapt==2

# [check] more
ruff==3
"""
Ran = Callable[..., subprocess.CompletedProcess[str]]


def digest(file: str) -> str:
    """A hash of its own for each file."""
    return f"{sum(map(ord, file)):064x}"


@pytest.fixture
def space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A workspace with three pins of which one has a wheel for every platform."""
    (tmp_path / "requirements.txt").write_text(TEXT)
    made = Workspace(tmp_path, tmp_path)
    monkeypatch.setattr(pins.workspace, "find", lambda: made)
    return made


def asked(command: list[str]) -> tuple[list[str], str, str]:
    """The pins, the Python and the first platform tag that pip is asked for."""
    requirements = Path(command[command.index("-r") + 1]).read_text().split()
    python = command[command.index("--python-version") + 1]
    return requirements, python, command[command.index("--platform") + 1]


@pytest.fixture
def pip(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], str, str]]:
    """A pip that finds a wheel for everything; answers what it was asked for."""
    seen = []

    def run(command: list[str], **_options: object) -> subprocess.CompletedProcess[str]:
        requirements, python, tag = asked(command)
        seen.append((requirements, python, tag))
        items = []
        for pin in requirements:
            name, _, version = pin.replace("[x]", "").partition("==")
            tags = "py3-none-any" if name != "wrapt" else f"cp{python.replace('.', '')}-{tag}"
            file = f"{name}-{version}-{tags}.whl"
            archive = {"hashes": {"sha256": digest(file)}}
            download = {"url": f"https://index/{file}", "archive_info": archive}
            items.append({"metadata": {"name": name}, "download_info": download})
        report = command[command.index("--report") + 1]
        Path(report).write_text(json.dumps({"install": items}))
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(pins.subprocess, "run", run)
    return seen


def test_hashes_of_every_platform_are_written_and_then_hold(
    space: Workspace, pip: list[tuple[list[str], str, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    """One hash of a wheel for every platform, and one for each platform and Python of
    the others; names, groups and comments stay."""
    with pytest.raises(OperatorError, match=r"no hash of .*wrapt-2-cp311.* \(Linux x86-64, P") as e:
        pins.check()
    assert e.value.code is ExitCode.DIFFERENCE
    pins.write()
    text = (space.repository / "requirements.txt").read_text()
    places = len(pins.PYTHONS) * len(pins.PLATFORMS)
    assert f"{places + 2} hashes of 3 pins" in capsys.readouterr().out
    assert "old" not in text
    assert re.sub(r" \\\n    --hash=sha256:\w{64}", "", text) == TEXT.replace(
        " \\\n    --hash=sha256:old", ""
    )
    assert text.count("--hash") == places + 2
    pins.check()
    assert "all 3 pins have wheels" in capsys.readouterr().out
    first = next(iter(pins.PLATFORMS.values()))[0]
    for requirements, _, tag in pip:
        # What has a wheel for every platform is asked for once a Python.
        assert requirements == (
            ["Rich_text[x]==1", "wrapt==2", "ruff==3"] if tag == first else ["wrapt==2"]
        )
    assert {(python, tag) for _, python, tag in pip} == {
        (python, tags[0]) for python in pins.PYTHONS for tags in pins.PLATFORMS.values()
    }


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("WARNING: x\nERROR: Could not find\nERROR: No matching distribution found for wrapt==2",
         r"Linux x86-64, Python 3\.11: No matching distribution found for wrapt==2: pin a version"),
        ("", r"Linux x86-64, Python 3\.11: pip failed: pin"),
    ],
)  # fmt: skip
def test_a_pin_without_a_wheel_is_named_with_the_place_that_lacks_it(
    space: Workspace, monkeypatch: pytest.MonkeyPatch, said: str, shown: str
) -> None:
    """A pin that would break a platform is found before anyone installs it."""
    failed = subprocess.CompletedProcess([], 1, "", said)
    monkeypatch.setattr(pins.subprocess, "run", lambda *_given, **_options: failed)
    with pytest.raises(OperatorError, match=shown) as caught:
        pins.check()
    assert caught.value.code is ExitCode.DIFFERENCE


def test_an_index_that_does_not_answer_is_one_line(
    space: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pip that hangs ends in no traceback."""

    def hang(*_given: object, **_options: object) -> None:
        raise subprocess.TimeoutExpired("pip", 1200)

    monkeypatch.setattr(pins.subprocess, "run", hang)
    with pytest.raises(OperatorError, match="pip took more than 1200 s: check the network"):
        pins.write()
    assert (space.repository / "requirements.txt").read_text() == TEXT


def test_every_pin_of_this_repository_has_hashes() -> None:
    """Pip verifies all of them or none; a pin without a hash would stop ./inv."""
    groups = bootstrap.groups_of((ROOT / "requirements.txt").read_text())
    assert list(groups) == [bootstrap.RUN, bootstrap.CHECK, bootstrap.AUDIT, bootstrap.AWS]
    for pin in [pin for group in groups.values() for pin in group]:
        assert re.fullmatch(r"\S+==\S+( --hash=sha256:[0-9a-f]{64})+", pin), pin[:60]


def test_what_is_installed_is_what_its_packages_ask_for() -> None:
    """Pins that were raised still fit those that weren't."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "check", "--disable-pip-version-check"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_readme_names_what_is_checked() -> None:
    """README.md promises these platforms and Pythons, and the check holds them."""
    text = (ROOT / "README.md").read_text()
    for promised in (*pins.PLATFORMS, *pins.PYTHONS):
        assert promised in text, promised


def test_the_pull_request_s_workflow_runs_both_commands_on_what_readme_names() -> None:
    """Each Python on one platform, and the other platforms with one Python."""
    workflow = yaml.safe_load((ROOT / ".github/workflows/pull-request.yml").read_text())
    job = workflow["jobs"]["fresh"]
    matrix = job["strategy"]["matrix"]
    assert tuple(matrix["python"]) == pins.PYTHONS
    runners = [*matrix["runner"], *(other["runner"] for other in matrix["include"])]
    kinds = {"ubuntu-24.04": "Linux x86-64", "ubuntu-24.04-arm": "Linux arm64"}
    assert {kinds.get(name, "macOS arm64") for name in runners} == set(pins.PLATFORMS)
    assert job["steps"][-1]["run"] == ".ci/fresh-machine python3"


def test_updates_are_proposed_for_everything_that_is_pinned() -> None:
    """Python's packages, Node.js's and the workflows' actions, where they lie."""
    asked = yaml.safe_load((ROOT / ".github/dependabot.yml").read_text())["updates"]
    places = {entry["package-ecosystem"]: entry["directory"].strip("/") for entry in asked}
    assert set(places) == {"pip", "npm", "github-actions"}
    assert (ROOT / places["pip"] / "requirements.txt").is_file()
    assert (ROOT / places["npm"] / "package-lock.json").is_file()


@pytest.mark.parametrize("code", [0, 1])
def test_an_audit_asks_for_python_s_and_node_s_pins(
    space: Workspace, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """Both run whatever the first found; a fault or no answer is exit code 5."""
    required: list[str] = []
    monkeypatch.setattr(pins, "require", lambda _root, group: required.append(group))
    monkeypatch.setattr(pins.node, "npm", lambda: "npm")
    ran: list[str] = []

    class Commands(MockContext):
        def run(self, command: str, **_options: object) -> Result:  # type: ignore[override]
            ran.append(command)
            return Result(exited=code)

    if code:
        with pytest.raises(OperatorError, match=r"pip_audit.*; npm audit") as caught:
            pins.audit(Commands())
        assert caught.value.code is ExitCode.DIFFERENCE
    else:
        pins.audit(Commands())
    assert required == [bootstrap.AUDIT]
    assert "pip_audit --strict --disable-pip --require-hashes" in ran[0]
    assert ran[1] == f"npm audit --prefix {space.repository}/lambda_src/api"


@pytest.mark.parametrize("group", ["run", "check", "audit", "aws"])
def test_every_package_that_a_pin_asks_for_is_a_pin(group: str) -> None:
    """N5: nothing is resolved at installation, so what a pinned package needs on this Python is
    pinned itself, in this group or one before it, at a version it takes, with the extras it names
    (a pip that resolves takes another version where the pin lacks them)."""
    groups = bootstrap.groups_of((ROOT / "requirements.txt").read_text("utf-8"))
    upto = list(groups)[: list(groups).index(group) + 1]
    pinned: dict[str, Requirement] = {}
    for pin in (pin for name in upto for pin in groups[name]):
        asked = Requirement(pin.partition(" --hash=")[0])
        asked.extras |= pinned.get(canonicalize_name(asked.name), asked).extras
        pinned[canonicalize_name(asked.name)] = asked
    try:
        installed = {name: metadata.distribution(name) for name in pinned}
    except metadata.PackageNotFoundError as missing:
        pytest.skip(f"{missing.name} isn't installed: ./inv pins.audit installs it")
    lacking = []
    for name, distribution in installed.items():
        for wanted in map(Requirement, distribution.requires or []):
            extras = pinned[name].extras | {""}
            if wanted.marker and not any(wanted.marker.evaluate({"extra": e}) for e in extras):
                continue
            if wanted.name == "pip":
                continue  # each environment of venv has its own
            pin = pinned.get(canonicalize_name(wanted.name))
            version = next(iter(pin.specifier)).version if pin else ""
            if not pin or version not in wanted.specifier or wanted.extras - pin.extras:
                lacking.append(f"{name} asks for {wanted}")
    assert lacking == []


def test_a_group_is_completed_in_our_own_environment_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lint and test bring what they need; an activated environment of someone else's is
    left as it is; a machine without network gets one line."""
    ensured: list[str] = []
    monkeypatch.setattr(pins.bootstrap, "ensure", lambda _root, group: ensured.append(group))
    pins.require(tmp_path, bootstrap.CHECK)
    assert ensured == []
    monkeypatch.setattr(sys, "prefix", str(tmp_path / ".venv"))
    pins.require(tmp_path, bootstrap.CHECK)
    assert ensured == [bootstrap.CHECK]

    def offline(_root: Path, _group: str) -> None:
        raise bootstrap.BootstrapError("the package index can't be reached")

    monkeypatch.setattr(pins.bootstrap, "ensure", offline)
    with pytest.raises(OperatorError, match="can't be reached") as caught:
        pins.require(tmp_path, bootstrap.CHECK)
    assert caught.value.code is ExitCode.ENVIRONMENT
