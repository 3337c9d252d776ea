"""S3: buckets."""

from __future__ import annotations

from typing import Any, ClassVar

from lab.provider import models
from lab.provider.aws import Aws, error_code, is_not_found
from lab.provider.declaration import Properties, Tagging, op
from lab.provider.resource import ResourceType
from lab.provider.tags import tags_from_aws

HOME_REGION = "us-east-1"
"""The one region that isn't named when a bucket is made."""
KEYS_A_CALL = 1000

HOSTED_ZONES = {"us-east-1": "Z3AQBSTGFYJSTF", "us-west-2": "Z3BJ6K6RIION7M"}
"""S3's website zones, from AWS's list of service endpoints."""


def empty(aws: Aws, bucket: str, prefix: str = "", *, locked: bool = False) -> None:
    """Deletes every version and delete marker under ``prefix``; ``locked``: what governance mode
    retains as well, as the provider does where it is allowed to."""
    while True:
        parameters = {"Bucket": bucket, "Prefix": prefix, "MaxKeys": KEYS_A_CALL}
        page = aws.call("s3", "ListObjectVersions", parameters)
        found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        doomed = [{"Key": item["Key"], "VersionId": item["VersionId"]} for item in found]
        if not doomed:
            listed = aws.call("s3", "ListObjectsV2", parameters).get("Contents", [])
            doomed = [{"Key": item["Key"]} for item in listed]
        if not doomed:
            return
        request: dict[str, Any] = {"Bucket": bucket, "Delete": {"Objects": doomed, "Quiet": True}}
        if locked:
            request["BypassGovernanceRetention"] = True
        answer = aws.call("s3", "DeleteObjects", request)
        if answer.get("Errors"):
            first = answer["Errors"][0]
            raise RuntimeError(f"DeleteObjects: {first.get('Code')}: {first.get('Key')}")


class Bucket(ResourceType):
    """A bucket; what is in it and how it behaves are resources of their own."""

    pulumi_type = "aws:s3/bucket:Bucket"
    service = "s3"
    inputs = "bucket objectLockEnabled"
    settings = "forceDestroy"
    names: ClassVar = {"objectLockEnabled": "ObjectLockEnabledForBucket"}
    autoname = "bucket"
    identity = ("bucket",)
    creation = op("CreateBucket")
    id = "{bucket}"
    reading = op("GetBucketLocation", Bucket="{id}")
    deletion = op("DeleteBucket", Bucket="{id}")
    tagging = Tagging(
        tag=op("PutBucketTagging", Bucket="{id}"),
        untag=op("DeleteBucketTagging", Bucket="{id}"),
    )
    create_retry = ("OperationAborted",)
    outputs: ClassVar = {
        "arn": "arn:aws:s3:::{id}",
        "bucketDomainName": "{id}.s3.amazonaws.com",
        "bucketRegionalDomainName": "{id}.s3.{region}.amazonaws.com",
        "bucketRegion": "{region}",
        "hostedZoneId": "zone",
    }

    def create(self, aws: Aws, props: Properties) -> str:
        parameters = self.parameters(aws, op("CreateBucket"), None, props)
        if aws.region != HOME_REGION:
            parameters["CreateBucketConfiguration"] = {"LocationConstraint": aws.region}
        aws.call("s3", "CreateBucket", parameters)
        return props["bucket"]

    def finish(self, aws: Aws, ident: str, props: Properties) -> None:
        if props.get("tagsAll"):
            self.retag(aws, ident, {}, props, {})

    def retag(
        self, aws: Aws, ident: str, before: Properties, after: Properties, state: Properties
    ) -> None:
        tags = after.get("tagsAll") or {}
        if not tags:
            aws.call("s3", "DeleteBucketTagging", {"Bucket": ident})
            return
        pairs = [{"Key": key, "Value": str(tags[key])} for key in sorted(tags)]
        aws.call("s3", "PutBucketTagging", {"Bucket": ident, "Tagging": {"TagSet": pairs}})

    def describe(self, aws: Aws, ident: str, props: Any) -> Properties | None:
        try:
            aws.call("s3", "HeadBucket", {"Bucket": ident})
        except Exception as error:
            if is_not_found(error):
                return None
            raise
        return {"zone": HOSTED_ZONES.get(aws.region), "Bucket": ident}

    def look_up(self, aws: Aws, inputs: Properties) -> str | None:
        ident = super().look_up(aws, inputs)
        if ident is None:
            return None
        place = aws.call("s3", "GetBucketLocation", {"Bucket": ident}).get("LocationConstraint")
        # Bucket names are global: one of another region is not this one.
        return ident if (place or HOME_REGION) == aws.region else None

    def read_shape(self) -> Any:
        return models.input_shape("s3", "CreateBucket")

    def current_tags(
        self, aws: Aws, ident: str, raw: Properties, props: Properties
    ) -> dict[str, str]:
        try:
            answer = aws.call("s3", "GetBucketTagging", {"Bucket": ident})
        except Exception as error:
            if is_not_found(error):
                return {}
            raise
        return tags_from_aws(answer.get("TagSet") or [])

    def delete(self, aws: Aws, ident: str, props: Properties) -> None:
        try:
            super().delete(aws, ident, props)
        except Exception as error:
            if error_code(error) != "BucketNotEmpty" or not props.get("forceDestroy"):
                raise
            empty(aws, ident, locked=bool(props.get("objectLockEnabled")))
            super().delete(aws, ident, props)
