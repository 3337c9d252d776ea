"""The pins of ``requirements.txt``: their wheels on every platform and Python that README.md names,
the hashes of these wheels, and what is known of their faults.

``pip`` itself is asked, so whatever index and certificates it is configured with are used.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from invoke.context import Context
from packaging.utils import canonicalize_name

from ops import bootstrap, node, workspace
from ops.errors import ExitCode, OperatorError

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
"""Every Python that README.md names."""

_GLIBC = ("manylinux_2_28", "manylinux_2_27", "manylinux_2_26", "manylinux_2_24",
          "manylinux_2_17", "manylinux2014", "manylinux_2_12", "manylinux2010", "manylinux_2_5",
          "manylinux1")  # fmt: skip
"""From glibc 2.28 down: the wheels that a newer one takes, too."""

PLATFORMS: Mapping[str, tuple[str, ...]] = {
    "Linux x86-64": tuple(f"{tag}_x86_64" for tag in _GLIBC),
    "Linux arm64": tuple(f"{tag}_aarch64" for tag in _GLIBC[:6]),
    "macOS arm64": ("macosx_13_0_arm64",),
}
"""Every platform that README.md names, and the tags of the wheels that its oldest version takes."""

AT_A_TIME = 2
"""How many pips run at once: an index without separate metadata makes each download all wheels."""
PIP_SECONDS = 1200.0
"""Longest run of one pip, in seconds."""


@dataclass(frozen=True)
class Wheel:
    """The file that pip would install for a pin, and its SHA-256 (hexadecimal)."""

    file: str
    sha256: str

    @property
    def everywhere(self) -> bool:
        """Whether it is for every platform."""
        return self.file.endswith("-any.whl")


@dataclass(frozen=True)
class Place:
    """A platform and a Python."""

    platform: str
    python: str

    def __str__(self) -> str:
        return f"{self.platform}, Python {self.python}"


def check() -> None:
    """Raises with exit code 5 unless every pin has a wheel for every platform and Python that
    README.md names, and its hash is in requirements.txt."""
    text = _file().read_text("utf-8")
    known = {_name(pin): _hashes(pin) for pin in _pins(text)}
    lacking = {
        f"{wheel.file} ({place})"
        for place, wheels in _all_wheels(text).items()
        for name, wheel in wheels.items()
        if wheel.sha256 not in known[name]
    }
    if lacking:
        raise OperatorError(
            f"requirements.txt has no hash of {', '.join(sorted(lacking))}: run ./inv pins.write",
            ExitCode.DIFFERENCE,
        )
    print(
        f"all {len(known)} pins have wheels, pinned by hash, for {', '.join(PLATFORMS)} "
        f"and Python {', '.join(PYTHONS)}"
    )


def write() -> None:
    """Writes the hashes of all these wheels into requirements.txt; groups and comments stay."""
    file = _file()
    text = file.read_text("utf-8")
    hashes: dict[str, set[str]] = {}
    for wheels in _all_wheels(text).values():
        for name, wheel in wheels.items():
            hashes.setdefault(name, set()).add(wheel.sha256)
    file.write_text(with_hashes(text, hashes), "utf-8")
    print(f"{sum(map(len, hashes.values()))} hashes of {len(hashes)} pins written to {file.name}")


def audit(c: Context) -> None:
    """Asks the registries' vulnerability services about every pin, Python's and Node.js's; raises
    with exit code 5 when one is known to be faulty, or wasn't judged (``--strict``): a service
    that isn't reached must not look like a clean answer."""
    root = workspace.find().repository
    require(root, bootstrap.AUDIT)
    requirements = shlex.quote(str(root / "requirements.txt"))
    functions = shlex.quote(str(root / "lambda_src" / "api"))
    commands = [
        f"{shlex.quote(sys.executable)} -m pip_audit --strict --disable-pip "
        f"--require-hashes --progress-spinner off -r {requirements}",
        f"{node.npm()} audit --prefix {functions}",
    ]
    failed = []
    for command in commands:
        answer = c.run(command, warn=True, in_stream=False, echo=True)
        if answer is None or answer.exited != 0:
            failed.append(command)
    if failed:
        raise OperatorError(
            f"found by, or without its vulnerability service: {'; '.join(failed)}",
            ExitCode.DIFFERENCE,
        )


def require(root: Path, group: str) -> None:
    """Installs a group of requirements.txt where commands run in the environment of ``./inv``;
    another environment is its owner's."""
    if Path(sys.prefix) != root / ".venv":
        return
    try:
        bootstrap.ensure(root, group)
    except bootstrap.BootstrapError as error:
        raise OperatorError(str(error), ExitCode.ENVIRONMENT) from None


def with_hashes(text: str, hashes: Mapping[str, Iterable[str]]) -> str:
    """``requirements.txt`` with these hashes, by canonical name, in place of those it has."""
    lines = []
    for line in re.sub(r"\s*\\\n", " ", text).splitlines():
        pin = line.partition(" --hash=")[0].rstrip()
        if pin and not pin.startswith("#"):
            known = sorted(hashes[_name(pin)])
            pin = " \\\n".join([pin, *(f"    --hash=sha256:{digest}" for digest in known)])
        lines.append(pin)
    return "\n".join(lines) + "\n"


def _all_wheels(text: str) -> dict[Place, dict[str, Wheel]]:
    """What pip would install on each platform with each Python; by canonical name."""
    pins = [pin.partition(" --hash=")[0] for pin in _pins(text)]
    first, *others = PLATFORMS
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        places = [Place(first, python) for python in PYTHONS]
        found = dict(zip(places, pool.map(lambda place: wheels(pins, place), places), strict=True))
        # A wheel for every platform was found already.
        special = [
            pin for pin in pins if any(not found[place][_name(pin)].everywhere for place in places)
        ]
        more = [Place(platform, python) for platform in others for python in PYTHONS]
        found |= zip(more, pool.map(lambda place: wheels(special, place), more), strict=True)
    return found


def wheels(pins: Sequence[str], place: Place) -> dict[str, Wheel]:
    """What pip would install for these pins at a place; raises with the pin that has no wheel."""
    with tempfile.TemporaryDirectory(prefix="warm-standby-pins-") as directory:
        requirements, report = Path(directory) / "requirements.txt", Path(directory) / "report.json"
        requirements.write_text("\n".join(pins) + "\n", "utf-8")
        command = [
            sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--no-input",
            "--ignore-installed", "--no-deps", "--only-binary", ":all:", "--implementation", "cp",
            "--python-version", place.python, "--target", directory, "--report", str(report),
            "-r", str(requirements),
            *(word for tag in PLATFORMS[place.platform] for word in ("--platform", tag)),
        ]  # fmt: skip
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=PIP_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            raise OperatorError(
                f"{place}: pip took more than {PIP_SECONDS:.0f} s: check the network, then "
                "run again"
            ) from None
        if done.returncode != 0:
            said = [line for line in done.stderr.splitlines() if line.startswith("ERROR:")]
            raise OperatorError(
                f"{place}: {(said or ['pip failed'])[-1].removeprefix('ERROR: ')}: pin a version "
                "that has wheels there, or take the place out of README.md",
                ExitCode.DIFFERENCE,
            )
        return dict(map(_wheel, json.loads(report.read_text("utf-8"))["install"]))


def _wheel(item: Mapping[str, dict[str, object]]) -> tuple[str, Wheel]:
    download: dict[str, object] = item["download_info"]
    archive = download["archive_info"]
    assert isinstance(archive, dict)  # noqa: S101 - pip's installation report, version 1
    file = str(download["url"]).rpartition("/")[2]
    return canonicalize_name(str(item["metadata"]["name"])), Wheel(
        file, archive["hashes"]["sha256"]
    )


def _file() -> Path:
    return workspace.find().repository / "requirements.txt"


def _pins(text: str) -> list[str]:
    """Every pin of every group, with its hashes."""
    return [pin for group in bootstrap.groups_of(text).values() for pin in group]


def _name(pin: str) -> str:
    """The canonical name of ``Name[extra]==1``."""
    return canonicalize_name(re.split(r"[\[=<>!~; ]", pin, maxsplit=1)[0])


def _hashes(pin: str) -> frozenset[str]:
    return frozenset(re.findall(r"--hash=sha256:([0-9a-f]{64})", pin))
