"""The jobs and recovery points of both regions, kept on disk."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from lab.backup.jobs import Copy, Job, Kind, Point
from lab.facts import BackupState
from pulumi_protocol.files import write_atomically

MOST_ENDED = 200
"""Jobs that have ended; AWS lists those of the last 30 days."""


@dataclass
class Kept:
    """All of it; a change counts once it is on disk."""

    path: Path
    jobs: dict[str, Job] = field(default_factory=dict)
    """By id, oldest first."""
    points: dict[str, Point] = field(default_factory=dict)
    """By ARN, oldest first."""

    @classmethod
    def load(cls, path: Path) -> Kept:
        """From ``path``; empty where there is no such file."""
        kept = cls(path)
        if path.exists():
            stored = json.loads(path.read_text())
            kept.jobs = {one["id"]: _job(one) for one in stored["jobs"]}
            kept.points = {one["arn"]: Point(**one) for one in stored["points"]}
        return kept

    def change(
        self, jobs: dict[str, Job], points: dict[str, Point], gone: frozenset[str] = frozenset()
    ) -> None:
        """Adds or replaces jobs and recovery points, and takes away the points ``gone``. Raises
        OSError, and nothing has changed."""
        all_jobs = {**self.jobs, **jobs}
        ended = [one.id for one in all_jobs.values() if not one.at_work]
        for identifier in ended[:-MOST_ENDED]:
            del all_jobs[identifier]
        all_points = {**self.points, **points}
        left = {arn: one for arn, one in all_points.items() if arn not in gone}
        stored = {
            "jobs": [asdict(one) for one in all_jobs.values()],
            "points": [asdict(one) for one in left.values()],
        }
        write_atomically(self.path, json.dumps(stored))
        self.jobs, self.points = all_jobs, left

    def in_vault(self, account: str, region: str, vault: str) -> list[Point]:
        """A vault's recovery points, the newest first."""
        found = (
            one
            for one in self.points.values()
            if (one.account, one.region, one.vault) == (account, region, vault)
        )
        return sorted(found, key=lambda one: one.created, reverse=True)


def _job(stored: dict[str, Any]) -> Job:
    copies = tuple(Copy(**one) for one in stored["copies"])
    made = Job(**{**stored, "copies": copies})
    return replace(made, kind=Kind(made.kind), state=BackupState(made.state))
