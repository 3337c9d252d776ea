"""S3's objects on disk: whatever the key, one file of a name that no key can choose.

The emulator joins keys to paths, so it renames some, loses others at a restart, and answers 200
when nothing was written. Here the file's name is the key's hash; the first line is the object's
record as JSON, the rest its content, so one replacement writes both.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from lab.api import ApiRefusal, ApiRequest, ApiResponse, CallNext
from lab.emulator.mending import Mending
from lab.emulator.scope import scope
from pulumi_protocol.files import private_directory, write_atomically

LONGEST_KEY = 1024
"""Bytes in UTF-8 (S3 user guide, "Naming Amazon S3 objects")."""
_KEPT = (
    "content_type",
    "content_encoding",
    "etag",
    "last_modified",
    "size",
    "metadata",
    "preserved_headers",
    "storage_class",
    "checksums",
    "version_id",
)


def install(mending: Mending) -> None:
    """Takes the place of the emulator's files, and loads what is there."""
    from ministack.services import s3

    files = ObjectFiles(mending.lab.state_dir / "object-files")
    files.adopt(s3)
    files.load(s3)
    s3._persist_object = files.persist
    s3._read_body = files.read
    s3._delete_persisted_object = files.delete
    mending.mend("s3", "PutObject CopyObject CompleteMultipartUpload", files.written)
    mending.mend("s3", "PutObject CopyObject CreateMultipartUpload", check_key)
    mending.mend("s3", "DeleteObject DeleteObjects", files.deleted)


async def check_key(request: ApiRequest, call_next: CallNext) -> ApiResponse:
    """Keys that S3 refuses: too long, or with relative elements that climb out of the bucket."""
    key = request.parameters["Key"]
    if len(key.encode()) > LONGEST_KEY:
        raise ApiRefusal("KeyTooLongError", "Your key is too long")
    depth = 0
    for element in key.split("/"):
        depth += -1 if element == ".." else 1
        if depth < 0:
            raise ApiRefusal("InvalidURI", "Couldn't parse the specified URI.")
    return await call_next(request)


class ObjectFiles:
    """The current versions of all objects."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._not_saved: dict[tuple[str, str], str] = {}
        """(bucket, key) → why it couldn't be written, until that is answered"""

    def path(self, account: str, bucket: str, key: str) -> Path:
        """Where an object's file is."""
        name = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
        return self.root / account / bucket / name

    def persist(self, bucket: str, key: str, record: dict[str, Any]) -> None:
        """Writes an object; raises OSError, and takes it back, when that can't be done."""
        path = self._own_path(bucket, key)
        kept = {name: record.get(name) for name in _KEPT}
        head = json.dumps({"key": key, **kept}, separators=(",", ":"))
        try:
            private_directory(path.parent)
            write_atomically(path, head.encode() + b"\n" + (record["body"] or b""))
        except OSError as error:
            self._take_back(bucket, key, record)
            cause = f"the lab could not save {bucket}/{key}: {error.strerror}"
            self._not_saved[bucket, key] = cause
            raise OSError(error.errno, cause) from None
        record["body"] = None

    def read(self, bucket: str, key: str, record: dict[str, Any]) -> bytes:
        """An object's content."""
        body = record.get("body")
        if body is None:
            return self._own_path(bucket, key).read_bytes().partition(b"\n")[2]
        return body

    def delete(self, bucket: str, key: str) -> None:
        """Removes an object's file."""
        self._own_path(bucket, key).unlink(missing_ok=True)

    async def written(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        """An object that couldn't be written is answered with the cause."""
        response = await call_next(request)
        where = request.parameters["Bucket"], request.parameters["Key"]
        if cause := self._not_saved.pop(where, ""):
            raise ApiRefusal("InternalError", cause, 500)
        return response

    async def deleted(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        """The file is the current version's: gone when a delete marker hides the object, another
        one's when a version or a marker was removed."""
        from ministack.services import s3

        response = await call_next(request)
        if response.ok:
            bucket, given = request.parameters["Bucket"], request.parameters
            with scope(request):
                objects = (s3._buckets.get(bucket) or {"objects": {}})["objects"]
                for item in (given.get("Delete") or {}).get("Objects") or [given]:
                    record = objects.get(item["Key"])
                    if record is None:
                        self.delete(bucket, item["Key"])
                    elif record.get("body") is not None:
                        self.persist(bucket, item["Key"], record)
        return response

    def adopt(self, s3: Any) -> None:
        """Takes over the files that the emulator's own way has written."""
        from ministack.core.responses import request_scope

        for (account, bucket), held in list(s3._buckets._data.items()):
            with request_scope(account, held.get("region") or "us-east-1"):
                for key, record in held["objects"].items():
                    old = s3._object_disk_path(bucket, key)
                    if record.get("body") is None and old and os.access(old, os.R_OK):
                        self.persist(bucket, key, {**record, "body": Path(old).read_bytes()})
                        s3._delete_persisted_object(bucket, key)

    def load(self, s3: Any) -> None:
        """Brings back every object of a bucket that still exists."""
        for path in sorted(self.root.glob("*/*/*")):
            account, bucket = path.parent.parent.name, path.parent.name
            held = s3._buckets._data.get((account, bucket))
            if held is None or path.name.startswith("."):
                path.unlink()
                continue
            head, _, body = path.read_bytes().partition(b"\n")
            record = json.loads(head)
            key = record.pop("key")
            held["objects"][key] = {**record, "body": None}
            if record["version_id"]:
                versions = s3._object_versions._data.setdefault((account, (bucket, key)), [])
                if all(entry["version_id"] != record["version_id"] for entry in versions):
                    # Versions have their content in memory, as when they were written.
                    entry = s3._version_entry_from_record(record, record["version_id"], body)
                    versions.append({**entry, "is_latest": True})

    def _own_path(self, bucket: str, key: str) -> Path:
        from ministack.core.responses import get_account_id

        return self.path(get_account_id(), bucket, key)

    def _take_back(self, bucket: str, key: str, record: dict[str, Any]) -> None:
        """The write never happened: what is on disk is current again."""
        from ministack.services import s3

        versions = s3._object_versions.get((bucket, key)) or []
        if record.get("version_id"):
            versions[:] = [v for v in versions if v["version_id"] != record["version_id"]]
            if versions:
                versions[-1]["is_latest"] = True
        objects = s3._buckets[bucket]["objects"]
        objects.pop(key, None)
        path = self._own_path(bucket, key)
        if path.is_file():
            head = path.read_bytes().partition(b"\n")[0]
            objects[key] = {**json.loads(head), "body": None}
            del objects[key]["key"]
