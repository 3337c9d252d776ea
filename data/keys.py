"""One customer-managed key a region, which encrypts everything that holds patient data there."""

from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from tapstack.naming import alias_of, log_group_of
from tapstack.policies import account_administers, document, logs_service_encrypts
from tapstack.regions import Region

SERVICES_WITH_GRANTS = ("backup", "dynamodb", "lambda", "rds", "s3", "secretsmanager", "sns", "sqs")
"""Use the key on behalf of a caller whose IAM policy allows it (``kms:ViaService``)."""


@dataclass(frozen=True)
class RegionalKeyArgs:
    """Where the key is, and whose."""

    region: Region
    peer: Region
    """Where secrets' replicas and copies of backups under this key are asked for."""
    account_id: pulumi.Input[str]
    copy_account: str = ""
    """Another account that takes copies of this region's backups; empty: none."""


class RegionalKey(pulumi.ComponentResource):
    """A rotating key with an alias; a replica in the other region needs that region's own key."""

    key: aws.kms.Key

    def __init__(
        self, name: str, args: RegionalKeyArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        region = args.region
        super().__init__("warmstandby:data:RegionalKey", name, None, opts)
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
                _used_through_services((region.name, args.peer.name), args.account_id),
                _used_for_alarms(args.account_id),
                *_used_for_events(region, args.account_id),
                *_read_for_copies(region, args.copy_account),
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


def _used_through_services(
    regions: tuple[str, str], account_id: pulumi.Input[str]
) -> dict[str, Any]:
    """Lets IAM policies of this account give use of the key through these services, not directly,
    as the policies of AWS's own keys do (``aws/rds``, ``aws/secretsmanager``).

    Through those of both regions: a service there asks for the replica of a secret or the copy of
    a backup here.
    """
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
                    f"{service}.{region}.amazonaws.com"
                    for region in regions
                    for service in SERVICES_WITH_GRANTS
                ],
            }
        },
    }


def _used_for_alarms(account_id: pulumi.Input[str]) -> dict[str, Any]:
    """Lets this account's alarms publish to encrypted topics: without it they vanish silently."""
    return {
        "Sid": "UsedForAlarms",
        "Effect": "Allow",
        "Principal": {"Service": "cloudwatch.amazonaws.com"},
        "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
        "Resource": "*",
        "Condition": {"StringEquals": {"aws:SourceAccount": account_id}},
    }


def _read_for_copies(region: Region, account_id: str) -> list[dict[str, Any]]:
    """Lets the other account's AWS Backup read what it copies (AWS Backup developer guide,
    "Encryption for backups and copies": a key of the customer's is shared with it)."""
    if not account_id:
        return []
    return [
        {
            "Sid": "ReadForCopies",
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{account_id}:root"},
            "Action": ["kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:ReEncryptFrom"],
            "Resource": "*",
            "Condition": {
                "StringEquals": {
                    "kms:ViaService": [
                        f"{service}.{region.name}.amazonaws.com" for service in ("backup", "rds")
                    ]
                }
            },
        }
    ]


def _used_for_events(region: Region, account_id: pulumi.Input[str]) -> list[dict[str, Any]]:
    """Lets EventBridge write to this environment's encrypted topics and queues.

    Scoped by what is encrypted, not by ``aws:SourceAccount``: that isn't supported for EventBridge
    and encrypted topics (SNS developer guide, "Enable compatibility between event sources from AWS
    services and encrypted topics"), and events and dead letters would vanish silently. Who may
    send is the topic's and the queue's policy.
    """

    def only(sid: str, context: str, service: str, kind: str) -> dict[str, Any]:
        arn = pulumi.Output.format(
            "arn:aws:{0}:{1}:{2}:{3}-*-{1}-{4}",
            service, region.name, account_id, kind, region.suffix,
        )  # fmt: skip
        return {
            "Sid": sid,
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
            "Resource": "*",
            "Condition": {"ArnLike": {f"kms:EncryptionContext:{context}": arn}},
        }

    return [
        only("UsedForEventsToTopics", "aws:sns:topicArn", "sns", "topic"),
        only("UsedForEventsToQueues", "aws:sqs:arn", "sqs", "queue"),
    ]
