"""AWS Backup: vaults' access policies and locks, and the region's settings."""

from __future__ import annotations

from lab.api import ApiRefusal, ApiRequest, ApiResponse, CallNext
from lab.emulator.mending import Mending
from lab.emulator.scope import account_of, scope

LOCK_FIELDS = ("MinRetentionDays", "MaxRetentionDays", "ChangeableForDays")


def install(mending: Mending) -> None:
    """Mends AWS Backup."""
    mends = Backup(mending)
    mend = mending.mend
    mend(
        "backup",
        "PutBackupVaultAccessPolicy GetBackupVaultAccessPolicy DeleteBackupVaultAccessPolicy",
        mends.access_policy,
    )
    mend(
        "backup",
        "PutBackupVaultLockConfiguration DeleteBackupVaultLockConfiguration "
        "DescribeBackupVault DeleteBackupVault",
        mends.vault,
    )
    mend(
        "backup",
        "UpdateRegionSettings DescribeRegionSettings UpdateGlobalSettings DescribeGlobalSettings",
        mends.settings,
    )
    mend("backup", "DeleteBackupPlan", mends.delete_plan)


class Backup:
    """The hooks."""

    def __init__(self, mending: Mending) -> None:
        self.policies = mending.store("backup.policies")
        self.locks = mending.store("backup.locks")
        self.kept = mending.store("backup.settings")

    async def access_policy(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        """A vault's access policy."""
        name = request.parameters["BackupVaultName"]
        key = _key(request, name)
        with scope(request):
            _must_exist(name)
        if request.operation == "PutBackupVaultAccessPolicy":
            self.policies[key] = request.parameters.get("Policy", "{}")
            return ApiResponse({})
        if key not in self.policies:
            raise ApiRefusal(
                "ResourceNotFoundException", f"Backup vault {name} has no access policy."
            )
        if request.operation == "DeleteBackupVaultAccessPolicy":
            del self.policies[key]
            return ApiResponse({})
        return ApiResponse(
            {
                "BackupVaultName": name,
                "BackupVaultArn": f"arn:aws:backup:{request.region}:{account_of(request)}:"
                f"backup-vault:{name}",
                "Policy": self.policies[key],
            }
        )

    async def vault(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        """A vault's lock."""
        name = request.parameters["BackupVaultName"]
        key = _key(request, name)
        if request.operation == "PutBackupVaultLockConfiguration":
            with scope(request):
                _must_exist(name)
            self.locks[key] = {
                field: request.parameters[field]
                for field in LOCK_FIELDS
                if field in request.parameters
            }
            return ApiResponse({})
        if request.operation == "DeleteBackupVaultLockConfiguration":
            self.locks.pop(key, None)
            return ApiResponse({})
        response = await call_next(request)
        if response.ok and request.operation == "DeleteBackupVault":
            self.policies.pop(key, None)
            self.locks.pop(key, None)
        elif response.ok and key in self.locks:
            lock = dict(self.locks[key])
            lock.pop("ChangeableForDays", None)
            response.result.update(lock, Locked=True)
        return response

    async def settings(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        """Which resource types the region backs up."""
        region = request.operation.endswith("RegionSettings")
        key = _key(request, "region" if region else "global")
        held = self.kept.setdefault(key, {})
        if request.operation.startswith("Update"):
            for name, value in request.parameters.items():
                held.setdefault(name, {}).update(value)
            return ApiResponse({})
        empty = (
            {"ResourceTypeOptInPreference": {}, "ResourceTypeManagementPreference": {}}
            if region
            else {"GlobalSettings": {}}
        )
        return ApiResponse(empty | held)

    async def delete_plan(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        """A plan with selections stays."""
        from ministack.services import backup

        name = request.parameters["BackupPlanId"]
        with scope(request):
            used = any(s.get("BackupPlanId") == name for s in backup._selections.values())
        if used:
            raise ApiRefusal(
                "InvalidRequestException",
                "Related backup plan selections must be deleted prior to backup plan deletion.",
            )
        return await call_next(request)


def _key(request: ApiRequest, name: str) -> str:
    return f"{account_of(request)}/{request.region}/{name}"


def _must_exist(name: str) -> None:
    from ministack.services import backup

    if name not in backup._vaults:
        raise ApiRefusal(
            "ResourceNotFoundException", f"Cannot find Backup vault with name '{name}'"
        )
