"""The verdict on data, from the recorded history alone: it knows nothing of the system.

A record is *acknowledged* when one of its writes was answered by success. At the end each region is
read to its end, or it isn't and says nothing. Then every acknowledged row, object and event is

- *found*: each region that was read has it, once, as it was acknowledged;
- *lost*: no region that was read has it, and at least one was read;
- *stale*: a region that was read lacks it, or holds another content, while another one has it; or
  a read-back that began later than the bound after the acknowledgement didn't find it;
- *duplicated*: a region holds more than one row of the same number;
- *never read*: no region could be read.

Unanswered writes are *indeterminate*: they may be there or not. *Phantoms* are rows that nobody
wrote, or whose writes were all refused.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ops.drill.history import Found, History, Kind, Operation, Outcome, What


@dataclass(frozen=True)
class Counts:
    """How many of one kind stand how, and which ones (numbers of records)."""

    acknowledged: int = 0
    lost: tuple[int, ...] = ()
    stale: tuple[int, ...] = ()
    duplicated: tuple[int, ...] = ()
    never_read: tuple[int, ...] = ()
    phantoms: int = 0
    indeterminate: int = 0
    indeterminate_found: int = 0

    @property
    def found(self) -> int:
        """How many are neither lost, stale, duplicated nor unread."""
        wrong = {*self.lost, *self.stale, *self.duplicated, *self.never_read}
        return self.acknowledged - len(wrong)

    def as_dict(self) -> dict[str, int]:
        """Counts alone, as the document has them."""
        return {
            "acknowledged": self.acknowledged,
            "found": self.found,
            "lost": len(self.lost),
            "stale": len(self.stale),
            "duplicated": len(self.duplicated),
            "never_read": len(self.never_read),
            "phantoms": self.phantoms,
            "indeterminate": self.indeterminate,
            "indeterminate_found": self.indeterminate_found,
        }


@dataclass(frozen=True)
class DataVerdict:
    """Rows, objects and events; ``rpo_seconds`` is how long before ``loss_at`` the oldest lost row
    was acknowledged, ``beyond_bound`` the rows that were lost though older than the bound allows,
    ``unread`` what wasn't read to its end: ``us-west-2's objects``.
    """

    rows: Counts
    objects: Counts
    events: Counts
    rpo_seconds: float = 0.0
    beyond_bound: tuple[int, ...] = ()
    unread: tuple[str, ...] = ()


@dataclass
class _Record:
    """What the writes of one number were answered."""

    first: Operation | None = None
    answers: list[Operation] = field(default_factory=list)
    unknown: bool = False


def check(
    history: History,
    *,
    loss_at: float | None,
    bound_seconds: float | None,
    stale_seconds: float = 60.0,
) -> DataVerdict:
    """Judges a history.

    ``loss_at`` is when the writer was taken away, None where it wasn't; ``bound_seconds`` how old
    at that moment a lost row may be, None for nothing may be lost; ``stale_seconds`` how late a
    read-back must find what was acknowledged.
    """
    records = _records(history.operations)
    acknowledged = {n: r.first for n, r in records.items() if r.first is not None}
    late = _late_reads(history.operations, acknowledged, stale_seconds)
    rows = _rows(history, records, acknowledged, late)
    objects = {n: (op.object, op.digest) for n, op in acknowledged.items() if op.object}
    events = {n: (op.event, "") for n, op in acknowledged.items() if op.event}
    lost = [acknowledged[number].ended for number in rows.lost]
    oldest = min(lost, default=None)
    rpo = 0.0 if oldest is None or loss_at is None else max(0.0, loss_at - oldest)
    return DataVerdict(
        rows,
        _kept(history, What.OBJECT, objects),
        _kept(history, What.EVENT, events),
        rpo,
        tuple(
            number
            for number in rows.lost
            if _excused(acknowledged[number].ended, loss_at, bound_seconds) is False
        ),
        tuple(
            f"{region}'s {what}s"
            for what in What
            for region, complete in _last(history, what).items()
            if not complete
        ),
    )


def _excused(ended: float, loss_at: float | None, bound: float | None) -> bool:
    """Whether what was acknowledged then may be lost: within the bound before the loss."""
    if loss_at is None or bound is None:
        return False
    return ended >= loss_at - bound


def _records(operations: Iterable[Operation]) -> Mapping[int, _Record]:
    found: dict[int, _Record] = defaultdict(_Record)
    for operation in sorted(
        (one for one in operations if one.kind is Kind.WRITE), key=lambda one: one.ended
    ):
        record = found[operation.number]
        if operation.ok:
            record.first = record.first or operation
            record.answers.append(operation)
        record.unknown |= operation.outcome is Outcome.UNKNOWN
    return found


def _late_reads(
    operations: Iterable[Operation], acknowledged: Mapping[int, Operation], stale_seconds: float
) -> set[int]:
    """Numbers that a read-back missed though they had been acknowledged for long."""
    return {
        one.number
        for one in operations
        if one.kind is Kind.READ_BACK
        and one.outcome is Outcome.ABSENT
        and one.number in acknowledged
        and one.began > acknowledged[one.number].ended + stale_seconds
    }


def _rows(
    history: History,
    records: Mapping[int, _Record],
    acknowledged: Mapping[int, Operation],
    late: set[int],
) -> Counts:
    complete = _complete(history, What.ROW)
    held = {region: _by_number(history.found, region) for region in complete}
    lost, stale, duplicated, never = [], [], [], []
    for number, operation in acknowledged.items():
        ids = {region: rows.get(number, []) for region, rows in held.items()}
        right = [region for region, rows in ids.items() if operation.record in rows]
        twice = len({answer.record for answer in records[number].answers}) > 1
        if not complete:
            never.append(number)
        elif not right:
            lost.append(number)
        elif len(right) < len(complete) or number in late:
            stale.append(number)
        if twice or any(len(rows) > 1 for rows in ids.values()):
            duplicated.append(number)
    known = {n for n, record in records.items() if record.first or record.unknown}
    open_ = {n for n, record in records.items() if record.unknown and record.first is None}
    present = {number for rows in held.values() for number in rows}
    return Counts(
        len(acknowledged), tuple(lost), tuple(stale), tuple(duplicated), tuple(never),
        len(present - known), len(open_), len(open_ & present),
    )  # fmt: skip


def _kept(history: History, what: What, wanted: Mapping[int, tuple[str, str]]) -> Counts:
    """Objects and events: by key, and by content where they have one."""
    complete = _complete(history, what)
    held: dict[str, Counter[tuple[str, str]]] = {region: Counter() for region in complete}
    for one in history.found:
        if one.what is what and one.region in held:
            held[one.region][one.key, one.digest] += 1
    lost, stale, duplicated, never = [], [], [], []
    for number, content in wanted.items():
        counts = [keys[content] for keys in held.values()]
        if not complete:
            never.append(number)
        elif not any(counts):
            lost.append(number)
        elif not all(counts):
            stale.append(number)
        if any(count > 1 for count in counts):
            duplicated.append(number)
    return Counts(len(wanted), tuple(lost), tuple(stale), tuple(duplicated), tuple(never))


def _complete(history: History, what: What) -> list[str]:
    """The regions of which this was read to the end, each once."""
    return [region for region, complete in _last(history, what).items() if complete]


def _last(history: History, what: What) -> Mapping[str, bool]:
    """Region → whether this was read to its end; the last reading counts."""
    return {one.region: one.complete for one in history.readings if one.what is what}


def _by_number(found: Iterable[Found], region: str) -> Mapping[int, list[str]]:
    rows: dict[int, list[str]] = defaultdict(list)
    for one in found:
        if one.what is What.ROW and one.region == region:
            rows[one.number].append(one.key)
    return rows
