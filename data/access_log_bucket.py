"""The bucket of a region that receives access logs of its load balancer and its other buckets."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from bucket_basics import deny_insecure_transport, harden
from tapstack.policies import document
from tapstack.regions import Region
from tapstack.well_known import ACCESS_LOG_BUCKET, CONTENT_BUCKET

LOGS_KEPT_DAYS = 365


def logs_prefix(purpose: str) -> str:
    """Where the logs of a bucket of that purpose go.

    >>> logs_prefix("content")
    's3/content/'
    """
    return f"s3/{purpose}/"


@dataclass(frozen=True)
class AccessLogBucketArgs:
    """Where the logs stay, whose they are, and the purposes of the buckets that are logged."""

    region: Region
    account_id: pulumi.Input[str]
    logged: Sequence[str] = (CONTENT_BUCKET,)


class AccessLogBucket(pulumi.ComponentResource):
    """Encrypted with SSE-S3: load balancers can't write to a bucket with a customer key.

    Source: Elastic Load Balancing user guide, "Enable access logs for your Application Load
    Balancer". The exception is documented with the HIPAA rules.
    """

    bucket: aws.s3.Bucket

    def __init__(
        self, name: str, args: AccessLogBucketArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        region = args.region
        super().__init__("warmstandby:data:AccessLogBucket", name, None, opts)
        here = pulumi.ResourceOptions(parent=self)
        self.bucket = aws.s3.Bucket(
            f"bucket-access-logs-{region.name}",
            bucket=region.physical_name("bucket", ACCESS_LOG_BUCKET),
            force_destroy=True,
            opts=here,
        )
        basics = harden(
            self,
            f"access-logs-{region.name}",
            self.bucket,
            kms_key_arn=None,
        )
        aws.s3.BucketLifecycleConfiguration(
            f"lifecycle-access-logs-{region.name}",
            bucket=self.bucket.id,
            rules=[
                {
                    "id": "expire",
                    "status": "Enabled",
                    "filter": {"prefix": ""},
                    "expiration": {"days": LOGS_KEPT_DAYS},
                    "noncurrent_version_expiration": {"noncurrent_days": 1},
                    "abort_incomplete_multipart_upload": {"days_after_initiation": 1},
                }
            ],
            opts=pulumi.ResourceOptions(parent=self, depends_on=[basics.versioning]),
        )
        # A logging bucket takes its permission from here, so this comes before what uses it.
        self.policy = aws.s3.BucketPolicy(
            f"bucket-policy-access-logs-{region.name}",
            bucket=self.bucket.id,
            policy=document(
                _load_balancers_write(self.bucket.arn, args),
                *(_bucket_writes(self.bucket.arn, args, purpose) for purpose in args.logged),
                deny_insecure_transport(self.bucket.arn),
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[basics.public_access_block]),
        )
        self.register_outputs({"name": self.bucket.bucket})


def _load_balancers_write(
    bucket_arn: pulumi.Output[str], args: AccessLogBucketArgs
) -> dict[str, Any]:
    """Load balancers of this account, which the path names; a condition isn't in AWS's form.

    The service's principal has replaced the per-region accounts of Elastic Load Balancing (its
    user guide, "Enable access logs for your Application Load Balancer").
    """
    return {
        "Sid": "LoadBalancerLogs",
        "Effect": "Allow",
        "Principal": {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"},
        "Action": "s3:PutObject",
        "Resource": pulumi.Output.format("{0}/AWSLogs/{1}/*", bucket_arn, args.account_id),
    }


def _bucket_writes(
    bucket_arn: pulumi.Output[str], args: AccessLogBucketArgs, purpose: str
) -> dict[str, Any]:
    """One of this region's buckets, under its prefix (S3 user guide, "Enabling Amazon S3 server
    access logging")."""
    logged = args.region.physical_name("bucket", purpose)
    further = "" if purpose == CONTENT_BUCKET else purpose.title()
    return {
        "Sid": f"ServerAccessLogs{further}",
        "Effect": "Allow",
        "Principal": {"Service": "logging.s3.amazonaws.com"},
        "Action": "s3:PutObject",
        "Resource": pulumi.Output.format("{0}/{1}*", bucket_arn, logs_prefix(purpose)),
        "Condition": {
            "StringEquals": {"aws:SourceAccount": args.account_id},
            "ArnLike": {"aws:SourceArn": f"arn:aws:s3:::{logged}"},
        },
    }
