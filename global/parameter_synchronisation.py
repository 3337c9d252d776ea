"""One region's parameter synchronisation: by each change's event, and in full every five minutes.

Parameter Store's events are best effort (trap 28), so the full run is what is relied on.
"""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from controller_permissions import cluster_arn, own_metrics
from recovery_function import RecoveryFunction, RecoveryFunctionArgs, Surroundings
from tapstack.contracts import RegionalData
from tapstack.naming import shared_parameters_path
from tapstack.pair import Pair
from tapstack.policies import Statement, allow, parameter_arn
from tapstack.regions import Region
from tapstack.well_known import SYNCHRONISE

HANDLER = "recovery.synchronise.handler"
TIMEOUT_SECONDS = 120
"""A thousand changed parameters at Parameter Store's standard throughput."""


@dataclass(frozen=True)
class ParameterSynchronisationArgs:
    """The own region's data first."""

    within: Surroundings
    peer: Region
    data: Pair[RegionalData]
    global_cluster_id: pulumi.Input[str]
    table: aws.dynamodb.Table


class ParameterSynchronisation(pulumi.ComponentResource):
    """Acts where the writer is; in the other region it only measures."""

    def __init__(
        self,
        name: str,
        args: ParameterSynchronisationArgs,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("warmstandby:global:ParameterSynchronisation", name, None, opts)
        here = pulumi.ResourceOptions(parent=self)
        region, peer = args.within.region, args.peer
        data, peer_data = args.data
        path = shared_parameters_path(region.name, region.suffix)
        function = RecoveryFunction(
            name,
            RecoveryFunctionArgs(
                within=args.within,
                purpose=SYNCHRONISE,
                description="Carries shared parameters from the writer's region to the other one",
                handler=HANDLER,
                timeout_seconds=TIMEOUT_SECONDS,
                environment={
                    "PEER_REGION": peer.name,
                    "ENVIRONMENT_SUFFIX": region.suffix,
                    "RECOVERY_TABLE": args.table.name,
                    "GLOBAL_CLUSTER": args.global_cluster_id,
                    "CLUSTER": data.cluster_identifier,
                    "CLUSTER_ARN": cluster_arn(region, args.within.account_id, data),
                    "PEER_CLUSTER": peer_data.cluster_identifier,
                    "SHARED_PATH": path,
                    "PEER_SHARED_PATH": shared_parameters_path(peer.name, peer.suffix),
                },
                statements=_statements(args),
                schedule="rate(5 minutes)",
            ),
            here,
        )
        function.started_by(
            f"parameter-changes-{region.name}",
            aws.cloudwatch.EventRule(
                f"parameter-changes-{region.name}",
                name=region.physical_name("rule", "parameter-changes"),
                description="Changes of shared parameters, for their synchronisation",
                event_pattern=pulumi.Output.json_dumps(changes_below(path)),
                opts=here,
            ),
        )
        self.register_outputs({})


def changes_below(path: str) -> dict[str, object]:
    """The pattern of Parameter Store's events about the parameters below a path."""
    return {
        "source": ["aws.ssm"],
        "detail-type": ["Parameter Store Change"],
        "detail": {"name": [{"prefix": f"{path}/"}], "operation": ["Create", "Update", "Delete"]},
    }


def _statements(args: ParameterSynchronisationArgs) -> list[Statement]:
    regions = (args.within.region, args.peer)

    def shared(region: Region, below: str) -> pulumi.Output[str]:
        path = shared_parameters_path(region.name, region.suffix)
        return parameter_arn(region.name, args.within.account_id, f"{path}{below}")

    state = allow("Seen", ["dynamodb:GetItem", "dynamodb:PutItem"], [args.table.arn])
    keys = {"dynamodb:LeadingKeys": ["synchronised"]}
    return [
        # Without resource: RDS checks these for the whole account (recovery.md 1.8).
        allow("Clusters", ["rds:DescribeDBClusters", "rds:DescribeGlobalClusters"], ["*"]),
        allow(
            "Read",
            ["ssm:GetParametersByPath", "ssm:GetParameters"],
            [shared(region, below) for region in regions for below in ("", "/*")],
        ),
        allow("Carry", ["ssm:PutParameter", "ssm:DeleteParameter"], [shared(args.peer, "/*")]),
        {**state, "Condition": {"ForAllValues:StringEquals": keys}},
        allow("Key", ["kms:Decrypt"], [args.data.primary.key_arn]),
        own_metrics(),
    ]
