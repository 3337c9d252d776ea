"""``./inv bench recording``: draws the outage of a recorded drill as two terminals.

It takes the newest drill that lost us-east-1, passed, and ran at clock 1 (``./inv drill`` makes
it). The operator's lines are those that ``./inv drill`` prints, the client's are the answers to its
writes, one in two seconds. They are kept in ``docs/pictures/outage.jsonl``; a test draws them anew
and compares.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from deployed_lab import REPOSITORY

from ops import workspace
from ops.drill.history import History, Kind
from ops.drill.measure import HONEST
from ops.quality import recording
from ops.quality.recording import Shown
from ops.quality.themes import THEMES
from ops.report import drills, figures

PICTURES = REPOSITORY / "docs" / "pictures"
SCENARIO = "region-loss"
EVERY_SECONDS = 2.0
AFTER_SECONDS = 50.0
"""What is shown after writes succeed again: the controller proves its promotion a minute later."""
UNSEEN = ("decision", "notice")
"""What a drill reads from the journal afterwards, and doesn't print while it runs."""


def main() -> None:
    """Finds the drill, and writes its lines and the pictures."""
    whole = drills.whole(workspace.find().directory)
    measured = [
        document
        for document in figures.measured([one.document for one in whole])
        if document["scenario"] == SCENARIO and document["where"] == "lab"
    ]
    if not measured:
        sys.exit("no drill that lost us-east-1 and passed at clock 1 is recorded: ./inv drill")
    (document,) = measured
    history = drills.history_of(next(one for one in whole if one.id == document["id"]))
    loss = next(one.at for one in history.seen if one.what.startswith("outage "))
    shown = lines(history, loss + document["write_rto_seconds"] + AFTER_SECONDS)
    (PICTURES / "outage.jsonl").write_text(recording.dump(shown))
    for name, theme in THEMES.items():
        file = PICTURES / f"outage-{name}.svg"
        file.write_text(recording.draw(shown, theme, recording.SUMMARY))
        print(file.relative_to(REPOSITORY))


def lines(history: History, end: float) -> list[Shown]:
    """Returns what both terminals show until a moment (seconds of the drill), in its order."""
    typed = Shown(0.0, "operator", "$ ./inv drill", typed=True)
    printed = [
        Shown(round(one.at, 2), "operator", f"{one.at:7.1f} s  {one.source}: {one.what}")
        for one in history.seen
        if one.source not in UNSEEN and one.at <= end
    ]
    return [typed, *sorted([*printed, *answers(history, end)], key=lambda one: one.at)]


def answers(history: History, end: float) -> Iterator[Shown]:
    """Yields what an honest client's writes were answered, one in two seconds."""
    due = 0.0
    for one in sorted(history.operations, key=lambda one: one.ended):
        mine = one.kind is Kind.WRITE and one.population == HONEST
        if mine and due <= one.ended <= end:
            due = one.ended + EVERY_SECONDS
            answer = f"{one.status} {one.region}" if one.status else f"no answer ({one.detail})"
            yield Shown(round(one.ended, 2), "client", f"{one.ended:7.1f} s  {answer}")


if __name__ == "__main__":
    main()
