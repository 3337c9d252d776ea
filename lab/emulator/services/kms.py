"""KMS: multi-Region keys, with replicas of the same id in the other region."""

from __future__ import annotations

import copy
from typing import Any

from lab.api import ApiRefusal, ApiRequest, ApiResponse, CallNext
from lab.emulator.mending import Mending
from lab.emulator.scope import account_of, scope


def install(mending: Mending) -> None:
    """Mends KMS."""
    mends = Kms(mending)
    mend = mending.mend
    mend("kms", "CreateKey", mends.create)
    mend("kms", "DescribeKey", mends.describe)
    mend("kms", "ReplicateKey", mends.replicate)
    mend("kms", "ScheduleKeyDeletion", mends.schedule_deletion)


class Kms:
    """The hooks. A multi-Region key's id begins with ``mrk-``; its replicas share id and key
    material."""

    def __init__(self, mending: Mending) -> None:
        self.keys = mending.store("kms.multi_region")
        """key id → {"primary": region, "replicas": [region, …]}"""

    async def create(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        """A multi-Region primary key."""
        response = await call_next(request)
        if not response.ok or not request.parameters.get("MultiRegion"):
            return response
        from ministack.services import kms

        old = response.result["KeyMetadata"]["KeyId"]
        new = "mrk-" + old.replace("-", "")
        with scope(request):
            record = kms._keys.pop(old)
            for field, value in list(record.items()):
                if isinstance(value, str):
                    record[field] = value.replace(old, new)
            kms._keys[new] = record
        self.keys[new] = {"primary": request.region, "replicas": []}
        metadata = response.result["KeyMetadata"]
        metadata["KeyId"], metadata["Arn"] = new, metadata["Arn"].replace(old, new)
        self._describe(metadata, account_of(request), request.region)
        return response

    async def describe(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        """Whether a key is multi-Region, and its relatives."""
        response = await call_next(request)
        if response.ok:
            metadata = response.result["KeyMetadata"]
            self._describe(metadata, account_of(request), request.region)
        return response

    async def replicate(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        """A replica key in another region."""
        from ministack.core.responses import request_scope
        from ministack.services import kms

        given = request.parameters
        name, target = given["KeyId"].rpartition("/")[2], given["ReplicaRegion"]
        account = account_of(request)
        known = self.keys.get(name)
        if known is None:
            raise ApiRefusal(
                "UnsupportedOperationException", f"{name} is not a multi-Region primary key."
            )
        if target in (known["primary"], *known["replicas"]):
            raise ApiRefusal("AlreadyExistsException", f"{name} already exists in {target}.")
        with scope(request):
            record = copy.deepcopy(kms._keys[name])
        for field, value in list(record.items()):
            if isinstance(value, str):
                record[field] = value.replace(f":{request.region}:", f":{target}:")
        record["Description"] = given.get("Description", record.get("Description", ""))
        record["Tags"] = [dict(tag) for tag in given.get("Tags") or []]
        if "Policy" in given:
            record["Policy"] = given["Policy"]
        with request_scope(account, target):
            kms._keys[name] = record
        known["replicas"].append(target)
        metadata = {
            "KeyId": name,
            "Arn": f"arn:aws:kms:{target}:{account}:key/{name}",
            "AWSAccountId": account,
            "Enabled": True,
            "KeyState": "Enabled",
            "KeyUsage": record.get("KeyUsage", "ENCRYPT_DECRYPT"),
            "Description": record["Description"],
        }
        self._describe(metadata, account, target)
        return ApiResponse(
            {
                "ReplicaKeyMetadata": metadata,
                "ReplicaPolicy": record.get("Policy", ""),
                "ReplicaTags": record["Tags"],
            }
        )

    async def schedule_deletion(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        """A primary waits for its replicas to go."""
        response = await call_next(request)
        name = request.parameters["KeyId"].rpartition("/")[2]
        if response.ok and (known := self.keys.get(name)):
            if request.region in known["replicas"]:
                known["replicas"].remove(request.region)
            elif known["replicas"]:
                response.result["KeyState"] = "PendingReplicaDeletion"
        return response

    def _describe(self, metadata: dict[str, Any], account: str, region: str) -> None:
        known = self.keys.get(metadata["KeyId"])
        metadata["MultiRegion"] = known is not None
        if known is None:
            return

        def relative(region: str) -> dict[str, str]:
            return {
                "Arn": f"arn:aws:kms:{region}:{account}:key/{metadata['KeyId']}",
                "Region": region,
            }

        metadata["MultiRegionConfiguration"] = {
            "MultiRegionKeyType": "PRIMARY" if known["primary"] == region else "REPLICA",
            "PrimaryKey": relative(known["primary"]),
            "ReplicaKeys": [relative(name) for name in known["replicas"]],
        }
