"""Secrets Manager: secrets with replicas, and their versions."""

from __future__ import annotations

from typing import Any, ClassVar

from lab.provider import shapes
from lab.provider.aws import Aws, error_code, is_not_found
from lab.provider.declaration import Failures, Properties, Tagging, op
from lab.provider.resource import ResourceType
from pulumi_protocol.values import plain_without_nulls

DEFAULT_RECOVERY_DAYS = 30


class Secret(ResourceType):
    """A secret and the regions it is replicated to."""

    pulumi_type = "aws:secretsmanager/secret:Secret"
    service = "secretsmanager"
    inputs = "name description kmsKeyId type"
    settings = "recoveryWindowInDays forceOverwriteReplicaSecret replicas policy"
    autoname = "name"
    identity = ("name",)
    creation = op("CreateSecret")
    updates = (op("UpdateSecret", only="description kmsKeyId type", SecretId="{id}"),)
    id = "ARN"
    reading = op("DescribeSecret", SecretId="{id}")
    search, found_id = op("DescribeSecret", SecretId="{name}"), "ARN"
    tagging = Tagging(
        tag=op("TagResource", SecretId="{id}"),
        untag=op("UntagResource", SecretId="{id}"),
        path="Tags",
    )
    outputs: ClassVar = {"arn": "ARN"}
    replica_keys: ClassVar = frozenset(
        {"region", "kmsKeyId", "lastAccessedDate", "status", "statusMessage"}
    )

    def validate(self, props: Properties, region: str) -> Failures:
        found = [
            (f"replicas.{key}", f"replicas.{key} of {self.pulumi_type} is not supported")
            for replica in props.get("replicas") or []
            if isinstance(replica, dict)
            for key in replica
            if key not in self.replica_keys
        ]
        days = props.get("recoveryWindowInDays")
        if isinstance(days, int) and days != 0 and not 7 <= days <= 30:
            found.append(("recoveryWindowInDays", f"AWS takes 0, or 7 to 30 days, got {days}"))
        return found

    def ask(self, aws: Aws, call: Any, ident: str | None, props: Any) -> Properties | None:
        found = super().ask(aws, call, ident, props)
        return None if found and found.get("DeletedDate") else found

    def create(self, aws: Aws, props: Properties) -> str:
        # A secret deleted a moment ago holds its name for a while.
        return aws.retry(
            30,
            ("InvalidRequestException",),
            lambda: super(Secret, self).create(aws, props),
            says="scheduled for deletion",
        )

    def finish(self, aws: Aws, ident: str, props: Properties) -> None:
        self._replicate(aws, ident, props)
        if props.get("policy"):
            aws.call(
                self.service, "PutResourcePolicy",
                {"SecretId": ident, "ResourcePolicy": props["policy"]},
            )  # fmt: skip

    def _replicate(self, aws: Aws, ident: str, props: Properties) -> None:
        """Makes the replicas exactly those declared."""
        raw = self.require(aws, ident, props)
        current = {item["Region"]: item for item in raw.get("ReplicationStatus") or []}
        wanted = {item["region"]: item for item in props.get("replicas") or []}
        gone = sorted(current.keys() - wanted.keys())
        if gone:
            self._withdraw(aws, ident, gone)
        new = [
            {"Region": region} | ({"KmsKeyId": item["kmsKeyId"]} if item.get("kmsKeyId") else {})
            for region, item in sorted(wanted.items())
            if region not in current
        ]
        if new:
            aws.call(
                self.service,
                "ReplicateSecretToRegions",
                {
                    "SecretId": ident,
                    "AddReplicaRegions": new,
                    "ForceOverwriteReplicaSecret": bool(props.get("forceOverwriteReplicaSecret")),
                },
            )

    def _withdraw(self, aws: Aws, ident: str, regions: list[str]) -> None:
        aws.call(
            self.service,
            "RemoveRegionsFromReplication",
            {"SecretId": ident, "RemoveReplicaRegions": regions},
        )

        def gone() -> bool | None:
            raw = self.describe(aws, ident, {}) or {}
            left = {item["Region"] for item in raw.get("ReplicationStatus") or []}
            return None if left & set(regions) else True

        aws.until(f"replicas of {ident} going away", 60, gone)

    def update(
        self, aws: Aws, ident: str, before: Any, after: Properties, changed: Any, state: Any
    ) -> None:
        super().update(aws, ident, before, after, changed, state)
        if "replicas" in changed:
            had = {item["region"]: item for item in before.get("replicas") or []}
            moved = [
                item["region"]
                for item in after.get("replicas") or []
                if item["region"] in had and had[item["region"]] != item
            ]
            if moved:  # another key: AWS knows only withdrawing and replicating anew
                self._withdraw(aws, ident, moved)
            self._replicate(aws, ident, after)
        if "policy" in changed:
            if after.get("policy"):
                self.finish(aws, ident, after)
            else:
                aws.call(self.service, "DeleteResourcePolicy", {"SecretId": ident})

    def drift(self, aws: Aws, raw: Properties, key: str, written: Any) -> Any:
        if key == "replicas":
            current = {item["Region"] for item in raw.get("ReplicationStatus") or []}
            wanted = [item for item in written if item["region"] in current]
            extra = sorted(current - {item["region"] for item in written})
            return [*wanted, *({"region": region} for region in extra)]
        if key == "policy":
            answer = aws.call(self.service, "GetResourcePolicy", {"SecretId": raw["ARN"]})
            seen = answer.get("ResourcePolicy")
            return written if not seen or shapes.same(seen, written) else seen
        return super().drift(aws, raw, key, written)

    def delete(self, aws: Aws, ident: str, props: Properties) -> None:
        raw = self.describe(aws, ident, props)
        if raw is None:
            return
        replicas = [item["Region"] for item in raw.get("ReplicationStatus") or []]
        if replicas:
            self._withdraw(aws, ident, replicas)
        days = props.get("recoveryWindowInDays", DEFAULT_RECOVERY_DAYS)
        window: Properties = (
            {"RecoveryWindowInDays": days} if days else {"ForceDeleteWithoutRecovery": True}
        )
        aws.call(self.service, "DeleteSecret", {"SecretId": ident, **window})


class SecretVersion(ResourceType):
    """A value of a secret."""

    pulumi_type = "aws:secretsmanager/secretVersion:SecretVersion"
    service = "secretsmanager"
    inputs = "secretId secretString versionStages"
    replace = "secretId secretString"
    in_place = "versionStages"
    creation = op("PutSecretValue")
    id = "{secretId}|{versionId}"
    outputs: ClassVar = {"arn": "ARN", "secretArn": "ARN", "versionId": "VersionId"}

    def create(self, aws: Aws, props: Properties) -> str:
        call = op("PutSecretValue")
        answer = self.call(aws, call, None, props)
        return f"{props['secretId']}|{answer['VersionId']}"

    def describe(self, aws: Aws, ident: str, props: Any) -> Properties | None:
        secret, _, version = ident.partition("|")
        return self._value(aws, {"SecretId": secret, "VersionId": version})

    def look_up(self, aws: Aws, inputs: Properties) -> str | None:
        props = plain_without_nulls(inputs)
        found = self._value(aws, {"SecretId": props["secretId"]})
        same = found is not None and found.get("SecretString") == props["secretString"]
        return f"{props['secretId']}|{found['VersionId']}" if found and same else None

    def _value(self, aws: Aws, parameters: Properties) -> Properties | None:
        try:
            return aws.call(self.service, "GetSecretValue", parameters)
        except Exception as error:
            if is_not_found(error) or error_code(error) == "InvalidRequestException":
                return None
            raise

    def drift(self, aws: Aws, raw: Properties, key: str, written: Any) -> Any:
        if key == "secretString":
            return raw.get("SecretString", written)
        if key == "versionStages":
            seen = raw.get("VersionStages") or []
            return written if sorted(seen) == sorted(written) else seen
        return written

    def update(
        self, aws: Aws, ident: str, before: Any, after: Properties, changed: Any, state: Any
    ) -> None:
        secret, _, version = ident.partition("|")
        answer = aws.call(self.service, "DescribeSecret", {"SecretId": secret})
        stages: dict[str, list[str]] = answer["VersionIdsToStages"]
        had, wanted = set(stages.get(version, [])), set(after.get("versionStages") or [])
        for stage in sorted(wanted - had):
            holder = next((name for name, labels in stages.items() if stage in labels), None)
            leaving = {"RemoveFromVersionId": holder} if holder else {}
            self._stage(aws, secret, stage, {"MoveToVersionId": version, **leaving})
        for stage in sorted(had - wanted - {"AWSCURRENT", "AWSPREVIOUS"}):
            self._stage(aws, secret, stage, {"RemoveFromVersionId": version})

    def _stage(self, aws: Aws, secret: str, stage: str, move: Properties) -> None:
        aws.call(
            self.service,
            "UpdateSecretVersionStage",
            {"SecretId": secret, "VersionStage": stage, **move},
        )

    def delete(self, aws: Aws, ident: str, props: Properties) -> None:
        raw = self.describe(aws, ident, props)
        secret, _, version = ident.partition("|")
        for stage in (raw or {}).get("VersionStages") or []:
            # AWS lets no one take the current stage away; it goes with the secret.
            if stage != "AWSCURRENT":
                self._stage(aws, secret, stage, {"RemoveFromVersionId": version})
