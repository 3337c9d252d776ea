"""S3: what AWS keeps beside a bucket: each setting is a document that is put, got and deleted."""

from __future__ import annotations

from typing import Any, ClassVar

from lab.provider import models, shapes
from lab.provider.aws import Aws
from lab.provider.declaration import Failures, Op, Properties, op
from lab.provider.resource import ResourceType
from lab.provider.templates import fill


class BucketSetting(ResourceType):
    """A document beside a bucket. ``put`` writes it; what ``get`` answers at ``content`` is what
    was put as ``wrapper``."""

    service = "s3"
    inputs = "bucket"
    put: ClassVar[Op]
    get: ClassVar[Op]
    wrapper: ClassVar[str]
    content: ClassVar[str] = ""
    id = "{bucket}"
    identity = ("bucket",)
    create_retry = ("OperationAborted", "NoSuchBucket")
    in_place = ""

    def replaces(self, prop: str) -> bool:
        return prop in ("bucket", "region", "expectedBucketOwner", *self.replace.split())

    def document(self, props: Properties) -> Properties:
        """Returns the inputs as they are put."""
        return props

    def _put(self, aws: Aws, props: Properties) -> None:
        parameters = self.parameters(aws, self.put, None, self.document(props))
        parameters.setdefault("Bucket", props["bucket"])
        parameters.setdefault(self.wrapper, {})
        aws.call("s3", self.put.name, parameters)

    def create(self, aws: Aws, props: Properties) -> str:
        self._put(aws, props)
        return str(fill(self.id, props))

    def finish(self, aws: Aws, ident: str, props: Properties) -> None:
        """Does nothing: one call makes it whole."""

    def update(
        self, aws: Aws, ident: str, before: Any, after: Properties, changed: Any, state: Any
    ) -> None:
        self._put(aws, after)

    def complete(self, aws: Aws, ident: str, props: Properties) -> None:
        self._put(aws, props)

    def describe(self, aws: Aws, ident: str, props: Any) -> Properties | None:
        found = self.ask(aws, self.get, ident, props)
        if found is None:
            return None
        content = shapes.get(found, self.content) if self.content else found
        if not content:
            return None
        return {"Bucket": ident, self.wrapper: content}

    def read_shape(self) -> Any:
        return models.input_shape("s3", self.put.name)

    def check_nested(self, key: str, value: Any) -> Failures:
        shape = models.input_shape("s3", self.put.name)
        target = shapes.locate(shape, key, self.names) or ""
        try:
            shapes.to_aws(value, shapes.follow(shape, target), self.names, key)
        except shapes.UnmappedError as error:
            return [(error.path, str(error))]
        return []


class BucketVersioning(BucketSetting):
    """Versioning."""

    pulumi_type = "aws:s3/bucketVersioning:BucketVersioning"
    inputs = "bucket versioningConfiguration expectedBucketOwner"
    put, get = op("PutBucketVersioning"), op("GetBucketVersioning", Bucket="{id}")
    wrapper = "VersioningConfiguration"

    def describe(self, aws: Aws, ident: str, props: Any) -> Properties | None:
        found = self.ask(aws, self.get, ident, props)
        if found is None or not found.get("Status"):
            return None
        return {"Bucket": ident, self.wrapper: found}

    def delete(self, aws: Aws, ident: str, props: Properties) -> None:
        found = self.ask(aws, self.get, ident, props) or {}
        if found.get("Status") == "Enabled":
            # Versioning can't be taken away, only suspended.
            parameters = {"Bucket": ident, self.wrapper: {"Status": "Suspended"}}
            aws.call("s3", "PutBucketVersioning", parameters)


class BucketServerSideEncryptionConfiguration(BucketSetting):
    """Default encryption."""

    pulumi_type = (
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
    )
    inputs = "bucket rules expectedBucketOwner"
    names: ClassVar = {"rules": "ServerSideEncryptionConfiguration.Rules"}
    put = op("PutBucketEncryption")
    get = op("GetBucketEncryption", Bucket="{id}")
    wrapper = content = "ServerSideEncryptionConfiguration"
    deletion = op("DeleteBucketEncryption", Bucket="{id}")


class BucketObjectLockConfiguration(BucketSetting):
    """For how long each version is retained."""

    pulumi_type = "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration"
    inputs = "bucket objectLockEnabled rule token expectedBucketOwner"
    replace = "objectLockEnabled"
    names: ClassVar = {
        "objectLockEnabled": "ObjectLockConfiguration.ObjectLockEnabled",
        "rule": "ObjectLockConfiguration.Rule",
    }
    defaults: ClassVar = {"objectLockEnabled": "Enabled"}
    put = op("PutObjectLockConfiguration")
    get = op("GetObjectLockConfiguration", Bucket="{id}")
    wrapper = content = "ObjectLockConfiguration"

    def document(self, props: Properties) -> Properties:
        return {**self.defaults, **props}

    def delete(self, aws: Aws, ident: str, props: Properties) -> None:
        # Object Lock can't be taken away, only its default retention.
        parameters = {"Bucket": ident, self.wrapper: {"ObjectLockEnabled": "Enabled"}}
        aws.call("s3", "PutObjectLockConfiguration", parameters)


class BucketReplicationConfig(BucketSetting):
    """Replication to another bucket."""

    pulumi_type = "aws:s3/bucketReplicationConfig:BucketReplicationConfig"
    inputs = "bucket role rules token"
    names: ClassVar = {
        "role": "ReplicationConfiguration.Role",
        "rules": "ReplicationConfiguration.Rules",
    }
    put = op("PutBucketReplication")
    get = op("GetBucketReplication", Bucket="{id}")
    wrapper = content = "ReplicationConfiguration"
    deletion = op("DeleteBucketReplication", Bucket="{id}")


class BucketLifecycleConfiguration(BucketSetting):
    """Lifecycle rules."""

    pulumi_type = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
    inputs = "bucket rules expectedBucketOwner transitionDefaultMinimumObjectSize"
    names: ClassVar = {"rules": "LifecycleConfiguration.Rules"}
    put = op("PutBucketLifecycleConfiguration")
    get = op("GetBucketLifecycleConfiguration", Bucket="{id}")
    wrapper = "LifecycleConfiguration"
    deletion = op("DeleteBucketLifecycle", Bucket="{id}")


class BucketPublicAccessBlock(BucketSetting):
    """Public access, refused."""

    pulumi_type = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
    inputs = "bucket blockPublicAcls blockPublicPolicy ignorePublicAcls restrictPublicBuckets"
    settings = "skipDestroy"
    names: ClassVar = {
        key: f"PublicAccessBlockConfiguration.{key[:1].upper()}{key[1:]}"
        for key in inputs.split()[1:]
    }
    put = op("PutPublicAccessBlock")
    get = op("GetPublicAccessBlock", Bucket="{id}")
    wrapper = content = "PublicAccessBlockConfiguration"
    deletion = op("DeletePublicAccessBlock", Bucket="{id}")


class BucketOwnershipControls(BucketSetting):
    """Who owns objects that others write."""

    pulumi_type = "aws:s3/bucketOwnershipControls:BucketOwnershipControls"
    inputs = "bucket rule"
    names: ClassVar = {"rule": "OwnershipControls.Rules"}
    put = op("PutBucketOwnershipControls")
    get = op("GetBucketOwnershipControls", Bucket="{id}")
    wrapper = content = "OwnershipControls"
    deletion = op("DeleteBucketOwnershipControls", Bucket="{id}")


class BucketPolicy(BucketSetting):
    """The bucket's policy."""

    pulumi_type = "aws:s3/bucketPolicy:BucketPolicy"
    inputs = "bucket policy"
    put = op("PutBucketPolicy")
    get = op("GetBucketPolicy", Bucket="{id}")
    wrapper = content = "Policy"
    deletion = op("DeleteBucketPolicy", Bucket="{id}")


class BucketLogging(BucketSetting):
    """Access logs into another bucket."""

    pulumi_type = "aws:s3/bucketLogging:BucketLogging"
    inputs = "bucket targetBucket targetPrefix targetGrants targetObjectKeyFormat"
    names: ClassVar = {
        key: f"BucketLoggingStatus.LoggingEnabled.{key[:1].upper()}{key[1:]}"
        for key in inputs.split()[1:]
    }
    put = op("PutBucketLogging")
    get = op("GetBucketLogging", Bucket="{id}")
    wrapper = "BucketLoggingStatus"

    def describe(self, aws: Aws, ident: str, props: Any) -> Properties | None:
        found = self.ask(aws, self.get, ident, props)
        if not found or not found.get("LoggingEnabled"):
            return None
        return {"Bucket": ident, self.wrapper: {"LoggingEnabled": found["LoggingEnabled"]}}

    def delete(self, aws: Aws, ident: str, props: Properties) -> None:
        aws.call("s3", "PutBucketLogging", {"Bucket": ident, self.wrapper: {}})
