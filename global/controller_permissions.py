"""What a recovery controller may do: what it asks, what it writes, and the one call."""

from dataclasses import dataclass

import pulumi

from tapstack.contracts import RegionalApp, RegionalData
from tapstack.events import event_bus_arn
from tapstack.naming import epoch_parameter, failover_switch_parameter
from tapstack.pair import Pair
from tapstack.policies import Statement, Text, allow, parameter_arn
from tapstack.regions import Region
from tapstack.well_known import METRIC_NAMESPACE

JOURNAL_PREFIX = "recovery/journal/"
"""Where the controller copies its journal to in the journal's bucket; a test compares."""


@dataclass(frozen=True)
class ControllerPermissionsArgs:
    """A controller's own region first in each pair."""

    regions: Pair[Region]
    account_id: Text
    data: Pair[RegionalData]
    app: RegionalApp
    journal_bucket: Text
    global_cluster_id: Text
    table_arn: Text
    topic_arns: Pair[Text]
    switch_region: Region


def cluster_arn(region: Region, account_id: Text, data: RegionalData) -> pulumi.Output[str]:
    """The ARN of a region's member of the global database."""
    return _rds(region, account_id, "cluster", data.cluster_identifier)


def controller_permissions(args: ControllerPermissionsArgs) -> list[Statement]:
    """Each statement scoped to this environment's own things."""
    return [*_questions(args), *_records(args), *_promotion(args)]


def own_metrics() -> Statement:
    """Metrics have no ARN; the namespace is what can be named."""
    metrics = allow("Metrics", ["cloudwatch:PutMetricData"], ["*"])
    return {**metrics, "Condition": {"StringEquals": {"cloudwatch:namespace": METRIC_NAMESPACE}}}


def _questions(args: ControllerPermissionsArgs) -> list[Statement]:
    return [
        # Without resource: RDS checks these for the whole account (recovery.md 1.8).
        allow("Clusters", ["rds:DescribeDBClusters", "rds:DescribeGlobalClusters"], ["*"]),
        allow("Probe", ["lambda:InvokeFunction"], [args.app.probe_function_arn]),
        allow(
            "ReadinessToken",
            ["secretsmanager:GetSecretValue"],
            [args.data.primary.readiness_token_secret_arn],
        ),
        allow(
            "Key",
            ["kms:Decrypt", "kms:GenerateDataKey"],
            [data.key_arn for data in args.data],
        ),
    ]


def _records(args: ControllerPermissionsArgs) -> list[Statement]:
    region = args.regions.primary
    journal = pulumi.Output.concat(
        "arn:aws:s3:::", args.journal_bucket, f"/{JOURNAL_PREFIX}{region.name}/*"
    )
    bus_arn = pulumi.Output.from_input(args.account_id).apply(
        lambda account: event_bus_arn(region.name, region.suffix, account)
    )
    return [
        allow(
            "State", ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"], [args.table_arn]
        ),
        allow("Journal", ["s3:PutObject"], [journal]),
        # Over the other region where the own topic is lost.
        allow("Notices", ["sns:Publish"], list(args.topic_arns)),
        allow("Events", ["events:PutEvents"], [bus_arn]),
        own_metrics(),
    ]


def _promotion(args: ControllerPermissionsArgs) -> list[Statement]:
    own, peer = args.regions
    account, peer_data = args.account_id, args.data.secondary
    switch = failover_switch_parameter(args.switch_region.name, own.suffix)
    parameters = [
        parameter_arn(args.switch_region.name, account, switch),
        *(
            parameter_arn(region.name, account, epoch_parameter(region.name, region.suffix))
            for region in args.regions
        ),
    ]
    saved = _rds(peer, account, "cluster-snapshot", "rds:unplanned-global-failover-*")
    copied = _rds(peer, account, "cluster-snapshot", "lost-tail-*")
    grant = allow("GrantSnapshotKey", ["kms:CreateGrant"], [peer_data.key_arn])
    return [
        # On the global cluster and on both members (recovery.md 1.8).
        allow(
            "Promote",
            ["rds:FailoverGlobalCluster"],
            [
                pulumi.Output.concat(
                    "arn:aws:rds::", account, ":global-cluster:", args.global_cluster_id
                ),
                *(
                    cluster_arn(region, account, data)
                    for region, data in args.regions.zip(args.data)
                ),
            ],
        ),
        allow("SwitchAndEpoch", ["ssm:GetParameter", "ssm:PutParameter"], parameters),
        allow(
            "FindLostTail",
            ["rds:DescribeDBClusterSnapshots"],
            [
                cluster_arn(peer, account, peer_data),
                _rds(peer, account, "cluster-snapshot", "*"),
            ],
        ),
        allow(
            "KeepLostTail",
            ["rds:CopyDBClusterSnapshot", "rds:AddTagsToResource"],
            [saved, copied],
        ),
        # The copy stays under the key of the old volume.
        allow("FindSnapshotKey", ["kms:DescribeKey"], [peer_data.key_arn]),
        {**grant, "Condition": {"Bool": {"kms:GrantIsForAWSResource": "true"}}},
    ]


def _rds(region: Region, account_id: Text, kind: str, name: Text) -> pulumi.Output[str]:
    return pulumi.Output.concat("arn:aws:rds:", region.name, ":", account_id, f":{kind}:", name)
