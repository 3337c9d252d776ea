"""AWS Backup: a vault and a plan in each region; the writer's takes a daily snapshot and copies it.

A copy is a snapshot, without point-in-time recovery; that stays with the cluster's own backups.
Whether AWS Backup may take Aurora at all is a setting of the account, which no stack owns:
``./inv doctor`` asks for it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from tapstack.data_settings import DataSettings
from tapstack.pair import Pair
from tapstack.policies import trust
from tapstack.regions import Region

DAILY = "cron(0 5 * * ? *)"
"""05:00 UTC, after the cluster's own backup window."""

MANAGED = "arn:aws:iam::aws:policy/service-role/"
POLICIES = {
    "backup": "AWSBackupServiceRolePolicyForBackup",
    "restore": "AWSBackupServiceRolePolicyForRestores",
}
"""Purpose of a role → AWS's own policy for it: who makes backups can't restore, and the other way
round."""


@dataclass(frozen=True)
class BackupPlanArgs:
    """Both regions with their keys and clusters, and what is kept how long."""

    regions: Pair[Region]
    keys: Pair[aws.kms.Key]
    cluster_arns: Pair[pulumi.Input[str]]
    writer: pulumi.Output[str]
    """The region whose cluster is backed up: selecting both would make every copy twice."""
    settings: DataSettings


class BackupPlan(pulumi.ComponentResource):
    """The plan of the region that only reads excludes its cluster: with the other writer the next
    deployment changes both selections, and neither region needs the other one for it."""

    vaults: Pair[aws.backup.Vault]
    restoring: aws.iam.Role
    """Restores what lies in either vault: monthly as a test, or for a person."""
    restoring_may: aws.iam.RolePolicyAttachment

    def __init__(
        self, name: str, args: BackupPlanArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("warmstandby:data:BackupPlan", name, None, opts)
        primary = args.regions.primary

        def within(region: Region, **more: Any) -> pulumi.ResourceOptions:
            return pulumi.ResourceOptions(parent=self, provider=region.provider, **more)

        def role(purpose: str) -> tuple[aws.iam.Role, aws.iam.RolePolicyAttachment]:
            made = aws.iam.Role(
                f"role-{purpose}",
                name=primary.physical_name("role", purpose),
                permissions_boundary=primary.permissions_boundary,
                assume_role_policy=trust("backup.amazonaws.com"),
                opts=within(primary),
            )
            attachment = aws.iam.RolePolicyAttachment(
                f"attachment-{purpose}",
                role=made.name,
                policy_arn=f"{MANAGED}{POLICIES[purpose]}",
                opts=within(primary),
            )
            return made, attachment

        self.vaults = Pair.of(
            aws.backup.Vault(
                f"backup-vault-{region.name}",
                name=region.physical_name("backup-vault"),
                kms_key_arn=key.arn,
                # A vault with recovery points can't be deleted otherwise.
                force_destroy=True,
                opts=within(region),
            )
            for region, key in args.regions.zip(args.keys)
        )
        backing_up, may = role("backup")
        self.restoring, self.restoring_may = role("restore")
        for region, own, other, cluster_arn in args.regions.zip(
            self.vaults, self.vaults.swapped(), args.cluster_arns
        ):
            rule: aws.backup.PlanRuleArgsDict = {
                "rule_name": "daily",
                "target_vault_name": own.name,
                "schedule": DAILY,
                "start_window": 60,
                "completion_window": 360,
                "lifecycle": {"delete_after": args.settings.snapshot_retention_days},
                "copy_actions": list(_copies(region, other.arn, args.settings)),
            }
            plan = aws.backup.Plan(
                f"backup-plan-{region.name}",
                name=region.physical_name("backup-plan"),
                rules=[rule],
                opts=within(region),
            )
            aws.backup.Selection(
                f"backup-selection-{region.name}",
                name=region.physical_name("backup-selection"),
                plan_id=plan.id,
                iam_role_arn=backing_up.arn,
                resources=[cluster_arn],
                not_resources=_excluded(region, args.writer, cluster_arn),
                opts=within(region, depends_on=[may]),
            )
        self.register_outputs({})


def _excluded(
    region: Region, writer: pulumi.Output[str], cluster_arn: pulumi.Input[str]
) -> pulumi.Output[Sequence[pulumi.Input[str]]]:
    """The cluster of a region that only reads; AWS wants a selection to name something."""
    return writer.apply(
        lambda name: pulumi.Output.from_input([] if name == region.name else [cluster_arn])
    )


def _copies(
    region: Region, other_vault: pulumi.Output[str], settings: DataSettings
) -> Iterator[aws.backup.PlanRuleCopyActionArgsDict]:
    """To the other region, and to another account's vault of this region where there is one."""
    kept: aws.backup.PlanRuleCopyActionLifecycleArgsDict = {
        "delete_after": settings.copy_retention_days
    }
    yield {"destination_vault_arn": other_vault, "lifecycle": kept}
    if settings.vault_copy_region == region.name:
        yield {"destination_vault_arn": settings.vault_copy_arn, "lifecycle": kept}
