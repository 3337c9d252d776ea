"""AWS Backup: a vault in each region, and a daily snapshot copied to the other.

A copy is a snapshot, without point-in-time recovery; that stays with the cluster's own backups.
Whether AWS Backup may take Aurora at all is a setting of the account, which no stack owns:
``./inv doctor`` asks for it.
"""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from tapstack.pair import Pair
from tapstack.policies import trust
from tapstack.regions import Region

RETENTION_DAYS = 35
"""AWS Config's backup-plan-min-frequency-and-min-retention-check asks for 35."""
DAILY = "cron(0 5 * * ? *)"
"""05:00 UTC, after the cluster's own backup window."""


@dataclass(frozen=True)
class BackupPlanArgs:
    """Both regions with their keys, and the clusters to back up."""

    regions: Pair[Region]
    keys: Pair[aws.kms.Key]
    cluster_arn: pulumi.Input[str]
    """The primary's: selecting both members would make every copy twice."""


class BackupPlan(pulumi.ComponentResource):
    """One plan in the primary region; the secondary's vault receives the copies."""

    def __init__(
        self, name: str, args: BackupPlanArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        primary = args.regions.primary
        super().__init__("warmstandby:data:BackupPlan", name, None, opts)
        here = pulumi.ResourceOptions(parent=self)

        def vault(region: Region, key: aws.kms.Key) -> aws.backup.Vault:
            return aws.backup.Vault(
                f"backup-vault-{region.name}",
                name=region.physical_name("backup-vault"),
                kms_key_arn=key.arn,
                # A vault with recovery points can't be deleted otherwise.
                force_destroy=True,
                opts=pulumi.ResourceOptions(parent=self, provider=region.provider),
            )

        vaults = Pair.of(vault(region, key) for region, key in args.regions.zip(args.keys))
        plan = aws.backup.Plan(
            "backup-plan",
            name=primary.physical_name("backup-plan"),
            rules=[
                {
                    "rule_name": "daily",
                    "target_vault_name": vaults.primary.name,
                    "schedule": DAILY,
                    "start_window": 60,
                    "completion_window": 360,
                    "lifecycle": {"delete_after": RETENTION_DAYS},
                    "copy_actions": [
                        {
                            "destination_vault_arn": vaults.secondary.arn,
                            "lifecycle": {"delete_after": RETENTION_DAYS},
                        }
                    ],
                }
            ],
            opts=here,
        )
        role = aws.iam.Role(
            "role-backup",
            name=primary.physical_name("role", "backup"),
            assume_role_policy=trust("backup.amazonaws.com"),
            opts=here,
        )
        attachment = aws.iam.RolePolicyAttachment(
            "attachment-backup",
            role=role.name,
            policy_arn="arn:aws:iam::aws:policy/service-role/AWSBackupServiceRolePolicyForBackup",
            opts=here,
        )
        aws.backup.Selection(
            "backup-selection",
            name=primary.physical_name("backup-selection"),
            plan_id=plan.id,
            iam_role_arn=role.arn,
            resources=[args.cluster_arn],
            opts=pulumi.ResourceOptions(parent=self, depends_on=[attachment]),
        )
        self.register_outputs({})
