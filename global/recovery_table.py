"""The recovery table of one region: the controller's state, its journal, validations, events."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from tapstack.regions import Region
from tapstack.well_known import RECOVERY


@dataclass(frozen=True)
class RecoveryTableArgs:
    """Where, and under which key."""

    region: Region
    key_arn: pulumi.Input[str]


class RecoveryTable(pulumi.ComponentResource):
    """Each region has its own, and neither needs the other's: no global table.

    On demand: a run a minute, and nothing to throttle in the minute that matters.
    """

    def __init__(
        self, name: str, args: RecoveryTableArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("warmstandby:global:RecoveryTable", name, None, opts)
        self.table = aws.dynamodb.Table(
            name,
            name=args.region.physical_name("table", RECOVERY),
            billing_mode="PAY_PER_REQUEST",
            hash_key="kind",
            range_key="number",
            attributes=[
                aws.dynamodb.TableAttributeArgs(name="kind", type="S"),
                aws.dynamodb.TableAttributeArgs(name="number", type="N"),
            ],
            server_side_encryption=aws.dynamodb.TableServerSideEncryptionArgs(
                enabled=True, kms_key_arn=args.key_arn
            ),
            point_in_time_recovery=aws.dynamodb.TablePointInTimeRecoveryArgs(enabled=True),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({"arn": self.table.arn})
