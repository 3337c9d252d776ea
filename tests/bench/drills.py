"""``./inv bench drills``: every scenario with 3 seeds, the region's loss and the circle with 10.

Each drill is one of ``./inv drill`` in a lab of its own, at clock 1 or ``--clock``. Stops after
``--minutes`` and continues where it stopped; the distribution of each figure and the worst are
printed, and one drill that fails makes it miss. A void drill measured the machine: it is run again;
what a failed one left is kept in ``build/failed-drills``.
Results of each clock are kept apart, and figures of another clock than 1 are no RTO.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections.abc import Iterator
from typing import Any

from bench import Measurements, deployed_lab
from deployed_lab import REPOSITORY, Lab

from ops.drill import scenario
from ops.drill.measure import HONEST, percentile

KEPT = REPOSITORY / "build"
SEEDS, MANY_SEEDS = 3, 10
MANY = ("region-loss", "full-circle")
TRIES = 3
FAST_RATE = 0.6
"""How much of the traffic at a clock above 1: of all of it, two cores send some too late."""
PROMISED = ("traffic_rto_seconds", "write_rto_seconds", "write_rto_with_allowance_seconds")
"""Figures that exist at clock 1 alone."""


def wanted() -> Iterator[tuple[str, int]]:
    """Scenario and seed, seed by seed, so that an early end has seen each scenario."""
    for seed in range(1, MANY_SEEDS + 1):
        for name in scenario.names():
            if seed <= (MANY_SEEDS if name in MANY else SEEDS):
                yield name, seed


def drill(lab: Lab, name: str, seed: int, rate: float) -> dict[str, Any]:
    """One drill's document; a void one is run again."""
    document: dict[str, Any] = {}
    for _ in range(TRIES):
        chosen = ("--scenario", name, "--seed", str(seed), "--rate", f"{rate:g}")
        answer = lab.inv("drill", *chosen, "--json", timeout=3600)
        if answer.returncode not in (0, 5):
            sys.exit(f"./inv drill --scenario {name} failed:\n{answer.stderr}")
        document = json.loads(answer.stdout)
        if document["verdict"] != "void":
            break
    return document


def keep_evidence(lab: Lab, identifier: str) -> None:
    """Copies what a failed drill left, since its lab is removed: page, document and history."""
    kept = KEPT / "failed-drills"
    kept.mkdir(parents=True, exist_ok=True)
    for file in (lab.directory / "evidence" / "drills").glob(f"{identifier}.*"):
        shutil.copy(file, kept)


def figures(document: dict[str, Any]) -> dict[str, float | None]:
    """Seconds by name: the promised ones at clock 1, else what clients met, by the lab's time."""
    found = {"rpo": document["rpo_seconds"]}
    if document["clock"] == 1:
        return {**{one.removesuffix("_seconds"): document[one] for one in PROMISED}, **found}
    measured = {what: document["figures"][what].get(HONEST) for what in ("traffic", "writes")}
    return {**{f"{what} (no RTO)": value for what, value in measured.items()}, **found}


def main() -> None:
    """Runs what is missing, then prints all that is known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=float("inf"))
    parser.add_argument("--clock", type=float, default=1.0, help="the lab's seconds in a real one")
    asked = parser.parse_args()
    end = time.monotonic() + asked.minutes * 60
    kept = KEPT / ("drills.json" if asked.clock == 1 else f"drills-clock-{asked.clock:g}.json")
    done: dict[str, Any] = json.loads(kept.read_text()) if kept.exists() else {}
    missing = [(name, seed) for name, seed in wanted() if f"{name} {seed}" not in done]
    if missing and asked.minutes > 0:
        with deployed_lab(asked.clock) as lab:
            for name, seed in missing:
                if time.monotonic() > end:
                    break
                made = drill(lab, name, seed, 1.0 if asked.clock == 1 else FAST_RATE)
                if made["verdict"] == "void":
                    print(f"{made['id']}: void, {'; '.join(made['reasons'])}: runs again next time")
                    continue
                if made["verdict"] != "passed":
                    keep_evidence(lab, made["id"])
                about = {key: made[key] for key in ("verdict", "reasons", "id")}
                done[f"{name} {seed}"] = {**about, "figures": figures(made)}
                kept.parent.mkdir(exist_ok=True)
                kept.write_text(json.dumps(done))
    report(done, asked.clock)


def report(done: dict[str, Any], clock: float) -> None:
    """The distribution of each figure by scenario, and each drill that didn't pass."""
    found = Measurements("drills" if clock == 1 else f"drills at clock {clock:g}")
    for name in scenario.names():
        of = [one for key, one in done.items() if key.partition(" ")[0] == name]
        for figure in dict.fromkeys(figure for one in of for figure in one["figures"]):
            values = sorted(v for one in of if (v := one["figures"].get(figure)) is not None)
            if values:
                label = f"{name} {figure}"
                found.add(f"{label}, median of {len(values)}", percentile(values, 0.5), "s")
                found.add(f"{label}, worst", values[-1], "s")
        for one in of:
            found.hold(one["id"], one["verdict"] == "passed", "; ".join(one["reasons"]))
    left = sum(f"{name} {seed}" not in done for name, seed in wanted())
    print(f"{len(done)} drills, {left} left" + (": run the same again" if left else ""))
    found.end()


if __name__ == "__main__":
    main()
