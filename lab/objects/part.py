"""The lab's part that replicates objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from lab.api import ApiRefusal, ApiRequest, ApiResponse, CallNext
from lab.context import LabContext
from lab.emulator.buckets import owner_of
from lab.facts import PendingReplication
from lab.objects import store
from lab.objects.batch import OPERATIONS, Batch
from lab.objects.replicator import Replicator
from lab.outage import REGIONS
from lab.part import Health, Part

WRITES = ("PutObject", "CopyObject", "CompleteMultipartUpload")
DELETES = ("DeleteObject", "DeleteObjects")
TAGS = ("PutObjectTagging", "DeleteObjectTagging")
CONFIGURATIONS = ("PutBucketReplication", "DeleteBucketReplication", "DeleteBucket")


class ObjectsPart(Part):
    """Watches changes of objects and has them replicated."""

    name: ClassVar[str] = "objects"

    def __init__(self, lab: LabContext) -> None:
        super().__init__(lab)
        self.replicator = Replicator(lab)
        self.batch = Batch(lab, self._send)
        self._configurations: dict[str, Mapping[str, Any] | None] = {}
        """Bucket → its configuration, None without one; asked once, forgotten on a change."""

    async def start(self) -> None:
        """Watches, and resumes what a former process had not replicated."""
        self.lab.on_api("s3", (*WRITES, *DELETES, *TAGS, *CONFIGURATIONS), self._changed)
        self.lab.on_api("s3control", OPERATIONS, self.batch.answer)
        self.lab.add_source(self.pending)
        for _, bucket, key, version_id in store.pending():
            if configuration := await self._configuration(bucket):
                self.replicator.object_written(bucket, key, version_id, configuration)

    async def stop(self) -> None:
        """Stops; what is pending is found again by its status."""
        self.lab.remove_hook(self._changed)
        self.lab.remove_hook(self.batch.answer)
        self.lab.remove_source(self.pending)
        self.replicator.stop()
        self.replicator = Replicator(self.lab)
        self._configurations.clear()

    async def health(self) -> Health:
        """Healthy; the detail is the backlog."""
        waiting = self.replicator.backlog
        return Health(True, f"{waiting} replications pending" if waiting else "nothing pending")

    def pending(self) -> list[PendingReplication]:
        """Each deployed rule's backlog, for its metrics."""
        return self.replicator.pending()

    def _send(self, bucket: str, key: str, version_id: str) -> None:
        """Replicates an object that is there already, by the bucket's configuration."""
        if configuration := self._configurations.get(bucket):
            self.replicator.object_written(bucket, key, version_id, configuration)

    async def _changed(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        response = await call_next(request)
        if not response.ok:
            return response
        bucket, given = request.parameters["Bucket"], request.parameters
        if request.operation in CONFIGURATIONS:
            self._configurations.pop(bucket, None)
            self.replicator.forget(bucket)
            if request.operation == "PutBucketReplication":
                await self._configuration(bucket)
            return response
        configuration = await self._configuration(bucket)
        if configuration is None:
            return response
        if request.operation in WRITES:
            self.replicator.object_written(
                bucket, given["Key"], response.result.get("VersionId", ""), configuration
            )
        elif request.operation in TAGS:
            self.replicator.object_written(
                bucket, given["Key"], given.get("VersionId", ""), configuration, only_modified=True
            )
        elif request.operation == "DeleteObject":
            # Deleting a version by its id is never replicated.
            if response.result.get("DeleteMarker") and not given.get("VersionId"):
                self.replicator.marker_written(
                    bucket, given["Key"], response.result["VersionId"], configuration
                )
        else:
            for deleted in response.result.get("Deleted", []):
                if deleted.get("DeleteMarker") and deleted.get("DeleteMarkerVersionId"):
                    self.replicator.marker_written(
                        bucket, deleted["Key"], deleted["DeleteMarkerVersionId"], configuration
                    )
        return response

    async def _configuration(self, bucket: str) -> Mapping[str, Any] | None:
        if bucket not in self._configurations:
            try:
                answer = await self.lab.aws.call(
                    "s3", REGIONS[0], "GetBucketReplication", Bucket=bucket
                )
                found = answer["ReplicationConfiguration"]
            except ApiRefusal:
                found = None
            self._configurations[bucket] = found
            owner = owner_of(bucket)
            if found and owner:
                self.replicator.know(owner[1], bucket, found)
        return self._configurations[bucket]
