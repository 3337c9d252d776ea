"""AWS refuses or answers oddly: what is forgiven, what is reported, what is never called."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, ClassVar

import grpc
import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError
from provider_client import FailedCallError, ProviderClient, Resource
from scripted_aws import Scripted

from lab.provider import aws as aws_module
from lab.provider import lifecycle
from lab.provider.aws import ENDPOINT_VARIABLE, Aws
from lab.provider.declaration import op
from lab.provider.lifecycle import UnfinishedError
from lab.provider.registry import resource_type
from lab.provider.resource import ResourceType

BUCKET = "aws:s3/bucket:Bucket"
CLUSTER = "aws:rds/cluster:Cluster"
FUNCTION = "aws:lambda/function:Function"
GATEWAY = "aws:ec2/internetGateway:InternetGateway"
HEALTH_CHECK = "aws:route53/healthCheck:HealthCheck"
KEY = "aws:kms/key:Key"
QUEUE = "aws:sqs/queue:Queue"
RECORD = "aws:route53/record:Record"
SUBSCRIPTION = "aws:sns/topicSubscription:TopicSubscription"
VERSION = "aws:secretsmanager/secretVersion:SecretVersion"


RECORD_PROPS = {"zoneId": "Z", "name": "a", "type": "A", "ttl": 60, "records": ["192.0.2.1"]}
RECORD_SET = {"Name": "a.b.org.", "Type": "A", "TTL": 60}
RECORD_PAGES = {"list_resource_record_sets": [{"ResourceRecordSets": [RECORD_SET]}]}
ZONE = {"GetHostedZone": {"HostedZone": {"Name": "b.org."}}}
CLUSTER_PROPS = {
    "globalClusterIdentifier": "g",
    "skipFinalSnapshot": True,
    "arn": "arn:aws:rds:us-east-1:0:cluster:c",
}
CLUSTER_ANSWER = {"DescribeDBClusters": {"DBClusters": [{"Status": "available"}]}}


@pytest.mark.parametrize(
    ("token", "operation", "refusal"),
    [
        (VERSION, "GetSecretValue", "ResourceNotFoundException"),
        (VERSION, "GetSecretValue", "InvalidRequestException: marked for deletion"),
        (QUEUE, "GetQueueUrl", "QueueDoesNotExist"),
        (BUCKET, "HeadBucket", "404"),
        (RECORD, "GetHostedZone", "NoSuchHostedZone"),
        ("aws:ssm/parameter:Parameter", "GetParameter", "ParameterNotFound"),
    ],
)
def test_what_is_not_there_is_absent_and_other_refusals_are_reported(
    token: str, operation: str, refusal: str
) -> None:
    """R9.3, N7: only AWS's own word for "no such thing" makes a resource absent: with a refusal
    for another reason (no permission, throttled) it would be made twice."""
    kind = resource_type(token)
    inputs = {**RECORD_PROPS, "secretId": "s", "secretString": "x", "bucket": "b"}
    assert kind.look_up(Scripted({operation: refusal}), inputs) is None
    with pytest.raises(ClientError, match="AccessDenied"):
        kind.look_up(Scripted({operation: "AccessDenied"}), inputs)


@pytest.mark.parametrize(
    ("token", "props", "aws", "operation", "forgiven"),
    [
        (
            GATEWAY,
            {},
            Scripted({"DescribeInternetGateways": {
                "InternetGateways": [{"Attachments": [{"VpcId": "vpc-1"}]}]}}),
            "DetachInternetGateway",
            "Gateway.NotAttached: it is detached",
        ),
        (RECORD, RECORD_PROPS, Scripted(ZONE, RECORD_PAGES), "ChangeResourceRecordSets",
         "InvalidChangeBatch: it was submitted to delete, but it was not found"),
        (SUBSCRIPTION, {}, Scripted({"GetSubscriptionAttributes": {"Attributes": {"A": "b"}}}),
         "Unsubscribe", "InvalidParameter: SubscriptionArn is pending confirmation"),
        (CLUSTER, CLUSTER_PROPS, Scripted(CLUSTER_ANSWER), "RemoveFromGlobalCluster",
         "GlobalClusterNotFoundFault"),
    ],
)  # fmt: skip
def test_a_deletion_forgives_only_what_is_gone_already(
    token: str, props: dict[str, Any], aws: Scripted, operation: str, forgiven: str
) -> None:
    """R9.3, traps 1 and 28b: a half-finished destroy can be repeated; a refusal stays one."""
    kind = resource_type(token)
    kind.delete(Scripted({**aws.answers, operation: forgiven}, aws.pages), "x", props)
    with pytest.raises(ClientError, match="AccessDenied"):
        kind.delete(Scripted({**aws.answers, operation: "AccessDenied"}, aws.pages), "x", props)


def test_keys_and_tags_that_may_not_be_read_are_reported_or_passed_by() -> None:
    """N7: a key of AWS's own, whose tags no one may read, is not ours; any other refusal and a
    bucket's unread tags are reported."""
    pages = {"list_keys": [{"Keys": [{"KeyId": "1"}]}]}
    key = resource_type(KEY)
    wanted = {"tagsAll": {"Name": "data"}}
    refused = Scripted({"ListResourceTags": "AccessDeniedException"}, pages)
    assert key.look_up(refused, wanted) is None
    with pytest.raises(ClientError, match="ThrottlingException"):
        key.look_up(Scripted({"ListResourceTags": "ThrottlingException"}, pages), wanted)
    bucket = resource_type(BUCKET)
    with pytest.raises(ClientError, match="AccessDenied"):
        bucket.current_tags(Scripted({"GetBucketTagging": "AccessDenied"}), "b", {}, {})


@pytest.mark.parametrize(
    ("token", "props", "answers", "why"),
    [
        ("aws:ec2/flowLog:FlowLog", {"vpcId": "v"},
         {"CreateFlowLogs": {"Unsuccessful": [{"Error": {"Code": "InvalidParameter"}}]}},
         "CreateFlowLogs: .*InvalidParameter"),
        ("aws:cloudwatch/eventTarget:EventTarget", {"rule": "r", "targetId": "t", "arn": "a"},
         {"PutTargets": {"FailedEntries": [{"ErrorCode": "Limit", "ErrorMessage": "too many"}]}},
         "PutTargets: Limit: too many"),
        ("aws:ec2/defaultSecurityGroup:DefaultSecurityGroup", {"vpcId": "vpc-1"},
         {"DescribeSecurityGroups": {"SecurityGroups": []}},
         "VPC vpc-1 has no default security group"),
        ("aws:ec2/vpc:Vpc", {"cidrBlock": "10.0.0.0/16"}, {"CreateVpc": {"Vpc": {}}},
         "AWS's answer has no Vpc.VpcId"),
        ("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
         {"securityGroupId": "sg", "ipProtocol": "-1"},
         {"DescribeSecurityGroupRules": {"SecurityGroupRules": []}}, "names no rule"),
    ],
    ids=lambda value: value if isinstance(value, str) and value.startswith("aws:") else "",
)  # fmt: skip
def test_a_failure_inside_an_answer_of_success_is_a_failure(
    token: str, props: dict[str, Any], answers: dict[str, Any], why: str
) -> None:
    """R9.3: AWS answers some failures with HTTP 200; nothing may be recorded as made."""
    with pytest.raises(RuntimeError, match=why):
        resource_type(token).create(Scripted(answers), props)


@pytest.mark.parametrize(
    ("token", "answers", "why"),
    [
        (FUNCTION, {"GetFunction": {"Configuration": {
            "State": "Failed", "StateReason": "no such subnet"}}}, "x failed: no such subnet"),
        (FUNCTION, {"GetFunction": {"Configuration": {
            "State": "Active", "LastUpdateStatus": "Failed",
            "LastUpdateStatusReason": "no more addresses"}}}, "x failed: no more addresses"),
        ("aws:lb/loadBalancer:LoadBalancer", {"DescribeLoadBalancers": {
            "LoadBalancers": [{"State": {"Code": "failed"}}]},
            "DescribeLoadBalancerAttributes": {"Attributes": []}}, "x is failed"),
        (FUNCTION, {"GetFunction": "ResourceNotFoundException"}, "gone right after it was written"),
    ],
)  # fmt: skip
def test_waiting_ends_when_aws_has_given_up(token: str, answers: dict[str, Any], why: str) -> None:
    """R9.3: a resource in a failed state never becomes ready; its reason is reported at once."""
    with pytest.raises(RuntimeError, match=why):
        resource_type(token).finish(Scripted(answers), "x", {})


def test_a_function_that_fails_fails_its_invocation() -> None:
    """R2.2: a migration that raises ends the deployment with what the function answered."""
    body = SimpleNamespace(read=lambda: b'{"errorMessage": "no table"}')
    aws = Scripted({"Invoke": {"FunctionError": "Unhandled", "Payload": body}})
    kind = resource_type("aws:lambda/invocation:Invocation")
    with pytest.raises(RuntimeError, match=r"function f answered Unhandled: .*no table"):
        lifecycle.create(kind, aws, {"functionName": "f", "input": "{}"})
    assert kind.look_up(aws, {"functionName": "f", "input": "{}"}) is None
    assert all(kind.replaces(key) for key in ("functionName", "input", "triggers"))


def test_an_unfinished_resource_that_can_t_be_read_is_still_handed_over() -> None:
    """N7: what exists is recorded with its id, even when AWS stops answering right after."""
    aws = Scripted({
        "CreateLogGroup": {},
        "DescribeLogGroups": "ThrottlingException: slower",
        "GetCallerIdentity": {"Account": "0"},
    })  # fmt: skip
    kind = resource_type("aws:cloudwatch/logGroup:LogGroup")
    inputs = {"name": "/a"}
    with pytest.raises(UnfinishedError, match="ThrottlingException") as made:
        lifecycle.create(kind, aws, inputs)
    with pytest.raises(UnfinishedError, match="ThrottlingException") as changed:
        lifecycle.update(kind, aws, "/a", {"arn": "a", **inputs}, inputs, inputs)
    assert (made.value.ident, changed.value.ident) == ("/a", "/a")
    assert made.value.outputs["name"] == changed.value.outputs["name"] == "/a"


def test_a_cluster_is_promoted_but_never_made_a_replica() -> None:
    """Trap 2: taking the source away promotes; giving an existing cluster one is refused."""
    kind = resource_type(CLUSTER)
    source = {"replicationSourceIdentifier": "arn:aws:rds:us-east-1:0:cluster:other"}
    aws = Scripted()
    changed = ["replicationSourceIdentifier"]
    kind.update(aws, "c", source, {}, changed, {})
    assert aws.made == [("PromoteReadReplicaDBCluster", {"DBClusterIdentifier": "c"})]
    with pytest.raises(RuntimeError, match="can't be made a replica"):
        kind.update(aws, "c", {}, source, changed, {})


def test_a_cluster_goes_once_and_leaves_the_snapshot_asked_for() -> None:
    """R9.3: a final snapshot has the name given; a cluster that is going isn't deleted again."""
    kind = resource_type(CLUSTER)
    aws = Scripted(CLUSTER_ANSWER)
    kind.delete(aws, "c", {"skipFinalSnapshot": False, "finalSnapshotIdentifier": "last"})
    assert aws.made[-1] == (
        "DeleteDBCluster",
        {"DBClusterIdentifier": "c", "SkipFinalSnapshot": False,
         "FinalDBSnapshotIdentifier": "last"},
    )  # fmt: skip
    going = Scripted({"DescribeDBClusters": {"DBClusters": [{"Status": "deleting"}]}})
    kind.delete(going, "c", CLUSTER_PROPS)
    assert [operation for operation, _ in going.made] == ["DescribeDBClusters"]


def test_an_untagged_health_check_is_ours_only_when_one_alone_is_like_it() -> None:
    """N7, trap 15b: between creation and tagging a check has no name; two alike can't be
    distinguished, so neither is taken."""
    config = {"Type": "HTTP", "FullyQualifiedDomainName": "a.org", "Port": 80}
    inputs = {"type": "HTTP", "fqdn": "a.org", "port": 80, "tagsAll": {"Name": "one"}}
    kind = resource_type(HEALTH_CHECK)
    for ids, found in ((["1"], "1"), (["1", "2"], None)):
        checks = [{"Id": ident, "HealthCheckConfig": config} for ident in ids]
        aws = Scripted({"ListTagsForResource": {"ResourceTagSet": {"Tags": []}}},
                       {"list_health_checks": [{"HealthChecks": checks}]})  # fmt: skip
        assert kind.look_up(aws, inputs) == found
        assert kind.look_up(aws, {**inputs, "port": 81}) is None


class Waits(ResourceType):
    """A type whose update call takes a structure that nothing resets."""

    pulumi_type = "aws:test/waits:Waits"
    service = "lambda"
    inputs = "vpcConfig layers description timeout"
    updates = (op("UpdateFunctionConfiguration", FunctionName="{id}"),)
    resets: ClassVar = {"timeout": 3}


def test_an_input_taken_away_is_reset_or_the_update_refuses() -> None:
    """Refresh and preview stay true: AWS's default comes back, else lists and texts become empty;
    what has neither is named."""
    aws, kind = Scripted(), Waits()
    before = {"layers": ["a"], "description": "x", "timeout": 9}
    kind.update(aws, "f", before, {}, ["description", "layers", "timeout"], {})
    assert aws.made == [
        (
            "UpdateFunctionConfiguration",
            {"FunctionName": "f", "Layers": [], "Description": "", "Timeout": 3},
        )
    ]
    with pytest.raises(RuntimeError, match="vpcConfig can't be unset in place"):
        kind.update(aws, "f", {"vpcConfig": {}}, {}, ["vpcConfig"], {})


def test_a_refusal_that_passes_is_asked_again_until_the_time_is_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """R9.3: a dependency that goes away late is waited for; one that stays is reported."""
    aws = Scripted()
    waited: list[float] = []
    monkeypatch.setattr(aws, "pause", waited.append)
    answers = iter(["DependencyViolation", "DependencyViolation", {}])

    def act() -> str:
        aws.answers["DeleteVpc"] = next(answers)
        aws.call("ec2", "DeleteVpc")
        return "gone"

    assert aws.retry(60, ("DependencyViolation",), act) == "gone"
    assert len(waited) == 2
    clock = iter([0.0, 61.0])
    monkeypatch.setattr(aws_module, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    answers = iter(["DependencyViolation"])
    with pytest.raises(ClientError, match="DependencyViolation"):
        aws.retry(60, ("DependencyViolation",), act)


def refused(status: int, retries: int = 0) -> ClientError:
    """AWS's answer of this status, after so many retries."""
    response: Any = {
        "Error": {"Code": "Refused"},
        "ResponseMetadata": {"HTTPStatusCode": status, "RetryAttempts": retries},
    }
    return ClientError(response, "CreateVpc")


UNKNOWN, UNCERTAIN = grpc.StatusCode.UNKNOWN, grpc.StatusCode.DATA_LOSS


@pytest.mark.parametrize(
    ("error", "creating", "deleting"),
    [
        (refused(500), UNCERTAIN, UNCERTAIN),
        (refused(400), UNKNOWN, UNKNOWN),
        # An earlier attempt may have made what this one meets.
        (refused(409, retries=1), UNCERTAIN, UNKNOWN),
        (ConnectionClosedError(endpoint_url="u"), UNCERTAIN, UNCERTAIN),
        (EndpointConnectionError(endpoint_url="u"), UNCERTAIN, UNCERTAIN),
        (RuntimeError("no more addresses"), UNKNOWN, UNKNOWN),
        (ClientError({"Error": {"Code": "Refused"}}, "CreateVpc"), UNKNOWN, UNKNOWN),
    ],
)
def test_a_failure_that_may_have_had_its_effect_is_answered_as_one(
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    creating: grpc.StatusCode,
    deleting: grpc.StatusCode,
) -> None:
    """Trap 44: AWS's 5xx and a lost connection don't say that nothing was done: the engine hears
    that it is unknown, and finds out. A refusal is one, of a deletion that was retried, too."""

    def failing(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(Aws, "call", failing)
    provider = ProviderClient("http://127.0.0.1:9")
    with pytest.raises(FailedCallError) as create:
        provider.create("aws:ec2/vpc:Vpc", "one", {"cidrBlock": "10.0.0.0/16"})
    vpc = Resource("aws:ec2/vpc:Vpc", "one")
    vpc.id = "vpc-1"
    with pytest.raises(FailedCallError) as delete:
        provider.delete(vpc)
    assert (create.value.code, delete.value.code) == (creating, deleting)


def test_a_service_without_endpoint_is_never_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """N1: the provider's endpoints name some services; one they don't is not looked for at AWS."""
    monkeypatch.delenv(ENDPOINT_VARIABLE, raising=False)
    aws = Aws("us-east-1", {"ec2": "http://127.0.0.1:9"})
    with pytest.raises(ValueError, match="no endpoint for s3: the lab's provider never calls AWS"):
        aws.call("s3", "ListBuckets")
