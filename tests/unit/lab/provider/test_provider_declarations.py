"""What single types add to their declarations: drift, limits, natural keys, calls."""

from __future__ import annotations

from typing import Any

import pytest
from provider_cases.alarms import CALCULATED_METRIC
from scripted_aws import Scripted

from lab.provider import decisions
from lab.provider.registry import resource_type
from pulumi_protocol.values import UNKNOWN

ACCEPTER = "aws:ec2/vpcPeeringConnectionAccepter:VpcPeeringConnectionAccepter"
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
ASSOCIATION = "aws:ec2/routeTableAssociation:RouteTableAssociation"
BALANCER = "aws:lb/loadBalancer:LoadBalancer"
BUCKET = "aws:s3/bucket:Bucket"
CLUSTER = "aws:rds/cluster:Cluster"
EGRESS = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
FUNCTION = "aws:lambda/function:Function"
GROUP = "aws:ec2/securityGroup:SecurityGroup"
KEY = "aws:kms/key:Key"
LISTENER = "aws:lb/listener:Listener"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
NAT = "aws:ec2/natGateway:NatGateway"
PARAMETERS = "aws:rds/clusterParameterGroup:ClusterParameterGroup"
PEERING = "aws:ec2/vpcPeeringConnection:VpcPeeringConnection"
PERMISSION = "aws:lambda/permission:Permission"
PLAN = "aws:backup/plan:Plan"
QUEUE_POLICY = "aws:sqs/queuePolicy:QueuePolicy"
RECORD = "aws:route53/record:Record"
ROLE_POLICY = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
RULE = "aws:lb/listenerRule:ListenerRule"
SECRET = "aws:secretsmanager/secret:Secret"
SECRET_VERSION = "aws:secretsmanager/secretVersion:SecretVersion"
SELECTION = "aws:backup/selection:Selection"
SUBNET_GROUP = "aws:rds/subnetGroup:SubnetGroup"
SUBSCRIPTION = "aws:sns/topicSubscription:TopicSubscription"
TARGET = "aws:cloudwatch/eventTarget:EventTarget"
TARGET_GROUP = "aws:lb/targetGroup:TargetGroup"
TOPIC_POLICY = "aws:sns/topicPolicy:TopicPolicy"
VAULT = "aws:backup/vault:Vault"
VERSIONING = "aws:s3/bucketVersioning:BucketVersioning"
VPC = "aws:ec2/vpc:Vpc"
VPC_ENDPOINT = "aws:ec2/vpcEndpoint:VpcEndpoint"
ZONE = "aws:route53/zone:Zone"


def short(value: Any) -> str:
    """Ids of cases: the type's name."""
    is_type = isinstance(value, str) and value.startswith("aws:")
    return value.rpartition(":")[2] if is_type else ""


METRIC = {"Id": "m1", "Expression": "m2 / m3"}
ONE_LOG = {"access_logs.s3.enabled": "false", "access_logs.s3.bucket": "logs"}


@pytest.mark.parametrize(
    ("token", "raw", "key", "written", "seen"),
    [
        (ALARM, {"Dimensions": [{"Name": "A", "Value": "b"}]}, "dimensions", {"A": "c"},
         {"A": "b"}),
        (ALARM, {}, "dimensions", {"A": "c"}, {}),
        (ALARM, {"Metrics": [METRIC]}, "metricQueries", CALCULATED_METRIC,
         [{"id": "m1", "expression": "m2 / m3"}]),
        (BALANCER, {"attributes": ONE_LOG}, "accessLogs", {"enabled": True, "bucket": "logs"},
         {"enabled": False, "bucket": "logs"}),
        (BALANCER, {"attributes": {"client_keep_alive.seconds": "3600"}}, "clientKeepAlive", 180,
         3600),
        (TARGET_GROUP, {"HealthCheckPath": "/", "HealthCheckEnabled": False}, "healthCheck",
         {"path": "/health", "enabled": True, "matcher": "200"},
         {"path": "/", "enabled": False, "matcher": "200"}),
        (LISTENER, {"Certificates": [{"CertificateArn": "b"}]}, "certificateArn", "a", "b"),
        (LISTENER, {}, "certificateArn", "a", "a"),
        (CLUSTER, {"KmsKeyId": "arn:aws:kms:us-east-1:0:key/k"}, "kmsKeyId", "k", "k"),
        (EGRESS, {"IpProtocol": "-1", "FromPort": -1}, "fromPort", 0, 0),
        (GROUP, {"GroupId": "g", "IpPermissions": [{"IpProtocol": "-1", "IpRanges": [
            {"CidrIp": "192.0.2.0/24", "Description": "office"}]}]}, "ingress", [],
         [{"protocol": "-1", "fromPort": 0, "toPort": 0, "cidrBlocks": ["192.0.2.0/24"],
           "description": "office"}]),
        (PERMISSION, {"Principal": "*"}, "principal", "*", "*"),
        (PERMISSION, {"Principal": {"AWS": "arn:aws:iam::012345678901:root"}}, "principal",
         "012345678901", "012345678901"),
        (PERMISSION, {}, "sourceArn", "a", "a"),
        (PERMISSION, {"Condition": {"StringEquals": {"AWS:SourceAccount": "0"},
                                    "ArnLike": {"AWS:SourceArn": "b"}}}, "sourceArn", "a", "b"),
        (SECRET_VERSION, {"SecretString": "y"}, "secretString", "x", "y"),
        (SECRET_VERSION, {"SecretString": "y"}, "secretId", "x", "x"),
    ],
    ids=short,
)  # fmt: skip
def test_drift_is_what_aws_has_otherwise(
    token: str, raw: dict[str, Any], key: str, written: Any, seen: Any
) -> None:
    """Refresh: a change behind the program's back shows in the program's own form; what AWS
    merely says in other words doesn't."""
    assert resource_type(token).drift(Scripted(), raw, key, written) == seen


def test_parameters_reset_by_others_are_drift() -> None:
    """Refresh: a parameter that AWS no longer has from a user is missing, another value shows."""
    written = [{"name": "a", "value": "1"}, {"name": "b", "value": "1"}]
    raw = {"DBClusterParameterGroupName": "p"}
    kind = resource_type(PARAMETERS)
    for answered, seen in (
        ([], []),
        ([{"ParameterName": "b", "ParameterValue": "2"}], [{"name": "b", "value": "2"}]),
    ):
        aws = Scripted({"DescribeDBClusterParameters": {"Parameters": answered}})
        assert kind.drift(aws, raw, "parameters", written) == seen


LAMBDA_GROUP = {"name": "a", "targetType": "lambda"}


@pytest.mark.parametrize(
    ("token", "inputs", "places"),
    [
        (BALANCER, {"name": "a", "accessLogs": {"bucket": "b", "colour": "red"}},
         ["accessLogs.colour"]),
        (BALANCER, {"name": "a", "accessLogs": UNKNOWN}, []),
        (BALANCER, {"name": UNKNOWN}, []),
        (BALANCER, {"name": "-a"}, ["name"]),
        (BALANCER, {"name": "a_b"}, ["name"]),
        (TARGET_GROUP, {**LAMBDA_GROUP, "healthCheck": {"protocol": "HTTP"}},
         ["healthCheck.protocol"]),
        (TARGET_GROUP, {**LAMBDA_GROUP, "healthCheck": {"interval": 10, "timeout": 10}},
         ["healthCheck.timeout"]),
        (TARGET_GROUP, {**LAMBDA_GROUP, "healthCheck": {"interval": 10, "colour": 1}},
         ["healthCheck.colour"]),
        (PEERING, {"vpcId": "a", "peerVpcId": "b", "peerRegion": "us-west-2", "autoAccept": True},
         ["autoAccept"]),
        (RECORD, {"zoneId": "Z", "name": "a", "type": "A", "ttl": 60, "aliases": [{"name": "b"}]},
         ["aliases"]),
        (RULE, {"conditions": [{"colour": {}}]}, ["conditions.colour"]),
        (TARGET, {"deadLetterConfig": {"queue": "q"}}, ["deadLetterConfig.queue"]),
        (QUEUE_POLICY, {"queueUrl": "q", "policy": {"Version": "x"}}, ["policy"]),
        (ALARM, {"name": "a", "dimensions": UNKNOWN}, []),
        (GROUP, {"name": "a", "ingress": [{"colour": 1}]}, ["ingress.colour"]),
        (VERSIONING, {"bucket": "b", "versioningConfiguration": {"colour": 1}},
         ["versioningConfiguration.colour"]),
    ],
    ids=short,
)  # fmt: skip
def test_what_aws_would_refuse_fails_in_check(
    token: str, inputs: dict[str, Any], places: list[str]
) -> None:
    """Traps 17, 18, 21: limits that are cheap to check early are reported by the input's name; what
    a preview doesn't know yet is no failure."""
    failures = decisions.failures(resource_type(token), inputs, {}, "us-east-1")
    assert [place for place, _ in failures] == places


OTHERS = {"Name": "other", "EnvironmentSuffix": "other"}
OURS = {"tagsAll": {"Name": "one", "EnvironmentSuffix": "one"}}
CARRIED = [{"Key": key, "Value": value} for key, value in OURS["tagsAll"].items()]


@pytest.mark.parametrize(
    ("token", "inputs", "answers", "pages"),
    [
        (PLAN, {"name": "a"}, {}, {"list_backup_plans": [
            {"BackupPlansList": [{"BackupPlanName": "b", "BackupPlanId": "1"}]}]}),
        (SELECTION, {"planId": "1", "name": "a"}, {"ListBackupSelections": {
            "BackupSelectionsList": [{"SelectionName": "b", "SelectionId": "1"}]}}, {}),
        (VPC, {"cidrBlock": "10.0.0.0/16"}, {}, {}),
        (NAT, {"subnetId": "s", **OURS}, {"DescribeNatGateways": {"NatGateways": [
            {"NatGatewayId": "1", "State": "deleted", "Tags": CARRIED}]}}, {}),
        (ASSOCIATION, {"subnetId": "s", "routeTableId": "mine"}, {"DescribeRouteTables": {
            "RouteTables": [{"RouteTableId": "empty"}, {"RouteTableId": "other", "Associations": [
                {"SubnetId": "t"}, {"SubnetId": "s", "RouteTableAssociationId": "1"}]}]}}, {}),
        (ASSOCIATION, {"subnetId": "s", "routeTableId": "mine"}, {"DescribeRouteTables": {
            "RouteTables": [{"RouteTableId": "mine", "Associations": [{"SubnetId": "t"}]}]}}, {}),
        (EGRESS, {"securityGroupId": "g", "ipProtocol": "-1"}, {"DescribeSecurityGroupRules": {
            "SecurityGroupRules": [{"IsEgress": False, "IpProtocol": "-1"}]}}, {}),
        (GROUP, {"name": "a"}, {"DescribeSecurityGroups": {"SecurityGroups": []}}, {}),
        (LISTENER, {"loadBalancerArn": "b", "port": 80}, {"DescribeListeners": {
            "Listeners": [{"Port": 443, "ListenerArn": "1"}]}}, {}),
        (RULE, {"listenerArn": "l", "priority": 1}, {"DescribeRules": {
            "Rules": [{"Priority": "2", "RuleArn": "1"}]}}, {}),
        (TARGET, {"rule": "r", "targetId": "a"}, {"ListTargetsByRule": {
            "Targets": [{"Id": "b"}]}}, {}),
        ("aws:lb/targetGroupAttachment:TargetGroupAttachment",
         {"targetGroupArn": "g", "targetId": "a"}, {"DescribeTargetHealth": {
             "TargetHealthDescriptions": [
                 {"Target": {"Id": "b"}},
                 {"Target": {"Id": "a"}, "TargetHealth": {"State": "draining"}}]}}, {}),
        (ROLE_POLICY, {"role": "r", "policyArn": "a"}, {"ListAttachedRolePolicies": {
            "AttachedPolicies": [{"PolicyArn": "b"}]}}, {}),
        (KEY, OURS, {"ListResourceTags": {"Tags": [{"TagKey": "Name", "TagValue": "other"}]}},
         {"list_keys": [{"Keys": [{"KeyId": "1"}]}]}),
        (LOG_GROUP, {"name": "/a"}, {"DescribeLogGroups": {
            "logGroups": [{"logGroupName": "/ab"}]}}, {}),
        (PERMISSION, {"function": "f", "statementId": "a"}, {"GetPolicy": {
            "Policy": '{"Statement": [{"Sid": "b"}]}'}}, {}),
        (SUBSCRIPTION, {"topic": "t", "protocol": "email", "endpoint": "a@example.org"},
         {"ListSubscriptionsByTopic": {"Subscriptions": [
             {"Protocol": "email", "Endpoint": "a@example.org",
              "SubscriptionArn": "PendingConfirmation"}]}}, {}),
        (ZONE, {"name": "b.org", **OURS}, {
            "ListHostedZonesByName": {"HostedZones": [
                {"Name": "b.org.", "Id": "/hostedzone/1"},
                {"Name": "c.org.", "Id": "/hostedzone/2"}]},
            "ListTagsForResource": {"ResourceTagSet": {"Tags": [
                {"Key": key, "Value": value} for key, value in OTHERS.items()]}}}, {}),
        (VERSIONING, {"bucket": "b"}, {"GetBucketVersioning": {}}, {}),
        (BUCKET + "Policy", {"bucket": "b"}, {"GetBucketPolicy": {}}, {}),
    ],
    ids=short,
)  # fmt: skip
def test_another_resource_is_not_taken_for_ours(
    token: str, inputs: dict[str, Any], answers: dict[str, Any], pages: dict[str, Any]
) -> None:
    """N7: what an interrupted creation left is found by its natural key; a neighbour never is."""
    token = token.replace("s3/bucket:BucketPolicy", "s3/bucketPolicy:BucketPolicy")
    aws = Scripted({**answers, "GetCallerIdentity": {"Account": "0"}}, pages)
    assert resource_type(token).look_up(aws, inputs) is None


CHECKED_RULE = {"securityGroupId": "g", "ipProtocol": "tcp", "fromPort": 80, "toPort": 80}
POINTS = {"RecoveryPoints": [{"RecoveryPointArn": "p"}]}


@pytest.mark.parametrize(
    ("token", "before", "after", "made"),
    [
        (EGRESS, CHECKED_RULE, {**CHECKED_RULE, "description": "web"}, [
            ("ModifySecurityGroupRules", {"GroupId": "g", "SecurityGroupRules": [{
                "SecurityGroupRuleId": "x", "SecurityGroupRule": {
                    "IpProtocol": "tcp", "FromPort": 80, "ToPort": 80,
                    "Description": "web"}}]})]),
        (VPC_ENDPOINT, {"subnetIds": ["a", "b"], "securityGroupIds": ["g"]},
         {"subnetIds": ["b", "c"], "routeTableIds": ["t"], "securityGroupIds": ["g"]}, [
            ("ModifyVpcEndpoint", {"VpcEndpointId": "x", "AddRouteTableIds": ["t"],
                                   "AddSubnetIds": ["c"], "RemoveSubnetIds": ["a"]})]),
        (VPC_ENDPOINT, {"subnetIds": ["a"]}, {"subnetIds": ["a"], "privateDnsEnabled": True}, [
            ("ModifyVpcEndpoint", {"VpcEndpointId": "x", "PrivateDnsEnabled": True})]),
        (CLUSTER, {"port": 5432}, {"port": 5433}, [
            ("ModifyDBCluster", {"DBClusterIdentifier": "x", "ApplyImmediately": True,
                                 "Port": 5433})]),
        (PARAMETERS, {"parameters": [{"name": "a", "value": "1"}]}, {"parameters": []}, [
            ("ResetDBClusterParameterGroup", {"DBClusterParameterGroupName": "x", "Parameters": [
                {"ParameterName": "a", "ParameterValue": "1", "ApplyMethod": "immediate"}]})]),
        (SUBNET_GROUP, {"subnetIds": ["a"], "description": "one"},
         {"subnetIds": ["a"], "description": "two"}, [
            ("ModifyDBSubnetGroup", {"DBSubnetGroupName": "x", "SubnetIds": ["a"],
                                     "DBSubnetGroupDescription": "two"})]),
        (BALANCER, {"idleTimeout": 120, "enableZonalShift": True}, {}, [
            ("ModifyLoadBalancerAttributes", {"LoadBalancerArn": "x", "Attributes": [
                {"Key": "idle_timeout.timeout_seconds", "Value": "60"}]})]),
        (TARGET_GROUP, {"name": "a"}, {"name": "a", "deregistrationDelay": 5}, [
            ("ModifyTargetGroupAttributes", {"TargetGroupArn": "x", "Attributes": [
                {"Key": "deregistration_delay.timeout_seconds", "Value": "5"}]})]),
        (LISTENER, {"certificateArn": "a"}, {"certificateArn": "b"}, [
            ("ModifyListener", {"ListenerArn": "x", "Certificates": [{"CertificateArn": "b"}]})]),
        (KEY, {"enableKeyRotation": False}, {"enableKeyRotation": True}, [
            ("EnableKeyRotation", {"KeyId": "x"})]),
        (ZONE, {}, {"enableAcceleratedRecovery": True}, [
            ("UpdateHostedZoneFeatures", {"HostedZoneId": "x",
                                          "EnableAcceleratedRecovery": True})]),
        (TOPIC_POLICY, {"policy": "a"}, {"policy": "b"}, [
            ("SetTopicAttributes", {"TopicArn": "x", "AttributeName": "Policy",
                                    "AttributeValue": "b"})]),
        (SUBSCRIPTION, {"rawMessageDelivery": True}, {"filterPolicy": "{}"}, [
            ("SetSubscriptionAttributes", {"SubscriptionArn": "x", "AttributeName": "FilterPolicy",
                                           "AttributeValue": "{}"}),
            ("SetSubscriptionAttributes", {
                "SubscriptionArn": "x", "AttributeName": "RawMessageDelivery",
                "AttributeValue": "false"})]),
    ],
    ids=short,
)  # fmt: skip
def test_an_update_calls_for_what_changed_and_nothing_else(
    token: str, before: dict[str, Any], after: dict[str, Any], made: list[Any]
) -> None:
    """R2.4: one change is one call with AWS's own parameters; what is no longer declared goes back
    to AWS's default."""
    aws = Scripted()
    changed = sorted(key for key in {*before, *after} if before.get(key) != after.get(key))
    resource_type(token).update(aws, "x", before, after, changed, {})
    assert aws.made == made


@pytest.mark.parametrize(
    ("token", "props", "answers", "pages", "made"),
    [
        (VAULT, {"forceDestroy": True}, {"ListRecoveryPointsByBackupVault": POINTS}, {},
         ["ListRecoveryPointsByBackupVault", "DeleteRecoveryPoint", "DeleteBackupVault"]),
        (VAULT, {}, {"ListRecoveryPointsByBackupVault": POINTS}, {}, ["DeleteBackupVault"]),
        (SECRET_VERSION, {"secretId": "s"}, {"GetSecretValue": {
            "VersionStages": ["AWSCURRENT", "OLD"]}}, {},
         ["GetSecretValue", "UpdateSecretVersionStage"]),
        (ZONE, {"name": "b.org", "forceDestroy": True}, {
            "GetHostedZone": {"HostedZone": {"Name": "b.org."}}}, {
            "list_resource_record_sets": [{"ResourceRecordSets": [
                {"Name": "b.org.", "Type": "NS"}, {"Name": "a.b.org.", "Type": "A"}]}]},
         ["ChangeResourceRecordSets", "DeleteHostedZone"]),
    ],
    ids=short,
)  # fmt: skip
def test_a_deletion_takes_what_would_hold_it(
    token: str,
    props: dict[str, Any],
    answers: dict[str, Any],
    pages: dict[str, Any],
    made: list[str],
) -> None:
    """Trap 31, R9.3: what others put into it goes first where the program says so."""
    aws = Scripted(answers, pages)
    resource_type(token).delete(aws, "x", props)
    assert [operation for operation, _ in aws.made if operation in made] == made
    assert aws.made[-1][0] == made[-1]


def test_a_rule_without_priority_gets_the_next_one() -> None:
    """pulumi-aws gives the lowest free number above all others; "default" is none."""
    aws = Scripted({
        "DescribeRules": {"Rules": [{"Priority": "default"}, {"Priority": "7"}]},
        "CreateRule": {"Rules": [{"RuleArn": "r"}]},
    })  # fmt: skip
    assert resource_type(RULE).create(aws, {"listenerArn": "l", "conditions": []}) == "r"
    assert aws.made[-1][1]["Priority"] == 8


def test_a_record_is_named_from_its_zone_and_read_from_its_id() -> None:
    """pulumi-aws: an empty name is the zone's own; an id that is none names no record."""
    kind: Any = resource_type(RECORD)
    aws = Scripted({"GetHostedZone": {"HostedZone": {"Name": "b.org."}}})
    made = [
        kind.record_set(aws, {"zoneId": "Z", "name": name, "type": "A"})["Name"]
        for name in ("", "a", "a.b.org.", "b.org")
    ]
    assert made == ["b.org", "a.b.org", "a.b.org", "b.org"]
    assert kind.describe(aws, "nonsense", {}) is None


def test_a_function_s_concurrency_is_reserved_later() -> None:
    """R2.4: a reservation that the program adds is made by the next update."""
    aws = Scripted({"GetFunction": {"Configuration": {"State": "Active"}}})
    changed = ["reservedConcurrentExecutions"]
    resource_type(FUNCTION).update(aws, "f", {}, {changed[0]: 3}, changed, {})
    assert aws.made[-1] == (
        "PutFunctionConcurrency", {"FunctionName": "f", "ReservedConcurrentExecutions": 3},
    )  # fmt: skip


def test_a_secret_s_replica_under_another_key_is_made_anew() -> None:
    """Trap 4: AWS changes no replica's key: it is withdrawn and replicated again."""
    aws = Scripted({"DescribeSecret": {"ARN": "a"}})
    before, after = ({"replicas": [{"region": "us-west-2", "kmsKeyId": key}]} for key in "ab")
    resource_type(SECRET).update(aws, "a", before, after, ["replicas"], {})
    made = [operation for operation, _ in aws.made if operation != "DescribeSecret"]
    assert made == ["RemoveRegionsFromReplication", "ReplicateSecretToRegions"]
    assert aws.made[-1][1]["AddReplicaRegions"] == [{"Region": "us-west-2", "KmsKeyId": "b"}]


def test_a_key_made_disabled_is_disabled() -> None:
    """R2.4: AWS makes keys enabled; the program's word is kept from the start."""
    aws = Scripted()
    resource_type(KEY).finish(aws, "k", {"isEnabled": False})
    assert aws.made == [("DisableKey", {"KeyId": "k"})]


def test_a_peering_is_accepted_where_and_when_the_program_says_so() -> None:
    """Trap 21: inside one region by the requester; otherwise by the accepter, also when that is
    said later, and never twice."""
    pending = {"VpcPeeringConnections": [{"Status": {"Code": "pending-acceptance"}}]}
    accept = ("AcceptVpcPeeringConnection", {"VpcPeeringConnectionId": "pcx"})
    states = iter([pending, pending, {"VpcPeeringConnections": [{"Status": {"Code": "active"}}]}])
    aws = Scripted({"DescribeVpcPeeringConnections": pending})
    resource_type(PEERING).finish(aws, "pcx", {"autoAccept": True})
    assert aws.made[-1] == accept

    class Advancing(Scripted):
        def call(self, service: str, operation: str, *rest: Any, **more: Any) -> dict[str, Any]:
            if operation.startswith("Describe"):
                self.answers[operation] = next(states, self.answers.get(operation))
            return super().call(service, operation, *rest, **more)

    aws, kind = Advancing(), resource_type(ACCEPTER)
    kind.update(aws, "pcx", {}, {"autoAccept": True}, ["autoAccept"], {})
    assert [call for call in aws.made if call == accept] == [accept]
    kind.update(aws, "pcx", {"autoAccept": True}, {"autoAccept": True}, ["autoAccept"], {})
    kind.update(aws, "pcx", {}, {"autoAccept": True, "tagsAll": {}}, ["tagsAll"], {})
    assert [call for call in aws.made if call == accept] == [accept]


def test_a_secret_version_changes_by_another_version() -> None:
    """Trap 3: a value is never overwritten in place."""
    kind = resource_type(SECRET_VERSION)
    assert all(kind.replaces(key) for key in ("secretId", "secretString"))
    assert all(resource_type(ASSOCIATION).replaces(key) for key in ("subnetId",))


def test_objects_that_may_not_be_deleted_are_named_and_tags_may_all_go() -> None:
    """R4.1, R9.3: DeleteObjects answers refusals with HTTP 200; a bucket can lose every tag."""
    aws = Scripted({
        "DeleteBucket": "BucketNotEmpty: not empty",
        "ListObjectVersions": {"Versions": [{"Key": "a", "VersionId": "1"}]},
        "DeleteObjects": {"Errors": [{"Code": "AccessDenied", "Key": "a"}]},
    })  # fmt: skip
    kind = resource_type(BUCKET)
    with pytest.raises(RuntimeError, match="DeleteObjects: AccessDenied: a"):
        kind.delete(aws, "b", {"forceDestroy": True})
    kind.retag(aws, "b", {"tagsAll": {"A": "b"}}, {}, {})
    assert aws.made[-1] == ("DeleteBucketTagging", {"Bucket": "b"})
