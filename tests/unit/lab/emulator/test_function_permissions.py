"""What functions may call: what their roles' policies, keys and resources' policies allow."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from aws_resources import document
from botocore.exceptions import ClientError
from emulator_world import ACCOUNT, EAST, World

from lab.emulator.authorization import Governing, key_refusal
from lab.emulator.functions import principal_key
from lab.emulator.policies import Access

DENIED = {
    "AccessDenied", "AccessDeniedException", "AuthorizationError", "KMS.AccessDeniedException",
    "KMSAccessDenied",
}  # fmt: skip
Statement = dict[str, Any]
Client = Callable[[str], Any]


def allow(action: str, resource: str = "*", **condition: dict[str, Any]) -> Statement:
    """An Allow, with a condition by operator."""
    made: Statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    return {**made, "Condition": condition} if condition else made


def arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{EAST}:{ACCOUNT}:{resource}"


@dataclass(frozen=True)
class Kind:
    """A call of a function's code and the statements that it needs, each of them."""

    name: str
    call: Callable[[Client], Any]
    needs: tuple[Statement, ...]


class Deployed:
    """A role whose statements change, and what a function of it uses."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.role = world.role("caller", "lambda.amazonaws.com")
        self.key = self._key()
        self.secret = str(
            world.aws("secretsmanager").create_secret(
                Name="calls-secret", SecretString="{}", KmsKeyId=self.key
            )["ARN"]
        )
        sqs, sns = world.aws("sqs"), world.aws("sns")
        encrypted = {"KmsMasterKeyId": self.key}
        self.queue = sqs.create_queue(QueueName="calls", Attributes=encrypted)["QueueUrl"]
        sqs.create_queue(QueueName="calls-plain")
        self.topic = sns.create_topic(Name="calls", Attributes=encrypted)["TopicArn"]
        world.aws("events").create_event_bus(Name="calls")
        s3 = world.aws("s3")
        s3.create_bucket(Bucket="calls-objects")
        rule = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": self.key}
        s3.put_bucket_encryption(
            Bucket="calls-objects",
            ServerSideEncryptionConfiguration={
                "Rules": [{"ApplyServerSideEncryptionByDefault": rule}]
            },
        )
        s3.put_object(Bucket="calls-objects", Key="there", Body=b"1")
        for name in ("/calls/a", "/calls/b", "plain"):
            world.aws("ssm").put_parameter(Name=name, Value="1", Type="String")
        world.aws("dynamodb").create_table(
            TableName="calls",
            KeySchema=[{"AttributeName": "kind", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "kind", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        world.function("called")
        world.aws("lambda").publish_version(FunctionName="called")
        world.aws("lambda").create_alias(FunctionName="called", Name="live", FunctionVersion="1")
        world.aws("backup").create_backup_vault(BackupVaultName="calls")

    def _key(self) -> str:
        """Trusts the account's policies through services alone, as the programs' key."""
        trusted = {
            "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
            "Action": ["kms:Decrypt", "kms:GenerateDataKey*"], "Resource": "*",
            "Condition": {
                "StringEquals": {
                    "kms:ViaService": [
                        f"{service}.{EAST}.amazonaws.com"
                        for service in ("s3", "secretsmanager", "sns", "sqs")
                    ]
                }
            },
        }  # fmt: skip
        made = self.world.aws("kms").create_key(Policy=document(trusted))
        return str(made["KeyMetadata"]["Arn"])

    def client(self, service: str) -> Any:
        """As the function's code has it."""
        return self.world.client(service, EAST, signer=principal_key(self.role))

    def may(self, *statements: Statement) -> None:
        """Lets the role do this and nothing else."""
        iam = self.world.aws("iam")
        nothing = {"Effect": "Deny", "Action": "iam:CreateUser", "Resource": "*"}
        iam.put_role_policy(
            RoleName="caller", PolicyName="own", PolicyDocument=document(nothing, *statements)
        )

    def refusal(self, call: Callable[[Client], Any]) -> str:
        """The error by which a call is denied; empty when it is answered, or fails otherwise."""
        try:
            call(self.client)
        except ClientError as error:
            code = str(error.response["Error"]["Code"])
            return code if code in DENIED else ""
        return ""


@pytest.fixture(scope="module")
def deployed(world: World) -> Iterator[Deployed]:
    yield Deployed(world)


def kinds(on: Deployed) -> list[Kind]:
    """Every call that the system's functions make."""
    decrypt = allow("kms:Decrypt", on.key)
    generate = allow("kms:GenerateDataKey", on.key)
    table, bucket = arn("dynamodb", "table/calls"), "arn:aws:s3:::calls-objects"
    queue, plain = arn("sqs", "calls"), arn("sqs", "calls-plain")
    cluster, snapshot = arn("rds", "cluster:c"), arn("rds", "cluster-snapshot:")
    whole = f"arn:aws:rds::{ACCOUNT}:global-cluster:g"
    own = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["state"]}}
    state = {"kind": {"S": "state"}}
    query = {
        "KeyConditionExpression": "#k = :k",
        "ExpressionAttributeNames": {"#k": "kind"},
        "ExpressionAttributeValues": {":k": {"S": "state"}},
    }
    entry = {"Source": "app", "DetailType": "made", "Detail": "{}", "EventBusName": "calls"}
    dynamodb = {"TableName": "calls"}
    return [
        Kind(
            "a secret",
            lambda c: c("secretsmanager").get_secret_value(SecretId=on.secret),
            (allow("secretsmanager:GetSecretValue", on.secret), decrypt),
        ),
        Kind(
            "a secret by its name",
            lambda c: c("secretsmanager").get_secret_value(SecretId="calls-secret"),
            (allow("secretsmanager:GetSecretValue", on.secret), decrypt),
        ),
        Kind(
            "a parameter",
            lambda c: c("ssm").get_parameter(Name="/calls/a"),
            (allow("ssm:GetParameter", arn("ssm", "parameter/calls/a")),),
        ),
        Kind(
            "a parameter without a path, by its name and ARN",
            lambda c: [
                c("ssm").get_parameter(Name=name)
                for name in ("plain", arn("ssm", "parameter/plain"))
            ],
            (allow("ssm:GetParameter", arn("ssm", "parameter/plain")),),
        ),
        Kind(
            "several parameters",
            lambda c: c("ssm").get_parameters(Names=["/calls/a", "/calls/b"]),
            tuple(allow("ssm:GetParameters", arn("ssm", f"parameter/calls/{n}")) for n in "ab"),
        ),
        Kind(
            "parameters below a path",
            lambda c: c("ssm").get_parameters_by_path(Path="/calls/"),
            (allow("ssm:GetParametersByPath", arn("ssm", "parameter/calls")),),
        ),
        Kind(
            "an object that is written",
            lambda c: c("s3").put_object(Bucket="calls-objects", Key="own", Body=b"1"),
            (allow("s3:PutObject", f"{bucket}/own"), generate),
        ),
        Kind(
            "an object that is read",
            lambda c: c("s3").get_object(Bucket="calls-objects", Key="there"),
            (allow("s3:GetObject", f"{bucket}/there"), decrypt),
        ),
        Kind(
            "objects that are listed",
            lambda c: c("s3").list_objects_v2(Bucket="calls-objects", Prefix="own/"),
            (allow("s3:ListBucket", bucket, StringEquals={"s3:prefix": "own/"}),),
        ),
        Kind(
            "an item that is read",
            lambda c: c("dynamodb").get_item(**dynamodb, Key=state),
            (allow("dynamodb:GetItem", table, **own),),
        ),
        Kind(
            "an item that is written",
            lambda c: c("dynamodb").put_item(**dynamodb, Item={**state, "at": {"N": "1"}}),
            (allow("dynamodb:PutItem", table, **own),),
        ),
        Kind(
            "items that are asked for",
            lambda c: c("dynamodb").query(**dynamodb, **query),
            (allow("dynamodb:Query", table, **own),),
        ),
        Kind(
            "an event",
            lambda c: c("events").put_events(Entries=[entry]),
            (
                allow(
                    "events:PutEvents",
                    arn("events", "event-bus/calls"),
                    StringEquals={"events:source": "app", "events:detail-type": "made"},
                ),
            ),
        ),
        Kind(
            "a bus",
            lambda c: c("events").describe_event_bus(Name=arn("events", "event-bus/calls")),
            (allow("events:DescribeEventBus", arn("events", "event-bus/calls")),),
        ),
        Kind(
            "a notice",
            lambda c: c("sns").publish(TopicArn=on.topic, Message="m"),
            (allow("sns:Publish", on.topic), generate, decrypt),
        ),
        Kind(
            "a message that is sent",
            lambda c: c("sqs").send_message(QueueUrl=on.queue, MessageBody="m"),
            (allow("sqs:SendMessage", queue), generate, decrypt),
        ),
        Kind(
            "a message that is received",
            lambda c: c("sqs").receive_message(QueueUrl=on.queue),
            (allow("sqs:ReceiveMessage", queue), decrypt),
        ),
        Kind(
            "a message without a key",
            lambda c: c("sqs").receive_message(QueueUrl=on.queue + "-plain"),
            (allow("sqs:ReceiveMessage", plain),),
        ),
        Kind(
            "a function's alias",
            lambda c: c("lambda").invoke(FunctionName=arn("lambda", "function:called:live")),
            (allow("lambda:InvokeFunction", arn("lambda", "function:called:live")),),
        ),
        Kind(
            "a function by its name",
            lambda c: c("lambda").invoke(FunctionName="called", Qualifier="live"),
            (allow("lambda:InvokeFunction", arn("lambda", "function:called:live")),),
        ),
        Kind(
            "the account's quotas",
            lambda c: c("lambda").get_account_settings(),
            (allow("lambda:GetAccountSettings"),),
        ),
        Kind(
            "a metric",
            lambda c: c("cloudwatch").put_metric_data(
                Namespace="Own", MetricData=[{"MetricName": "m", "Value": 1}]
            ),
            (allow("cloudwatch:PutMetricData", StringEquals={"cloudwatch:namespace": "Own"}),),
        ),
        Kind(
            "alarms",
            lambda c: c("cloudwatch").describe_alarms(AlarmTypes=["CompositeAlarm"]),
            (allow("cloudwatch:DescribeAlarms"),),
        ),
        Kind(
            "clusters",
            lambda c: (c("rds").describe_db_clusters(), c("rds").describe_global_clusters()),
            (allow("rds:DescribeDBClusters"), allow("rds:DescribeGlobalClusters")),
        ),
        Kind(
            "instances",
            lambda c: c("rds").describe_db_instances(),
            (allow("rds:DescribeDBInstances", arn("rds", "db:*")),),
        ),
        Kind(
            "engine versions",
            lambda c: c("rds").describe_db_engine_versions(),
            (allow("rds:DescribeDBEngineVersions"),),
        ),
        Kind(
            "a promotion",
            lambda c: c("rds").failover_global_cluster(
                GlobalClusterIdentifier="g", TargetDbClusterIdentifier=cluster, AllowDataLoss=True
            ),
            (
                allow("rds:FailoverGlobalCluster", whole),
                allow("rds:FailoverGlobalCluster", cluster),
            ),
        ),
        Kind(
            "the snapshots of a cluster",
            lambda c: c("rds").describe_db_cluster_snapshots(DBClusterIdentifier="c"),
            (allow("rds:DescribeDBClusterSnapshots", cluster),),
        ),
        Kind(
            "all snapshots",
            lambda c: c("rds").describe_db_cluster_snapshots(),
            (allow("rds:DescribeDBClusterSnapshots", f"{snapshot}*"),),
        ),
        Kind(
            "a snapshot that is kept",
            lambda c: c("rds").copy_db_cluster_snapshot(
                SourceDBClusterSnapshotIdentifier="old",
                TargetDBClusterSnapshotIdentifier="new",
                Tags=[{"Key": "k", "Value": "v"}],
            ),
            (
                allow("rds:CopyDBClusterSnapshot", f"{snapshot}old"),
                allow("rds:CopyDBClusterSnapshot", f"{snapshot}new"),
                allow("rds:AddTagsToResource", f"{snapshot}new"),
            ),
        ),
        Kind(
            "another role's permissions",
            lambda c: c("iam").simulate_principal_policy(
                PolicySourceArn=on.role, ActionNames=["s3:GetObject"]
            ),
            (allow("iam:SimulatePrincipalPolicy", on.role),),
        ),
        Kind(
            "a topic's subscriptions",
            lambda c: c("sns").list_subscriptions_by_topic(TopicArn=on.topic),
            (allow("sns:ListSubscriptionsByTopic", on.topic),),
        ),
        Kind(
            "backups",
            lambda c: c("backup").list_recovery_points_by_backup_vault(BackupVaultName="calls"),
            (allow("backup:ListRecoveryPointsByBackupVault", arn("backup", "backup-vault:calls")),),
        ),
    ]


def test_a_call_needs_every_one_of_its_statements(deployed: Deployed) -> None:
    """Issue 16.6, Service Authorization Reference: with all of them a function's call is answered;
    without any one of them it is refused as the service refuses."""
    for kind in kinds(deployed):
        deployed.may(*kind.needs)
        assert deployed.refusal(kind.call) == "", kind.name
        for missing in kind.needs:
            deployed.may(*(one for one in kind.needs if one is not missing))
            refused = deployed.refusal(kind.call)
            assert refused in DENIED, f"{kind.name} without {missing}"


def test_a_condition_that_is_not_met_refuses(deployed: Deployed) -> None:
    """DynamoDB developer guide, "Using IAM policy conditions for fine-grained access control";
    CloudWatch user guide, "Using condition keys to limit access to CloudWatch namespaces"; KMS
    developer guide, ``kms:ViaService``: a key that is used through services is closed to the code
    itself."""
    table = arn("dynamodb", "table/calls")
    own = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["state"]}}
    metrics = allow("cloudwatch:PutMetricData", StringEquals={"cloudwatch:namespace": "Own"})
    deployed.may(
        allow("dynamodb:GetItem", table, **own), metrics, allow("kms:GenerateDataKey", deployed.key)
    )
    other = {"kind": {"S": "other"}}
    assert deployed.refusal(lambda c: c("dynamodb").get_item(TableName="calls", Key=other))
    datum = [{"MetricName": "m", "Value": 1}]
    assert deployed.refusal(
        lambda c: c("cloudwatch").put_metric_data(Namespace="Other", MetricData=datum)
    )
    assert deployed.refusal(
        lambda c: c("kms").generate_data_key(KeyId=deployed.key, KeySpec="AES_256")
    )


def test_a_resource_lets_a_role_in_and_keeps_it_out(deployed: Deployed) -> None:
    """IAM user guide, "Policy evaluation logic": in one account a resource's policy that names the
    role is enough, one that names the account isn't, and its Deny ends it."""
    sqs = deployed.world.aws("sqs")
    url = sqs.get_queue_url(QueueName="calls-plain")["QueueUrl"]
    deployed.may()

    def policy(effect: str, principal: str) -> None:
        statement = {
            "Effect": effect, "Principal": {"AWS": principal},
            "Action": "sqs:SendMessage", "Resource": arn("sqs", "calls-plain"),
        }  # fmt: skip
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": document(statement)})

    def refused() -> str:
        return deployed.refusal(lambda c: c("sqs").send_message(QueueUrl=url, MessageBody="m"))

    account = f"arn:aws:iam::{ACCOUNT}:root"
    policy("Allow", account)
    assert refused()
    policy("Allow", deployed.role)
    assert not refused()
    policy("Deny", account)
    deployed.may(allow("sqs:SendMessage"))
    assert refused()
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": ""})
    assert not refused()


def test_a_boundary_bounds_what_policies_give(deployed: Deployed) -> None:
    """IAM user guide, "Permissions boundaries for IAM entities": both must allow; one Deny ends
    it."""
    iam = deployed.world.aws("iam")
    deployed.may(allow("ssm:GetParameter"), allow("ssm:GetParameters"))

    def refused(name: str) -> bool:
        if name == "ssm:GetParameter":
            return bool(deployed.refusal(lambda c: c("ssm").get_parameter(Name="plain")))
        return bool(deployed.refusal(lambda c: c("ssm").get_parameters(Names=["plain"])))

    def bound(name: str, *statements: Statement) -> None:
        made = iam.create_policy(PolicyName=name, PolicyDocument=document(*statements))
        iam.put_role_permissions_boundary(
            RoleName="caller", PermissionsBoundary=made["Policy"]["Arn"]
        )

    try:
        bound("boundary-one", allow("ssm:GetParameter"))
        assert [refused("ssm:GetParameter"), refused("ssm:GetParameters")] == [False, True]
        denied = {"Effect": "Deny", "Action": "ssm:GetParameter", "Resource": "*"}
        bound("boundary-two", allow("ssm:*"), denied)
        assert [refused("ssm:GetParameter"), refused("ssm:GetParameters")] == [True, False]
        managed = "arn:aws:iam::aws:policy/nothing-of-aws"
        iam.put_role_permissions_boundary(RoleName="caller", PermissionsBoundary=managed)
        assert refused("ssm:GetParameters"), "a boundary that is gone allows nothing"
    finally:
        iam.delete_role_permissions_boundary(RoleName="caller")


def test_a_keys_own_policy_decides() -> None:
    """KMS developer guide, "Key policies": who is named there needs nothing else; where the account
    isn't trusted no role's policy gives anything; a Deny ends it."""
    key, role = arn("kms", "key/k"), f"arn:aws:iam::{ACCOUNT}:role/r"
    access = Access("kms:Decrypt", key, principal=role)
    everything = (allow("kms:Decrypt"),)
    statements = [{"Statement": [statement]} for statement in everything]

    def refused(*policy: Statement, identity: tuple[Any, ...] = ()) -> str:
        return key_refusal(access, Governing(identity, {"Statement": list(policy)}))

    named = allow("kms:Decrypt") | {"Principal": {"AWS": role}}
    trusted = allow("kms:Decrypt") | {"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}
    assert refused(named) == ""
    assert "no resource-based policy" in refused(identity=tuple(statements))
    assert "no identity-based policy" in refused(trusted)
    assert refused(trusted, identity=tuple(statements)) == ""
    denied = named | {"Effect": "Deny"}
    assert "explicit deny in a resource-based policy" in refused(named, denied)


def test_a_call_that_names_nothing_that_is_there_is_decided_all_the_same(
    deployed: Deployed,
) -> None:
    """IAM decides before the service looks: 403 for who may not, the service's error for who
    may."""

    def put() -> str:
        with pytest.raises(ClientError) as caught:
            deployed.client("s3").put_object(Bucket="calls-nowhere", Key="k", Body=b"")
        return str(caught.value.response["Error"]["Code"])

    deployed.may()
    assert put() == "AccessDenied"
    deployed.may(allow("s3:PutObject"))
    assert put() == "NoSuchBucket"
    deployed.may(allow("secretsmanager:GetSecretValue", arn("secretsmanager", "secret:none")))
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        deployed.client("secretsmanager").get_secret_value(SecretId="none")


def test_a_missing_object_is_forbidden_to_who_may_not_list(deployed: Deployed) -> None:
    """S3 API reference, GetObject: 404 with ``s3:ListBucket``, 403 without."""

    def missing() -> str:
        with pytest.raises(ClientError) as caught:
            deployed.client("s3").get_object(Bucket="calls-objects", Key="none")
        return str(caught.value.response["Error"]["Code"])

    bucket = "arn:aws:s3:::calls-objects"
    reading = (allow("s3:GetObject", f"{bucket}/*"), allow("kms:Decrypt", deployed.key))
    deployed.may(*reading)
    assert missing() == "AccessDenied"
    deployed.may(*reading, allow("s3:ListBucket", bucket, StringEquals={"s3:prefix": "none"}))
    assert missing() == "NoSuchKey"


def test_the_code_may_not_do_what_its_function_keeps_for_lambda(world: World) -> None:
    """Lambda developer guide, "Working with lambda:SourceFunctionArn": calls of the code carry the
    function that makes them."""
    statements = (
        allow("ec2:DescribeSubnets"),
        {
            "Effect": "Deny",
            "Action": "ec2:DescribeSubnets",
            "Resource": "*",
            "Condition": {
                "ArnEquals": {"lambda:SourceFunctionArn": arn("lambda", "function:kept")}
            },
        },
    )
    role = world.role("kept", "lambda.amazonaws.com", *statements)
    ec2 = world.client("ec2", EAST, signer=principal_key(role))
    ec2.describe_subnets()
    world.function("kept", Role=role)
    with pytest.raises(ClientError) as caught:
        ec2.describe_subnets()
    assert caught.value.response["Error"]["Code"] == "UnauthorizedOperation"
    assert "with an explicit deny in an identity-based policy" in str(caught.value)


def test_what_was_refused_is_listed_in_aws_words(deployed: Deployed) -> None:
    """IAM user guide, "Access denied error message examples"; ``/_lab/access`` lists it with the
    role, and asking who one is needs no permission."""
    deployed.may()
    deployed.client("sts").get_caller_identity()
    with pytest.raises(ClientError) as caught:
        deployed.client("ssm").get_parameter(Name="/calls/a")
    message = caught.value.response["Error"]["Message"]
    assert message == (
        f"User: arn:aws:sts::{ACCOUNT}:assumed-role/caller/function is not authorized to perform: "
        f"ssm:GetParameter on resource: {arn('ssm', 'parameter/calls/a')} because no "
        "identity-based policy allows the ssm:GetParameter action"
    )
    headers = {"x-lab-token": "own", "host": "127.0.0.1"}
    answer = deployed.world.request("POST", "/_lab/access", headers, b"{}")
    assert answer is not None
    refused = json.loads(answer[2])["refused"]
    assert refused[-1] == f"ssm:GetParameter on {arn('ssm', 'parameter/calls/a')} by caller"


def test_who_signs_with_no_roles_key_is_nobodys_function(world: World) -> None:
    """Only functions sign with a key that stands for a role."""
    world.client("sqs", EAST, signer=principal_key("arn:aws:iam::1:role/none")).list_queues()
