"""Secrets Manager: replicas asked for at creation are made; a secret with replicas stays."""

from __future__ import annotations

import json
from typing import Any

from lab.api import ApiRefusal, ApiRequest, ApiResponse, CallNext
from lab.emulator.mending import Mending
from lab.emulator.scope import account_of, scope


def install(mending: Mending) -> None:
    """Mends Secrets Manager."""

    async def create(request: ApiRequest, call_next: CallNext) -> ApiResponse:
        response = await call_next(request)
        regions = request.parameters.get("AddReplicaRegions") or []
        if response.ok and regions:
            replicated = await mending.lab.aws.call(
                "secretsmanager",
                request.region,
                "ReplicateSecretToRegions",
                SecretId=response.result["ARN"],
                AddReplicaRegions=regions,
                ForceOverwriteReplicaSecret=bool(
                    request.parameters.get("ForceOverwriteReplicaSecret", False)
                ),
            )
            response.result["ReplicationStatus"] = replicated["ReplicationStatus"]
        return response

    mend = mending.mend
    mend("secretsmanager", "CreateSecret", create)
    mend("secretsmanager", "PutSecretValue", put_value)
    mend("secretsmanager", "DeleteSecret", delete)
    mend("secretsmanager", "PutResourcePolicy", put_policy)
    mend("secretsmanager", "RemoveRegionsFromReplication", remove_regions)
    mend("secretsmanager", "StopReplicationToReplica", stop_replication)


async def put_policy(request: ApiRequest, call_next: CallNext) -> ApiResponse:
    """A policy that isn't JSON is refused."""
    try:
        json.loads(request.parameters["ResourcePolicy"])
    except ValueError:
        raise ApiRefusal(
            "MalformedPolicyDocumentException", "This resource policy contains invalid Json."
        ) from None
    return await call_next(request)


async def put_value(request: ApiRequest, call_next: CallNext) -> ApiResponse:
    """A version that becomes the current one gets its other labels too, each taken from the version
    that had it; the emulator drops them."""
    response = await call_next(request)
    stages = request.parameters.get("VersionStages") or []
    more = [stage for stage in stages if stage not in ("AWSCURRENT", "AWSPENDING")]
    if response.ok and "AWSCURRENT" in stages and more:
        from ministack.services import secretsmanager

        with scope(request):
            secret = _secret(request.parameters["SecretId"])
            for version, kept in (secret or {}).get("Versions", {}).items():
                labels = [label for label in kept["Stages"] if label not in more]
                if version == response.result["VersionId"]:
                    labels += more
                    response.result["VersionStages"] = list(labels)
                kept["Stages"] = labels
            secretsmanager._sync_replicas(secret)
    return response


async def delete(request: ApiRequest, call_next: CallNext) -> ApiResponse:
    """A secret with replicas can't be deleted (trap 30)."""
    with scope(request):
        secret = _secret(request.parameters["SecretId"])
    replicas = (secret or {}).get("ReplicationStatus") or []
    if replicas:
        regions = ", ".join(replica["Region"] for replica in replicas)
        raise ApiRefusal(
            "InvalidParameterException",
            "You can't perform this operation on the secret because it has replicas in "
            f"{regions}. Remove the replicas first.",
        )
    return await call_next(request)


async def remove_regions(request: ApiRequest, _: CallNext) -> ApiResponse:
    """The replicas of the regions named are deleted; the emulator can't."""
    from ministack.services import secretsmanager

    with scope(request):
        secret = _secret(request.parameters["SecretId"])
    if secret is None:
        raise ApiRefusal(
            "ResourceNotFoundException", "Secrets Manager can't find the specified secret."
        )
    for region in request.parameters["RemoveReplicaRegions"]:
        store = secretsmanager._secrets
        store.pop_scoped(account_of(request), region, secret["Name"], None)
        secret["ReplicationStatus"] = [
            status for status in secret.get("ReplicationStatus", []) if status["Region"] != region
        ]
    return ApiResponse(
        {"ARN": secret["ARN"], "ReplicationStatus": secret.get("ReplicationStatus", [])}
    )


async def stop_replication(request: ApiRequest, _: CallNext) -> ApiResponse:
    """In the replica's region: it becomes a secret of its own (API reference,
    StopReplicationToReplica), which the emulator can't make it."""
    from ministack.services import secretsmanager

    with scope(request):
        secret = _secret(request.parameters["SecretId"])
        if secret is None or not secretsmanager._is_replica(secret):
            raise ApiRefusal(
                "InvalidRequestException", "You can't perform this operation: it is no replica."
            )
        secretsmanager._unlink_from_primary(secret)
        del secret["_PrimarySecretArn"], secret["_PrimaryRegion"]
    return ApiResponse({"ARN": secret["ARN"]})


def _secret(identifier: str) -> dict[str, Any] | None:
    from ministack.services import secretsmanager

    for name, secret in secretsmanager._secrets.items():
        if identifier in (name, secret.get("ARN"), secret.get("Name")):
            return secret
    return None
