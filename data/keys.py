"""One customer-managed key a region, which encrypts everything that holds patient data there."""

from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from tapstack.naming import alias_of, log_group_of
from tapstack.policies import account_administers, document, logs_service_encrypts
from tapstack.regions import Region

SERVICES_WITH_GRANTS = (
    "backup", "lambda", "rds", "s3", "scheduler", "secretsmanager", "sns", "sqs", "ssm",
)  # fmt: skip
"""Use the key on behalf of a caller whose IAM policy allows it (``kms:ViaService``)."""

SERVICES_IN_THEIR_OWN_NAME = ("cloudwatch.amazonaws.com", "events.amazonaws.com")
"""Publish to encrypted topics and queues without a caller: with the AWS-managed key, or without
this statement, alarms and dead letters vanish silently."""


@dataclass(frozen=True)
class RegionalKeyArgs:
    """Where the key is, and whose."""

    region: Region
    account_id: pulumi.Input[str]


class RegionalKey(pulumi.ComponentResource):
    """A rotating key with an alias; a replica in the other region needs that region's own key."""

    key: aws.kms.Key

    def __init__(self, args: RegionalKeyArgs) -> None:
        region = args.region
        super().__init__(
            "warmstandby:data:RegionalKey", f"key-{region.name}", None, region.options()
        )
        here = pulumi.ResourceOptions(parent=self)
        function_logs = log_group_of(f"*-{region.name}-{region.suffix}")
        database_logs = f"/aws/rds/cluster/*-{region.name}-{region.suffix}/*"
        self.key = aws.kms.Key(
            f"key-data-{region.name}",
            description="Encrypts database, buckets, secrets, logs, topics and queues",
            enable_key_rotation=True,
            deletion_window_in_days=7,
            policy=document(
                account_administers(args.account_id),
                _used_through_services(region.name, args.account_id),
                _used_by_services(args.account_id),
                logs_service_encrypts(
                    region.name,
                    [
                        pulumi.Output.format(
                            "arn:aws:logs:{0}:{1}:log-group:{2}", region.name, args.account_id, name
                        )
                        for name in (function_logs, database_logs)
                    ],
                ),
            ),
            tags=region.named("key", "data"),
            opts=here,
        )
        aws.kms.Alias(
            f"alias-data-{region.name}",
            name=alias_of(region.physical_name("key", "data")),
            target_key_id=self.key.id,
            opts=here,
        )
        self.register_outputs({"arn": self.key.arn})


def _used_through_services(region: str, account_id: pulumi.Input[str]) -> dict[str, Any]:
    """Lets IAM policies of this account give use of the key through these services."""
    return {
        "Sid": "UsedThroughServices",
        "Effect": "Allow",
        "Principal": {"AWS": pulumi.Output.format("arn:aws:iam::{0}:root", account_id)},
        "Action": [
            "kms:Encrypt",
            "kms:Decrypt",
            "kms:ReEncrypt*",
            "kms:GenerateDataKey*",
            "kms:CreateGrant",
            "kms:DescribeKey",
        ],
        "Resource": "*",
        "Condition": {
            "StringEquals": {
                "kms:ViaService": [
                    f"{service}.{region}.amazonaws.com" for service in SERVICES_WITH_GRANTS
                ],
            }
        },
    }


def _used_by_services(account_id: pulumi.Input[str]) -> dict[str, Any]:
    """Lets services use the key in their own name, for resources of this account only."""
    return {
        "Sid": "UsedByServices",
        "Effect": "Allow",
        "Principal": {"Service": list(SERVICES_IN_THEIR_OWN_NAME)},
        "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
        "Resource": "*",
        "Condition": {"StringEquals": {"aws:SourceAccount": account_id}},
    }
