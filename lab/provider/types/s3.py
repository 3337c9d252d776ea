"""S3: buckets and objects."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any, ClassVar

from lab.provider.aws import Aws, error_code, is_not_found
from lab.provider.resource import Properties, ResourceType, Tagging, op, tags_from_aws

HOME_REGION = "us-east-1"
"""The one region that isn't named when a bucket is made."""
KEYS_A_CALL = 1000

HOSTED_ZONES = {"us-east-1": "Z3AQBSTGFYJSTF", "us-west-2": "Z3BJ6K6RIION7M"}
"""S3's website zones, from AWS's list of service endpoints."""


def empty(aws: Aws, bucket: str, prefix: str = "") -> None:
    """Delete every version and delete marker under ``prefix``."""
    client = aws.client("s3")
    while True:
        parameters = {"Bucket": bucket, "Prefix": prefix, "MaxKeys": KEYS_A_CALL}
        page = client.list_object_versions(**parameters)
        found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        doomed = [{"Key": item["Key"], "VersionId": item["VersionId"]} for item in found]
        if not doomed:
            listed = client.list_objects_v2(**parameters).get("Contents", [])
            doomed = [{"Key": item["Key"]} for item in listed]
        if not doomed:
            return
        answer = client.delete_objects(Bucket=bucket, Delete={"Objects": doomed, "Quiet": True})
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
    create = op("CreateBucket")
    id = "{bucket}"
    read = op("GetBucketLocation", Bucket="{id}")
    remove = op("DeleteBucket", Bucket="{id}")
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

    def do_create(self, aws: Aws, props: Properties) -> str:
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

    def read_shape(self, aws: Aws) -> Any:
        return aws.operation("s3", "CreateBucket").input_shape

    def current_tags(
        self, aws: Aws, ident: str, raw: Properties, props: Properties
    ) -> dict[str, str] | None:
        try:
            answer = aws.call("s3", "GetBucketTagging", {"Bucket": ident})
        except Exception as error:
            if is_not_found(error):
                return {}
            raise
        return tags_from_aws(answer.get("TagSet") or [])

    def do_delete(self, aws: Aws, ident: str, props: Properties) -> None:
        try:
            super().do_delete(aws, ident, props)
        except Exception as error:
            if error_code(error) != "BucketNotEmpty" or not props.get("forceDestroy"):
                raise
            empty(aws, ident)
            super().do_delete(aws, ident, props)


class BucketObjectv2(ResourceType):
    """An object."""

    pulumi_type = "aws:s3/bucketObjectv2:BucketObjectv2"
    service = "s3"
    inputs = (
        "bucket key cacheControl contentDisposition contentEncoding contentLanguage contentType "
        "metadata serverSideEncryption storageClass bucketKeyEnabled kmsKeyId acl websiteRedirect "
        "content contentBase64 source"
    )
    settings = "sourceHash etag forceDestroy"
    names: ClassVar = {
        "kmsKeyId": "SSEKMSKeyId",
        "websiteRedirect": "WebsiteRedirectLocation",
        "content": "",
        "contentBase64": "",
        "source": "",
    }
    in_place = (
        "cacheControl contentDisposition contentEncoding contentLanguage contentType metadata "
        "serverSideEncryption storageClass bucketKeyEnabled kmsKeyId acl websiteRedirect content "
        "contentBase64 source"
    )
    create = op("PutObject")
    id = "{bucket}/{key}"
    identity = ("bucket", "key")
    read = op("HeadObject", Bucket="{bucket}", Key="{key}")
    tagging = Tagging(
        tag=op("PutObjectTagging", Bucket="{bucket}", Key="{key}"),
        untag=op("DeleteObjectTagging", Bucket="{bucket}", Key="{key}"),
    )
    volatile = frozenset({"etag", "versionId"})
    outputs: ClassVar = {
        "arn": "arn:aws:s3:::{bucket}/{key}",
        "etag": lambda raw: str(raw.get("ETag", "")).strip('"'),
        "versionId": "VersionId",
        "contentType": "ContentType",
    }

    def values(self, aws: Aws, ident: str | None, props: Any) -> Properties:
        made = super().values(aws, ident, props)
        if ident:
            made["bucket"], _, made["key"] = ident.partition("/")
        return made

    def _body(self, props: Properties) -> bytes:
        if "content" in props:
            return props["content"].encode()
        if "contentBase64" in props:
            return base64.b64decode(props["contentBase64"])
        source = props.get("source") or {}
        if "text" in source:
            return source["text"].encode()
        if "path" in source:
            return Path(source["path"]).read_bytes()
        return b""

    def do_create(self, aws: Aws, props: Properties) -> str:
        parameters = self.parameters(aws, op("PutObject"), None, props)
        tags = props.get("tagsAll") or {}
        if tags:
            from urllib.parse import urlencode

            parameters["Tagging"] = urlencode(sorted(tags.items()))
        aws.call("s3", "PutObject", {**parameters, "Body": self._body(props)})
        return f"{props['bucket']}/{props['key']}"

    def finish(self, aws: Aws, ident: str, props: Properties) -> None:
        """Nothing: one call makes it whole."""

    def do_update(
        self, aws: Aws, ident: str, before: Any, after: Properties, changed: Any, state: Any
    ) -> None:
        self.do_create(aws, after)

    def retag(
        self, aws: Aws, ident: str, before: Properties, after: Properties, state: Properties
    ) -> None:
        """Nothing: writing the object anew wrote its tags."""

    def current_tags(self, aws: Aws, ident: str, raw: Properties, props: Properties) -> Any:
        bucket, _, key = ident.partition("/")
        answer = aws.call("s3", "GetObjectTagging", {"Bucket": bucket, "Key": key})
        return tags_from_aws(answer.get("TagSet") or [])

    def do_delete(self, aws: Aws, ident: str, props: Properties) -> None:
        bucket, _, key = ident.partition("/")
        client = aws.client("s3")
        for page in client.get_paginator("list_object_versions").paginate(
            Bucket=bucket, Prefix=key
        ):
            for item in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
                if item["Key"] == key:
                    client.delete_object(Bucket=bucket, Key=key, VersionId=item["VersionId"])
        client.delete_object(Bucket=bucket, Key=key)
