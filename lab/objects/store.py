"""The emulator's object store, as the replicator reads and writes it: replicas keep version id,
time, metadata and tags, which no call of the API could give them."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

STATUS = "x-amz-replication-status"
ENCRYPTION = "x-amz-server-side-encryption"
ENCRYPTION_KEY = "x-amz-server-side-encryption-aws-kms-key-id"


@dataclass(frozen=True)
class Version:
    """One version of an object, with its content."""

    record: Mapping[str, Any]
    version_id: str
    body: bytes
    tags: Mapping[str, str]

    @property
    def status(self) -> str:
        """PENDING, COMPLETED, FAILED, REPLICA or empty."""
        return str(self.record["preserved_headers"].get(STATUS, ""))

    @property
    def encryption(self) -> str:
        """AES256, aws:kms or empty."""
        return str(self.record["preserved_headers"].get(ENCRYPTION, ""))


def account_scope(account: str) -> AbstractContextManager[None]:
    """Buckets belong to an account; their names are global."""
    from ministack.core.responses import request_scope

    return request_scope(account, "us-east-1")


def read(account: str, bucket: str, key: str, version_id: str) -> Version | None:
    """A version; an empty id is the current one. None when it is gone, or a delete marker."""
    from ministack.services import s3

    with account_scope(account):
        current = (s3._buckets.get(bucket) or {"objects": {}})["objects"].get(key)
        if current is not None and version_id in ("", current.get("version_id") or "null"):
            record: Mapping[str, Any] = current
            body = s3._read_body(bucket, key, current)
        else:
            entry = next(
                (
                    entry
                    for entry in s3._object_versions.get((bucket, key), [])
                    if entry["version_id"] == version_id and not entry.get("is_delete_marker")
                ),
                None,
            )
            if entry is None:
                return None
            record = s3._object_record_from_version(entry)
            body = entry.get("data") or b""
        name = str(record.get("version_id") or "null")
        tags = s3._object_tags.get((bucket, key, record.get("version_id"))) or {}
        return Version(record, name, body or b"", dict(tags))


def set_status(account: str, bucket: str, key: str, version_id: str, status: str) -> None:
    """A version's replication status, as GetObject and HeadObject show it."""
    from ministack.services import s3

    with account_scope(account):
        current = (s3._buckets.get(bucket) or {"objects": {}})["objects"].get(key)
        if current is not None and (current.get("version_id") or "null") == version_id:
            current["preserved_headers"] = {**current["preserved_headers"], STATUS: status}
            body = s3._read_body(bucket, key, current)
            s3._persist_object(bucket, key, {**current, "body": body})
        for entry in s3._object_versions.get((bucket, key), []):
            if entry["version_id"] == version_id and not entry.get("is_delete_marker"):
                entry["preserved_headers"] = {
                    **entry.get("preserved_headers", {}),
                    STATUS: status,
                }


def write_replica(
    account: str,
    bucket: str,
    key: str,
    version: Version,
    headers: Mapping[str, str],
    storage_class: str,
) -> None:
    """Puts a version into the destination: the same id, time and metadata; ``headers`` are those
    of the replica's encryption. A newer version that is there already stays the current one."""
    from ministack.services import s3

    record = copy.deepcopy(dict(version.record))
    kept = {
        name: value
        for name, value in record["preserved_headers"].items()
        if not name.startswith("x-amz-server-side-encryption")
    }
    record["preserved_headers"] = {**kept, **headers, STATUS: "REPLICA"}
    record["storage_class"] = storage_class or record.get("storage_class") or "STANDARD"
    record["version_id"] = version.version_id
    record["body"] = version.body
    with account_scope(account):
        objects = s3._buckets[bucket]["objects"]
        versions = s3._object_versions.setdefault((bucket, key), [])
        versions[:] = [entry for entry in versions if entry["version_id"] != version.version_id]
        entry = s3._version_entry_from_record(record, version.version_id, version.body)
        versions.append(entry)
        # Append order is age in the emulator; the last writer wins.
        versions.sort(key=lambda item: item["last_modified"])
        for item in versions:
            item["is_latest"] = item is versions[-1]
        if versions[-1] is entry:
            objects[key] = record
            s3._persist_object(bucket, key, record)
        s3._object_tags[(bucket, key, version.version_id)] = dict(version.tags)


def write_delete_marker(account: str, bucket: str, key: str, marker_id: str) -> None:
    """Puts a delete marker into the destination."""
    from ministack.core.responses import now_iso
    from ministack.services import s3

    with account_scope(account):
        versions = s3._object_versions.setdefault((bucket, key), [])
        if any(entry["version_id"] == marker_id for entry in versions):
            return
        for entry in versions:
            entry["is_latest"] = False
        versions.append(
            {
                "version_id": marker_id,
                "last_modified": now_iso(),
                "etag": "",
                "size": 0,
                "is_latest": True,
                "is_delete_marker": True,
                "is_replica": True,
            }
        )
        s3._buckets[bucket]["objects"].pop(key, None)
        s3._delete_persisted_object(bucket, key)


def copy_tags(
    account: str, bucket: str, key: str, version_id: str, tags: Mapping[str, str]
) -> bool:
    """Sets the tags of a version that is there already; whether it is."""
    from ministack.services import s3

    with account_scope(account):
        known = any(
            entry["version_id"] == version_id
            for entry in s3._object_versions.get((bucket, key), [])
        )
        if known:
            s3._object_tags[(bucket, key, version_id)] = dict(tags)
        return known


def default_encryption(bucket: str, account: str) -> dict[str, str]:
    """Headers of a bucket's default encryption."""
    from ministack.services import s3

    with account_scope(account):
        headers, error = s3._resolve_sse_write_headers({}, bucket)
    return {} if error else dict(headers or {})


def pending() -> list[tuple[str, str, str, str]]:
    """(account, bucket, key, version id) of what a former process had not replicated."""
    from ministack.services import s3

    return [
        (account, name, key, str(record.get("version_id") or "null"))
        for (account, name), bucket in s3._buckets._data.items()
        for key, record in bucket["objects"].items()
        if record.get("preserved_headers", {}).get(STATUS) == "PENDING"
    ]


def current_versions(account: str, bucket: str) -> list[tuple[str, str, str]]:
    """(key, version id, replication status) of a bucket's objects; an empty status is none."""
    from ministack.services import s3

    with account_scope(account):
        objects = (s3._buckets.get(bucket) or {"objects": {}})["objects"]
        return [
            (
                key,
                str(record.get("version_id") or "null"),
                str(record.get("preserved_headers", {}).get(STATUS, "")),
            )
            for key, record in sorted(objects.items())
        ]
