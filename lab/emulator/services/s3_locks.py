"""S3: what a bucket's default retention keeps can't be deleted, version by version.

The emulator locks a key's newest version alone, forgets it at a restart, and refuses the delete
marker that S3 allows (S3 user guide, "Object Lock considerations").
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from defusedxml.ElementTree import fromstring, tostring

from lab.api import ApiRefusal, ApiRequest, ApiResponse, CallNext
from lab.emulator.mending import Mending
from lab.emulator.scope import scope

CODE = "AccessDenied"
MESSAGE = "Access Denied because object protected by object lock."
DAYS_A_YEAR = 365


def install(mending: Mending) -> None:
    """Mends S3's locks."""
    mending.mend("s3", "DeleteObject", delete_one)
    mending.mend("s3", "DeleteObjects", delete_many)


async def delete_one(request: ApiRequest, call_next: CallNext) -> ApiResponse:
    """A version stays while it is retained; a marker may always hide it."""
    given = request.parameters
    if _retained(request, given["Key"], given.get("VersionId", "")):
        raise ApiRefusal(CODE, MESSAGE, 403)
    return await call_next(request)


async def delete_many(request: ApiRequest, call_next: CallNext) -> ApiResponse:
    """The same for each of them; the others are deleted, and what stays is an error of its own."""
    kept = [
        one
        for one in request.parameters["Delete"]["Objects"]
        if _retained(request, one["Key"], one.get("VersionId", ""))
    ]
    if kept and request.call is not None:
        request.call = request.call.with_body(_without(request.call.body, kept))
    response = await call_next(request)
    errors = [{**one, "Code": CODE, "Message": MESSAGE} for one in kept]
    if errors and response.ok:
        response.result["Errors"] = [*response.result.get("Errors", []), *errors]
    return response


def _retained(request: ApiRequest, key: str, version_id: str) -> bool:
    """Whether the version is retained and the caller doesn't, or can't, pass it by."""
    from ministack.services import s3

    bucket = request.parameters["Bucket"]
    with scope(request):
        lock = (s3._bucket_object_lock.get(bucket) or {}).get("default_retention")
        # The emulator's own lock, of the key.
        s3._object_retention.pop((bucket, key), None)
        versions = s3._object_versions.get((bucket, key), [])
        found = next((one for one in versions if one["version_id"] == version_id), None)
    if not lock or found is None or found.get("is_delete_marker"):
        return False
    if lock["Mode"] == "GOVERNANCE" and request.parameters.get("BypassGovernanceRetention"):
        return False
    return datetime.now(UTC) < _until(lock, found["last_modified"])


def _until(lock: Mapping[str, Any], written: str) -> datetime:
    days = int(lock.get("Days", 0)) or DAYS_A_YEAR * int(lock.get("Years", 0))
    return datetime.fromisoformat(written.replace("Z", "+00:00")) + timedelta(days=days)


def _without(body: bytes, kept: list[dict[str, Any]]) -> bytes:
    """The request without these objects."""
    root = fromstring(body)
    names = {(one["Key"], one.get("VersionId", "")) for one in kept}
    for element in list(root):
        said = {child.tag.rpartition("}")[2]: child.text or "" for child in element}
        if (said.get("Key"), said.get("VersionId", "")) in names:
            root.remove(element)
    return tostring(root)
