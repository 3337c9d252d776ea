"""S3: what a bucket's configuration says is read back whole."""

from __future__ import annotations

import copy

from lab.api import ApiRefusal, ApiRequest, ApiResponse, CallNext
from lab.emulator.mending import Mending
from lab.emulator.scope import scope

LEAST_PART = 5 * 1024 * 1024


def install(mending: Mending) -> None:
    """Mends S3."""
    mends = S3(mending)
    mend = mending.mend
    mend(
        "s3",
        "PutBucketReplication GetBucketReplication DeleteBucketReplication DeleteBucket",
        mends.replication,
    )
    mend("s3", "PutBucketVersioning", mends.versioning)
    mend("s3", "CompleteMultipartUpload", complete)
    mend(
        "s3",
        "PutBucketMetricsConfiguration GetBucketMetricsConfiguration "
        "DeleteBucketMetricsConfiguration ListBucketMetricsConfigurations",
        mends.metrics,
    )


class S3:
    """The hooks."""

    def __init__(self, mending: Mending) -> None:
        self.replications = mending.store("s3.replication")
        self.measured = mending.store("s3.metrics")

    async def replication(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        """The replication configuration as given; versioning first (trap 22)."""
        from ministack.services import s3

        bucket = request.parameters["Bucket"]
        if request.operation == "DeleteBucket":
            with scope(request):
                _refuse_versions_left(s3, bucket)
        if request.operation == "PutBucketReplication":
            configuration = request.parameters["ReplicationConfiguration"]
            if _versioning(s3, bucket) != "Enabled":
                raise ApiRefusal(
                    "InvalidRequest",
                    "Versioning must be 'Enabled' on the bucket to apply a replication "
                    "configuration",
                )
            for rule in configuration.get("Rules", []):
                destination = rule["Destination"]["Bucket"].rpartition(":")[2]
                if _versioning(s3, destination) != "Enabled":
                    raise ApiRefusal(
                        "InvalidRequest", "Destination bucket must have versioning enabled."
                    )
        response = await call_next(request)
        if not response.ok:
            return response
        if request.operation == "PutBucketReplication":
            self.replications[bucket] = _whole(request.parameters["ReplicationConfiguration"])
        elif request.operation == "GetBucketReplication":
            if bucket in self.replications:
                response.result["ReplicationConfiguration"] = copy.deepcopy(
                    self.replications[bucket]
                )
        else:
            self.replications.pop(bucket, None)
            if request.operation == "DeleteBucket":
                self.measured.pop(bucket, None)
        return response

    async def metrics(self, request: ApiRequest, _: CallNext) -> ApiResponse:
        """A bucket's metrics configurations; the emulator keeps none."""
        from ministack.services import s3

        bucket, name = request.parameters["Bucket"], request.parameters.get("Id", "")
        with scope(request):
            if bucket not in s3._buckets:
                raise ApiRefusal("NoSuchBucket", "The specified bucket does not exist", 404)
        held = self.measured.setdefault(bucket, {})
        if request.operation == "ListBucketMetricsConfigurations":
            return ApiResponse(
                {"IsTruncated": False, "MetricsConfigurationList": list(held.values())}
            )
        if request.operation == "PutBucketMetricsConfiguration":
            held[name] = copy.deepcopy(request.parameters["MetricsConfiguration"])
            return ApiResponse({})
        if name not in held:
            raise ApiRefusal(
                "NoSuchConfiguration", "The specified configuration does not exist.", 404
            )
        if request.operation == "DeleteBucketMetricsConfiguration":
            del held[name]
            return ApiResponse({}, status=204)
        return ApiResponse({"MetricsConfiguration": copy.deepcopy(held[name])})

    async def versioning(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        """Versioning can't be suspended while the bucket replicates (trap 22)."""
        status = request.parameters["VersioningConfiguration"].get("Status")
        if status != "Enabled" and request.parameters["Bucket"] in self.replications:
            raise ApiRefusal(
                "InvalidBucketState",
                "A replication configuration is present on this bucket, so you cannot change the "
                "versioning state. To change the versioning state, first delete the replication "
                "configuration.",
                409,
            )
        return await call_next(request)


async def complete(request: ApiRequest, call_next: CallNext) -> ApiResponse:
    """Every part but the last has 5 MiB at least (S3 API reference, CompleteMultipartUpload)."""
    from ministack.services import s3

    with scope(request):
        upload = s3._multipart_uploads.get(request.parameters["UploadId"]) or {"parts": {}}
    named = (request.parameters.get("MultipartUpload") or {}).get("Parts") or []
    numbers = sorted(part["PartNumber"] for part in named)
    for number in numbers[:-1]:
        part = upload["parts"].get(number)
        if part is not None and part["size"] < LEAST_PART:
            raise ApiRefusal(
                "EntityTooSmall",
                "Your proposed upload is smaller than the minimum allowed size",
            )
    return await call_next(request)


def _refuse_versions_left(s3: object, bucket: str) -> None:
    """Noncurrent versions and delete markers keep a bucket, too; the emulator asks only for
    current objects."""
    kept = s3._object_versions  # pyright: ignore[reportAttributeAccessIssue]
    if _versioning(s3, bucket) and any(
        versions for (held_by, _), versions in kept.items() if held_by == bucket
    ):
        raise ApiRefusal(
            "BucketNotEmpty",
            "The bucket you tried to delete is not empty. You must delete all versions in the "
            "bucket.",
            409,
        )


def _versioning(s3: object, bucket: str) -> str:
    stored = s3._bucket_versioning  # pyright: ignore[reportAttributeAccessIssue]
    return next((value for key, value in stored._data.items() if key[-1] == bucket), "")


def _whole(configuration: dict[str, object]) -> dict[str, object]:
    """As AWS reads it back: rules have an id and a priority."""
    whole = copy.deepcopy(configuration)
    for number, rule in enumerate(whole.get("Rules", [])):  # pyright: ignore
        rule.setdefault("ID", f"rule-{number}")
        if "Filter" in rule:
            rule.setdefault("Priority", number)
    return whole
