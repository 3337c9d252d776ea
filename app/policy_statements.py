"""What the functions may do, statement by statement, each scoped to ARNs.

Two statements can't be: they carry the reason. Actions and their resource types come from the
Service Authorization Reference.
"""

from collections.abc import Sequence

import pulumi

from tapstack.naming import epoch_parameter
from tapstack.policies import Statement, Text, allow, parameter_arn
from tapstack.regions import Region

NETWORK_INTERFACE_ACTIONS = (
    "ec2:CreateNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:DeleteNetworkInterface",
    "ec2:AssignPrivateIpAddresses",
    "ec2:UnassignPrivateIpAddresses",
)
"""What AWS Lambda needs of the role to attach a function to a VPC ("Giving Lambda functions access
to resources in an Amazon VPC", Required IAM permissions)."""

RECEIVE_ACTIONS = ("sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage")
"""What an event source mapping does with the function's role (Lambda developer guide, "Using
Lambda with Amazon SQS", Execution role permissions)."""


def network_interfaces(function_arn: Text) -> list[Statement]:
    """Network interfaces in the VPC: for AWS Lambda itself, not for the function's code.

    Resource ``*``: Lambda checks these before any interface exists, Describe calls know no
    resource, and a denied DeleteNetworkInterface leaves interfaces behind (trap 19). The Deny
    takes them back from the code (``lambda:SourceFunctionArn`` is set on calls made by the code
    only, as the same AWS page advises).
    """
    return [
        allow("NetworkInterfacesByLambda", NETWORK_INTERFACE_ACTIONS, ["*"]),
        {
            "Sid": "NoNetworkInterfacesByTheCode",
            "Effect": "Deny",
            "Action": list(NETWORK_INTERFACE_ACTIONS),
            "Resource": ["*"],
            "Condition": {"ArnEquals": {"lambda:SourceFunctionArn": [function_arn]}},
        },
    ]


def of_each_function(log_group_arn: Text, key_arn: Text) -> list[Statement]:
    """What every function here does: traces, its own logs, and its region's key."""
    return [tracing(), logs(log_group_arn), key(key_arn)]


def tracing() -> Statement:
    """Traces to X-Ray. Resource ``*``: these actions support no resource-level permission."""
    return allow("Traces", ["xray:PutTraceSegments", "xray:PutTelemetryRecords"], ["*"])


def logs(log_group_arn: Text) -> Statement:
    """Log streams in the function's own group, which the deployment makes."""
    streams = pulumi.Output.concat(log_group_arn, ":*")
    return allow("Logs", ["logs:CreateLogStream", "logs:PutLogEvents"], [streams])


def key(key_arn: Text) -> Statement:
    """The region's key: environment, secrets, objects and queues are encrypted under it."""
    return allow("Key", ["kms:Decrypt", "kms:GenerateDataKey"], [key_arn])


def read_epochs(regions: Sequence[Region], account_id: Text) -> Statement:
    """The newest epoch that each region knows: what the writer's is compared with (H26)."""
    return allow(
        "Epochs",
        ["ssm:GetParameter"],
        [
            parameter_arn(region.name, account_id, epoch_parameter(region.name, region.suffix))
            for region in regions
        ],
    )


def read_secret(sid: str, secret_arn: Text) -> Statement:
    """One secret's value."""
    return allow(sid, ["secretsmanager:GetSecretValue"], [secret_arn])
