"""Copies objects, delete markers and tag changes to where the deployed configuration says, with
the rights of the deployed role.

In one account access is the union of the role's policies and the destination bucket's policy, and
a Deny in either ends it (IAM user guide, "Policy evaluation logic"); what S3 needs of the role is
in the S3 user guide, "Setting up permissions for live replication".
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from lab.context import LabContext
from lab.emulator.authorization import Governing, key_refusal, refusal
from lab.emulator.buckets import owner_of
from lab.emulator.identities import role_policies, trusts
from lab.emulator.policies import Access, allows
from lab.emulator.resource_policies import bucket_policy, key_arn, policy_of
from lab.facts import PendingReplication, Replication
from lab.objects import store
from lab.objects.rules import (
    KMS,
    replicates_delete_markers,
    replicates_object,
    rules_for,
)
from lab.outage import OutageKind

logger = logging.getLogger("lab")

Outcome = Literal["completed", "failed"]

AT_ONCE = 8
RETRY_SECONDS = 0.25
SETTLE_SECONDS = 0.05
"""S3 replicates after it has answered."""


@dataclass
class Task:
    """One thing to replicate under one rule."""

    kind: str
    """object, marker or tags"""
    account: str
    source: str
    region: str
    """of the source bucket"""
    key: str
    version_id: str
    rule: Mapping[str, Any]
    role: str
    size: int = 0
    born: float = 0.0
    """Lab time."""

    @property
    def destination(self) -> str:
        """The destination bucket's name."""
        return str(self.rule["Destination"]["Bucket"]).rpartition(":")[2]


class Denied(Exception):  # noqa: N818 - what S3 records as FAILED
    """The role or a policy doesn't allow it."""


class Replicator:
    """What is pending, and the tasks that work on it."""

    def __init__(self, lab: LabContext) -> None:
        self.lab = lab
        self._open: dict[int, Task] = {}
        self._failed: dict[tuple[str, str, str, str], int] = {}
        self._rules: dict[tuple[str, str, str, str], None] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._lanes: dict[tuple[str, str, str], asyncio.Lock] = {}

    def stop(self) -> None:
        """Stops; what is pending keeps its status and is found again."""
        for task in self._running:
            task.cancel()

    @property
    def backlog(self) -> int:
        """How many operations are pending."""
        return len(self._open)

    def pending(self) -> list[PendingReplication]:
        """Each rule's backlog, with what failed since the last look."""
        found = []
        for identity in self._rules:
            region, source, destination, rule = identity
            mine = [task for task in self._open.values() if _identity(task) == identity]
            ages = [self.lab.clock.now() - task.born for task in mine]
            owner = owner_of(destination)
            found.append(
                PendingReplication(
                    region=region,
                    destination_region=owner[1] if owner else region,
                    source=source,
                    destination=destination,
                    rule=rule,
                    operations=len(mine),
                    size=sum(task.size for task in mine),
                    oldest_seconds=max(ages, default=0.0),
                    failed=self._failed.pop(identity, 0),
                )
            )
        return found

    def forget(self, bucket: str) -> None:
        """A bucket's configuration is gone: its rules have no metrics any more."""
        for identity in [identity for identity in self._rules if identity[1] == bucket]:
            del self._rules[identity]

    def know(self, region: str, bucket: str, configuration: Mapping[str, Any]) -> None:
        """A bucket's configuration: its rules have metrics, at zero, from now on."""
        for rule in configuration.get("Rules", []):
            destination = rule["Destination"]["Bucket"].rpartition(":")[2]
            self._rules[(region, bucket, destination, rule.get("ID", ""))] = None

    def object_written(
        self,
        bucket: str,
        key: str,
        version_id: str,
        configuration: Mapping[str, Any],
        *,
        only_modified: bool = False,
    ) -> None:
        """An object was written, or its tags were changed."""
        owner = owner_of(bucket)
        version = owner and store.read(owner[0], bucket, key, version_id)
        if not owner or not version:
            return
        replica = version.status == "REPLICA"
        for rule in rules_for(configuration, key, version.tags):
            if not replicates_object(
                rule,
                is_replica=replica,
                encryption=version.encryption,
                only_modified=only_modified,
            ):
                continue
            if not replica:
                store.set_status(owner[0], bucket, key, version.version_id, "PENDING")
            kind = "tags" if only_modified else "object"
            self._begin(
                Task(
                    kind,
                    owner[0],
                    bucket,
                    owner[1],
                    key,
                    version.version_id,
                    rule,
                    str(configuration["Role"]),
                    size=len(version.body),
                )
            )

    def marker_written(
        self, bucket: str, key: str, marker_id: str, configuration: Mapping[str, Any]
    ) -> None:
        """A delete marker was written."""
        if not (owner := owner_of(bucket)):
            return
        for rule in rules_for(configuration, key, {}):
            if replicates_delete_markers(rule):
                self._begin(
                    Task(
                        "marker",
                        owner[0],
                        bucket,
                        owner[1],
                        key,
                        marker_id,
                        rule,
                        str(configuration["Role"]),
                    )
                )

    def _begin(self, task: Task) -> None:
        self._rules[_identity(task)] = None
        self._open[id(task)] = task
        task.born = self.lab.clock.now()
        running = asyncio.create_task(self._run(task))
        self._running.add(running)
        running.add_done_callback(self._running.discard)

    async def _run(self, task: Task) -> None:
        lane = self._lanes.setdefault((task.source, task.key, task.destination), asyncio.Lock())
        # Changes of one key reach a destination in their order.
        async with lane, self._slots:
            await asyncio.sleep(SETTLE_SECONDS)
            try:
                outcome: Outcome = await self._work(task)
            except Exception:
                # An operation that ended without an end would count as pending for ever.
                logger.exception("replication of %s/%s", task.source, task.key)
                self._finish(task, "FAILED")
                outcome = "failed"
        if not lane.locked():
            self._lanes.pop((task.source, task.key, task.destination), None)
        self._open.pop(id(task), None)
        if outcome == "failed":
            self._failed[_identity(task)] = self._failed.get(_identity(task), 0) + 1
        self.lab.emit(
            Replication(
                region=task.region,
                source=task.source,
                destination=task.destination,
                rule=task.rule.get("ID", ""),
                outcome=outcome,
                seconds=self.lab.clock.now() - task.born,
                size=task.size,
            )
        )

    async def _work(self, task: Task) -> Outcome:
        while True:
            target = owner_of(task.destination)
            if self._down(task.region) or (target and self._down(target[1])):
                await asyncio.sleep(RETRY_SECONDS)
                continue
            try:
                if target is None:
                    raise Denied(f"bucket {task.destination} does not exist")
                self._replicate(task, *target)
            except Denied as denied:
                logger.warning(
                    "replication of %s/%s to %s: %s",
                    task.source,
                    task.key,
                    task.destination,
                    denied,
                )
                self._finish(task, "FAILED")
                return "failed"
            self._finish(task, "COMPLETED")
            return "completed"

    def _down(self, region: str) -> bool:
        return self.lab.outages.has_lost(region, OutageKind.API)

    def _finish(self, task: Task, status: str) -> None:
        if task.kind == "marker":
            return
        version = store.read(task.account, task.source, task.key, task.version_id)
        if version and version.status != "REPLICA":
            store.set_status(task.account, task.source, task.key, task.version_id, status)

    def _replicate(self, task: Task, account: str, region: str) -> None:
        self._check_role(task)
        arn = f"arn:aws:s3:::{task.destination}/{task.key}"
        if task.kind == "marker":
            self._check_destination(task, account, "s3:ReplicateDelete", arn)
            store.write_delete_marker(account, task.destination, task.key, task.version_id)
            return
        version = store.read(task.account, task.source, task.key, task.version_id)
        if version is None:
            return
        self._check_source(task, version)
        headers = self._encryption(task, version, account, region)
        if version.tags or task.kind == "tags":
            self._check_destination(task, account, "s3:ReplicateTags", arn)
        if task.kind == "tags" and store.copy_tags(
            account, task.destination, task.key, task.version_id, version.tags
        ):
            return
        self._check_destination(task, account, "s3:ReplicateObject", arn)
        storage = str(task.rule["Destination"].get("StorageClass", ""))
        store.write_replica(account, task.destination, task.key, version, headers, storage)

    def _check_role(self, task: Task) -> None:
        bucket = f"arn:aws:s3:::{task.source}"
        if not trusts(task.role, "s3.amazonaws.com", bucket):
            raise Denied(f"S3 can't assume {task.role}")
        for action in ("s3:GetReplicationConfiguration", "s3:ListBucket"):
            self._must(task, Access(action, bucket, principal=task.role))

    def _check_source(self, task: Task, version: store.Version) -> None:
        arn = f"arn:aws:s3:::{task.source}/{task.key}"
        actions = ["s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl"]
        if version.tags:
            actions.append("s3:GetObjectVersionTagging")
        policy = bucket_policy(task.source, task.account)
        for action in actions:
            context = {"aws:SecureTransport": "true"}
            access = Access(action, arn, principal=task.role, context=context)
            self._must(task, access, policy)
        key = version.record["preserved_headers"].get(store.ENCRYPTION_KEY, "")
        if version.encryption == KMS and key:
            self._must_use_key(task, "kms:Decrypt", key, task.region, task.source)

    def _check_destination(self, task: Task, account: str, action: str, arn: str) -> None:
        access = Access(action, arn, principal=task.role, context={"aws:SecureTransport": "true"})
        policy = bucket_policy(task.destination, account)
        if account == task.account:
            self._must(task, access, policy)
        elif not allows([policy], access):
            raise Denied(f"the policy of {task.destination} doesn't allow {action}")

    def _encryption(
        self, task: Task, version: store.Version, account: str, region: str
    ) -> Mapping[str, str]:
        """The replica's encryption: a KMS object's under the rule's key, another's under the
        destination bucket's default."""
        if version.encryption != KMS:
            headers = store.default_encryption(task.destination, account)
        else:
            given = task.rule["Destination"].get("EncryptionConfiguration") or {}
            key = given.get("ReplicaKmsKeyID", "")
            headers = {store.ENCRYPTION: KMS, store.ENCRYPTION_KEY: key}
        if headers.get(store.ENCRYPTION) == KMS:
            key = headers.get(store.ENCRYPTION_KEY, "")
            self._must_use_key(task, "kms:Encrypt", key, region, task.destination)
        return headers

    def _must_use_key(self, task: Task, action: str, key: str, region: str, bucket: str) -> None:
        context = {
            "kms:CallerAccount": task.account,
            "kms:ViaService": f"s3.{region}.amazonaws.com",
            "kms:EncryptionContext:aws:s3:arn": [
                f"arn:aws:s3:::{bucket}",
                f"arn:aws:s3:::{bucket}/{task.key}",
            ],
        }
        arn = key_arn(key, region)
        if not arn:
            raise Denied(f"key {key} does not exist in {region}")
        access = Access(action, arn, principal=task.role, context=context)
        if key_refusal(access, Governing(role_policies(task.role) or [], policy_of(arn))):
            raise Denied(f"{task.role} may not {action} with {arn}")

    def _must(self, task: Task, access: Access, resource_policy: Any = None) -> None:
        if refusal(access, Governing(role_policies(task.role) or [], resource_policy)):
            raise Denied(f"{task.role} may not {access.action} on {access.resource}")


def _identity(task: Task) -> tuple[str, str, str, str]:
    return task.region, task.source, task.destination, str(task.rule.get("ID", ""))
