"""What every bucket here has: versions, encryption, no public access, no ACLs, TLS only."""

from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

NONCURRENT_KEPT_DAYS = 90
"""How long a replaced or deleted version of an object is kept."""
INCOMPLETE_UPLOADS_KEPT_DAYS = 7
"""How long the parts of an upload that was never completed are kept."""


@dataclass(frozen=True)
class BucketBasics:
    """What later resources of a bucket wait for."""

    versioning: aws.s3.BucketVersioning
    public_access_block: aws.s3.BucketPublicAccessBlock


def harden(
    parent: pulumi.Resource,
    label: str,
    bucket: aws.s3.Bucket,
    *,
    kms_key_arn: pulumi.Output[str] | None,
) -> BucketBasics:
    """Versioning, default encryption, public access block and ownership of one bucket.

    Without a key S3's own encrypts (SSE-S3).
    """
    here = pulumi.ResourceOptions(parent=parent)
    versioning = aws.s3.BucketVersioning(
        f"versioning-{label}",
        bucket=bucket.id,
        versioning_configuration={"status": "Enabled"},
        opts=here,
    )
    aws.s3.BucketServerSideEncryptionConfiguration(
        f"encryption-{label}",
        bucket=bucket.id,
        rules=[
            {
                "apply_server_side_encryption_by_default": {
                    "sse_algorithm": "aws:kms",
                    "kms_master_key_id": kms_key_arn,
                },
                # Fewer calls to KMS, and nothing else differs.
                "bucket_key_enabled": True,
            }
            if kms_key_arn is not None
            else {"apply_server_side_encryption_by_default": {"sse_algorithm": "AES256"}}
        ],
        opts=here,
    )
    public_access_block = aws.s3.BucketPublicAccessBlock(
        f"public-access-block-{label}",
        bucket=bucket.id,
        block_public_acls=True,
        block_public_policy=True,
        ignore_public_acls=True,
        restrict_public_buckets=True,
        opts=here,
    )
    aws.s3.BucketOwnershipControls(
        f"ownership-{label}",
        bucket=bucket.id,
        rule={"object_ownership": "BucketOwnerEnforced"},
        # S3 refuses two changes of a bucket's access settings at the same time.
        opts=pulumi.ResourceOptions(parent=parent, depends_on=[public_access_block]),
    )
    return BucketBasics(versioning, public_access_block)


def deny_insecure_transport(bucket_arn: pulumi.Output[str]) -> dict[str, Any]:
    """A bucket policy's statement that refuses plain HTTP (s3-bucket-ssl-requests-only)."""
    return {
        "Sid": "DenyInsecureTransport",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [bucket_arn, pulumi.Output.format("{0}/*", bucket_arn)],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
