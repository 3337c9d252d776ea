"""One life for every resource type: what it is made with, and what it is changed to."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from provider_client import Resource

from lab.provider import wire

World = dict[str, Resource]
Inputs = Callable[[World], dict[str, Any]]


@dataclass(frozen=True)
class Case:
    """``born``: AWS makes one itself, before the program does. ``got``: its id alone tells
    where it is. ``stays``: its deletion leaves something behind that AWS itself answers."""

    key: str
    token: str
    inputs: Inputs
    changed: Inputs | None = None
    region: str = "us-east-1"
    found: bool = True
    born: bool = False
    got: bool = True
    stays: bool = False


def policy(**statement: Any) -> str:
    body = {"Effect": "Allow", "Action": "*", "Resource": "*", **statement}
    return json.dumps({"Version": "2012-10-17", "Statement": [body]})


def trust(service: str) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sts:AssumeRole",
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def named(label: str, /, **inputs: Any) -> dict[str, Any]:
    return {**inputs, "tags": {"Name": label}}


def code(text: str) -> dict[str, Any]:
    asset = {wire.SIGNATURE: wire.ASSET, "hash": text, "text": f"def handler(e, c): {text}"}
    return {wire.SIGNATURE: wire.ARCHIVE, "hash": text, "assets": {"index.py": asset}}


RULE = {
    "id": "all",
    "status": "Enabled",
    "priority": 1,
    "filter": {"prefix": ""},
    "deleteMarkerReplication": {"status": "Enabled"},
    "destination": {
        "bucket": "arn:aws:s3:::bucket-two",
        "metrics": {"status": "Enabled", "eventThreshold": {"minutes": 15}},
        "replicationTime": {"status": "Enabled", "time": {"minutes": 15}},
    },
    "sourceSelectionCriteria": {
        "sseKmsEncryptedObjects": {"status": "Enabled"},
        "replicaModifications": {"status": "Enabled"},
    },
}


def replication(world: World, priority: int) -> dict[str, Any]:
    key = {"encryptionConfiguration": {"replicaKmsKeyId": world["key"].outputs["arn"]}}
    destination = {**RULE["destination"], **key}
    return {
        "bucket": world["bucket"].id,
        "role": world["role"].outputs["arn"],
        "rules": [{**RULE, "priority": priority, "destination": destination}],
    }


ALARM = {
    "comparisonOperator": "GreaterThanThreshold",
    "evaluationPeriods": 3,
    "threshold": 80,
    "treatMissingData": "missing",
}
HEALTH = {
    "enabled": True,
    "path": "/health",
    "matcher": "200",
    "interval": 30,
    "timeout": 10,
    "healthyThreshold": 2,
    "unhealthyThreshold": 2,
}
CALCULATED_METRIC = [
    {"id": "rate", "expression": "m1 / m2", "label": "rate", "returnData": True},
    *(
        {
            "id": name,
            "metric": {
                "namespace": "AWS/Lambda",
                "metricName": metric,
                "period": 60,
                "stat": "Sum",
                "dimensions": {"FunctionName": "f"},
            },
        }
        for name, metric in (("m1", "Errors"), ("m2", "Invocations"))
    ),
]


def cluster(world: World, **more: Any) -> dict[str, Any]:
    return named(
        "cluster",
        clusterIdentifier="cluster-one",
        engine="aurora-postgresql",
        engineVersion="16.8",
        globalClusterIdentifier=world["global-cluster"].id,
        masterUsername="master",
        masterPassword=wire.secret("not-a-password-1"),
        databaseName="app",
        storageEncrypted=True,
        kmsKeyId=world["key"].outputs["arn"],
        skipFinalSnapshot=True,
        dbSubnetGroupName=world["subnet-group"].id,
        vpcSecurityGroupIds=[world["group"].id],
        dbClusterParameterGroupName=world["cluster-parameters"].id,
        copyTagsToSnapshot=True,
        serverlessv2ScalingConfiguration={"minCapacity": 8, "maxCapacity": 16},
        **{"backupRetentionPeriod": 7, "enabledCloudwatchLogsExports": ["postgresql"], **more},
    )


def function(world: World, body: str, **more: Any) -> dict[str, Any]:
    return named(
        "function",
        name="function-one",
        role=world["role"].outputs["arn"],
        handler="index.handler",
        runtime="python3.12",
        code=code(body),
        publish=True,
        architectures=["arm64"],
        tracingConfig={"mode": "Active"},
        vpcConfig={
            "subnetIds": [world["subnet"].id, world["subnet-b"].id],
            "securityGroupIds": [world["group"].id],
        },
        **{"timeout": 10, "environment": {"variables": {"A": "one"}}, **more},
    )


def balancer(world: World, **more: Any) -> dict[str, Any]:
    return named(
        "alb",
        name="alb-one",
        loadBalancerType="application",
        internal=False,
        securityGroups=[world["group"].id],
        subnets=[world["subnet"].id, world["subnet-b"].id],
        dropInvalidHeaderFields=True,
        enableDeletionProtection=False,
        **more,
    )


def listener(world: World, action: dict[str, Any]) -> dict[str, Any]:
    return named(
        "listener",
        loadBalancerArn=world["balancer"].id,
        port=80,
        protocol="HTTP",
        defaultActions=[action],
    )


def listener_rule(world: World, priority: int, *paths: str) -> dict[str, Any]:
    return named(
        "listener-rule",
        listenerArn=world["listener"].id,
        priority=priority,
        conditions=[{"pathPattern": {"values": list(paths)}}],
        actions=[{"type": "forward", "targetGroupArn": world["target-group"].id}],
    )


def alias_record(world: World) -> dict[str, Any]:
    return {
        "zoneId": world["zone"].id,
        "name": "app",
        "type": "A",
        "setIdentifier": "primary",
        "failoverRoutingPolicies": [{"type": "PRIMARY"}],
        "healthCheckId": world["health-check"].id,
        "aliases": [
            {
                "name": world["balancer"].outputs["dnsName"],
                "zoneId": world["balancer"].outputs["zoneId"],
                "evaluateTargetHealth": True,
            }
        ],
    }


def health_check(**more: Any) -> dict[str, Any]:
    return named(
        "health-check",
        type="HTTP",
        fqdn="a.example.org",
        port=80,
        resourcePath="/health",
        requestInterval=30,
        measureLatency=True,
        **more,
    )


def event_target(world: World, **more: Any) -> dict[str, Any]:
    return {
        "rule": "rule-one",
        "eventBusName": "bus-one",
        "targetId": "queue",
        "arn": world["queue"].outputs["arn"],
        "retryPolicy": {"maximumEventAgeInSeconds": 86400, "maximumRetryAttempts": 185},
        **more,
    }


def plan(hour: int) -> dict[str, Any]:
    rule = {
        "ruleName": "daily",
        "targetVaultName": "vault-one",
        "schedule": f"cron(0 {hour} * * ? *)",
        "startWindow": 60,
        "completionWindow": 180,
        "lifecycle": {"deleteAfter": 7},
        "copyActions": [
            {
                "destinationVaultArn": "arn:aws:backup:us-west-2:000000000000:backup-vault:two",
                "lifecycle": {"deleteAfter": 7},
            }
        ],
    }
    return named("plan", name="plan-one", rules=[rule])


def schedule(world: World, **more: Any) -> dict[str, Any]:
    return {
        "name": "schedule-one",
        "flexibleTimeWindow": {"mode": "OFF"},
        "target": {
            "arn": world["function"].outputs["arn"],
            "roleArn": world["role"].outputs["arn"],
            "input": "{}",
            "retryPolicy": {"maximumRetryAttempts": 0, "maximumEventAgeInSeconds": 60},
        },
        **more,
    }


NETWORK = [
    Case(
        "vpc",
        "aws:ec2/vpc:Vpc",
        lambda w: named("vpc", cidrBlock="10.0.0.0/16", enableDnsHostnames=True),
        lambda w: named("vpc", cidrBlock="10.0.0.0/16", enableDnsHostnames=False),
    ),
    Case(
        "subnet",
        "aws:ec2/subnet:Subnet",
        lambda w: named(
            "subnet-a",
            vpcId=w["vpc"].id,
            cidrBlock="10.0.1.0/24",
            availabilityZone="us-east-1a",
            mapPublicIpOnLaunch=True,
        ),
        lambda w: named(
            "subnet-a",
            vpcId=w["vpc"].id,
            cidrBlock="10.0.1.0/24",
            availabilityZone="us-east-1a",
            mapPublicIpOnLaunch=False,
        ),
    ),
    Case(
        "subnet-b",
        "aws:ec2/subnet:Subnet",
        lambda w: named(
            "subnet-b",
            vpcId=w["vpc"].id,
            cidrBlock="10.0.2.0/24",
            availabilityZone="us-east-1b",
        ),
    ),
    Case(
        "internet-gateway",
        "aws:ec2/internetGateway:InternetGateway",
        lambda w: named("igw", vpcId=w["vpc"].id),
    ),
    Case("eip", "aws:ec2/eip:Eip", lambda w: named("eip", domain="vpc")),
    Case(
        "nat",
        "aws:ec2/natGateway:NatGateway",
        lambda w: named("nat", allocationId=w["eip"].id, subnetId=w["subnet"].id),
    ),
    Case("table", "aws:ec2/routeTable:RouteTable", lambda w: named("table", vpcId=w["vpc"].id)),
    Case(
        "route",
        "aws:ec2/route:Route",
        lambda w: {
            "routeTableId": w["table"].id,
            "destinationCidrBlock": "0.0.0.0/0",
            "gatewayId": w["internet-gateway"].id,
        },
        lambda w: {
            "routeTableId": w["table"].id,
            "destinationCidrBlock": "0.0.0.0/0",
            "natGatewayId": w["nat"].id,
        },
    ),
    Case(
        "association",
        "aws:ec2/routeTableAssociation:RouteTableAssociation",
        lambda w: {"routeTableId": w["table"].id, "subnetId": w["subnet"].id},
    ),
    Case(
        "group",
        "aws:ec2/securityGroup:SecurityGroup",
        lambda w: named(
            "group",
            vpcId=w["vpc"].id,
            name="securitygroup-one",
            description="one",
            ingress=[
                {"protocol": "tcp", "fromPort": 80, "toPort": 80, "cidrBlocks": ["0.0.0.0/0"]}
            ],
        ),
        lambda w: named(
            "group",
            vpcId=w["vpc"].id,
            name="securitygroup-one",
            description="one",
            ingress=[{"protocol": "tcp", "fromPort": 81, "toPort": 81, "self": True}],
        ),
    ),
    Case(
        "default-group",
        "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup",
        lambda w: named("default-group", vpcId=w["vpc"].id),
        stays=True,
    ),
    Case(
        "ingress",
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
        lambda w: named(
            "ingress",
            securityGroupId=w["group"].id,
            ipProtocol="tcp",
            fromPort=443,
            toPort=443,
            cidrIpv4="10.1.0.0/16",
            description="peer",
        ),
    ),
    Case(
        "egress",
        "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
        lambda w: named(
            "egress",
            securityGroupId=w["group"].id,
            ipProtocol="-1",
            referencedSecurityGroupId=w["default-group"].id,
        ),
    ),
    Case(
        "gateway-endpoint",
        "aws:ec2/vpcEndpoint:VpcEndpoint",
        lambda w: named(
            "gateway-endpoint",
            vpcId=w["vpc"].id,
            serviceName="com.amazonaws.us-east-1.s3",
            vpcEndpointType="Gateway",
            routeTableIds=[w["table"].id],
        ),
    ),
    Case(
        "interface-endpoint",
        "aws:ec2/vpcEndpoint:VpcEndpoint",
        lambda w: named(
            "interface-endpoint",
            vpcId=w["vpc"].id,
            serviceName="com.amazonaws.us-east-1.sqs",
            vpcEndpointType="Interface",
            subnetIds=[w["subnet"].id],
            securityGroupIds=[w["group"].id],
            privateDnsEnabled=True,
        ),
    ),
    Case(
        "vpc-west",
        "aws:ec2/vpc:Vpc",
        lambda w: named("vpc-west", cidrBlock="10.1.0.0/16"),
        region="us-west-2",
    ),
    Case(
        "peering",
        "aws:ec2/vpcPeeringConnection:VpcPeeringConnection",
        lambda w: named(
            "peering", vpcId=w["vpc"].id, peerVpcId=w["vpc-west"].id, peerRegion="us-west-2"
        ),
    ),
    Case(
        "accepter",
        "aws:ec2/vpcPeeringConnectionAccepter:VpcPeeringConnectionAccepter",
        lambda w: named("accepter", vpcPeeringConnectionId=w["peering"].id, autoAccept=True),
        region="us-west-2",
        stays=True,
    ),
    Case(
        "peering-options",
        "aws:ec2/peeringConnectionOptions:PeeringConnectionOptions",
        lambda w: {
            "vpcPeeringConnectionId": w["accepter"].id,
            "accepter": {"allowRemoteVpcDnsResolution": True},
        },
        lambda w: {
            "vpcPeeringConnectionId": w["accepter"].id,
            "accepter": {"allowRemoteVpcDnsResolution": False},
        },
        region="us-west-2",
        stays=True,
    ),
]

IDENTITY = [
    Case(
        "role",
        "aws:iam/role:Role",
        lambda w: named("role", name="role-one", assumeRolePolicy=trust("lambda.amazonaws.com")),
        lambda w: named(
            "role",
            name="role-one",
            assumeRolePolicy=trust("lambda.amazonaws.com").replace(
                '"lambda.amazonaws.com"',
                '["lambda.amazonaws.com", "scheduler.amazonaws.com", "s3.amazonaws.com"]',
            ),
            maxSessionDuration=7200,
        ),
    ),
    Case(
        "policy",
        "aws:iam/policy:Policy",
        lambda w: named("policy", name="policy-one", policy=policy()),
        lambda w: named("policy", name="policy-one", policy=policy(Sid="All")),
    ),
    Case(
        "attachment",
        "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
        lambda w: {"role": w["role"].id, "policyArn": w["policy"].id},
    ),
    Case(
        "key",
        "aws:kms/key:Key",
        lambda w: named(
            "key",
            description="one",
            enableKeyRotation=True,
            deletionWindowInDays=7,
            multiRegion=True,
            policy=policy(Principal={"AWS": "*"}, Action="kms:*"),
        ),
        lambda w: named(
            "key",
            description="two",
            enableKeyRotation=True,
            deletionWindowInDays=7,
            multiRegion=True,
            policy=policy(Principal={"AWS": "*"}, Action="kms:*", Sid="All"),
        ),
    ),
    Case(
        "key-alias",
        "aws:kms/alias:Alias",
        lambda w: {"name": "alias/one", "targetKeyId": w["key"].id},
    ),
    Case(
        "log-group",
        "aws:cloudwatch/logGroup:LogGroup",
        lambda w: named("logs", name="/lab/one", retentionInDays=7),
        lambda w: named("logs", name="/lab/one", retentionInDays=14),
    ),
    Case(
        "flow-log",
        "aws:ec2/flowLog:FlowLog",
        lambda w: named(
            "flow-log",
            vpcId=w["vpc"].id,
            trafficType="ALL",
            logDestinationType="cloud-watch-logs",
            logDestination=w["log-group"].outputs["arn"],
            iamRoleArn=w["role"].outputs["arn"],
            maxAggregationInterval=60,
        ),
    ),
]

DATA = [
    Case(
        "subnet-group",
        "aws:rds/subnetGroup:SubnetGroup",
        lambda w: named(
            "subnets", name="subnets-one", subnetIds=[w["subnet"].id, w["subnet-b"].id]
        ),
    ),
    Case(
        "cluster-parameters",
        "aws:rds/clusterParameterGroup:ClusterParameterGroup",
        lambda w: named(
            "parameters",
            name="parameters-one",
            family="aurora-postgresql16",
            parameters=[{"name": "rds.force_ssl", "value": "1"}],
        ),
        lambda w: named(
            "parameters",
            name="parameters-one",
            family="aurora-postgresql16",
            parameters=[{"name": "rds.force_ssl", "value": "0"}],
        ),
    ),
    Case(
        "global-cluster",
        "aws:rds/globalCluster:GlobalCluster",
        lambda w: named(
            "global",
            globalClusterIdentifier="global-one",
            engine="aurora-postgresql",
            engineVersion="16.8",
            storageEncrypted=True,
        ),
    ),
    Case(
        "cluster",
        "aws:rds/cluster:Cluster",
        cluster,
        lambda w: cluster(w, backupRetentionPeriod=8, enabledCloudwatchLogsExports=[]),
    ),
    Case(
        "instance",
        "aws:rds/clusterInstance:ClusterInstance",
        lambda w: named(
            "instance",
            identifier="instance-one",
            clusterIdentifier=w["cluster"].id,
            engine="aurora-postgresql",
            instanceClass="db.r6g.large",
            autoMinorVersionUpgrade=False,
            applyImmediately=True,
        ),
        lambda w: named(
            "instance",
            identifier="instance-one",
            clusterIdentifier=w["cluster"].id,
            engine="aurora-postgresql",
            instanceClass="db.r6g.xlarge",
            autoMinorVersionUpgrade=False,
            applyImmediately=True,
        ),
    ),
    Case(
        "secret",
        "aws:secretsmanager/secret:Secret",
        lambda w: named(
            "secret", name="secret-one", recoveryWindowInDays=0, replicas=[{"region": "us-west-2"}]
        ),
        lambda w: named("secret", name="secret-one", recoveryWindowInDays=0, description="two"),
    ),
    Case(
        "secret-version",
        "aws:secretsmanager/secretVersion:SecretVersion",
        lambda w: {"secretId": w["secret"].id, "secretString": wire.secret('{"a": 1}')},
        stays=True,
    ),
    Case(
        "bucket",
        "aws:s3/bucket:Bucket",
        lambda w: named("bucket", bucket="bucket-one", forceDestroy=True),
        lambda w: {"bucket": "bucket-one", "forceDestroy": True, "tags": {"Other": "x"}},
    ),
    Case(
        "bucket-two",
        "aws:s3/bucket:Bucket",
        lambda w: named("bucket-two", bucket="bucket-two", forceDestroy=True),
    ),
    *(
        Case(
            f"{bucket}-versioning",
            "aws:s3/bucketVersioning:BucketVersioning",
            lambda w, bucket=bucket: {
                "bucket": w[bucket].id,
                "versioningConfiguration": {"status": "Enabled"},
            },
            stays=True,
        )
        for bucket in ("bucket", "bucket-two")
    ),
    Case(
        "bucket-replication",
        "aws:s3/bucketReplicationConfig:BucketReplicationConfig",
        lambda w: replication(w, 1),
        lambda w: replication(w, 2),
    ),
    Case(
        "bucket-lifecycle",
        "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        lambda w: {
            "bucket": w["bucket"].id,
            "rules": [
                {
                    "id": "old",
                    "status": "Enabled",
                    "filter": {"prefix": ""},
                    "noncurrentVersionExpiration": {"noncurrentDays": 30},
                    "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7},
                    "transitions": [{"days": 30, "storageClass": "STANDARD_IA"}],
                }
            ],
        },
        lambda w: {
            "bucket": w["bucket"].id,
            "rules": [
                {
                    "id": "old",
                    "status": "Enabled",
                    "filter": {"prefix": ""},
                    "expiration": {"days": 60},
                }
            ],
        },
    ),
    Case(
        "bucket-encryption",
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        lambda w: {
            "bucket": w["bucket"].id,
            "rules": [
                {
                    "applyServerSideEncryptionByDefault": {
                        "sseAlgorithm": "aws:kms",
                        "kmsMasterKeyId": w["key"].outputs["arn"],
                    },
                    "bucketKeyEnabled": True,
                }
            ],
        },
        stays=True,
    ),
    Case(
        "bucket-access",
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        lambda w: {"bucket": w["bucket"].id, "blockPublicAcls": True, "blockPublicPolicy": True},
        lambda w: {"bucket": w["bucket"].id, "blockPublicAcls": True, "blockPublicPolicy": False},
    ),
    Case(
        "bucket-ownership",
        "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
        lambda w: {
            "bucket": w["bucket"].id,
            "rule": {"objectOwnership": "BucketOwnerEnforced"},
        },
        born=True,
    ),
    Case(
        "bucket-policy",
        "aws:s3/bucketPolicy:BucketPolicy",
        lambda w: {
            "bucket": w["bucket"].id,
            "policy": policy(Principal="*", Resource="arn:aws:s3:::bucket-one/*"),
        },
    ),
    Case(
        "bucket-logging",
        "aws:s3/bucketLogging:BucketLogging",
        lambda w: {
            "bucket": w["bucket"].id,
            "targetBucket": w["bucket-two"].id,
            "targetPrefix": "logs/",
        },
    ),
    Case(
        "parameter",
        "aws:ssm/parameter:Parameter",
        lambda w: named("parameter", name="/lab/one", type="String", value=wire.secret("one")),
        lambda w: named("parameter", name="/lab/one", type="String", value=wire.secret("two")),
    ),
    Case(
        "vault",
        "aws:backup/vault:Vault",
        lambda w: named(
            "vault", name="vault-one", kmsKeyArn=w["key"].outputs["arn"], forceDestroy=True
        ),
    ),
    Case("plan", "aws:backup/plan:Plan", lambda w: plan(5), lambda w: plan(6)),
    Case(
        "selection",
        "aws:backup/selection:Selection",
        lambda w: {
            "name": "selection-one",
            "planId": w["plan"].id,
            "iamRoleArn": w["role"].outputs["arn"],
            "selectionTags": [{"type": "STRINGEQUALS", "key": "Backup", "value": "yes"}],
        },
        got=False,
    ),
]

APPLICATION = [
    Case(
        "queue",
        "aws:sqs/queue:Queue",
        lambda w: named("queue", name="queue-one", messageRetentionSeconds=1209600),
        lambda w: named("queue", name="queue-one", visibilityTimeoutSeconds=60),
    ),
    Case(
        "queue-two",
        "aws:sqs/queue:Queue",
        lambda w: named("queue-two", name="queue-two", sqsManagedSseEnabled=True),
    ),
    Case(
        "queue-policy",
        "aws:sqs/queuePolicy:QueuePolicy",
        lambda w: {"queueUrl": w["queue"].id, "policy": policy(Principal="*")},
        lambda w: {"queueUrl": w["queue"].id, "policy": policy(Principal="*", Sid="All")},
    ),
    Case(
        "function",
        "aws:lambda/function:Function",
        lambda w: function(w, "return e"),
        lambda w: function(w, "return [e]", timeout=11, environment={"variables": {"A": "two"}}),
    ),
    Case(
        "permission",
        "aws:lambda/permission:Permission",
        lambda w: {
            "function": w["function"].id,
            "action": "lambda:InvokeFunction",
            "principal": "events.amazonaws.com",
            "sourceArn": "arn:aws:events:us-east-1:000000000000:rule/one",
        },
        got=False,
    ),
    Case(
        "invocation",
        "aws:lambda/invocation:Invocation",
        lambda w: {"functionName": w["function"].id, "input": '{"a": 1}'},
        found=False,
        stays=True,
    ),
    Case(
        "invoke-config",
        "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig",
        lambda w: {
            "functionName": w["function"].id,
            "maximumRetryAttempts": 1,
            "destinationConfig": {"onFailure": {"destination": w["queue"].outputs["arn"]}},
        },
        lambda w: {
            "functionName": w["function"].id,
            "maximumRetryAttempts": 2,
            "destinationConfig": {"onFailure": {"destination": w["queue"].outputs["arn"]}},
        },
    ),
    Case(
        "function-alias",
        "aws:lambda/alias:Alias",
        lambda w: {"functionName": w["function"].id, "name": "live", "functionVersion": "1"},
    ),
    Case(
        "balancer",
        "aws:lb/loadBalancer:LoadBalancer",
        lambda w: balancer(w, clientKeepAlive=180),
        lambda w: balancer(w, clientKeepAlive=190),
    ),
    Case(
        "target-group",
        "aws:lb/targetGroup:TargetGroup",
        lambda w: named("tg", name="tg-one", targetType="lambda", healthCheck=HEALTH),
        lambda w: named(
            "tg", name="tg-one", targetType="lambda", healthCheck={**HEALTH, "path": "/other"}
        ),
    ),
    Case(
        "lb-permission",
        "aws:lambda/permission:Permission",
        lambda w: {
            "function": w["function"].id,
            "action": "lambda:InvokeFunction",
            "principal": "elasticloadbalancing.amazonaws.com",
            "sourceArn": w["target-group"].id,
        },
        got=False,
    ),
    Case(
        "target",
        "aws:lb/targetGroupAttachment:TargetGroupAttachment",
        lambda w: {
            "targetGroupArn": w["target-group"].id,
            "targetId": w["function"].outputs["arn"],
        },
    ),
    Case(
        "listener",
        "aws:lb/listener:Listener",
        lambda w: listener(w, {"type": "forward", "targetGroupArn": w["target-group"].id}),
        lambda w: listener(
            w,
            {
                "type": "redirect",
                "redirect": {"protocol": "HTTPS", "port": "443", "statusCode": "HTTP_301"},
            },
        ),
    ),
    Case(
        "listener-rule",
        "aws:lb/listenerRule:ListenerRule",
        lambda w: listener_rule(w, 1, "/health"),
        lambda w: listener_rule(w, 2, "/health", "/failover-switch"),
    ),
    Case(
        "schedule",
        "aws:scheduler/schedule:Schedule",
        lambda w: schedule(w, scheduleExpression="rate(1 minute)"),
        lambda w: schedule(w, scheduleExpression="rate(2 minutes)", state="DISABLED"),
    ),
]

GLOBAL = [
    Case(
        "zone",
        "aws:route53/zone:Zone",
        lambda w: named("zone", name="one.example.org", forceDestroy=True, comment="one"),
        lambda w: named("zone", name="one.example.org", forceDestroy=True, comment="two"),
    ),
    Case(
        "health-check",
        "aws:route53/healthCheck:HealthCheck",
        lambda w: health_check(failureThreshold=3, regions=["us-east-1", "us-west-1", "us-west-2"]),
        lambda w: health_check(failureThreshold=2, invertHealthcheck=True),
    ),
    Case(
        "calculated",
        "aws:route53/healthCheck:HealthCheck",
        lambda w: named(
            "calculated",
            type="CALCULATED",
            childHealthchecks=[w["health-check"].id],
            childHealthThreshold=1,
        ),
    ),
    Case("alias-record", "aws:route53/record:Record", alias_record),
    Case(
        "text-record",
        "aws:route53/record:Record",
        lambda w: {
            "zoneId": w["zone"].id,
            "name": "text",
            "type": "TXT",
            "ttl": 60,
            "records": ["x"],
        },
        lambda w: {
            "zoneId": w["zone"].id,
            "name": "text",
            "type": "TXT",
            "ttl": 61,
            "records": ["y"],
        },
    ),
    Case(
        "bus",
        "aws:cloudwatch/eventBus:EventBus",
        lambda w: named("bus", name="bus-one", description="one"),
        lambda w: named("bus", name="bus-one", description="two"),
    ),
    Case(
        "bus-policy",
        "aws:cloudwatch/eventBusPolicy:EventBusPolicy",
        lambda w: {
            "eventBusName": w["bus"].id,
            "policy": policy(
                Sid="Account", Principal={"AWS": "000000000000"}, Action="events:PutEvents"
            ),
        },
    ),
    Case(
        "rule",
        "aws:cloudwatch/eventRule:EventRule",
        lambda w: named(
            "rule", name="rule-one", eventBusName=w["bus"].id, eventPattern='{"source": ["a"]}'
        ),
        lambda w: named(
            "rule", name="rule-one", eventBusName=w["bus"].id, eventPattern='{"source": ["b"]}'
        ),
    ),
    Case(
        "event-target",
        "aws:cloudwatch/eventTarget:EventTarget",
        lambda w: event_target(
            w,
            deadLetterConfig={"arn": w["queue-two"].outputs["arn"]},
            inputTransformer={"inputPaths": {"a": "$.detail"}, "inputTemplate": '{"x": <a>}'},
        ),
        event_target,
    ),
    Case(
        "archive",
        "aws:cloudwatch/eventArchive:EventArchive",
        lambda w: {
            "name": "archive-one",
            "eventSourceArn": w["bus"].outputs["arn"],
            "retentionDays": 7,
        },
        lambda w: {
            "name": "archive-one",
            "eventSourceArn": w["bus"].outputs["arn"],
            "retentionDays": 8,
        },
    ),
    Case(
        "topic",
        "aws:sns/topic:Topic",
        lambda w: named("topic", name="topic-one", displayName="one"),
        lambda w: named("topic", name="topic-one", displayName="two"),
    ),
    Case(
        "topic-policy",
        "aws:sns/topicPolicy:TopicPolicy",
        lambda w: {"arn": w["topic"].id, "policy": policy(Principal="*", Action="sns:Publish")},
        stays=True,
    ),
    Case(
        "subscription",
        "aws:sns/topicSubscription:TopicSubscription",
        lambda w: {
            "topic": w["topic"].id,
            "protocol": "sqs",
            "endpoint": w["queue"].outputs["arn"],
            "rawMessageDelivery": True,
        },
    ),
    Case(
        "alarm",
        "aws:cloudwatch/metricAlarm:MetricAlarm",
        lambda w: named(
            "alarm",
            name="alarm-one",
            namespace="AWS/RDS",
            metricName="CPUUtilization",
            statistic="Average",
            period=60,
            dimensions={"DBClusterIdentifier": "one", "Role": "WRITER"},
            alarmActions=[w["topic"].id],
            **ALARM,
        ),
        lambda w: named(
            "alarm",
            name="alarm-one",
            namespace="AWS/RDS",
            metricName="CPUUtilization",
            statistic="Average",
            period=60,
            dimensions={"DBClusterIdentifier": "two"},
            alarmActions=[w["topic"].id],
            **ALARM,
        ),
    ),
    Case(
        "metric-math",
        "aws:cloudwatch/metricAlarm:MetricAlarm",
        lambda w: named("metric-math", name="alarm-two", metricQueries=CALCULATED_METRIC, **ALARM),
    ),
    Case(
        "composite",
        "aws:cloudwatch/compositeAlarm:CompositeAlarm",
        lambda w: named(
            "composite",
            alarmName="alarm-three",
            alarmRule='ALARM("alarm-one")',
            alarmActions=[w["topic"].id],
        ),
        lambda w: named(
            "composite",
            alarmName="alarm-three",
            alarmRule='ALARM("alarm-two")',
            alarmActions=[w["topic"].id],
        ),
    ),
    Case(
        "dashboard",
        "aws:cloudwatch/dashboard:Dashboard",
        lambda w: {"dashboardName": "one", "dashboardBody": '{"widgets": []}'},
        lambda w: {
            "dashboardName": "one",
            "dashboardBody": json.dumps(
                {"widgets": [{"type": "text", "properties": {"markdown": "x"}}]}
            ),
        },
    ),
]

CASES = [*NETWORK, *IDENTITY, *DATA, *APPLICATION, *GLOBAL]
"""In the order of their creation; they are deleted in the reverse one."""
