"""What a validator may do: questions to both regions, its markers, and its own items."""

from dataclasses import dataclass

import pulumi

from controller_permissions import own_metrics
from tapstack.contracts import RegionalApp, RegionalData
from tapstack.events import event_bus_arn
from tapstack.naming import shared_parameters_path
from tapstack.pair import Pair
from tapstack.policies import Statement, Text, allow, parameter_arn
from tapstack.regions import Region

MARKER_PREFIX = "recovery/markers/"
"""Where marker objects are, by the region that they go to; a test compares."""
READ_ITEMS = ["state", "validation", "marker"]
WRITTEN_ITEMS = ["validation", "marker"]


@dataclass(frozen=True)
class ValidatorPermissionsArgs:
    """A validator's own region first in each pair."""

    regions: Pair[Region]
    account_id: Text
    data: Pair[RegionalData]
    app: RegionalApp
    table_arn: Text
    topic_arn: Text
    controller_role_arn: Text
    marker_queue_arn: Text
    vault: str


def validator_permissions(args: ValidatorPermissionsArgs) -> list[Statement]:
    """Each statement scoped to this environment's own things, where the API can be."""
    return [*_questions(args), *_equal_things(args), *_markers(args), *_items(args)]


def _questions(args: ValidatorPermissionsArgs) -> list[Statement]:
    region, account = args.regions.primary, args.account_id
    vault = pulumi.Output.concat(
        f"arn:aws:backup:{region.name}:", account, f":backup-vault:{args.vault}"
    )
    instances = [
        pulumi.Output.concat(f"arn:aws:rds:{own.name}:", account, ":db:*") for own in args.regions
    ]
    return [
        # Without resource: RDS checks these for the whole account (recovery.md 1.8).
        allow("Clusters", ["rds:DescribeDBClusters", "rds:DescribeGlobalClusters"], ["*"]),
        allow("Instances", ["rds:DescribeDBInstances"], instances),
        allow("Probe", ["lambda:InvokeFunction"], [args.app.probe_function_arn]),
        # The account's own settings have no ARN; composite alarms are described for all alone
        # (CloudWatch API reference, DescribeAlarms).
        allow("Quotas", ["lambda:GetAccountSettings"], ["*"]),
        allow("Alarms", ["cloudwatch:DescribeAlarms"], ["*"]),
        allow("Permissions", ["iam:SimulatePrincipalPolicy"], [args.controller_role_arn]),
        allow("Subscriptions", ["sns:ListSubscriptionsByTopic"], [args.topic_arn]),
        allow("Backups", ["backup:ListRecoveryPointsByBackupVault"], [vault]),
    ]


def _equal_things(args: ValidatorPermissionsArgs) -> list[Statement]:
    """Secrets and synchronised parameters of both regions."""
    secrets = [
        arn
        for data in args.data
        for arn in (data.readiness_token_secret_arn, data.application_secret_arn)
    ]
    parameters = [
        parameter_arn(
            region.name,
            args.account_id,
            f"{shared_parameters_path(region.name, region.suffix)}{below}",
        )
        for region in args.regions
        for below in ("", "/*")
    ]
    return [
        allow("Secrets", ["secretsmanager:GetSecretValue"], secrets),
        allow("Parameters", ["ssm:GetParametersByPath"], parameters),
        allow(
            "Keys",
            ["kms:Decrypt", "kms:GenerateDataKey"],
            [data.key_arn for data in args.data],
        ),
    ]


def _markers(args: ValidatorPermissionsArgs) -> list[Statement]:
    """Sent from the other region, received in the own one."""
    own, peer = args.regions
    name = f"{MARKER_PREFIX}{own.name}"
    peer_bus = pulumi.Output.from_input(args.account_id).apply(
        lambda account: event_bus_arn(peer.name, peer.suffix, account)
    )
    # Without it S3 answers that a missing object is forbidden.
    listing = allow("MissingMarker", ["s3:ListBucket"], [args.data.primary.bucket_arn])
    return [
        allow(
            "SendObject",
            ["s3:PutObject"],
            [pulumi.Output.concat(args.data.secondary.bucket_arn, f"/{name}")],
        ),
        allow(
            "ReceiveObject",
            ["s3:GetObject"],
            [pulumi.Output.concat(args.data.primary.bucket_arn, f"/{name}")],
        ),
        {**listing, "Condition": {"StringEquals": {"s3:prefix": name}}},
        allow("SendEvent", ["events:PutEvents"], [peer_bus]),
        allow("ReceiveEvent", ["sqs:ReceiveMessage", "sqs:DeleteMessage"], [args.marker_queue_arn]),
    ]


def _items(args: ValidatorPermissionsArgs) -> list[Statement]:
    """The controller's state is read; only validations and markers are written."""

    def only(statement: Statement, kinds: list[str]) -> Statement:
        keys = {"dynamodb:LeadingKeys": kinds}
        return {**statement, "Condition": {"ForAllValues:StringEquals": keys}}

    return [
        only(allow("Read", ["dynamodb:GetItem", "dynamodb:Query"], [args.table_arn]), READ_ITEMS),
        only(
            allow("Keep", ["dynamodb:PutItem", "dynamodb:DeleteItem"], [args.table_arn]),
            WRITTEN_ITEMS,
        ),
        own_metrics(),
    ]
