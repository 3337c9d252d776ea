"""``./inv bench faults [--minutes N]``: one fault at one moment, then the same command again.

Each round is a lab of its own: the four layers up one after the other, then down again, and in each
of these eight slots one fault at a random step. It resumes where it stopped: what was played is
kept in the lab's folder for as long as the code is the same. A point that failed is kept for ever,
and played again first. Errors are armed for every changing operation of a layer at once; each
resource type whose creating call has failed so is a point.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

import deploy_faults
from bench import Measurements, lab_of_its_own
from deploy_faults import Outcome, Slot, Strike
from deployed_lab import Lab
from kept import Kept, digest
from killing import census

from ops import workspace
from ops.errors import ExitCode
from tapstack.contracts import LAYERS

ROOT = Path(__file__).parents[2]
ENOUGH = 200
SLOTS = (
    *(Slot("up", layer) for layer in LAYERS),
    *(Slot("destroy", layer) for layer in reversed(LAYERS)),
)
STEPS = {"network": 120, "data": 86, "app": 38, "global": 83}
"""How many steps each layer takes; a moment is one of them."""
STRIKES: dict[str, Strike] = {
    "driver killed": deploy_faults.kill_driver,
    "lab killed": deploy_faults.kill_lab,
    "plugin killed": deploy_faults.kill_plugin,
    "PostgreSQL killed": deploy_faults.kill_postgres,
    "function worker killed": deploy_faults.kill_worker,
    "disk full for the lab": deploy_faults.full_disk_of_lab,
    "disk full for the driver": deploy_faults.full_disk_of_driver,
    "lab's state read-only": deploy_faults.read_only_lab,
    "stacks' state read-only": deploy_faults.read_only_state,
    "clock jump": deploy_faults.clock_jump,
}
ERRORS = {"throttled once": ("ThrottlingException", 1), "failing thrice": ("InternalFailure", 3)}
"""kind → (code, times); an SDK tries three times, so thrice is a call that fails."""
HALF = "package missing"
PACKAGES = ("boto3", "botocore", "google", "grpc", "psutil", "pulumi", "rich", "yaml")
KINDS = (*STRIKES, HALF, *ERRORS)
DATABASE = {Slot("up", "app"), Slot("up", "global"), *SLOTS[4:7]}
WORKERS = DATABASE - {Slot("destroy", "data")}

Census = Counter[tuple[str, str]]


@dataclass(frozen=True)
class Point:
    """One fault: its kind, in which slot, and after how many steps (or which package)."""

    kind: str
    task: str
    layer: str
    at: int

    @property
    def slot(self) -> Slot:
        """What is interrupted."""
        return Slot(self.task, self.layer)

    @property
    def package(self) -> str:
        """The package that is missing."""
        return PACKAGES[self.at % len(PACKAGES)]

    def __str__(self) -> str:
        if self.kind in ERRORS:
            return f"{self.kind}, {self.slot}"
        if self.kind == HALF:
            return f"{self.kind} ({self.package}), {self.slot}"
        return f"{self.kind} at step {self.at} of {self.slot}"


class Record:
    """What was played up to now, in a file of the lab's."""

    def __init__(self, path: Path) -> None:
        self._kept = Kept(path, digest(("pulumi_protocol", "lab", "ops", "tapstack", *LAYERS)))
        same = self._kept.same_code
        self.failed = [Point(**point) for point in self._kept.any_code.get("failed", [])]
        self.rounds: int = same.get("rounds", 0)
        rows = same.get("rows", {})
        self.rows: dict[str, Counter[str]] = {kind: Counter(rows.get(kind, {})) for kind in KINDS}
        self.types: dict[str, list[str]] = same.get("types", {})
        self.layers: dict[str, list[str]] = same.get("layers", {})
        """kind of error → layers that were deployed with it"""
        self.expected: list[Census] = [
            Counter({(region, service): count for region, service, count in listed})
            for listed in same.get("expected", [])
        ]
        """What an undisturbed deployment has, by how many layers stand."""

    @property
    def points(self) -> int:
        """How many faults have struck."""
        return sum(row["points"] for row in self.rows.values())

    def note(self, point: Point, outcome: Outcome) -> None:
        """Keeps the outcome."""
        row = self.rows[point.kind]
        if point.kind in ERRORS:
            known = self.types.setdefault(point.kind, [])
            self.layers.setdefault(point.kind, []).append(point.layer)
            known += [kind for kind in outcome.types if kind not in known]
            row["points"] = len(known)
        else:
            row["points"] += outcome.struck
        row["orphans"] += outcome.orphans
        row["lost"] += outcome.lost
        row["silent"] += outcome.silences
        row["wrong"] += len(outcome.wrong)
        self.failed = [one for one in self.failed if one != point]
        if not outcome.good:
            self.failed.append(point)
        self.write()

    def write(self) -> None:
        """Keeps all of it."""
        self._kept.write(
            {
                "rounds": self.rounds,
                "rows": self.rows,
                "types": self.types,
                "layers": self.layers,
                "expected": [[[*key, n] for key, n in found.items()] for found in self.expected],
                "failed": [asdict(point) for point in self.failed],
            }
        )


def draw(record: Record, slot: Slot, chance: random.Random) -> Point:
    """The kind that was played least of those that this slot can have, at a random moment."""
    possible = [HALF, *(kind for kind in STRIKES if kind not in ("PostgreSQL killed",))]
    if slot not in WORKERS:
        possible.remove("function worker killed")
    if slot in DATABASE:
        possible.append("PostgreSQL killed")
    new = [
        kind
        for kind in ERRORS
        if slot.task == "up" and slot.layer not in record.layers.get(kind, [])
    ]
    least = min(record.rows[kind]["points"] for kind in possible)
    kind = chance.choice(new or [kind for kind in possible if record.rows[kind]["points"] == least])
    return Point(kind, slot.task, slot.layer, chance.randint(1, STEPS[slot.layer]))


def play(lab: Lab, point: Point, expected: Census) -> Outcome:
    """One point."""
    if point.kind in ERRORS:
        code, times = ERRORS[point.kind]
        return deploy_faults.play_errors(lab, point.slot, code, times, expected)
    if point.kind == HALF:
        return deploy_faults.play_half_installed(lab, point.slot, point.package, expected)
    return deploy_faults.play(lab, point.slot, point.at, STRIKES[point.kind], expected)


def standing(slot: Slot) -> list[str]:
    """The layers that stand before a slot."""
    upto = list(LAYERS).index(slot.layer)
    return list(LAYERS)[: upto + (slot.task == "destroy")]


def left(slot: Slot) -> int:
    """How many layers stand after a slot."""
    return len(standing(slot)) + (1 if slot.task == "up" else -1)


def undisturbed() -> list[Census]:
    """What AWS's APIs list with no layer, one, two, three and four."""
    found: list[Census] = [Counter()]
    with lab_of_its_own() as lab:
        for layer in LAYERS:
            _must(lab, "up", "--layer", layer)
            found.append(census(lab))
    return found


def _must(lab: Lab, *arguments: str) -> None:
    answer = lab.inv(*arguments, timeout=600)
    if answer.returncode:
        sys.exit(f"./inv {' '.join(arguments)} failed:\n{answer.stdout}\n{answer.stderr}")


def _struck(record: Record, lab: Lab, point: Point) -> bool:
    begun = time.monotonic()
    outcome = play(lab, point, record.expected[left(point.slot)])
    if point.slot == SLOTS[len(LAYERS) - 1]:
        _read_anew(lab, outcome)
    record.note(point, outcome)
    said = "as it was" if outcome.good else "WRONG"
    if not outcome.struck:
        said += ", nothing to strike"
    said += f", the struck run ended with {outcome.first} ({time.monotonic() - begun:.0f} s)"
    print(f"{record.points:4} {point}: {said}", flush=True)
    if not outcome.good:
        print(f"     {outcome.orphans} orphans, {outcome.lost} lost, {outcome.silences} silent")
        print("".join(f"     {wrong}\n" for wrong in outcome.wrong), end="", flush=True)
    return outcome.good


def _read_anew(lab: Lab, outcome: Outcome) -> None:
    """Reads every resource of all layers, those without tags too: none may be gone or changed."""
    answer = lab.inv("drift", timeout=600)
    if answer.returncode:
        outcome.lost += answer.returncode == ExitCode.DIFFERENCE
        outcome.wrong.append(f"drift ended with {answer.returncode}: {answer.stdout[-2000:]}")


def _table(record: Record) -> None:
    print(f"{'kind':26} {'points':>7} {'orphans':>8} {'lost':>5} {'silent':>7} {'wrong':>6}")
    for kind, row in record.rows.items():
        print(
            f"{kind:26} {row['points']:7} {row['orphans']:8} {row['lost']:5} {row['silent']:7} "
            f"{row['wrong']:6}"
        )


def main() -> None:
    """Plays until there are enough points, or the time is over."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=float("inf"))
    deadline = time.monotonic() + 60 * parser.parse_args().minutes
    found = Measurements("faults")
    record = Record(workspace.find().lab_state / "bench" / "faults.json")
    record.expected = record.expected or undisturbed()
    for point in list(record.failed):
        if time.monotonic() < deadline:
            with lab_of_its_own() as lab:
                for layer in standing(point.slot):
                    _must(lab, "up", "--layer", layer)
                _struck(record, lab, point)
    while time.monotonic() < deadline and record.points < ENOUGH:
        chance = random.Random(record.rounds)
        record.rounds += 1
        with lab_of_its_own() as lab:
            for slot in SLOTS:
                if time.monotonic() > deadline or record.points >= ENOUGH:
                    break
                if not _struck(record, lab, draw(record, slot, chance)):
                    break
    _table(record)
    for what in ("orphans", "lost", "silent", "wrong"):
        total = sum(row[what] for row in record.rows.values())
        found.add(f"{what} in {record.points} of {ENOUGH} points", total, "", 0)
    if record.failed:
        print("\n".join(f"failed: {point}" for point in record.failed))
    if record.points < ENOUGH:
        print("run it again to resume")
    found.end()


if __name__ == "__main__":
    main()
