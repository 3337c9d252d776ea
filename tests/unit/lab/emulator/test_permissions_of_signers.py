"""Signers who may do no more than policies allow (trap 54)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from emulator_world import EAST, World

from lab.emulator.iam_actions import action_of, ids_in, resource_of, roles_in

SIGNER = "test"


def control(world: World, **given: Any) -> tuple[int, dict[str, Any]]:
    """POST /_lab/access."""
    answer = world.request(
        "POST", "/_lab/access", {"x-lab-token": "own", "host": "127.0.0.1"},
        json.dumps(given).encode(),
    )  # fmt: skip
    assert answer is not None
    return answer[0], json.loads(answer[2])


def limit(world: World, *allowed: tuple[str, str, dict[str, Any]]) -> None:
    """Allows these (action, resource, equal) alone."""
    document = {
        "Statement": [
            {
                "Effect": "Allow", "Action": action, "Resource": resource,
                **({"Condition": {"StringEquals": equal}} if equal else {}),
            }
            for action, resource, equal in allowed
        ]
    }  # fmt: skip
    assert control(world, principal=SIGNER, policies=[document])[0] == 200


@pytest.fixture(autouse=True)
def _unlimited(world: World) -> Iterator[None]:
    yield
    control(world, principal=SIGNER)


def refusal(call: Any, **parameters: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    return caught.value.response["Error"]["Code"]


def test_only_what_is_allowed_passes_and_the_rest_is_listed(world: World) -> None:
    """Trap 54: by action and by resource, in each service's own words; the caller's identity may
    always be asked."""
    sqs, ec2 = world.aws("sqs"), world.aws("ec2")
    limit(world, ("sqs:CreateQueue", f"arn:aws:sqs:{EAST}:*:queue-ours-*", {}))
    sqs.create_queue(QueueName="queue-ours-1")
    assert refusal(sqs.create_queue, QueueName="queue-theirs") == "AccessDenied"
    assert refusal(ec2.describe_vpcs) == "UnauthorizedOperation"
    dynamodb = world.aws("dynamodb")
    assert refusal(dynamodb.describe_table, TableName="t") == "AccessDeniedException"
    world.aws("sts").get_caller_identity()
    seen = control(world)[1]
    assert seen["refused"] == [
        f"sqs:CreateQueue on arn:aws:sqs:{EAST}:000000000000:queue-theirs",
        "ec2:DescribeVpcs on *",
        f"dynamodb:DescribeTable on arn:aws:dynamodb:{EAST}:000000000000:table/t",
    ]
    assert {"sqs:CreateQueue", "ec2:DescribeVpcs"} <= set(seen["called"][SIGNER])
    control(world, principal=SIGNER)
    assert control(world)[1]["refused"] == []
    sqs.create_queue(QueueName="queue-theirs")


def test_what_would_be_refused_can_be_listed_alone(world: World) -> None:
    """Trap 54: a whole run shows all that a role lacks, not its first gap."""
    nothing = {"Statement": []}
    control(world, principal=SIGNER, policies=[nothing], observe=True)
    world.aws("ec2").describe_vpcs()
    assert control(world)[1]["refused"] == ["ec2:DescribeVpcs on *"]


def test_what_has_an_id_goes_by_its_tag(world: World) -> None:
    """Trap 54: a VPC, a key and a plan of another environment can't be changed."""
    ec2, kms, backup = world.aws("ec2"), world.aws("kms"), world.aws("backup")
    tags = [{"Key": "EnvironmentSuffix", "Value": "ours"}]
    spec = [{"ResourceType": "vpc", "Tags": tags}]
    ours = ec2.create_vpc(CidrBlock="10.7.0.0/16", TagSpecifications=spec)["Vpc"]["VpcId"]
    theirs = ec2.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
    key = kms.create_key(Tags=[{"TagKey": "EnvironmentSuffix", "TagValue": "ours"}])
    rule = {"RuleName": "r", "TargetBackupVaultName": "v"}
    plan = backup.create_backup_plan(
        BackupPlan={"BackupPlanName": "tagged", "Rules": [rule]},
        BackupPlanTags={"EnvironmentSuffix": "ours"},
    )
    equal = {"aws:ResourceTag/EnvironmentSuffix": "ours"}
    actions = ("ec2:DeleteVpc", "kms:ScheduleKeyDeletion", "backup:DeleteBackupPlan")
    limit(world, *((action, "*", equal) for action in actions))
    ec2.delete_vpc(VpcId=ours)
    assert refusal(ec2.delete_vpc, VpcId=theirs) == "UnauthorizedOperation"
    kms.schedule_key_deletion(KeyId=key["KeyMetadata"]["KeyId"])
    assert refusal(kms.schedule_key_deletion, KeyId="no-such-key") == "AccessDeniedException"
    backup.delete_backup_plan(BackupPlanId=plan["BackupPlanId"])
    other = refusal(backup.delete_backup_plan, BackupPlanId="no-such-plan")
    assert other == "AccessDeniedException"


def test_an_association_goes_by_its_route_table(world: World) -> None:
    """Trap 54: it has no tags of its own; AWS asks about the table."""
    ec2 = world.aws("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.6.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.6.1.0/24")["Subnet"]["SubnetId"]
    tags = [{"Key": "EnvironmentSuffix", "Value": "ours"}]
    made = []
    for spec in ([], [{"ResourceType": "route-table", "Tags": tags}]):
        table = ec2.create_route_table(VpcId=vpc, TagSpecifications=spec)["RouteTable"]
        given = {"RouteTableId": table["RouteTableId"], "SubnetId": subnet}
        made.append(ec2.associate_route_table(**given)["AssociationId"])
    equal = {"aws:ResourceTag/EnvironmentSuffix": "ours"}
    limit(world, ("ec2:DisassociateRouteTable", "*", equal))
    theirs, ours = made
    code = refusal(ec2.disassociate_route_table, AssociationId=theirs)
    assert code == "UnauthorizedOperation"
    ec2.disassociate_route_table(AssociationId=ours)


def test_an_item_goes_by_its_partition_and_a_metric_by_its_namespace(world: World) -> None:
    """Trap 54: of one table's items and of all metrics, those that a condition names."""
    dynamodb, cloudwatch = world.aws("dynamodb"), world.aws("cloudwatch")
    dynamodb.create_table(
        TableName="guarded",
        KeySchema=[
            {"AttributeName": "kind", "KeyType": "HASH"},
            {"AttributeName": "number", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "kind", "AttributeType": "S"},
            {"AttributeName": "number", "AttributeType": "N"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    statement = {"Effect": "Allow", "Action": "dynamodb:DeleteItem", "Resource": "*"}
    condition = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["approval"]}}
    metrics = {
        "Effect": "Allow", "Action": "cloudwatch:PutMetricData", "Resource": "*",
        "Condition": {"StringEquals": {"cloudwatch:namespace": "Ours"}},
    }  # fmt: skip
    document = {"Statement": [{**statement, "Condition": condition}, metrics]}
    control(world, principal=SIGNER, policies=[document])
    number = {"number": {"N": "0"}}
    dynamodb.delete_item(TableName="guarded", Key={"kind": {"S": "approval"}, **number})
    state = {"kind": {"S": "state"}, **number}
    code = refusal(dynamodb.delete_item, TableName="guarded", Key=state)
    assert code == "AccessDeniedException"
    # Of a table that isn't there no partition is known: AWS says that it isn't there.
    code = refusal(dynamodb.delete_item, TableName="no-such-table", Key=state)
    assert code == "ResourceNotFoundException"
    datum = [{"MetricName": "m", "Value": 1}]
    cloudwatch.put_metric_data(Namespace="Ours", MetricData=datum)
    theirs = {"Namespace": "Theirs", "MetricData": datum}
    assert refusal(cloudwatch.put_metric_data, **theirs) == "AccessDenied"
    assert refusal(dynamodb.scan, TableName="guarded") == "AccessDeniedException"


def test_who_writes_an_item_is_who_they_are(world: World) -> None:
    """Issue 23.10: a condition's ``aws:userid`` is the session's that signs, so nobody writes under
    another's (IAM user guide, "IAM policy elements: Variables and tags")."""
    world.aws("dynamodb").create_table(
        TableName="asked",
        KeySchema=[{"AttributeName": "kind", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "kind", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    condition = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["of#${aws:userid}"]}}
    statement = {"Effect": "Allow", "Action": "dynamodb:PutItem", "Resource": "*"}
    document = {"Statement": [{**statement, "Condition": condition}]}
    role = world.aws("iam").create_role(RoleName="people", AssumeRolePolicyDocument="{}")["Role"]
    people: dict[str, tuple[Any, str]] = {}
    for name in ("anna", "bela"):
        made = world.aws("sts").assume_role(RoleArn=role["Arn"], RoleSessionName=name)
        signer = made["Credentials"]["AccessKeyId"]
        control(world, principal=signer, policies=[document])
        user = made["AssumedRoleUser"]["AssumedRoleId"]
        people[name] = (world.client("dynamodb", EAST, signer=signer), user)
    (anna, user), (bela, _) = people["anna"], people["bela"]
    item = {"kind": {"S": f"of#{user}"}}
    anna.put_item(TableName="asked", Item=item)
    assert refusal(bela.put_item, TableName="asked", Item=item) == "AccessDeniedException"


def test_what_is_retained_is_deleted_with_a_permission_of_its_own(world: World) -> None:
    """Issue 23.10: who may delete versions may not pass retention by (S3 user guide, "Bypassing
    governance mode")."""
    s3 = world.aws("s3")
    s3.create_bucket(Bucket="bucket-passed-by")
    delete = ("s3:DeleteObject", "*", {})
    given = {"Bucket": "bucket-passed-by", "Key": "k", "BypassGovernanceRetention": True}
    limit(world, delete)
    assert refusal(s3.delete_object, **given) == "AccessDenied"
    limit(world, delete, ("s3:BypassGovernanceRetention", "*", {}))
    s3.delete_object(**given)


def test_a_role_is_handed_only_where_it_may_be(world: World) -> None:
    """Trap 54: iam:PassRole, by role and by service."""
    role = "arn:aws:iam::000000000000:role/role-ours"
    events = world.aws("events")
    events.put_rule(Name="rule-1", ScheduleExpression="rate(1 day)")
    target = {"Id": "one", "Arn": f"arn:aws:sqs:{EAST}:000000000000:q", "RoleArn": role}
    limit(
        world,
        ("events:PutTargets", "*", {}),
        ("iam:PassRole", role, {"iam:PassedToService": "events.amazonaws.com"}),
    )
    events.put_targets(Rule="rule-1", Targets=[target])
    limit(world, ("events:PutTargets", "*", {}), ("iam:PassRole", f"{role}-2", {}))
    code = refusal(events.put_targets, Rule="rule-1", Targets=[target])
    assert code == "AccessDeniedException"
    assert control(world)[1]["refused"] == [f"iam:PassRole on {role}"]


def test_what_is_attached_is_a_condition(world: World) -> None:
    """Trap 54: of AWS's policies those that the programs name, no others."""
    iam = world.aws("iam")
    trusted = json.dumps({"Version": "2012-10-17", "Statement": []})
    iam.create_role(RoleName="role-attached", AssumeRolePolicyDocument=trusted)
    ours = iam.create_policy(PolicyName="policy-ours", PolicyDocument=trusted)["Policy"]["Arn"]
    limit(world, ("iam:AttachRolePolicy", "*", {"iam:PolicyARN": ours}))
    iam.attach_role_policy(RoleName="role-attached", PolicyArn=ours)
    more = "arn:aws:iam::aws:policy/AdministratorAccess"
    code = refusal(iam.attach_role_policy, RoleName="role-attached", PolicyArn=more)
    assert code == "AccessDenied"


@pytest.mark.parametrize(
    ("service", "operation", "action"),
    [
        ("rds", "CreateDBCluster", "rds:CreateDBCluster"),
        ("elbv2", "CreateRule", "elasticloadbalancing:CreateRule"),
        ("lambda", "Invoke", "lambda:InvokeFunction"),
        ("s3", "HeadBucket", "s3:ListBucket"),
        ("s3", "GetBucketReplication", "s3:GetReplicationConfiguration"),
        ("s3", "PutPublicAccessBlock", "s3:PutBucketPublicAccessBlock"),
        ("s3", "GetBucketPolicy", "s3:GetBucketPolicy"),
        ("s3", "DeleteBucketPolicy", "s3:DeleteBucketPolicy"),
    ],
)
def test_an_operation_is_an_action(service: str, operation: str, action: str) -> None:
    """Service Authorization Reference: mostly of the same name; S3 differs."""
    assert action_of(service, operation) == action


@pytest.mark.parametrize(
    ("service", "parameters", "arn"),
    [
        ("s3", {"Bucket": "b"}, "arn:aws:s3:::b"),
        ("s3", {"Bucket": "b", "Key": "a/b"}, "arn:aws:s3:::b/a/b"),
        ("sqs", {"QueueUrl": "http://x/1/q"}, "arn:aws:sqs:r:1:q"),
        ("cloudwatch", {"AlarmNames": ["a"]}, "arn:aws:cloudwatch:r:1:alarm:a"),
        ("rds", {"GlobalClusterIdentifier": "g"}, "arn:aws:rds::1:global-cluster:g"),
        ("route53", {"HostedZoneId": "/hostedzone/Z"}, "arn:aws:route53:::hostedzone/Z"),
        ("lambda", {"FunctionName": "arn:aws:lambda:r:1:f"}, "arn:aws:lambda:r:1:f"),
        ("sns", {"TopicArn": "arn:aws:sns:r:1:t"}, "arn:aws:sns:r:1:t"),
        ("s3", {"Bucket": "b", "Delete": {"Objects": []}}, "arn:aws:s3:::b/*"),
        ("backup", {"BackupVaultName": "v", "RecoveryPointArn": "arn:p"}, "arn:p"),
        ("elbv2", {"Names": ["x"]}, ""),
        ("events", {"Rule": "r1"}, "arn:aws:events:r:1:rule/r1"),
        ("events", {"Rule": "r1", "EventBusName": "b"}, "arn:aws:events:r:1:rule/b/r1"),
        ("events", {"Targets": [{"Arn": "arn:aws:sqs:r:1:q"}]}, ""),
        ("elbv2", {"Role": "arn:aws:iam::000000000000:role/x", "ListenerArn": "arn:l"}, "arn:l"),
        ("rds", {"DBClusterIdentifier": 5}, ""),
        ("ec2", {"VpcId": "vpc-1"}, ""),
    ],
)  # fmt: skip
def test_a_call_is_about_a_resource(service: str, parameters: dict[str, Any], arn: str) -> None:
    """The parameter that names it, else nothing: its id is AWS's to make."""
    assert resource_of(service, "r", "1", parameters) == arn


def test_roles_and_ids_are_found_in_what_is_nested() -> None:
    """Only whole values count: a policy's text that names a role hands nothing on."""
    role = "arn:aws:iam::000000000000:role/r"
    given = {"Targets": [{"RoleArn": role}], "Policy": f'{{"AWS": "{role}"}}', "Number": 3}
    assert roles_in(given) == [role]
    assert ids_in({"VpcId": "vpc-0123456789abcdef0", "Ids": ("subnet-01234567", "x")}) == [
        "vpc-0123456789abcdef0", "subnet-01234567",
    ]  # fmt: skip
