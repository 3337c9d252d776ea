"""Random sequences of deploy, edit, kill, refresh and destroy over a real plugin, and their check.

The cloud is a folder of files, one a resource: it is the truth that states are compared with. Of
each sequence is required: ``up`` converges in at most two runs (cloud, state and program agree,
nothing is left on record as begun or replaced, a preview plans nothing), and then ``destroy``
leaves nothing. Everything of a sequence follows from its seed.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import unmeasured
from left_running import none_left, processes

FIXTURE = Path(__file__).parent / "fixture"
SIGKILL = 9
LAYER = "drawn"
FAULTS = (
    "before", "after", "dies-before", "dies-after", "fails", "unsure-before", "unsure-after",
)  # fmt: skip
_WAIT = 10.0  # seconds that processes may take to end after a kill


@dataclass(frozen=True)
class Thing:
    """One resource of a drawn program; links name other things by their URN's name."""

    urn: str
    name: str
    zone: int
    size: int
    after: str = ""
    within: str = ""


@dataclass(frozen=True)
class Action:
    """One operation, with what goes wrong in it, over the program as it is then."""

    operation: str
    """up, refresh or destroy"""
    program: tuple[Thing, ...] = ()
    kill: str = ""
    """FAKE_KILL: ``<n>:<what>`` at the n-th changing call"""
    kill_write: str = ""
    """FAKE_KILL_WRITE: ``<n>:before|after`` at the n-th write of the checkpoint"""

    def __str__(self) -> str:
        wrong = self.kill or (f"write {self.kill_write}" if self.kill_write else "")
        things = " ".join(
            f"{one.urn}={one.name}/{one.zone}/{one.size}"
            + (f">{one.after}" if one.after else "")
            + (f"@{one.within}" if one.within else "")
            for one in self.program
        )
        return f"{self.operation:8} {wrong:15} {things}"


@dataclass
class Draw:
    """Draws programs, edits and actions; a program's things and links stay of their kind.

    A base may be renamed, and what is ``after`` it is updated in place. A zoned thing may change
    its zone, too, which deletes it first, so that what is ``within`` it must be replaced with it.
    """

    seed: int
    _random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def sequence(self) -> tuple[Action, ...]:
        """Three to seven actions, each over an edited program."""
        chance = self._random
        program = self._program()
        actions: list[Action] = []
        for _ in range(chance.randint(3, 7)):
            if actions and chance.random() < 0.7:
                program = self._edited(program, [one.program for one in actions])
            operation = chance.choices(("up", "destroy", "refresh"), (6, 3, 2))[0]
            kill = kill_write = ""
            if chance.random() < 0.75:
                if chance.random() < 0.75:
                    kill = f"{chance.randint(1, 6)}:{chance.choice(FAULTS)}"
                else:
                    kill_write = f"{chance.randint(1, 12)}:{chance.choice(('before', 'after'))}"
            actions.append(Action(operation, program, kill, kill_write))
        return tuple(actions)

    def _program(self) -> tuple[Thing, ...]:
        chance = self._random
        things: list[Thing] = []
        for urn in "abcdef"[: chance.randint(3, 6)]:
            zoned = chance.random() < 0.5
            bases = [one.urn for one in things if one.urn[0] == "b"]
            zones = [one.urn for one in things if one.urn[0] == "z"]
            after = chance.choice(bases) if bases and chance.random() < 0.6 else ""
            within = chance.choice(zones) if zoned and zones and chance.random() < 0.6 else ""
            name = f"{'z' if zoned else 'b'}{urn}"
            things.append(Thing(name, f"{name}-0", 0, 0, after, within))
        return tuple(things)

    def _edited(
        self, program: tuple[Thing, ...], past: list[tuple[Thing, ...]]
    ) -> tuple[Thing, ...]:
        chance = self._random
        if chance.random() < 0.3:
            return chance.choice(past)
        things = list(program)
        for _ in range(chance.randint(1, 2)):
            index = chance.randrange(len(things))
            thing = things[index]
            edits = ["rename", "resize", "drop", *(["move"] if thing.urn[0] == "z" else [])]
            match chance.choice(edits):
                case "rename":
                    things[index] = replace(thing, name=f"{thing.urn}-{chance.randint(0, 2)}")
                case "resize":
                    things[index] = replace(thing, size=chance.randint(0, 2))
                case "move":
                    things[index] = replace(thing, zone=chance.randint(0, 2))
                case _:
                    used = {link for one in things for link in (one.after, one.within)}
                    if thing.urn not in used and len(things) > 1:
                        del things[index]
        return tuple(things)


class Driver:
    """One process that runs operations in children of its own."""

    def __init__(self) -> None:
        self._directory = tempfile.mkdtemp(prefix="warm-standby-nursery-")
        self._nursery = subprocess.Popen(
            [sys.executable, str(FIXTURE / "nursery.py"), "serve", self._socket],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=unmeasured.environment(GRPC_VERBOSITY="NONE"),
        )
        assert self._nursery.stdout
        self._nursery.stdout.readline()
        self._process = subprocess.Popen(
            [sys.executable, str(FIXTURE / "driver.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=unmeasured.environment(GRPC_VERBOSITY="NONE"),
            text=True,
        )

    def run(
        self, layer: str, operation: str, place: Path, environment: dict[str, str]
    ) -> tuple[int, str]:
        """Exit code and output of one operation."""
        assert self._process.stdin and self._process.stdout
        variables = {
            "FAKE_CLOUD": str(place / "cloud"),
            "FAKE_NURSERY": self._socket,
            **environment,
        }
        request = [layer, operation, str(place / "state"), variables]
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        code, output = json.loads(self._process.stdout.readline())
        return code, output

    def close(self) -> None:
        """Ends the process, and the one that forks plugins for it."""
        for process in (self._process, self._nursery):
            assert process.stdin and process.stdout
            process.stdin.close()
            process.wait(timeout=10)
            process.stdout.close()
        shutil.rmtree(self._directory)

    @property
    def _socket(self) -> str:
        return str(Path(self._directory) / "socket")


def play(driver: Driver, actions: tuple[Action, ...]) -> str:
    """Plays a sequence and requires its convergence; what went wrong, or an empty text."""
    place = Path(tempfile.mkdtemp(prefix="warm-standby-sequence-"))
    try:
        (place / "cloud").mkdir()
        for action in actions:
            _act(driver, place, action)
            if not none_left(place, _WAIT):
                return f"left running after {action}: {processes(place)}"
        return _converged(driver, place, actions[-1].program) or _destroyed(driver, place)
    finally:
        shutil.rmtree(place)


def _act(driver: Driver, place: Path, action: Action) -> tuple[int, str]:
    (place / "cloud" / "calls.log").unlink(missing_ok=True)
    return driver.run(
        LAYER,
        action.operation,
        place,
        {
            "FAKE_STRICT": "1",
            "FAKE_DRAWN": json.dumps([vars(one) for one in action.program]),
            "FAKE_KILL": action.kill,
            "FAKE_KILL_WRITE": action.kill_write,
        },
    )


def _converged(driver: Driver, place: Path, program: tuple[Thing, ...]) -> str:
    said = []
    for _ in range(2):
        code, output = _act(driver, place, Action("up", program))
        said.append(output.strip())
        if code == 0:
            wrong = _disagreement(driver, place, program)
            if not wrong:
                return ""
            said.append(wrong)
    return "up does not converge: " + "\n  ".join(said)


def _disagreement(driver: Driver, place: Path, program: tuple[Thing, ...]) -> str:
    """How cloud, state and program differ; an empty text when they agree."""
    cloud = _cloud(place)
    deployment = json.loads(_state_file(place).read_text())["deployment"]
    things = [one for one in deployment["resources"] if one["type"] == "fake:index:Thing"]
    arns = {one.urn: cloud.get(one.name, {}).get("arn", "missing") for one in program}
    wanted = {
        one.name: {
            "name": one.name,
            "zone": one.zone,
            "size": one.size,
            **{link: arns[urn] for link in ("after", "within") if (urn := getattr(one, link))},
            "arn": arns[one.urn],
        }
        for one in program
    }
    if cloud != wanted:
        return f"cloud {cloud}, wanted {wanted}"
    state = {one["outputs"]["name"]: one["outputs"] for one in things}
    if state != wanted or len(things) != len(wanted):
        return f"state {state}, wanted {wanted}"
    if deployment["pending_operations"] or any(one.get("delete") for one in things):
        return f"left on record: {deployment['pending_operations']}"
    order = [one["urn"] for one in deployment["resources"]]
    for number, one in enumerate(deployment["resources"]):
        if not set(one.get("dependencies", ())) <= set(order[:number]):
            return f"{one['urn']} comes before what it depends on"
    code, output = _act(driver, place, Action("preview", program))
    if code or f"same={len(program)}," not in output or "changed" in output:
        return f"a preview plans changes: {output}"
    return ""


def _destroyed(driver: Driver, place: Path) -> str:
    code, output = _act(driver, place, Action("destroy"))
    if code:
        return f"destroy failed: {output}"
    left = _cloud(place)
    return f"destroy left {sorted(left)}" if left or _state_file(place).exists() else ""


def _cloud(place: Path) -> dict[str, dict[str, Any]]:
    return {path.stem: json.loads(path.read_text()) for path in (place / "cloud").glob("*.json")}


def _state_file(place: Path) -> Path:
    return place / "state" / LAYER / "lab.json"


def smallest(driver: Driver, actions: tuple[Action, ...], seconds: float) -> tuple[Action, ...]:
    """The sequence with every action left out whose absence still lets it fail."""
    deadline = time.monotonic() + seconds
    index = 0
    while index < len(actions) and time.monotonic() < deadline:
        fewer = actions[:index] + actions[index + 1 :]
        if fewer and play(driver, fewer):
            actions = fewer
        else:
            index += 1
    return actions


def report(seed: int, actions: tuple[Action, ...], wrong: str) -> str:
    """A failed sequence as people need it to play it again."""
    return "\n".join([f"seed {seed}: {wrong}", *(f"  {action}" for action in actions)])
