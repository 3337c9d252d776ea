"""What automatic recovery sees, may do and decided: pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ops.console.facts import Facts
from ops.console.model import Cell, Section, Table, Tone
from recovery.model import Stage

TITLE = "Signals and journal"
CALM = {Stage.WATCHING}
TROUBLED = {Stage.BLIND, Stage.HELD, Stage.UNPROTECTED, Stage.SPLIT, Stage.FAILED}
SIGNAL_TONES = {"alive": Tone.GOOD, "dead": Tone.BAD}
IN_WORDS = {
    Stage.WATCHING: "its last run saw the other region write",
    Stage.SUSPECT: "suspects a loss, and counts runs before it acts",
    Stage.BLIND: "can't see itself, so it never acts",
    Stage.HELD: "would promote, and may not: a person decides",
    Stage.UNPROTECTED: "doesn't guard: there is no standby yet to promote",
    Stage.INTENT: "has decided to promote",
    Stage.CALLED: "has called the promotion",
    Stage.PROMOTING: "waits for AWS to promote the database",
    Stage.VERIFYING: "proves that writes work",
    Stage.PROMOTED: "has promoted this region's database",
    Stage.REBUILDING: "waits until the other region is a standby again",
    Stage.READY: "is ready for the way back",
    Stage.FAILING_BACK: "is on the way back",
    Stage.SPLIT: "sees two writers: a person must act",
    Stage.FAILED: "failed to promote: a person must act",
}


def sections(facts: Facts) -> tuple[Section, ...]:
    """The controller's state, and its signals beside its journal."""
    found = facts.value("recovery")
    if found is None:
        cell = Cell("State", f"unknown ({facts.why('recovery')})", Tone.UNKNOWN, kept=True)
        return (Section("recovery", "Automatic recovery", (cell,)), Section("signals", TITLE))
    return (_state(found), _signals(found))


def _state(found: Mapping[str, Any]) -> Section:
    stage = Stage(found["state"])
    tone = Tone.GOOD if stage in CALM else Tone.BAD if stage in TROUBLED else Tone.WARN
    said = IN_WORDS[stage]
    if tone is Tone.GOOD and not found["signals"]:
        # The state of a new item: nobody has watched yet.
        tone, said = Tone.UNKNOWN, "no run of the controller was counted yet"
    effective = found["effective_mode"]
    chosen = found["mode"]
    full = effective["mode"] == chosen
    cells = (
        Cell("State", stage.value, tone, said, kept=True),
        Cell("Guards from", found["region"], kept=True),
        Cell("May", effective["mode"], Tone.GOOD if full else Tone.WARN,
             "; ".join(effective["reasons"]) or f"as configured ({chosen})", kept=True),
        Cell("Writer as it sees it", found["writer"] or "unknown",
             Tone.PLAIN if found["writer"] else Tone.UNKNOWN, kept=True),
        Cell("Epoch", str(found["epoch"]), kept=True),
        _readiness(found["readiness"]),
        Cell("Last decision", found["last_decision"] or "none yet", kept=True),
        *_orders(found),
        *(
            Cell(f"Item of {region}", f"unknown ({why})", Tone.UNKNOWN)
            for region, why in found["unknown"].items()
        ),
    )  # fmt: skip
    return Section("recovery", "Automatic recovery", cells)


def _readiness(found: Mapping[str, Any]) -> Cell:
    ready = bool(found["score"])
    if not ready and found["reasons"] == ["no validation of a day"]:
        return Cell("Readiness", "unknown", Tone.UNKNOWN, "no validation of a day", kept=True)
    text, tone = ("ready", Tone.GOOD) if ready else ("not ready", Tone.BAD)
    # What was excused or couldn't be asked lowers nothing, and is said.
    said = "; ".join((*found["reasons"], *found["notes"]))
    return Cell("Readiness", text, tone, said, kept=True)


def _orders(found: Mapping[str, Any]) -> tuple[Cell, ...]:
    cells = []
    for name, label in (("hold", "Hold"), ("freeze", "Freeze")):
        order = found[name]
        if order:
            until = datetime.fromtimestamp(order["until"] * 60, UTC)
            text = f"until {until:%H:%M} UTC"
            cells.append(Cell(label, text, Tone.WARN, order["reason"], kept=True))
        else:
            cells.append(Cell(label, "none"))
    return tuple(cells)


def _signals(found: Mapping[str, Any]) -> Section:
    cells = tuple(
        Cell(name.replace("_", " "), value, SIGNAL_TONES.get(value, Tone.UNKNOWN))
        for name, value in found["signals"].items()
    )
    rows = tuple(
        (str(entry.get("number", "")), str(entry.get("kind", "")), _said(entry.get("body")))
        for entry in found["journal"]
    )
    journal = Table(("entry", "kind", "what"), rows, "the journal has no entry")
    none = (Cell("Signals", "unknown (no counted run)", Tone.UNKNOWN),)
    return Section("signals", TITLE, cells or none, (journal,))


def _said(body: Any) -> str:
    """A journal entry's reason, or its plain values."""
    if not isinstance(body, dict):
        return str(body)
    if body.get("reason"):
        return str(body["reason"])
    plain = {key: value for key, value in body.items() if isinstance(value, str | int | float)}
    return ", ".join(f"{key} {value}" for key, value in plain.items())
