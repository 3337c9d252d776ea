"""The recovery journal's buckets, in which nothing can be changed (issue 23.10)."""

from __future__ import annotations

import json
from functools import cache

import pytest
from harness import SUFFIX, Deployment, program, run_program

from tapstack.data_settings import DataSettings

REGIONS = ("us-east-1", "us-west-2")
PEER: dict[str, str] = dict(zip(REGIONS, reversed(REGIONS), strict=True))
LOCK = "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration"
every_region = pytest.mark.parametrize("region", REGIONS)


@cache
def locked() -> Deployment:
    """The data layer with a journal that is locked for a year."""
    return run_program(
        "data", config={"data:journalLockDays": 365, "data:journalLockMode": "COMPLIANCE"}
    )


def test_without_the_setting_there_is_none() -> None:
    """R9.3: everything is destroyable unless somebody asks for what isn't."""
    assert program("data").created(LOCK) == []
    assert not [one for one in program("data").created() if "journal" in one.name]


@pytest.mark.parametrize(("mode", "lifted"), [("GOVERNANCE", True), ("COMPLIANCE", False)])
def test_each_run_says_what_a_destroy_leaves(mode: str, lifted: bool) -> None:
    """R9.3: who can't destroy all is warned before, not at the end."""
    (said,) = DataSettings(journal_lock_days=30, journal_lock_mode=mode).warnings()
    assert "a destroy leaves the journal's buckets until 30 days after the last entry" in said
    assert ("s3:BypassGovernanceRetention" in said) is lifted


@every_region
def test_every_version_is_retained_from_its_writing_on(region: str) -> None:
    """Issue 23.10: locked from its creation on, after versions, for what is configured."""
    bucket = locked().one("aws:s3/bucket:Bucket", f"bucket-journal-{region}")
    assert bucket.inputs["bucket"] == f"bucket-journal-{region}-{SUFFIX}"
    assert bucket.inputs["objectLockEnabled"] is True
    lock = locked().one(LOCK, region=region)
    assert lock.inputs["rule"] == {"defaultRetention": {"mode": "COMPLIANCE", "days": 365}}
    kind = "aws:s3/bucketVersioning:BucketVersioning"
    versions = locked().one(kind, f"versioning-journal-{region}")
    assert versions.urn in lock.dependencies


@every_region
def test_the_other_region_keeps_a_copy_that_is_locked_as_well(region: str) -> None:
    """Issue 23.10: S3 replicates locked versions, with what they are retained for, into a bucket
    that locks; what hides an entry here hides none there (S3 user guide, "Using Object Lock with
    S3 Replication")."""
    replication = locked().one(
        "aws:s3/bucketReplicationConfig:BucketReplicationConfig", f"replication-journal-{region}"
    )
    (rule,) = replication.inputs["rules"]
    assert rule["destination"]["bucket"] == f"arn:aws:s3:::bucket-journal-{PEER[region]}-{SUFFIX}"
    assert rule["deleteMarkerReplication"] == {"status": "Disabled"}
    assert "replicationTime" not in rule["destination"]
    for place in REGIONS:
        assert locked().one(LOCK, region=place).urn in replication.dependencies
    policy = locked().one("aws:iam/policy:Policy", f"policy-journal-replication-{region}")
    actions = {
        action
        for statement in json.loads(policy.inputs["policy"])["Statement"]
        for action in statement["Action"]
    }
    assert {"s3:GetObjectRetention", "s3:GetObjectLegalHold"} <= actions
    content = locked().one("aws:iam/policy:Policy", f"policy-replication-{region}")
    assert "s3:GetObjectRetention" not in content.inputs["policy"]


@every_region
def test_the_bucket_is_as_the_others_are(region: str) -> None:
    """HIPAA: encrypted with the region's key, no public access, TLS only, its access logged."""
    made = locked()
    for type_, name in (
        (
            "aws:s3/bucketServerSideEncryptionConfiguration:"
            "BucketServerSideEncryptionConfiguration",
            "encryption",
        ),
        ("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", "public-access-block"),
        ("aws:s3/bucketPolicy:BucketPolicy", "bucket-policy"),
        ("aws:s3/bucketLogging:BucketLogging", "logging"),
        ("aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration", "lifecycle"),
    ):
        assert made.one(type_, f"{name}-journal-{region}")
    logs = made.one("aws:s3/bucketPolicy:BucketPolicy", f"bucket-policy-access-logs-{region}")
    by_sid = {one["Sid"]: one for one in json.loads(logs.inputs["policy"])["Statement"]}
    assert by_sid["ServerAccessLogsJournal"]["Resource"].endswith("/s3/journal/*")
    assert by_sid["ServerAccessLogs"]["Resource"].endswith("/s3/content/*")
