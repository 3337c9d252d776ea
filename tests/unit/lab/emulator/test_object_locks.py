"""Objects that a bucket's default retention keeps (issue 23.10)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from emulator_world import World

from lab.emulator.services import s3_locks


def locked(world: World, name: str, **retention: Any) -> Any:
    """A client, and a bucket of that name with a default retention."""
    s3 = world.aws("s3")
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    s3.put_object_lock_configuration(
        Bucket=name,
        ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": retention},
        },
    )  # fmt: skip
    return s3


def refusal(call: Any, **parameters: Any) -> str:
    """The code of an error."""
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    return caught.value.response["Error"]["Code"]


def test_every_version_stays_and_a_marker_may_hide_it(world: World) -> None:
    """Issue 23.10: an entry that is overwritten or hidden is still there, and nobody deletes it in
    compliance mode, whatever is asked."""
    s3 = locked(world, "bucket-compliant", Mode="COMPLIANCE", Days=1)
    name = {"Bucket": "bucket-compliant", "Key": "entry"}
    first = s3.put_object(**name, Body=b"true")["VersionId"]
    second = s3.put_object(**name, Body=b"false")["VersionId"]
    marker = s3.delete_object(**name)
    assert marker["DeleteMarker"]
    for version in (first, second):
        for passing in (False, True):
            given = {**name, "VersionId": version, "BypassGovernanceRetention": passing}
            assert refusal(s3.delete_object, **given) == "AccessDenied"
    s3.delete_object(**name, VersionId=marker["VersionId"])
    assert s3.get_object(**name, VersionId=first)["Body"].read() == b"true"
    assert refusal(s3.delete_bucket, Bucket="bucket-compliant") == "BucketNotEmpty"


def test_governance_is_passed_by_who_asks_to(world: World) -> None:
    """Issue 23.10: of many, those that are kept are errors of their own, and the others go."""
    s3 = locked(world, "bucket-governed", Mode="GOVERNANCE", Years=1)
    versions = [
        {"Key": key, "VersionId": s3.put_object(Bucket="bucket-governed", Key=key)["VersionId"]}
        for key in ("one", "two")
    ]
    marker = s3.delete_object(Bucket="bucket-governed", Key="two")["VersionId"]
    asked = [*versions, {"Key": "two", "VersionId": marker}]
    wanted = {"Bucket": "bucket-governed", "Delete": {"Objects": asked}}
    answer = s3.delete_objects(**wanted)
    assert {one["Code"] for one in answer["Errors"]} == {"AccessDenied"}
    assert [(one["Key"], one["VersionId"]) for one in answer["Errors"]] == [
        (one["Key"], one["VersionId"]) for one in versions
    ]
    assert [one["VersionId"] for one in answer["Deleted"]] == [marker]
    passed = s3.delete_objects(**wanted, BypassGovernanceRetention=True)
    assert "Errors" not in passed
    s3.delete_bucket(Bucket="bucket-governed")


def test_what_is_retained_no_more_is_deleted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Issue 23.10: after its days; and what isn't locked at all, or has no version, as ever."""
    s3 = locked(world, "bucket-expired", Mode="COMPLIANCE", Days=1)
    version = s3.put_object(Bucket="bucket-expired", Key="k")["VersionId"]

    class Later(datetime):
        """Two days on."""

        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.now(UTC) + timedelta(days=2)

    monkeypatch.setattr(s3_locks, "datetime", Later)
    s3.delete_object(Bucket="bucket-expired", Key="k", VersionId=version)
    s3.delete_object(Bucket="bucket-expired", Key="k", VersionId="none")
    s3.create_bucket(Bucket="bucket-plain")
    s3.put_object(Bucket="bucket-plain", Key="k")
    s3.delete_object(Bucket="bucket-plain", Key="k")
    s3.delete_bucket(Bucket="bucket-plain")
