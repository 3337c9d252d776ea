"""A restore once a month, by AWS Backup itself: a backup that was never restored is a hope."""

import json
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from backup_plan import BackupPlan
from tapstack.contracts import RegionalNetwork
from tapstack.naming import restore_testing_name
from tapstack.regions import Region

MONTHLY = "cron(0 12 1 * ? *)"
"""The first of a month, 12:00 UTC, after that day's backup and copy."""
START_HOURS = 8
VALIDATION_HOURS = 1
"""For how long the restored cluster stays for who wants to look into it; then AWS deletes it."""


@dataclass(frozen=True)
class RestoreTestingArgs:
    """Where copies are restored, and how long they are kept."""

    region: Region
    """The one whose vault holds copies: what matters after a loss is that *they* can be restored.
    """
    backup: BackupPlan
    vault: aws.backup.Vault
    network: RegionalNetwork
    subnet_group: pulumi.Input[str]
    window_days: int
    """As old as the newest copy may be to be tried."""


class RestoreTesting(pulumi.ComponentResource):
    """The newest copy becomes a cluster in the database's own subnets, without an instance, and is
    deleted again: it proves snapshot, key and role, not what the rows say.

    ``./inv restores`` shows the results.
    """

    def __init__(
        self, name: str, args: RestoreTestingArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        region = args.region
        super().__init__("warmstandby:data:RestoreTesting", name, None, opts)
        here = pulumi.ResourceOptions(parent=self)
        plan = aws.backup.RestoreTestingPlan(
            f"restore-testing-{region.name}",
            name=restore_testing_name(region.name, region.suffix),
            schedule_expression=MONTHLY,
            start_window_hours=START_HOURS,
            recovery_point_selection={
                "algorithm": "LATEST_WITHIN_WINDOW",
                "include_vaults": [args.vault.arn],
                "recovery_point_types": ["SNAPSHOT"],
                "selection_window_days": args.window_days,
            },
            opts=here,
        )
        groups = pulumi.Output.from_input(args.network.database_security_group_id)
        aws.backup.RestoreTestingSelection(
            f"restore-testing-selection-{region.name}",
            name="aurora",
            restore_testing_plan_name=plan.name,
            protected_resource_type="Aurora",
            # Copies carry their source's ARN; the plan's vault is what limits them.
            protected_resource_arns=["*"],
            iam_role_arn=args.backup.restoring.arn,
            # Without them AWS takes the default VPC, which may be open or missing (AWS Backup
            # developer guide, "Restore testing inferred metadata").
            restore_metadata_overrides={
                "dbSubnetGroupName": args.subnet_group,
                "vpcSecurityGroupIds": groups.apply(lambda group: json.dumps([group])),
            },
            validation_window_hours=VALIDATION_HOURS,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[args.backup.restoring_may]),
        )
        self.register_outputs({})
