"""Whose a bucket is."""

from __future__ import annotations


def owner_of(bucket: str) -> tuple[str, str] | None:
    """(account, region) of a bucket; None when there is none of that name."""
    from ministack.services import s3

    for (account, name), record in s3._buckets._data.items():
        if name == bucket:
            return account, record.get("region") or "us-east-1"
    return None
