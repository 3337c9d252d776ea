"""The lab's parts, in the order they start; they stop in reverse."""

from __future__ import annotations

from lab.backup.part import BackupPart
from lab.database.part import DatabasePart
from lab.dns.part import DnsPart
from lab.events.part import EventsPart
from lab.metrics.part import MetricsPart
from lab.objects.part import ObjectsPart
from lab.part import Part

PARTS: tuple[type[Part], ...] = (
    EventsPart, ObjectsPart, DatabasePart, BackupPart, DnsPart, MetricsPart,
)  # fmt: skip
