"""The role of S3 Batch Replication: for what was there before replication, and what failed."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from tapstack.policies import allow, document, trust
from tapstack.regions import Region
from tapstack.well_known import BATCH_PREFIX, BATCH_REPLICATION


@dataclass(frozen=True)
class BatchReplicationRoleArgs:
    """Whose objects are replicated, and where the job's lists go."""

    region: Region
    bucket: aws.s3.Bucket
    lists: aws.s3.Bucket
    """The region's bucket of access logs, under a prefix of its own: lists hold keys, no contents.
    """


class BatchReplicationRole(pulumi.ComponentResource):
    """Starts the replication of single objects by the rule that is deployed; the copies themselves
    are made with the replication's own role (S3 user guide, "Configuring an IAM role for S3 Batch
    Replication"). ``./inv objects.replicate`` makes the job.
    """

    def __init__(
        self, name: str, args: BatchReplicationRoleArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        region = args.region
        super().__init__("warmstandby:data:BatchReplicationRole", name, None, opts)
        here = pulumi.ResourceOptions(parent=self)
        objects = pulumi.Output.concat(args.bucket.arn, "/*")
        lists = pulumi.Output.concat(args.lists.arn, f"/{BATCH_PREFIX}*")
        role = aws.iam.Role(
            f"role-{BATCH_REPLICATION}-{region.name}",
            name=region.physical_name("role", BATCH_REPLICATION),
            permissions_boundary=region.permissions_boundary,
            assume_role_policy=trust("batchoperations.s3.amazonaws.com"),
            opts=here,
        )
        policy = aws.iam.Policy(
            f"policy-{BATCH_REPLICATION}-{region.name}",
            name=region.physical_name("policy", BATCH_REPLICATION),
            policy=document(
                allow("Start", ["s3:InitiateReplication"], [objects]),
                allow(
                    "List",
                    ["s3:GetReplicationConfiguration", "s3:PutInventoryConfiguration"],
                    [args.bucket.arn],
                ),
                allow("Lists", ["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"], [lists]),
            ),
            opts=here,
        )
        aws.iam.RolePolicyAttachment(
            f"attachment-{BATCH_REPLICATION}-{region.name}",
            role=role.name,
            policy_arn=policy.arn,
            opts=here,
        )
        self.register_outputs({"arn": role.arn})
