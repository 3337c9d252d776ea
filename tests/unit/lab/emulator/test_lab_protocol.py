"""AWS's protocols read and written: what boto3 sends is read back, what is written boto3 reads."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from botocore.awsrequest import create_request_object, prepare_request_dict
from botocore.serialize import create_serializer

from lab.call import Answer, Call
from lab.emulator.protocol.answers import read_answer, read_error, write_answer, write_error
from lab.emulator.protocol.operations import Operation, read_operation, service_model
from lab.emulator.protocol.requests import read_parameters

TIME = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
REPLICATION = {
    "Role": "arn:aws:iam::1:role/r",
    "Rules": [
        {
            "ID": "all",
            "Priority": 1,
            "Status": "Enabled",
            "Filter": {"And": {"Prefix": "a/", "Tags": [{"Key": "k", "Value": "v"}]}},
            "DeleteMarkerReplication": {"Status": "Disabled"},
            "Destination": {"Bucket": "arn:aws:s3:::b", "Metrics": {"Status": "Enabled"}},
        }
    ],
}

REQUESTS: list[tuple[str, str, dict[str, Any]]] = [
    (
        "ec2",
        "CreateFlowLogs",
        {
            "ResourceIds": ["vpc-1", "vpc-2"],
            "ResourceType": "VPC",
            "MaxAggregationInterval": 60,
            "TagSpecifications": [
                {"ResourceType": "vpc-flow-log", "Tags": [{"Key": "a&b", "Value": "<c>"}]}
            ],
        },
    ),
    ("ec2", "DescribeVpcEndpoints", {"Filters": [{"Name": "tag:a", "Values": ["1", "2"]}]}),
    (
        "rds",
        "CreateDBCluster",
        {
            "DBClusterIdentifier": "c",
            "Engine": "aurora-postgresql",
            "StorageEncrypted": True,
            "VpcSecurityGroupIds": ["sg-1"],
            "EnableCloudwatchLogsExports": ["postgresql"],
            "ServerlessV2ScalingConfiguration": {"MinCapacity": 0.5, "MaxCapacity": 8.0},
            "Tags": [{"Key": "a", "Value": "b"}],
        },
    ),
    (
        "elbv2",
        "CreateRule",
        {
            "ListenerArn": "arn",
            "Priority": 5,
            "Conditions": [{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/a*"]}}],
            "Actions": [
                {
                    "Type": "forward",
                    "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": "tg", "Weight": 1}]},
                }
            ],
        },
    ),
    (
        "sns",
        "CreateTopic",
        {"Name": "t", "Attributes": {"KmsMasterKeyId": "k"}, "Tags": [{"Key": "a", "Value": "b"}]},
    ),
    ("s3", "PutBucketReplication", {"Bucket": "b", "ReplicationConfiguration": REPLICATION}),
    (
        "s3",
        "PutObject",
        {"Bucket": "b", "Key": "a/b c", "Body": b"x", "Metadata": {"m": "1"}, "ContentLength": 1},
    ),
    ("s3", "GetBucketLifecycleConfiguration", {"Bucket": "b"}),
    (
        "route53",
        "UpdateHealthCheck",
        {"HealthCheckId": "h", "Inverted": True, "ChildHealthChecks": ["1", "2"]},
    ),
    ("lambda", "Invoke", {"FunctionName": "f", "InvocationType": "Event", "Payload": b"{}"}),
    ("events", "PutTargets", {"Rule": "r", "Targets": [{"Id": "1", "Arn": "a"}]}),
    (
        "cloudwatch",
        "PutMetricAlarm",
        {
            "AlarmName": "a",
            "EvaluationPeriods": 1,
            "ComparisonOperator": "GreaterThanThreshold",
            "Metrics": [{"Id": "e", "Expression": "m*2"}],
        },
    ),
    (
        "secretsmanager",
        "RemoveRegionsFromReplication",
        {"SecretId": "s", "RemoveReplicaRegions": ["us-west-2"]},
    ),
    ("backup", "PutBackupVaultAccessPolicy", {"BackupVaultName": "v", "Policy": "{}"}),
    ("backup", "GetSupportedResourceTypes", {}),
    ("ec2", "ImportKeyPair", {"KeyName": "k", "PublicKeyMaterial": b"ssh"}),
    (
        "ec2",
        "RequestSpotFleet",
        {
            "SpotFleetRequestConfig": {
                "IamFleetRole": "r",
                "TargetCapacity": 1,
                "ValidUntil": TIME,
                "LaunchSpecifications": [
                    {"NetworkInterfaces": [{"PrivateIpAddresses": [{"PrivateIpAddress": "a"}]}]}
                ],
            }
        },
    ),
    (
        "sns",
        "Publish",
        {
            "Message": "m",
            "MessageAttributes": {"a": {"DataType": "Binary", "BinaryValue": b"\x00"}},
        },
    ),
    ("events", "PutEvents", {"Entries": [{"Time": TIME, "Detail": "{}"}]}),
    ("kms", "Decrypt", {"CiphertextBlob": b"\x00"}),
    ("s3", "PutBucketPolicy", {"Bucket": "b", "Policy": "{}"}),
    ("s3", "CreateBucket", {"Bucket": "b"}),
    ("s3", "ListObjectVersions", {"Bucket": "b", "MaxKeys": 7, "Prefix": "a/"}),
    (
        "s3",
        "GetObjectAttributes",
        {"Bucket": "b", "Key": "k", "ObjectAttributes": ["ETag", "ObjectSize"]},
    ),
    (
        "s3",
        "PutBucketAcl",
        {
            "Bucket": "b",
            "AccessControlPolicy": {
                "Grants": [{"Grantee": {"ID": "1", "Type": "CanonicalUser"}, "Permission": "READ"}]
            },
        },
    ),
]


def sent(service: str, name: str, parameters: dict[str, Any]) -> Call:
    """The request as boto3 sends it."""
    model = service_model(service)
    serialized = create_serializer(model.resolved_protocol).serialize_to_request(
        parameters, model.operation_model(name)
    )
    prepare_request_dict(serialized, "http://127.0.0.1:1")
    request = create_request_object(serialized).prepare()
    address = urlsplit(str(request.url))
    body: Any = request.body or b""
    body = body.read() if hasattr(body, "read") else body
    headers = [
        (key.lower(), value.decode() if isinstance(value, bytes) else str(value))
        for key, value in request.headers.items()
    ]
    return Call(
        str(request.method),
        unquote(address.path),
        address.path,
        address.query,
        headers,
        body.encode() if isinstance(body, str) else body,
    )


@pytest.mark.parametrize(("service", "name", "parameters"), REQUESTS)
def test_what_boto3_sends_is_read_as_it_was_given(
    service: str, name: str, parameters: dict[str, Any]
) -> None:
    """N1: hooks see every operation by AWS's names, in each of the five dialects."""
    call = sent(service, name, parameters)
    operation = read_operation(service, call)
    assert operation is not None
    assert operation.name == name
    assert read_parameters(operation, call) == parameters


RESULTS: list[tuple[str, str, dict[str, Any]]] = [
    (
        "ec2",
        "DescribeNatGateways",
        {
            "NatGateways": [
                {
                    "NatGatewayId": "nat-1",
                    "CreateTime": TIME,
                    "NatGatewayAddresses": [{"AllocationId": "a", "IsPrimary": True}],
                    "Tags": [{"Key": "a", "Value": "<&>"}],
                }
            ]
        },
    ),
    (
        "rds",
        "DescribeGlobalClusters",
        {
            "GlobalClusters": [
                {
                    "GlobalClusterIdentifier": "g",
                    "DeletionProtection": False,
                    "GlobalClusterMembers": [
                        {"DBClusterArn": "c", "Readers": ["r"], "IsWriter": True}
                    ],
                }
            ]
        },
    ),
    ("sns", "GetTopicAttributes", {"Attributes": {"Policy": "{}", "Owner": "1"}}),
    ("s3", "GetBucketReplication", {"ReplicationConfiguration": REPLICATION}),
    (
        "route53",
        "GetHealthCheckStatus",
        {
            "HealthCheckObservations": [
                {"Region": "us-east-1", "StatusReport": {"Status": "Success", "CheckedTime": TIME}}
            ]
        },
    ),
    (
        "lambda",
        "GetFunctionConfiguration",
        {"FunctionName": "f", "Timeout": 3, "VpcConfig": {"VpcId": "vpc-1"}},
    ),
    ("logs", "DescribeResourcePolicies", {"resourcePolicies": [{"policyName": "p"}]}),
    ("kms", "DescribeKey", {"KeyMetadata": {"KeyId": "k", "CreationDate": TIME}}),
    ("kms", "Decrypt", {"KeyId": "k", "Plaintext": b"\x00"}),
    ("rds", "AddTagsToResource", {}),
    ("iam", "GetAccountSummary", {"SummaryMap": {"Users": 1}}),
    (
        "iam",
        "CreateVirtualMFADevice",
        {"VirtualMFADevice": {"SerialNumber": "1", "QRCodePNG": b"\x00"}},
    ),
    ("s3", "DeleteBucket", {}),
    (
        "s3",
        "HeadObject",
        {
            "LastModified": TIME,
            "Metadata": {"m": "1"},
            "ContentLength": 0,
            "ContentType": "image/png",
        },
    ),
    ("s3", "GetBucketPolicy", {"Policy": "{}"}),
    ("s3", "ListObjectVersions", {"Versions": [{"Key": "a"}, {"Key": "b"}], "IsTruncated": False}),
    (
        "s3",
        "GetBucketAcl",
        {"Grants": [{"Grantee": {"ID": "1", "Type": "CanonicalUser"}, "Permission": "READ"}]},
    ),
    ("lambda", "DeleteFunction", {"StatusCode": 204}),
]


@pytest.mark.parametrize(("service", "name", "result"), RESULTS)
def test_what_is_written_boto3_reads(service: str, name: str, result: dict[str, Any]) -> None:
    """N1: a mended answer reaches a client as AWS's would."""
    model = service_model(service)
    operation = Operation(model.operation_model(name), str(model.resolved_protocol))
    answer = write_answer(operation, result)
    assert read_answer(operation, answer) == result


@pytest.mark.parametrize("service", ["ec2", "rds", "s3", "route53", "lambda", "events"])
def test_refusals_carry_code_message_and_status(service: str) -> None:
    """N1: a refusal of AWS reaches the client with its code, in each dialect."""
    model = service_model(service)
    names: Any = model.operation_names
    name = names[0]
    operation = Operation(model.operation_model(name), str(model.resolved_protocol))
    answer = write_error(operation, "DependencyViolation", "it's <used>", 409)
    assert answer.status == 409
    assert read_error(operation, answer) == ("DependencyViolation", "it's <used>")


def test_an_unknown_action_has_no_operation() -> None:
    """The emulator answers what the models don't know."""
    call = Call("POST", "/", "/", "", [], b"Action=MakeCoffee&Version=1")
    assert read_operation("rds", call) is None


@pytest.mark.parametrize(
    ("service", "call", "parameters"),
    [
        (
            "rds",
            "Action=CreateDBCluster&Tags=&ServerlessV2ScalingConfiguration=&Engine.x=1"
            "&VpcSecurityGroupIds.x=1&VpcSecurityGroupIds=2&DBClusterIdentifier=c",
            {
                "Tags": [],
                "ServerlessV2ScalingConfiguration": {},
                "Engine": {"x": "1"},
                "VpcSecurityGroupIds": [],
                "DBClusterIdentifier": "c",
            },
        ),
        ("rds", "Action=AddTagsToResource&Tags.Tag=&Tags=x", {"Tags": []}),
        (
            "rds",
            "Action=AddTagsToResource&ResourceName=a&ResourceName.x=1",
            {"ResourceName": {"x": "1"}},
        ),
        ("events", '{"Rule": null, "Targets": [null]}', {"Targets": [None]}),
        ("lambda", '["no", "object"]', {"FunctionName": "f"}),
    ],
    ids=["empty", "no-list", "twice", "nothing", "no-object"],
)
def test_what_makes_no_sense_is_read_as_far_as_it_does(
    service: str, call: str, parameters: dict[str, Any]
) -> None:
    """The front never breaks on a malformed request: the emulator refuses it."""
    path = "/2015-03-31/functions/f/aliases" if service == "lambda" else "/"
    target = [("x-amz-target", "AWSEvents.PutTargets")] if service == "events" else []
    request = Call("POST", path, path, "", target, call.encode())
    operation = read_operation(service, request)
    assert operation is not None
    assert read_parameters(operation, request) == parameters


def test_no_operation_is_at_an_address_of_nobodys() -> None:
    """The emulator answers."""
    assert read_operation("lambda", Call("GET", "/no", "/no", "", [], b"")) is None


def test_what_a_hook_gives_is_written_whatever_its_form() -> None:
    """A body to be read, text for bytes, a time as text."""
    for service, name, given, read in (
        ("s3", "GetBucketPolicy", {"Policy": io.BytesIO(b"{}")}, {"Policy": "{}"}),
        ("kms", "Decrypt", {"Plaintext": io.BytesIO(b"x")}, {"Plaintext": b"x"}),
        ("kms", "Decrypt", {"Plaintext": "x"}, {"Plaintext": b"x"}),
        (
            "kms",
            "DescribeKey",
            {"KeyMetadata": {"KeyId": "k", "CreationDate": TIME.isoformat()}},
            {"KeyMetadata": {"KeyId": "k", "CreationDate": TIME}},
        ),
    ):
        model = service_model(service)
        operation = Operation(model.operation_model(name), str(model.resolved_protocol))
        assert read_answer(operation, write_answer(operation, given)) == read


def test_a_changed_body_has_its_own_length() -> None:
    """A hook may change what the emulator gets."""
    call = Call("POST", "/", "/", "", [("content-length", "2"), ("host", "h")], b"{}")
    changed = call.with_body(json.dumps({"a": 1}).encode())
    assert changed.headers["content-length"] == str(len(changed.body))
    assert Answer(200, [], b"").body == b""
