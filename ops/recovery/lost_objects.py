"""Objects of a lost tail: those that a record names and nobody has, and those that no record
names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ops.cloud.answers import reason
from ops.errors import OperatorError
from ops.recovery.lost_tail import LostTail

ATTACHMENTS = "attachments/"
"""Where the application keeps what records name (``records.mjs``)."""


@dataclass(frozen=True)
class LostObjects:
    """Keys in the promoted region's bucket."""

    missing: tuple[str, ...]
    """A record names them, and they aren't there."""
    without_records: tuple[str, ...]
    """They were made since the time of the loss, and no record names them."""


def find(s3: Any, bucket: str, tail: LostTail) -> LostObjects:
    """Compares a bucket with the records of the time of the loss. Raises ``OperatorError``.

    Records are asked first and again at the end, for what is stored meanwhile: an object is there
    before the record that names it.
    """
    named, newest = tail.attachments()
    present: set[str] = set()
    unnamed: list[str] = []
    for key, oldest in _present(s3, bucket):
        if key in named:
            present.add(key)
        elif oldest >= tail.since:
            unnamed.append(key)
    stored_since, _ = tail.attachments(down_to=newest)
    return LostObjects(
        tuple(sorted(named.keys() - present)),
        tuple(key for key in unnamed if key not in stored_since),
    )


def _present(s3: Any, bucket: str) -> Iterator[tuple[str, datetime]]:
    """Each object that is there, and when its oldest version was made: a client that repeats a
    request of last year makes a new version alone. S3 lists all versions of a key in a row."""
    for key, versions in groupby(_versions(s3, bucket), key=lambda version: version["Key"]):
        found = list(versions)
        if any(version["IsLatest"] for version in found):
            yield key, min(version["LastModified"] for version in found)


def _versions(s3: Any, bucket: str) -> Iterator[Mapping[str, Any]]:
    pages = s3.get_paginator("list_object_versions")
    try:
        for page in pages.paginate(Bucket=bucket, Prefix=ATTACHMENTS):
            yield from page.get("Versions", [])
    except (ClientError, BotoCoreError) as fault:
        raise OperatorError(f"{bucket}: {reason(fault)}; run the same again") from None
