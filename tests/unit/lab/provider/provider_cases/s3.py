"""S3: what each resource is made with, and what it is changed to."""

from __future__ import annotations

from typing import Any

from provider_cases.case import Case, World, named, policy

RULE = {
    "id": "all",
    "status": "Enabled",
    "priority": 1,
    "filter": {"prefix": ""},
    "deleteMarkerReplication": {"status": "Enabled"},
    "destination": {
        "metrics": {"status": "Enabled", "eventThreshold": {"minutes": 15}},
        "replicationTime": {"status": "Enabled", "time": {"minutes": 15}},
    },
    "sourceSelectionCriteria": {
        "sseKmsEncryptedObjects": {"status": "Enabled"},
        "replicaModifications": {"status": "Enabled"},
    },
}


def replication(world: World, priority: int) -> dict[str, Any]:
    key = {"encryptionConfiguration": {"replicaKmsKeyId": world["key"].outputs["arn"]}}
    destination = {**RULE["destination"], **key, "bucket": world["bucket-two"].outputs["arn"]}
    return {
        "bucket": world["bucket"].id,
        "role": world["role"].outputs["arn"],
        "rules": [{**RULE, "priority": priority, "destination": destination}],
    }


CASES = [
    Case(
        "bucket",
        "aws:s3/bucket:Bucket",
        lambda w: named("bucket", bucket="bucket-one", forceDestroy=True),
        lambda w: {"bucket": "bucket-one", "forceDestroy": True, "tags": {"Other": "x"}},
    ),
    Case(
        "bucket-two",
        "aws:s3/bucket:Bucket",
        lambda w: named("bucket-two", bucket="bucket-two", forceDestroy=True),
    ),
    Case(
        "bucket-keeping",
        "aws:s3/bucket:Bucket",
        lambda w: named(
            "bucket-keeping", bucket="bucket-keeping", forceDestroy=True, objectLockEnabled=True
        ),
    ),
    *(
        Case(
            f"{bucket}-versioning",
            "aws:s3/bucketVersioning:BucketVersioning",
            lambda w, bucket=bucket: {
                "bucket": w[bucket].id,
                "versioningConfiguration": {"status": "Enabled"},
            },
            stays=True,
        )
        for bucket in ("bucket", "bucket-two")
    ),
    Case(
        "bucket-replication",
        "aws:s3/bucketReplicationConfig:BucketReplicationConfig",
        lambda w: replication(w, 1),
        lambda w: replication(w, 2),
        needs=("bucket-versioning", "bucket-two-versioning"),
    ),
    Case(
        "bucket-lifecycle",
        "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        lambda w: {
            "bucket": w["bucket"].id,
            "rules": [
                {
                    "id": "old",
                    "status": "Enabled",
                    "filter": {"prefix": ""},
                    "noncurrentVersionExpiration": {"noncurrentDays": 30},
                    "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7},
                    "transitions": [{"days": 30, "storageClass": "STANDARD_IA"}],
                }
            ],
        },
        lambda w: {
            "bucket": w["bucket"].id,
            "rules": [
                {
                    "id": "old",
                    "status": "Enabled",
                    "filter": {"prefix": ""},
                    "expiration": {"days": 60},
                }
            ],
        },
    ),
    Case(
        "bucket-encryption",
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        lambda w: {
            "bucket": w["bucket"].id,
            "rules": [
                {
                    "applyServerSideEncryptionByDefault": {
                        "sseAlgorithm": "aws:kms",
                        "kmsMasterKeyId": w["key"].outputs["arn"],
                    },
                    "bucketKeyEnabled": True,
                }
            ],
        },
        stays=True,
    ),
    Case(
        "bucket-access",
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        lambda w: {"bucket": w["bucket"].id, "blockPublicAcls": True, "blockPublicPolicy": True},
        lambda w: {"bucket": w["bucket"].id, "blockPublicAcls": True, "blockPublicPolicy": False},
    ),
    Case(
        "bucket-ownership",
        "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
        lambda w: {
            "bucket": w["bucket"].id,
            "rule": {"objectOwnership": "BucketOwnerEnforced"},
        },
        born=True,
    ),
    Case(
        "bucket-policy",
        "aws:s3/bucketPolicy:BucketPolicy",
        lambda w: {
            "bucket": w["bucket"].id,
            "policy": policy(Principal="*", Resource="arn:aws:s3:::bucket-one/*"),
        },
    ),
    Case(
        "bucket-locked",
        "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration",
        lambda w: {
            "bucket": w["bucket-keeping"].id,
            "rule": {"defaultRetention": {"mode": "GOVERNANCE", "days": 2}},
        },
        lambda w: {
            "bucket": w["bucket-keeping"].id,
            "rule": {"defaultRetention": {"mode": "GOVERNANCE", "days": 3}},
        },
        stays=True,
    ),
    Case(
        "bucket-logging",
        "aws:s3/bucketLogging:BucketLogging",
        lambda w: {
            "bucket": w["bucket"].id,
            "targetBucket": w["bucket-two"].id,
            "targetPrefix": "logs/",
        },
    ),
]
