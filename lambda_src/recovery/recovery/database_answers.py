"""What the probe function's answer says (lambda_src/api, ``index.probe``), as signals: pure.

A part that is missing or malformed raises, and so is unknown (``observe``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from recovery import signs
from recovery.observation import ALIVE, READS, Reader, Signal, Value

Answer = Mapping[str, Any]


def writer(answer: Answer) -> Signal:
    """Returns whether the writer committed, by both tries of the run (H7)."""
    return signs.sql(_tries(answer["writer_sql"]))


def own_writer(answer: Answer) -> Signal:
    """Returns whether the own cluster takes writes."""
    return _takes_writes(answer["own_cluster"])


def old_writer(answer: Answer) -> Signal:
    """Returns whether the *other* region's cluster takes writes: alive after a promotion means two
    writers (H20)."""
    return _takes_writes(answer["peer_cluster"])


def _takes_writes(part: Answer) -> Signal:
    if part["value"] != Value.ALIVE:
        return Signal(Value(part["value"]), _reason(part))
    return ALIVE if part["writes"] else READS


def reader(answer: Answer, region: str) -> tuple[Signal, Reader | None]:
    """Returns the own reader's signal and marks; without a heartbeat of the database there are no
    marks, since nobody knows how old they are."""
    part = answer["own_reader"]
    if part["value"] != Value.ALIVE:
        return signs.reader(_reason(part)), None
    if part["heartbeat_at"] is None:
        return ALIVE, None
    newest = part["newest_record"]
    return ALIVE, Reader(
        heartbeat=int(_seconds(part["heartbeat_at"])),
        newest_record=int(_seconds(newest["created_at"])) if newest else 0,
        lsn=int(part["primary_lsn"] or 0),
        lag_seconds=_lag_seconds(part, region),
        epoch=int(part["epoch"]),
    )


def _lag_seconds(part: Answer, region: str) -> int:
    """The larger of the heartbeat's age, by the reader's own clock, and of what Aurora says."""
    age = _seconds(part["now"]) - _seconds(part["heartbeat_at"])
    measured = [
        seen["durability_lag_ms"] / 1000
        for seen in part["global_status"]
        if seen["region"] == region
    ]
    return math.ceil(max(0.0, age, *measured))


def _tries(part: Answer) -> tuple[str, ...]:
    if part["value"] == Value.ALIVE:
        return ("committed",)
    return tuple(_word(found) for found in part["tries"])


def _reason(part: Answer) -> str:
    return _word(part["tries"][-1])


def _word(tried: Answer) -> str:
    """A try's reason; where the server answered, its SQLSTATE says more."""
    reason = str(tried["reason"])
    return reason if reason in signs.NO_ANSWER else str(tried.get("sqlstate") or reason)


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
