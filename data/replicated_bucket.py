"""One region's bucket of application content: a source and a destination of replication."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from access_log_bucket import logs_prefix
from bucket_basics import INCOMPLETE_UPLOADS_KEPT_DAYS, NONCURRENT_KEPT_DAYS, harden
from tapstack.regions import Region
from tapstack.well_known import CONTENT_BUCKET, EMERGENCY_KEPT_DAYS, EMERGENCY_PREFIX

TIERED_AFTER_DAYS = 30


@dataclass(frozen=True)
class ReplicatedBucketArgs:
    """Where the bucket is, its key, and where its access is logged."""

    region: Region
    key: aws.kms.Key
    access_logs: aws.s3.Bucket
    access_logs_policy: aws.s3.BucketPolicy


class ReplicatedBucket(pulumi.ComponentResource):
    """Versioned, encrypted with the region's key, tiered; its policy comes with replication.

    Both buckets have the same lifecycle rules: replication doesn't carry what they do.
    """

    bucket: aws.s3.Bucket
    versioning: aws.s3.BucketVersioning
    public_access_block: aws.s3.BucketPublicAccessBlock

    def __init__(
        self, name: str, args: ReplicatedBucketArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        region = args.region
        super().__init__("warmstandby:data:ReplicatedBucket", name, None, opts)
        here = pulumi.ResourceOptions(parent=self)
        self.bucket = aws.s3.Bucket(
            f"bucket-content-{region.name}",
            bucket=region.physical_name("bucket", CONTENT_BUCKET),
            force_destroy=True,
            opts=here,
        )
        basics = harden(
            self,
            f"content-{region.name}",
            self.bucket,
            kms_key_arn=args.key.arn,
        )
        self.versioning = basics.versioning
        self.public_access_block = basics.public_access_block
        aws.s3.BucketLifecycleConfiguration(
            f"lifecycle-content-{region.name}",
            bucket=self.bucket.id,
            rules=[
                {
                    "id": "tier-and-expire",
                    "status": "Enabled",
                    "filter": {"prefix": ""},
                    "transitions": [
                        {"days": TIERED_AFTER_DAYS, "storage_class": "INTELLIGENT_TIERING"}
                    ],
                    "noncurrent_version_transitions": [
                        {
                            "noncurrent_days": TIERED_AFTER_DAYS,
                            "storage_class": "INTELLIGENT_TIERING",
                        }
                    ],
                    "noncurrent_version_expiration": {"noncurrent_days": NONCURRENT_KEPT_DAYS},
                    "expiration": {"expired_object_delete_marker": True},
                    "abort_incomplete_multipart_upload": {
                        "days_after_initiation": INCOMPLETE_UPLOADS_KEPT_DAYS
                    },
                },
                {
                    "id": "end-emergency-exports",
                    "status": "Enabled",
                    "filter": {"prefix": EMERGENCY_PREFIX},
                    "expiration": {"days": EMERGENCY_KEPT_DAYS},
                    "noncurrent_version_expiration": {"noncurrent_days": 1},
                },
            ],
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.versioning]),
        )
        aws.s3.BucketLogging(
            f"logging-content-{region.name}",
            bucket=self.bucket.id,
            target_bucket=args.access_logs.id,
            target_prefix=logs_prefix(CONTENT_BUCKET),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[args.access_logs_policy]),
        )
        self.register_outputs({"name": self.bucket.bucket})
