"""Flow logs of a region's VPC in CloudWatch, encrypted with a key of their own."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from tapstack.naming import alias_of
from tapstack.policies import account_administers, document, logs_service_encrypts, trust
from tapstack.regions import Region


@dataclass(frozen=True)
class FlowLogsArgs:
    """The VPC to watch."""

    region: Region
    vpc: aws.ec2.Vpc
    account_id: pulumi.Input[str]
    retention_days: int


class FlowLogs(pulumi.ComponentResource):
    """All traffic of a VPC, accepted and refused, as log events of ten minutes."""

    def __init__(
        self, name: str, args: FlowLogsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        region = args.region
        super().__init__("warmstandby:network:FlowLogs", name, None, opts)
        here = pulumi.ResourceOptions(parent=self)
        group_name = region.physical_name("log-group", "flow-logs")
        group_arn = pulumi.Output.format(
            "arn:aws:logs:{0}:{1}:log-group:{2}", region.name, args.account_id, group_name
        )
        key = aws.kms.Key(
            f"key-flow-logs-{region.name}",
            description="Encrypts the VPC's flow logs",
            enable_key_rotation=True,
            deletion_window_in_days=7,
            policy=document(
                account_administers(args.account_id),
                logs_service_encrypts(region.name, [group_arn]),
            ),
            tags=region.named("key", "flow-logs"),
            opts=here,
        )
        aws.kms.Alias(
            f"alias-flow-logs-{region.name}",
            name=alias_of(region.physical_name("key", "flow-logs")),
            target_key_id=key.id,
            opts=here,
        )
        group = aws.cloudwatch.LogGroup(
            f"log-group-flow-logs-{region.name}",
            name=group_name,
            retention_in_days=args.retention_days,
            kms_key_id=key.arn,
            opts=here,
        )
        role = aws.iam.Role(
            f"role-flow-logs-{region.name}",
            name=region.physical_name("role", "flow-logs"),
            permissions_boundary=region.permissions_boundary,
            assume_role_policy=trust("vpc-flow-logs.amazonaws.com", args.account_id),
            opts=here,
        )
        policy = aws.iam.Policy(
            f"policy-flow-logs-{region.name}",
            name=region.physical_name("policy", "flow-logs"),
            # VPC user guide, "IAM role for publishing flow logs to CloudWatch Logs"; one group.
            policy=document(
                {
                    "Effect": "Allow",
                    "Action": [
                        "logs:CreateLogStream",
                        "logs:DescribeLogStreams",
                        "logs:PutLogEvents",
                    ],
                    "Resource": [group.arn, pulumi.Output.format("{0}:*", group.arn)],
                },
                {"Effect": "Allow", "Action": "logs:DescribeLogGroups", "Resource": "*"},
            ),
            opts=here,
        )
        attachment = aws.iam.RolePolicyAttachment(
            f"attachment-flow-logs-{region.name}",
            role=role.name,
            policy_arn=policy.arn,
            opts=here,
        )
        aws.ec2.FlowLog(
            f"flow-log-{region.name}",
            vpc_id=args.vpc.id,
            traffic_type="ALL",
            log_destination_type="cloud-watch-logs",
            log_destination=group.arn,
            iam_role_arn=role.arn,
            tags=region.named("flow-log"),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[attachment]),
        )
        self.register_outputs({"log_group_name": group.name})
