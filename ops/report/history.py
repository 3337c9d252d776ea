"""``./inv drill.history``: the drills one after the other, and what has become worse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ops.errors import ExitCode
from ops.printing import make_console, print_json, rows_table
from ops.report.drills import recorded

WORSE = 1.2
"""A figure above this multiple of the median of those before is a regression."""
LEAST_SECONDS = 10.0
"""A smaller growth than this is the moment of the minute at which the loss came."""
TREND = 5
"""How many earlier drills of the same kind are looked at."""
FIGURES = {
    "traffic_rto_seconds": "traffic RTO",
    "write_rto_seconds": "write RTO",
    "rpo_seconds": "RPO",
}

Document = Mapping[str, Any]


def alike(document: Document, other: Document) -> bool:
    """Whether two drills may be held against each other: same scenario, place and clock."""
    return all(document[key] == other[key] for key in ("scenario", "where", "clock"))


def regressions(document: Document, before: Sequence[Document]) -> list[str]:
    """What is worse than in the drills before it (the newest first): one line for each."""
    earlier = [
        one for one in before if alike(document, one) and one["verdict"] != "void"
    ][:TREND]  # fmt: skip
    found = []
    if earlier and earlier[0]["verdict"] == "passed" and document["verdict"] == "failed":
        found.append(f"failed, and {earlier[0]['id']} passed")
    for key, name in FIGURES.items():
        values = sorted(one[key] for one in earlier if one[key] is not None)
        now = document[key]
        if not values or now is None:
            continue
        usual = values[len(values) // 2]
        if now > usual * WORSE and now - usual > LEAST_SECONDS:
            found.append(f"{name} {now:g} s, {usual:g} s before")
    return found


def show(directory: Path, as_json: bool) -> ExitCode:
    """Prints all drills, the newest first; the code is DIFFERENCE where the newest one of a kind
    has regressed."""
    found = recorded(directory)
    documents = [one.document for one in found if not one.fault]
    worse = {
        document["id"]: regressions(document, documents[number + 1 :])
        for number, document in enumerate(documents)
    }
    newest = [
        document["id"]
        for number, document in enumerate(documents)
        if not any(alike(document, later) for later in documents[:number])
    ]
    if as_json:
        print_json(
            {
                "drills": [{**_row(one), "regressions": worse[one["id"]]} for one in documents],
                "unreadable": {one.id: one.fault for one in found if one.fault},
            }
        )
    else:
        _print(documents, worse, [one.fault for one in found if one.fault])
    return ExitCode.DIFFERENCE if any(worse[one] for one in newest) else ExitCode.OK


def _print(
    documents: Sequence[Document], worse: Mapping[str, list[str]], faults: Sequence[str]
) -> None:
    console = make_console()
    if not documents and not faults:
        console.print("no drill is recorded yet: ./inv drill runs one")
        return
    headings = ("drill", "verdict", "clock", "traffic RTO", "write RTO", "with AWS's", "RPO",
                "lost", "regressions")  # fmt: skip
    rows = [
        (
            one["id"],
            one["verdict"],
            f"{one['clock']:g}",
            seconds(one["traffic_rto_seconds"]),
            seconds(one["write_rto_seconds"]),
            seconds(one["write_rto_with_allowance_seconds"]),
            f"{one['rpo_seconds']:g} s",
            one["rows"]["lost"],
            "; ".join(worse[one["id"]]) or "none",
        )
        for one in documents
    ]
    console.print(rows_table(headings, rows))
    for fault in faults:
        console.print(f"not read: {fault}")


def seconds(value: float | None) -> str:
    """A figure, or that there is none (another clock than 1, or it never came)."""
    return "none" if value is None else f"{value:g} s"


def _row(one: Document) -> dict[str, Any]:
    keys = ("id", "scenario", "verdict", "where", "clock", "started", *FIGURES,
            "write_rto_with_allowance_seconds", "rows")  # fmt: skip
    return {key: one[key] for key in keys}
