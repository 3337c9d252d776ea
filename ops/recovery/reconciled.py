"""What is known of the lost tail of a promotion: rows, objects and events, each by its name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

COUNTED = ("held", "repeated", "conflict", "lost", "replayed", "withdrawn")
"""What became of the old volume's records: replicated; sent again by its client since; under a key
that another request has now; lost; replayed by this run; its loss accepted, its event withdrawn."""
NAMES_AT_ONCE = 500
"""Names in one entry of the journal, which DynamoDB limits to 400 KB."""


@dataclass(frozen=True)
class Reconciled:
    """The document of ``recovery.reconcile --json``."""

    region: str
    """The promoted region."""
    snapshot: str
    tail: str
    reason: str = ""
    """Why its loss was accepted."""
    unlisted: str = ""
    """Why the old volume's records couldn't be listed before their loss was accepted."""
    counts: Mapping[str, int] = field(default_factory=dict)
    records: tuple[Mapping[str, Any], ...] = ()
    """Each that neither is held nor was repeated: ``id``, ``event_id``, ``created_at``,
    ``attachment``, ``fate``."""
    missing_objects: tuple[str, ...] = ()
    """Attachments that records name and the promoted region's bucket doesn't have."""
    objects_without_records: tuple[str, ...] = ()
    """Objects of the time of the loss that no record names: those of lost records, and of requests
    that were never acknowledged. They stay, and nobody has to decide anything."""
    orphaned: tuple[str, ...] = ()
    """Events that were received, and whose record is gone."""

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left that a person must decide."""
        undecided = self.counts.get("lost") or self.counts.get("conflict")
        return not (undecided or self.missing_objects or self.orphaned)

    def as_dict(self) -> dict[str, Any]:
        """The document."""
        return asdict(self)

    def names(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """What was lost by its name, by kind, in portions that the journal takes."""
        kinds = {
            "records": tuple(str(record["id"]) for record in self.records),
            "missing_objects": self.missing_objects,
            "objects_without_records": self.objects_without_records,
            "orphaned": self.orphaned,
        }
        for kind, names in kinds.items():
            for start in range(0, len(names), NAMES_AT_ONCE):
                yield kind, names[start : start + NAMES_AT_ONCE]
