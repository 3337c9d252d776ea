"""What the database knows of a lost tail, asked page by page from inside the VPC: patient data
stays there (``index.probe``)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ops.errors import OperatorError
from recovery.database_probe import DatabaseProbe, TailMode
from recovery.ports import UnavailableError

NEWEST = str(2**63 - 1)
"""A number above every record's."""


@dataclass(frozen=True)
class LostTail:
    """Asks the promoted region's probe.

    ``since`` is a moment before everything that may be lost, ``epoch`` the newest that is known: a
    demoted volume that answers as the writer is refused (H26). All raise ``OperatorError``.
    """

    probe: DatabaseProbe
    since: datetime
    epoch: int

    def records(self, host: str, mode: TailMode) -> list[Mapping[str, Any]]:
        """Compares the old volume at ``host`` with the present writer; returns its pages.

        Pages lead from the newest record back. Lost records are replayed from the oldest page on,
        so that they are stored again in the order in which they were stored.
        """
        marks = [NEWEST]
        pages = [self._compare(host, marks[0], mode if mode != "replay" else "list")]
        while (following := pages[-1]["next"]) is not None:
            marks.append(following)
            pages.append(self._compare(host, following, mode if mode != "replay" else "list"))
        if mode != "replay":
            return pages
        return [self._compare(host, mark, mode) for mark in reversed(marks)]

    def orphans(self, *, withdraw: bool) -> tuple[str, ...]:
        """Returns the keys of events that were received and whose record is gone; ``withdraw`` has
        them taken back."""
        found: list[str] = []
        after: str | None = ""
        while after is not None:
            page = self._asked(
                lambda after=after: self.probe.find_orphans(
                    self.since.isoformat(), after, withdraw=withdraw, epoch=self.epoch
                )
            )
            found += page["orphaned"]
            after = page["next"]
        return tuple(found)

    def attachments(self, down_to: int = 0) -> tuple[dict[str, str], int]:
        """Returns the objects that the present writer's records name, each with a record's id, and
        the newest record's number; ``down_to`` ends with that number."""
        found: dict[str, str] = {}
        newest = 0
        for page in self._attachment_pages(down_to):
            newest = max(newest, int(page["newest"]))
            found |= {one["key"]: one["id"] for one in page["attachments"]}
        return found, newest

    def _attachment_pages(self, down_to: int) -> Iterator[Mapping[str, Any]]:
        before: str | None = NEWEST
        while before is not None and int(before) > down_to:
            page = self._asked(
                lambda before=before: self.probe.list_attachments(
                    self.since.isoformat(), before, epoch=self.epoch
                )
            )
            yield page
            before = page["next"]

    def _compare(self, host: str, before: str, mode: TailMode) -> Mapping[str, Any]:
        since = self.since.isoformat()
        return self._asked(
            lambda: self.probe.compare_tail(host, since, before, mode=mode, epoch=self.epoch)
        )

    @staticmethod
    def _asked(ask: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
        try:
            return ask()
        except UnavailableError as fault:
            raise OperatorError(f"{fault}; run the same again") from None
