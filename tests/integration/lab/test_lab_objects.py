"""S3 replication obeys what is deployed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from aws_resources import document
from botocore.exceptions import ClientError
from lab_core_world import EAST, WEST, World, allow, eventually, running

from lab import client
from ops.cloud import batch_replication
from ops.cloud.clients import Clients
from ops.stack_file import parse

LAB = (
    "config: {{TapStack:environmentSuffix: x, TapStack:environment: lab, TapStack:endpoint: '{}', "
    "aws:region: us-east-1}}"
)
OTHER = {EAST: WEST, WEST: EAST}
BUCKETS = {EAST: "bucket-east", WEST: "bucket-west"}
READING = (
    "s3:GetReplicationConfiguration",
    "s3:ListBucket",
    "s3:GetObjectVersionForReplication",
    "s3:GetObjectVersionAcl",
    "s3:GetObjectVersionTagging",
)
WRITING = ("s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags")
KEYS = ("kms:Decrypt", "kms:Encrypt")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Two buckets under their regions' keys, replicating both ways."""
    with running(tmp_path_factory.mktemp("objects") / "lab") as world:
        role = world.role("replication", "s3.amazonaws.com")
        permit(world, *READING, *WRITING, *KEYS)
        keys = {
            region: world.aws("kms", region).create_key()["KeyMetadata"]["Arn"] for region in OTHER
        }
        for region, bucket in BUCKETS.items():
            s3 = world.aws("s3", region)
            where = (
                {}
                if region == EAST
                else {"CreateBucketConfiguration": {"LocationConstraint": region}}
            )
            s3.create_bucket(Bucket=bucket, **where)
            s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
            default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": keys[region]}
            s3.put_bucket_encryption(
                Bucket=bucket,
                ServerSideEncryptionConfiguration={
                    "Rules": [{"ApplyServerSideEncryptionByDefault": default}]
                },
            )
        for region, other in OTHER.items():
            configuration = {"Role": role, "Rules": [rule(BUCKETS[other], keys[other])]}
            world.aws("s3", region).put_bucket_replication(
                Bucket=BUCKETS[region], ReplicationConfiguration=configuration
            )
        yield world


def test_batch_replication_sends_what_was_there_before(world: World) -> None:
    """Trap 56: an object of before the rule, by a job of its own role; without the role's rights
    the job fails and nothing is sent."""
    s3, there = world.aws("s3", EAST), world.aws("s3", WEST)
    kept = s3.get_bucket_replication(Bucket=BUCKETS[EAST])["ReplicationConfiguration"]
    s3.delete_bucket_replication(Bucket=BUCKETS[EAST])
    s3.put_object(Bucket=BUCKETS[EAST], Key="of before", Body=b"old")
    s3.put_bucket_replication(Bucket=BUCKETS[EAST], ReplicationConfiguration=kept)
    role = world.role("batch", "batchoperations.s3.amazonaws.com")
    bucket = f"arn:aws:s3:::{BUCKETS[EAST]}"
    iam = world.aws("iam")
    file = parse("lab", LAB.format(world.status.endpoint))
    control = Clients(file, world.status.endpoint).get("s3control", EAST)
    given = {
        **batch_replication.request("000000000000", EAST, "x", failed=False), "RoleArn": role,
    }  # fmt: skip
    generator = given["ManifestGenerator"]["S3JobManifestGenerator"]
    generator["SourceBucket"] = generator["ManifestOutputLocation"]["Bucket"] = bucket

    def run() -> dict[str, Any]:
        made = control.create_job(AccountId="000000000000", **given)

        def ended() -> dict[str, Any] | None:
            job = control.describe_job(AccountId="000000000000", JobId=made["JobId"])["Job"]
            return job if job["Status"] in ("Complete", "Failed") else None

        return eventually(ended, 20)

    assert run()["FailureReasons"][0]["FailureCode"] == "AccessDenied"
    actions = (
        "s3:InitiateReplication", "s3:GetReplicationConfiguration", "s3:GetObject",
        "s3:PutInventoryConfiguration", "s3:PutObject",
    )  # fmt: skip
    allowing = document(allow(*actions))
    iam.put_role_policy(RoleName="batch", PolicyName="batch", PolicyDocument=allowing)
    job = run()
    assert job["Status"] == "Complete"
    assert job["ProgressSummary"]["NumberOfTasksSucceeded"] >= 1
    assert there.get_object(Bucket=BUCKETS[WEST], Key="of before")["Body"].read() == b"old"
    jobs = control.list_jobs(AccountId="000000000000")["Jobs"]
    assert {one["Status"] for one in jobs} == {"Complete", "Failed"}
    with pytest.raises(ClientError, match="NotFoundException"):
        control.describe_job(AccountId="000000000000", JobId="no-such-job-at-all")


def rule(destination: str, key: str) -> dict[str, Any]:
    """The deployed form of a rule (traps 23, 24, 24b)."""
    on = {"Status": "Enabled"}
    return {
        "ID": "all",
        "Priority": 1,
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "DeleteMarkerReplication": on,
        "SourceSelectionCriteria": {"SseKmsEncryptedObjects": on, "ReplicaModifications": on},
        "Destination": {
            "Bucket": f"arn:aws:s3:::{destination}",
            "EncryptionConfiguration": {"ReplicaKmsKeyID": key},
            "ReplicationTime": {**on, "Time": {"Minutes": 15}},
            "Metrics": {**on, "EventThreshold": {"Minutes": 15}},
        },
    }


def permit(world: World, *actions: str) -> None:
    """What the replication role may do."""
    world.aws("iam").put_role_policy(
        RoleName="replication", PolicyName="own", PolicyDocument=document(allow(*actions))
    )


def head(world: World, region: str, key: str) -> dict[str, Any]:
    """HeadObject; empty when there is no such object."""
    try:
        return world.aws("s3", region).head_object(Bucket=BUCKETS[region], Key=key)
    except ClientError:
        return {}


def status(world: World, region: str, key: str, wanted: str) -> bool:
    """Whether the object's replication status becomes what is wanted."""
    return bool(eventually(lambda: head(world, region, key).get("ReplicationStatus") == wanted, 10))


@pytest.mark.parametrize("region", [EAST, WEST])
def test_an_object_is_in_the_other_region_within_five_seconds(world: World, region: str) -> None:
    """R4.1: content, metadata, tags and version are the same, each region's key encrypts, and
    both statuses are right, in both directions (trap 24b)."""
    key, began = f"put-in-{region}", time.monotonic()
    put = world.aws("s3", region).put_object(
        Bucket=BUCKETS[region],
        Key=key,
        Body=b"x" * 1000,
        Metadata={"m": "1"},
        ContentType="text/plain",
        Tagging="t=1",
    )
    assert status(world, OTHER[region], key, "REPLICA")
    assert time.monotonic() - began < 5
    assert status(world, region, key, "COMPLETED")
    here, there = head(world, region, key), head(world, OTHER[region], key)
    assert there["VersionId"] == put["VersionId"]
    assert there["Metadata"] == {"m": "1"}
    assert there["ContentType"] == "text/plain"
    assert there["LastModified"] == here["LastModified"]
    assert there["SSEKMSKeyId"].split(":")[3] == OTHER[region]
    s3 = world.aws("s3", OTHER[region])
    assert s3.get_object(Bucket=BUCKETS[OTHER[region]], Key=key)["Body"].read() == b"x" * 1000
    tags = s3.get_object_tagging(Bucket=BUCKETS[OTHER[region]], Key=key)["TagSet"]
    assert tags == [{"Key": "t", "Value": "1"}]


def test_a_changed_replica_goes_back_without_a_loop(world: World) -> None:
    """Trap 24b: replica modification sync."""
    world.aws("s3", EAST).put_object(Bucket=BUCKETS[EAST], Key="synced", Body=b"1")
    assert status(world, WEST, "synced", "REPLICA")
    tags = [{"Key": "by", "Value": "west"}]
    world.aws("s3", WEST).put_object_tagging(
        Bucket=BUCKETS[WEST], Key="synced", Tagging={"TagSet": tags}
    )
    east = world.aws("s3", EAST)
    assert eventually(
        lambda: east.get_object_tagging(Bucket=BUCKETS[EAST], Key="synced")["TagSet"] == tags
    )
    versions = east.list_object_versions(Bucket=BUCKETS[EAST], Prefix="synced")["Versions"]
    assert len(versions) == 1
    assert head(world, WEST, "synced")["ReplicationStatus"] == "REPLICA"


def test_delete_markers_replicate_and_deleted_versions_do_not(world: World) -> None:
    """Trap 23: a delete hides the object in both regions; deleting a version stays here."""
    east = world.aws("s3", EAST)
    version = east.put_object(Bucket=BUCKETS[EAST], Key="gone", Body=b"1")["VersionId"]
    assert status(world, WEST, "gone", "REPLICA")
    east.delete_object(Bucket=BUCKETS[EAST], Key="gone")
    assert eventually(lambda: not head(world, WEST, "gone"))
    east.delete_object(Bucket=BUCKETS[EAST], Key="gone", VersionId=version)
    time.sleep(0.3)
    west = world.aws("s3", WEST)
    kept = west.get_object(Bucket=BUCKETS[WEST], Key="gone", VersionId=version)["Body"].read()
    assert kept == b"1"


@pytest.mark.parametrize(
    "missing",
    ["s3:GetObjectVersionForReplication", "s3:ReplicateObject", "kms:Decrypt", "kms:Encrypt"],
)
def test_a_missing_permission_shows_as_failed(world: World, missing: str) -> None:
    """R4.2: a role without one of its permissions: FAILED at the source, nothing there."""
    permit(world, *({*READING, *WRITING, *KEYS} - {missing}))
    try:
        key = f"without-{missing}"
        world.aws("s3", EAST).put_object(Bucket=BUCKETS[EAST], Key=key, Body=b"1")
        assert status(world, EAST, key, "FAILED")
    finally:
        permit(world, *READING, *WRITING, *KEYS)
    assert not head(world, WEST, key)


def test_a_denying_destination_policy_fails_replication(world: World) -> None:
    """R4.2: the destination's policy is asked; a Deny of plain HTTP doesn't hit S3 itself."""
    west = world.aws("s3", WEST)
    deny = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": f"arn:aws:s3:::{BUCKETS[WEST]}/*",
    }
    insecure = {**deny, "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    try:
        for name, statement, wanted in (("tls", insecure, "COMPLETED"), ("all", deny, "FAILED")):
            west.put_bucket_policy(Bucket=BUCKETS[WEST], Policy=document(statement))
            world.aws("s3", EAST).put_object(Bucket=BUCKETS[EAST], Key=name, Body=b"1")
            assert status(world, EAST, name, wanted), json.dumps(statement)
    finally:
        west.delete_bucket_policy(Bucket=BUCKETS[WEST])


def test_replication_waits_for_a_dead_region_and_over_a_restart(world: World) -> None:
    """N2: pending while the region is down, shown in the backlog, completed afterwards."""
    client.outage(world.state_dir, WEST)
    world.aws("s3", EAST).put_object(Bucket=BUCKETS[EAST], Key="waits", Body=b"1")
    assert status(world, EAST, "waits", "PENDING")
    detail = client.status(world.state_dir).parts["objects"]["detail"]
    assert eventually(
        lambda: (
            "1 replications pending" in client.status(world.state_dir).parts["objects"]["detail"]
        )
    ), detail
    world.restart()
    assert status(world, EAST, "waits", "PENDING")
    assert not head(world, EAST, "gone")
    client.restore(world.state_dir, WEST)
    assert status(world, EAST, "waits", "COMPLETED")
    assert status(world, WEST, "waits", "REPLICA")
