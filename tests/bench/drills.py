"""``./inv bench drills``: every scenario with 3 seeds, the region's loss and the circle with 10.

Each drill is one of ``./inv drill`` in a lab of its own, at clock 1. Stops after ``--minutes`` and
continues where it stopped; the distribution of each figure and the worst are printed, and one
drill that fails makes it miss. A void drill measured the machine: it is run again.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from typing import Any

from bench import Measurements, lab_of_its_own, timed
from deployed_lab import REPOSITORY, Lab

from ops.drill import scenario
from ops.drill.measure import percentile

KEPT = REPOSITORY / "build" / "drills.json"
SEEDS, MANY_SEEDS = 3, 10
MANY = ("region-loss", "full-circle")
TRIES = 3
FIGURES = ("traffic_rto_seconds", "write_rto_seconds", "write_rto_with_allowance_seconds",
           "rpo_seconds")  # fmt: skip


def wanted() -> Iterator[tuple[str, int]]:
    """Scenario and seed, seed by seed, so that an early end has seen each scenario."""
    for seed in range(1, MANY_SEEDS + 1):
        for name in scenario.names():
            if seed <= (MANY_SEEDS if name in MANY else SEEDS):
                yield name, seed


def drill(lab: Lab, name: str, seed: int) -> dict[str, Any]:
    """One drill's document; a void one is run again."""
    document: dict[str, Any] = {}
    for _ in range(TRIES):
        answer = lab.inv("drill", "--scenario", name, "--seed", str(seed), "--json", timeout=3600)
        if answer.returncode not in (0, 5):
            sys.exit(f"./inv drill --scenario {name} failed:\n{answer.stderr}")
        document = json.loads(answer.stdout)
        if document["verdict"] != "void":
            break
    return document


def main() -> None:
    """Runs what is missing, then prints all that is known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=float("inf"))
    end = time.monotonic() + parser.parse_args().minutes * 60
    done: dict[str, Any] = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    missing = [(name, seed) for name, seed in wanted() if f"{name} {seed}" not in done]
    if missing:
        with lab_of_its_own() as lab:
            timed(lab, "deploy-all")
            for name, seed in missing:
                if time.monotonic() > end:
                    break
                made = drill(lab, name, seed)
                keys = ("verdict", "reasons", "id", *FIGURES)
                done[f"{name} {seed}"] = {key: made[key] for key in keys}
                KEPT.parent.mkdir(exist_ok=True)
                KEPT.write_text(json.dumps(done))
    report(done)


def report(done: dict[str, Any]) -> None:
    """The distribution of each figure by scenario, and each drill that didn't pass."""
    found = Measurements("drills")
    for name in scenario.names():
        of = [one for key, one in done.items() if key.partition(" ")[0] == name]
        for figure in FIGURES:
            values = sorted(one[figure] for one in of if one[figure] is not None)
            if values:
                label = f"{name} {figure.removesuffix('_seconds')}"
                found.add(f"{label}, median of {len(values)}", percentile(values, 0.5), "s")
                found.add(f"{label}, worst", values[-1], "s")
        for one in of:
            found.hold(one["id"], one["verdict"] == "passed", "; ".join(one["reasons"]))
    left = sum(f"{name} {seed}" not in done for name, seed in wanted())
    print(f"{len(done)} drills, {left} left" + (": run the same again" if left else ""))
    found.end()


if __name__ == "__main__":
    main()
