"""``./inv bench certificate``: the real controllers against every single and every pair of faults.

Each fault of the simulator begins in each minute around a loss (and where nothing is lost), alone
and together with every other one. Over the truth there must be no wrong promotion at all, and for
single faults no missed budget; each pair that isn't recovered in time is listed with its timeline
and an argument. Stops after ``--minutes`` (10), continues where it stopped, and writes
docs/certificate.md.

No timeline is left out. What timelines have in common is calculated once, and only where it is the
same by construction: the healthy minutes before the first fault (``play._warm``), and a run that
gets the very same item, sight, settings, minute and clock as an earlier one and does nothing to the
world (``simulator.known``). A test plays a sample of singles, pairs and random timelines both ways,
and every stored item, page and fact of the truth must be equal.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGE = REPOSITORY / "lambda_src" / "recovery"
TESTS = REPOSITORY / "tests" / "unit" / "lambda_src" / "recovery"
sys.path[:0] = [str(PACKAGE), str(TESTS)]

from kept import Kept  # noqa: E402
from simulator.faults import DISASTERS, FAULTS, NOTHING  # noqa: E402
from simulator.judged import Verdict, judged  # noqa: E402
from simulator.known import Known  # noqa: E402
from simulator.play import Timeline  # noqa: E402
from simulator.sources import digest  # noqa: E402
from simulator.speed import quick  # noqa: E402

from ops import workspace  # noqa: E402

BENCH = workspace.find().lab_state / "bench"
PAGE = REPOSITORY / "docs" / "certificate.md"
SINGLE_MINUTES = range(-8, 13)
PAIR_MINUTES = (-3, -1, 0, 1, 2, 3, 4, 6)
WHY = {
    "recovered late": "each of the two costs a run or a path, and the budget contains one lost "
    "run: writes are back a minute or two later, and nobody was needed",
    "called late or again": "each of the two costs runs, and AWS's 480 s follow the call: it is "
    "still promoting when the budget ends, and continues",
    "the call's outcome is unclear": "an own cluster that can't be described may be the writer by "
    "now: a second call waits until it can (H11)",
    "AWS refused": "AWS's word stands where Describe doesn't show why it refuses: three tries, a "
    "page, and traffic isn't moved (H33)",
    "of writes would be lost": "nobody saw when replication ended: by what was seen more than the "
    "limit may be lost, and a person who knows better forces it (H14)",
    "no run saw the local reader change": "what a promotion loses isn't known at all (H14)",
    "application isn't proven dead": "one fault closes the region's path and the other one the "
    "database's: what is left looks like a cut peering (H1, H2)",
    "mode notify": "the newest validation that began before the first dead run says that the "
    "standby isn't ready, and nothing proves it wrong (H17)",
    "is unknown: the standby": "a fault that the standby may share is no loss (H28, H32)",
}
"""Why a pair may end so, by words of its verdict; one without a reason fails the benchmark."""
PROCESSES = 2
KNOWN = Known()
"""Of each process: what its earlier timelines have in common with the next one."""


@dataclass
class Progress:
    """What was played so far; ``done`` counts blocks of ``blocks()``."""

    done: int = 0
    singles: int = 0
    pairs: int = 0
    recovered: int = 0
    held: int = 0
    quiet: int = 0
    slowest: int = 0
    failures: list[dict[str, object]] = field(default_factory=list)


def blocks() -> list[tuple[str, ...]]:
    """All singles, then all pairs: each is one block of timelines."""
    names = [fault.name for fault in FAULTS]
    return [*((name,) for name in names), *itertools.combinations(names, 2)]


def timelines(names: tuple[str, ...]) -> list[Timeline]:
    """A block's timelines: each disaster and each minute in which its faults begin."""
    minutes = SINGLE_MINUTES if len(names) == 1 else PAIR_MINUTES
    return [
        Timeline(disaster, tuple((name, minute) for name in names))
        for disaster in DISASTERS
        for minute in minutes
    ]


def play_block(names: tuple[str, ...]) -> list[Verdict]:
    """Plays one block in a process of its own."""
    with quick(KNOWN):
        return [judged(timeline) for timeline in timelines(names)]


def count(progress: Progress, names: tuple[str, ...], verdicts: list[Verdict]) -> None:
    """Adds a block's verdicts."""
    progress.done += 1
    if len(names) == 1:
        progress.singles += len(verdicts)
    else:
        progress.pairs += len(verdicts)
    for verdict in verdicts:
        if verdict.failed:
            progress.failures.append(asdict(verdict))
        if verdict.recovered is not None:
            progress.recovered += 1
            progress.slowest = max(progress.slowest, verdict.recovered - verdict.sighted)
        elif verdict.disaster == NOTHING:
            progress.quiet += 1
        else:
            progress.held += 1


def main() -> int:
    """Returns 5 when a limit was missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    end = time.monotonic() + parser.parse_args().minutes * 60
    kept, todo = Kept(BENCH / "certificate.json", digest()), blocks()
    progress = Progress(**{name: kept.same_code[name] for name in kept.same_code if name != "code"})
    # Nothing here is cyclic, and collections would look through all that is known again and again.
    with ProcessPoolExecutor(PROCESSES, initializer=gc.disable) as pool:
        while progress.done < len(todo) and time.monotonic() < end:
            batch = todo[progress.done : progress.done + 8 * PROCESSES]
            for names, verdicts in zip(batch, pool.map(play_block, batch), strict=True):
                count(progress, names, verdicts)
            kept.write(asdict(progress))
    PAGE.write_text(page(progress, digest(), len(todo)))
    wrong = [failure for failure in progress.failures if failure["wrong"]]
    single = [failure for failure in progress.failures if len(_faults(failure)) == 1]
    silent = [failure for failure in progress.failures if not failure["paged"]]
    unargued = [failure for failure in progress.failures if not why(failure)]
    print(f"{progress.done} of {len(todo)} blocks, {progress.singles + progress.pairs} timelines")
    print(f"wrong promotions {len(wrong)}, single faults that miss the budget {len(single)}")
    print(f"pairs that miss it {len(progress.failures) - len(single)}, unpaged {len(silent)}")
    for failure in unargued:
        print(f"no argument: {failure['disaster']}, {failure['faults']}: {failure['argument']}")
    if progress.done < len(todo):
        print("not finished: ./inv bench certificate continues here")
    return 5 if wrong or single or silent or unargued else 0


def why(failure: dict[str, object]) -> str:
    """Why it may end so; empty where that isn't argued."""
    said = str(failure["argument"])
    return next((reason for words, reason in WHY.items() if words in said), "")


def _faults(failure: dict[str, object]) -> list[object]:
    faults = failure["faults"]
    return list(faults) if isinstance(faults, (list, tuple)) else []


def page(progress: Progress, sources: str, total: int) -> str:
    """Returns docs/certificate.md."""
    played = progress.singles + progress.pairs
    state = "complete" if progress.done == total else f"{progress.done} of {total} blocks played"
    wrong = sum(bool(failure["wrong"]) for failure in progress.failures)
    singles = sum(len(_faults(failure)) == 1 for failure in progress.failures)
    lines = [
        "# The recovery certificate",
        "",
        "Written by `./inv bench certificate`: the real `decide` and `act` of both regions in the",
        "simulator of `tests/unit/lambda_src/recovery/simulator`, against each fault alone",
        "(beginning in each",
        f"minute from {SINGLE_MINUTES[0]} to +{SINGLE_MINUTES[-1]} around the loss) and each",
        f"pair (together in minute {', '.join(f'{m:+d}' for m in PAIR_MINUTES)}): where nothing",
        "is lost, where the region is lost, where its database is lost and where it hangs. AWS",
        "takes 480 s for each promotion. Judged over the truth, not over what a controller saw.",
        "",
        "Each timeline is played to its end. What many have in common is calculated once: a run",
        "that gets the same item, sight, settings, minute and clock as an earlier one and does",
        "nothing to the world has the same result; a test plays a sample both ways.",
        "",
        "| | |",
        "|---|---|",
        f"| sources | `{sources}`, {state} |",
        f"| timelines | {played}: {progress.singles} of single faults, {progress.pairs} of pairs |",
        f"| wrong promotions | {wrong} |",
        f"| single faults that miss the budget | {singles} |",
        f"| recovered | {progress.recovered}, the slowest {progress.slowest} s after the ground "
        "(AWS's 700 s included) |",
        f"| left to a person, who was paged | {progress.held}, with the pairs below |",
        f"| nothing lost, nothing promoted | {progress.quiet} |",
        f"| pairs' timelines that miss the budget | {len(progress.failures) - singles} |",
        "",
        "## Pairs that miss the budget",
        "",
        "In each of them somebody was paged. One line a pair and loss: the minutes in which the",
        "pair begins, and what became of the first one. Why that is accepted is argued below.",
        "",
        "| pair | loss | begins in minute | what happens | how it ends |",
        "|---|---|---|---|---|",
    ]
    groups: dict[tuple[str, str], list[dict[str, object]]] = {}
    for failure in progress.failures:
        pair = " + ".join(str(fault[0]) for fault in _faults(failure))  # type: ignore[index]
        groups.setdefault((pair, str(failure["disaster"])), []).append(failure)
    for (pair, disaster), failures in groups.items():
        minutes = ", ".join(f"{_faults(one)[0][1]:+d}" for one in failures)  # type: ignore[index]
        first = failures[0]
        lines.append(
            f"| {pair} | {disaster} | {minutes} | {first['timeline']} | {first['argument']} |"
        )
    kinds = Counter(why(failure) for failure in progress.failures)
    lines += [
        "",
        "## Arguments, by number of timelines",
        "",
        "| timelines | argument |",
        "|---|---|",
    ]
    lines += [f"| {number} | {argument} |" for argument, number in kinds.most_common()]
    return "\n".join([*lines, "", *_beside()]) + "\n"


def _beside() -> list[str]:
    """What else was tried: random timelines, and small changes of the code."""
    seeds, mutants = _kept("recovery_timelines"), _kept("recovery_mutants")
    played = "none on this machine"
    if seeds:
        played = f"{seeds['done']:,} of 1,000,000 seeds, {len(seeds['harmful'])} harmful"
        played += f" (sources `{seeds['code']}`)"
    lines = ["## Beside it", "", f"- `./inv bench recovery_timelines`: {played}."]
    if "tried" not in mutants:
        return [*lines, "- `./inv bench recovery_mutants`: not on this machine."]
    survivors = mutants["survivors"]
    return [
        *lines,
        f"- `./inv bench recovery_mutants`: of {mutants['tried']} small changes of the pure "
        f"modules the tests notice {mutants['tried'] - len(survivors)}; unnoticed:",
        "",
        "| where | reads | why |",
        "|---|---|---|",
        *(f"| {one['where']} | `{one['reads']}` | {one['why']} |" for one in survivors),
    ]


def _kept(bench: str) -> dict[str, Any]:
    file = BENCH / f"{bench}.json"
    return json.loads(file.read_text()) if file.exists() else {}


if __name__ == "__main__":
    sys.exit(main())
