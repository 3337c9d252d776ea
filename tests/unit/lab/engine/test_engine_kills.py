"""The engine is killed at twenty moments of ``up`` and ``destroy``; the next run finishes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import unmeasured
from left_running import none_left, processes

FIXTURE = Path(__file__).parent / "fixture"
SIGKILL = 9
SECONDS_TO_END = 5.0


class Driver:
    """One process that runs operations in children of its own."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(FIXTURE / "driver.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=unmeasured.environment(),
            text=True,
        )

    def run(self, layer: str, operation: str, place: Path, kill: str = "") -> tuple[int, str]:
        """Exit code and output of one operation."""
        assert self._process.stdin and self._process.stdout
        environment = {"FAKE_CLOUD": str(place / "cloud"), "FAKE_KILL": kill}
        request = [layer, operation, str(place / "state"), environment]
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        code, output = json.loads(self._process.stdout.readline())
        return code, output

    def close(self) -> None:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        self._process.wait(timeout=10)
        self._process.stdout.close()


@pytest.fixture(scope="module")
def drivers() -> Iterator[list[Driver]]:
    made = [Driver(), Driver()]
    yield made
    for driver in made:
        driver.close()


@pytest.fixture(scope="module")
def deployed(drivers: list[Driver], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both layers deployed, to be copied."""
    place = tmp_path_factory.mktemp("deployed")
    (place / "cloud").mkdir()
    assert drivers[0].run("lower", "up", place)[0] == 0
    assert drivers[0].run("upper", "up", place)[0] == 0
    (place / "cloud" / "calls.log").unlink()
    return place


def in_state(place: Path, layer: str) -> set[str]:
    """Physical names of the resources that a layer's checkpoint holds."""
    path = place / "state" / layer / "lab.json"
    if not path.exists():
        return set()
    resources = json.loads(path.read_text())["deployment"]["resources"]
    return {one["inputs"]["name"] for one in resources if one["type"] == "fake:index:Thing"}


def in_cloud(place: Path) -> set[str]:
    return {path.stem for path in (place / "cloud").glob("*.json")}


# A destroy starts no program, so its moments cost half as much: they are the many.
MOMENTS = (
    *(("lower", "up", moment) for moment in ("1:before", "1:after", "3:after", "5:before")),
    *(("upper", "up", moment) for moment in ("1:after", "2:before")),
    *(("lower", "destroy", f"{n}:{when}") for n in range(1, 6) for when in ("before", "after")),
    *(("upper", "destroy", f"{n}:{when}") for n in (1, 2) for when in ("before", "after")),
)
LOWER = {"base", "leaf-0", "leaf-1", "leaf-2", "guarded"}
UPPER = {"first", "second"}


def prepared(deployed: Path, place: Path, layer: str, operation: str) -> set[str]:
    """The place as it is before the operation; what must exist in the cloud when all is done."""
    if (layer, operation) == ("lower", "up"):
        (place / "cloud").mkdir(parents=True)
        return LOWER
    shutil.copytree(deployed, place)
    if (layer, operation) == ("upper", "destroy"):
        return LOWER
    (place / "state" / "upper" / "lab.json").unlink()
    for name in UPPER:
        (place / "cloud" / f"{name}.json").unlink()
    return LOWER | UPPER if operation == "up" else set()


def one_kill(driver: Driver, deployed: Path, place: Path, moment: tuple[str, str, str]) -> None:
    layer, operation, kill = moment
    wanted = prepared(deployed, place, layer, operation)
    code, output = driver.run(layer, operation, place, kill)
    assert code == -SIGKILL, f"{moment}: not killed: {code} {output}"
    assert none_left(place, SECONDS_TO_END), f"{moment}: left running: {processes(place)}"
    code, output = driver.run(layer, operation, place)
    assert code == 0, f"{moment}: the next run failed: {output}"
    assert in_cloud(place) == wanted, moment
    assert in_state(place, "lower") | in_state(place, "upper") == wanted, moment
    path = place / "state" / layer / "lab.json"
    if path.exists():
        assert json.loads(path.read_text())["deployment"]["pending_operations"] == []
    assert none_left(place, SECONDS_TO_END), f"{moment}: left running: {processes(place)}"


def test_a_kill_at_any_moment_is_made_good_by_the_next_run(
    drivers: list[Driver], deployed: Path, tmp_path: Path
) -> None:
    """N7, trap 44: after SIGKILL of the engine before or after a call took effect, the next run
    finishes with nothing orphaned or lost, and no plugin or program process stays behind (twenty
    times)."""
    assert len(MOMENTS) == 20

    def half(index: int) -> None:
        for number, moment in list(enumerate(MOMENTS))[index::2]:
            one_kill(drivers[index], deployed, tmp_path / str(number), moment)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(half, (0, 1)))
