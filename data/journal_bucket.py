"""One region's bucket of the recovery journal, in which nothing can be changed for a while."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from access_log_bucket import logs_prefix
from bucket_basics import INCOMPLETE_UPLOADS_KEPT_DAYS, NONCURRENT_KEPT_DAYS, harden
from tapstack.regions import Region
from tapstack.well_known import JOURNAL_BUCKET


@dataclass(frozen=True)
class JournalBucketArgs:
    """Where the bucket is, its key, where its access is logged, and how long entries are locked."""

    region: Region
    key: aws.kms.Key
    access_logs: aws.s3.Bucket
    access_logs_policy: aws.s3.BucketPolicy
    lock_days: int
    lock_mode: str
    """GOVERNANCE or COMPLIANCE."""


class JournalBucket(pulumi.ComponentResource):
    """Versioned, encrypted with the region's key; every version is retained from its writing on.

    Object Lock can only be given to a bucket with versions, and is never taken away again (S3 user
    guide, "Object Lock considerations").
    """

    bucket: aws.s3.Bucket
    versioning: aws.s3.BucketVersioning
    public_access_block: aws.s3.BucketPublicAccessBlock
    lock: aws.s3.BucketObjectLockConfiguration

    def __init__(
        self, name: str, args: JournalBucketArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        region = args.region
        super().__init__("warmstandby:data:JournalBucket", name, None, opts)
        label = f"{JOURNAL_BUCKET}-{region.name}"
        self.bucket = aws.s3.Bucket(
            f"bucket-{label}",
            bucket=region.physical_name("bucket", JOURNAL_BUCKET),
            object_lock_enabled=True,
            # It still keeps what is locked: AWS refuses.
            force_destroy=True,
            opts=pulumi.ResourceOptions(parent=self),
        )
        basics = harden(self, label, self.bucket, kms_key_arn=args.key.arn)
        self.versioning = basics.versioning
        self.public_access_block = basics.public_access_block
        after_versioning = pulumi.ResourceOptions(parent=self, depends_on=[self.versioning])
        self.lock = aws.s3.BucketObjectLockConfiguration(
            f"lock-{label}",
            bucket=self.bucket.id,
            object_lock_enabled="Enabled",
            rule={"default_retention": {"mode": args.lock_mode, "days": args.lock_days}},
            opts=after_versioning,
        )
        aws.s3.BucketLifecycleConfiguration(
            f"lifecycle-{label}",
            bucket=self.bucket.id,
            rules=[
                {
                    "id": "expire-replaced",
                    "status": "Enabled",
                    "filter": {"prefix": ""},
                    # What is still locked then stays until it isn't.
                    "noncurrent_version_expiration": {"noncurrent_days": NONCURRENT_KEPT_DAYS},
                    "expiration": {"expired_object_delete_marker": True},
                    "abort_incomplete_multipart_upload": {
                        "days_after_initiation": INCOMPLETE_UPLOADS_KEPT_DAYS
                    },
                }
            ],
            opts=after_versioning,
        )
        aws.s3.BucketLogging(
            f"logging-{label}",
            bucket=self.bucket.id,
            target_bucket=args.access_logs.id,
            target_prefix=logs_prefix(JOURNAL_BUCKET),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[args.access_logs_policy]),
        )
        self.register_outputs({"name": self.bucket.bucket})
