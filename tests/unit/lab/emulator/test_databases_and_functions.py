"""RDS and Lambda as the lab mends them."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from aws_resources import document
from emulator_world import ACCOUNT, EAST, WEST, World, refused

from lab.emulator import database_endpoints as endpoints
from lab.emulator.concurrency import throttled
from lab.emulator.identities import role_allows, trusts
from lab.emulator.policies import Access
from lab.emulator.services import lambda_runtime

AURORA = {"Engine": "aurora-postgresql", "EngineVersion": "16.8"}
MASTER = {"MasterUsername": "u", "MasterUserPassword": "p" * 12, "DatabaseName": "d"}


def cluster(world: World, name: str, region: str = EAST, **settings: Any) -> dict[str, Any]:
    """A cluster of Aurora."""
    made = world.aws("rds", region).create_db_cluster(
        DBClusterIdentifier=name, **AURORA, **settings
    )
    return made["DBCluster"]


def test_a_cluster_keeps_its_exports_and_capacity(world: World) -> None:
    """Read back as given and as changed; standard storage reads back as no type."""
    rds = world.aws("rds")
    capacity = {"MinCapacity": 0.5, "MaxCapacity": 4.0}
    made = cluster(
        world,
        "kept",
        **MASTER,
        EnableCloudwatchLogsExports=["postgresql"],
        ServerlessV2ScalingConfiguration=capacity,
        StorageType="aurora",
    )
    assert made["EnabledCloudwatchLogsExports"] == ["postgresql"]
    assert made["ServerlessV2ScalingConfiguration"] == capacity
    assert "StorageType" not in made
    assert made["Endpoint"] == endpoints.cluster_endpoint("kept", ACCOUNT, EAST)
    for change, exports, storage in (
        ({"DisableLogTypes": ["postgresql"]}, [], "aurora-iopt1"),
        ({"EnableLogTypes": ["postgresql"]}, ["postgresql"], "aurora-iopt1"),
    ):
        changed = rds.modify_db_cluster(
            DBClusterIdentifier="kept",
            CloudwatchLogsExportConfiguration=change,
            StorageType=storage,
        )["DBCluster"]
        assert changed["EnabledCloudwatchLogsExports"] == exports
        assert changed["StorageType"] == storage
    refused("DBClusterNotFoundFault", rds.modify_db_cluster, DBClusterIdentifier="gone", Port=5433)
    refused("DBClusterNotFoundFault", rds.delete_db_cluster, DBClusterIdentifier="gone")


def test_an_instance_has_much_from_its_cluster(world: World) -> None:
    """Insights' settings are kept, for seven days by default; a serverless instance
    needs its cluster's capacity; the rest is the cluster's."""
    rds = world.aws("rds")
    made = cluster(world, "with-instance", **MASTER, BackupRetentionPeriod=9)
    instance = {
        "DBInstanceIdentifier": "one",
        "DBClusterIdentifier": "with-instance",
        "Engine": "aurora-postgresql",
    }
    refused(
        "InvalidParameterCombination",
        rds.create_db_instance,
        **instance,
        DBInstanceClass="db.serverless",
    )
    found = rds.create_db_instance(
        **instance,
        DBInstanceClass="db.r6g.large",
        PromotionTier=1,
        EnablePerformanceInsights=True,
    )["DBInstance"]
    assert (found["PromotionTier"], found["PerformanceInsightsRetentionPeriod"]) == (1, 7)
    assert (found["BackupRetentionPeriod"], found["StorageType"]) == (9, "aurora")
    assert found["Endpoint"]["Address"] == endpoints.instance_endpoint("one", ACCOUNT, EAST)
    assert found["Endpoint"]["Port"] == made["Port"]
    changed = rds.modify_db_instance(
        DBInstanceIdentifier="one", EnablePerformanceInsights=False, PromotionTier=2
    )["DBInstance"]
    assert changed["PromotionTier"] == 2
    refused(
        "DBInstanceNotFound", rds.modify_db_instance, DBInstanceIdentifier="gone", PromotionTier=0
    )
    refused(
        "InvalidDBClusterStateFault",
        rds.delete_db_cluster,
        DBClusterIdentifier="with-instance",
        SkipFinalSnapshot=True,
    )
    rds.delete_db_instance(DBInstanceIdentifier="one", SkipFinalSnapshot=True)
    rds.delete_db_cluster(DBClusterIdentifier="with-instance", SkipFinalSnapshot=True)


def test_a_global_database_refuses_what_aws_refuses(world: World) -> None:
    """Traps 1 to 3: what a secondary may not have and must have, and the order of deletion."""
    here, there = world.aws("rds"), world.aws("rds", WEST)
    group = {"GlobalClusterIdentifier": "global"}
    made = here.create_global_cluster(
        **group, **AURORA, StorageEncrypted=True, Tags=[{"Key": "a", "Value": "b"}]
    )["GlobalCluster"]
    assert made["TagList"] == [{"Key": "a", "Value": "b"}]
    assert made["Endpoint"] == endpoints.global_endpoint("global", ACCOUNT)
    primary = cluster(world, "primary", **group, **MASTER, StorageEncrypted=True, KmsKeyId="k")
    secondary = {"DBClusterIdentifier": "secondary", **group, **AURORA}
    for field, value in MASTER.items():
        assert "for cross region replication cluster" in refused(
            "InvalidParameterCombination", there.create_db_cluster, **secondary, **{field: value}
        )
    refused("InvalidDBClusterStateFault", there.create_db_cluster, **secondary)
    instance = {
        "DBInstanceIdentifier": "writer",
        "DBClusterIdentifier": "primary",
        "Engine": "aurora-postgresql",
    }
    refused(
        "InvalidParameterCombination",
        here.create_db_instance,
        **instance,
        DBInstanceClass="db.t4g.medium",
    )
    here.create_db_instance(**instance, DBInstanceClass="db.r6g.large")
    assert WEST in refused("InvalidParameterCombination", there.create_db_cluster, **secondary)
    foreign = f"arn:aws:kms:{EAST}:{ACCOUNT}:key/k"
    refused("KMSKeyNotAccessibleFault", there.create_db_cluster, **secondary, KmsKeyId=foreign)
    reader = there.create_db_cluster(
        **secondary, KmsKeyId=f"arn:aws:kms:{WEST}:{ACCOUNT}:key/k", StorageEncrypted=True
    )["DBCluster"]
    assert reader["ReplicationSourceIdentifier"] == primary["DBClusterArn"]
    assert "Endpoint" not in reader
    there.create_db_instance(
        **instance | {"DBInstanceIdentifier": "reader", "DBClusterIdentifier": "secondary"},
        DBInstanceClass="db.r6g.large",
    )
    reader = there.describe_db_clusters(DBClusterIdentifier="secondary")["DBClusters"][0]
    assert [member["IsClusterWriter"] for member in reader["DBClusterMembers"]] == [False]
    writer = here.describe_db_clusters(DBClusterIdentifier="primary")["DBClusters"][0]
    assert writer["ReadReplicaIdentifiers"] == [reader["DBClusterArn"]]

    last = {"DBInstanceIdentifier": "writer", "SkipFinalSnapshot": True}
    refused("InvalidDBClusterStateFault", here.delete_db_instance, **last)
    there.delete_db_instance(DBInstanceIdentifier="reader", SkipFinalSnapshot=True)
    delete = {"DBClusterIdentifier": "secondary", "SkipFinalSnapshot": True}
    assert "part of a global cluster" in refused(
        "InvalidDBClusterStateFault", there.delete_db_cluster, **delete
    )
    there.remove_from_global_cluster(**group, DbClusterIdentifier=reader["DBClusterArn"])
    there.delete_db_cluster(**delete)
    here.delete_db_instance(**last)
    here.remove_from_global_cluster(**group, DbClusterIdentifier=primary["DBClusterArn"])
    here.delete_db_cluster(DBClusterIdentifier="primary", SkipFinalSnapshot=True)
    here.delete_global_cluster(**group)
    refused("GlobalClusterNotFoundFault", here.describe_global_clusters, **group)


def test_a_primary_whose_instances_are_gone_waits_for_its_secondaries(world: World) -> None:
    """Trap 2: the primary's cluster goes last, though it holds no instance any more."""
    here, there = world.aws("rds"), world.aws("rds", WEST)
    group = {"GlobalClusterIdentifier": "ordered"}
    here.create_global_cluster(**group, **AURORA)
    cluster(world, "ordered-primary", **group, **MASTER)
    from ministack.services import rds

    stored = next(
        c for c in rds._clusters._data.values() if c["DBClusterIdentifier"] == "ordered-primary"
    )
    stored["DBClusterMembers"] = [{"DBInstanceIdentifier": "was", "IsClusterWriter": True}]
    there.create_db_cluster(DBClusterIdentifier="ordered-secondary", **group, **AURORA)
    stored["DBClusterMembers"] = []
    refused(
        "InvalidGlobalClusterStateFault",
        here.delete_db_cluster,
        DBClusterIdentifier="ordered-primary",
        SkipFinalSnapshot=True,
    )


def test_groups_that_a_cluster_uses_stay(world: World) -> None:
    """Subnet groups and parameter groups outlive their clusters; the cluster's interfaces keep its
    subnets."""
    rds, ec2 = world.aws("rds"), world.aws("ec2")
    _, subnets = world.network(cidr="10.250.0.0/16")
    rds.create_db_subnet_group(
        DBSubnetGroupName="used", DBSubnetGroupDescription="d", SubnetIds=subnets
    )
    rds.create_db_cluster_parameter_group(
        DBClusterParameterGroupName="used",
        DBParameterGroupFamily="aurora-postgresql16",
        Description="d",
    )
    cluster(world, "user", **MASTER, DBSubnetGroupName="used", DBClusterParameterGroupName="used")
    for code, call, name in (
        ("InvalidDBSubnetGroupStateFault", rds.delete_db_subnet_group, "DBSubnetGroupName"),
        (
            "InvalidDBParameterGroupState",
            rds.delete_db_cluster_parameter_group,
            "DBClusterParameterGroupName",
        ),
    ):
        refused(code, call, **{name: "used"})
    refused("DependencyViolation", ec2.delete_subnet, SubnetId=subnets[0])
    own = ec2.describe_network_interfaces(
        Filters=[{"Name": "description", "Values": ["RDSNetworkInterface"]}]
    )["NetworkInterfaces"]
    assert {item["SubnetId"] for item in own} == set(subnets)
    rds.delete_db_cluster(DBClusterIdentifier="user", SkipFinalSnapshot=True)
    rds.delete_db_subnet_group(DBSubnetGroupName="used")
    rds.delete_db_cluster_parameter_group(DBClusterParameterGroupName="used")


def test_aurora_postgresql_supports_global_databases(world: World) -> None:
    """What programs and people ask RDS before they create: versions, classes, retained backups."""
    rds = world.aws("rds")
    versions = rds.describe_db_engine_versions(Engine="aurora-postgresql")["DBEngineVersions"]
    assert versions
    assert all(version["SupportsGlobalDatabases"] for version in versions)
    other = rds.describe_db_engine_versions(Engine="mysql")["DBEngineVersions"]
    assert not any(version.get("SupportsGlobalDatabases") for version in other)
    for name, supported in (("db.r6g.large", True), ("db.t4g.medium", False)):
        options = rds.describe_orderable_db_instance_options(
            Engine="aurora-postgresql", DBInstanceClass=name
        )["OrderableDBInstanceOptions"]
        assert [option["SupportsGlobalDatabases"] for option in options] == [supported]
    assert rds.describe_db_cluster_automated_backups()["DBClusterAutomatedBackups"] == []


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"Role": f"arn:aws:iam::{ACCOUNT}:role/none"}, "cannot be assumed"),
        ({"VpcConfig": {"SubnetIds": ["s"], "SecurityGroupIds": []}}, "CreateNetworkInterface"),
        ({"DeadLetterConfig": {"TargetArn": f"arn:aws:sqs:{EAST}:{ACCOUNT}:q"}}, "on SQS"),
        ({"DeadLetterConfig": {"TargetArn": f"arn:aws:sns:{EAST}:{ACCOUNT}:t"}}, "on SNS"),
    ],
    ids=["no-role", "network", "queue", "topic"],
)
def test_a_functions_role_is_checked(world: World, settings: dict[str, Any], said: str) -> None:
    """Trap 12: the role must trust Lambda, and may do what the settings need."""
    with pytest.raises(Exception, match=said) as caught:
        world.function(f"checked-{said.rpartition(' ')[2]}", **settings)
    assert "InvalidParameterValueException" in str(caught.value)


def test_a_region_without_functions_lists_none(world: World) -> None:
    """An empty list is an answer: the ways to the database are read beside it."""
    assert world.aws("lambda", "eu-west-1").list_functions()["Functions"] == []


def test_a_function_reads_back_whole(world: World) -> None:
    """A VPC of its subnets, a log group always, log levels of JSON logs; 64 characters a name."""
    functions = world.aws("lambda")
    vpc, subnets = world.network(cidr="10.251.0.0/16")
    network = {"Effect": "Allow", "Action": "ec2:CreateNetworkInterface", "Resource": "*"}
    role = world.role("in-vpc", "lambda.amazonaws.com", network)
    world.function(
        "whole",
        Role=role,
        VpcConfig={"SubnetIds": subnets, "SecurityGroupIds": []},
        LoggingConfig={"LogFormat": "JSON"},
    )
    found = functions.get_function_configuration(FunctionName="whole")
    assert (found["VpcConfig"]["VpcId"], found["Runtime"]) == (vpc, "python3.12")
    assert found["LoggingConfig"] == {
        "LogFormat": "JSON",
        "ApplicationLogLevel": "INFO",
        "SystemLogLevel": "INFO",
        "LogGroup": "/aws/lambda/whole",
    }
    functions.update_function_configuration(FunctionName="whole", Timeout=9)
    listed = {item["FunctionName"]: item for item in functions.list_functions()["Functions"]}
    assert (listed["whole"]["Timeout"], listed["whole"]["State"]) == (9, "Active")
    refused("ResourceNotFoundException", functions.get_function, FunctionName="none")
    long = world.client("lambda", EAST, parameter_validation=False)
    refused(
        "ValidationException",
        long.update_function_configuration,
        FunctionName="n" * 65,
        Timeout=3,
    )


HANDLER = """
import os
def handler(event, context):
    print("seen", event)
    if event.get("fail"):
        raise KeyError("lost")
    if event.get("leave"):
        os._exit(3)
    return {"name": context.function_name, **event}
"""


def test_a_function_runs_and_says_how_it_fails(world: World) -> None:
    """R2.4: its answer, its own error, the end of its process; and its log."""
    functions, logs = world.aws("lambda"), world.aws("logs")
    world.function("runs", code=HANDLER, Timeout=10)

    def invoke(**event: Any) -> tuple[str, Any]:
        answer = functions.invoke(FunctionName="runs", Payload=json.dumps(event))
        return answer.get("FunctionError", ""), json.loads(answer["Payload"].read())

    assert invoke(a=1) == ("", {"name": "runs", "a": 1})
    kind, error = invoke(fail=True)
    assert (kind, error["errorType"]) == ("Unhandled", "KeyError")
    kind, error = invoke(leave=True)
    assert (kind, error["errorType"]) == ("Unhandled", "Runtime.ExitError")
    assert "exit status 3" in error["errorMessage"]
    assert invoke(a=2) == ("", {"name": "runs", "a": 2})
    lines = logs.filter_log_events(logGroupName="/aws/lambda/runs", limit=100)["events"]
    text = "\n".join(line["message"] for line in lines)
    assert "seen {'a': 1}" in text
    assert text.count("REPORT RequestId") == 4


def test_a_runtime_that_the_lab_has_not_and_code_that_is_none(world: World) -> None:
    """N3: the caller gets what is wrong, in place of a hang."""
    functions = world.aws("lambda")
    world.function("ruby")
    functions.update_function_configuration(FunctionName="ruby", Runtime="ruby3.3")
    answer = functions.invoke(FunctionName="ruby", Payload=b"{}")
    assert "not ruby3.3" in json.loads(answer["Payload"].read())["errorMessage"]
    from ministack.services import lambda_svc

    answer = lambda_svc._execute_function({"config": {}, "code_zip": None}, {})
    assert answer["error"]
    lambda_svc.invoke_async_with_retry({"config": {}, "code_zip": None}, {})
    assert not world.emulator.asynchronous._tasks


def test_an_account_may_run_less_in_one_region(world: World) -> None:
    """Lambda quotas: 1,000 functions at once by default, less in a new account; the fault
    ``low-concurrency`` is of one region."""

    def limit(region: str) -> int:
        answer = world.aws("lambda", region).get_account_settings()
        return int(answer["AccountLimit"]["ConcurrentExecutions"])

    world.lab.faults.set("low-concurrency", WEST)
    try:
        assert (limit(EAST), limit(WEST)) == (1000, 10)
    finally:
        world.lab.faults.clear()
    assert limit(WEST) == 1000


def test_throttling_is_answered_as_lambda_answers_it() -> None:
    """TooManyRequestsException is the service's answer, not the function's error."""
    answer = lambda_runtime._as_emulator(throttled("ConcurrentInvocationLimitExceeded"))
    assert answer["throttle"]
    assert answer["body"]["Reason"] == "ConcurrentInvocationLimitExceeded"
    assert "function_error" not in answer


def test_what_is_tagged_is_listed_in_its_region_until_it_is_gone(world: World) -> None:
    """R9.3: the tagging API lists every kind; nothing deleted, nothing of another region."""
    tags = [{"Key": "Listed", "Value": "yes"}]
    ec2, kms, secrets = world.aws("ec2"), world.aws("kms"), world.aws("secretsmanager")
    vpc = ec2.create_vpc(CidrBlock="10.252.0.0/16")["Vpc"]["VpcId"]
    ec2.create_tags(Resources=[vpc, "vpc-gone", "sgr-gone", "xyz-1"], Tags=tags)
    key = kms.create_key(Tags=[{"TagKey": "Listed", "TagValue": "yes"}])["KeyMetadata"]
    dead = kms.create_key(Tags=[{"TagKey": "Listed", "TagValue": "yes"}])["KeyMetadata"]
    kms.schedule_key_deletion(KeyId=dead["KeyId"])
    secret = secrets.create_secret(Name="listed", SecretString="x", Tags=tags)
    gone = secrets.create_secret(Name="unlisted", SecretString="x", Tags=tags)
    secrets.delete_secret(SecretId=gone["ARN"])
    zone = world.aws("route53").create_hosted_zone(Name="listed.test", CallerReference="listed")
    zone = zone["HostedZone"]["Id"].rpartition("/")[2]
    world.aws("route53").change_tags_for_resource(
        ResourceType="hostedzone", ResourceId=zone, AddTags=tags
    )
    policy = world.aws("iam").create_policy(
        PolicyName="listed", PolicyDocument='{"Statement": []}', Tags=tags
    )["Policy"]["Arn"]
    s3 = world.aws("s3")
    s3.create_bucket(Bucket="listed-bucket")
    s3.put_bucket_tagging(Bucket="listed-bucket", Tagging={"TagSet": tags})
    world.aws("ssm").put_parameter(Name="/listed", Value="x", Type="String", Tags=tags)
    world.aws("events").create_event_bus(Name="listed", Tags=tags)
    wanted = {
        f"arn:aws:ec2:{EAST}:{ACCOUNT}:vpc/{vpc}",
        key["Arn"],
        secret["ARN"],
        f"arn:aws:route53:::hostedzone/{zone}",
        policy,
        "arn:aws:s3:::listed-bucket",
        f"arn:aws:ssm:{EAST}:{ACCOUNT}:parameter/listed",
        f"arn:aws:events:{EAST}:{ACCOUNT}:event-bus/listed",
    }

    def listed(region: str) -> set[str]:
        tagging = world.aws("resourcegroupstaggingapi", region)
        found = tagging.get_resources(TagFilters=[{"Key": "Listed", "Values": ["yes"]}])
        return {item["ResourceARN"] for item in found["ResourceTagMappingList"]}

    assert listed(EAST) == wanted
    assert listed(WEST) == set()
    world.aws("events").delete_event_bus(Name="listed")
    world.aws("ssm").delete_parameter(Name="/listed")
    world.aws("route53").delete_hosted_zone(Id=zone)
    assert listed(EAST) == {
        arn for arn in wanted if not any(kind in arn for kind in (":events:", ":ssm:", ":route53:"))
    }


def test_a_functions_interfaces_keep_their_subnet(world: World) -> None:
    """Trap 11: functions of the same subnet and groups share an interface, and hold both."""
    ec2 = world.aws("ec2")
    vpc, subnets = world.network(cidr="10.253.0.0/16")
    group = ec2.create_security_group(GroupName="f", Description="d", VpcId=vpc)["GroupId"]
    network = {"Effect": "Allow", "Action": "ec2:CreateNetworkInterface", "Resource": "*"}
    role = world.role("sharing", "lambda.amazonaws.com", network)
    for name in ("sharing-one", "sharing-two"):
        world.function(
            name,
            Role=role,
            VpcConfig={"SubnetIds": subnets[:1], "SecurityGroupIds": [group]},
        )
    own = ec2.describe_network_interfaces(Filters=[{"Name": "subnet-id", "Values": subnets[:1]}])[
        "NetworkInterfaces"
    ]
    assert [item["InterfaceType"] for item in own] == ["lambda"]
    assert own[0]["Groups"] == [{"GroupId": group}]
    refused("DependencyViolation", ec2.delete_subnet, SubnetId=subnets[0])
    refused("DependencyViolation", ec2.delete_security_group, GroupId=group)


def test_an_event_is_run_later_and_its_log_goes_on(world: World) -> None:
    """An asynchronous invocation is accepted at once; its log reaches the group's subscription."""
    functions, logs = world.aws("lambda"), world.aws("logs")
    world.function("later", code=HANDLER, Timeout=10)
    world.function("reader")
    logs.create_log_group(logGroupName="/aws/lambda/later")
    logs.put_subscription_filter(
        logGroupName="/aws/lambda/later",
        filterName="f",
        filterPattern="",
        destinationArn=f"arn:aws:lambda:{EAST}:{ACCOUNT}:function:reader",
    )
    from ministack.services import cloudwatch_logs

    passed: list[str] = []
    original = cloudwatch_logs._fanout_to_subscription_filters

    def fan_out(_group: str, _stream: str, events: list[dict[str, Any]]) -> None:
        passed.extend(event["message"] for event in events)

    cloudwatch_logs._fanout_to_subscription_filters = fan_out
    try:
        answer = functions.invoke(FunctionName="later", InvocationType="Event", Payload=b'{"a": 1}')
        assert answer["StatusCode"] == 202
        deadline = time.monotonic() + 10
        while not passed and time.monotonic() < deadline:
            time.sleep(0.02)
    finally:
        cloudwatch_logs._fanout_to_subscription_filters = original
    assert "seen {'a': 1}" in passed


def test_a_roles_policies_are_its_own_and_those_attached(world: World) -> None:
    """Inline and attached, AWS's managed ones too, in their default version; whom it trusts."""
    iam = world.aws("iam")
    role = world.role("decided", "lambda.amazonaws.com")
    documents = [
        document({"Effect": "Allow", "Action": action, "Resource": "*"})
        for action in ("sqs:SendMessage", "sns:Publish")
    ]
    policy = iam.create_policy(PolicyName="decided", PolicyDocument=documents[0])["Policy"]["Arn"]
    iam.attach_role_policy(RoleName="decided", PolicyArn=policy)
    send, publish = Access("sqs:SendMessage", "q"), Access("sns:Publish", "t")
    assert [role_allows(role, send), role_allows(role, publish)] == [True, False]
    iam.create_policy_version(PolicyArn=policy, PolicyDocument=documents[1], SetAsDefault=True)
    assert [role_allows(role, send), role_allows(role, publish)] == [False, True]
    managed = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
    iam.attach_role_policy(RoleName="decided", PolicyArn=managed)
    assert role_allows(role, Access("logs:PutLogEvents", "*"))
    assert not role_allows(f"{role}-none", send)
    assert trusts(role, "lambda.amazonaws.com")
    assert not trusts(role, "s3.amazonaws.com")
    assert not trusts("no-arn", "lambda.amazonaws.com")


@pytest.mark.parametrize("name", ["..", ".", "a/b", "../../../x", "a b", "n\u00e4me", "a.b", "$x"])
def test_a_name_that_is_no_name_is_refused(world: World, name: str) -> None:
    """Lambda's own pattern and message; nothing is written anywhere."""
    # Folders that a name could lead to; others are being saved to meanwhile.
    folders = [world.lab.state_dir, world.lab.state_dir.parent, world.lab.state_dir / "functions"]
    before = [sorted(path.name for path in folder.glob("*")) for folder in folders]
    client = world.client("lambda", EAST, parameter_validation=False)
    said = refused(
        "ValidationException",
        client.create_function,
        FunctionName=name,
        Role="arn:aws:iam::000000000000:role/none",
        Runtime="python3.12",
        Handler="index.handler",
        Code={"ZipFile": b"PK"},
    )
    assert said.startswith(f"1 validation error detected: Value '{name}' at 'functionName' failed")
    assert "regular expression pattern: (arn:(aws[a-zA-Z-]*)?:lambda:)?" in said
    assert [sorted(path.name for path in folder.glob("*")) for folder in folders] == before
    made = client.list_functions()["Functions"]
    assert name not in [function["FunctionName"] for function in made]


def test_a_long_and_wrong_name_has_both_errors(world: World) -> None:
    """AWS counts its validation errors."""
    client = world.client("lambda", EAST, parameter_validation=False)
    said = refused(
        "ValidationException",
        client.update_function_configuration,
        FunctionName="a b" * 30,
        Timeout=3,
    )
    assert said.startswith("2 validation errors detected: ")
    assert said.count("failed to satisfy constraint") == 2


def test_a_killed_lab_leaves_no_function_pending(world: World) -> None:
    """The thread that makes a function active dies with the lab; a deployment waited
    ten minutes for it, each time. What failed stays failed."""
    from ministack.services import lambda_svc

    world.function("settled")
    record = next(
        record for key, record in lambda_svc._functions._data.items() if key[-1] == "settled"
    )
    version = {"config": {"State": "Pending", "LastUpdateStatus": "InProgress"}}
    record["versions"]["9"] = version
    time.sleep(0.2)
    record["config"].update({"State": "Pending", "StateReasonCode": "Creating"})
    record["config"]["LastUpdateStatus"] = "InProgress"
    lambda_runtime.settle_transitions()
    found = world.aws("lambda").get_function_configuration(FunctionName="settled")
    assert (found["State"], found["LastUpdateStatus"]) == ("Active", "Successful")
    assert "StateReasonCode" not in found
    assert version["config"]["State"] == "Active"
    record["config"]["LastUpdateStatus"] = "Failed"
    lambda_runtime.settle_transitions()
    found = world.aws("lambda").get_function_configuration(FunctionName="settled")
    assert found["LastUpdateStatus"] == "Failed"
    del record["versions"]["9"]


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("short-7", " because it is shorter than 8 characters."),
        ("p" * 100, " because it is longer than 99 characters."),
        *(
            (f"password{character}", ". Only printable ASCII characters besides")
            for character in '/@"\u00e4 \t'
        ),
    ],
)
def test_a_password_that_aurora_refuses(world: World, password: str, reason: str) -> None:
    """At creation and at a change; nothing is made or changed."""
    rds = world.aws("rds")
    said = f"The parameter MasterUserPassword is not a valid password{reason}"
    given = {**MASTER, "MasterUserPassword": password}
    wrong = {"DBClusterIdentifier": "wrong-password", **AURORA, **given}
    assert refused("InvalidParameterValue", rds.create_db_cluster, **wrong).startswith(said)
    refused(
        "DBClusterNotFoundFault", rds.describe_db_clusters, DBClusterIdentifier="wrong-password"
    )
    assert refused(
        "InvalidParameterValue",
        rds.modify_db_cluster,
        DBClusterIdentifier="wrong-password",
        MasterUserPassword=password,
    ).startswith(said)
