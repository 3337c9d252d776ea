"""A notice in the words of the person who is woken: seen, done, yours to do, the command. Pure.

The same fields are the detail of the EventBridge event (docs/notice.schema.json).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from recovery.model import Notice

STATUS = "./inv recovery.status"
NOTHING = "Nothing was changed."


@dataclass(frozen=True)
class Words:
    """What recovery did by itself, what is left to the person, and what to run first."""

    done: str
    yours: str
    command: str = STATUS


WORDS: dict[str, Words] = {
    "acknowledge": Words(
        "The promotion stands and no further one is made.",
        "Look at the incident; then let the controllers guard again.",
        "./inv recovery.acknowledge",
    ),
    "adopted": Words(
        "The promotion that somebody made was taken over: writes and endpoint are being verified.",
        "If it was you, nothing; else find out who promoted.",
    ),
    "blind": Words(
        "No promotion is made from here while this lasts.",
        "Mend the own region's load balancer or database, or promote by hand if it is the other "
        "region that is lost.",
        "./inv status",
    ),
    "failed": Words(
        "The call isn't repeated and traffic isn't moved.",
        "Read why RDS refused; then promote by hand.",
        "./inv failover --force --reason WHY",
    ),
    "frozen": Words(
        "No promotion is made until the freeze ends.",
        "End it as soon as its reason is gone.",
        "./inv recovery.thaw",
    ),
    "held": Words(
        NOTHING,
        "Decide: if the loss is real and its price accepted, promote by hand.",
        "./inv failover --force --reason WHY",
    ),
    "journal": Words(
        "Recovery continues without this entry of its journal.",
        "Look at the recovery table and the bucket of this region.",
    ),
    "late": Words(
        "The promotion is waited for; no member is detached.",
        "Open a case with AWS now; detach nothing.",
    ),
    "promoted": Words(
        "The database writes here, the switch holds traffic here, the epoch has grown.",
        "Notify the customers' contacts; look for the lost tail once the other region is back.",
        "./inv recovery.reconcile",
    ),
    "promoting": Words(
        "The promotion of this region's database was called.",
        "Nothing yet: the next message says whether it worked.",
    ),
    "ready": Words(
        "The other region follows again as a connected member.",
        "Acknowledge if that is still open; plan the way back.",
        "./inv failback",
    ),
    "rebuilding": Words("The other region is being rebuilt as a standby by AWS.", "Wait for it."),
    "silent": Words(
        NOTHING,
        "The network between the regions is cut, or only the writer is lost: look at both.",
        "./inv status",
    ),
    "snapshot": Words(
        "The copy is tried again in every run.",
        "Copy the old volume's snapshot by hand before it expires.",
        "./inv recovery.reconcile",
    ),
    "split": Words(
        "The snapshot is kept, and nothing fails back.",
        "Stop whoever still writes to the demoted region; then reconcile both.",
        "./inv recovery.reconcile",
    ),
    "state": Words(
        "Nothing is done while the recovery table can't be read or written.",
        "Mend the table of this region; until then nobody promotes by itself.",
    ),
    "switched-over": Words("The writer was switched over by a command.", "Nothing."),
    "unclear": Words(
        "The call isn't repeated until it is known what became of it.",
        "Look at the global cluster in RDS.",
    ),
    "unknown": Words(
        "Nothing was changed: a signal that nobody can read proves nothing.",
        "Mend what refuses: the standby would have the same fault.",
        "./inv status",
    ),
    "unprotected": Words(
        "No promotion can be made from here.",
        "Bring the standby back, then acknowledge what is open.",
        "./inv recovery.acknowledge",
    ),
    "unverified": Words(
        "Writes are tried again in every run.",
        "Look where the global endpoint leads, and why writes fail.",
        "./inv status",
    ),
    "watching": Words("The other region is guarded again.", "Nothing."),
    "withdrawn": Words(
        "The promotion was taken back before it was called.", "Nothing, unless it repeats."
    ),
}
"""By the first part of a notice's key."""


def words_of(notice: Notice) -> Words:
    """Returns the words of a notice's kind; a kind without any is a fault of ours, and is still
    delivered."""
    kind = notice.key.partition(":")[0]
    return WORDS.get(kind, Words("Unknown.", "Look at the status."))


def message(notice: Notice) -> str:
    """Returns the mail's text."""
    words = words_of(notice)
    return (
        f"{notice.text}\n\n"
        f"Done: {words.done}\n"
        f"Yours: {words.yours}\n"
        f"Run: {words.command}\n\n"
        f"{STATUS} shows where it stands."
    )


def repetition(topic: str) -> str:
    """Returns what a message adds where another topic may have delivered it already."""
    return f"This may be a repetition: {topic} didn't say whether it took the same message."


def detail(notice: Notice, region: str, suffix: str) -> dict[str, Any]:
    """Returns the event's detail, by the published schema."""
    words = words_of(notice)
    return {
        "schema": 1,
        "region": region,
        "environmentSuffix": suffix,
        "key": notice.key,
        "page": notice.page,
        "seen": notice.text,
        "done": words.done,
        "yours": words.yours,
        "command": words.command,
    }
