"""The emulator's gaps, mended: what is given reads back, and what AWS refuses is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from aws_resources import document
from botocore.exceptions import ClientError
from lab_core_world import ACCOUNT, EAST, WEST, World, running

TAGS = [{"Key": "Project", "Value": "warm-standby"}]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A lab that the tests share, each with things of its own."""
    with running(tmp_path_factory.mktemp("mends") / "lab") as world:
        yield world


def refused(code: str, call: Any, **parameters: Any) -> str:
    """AWS's code for a refused call; its message is returned."""
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    error = caught.value.response["Error"]
    assert error["Code"] == code, error
    return str(error["Message"])


def tagged(kind: str) -> list[dict[str, Any]]:
    """Tags at creation, as EC2 takes them."""
    return [{"ResourceType": kind, "Tags": TAGS}]


def test_flow_logs_read_back_whole(world: World) -> None:
    """R7.3, R9.2: role, group, format, interval and tags."""
    ec2 = world.aws("ec2")
    vpc, _ = world.network(EAST)
    group = f"arn:aws:logs:{EAST}:{ACCOUNT}:log-group:/flow"
    name = ec2.create_flow_logs(
        ResourceIds=[vpc],
        ResourceType="VPC",
        TrafficType="ALL",
        MaxAggregationInterval=60,
        LogDestinationType="cloud-watch-logs",
        LogDestination=group,
        DeliverLogsPermissionArn="arn:aws:iam::1:role/r",
        TagSpecifications=tagged("vpc-flow-log"),
    )["FlowLogIds"][0]
    found = ec2.describe_flow_logs(Filters=[{"Name": "tag:Project", "Values": ["warm-standby"]}])
    log = found["FlowLogs"][0]
    assert log["FlowLogId"] == name
    assert (log["MaxAggregationInterval"], log["LogGroupName"]) == (60, "/flow")
    assert log["DeliverLogsPermissionArn"] == "arn:aws:iam::1:role/r"
    assert log["Tags"] == TAGS
    nothing = [{"Name": "tag:Project", "Values": ["other"]}]
    assert ec2.describe_flow_logs(Filters=nothing)["FlowLogs"] == []


def test_nat_gateways_hold_their_address(world: World) -> None:
    """R7.3: addresses read back; an address in use isn't released, nor the gateway's subnet."""
    ec2 = world.aws("ec2")
    vpc, subnets = world.network(EAST)
    address = ec2.allocate_address(TagSpecifications=tagged("elastic-ip"))["AllocationId"]
    nat = ec2.create_nat_gateway(
        SubnetId=subnets[0], AllocationId=address, TagSpecifications=tagged("natgateway")
    )["NatGateway"]["NatGatewayId"]
    described = ec2.describe_nat_gateways(NatGatewayIds=[nat])["NatGateways"][0]
    held = described["NatGatewayAddresses"][0]
    assert held["AllocationId"] == address
    assert held["PublicIp"]
    assert held["PrivateIp"].startswith("10.0.0.")
    known = ec2.describe_addresses(AllocationIds=[address])["Addresses"][0]
    assert known["AssociationId"] == held["AssociationId"]
    assert known["Tags"] == TAGS
    refused("InvalidIPAddress.InUse", ec2.release_address, AllocationId=address)
    refused("DependencyViolation", ec2.delete_subnet, SubnetId=subnets[0])
    ec2.delete_nat_gateway(NatGatewayId=nat)
    ec2.release_address(AllocationId=address)
    for subnet in subnets:
        ec2.delete_subnet(SubnetId=subnet)
    ec2.delete_vpc(VpcId=vpc)
    refused("InvalidVpcID.NotFound", ec2.describe_vpcs, VpcIds=[vpc])
    refused("InvalidVpcID.NotFound", ec2.create_subnet, VpcId=vpc, CidrBlock="10.0.9.0/24")


def test_interface_endpoints_read_back_whole(world: World) -> None:
    """R7.3: groups, policy, private DNS, interfaces; a group in use can't be deleted."""
    ec2 = world.aws("ec2")
    vpc, subnets = world.network(EAST)
    group = ec2.create_security_group(GroupName="e", Description="e", VpcId=vpc)["GroupId"]
    name = ec2.create_vpc_endpoint(
        VpcId=vpc,
        ServiceName=f"com.amazonaws.{EAST}.sqs",
        VpcEndpointType="Interface",
        SubnetIds=subnets,
        SecurityGroupIds=[group],
        PrivateDnsEnabled=True,
        PolicyDocument=document(),
    )["VpcEndpoint"]["VpcEndpointId"]
    endpoint = ec2.describe_vpc_endpoints(VpcEndpointIds=[name])["VpcEndpoints"][0]
    assert endpoint["Groups"] == [{"GroupId": group, "GroupName": "e"}]
    assert endpoint["PrivateDnsEnabled"] is True
    assert endpoint["PolicyDocument"] == document()
    assert len(endpoint["NetworkInterfaceIds"]) == 2
    assert endpoint["DnsEntries"][1]["DnsName"] == f"sqs.{EAST}.amazonaws.com"
    interfaces = ec2.describe_network_interfaces(
        NetworkInterfaceIds=endpoint["NetworkInterfaceIds"]
    )["NetworkInterfaces"]
    assert {item["SubnetId"] for item in interfaces} == set(subnets)
    refused("DependencyViolation", ec2.delete_security_group, GroupId=group)
    ec2.delete_vpc_endpoints(VpcEndpointIds=[name])
    ec2.delete_security_group(GroupId=group)


def test_peering_has_its_options_once_active(world: World) -> None:
    """Trap 21: options only after acceptance, each side its own; the VPC is held."""
    east, west = world.aws("ec2", EAST), world.aws("ec2", WEST)
    mine, _ = world.network(EAST)
    theirs, _ = world.network(WEST, "10.1.0.0/16")
    name = east.create_vpc_peering_connection(VpcId=mine, PeerVpcId=theirs, PeerRegion=WEST)[
        "VpcPeeringConnection"
    ]["VpcPeeringConnectionId"]
    requester = {"RequesterPeeringConnectionOptions": {"AllowDnsResolutionFromRemoteVpc": True}}
    accepter = {"AccepterPeeringConnectionOptions": {"AllowDnsResolutionFromRemoteVpc": True}}
    modify = {"VpcPeeringConnectionId": name}
    message = refused(
        "OperationNotPermitted",
        east.modify_vpc_peering_connection_options,
        **modify,
        **requester,
    )
    assert "not active" in message
    west.accept_vpc_peering_connection(VpcPeeringConnectionId=name)
    refused(
        "OperationNotPermitted", east.modify_vpc_peering_connection_options, **modify, **accepter
    )
    east.modify_vpc_peering_connection_options(**modify, **requester)
    west.modify_vpc_peering_connection_options(**modify, **accepter)
    for client in (east, west):
        peering = client.describe_vpc_peering_connections(VpcPeeringConnectionIds=[name])[
            "VpcPeeringConnections"
        ][0]
        assert peering["AccepterVpcInfo"]["CidrBlock"] == "10.1.0.0/16"
        for side in ("AccepterVpcInfo", "RequesterVpcInfo"):
            assert peering[side]["PeeringOptions"]["AllowDnsResolutionFromRemoteVpc"] is True
    refused("DependencyViolation", east.delete_vpc, VpcId=mine)


def test_health_checks_read_back_whole(world: World) -> None:
    """R3.1: regions, children, inversion, latency; status by API; reserved names (trap 16)."""
    route53 = world.aws("route53")
    regions = ["eu-west-1", "us-east-1", "us-west-2"]
    created = route53.create_health_check(
        CallerReference="plain",
        HealthCheckConfig={
            "Type": "HTTP",
            "FullyQualifiedDomainName": "nowhere.test",
            "ResourcePath": "/health",
            "Regions": regions,
            "MeasureLatency": True,
        },
    )["HealthCheck"]
    config = route53.get_health_check(HealthCheckId=created["Id"])["HealthCheck"][
        "HealthCheckConfig"
    ]
    assert (config["Regions"], config["MeasureLatency"], config["Port"]) == (regions, True, 80)
    route53.update_health_check(HealthCheckId=created["Id"], Inverted=True)
    parent = route53.create_health_check(
        CallerReference="calculated",
        HealthCheckConfig={
            "Type": "CALCULATED",
            "HealthThreshold": 1,
            "ChildHealthChecks": [created["Id"]],
        },
    )["HealthCheck"]
    listed = {
        check["Id"]: check["HealthCheckConfig"]
        for check in route53.list_health_checks()["HealthChecks"]
    }
    assert listed[created["Id"]]["Inverted"] is True
    assert listed[parent["Id"]]["ChildHealthChecks"] == [created["Id"]]
    assert route53.get_health_check_status(HealthCheckId=created["Id"])["HealthCheckObservations"]
    refused(
        "InvalidDomainName", route53.create_hosted_zone, Name="example.com", CallerReference="1"
    )
    zone = route53.create_hosted_zone(Name="a.test", CallerReference="2")["HostedZone"]["Id"]
    route53.update_hosted_zone_features(
        HostedZoneId=zone.rpartition("/")[2], EnableAcceleratedRecovery=True
    )
    features = route53.get_hosted_zone(Id=zone)["HostedZone"]["Features"]
    assert features["AcceleratedRecoveryStatus"] == "ENABLED"


def test_alarms_read_back_as_given(world: World) -> None:
    """R6.2, R9.2: metric math whole, tags at creation, a composite keeps its state."""
    cloudwatch = world.aws("cloudwatch")
    query = {
        "Id": "e",
        "Expression": "IF(m > 0, m, 0)",
        "Label": "l",
        "ReturnData": True,
    }
    metric = {
        "Id": "m",
        "ReturnData": False,
        "MetricStat": {
            "Metric": {
                "Namespace": "N",
                "MetricName": "M",
                "Dimensions": [{"Name": "a", "Value": "b"}],
            },
            "Period": 60,
            "Stat": "Sum",
        },
    }
    cloudwatch.put_metric_alarm(
        AlarmName="math",
        Metrics=[query, metric],
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
        Tags=TAGS,
    )
    alarm = cloudwatch.describe_alarms(AlarmNames=["math"])["MetricAlarms"][0]
    assert alarm["Metrics"] == [query, metric]
    assert not {"MetricName", "Namespace", "Statistic", "Period"} & set(alarm)
    cloudwatch.put_composite_alarm(AlarmName="both", AlarmRule="ALARM(math)", Tags=TAGS)
    cloudwatch.set_alarm_state(AlarmName="both", StateValue="ALARM", StateReason="test")
    cloudwatch.put_composite_alarm(AlarmName="both", AlarmRule="ALARM(math) OR FALSE")
    composite = cloudwatch.describe_alarms(AlarmNames=["both"], AlarmTypes=["CompositeAlarm"])[
        "CompositeAlarms"
    ][0]
    assert composite["AlarmRule"] == "ALARM(math) OR FALSE"
    for name in ("math", "both"):
        arn = f"arn:aws:cloudwatch:{EAST}:{ACCOUNT}:alarm:{name}"
        assert cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"] == TAGS


def test_secrets_have_their_replicas(world: World) -> None:
    """Trap 30: made at creation, and in the way of deletion until removed."""
    east, west = world.aws("secretsmanager", EAST), world.aws("secretsmanager", WEST)
    east.create_secret(Name="s", SecretString="x", AddReplicaRegions=[{"Region": WEST}])
    assert west.get_secret_value(SecretId="s")["SecretString"] == "x"
    refused(
        "MalformedPolicyDocumentException",
        east.put_resource_policy,
        SecretId="s",
        ResourcePolicy="{",
    )
    refused(
        "InvalidParameterException",
        east.delete_secret,
        SecretId="s",
        ForceDeleteWithoutRecovery=True,
    )
    east.remove_regions_from_replication(SecretId="s", RemoveReplicaRegions=[WEST])
    east.delete_secret(SecretId="s", ForceDeleteWithoutRecovery=True)
    refused("ResourceNotFoundException", west.describe_secret, SecretId="s")


def test_multi_region_keys_share_their_id(world: World) -> None:
    """A replica key has the primary's id in its own region."""
    east, west = world.aws("kms", EAST), world.aws("kms", WEST)
    name = east.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]
    assert name.startswith("mrk-")
    east.replicate_key(KeyId=name, ReplicaRegion=WEST)
    replica = west.describe_key(KeyId=name)["KeyMetadata"]
    assert replica["MultiRegionConfiguration"]["MultiRegionKeyType"] == "REPLICA"
    sealed = east.encrypt(KeyId=name, Plaintext=b"x")["CiphertextBlob"]
    assert sealed


def test_policies_of_buses_logs_and_vaults_are_what_was_put(world: World) -> None:
    """R5.2, R10."""
    statement = {
        "Sid": "in",
        "Effect": "Allow",
        "Action": "events:PutEvents",
        "Resource": "*",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:role/r"},
    }
    events, logs, backup = world.aws("events"), world.aws("logs"), world.aws("backup")
    events.create_event_bus(Name="b")
    events.put_permission(EventBusName="b", Policy=document(statement))
    assert events.describe_event_bus(Name="b")["Policy"] == document(statement)
    events.put_rule(Name="r", EventBusName="b", EventPattern='{"source":["a"]}')
    refused("ValidationException", events.delete_event_bus, Name="b")
    logs.put_resource_policy(policyName="p", policyDocument=document(statement))
    assert logs.describe_resource_policies()["resourcePolicies"][0]["policyName"] == "p"
    backup.create_backup_vault(BackupVaultName="v")
    backup.put_backup_vault_access_policy(BackupVaultName="v", Policy=document(statement))
    assert backup.get_backup_vault_access_policy(BackupVaultName="v")["Policy"] == document(
        statement
    )


def test_mail_subscriptions_wait_for_a_person(world: World) -> None:
    """R6.3, trap 28b: pending, and never ended while pending."""
    sns = world.aws("sns")
    topic = sns.create_topic(Name="t", Tags=TAGS)["TopicArn"]
    assert sns.list_tags_for_resource(ResourceArn=topic)["Tags"] == TAGS
    arn = sns.subscribe(
        TopicArn=topic, Protocol="email", Endpoint="a@b.test", ReturnSubscriptionArn=True
    )["SubscriptionArn"]
    attributes = sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
    assert attributes["PendingConfirmation"] == "true"
    refused("InvalidParameter", sns.unsubscribe, SubscriptionArn=arn)
    sns.delete_topic(TopicArn=topic)


def test_versioning_comes_before_replication_and_outlives_it(world: World) -> None:
    """Trap 22; a bucket with objects isn't deleted; metrics configurations are kept."""
    s3 = world.aws("s3")
    configuration = {
        "Role": "arn:aws:iam::1:role/r",
        "Rules": [
            {
                "ID": "a",
                "Priority": 1,
                "Status": "Enabled",
                "Filter": {"Prefix": ""},
                "DeleteMarkerReplication": {"Status": "Disabled"},
                "Destination": {"Bucket": "arn:aws:s3:::order-b"},
            },
        ],
    }
    for name in ("order-a", "order-b"):
        s3.create_bucket(Bucket=name)
    put = {"Bucket": "order-a", "ReplicationConfiguration": configuration}
    refused("InvalidRequest", s3.put_bucket_replication, **put)
    for name in ("order-a", "order-b"):
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_replication(**put)
    read = s3.get_bucket_replication(Bucket="order-a")["ReplicationConfiguration"]
    assert read == configuration
    refused(
        "InvalidBucketState",
        s3.put_bucket_versioning,
        Bucket="order-a",
        VersioningConfiguration={"Status": "Suspended"},
    )
    s3.put_bucket_metrics_configuration(
        Bucket="order-a", Id="all", MetricsConfiguration={"Id": "all"}
    )
    kept = s3.get_bucket_metrics_configuration(Bucket="order-a", Id="all")
    assert kept["MetricsConfiguration"] == {"Id": "all"}
    s3.put_object(Bucket="order-a", Key="k", Body=b"x")
    refused("BucketNotEmpty", s3.delete_bucket, Bucket="order-a")


def test_a_queue_attribute_can_be_taken_away(world: World) -> None:
    """An empty policy removes it."""
    sqs = world.aws("sqs")
    url = sqs.create_queue(QueueName="q", Attributes={"Policy": document()})["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": "", "RedrivePolicy": ""})
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert not {"Policy", "RedrivePolicy"} & set(answer)


def test_the_tagging_api_lists_every_tagged_resource(world: World) -> None:
    """R9.2: an inventory by tags sees what is there, in its region, and no more."""
    ec2 = world.aws("ec2", WEST)
    vpc = ec2.create_vpc(CidrBlock="10.7.0.0/16", TagSpecifications=tagged("vpc"))["Vpc"]["VpcId"]
    group = ec2.create_security_group(
        GroupName="g", Description="g", VpcId=vpc, TagSpecifications=tagged("security-group")
    )["GroupId"]
    world.aws("ssm", WEST).put_parameter(Name="/p", Value="v", Type="String", Tags=TAGS)
    world.aws("logs", WEST).create_log_group(logGroupName="/l", tags={"Project": "warm-standby"})
    world.aws("s3", WEST).create_bucket(
        Bucket="tagged", CreateBucketConfiguration={"LocationConstraint": WEST}
    )
    world.aws("s3", WEST).put_bucket_tagging(Bucket="tagged", Tagging={"TagSet": TAGS})

    def listed(region: str) -> set[str]:
        pages = world.aws("resourcegroupstaggingapi", region).get_paginator("get_resources")
        return {
            item["ResourceARN"]
            for page in pages.paginate(TagFilters=[{"Key": "Project", "Values": ["warm-standby"]}])
            for item in page["ResourceTagMappingList"]
        }

    here = f"{WEST}:{ACCOUNT}"
    wanted = {
        f"arn:aws:ec2:{here}:vpc/{vpc}",
        f"arn:aws:ec2:{here}:security-group/{group}",
        f"arn:aws:ssm:{here}:parameter/p",
        f"arn:aws:logs:{here}:log-group:/l",
        "arn:aws:s3:::tagged",
    }
    assert wanted <= listed(WEST)
    assert not wanted & listed(EAST)
    ec2.delete_security_group(GroupId=group)
    ec2.delete_vpc(VpcId=vpc)
    assert not {arn for arn in listed(WEST) if ":ec2:" in arn}


def test_aurora_refuses_what_aws_refuses(world: World) -> None:
    """Traps 1, 3, 4, 5: order of deletion, secondaries without a password, no burstable class."""
    east, west = world.aws("rds", EAST), world.aws("rds", WEST)
    engine = {"Engine": "aurora-postgresql", "EngineVersion": "16.8"}
    member = {**engine, "GlobalClusterIdentifier": "g", "StorageEncrypted": True}
    east.create_global_cluster(GlobalClusterIdentifier="g", StorageEncrypted=True, **engine)
    east.create_db_cluster(
        DBClusterIdentifier="one",
        MasterUsername="postgres",
        MasterUserPassword="x" * 12,
        EnableCloudwatchLogsExports=["postgresql"],
        **member,
    )
    secondary = {"DBClusterIdentifier": "two", **member}
    key = f"arn:aws:kms:{WEST}:{ACCOUNT}:key/k"
    refused("InvalidDBClusterStateFault", west.create_db_cluster, KmsKeyId=key, **secondary)
    instance = {"DBInstanceClass": "db.r6g.large", "Engine": "aurora-postgresql"}
    message = refused(
        "InvalidParameterCombination",
        east.create_db_instance,
        DBInstanceIdentifier="i1",
        DBClusterIdentifier="one",
        **{**instance, "DBInstanceClass": "db.t4g.medium"},
    )
    assert "not supported by global databases: db.t4g.medium" in message
    east.create_db_instance(DBInstanceIdentifier="i1", DBClusterIdentifier="one", **instance)
    refused("InvalidParameterCombination", west.create_db_cluster, **secondary)
    refused(
        "InvalidParameterCombination",
        west.create_db_cluster,
        KmsKeyId=key,
        MasterUserPassword="x" * 12,
        **secondary,
    )
    west.create_db_cluster(KmsKeyId=key, **secondary)
    one = east.describe_db_clusters(DBClusterIdentifier="one")["DBClusters"][0]
    two = west.describe_db_clusters(DBClusterIdentifier="two")["DBClusters"][0]
    assert one["EnabledCloudwatchLogsExports"] == ["postgresql"]
    assert two["ReplicationSourceIdentifier"] == one["DBClusterArn"]
    described = east.describe_db_instances(DBInstanceIdentifier="i1")["DBInstances"][0]
    assert described["StorageEncrypted"] is True
    refused("InvalidDBClusterStateFault", east.delete_db_instance, DBInstanceIdentifier="i1")
    refused(
        "InvalidDBClusterStateFault",
        west.delete_db_cluster,
        DBClusterIdentifier="two",
        SkipFinalSnapshot=True,
    )
    west.remove_from_global_cluster(
        GlobalClusterIdentifier="g", DbClusterIdentifier=two["DBClusterArn"]
    )
    west.delete_db_cluster(DBClusterIdentifier="two", SkipFinalSnapshot=True)
    refused(
        "InvalidDBClusterStateFault",
        east.delete_db_cluster,
        DBClusterIdentifier="one",
        SkipFinalSnapshot=True,
    )
    east.delete_db_instance(DBInstanceIdentifier="i1", SkipFinalSnapshot=True)
