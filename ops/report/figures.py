"""``./inv drill.history --markdown``: what the drills measured, as the README's table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ops.errors import bad_input
from ops.report.drills import whole

HEADINGS = (
    "command", "what is lost", "traffic RTO", "write RTO", "with AWS's promotion",
    "writes lost of acknowledged", "RPO",
)  # fmt: skip
"""Of the table's columns. Seconds are those from the loss on."""

Document = Mapping[str, Any]


def show(directory: Path) -> None:
    """Prints the table of a workspace's drills. Raises ``OperatorError`` where none of them
    passed at clock 1."""
    rows = list(measured([one.document for one in whole(directory)]))
    if not rows:
        raise bad_input(
            "no drill that passed at clock 1 is recorded: ./inv lab.clock 1, then ./inv drill"
        )
    print(table(rows))


def measured(documents: Sequence[Document]) -> Iterator[Document]:
    """Yields of each scenario and place the newest drill that passed at clock 1.

    ``documents`` are the newest first, as :func:`ops.report.drills.recorded` lists them. A faster
    lab's seconds measure no promise, and a failed or void drill makes no figure.
    """
    seen: set[tuple[str, str]] = set()
    for document in documents:
        kind = (document["scenario"], document["where"])
        if document["clock"] == 1 and document["verdict"] == "passed" and kind not in seen:
            seen.add(kind)
            yield document


def table(documents: Sequence[Document]) -> str:
    """Returns the figures of drills as a Markdown table, a row each."""
    lines = [HEADINGS, tuple("---" for _ in HEADINGS), *map(_row, documents)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _row(one: Document) -> tuple[str, ...]:
    stack = "" if one["where"] == "lab" else f" --stack {one['stack']}"
    rows = one["rows"]
    return (
        f"`./inv drill --scenario {one['scenario']}{stack}`",
        one["title"],
        _seconds(one["traffic_rto_seconds"]),
        _seconds(one["write_rto_seconds"]),
        _seconds(one["write_rto_with_allowance_seconds"]),
        f"{rows['lost']:,} of {rows['acknowledged']:,}",
        f"{one['rpo_seconds']:.1f} s",
    )


def _seconds(value: float | None) -> str:
    """A figure in whole seconds; none where nothing had to recover."""
    return "none" if value is None else f"{value:.0f} s"
