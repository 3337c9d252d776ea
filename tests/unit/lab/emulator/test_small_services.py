"""What the lab mends of AWS's smaller services: kept, read back and refused as AWS does."""

from __future__ import annotations

import copy
import importlib
import json
from typing import Any

import pytest
from aws_resources import document
from emulator_world import ACCOUNT, EAST, WEST, World, refused

from lab.emulator.services import dynamodb


def test_a_vault_has_its_policy_and_its_lock(world: World) -> None:
    """AWS Backup: both read back as given, go with the vault, and need one."""
    backup = world.aws("backup")
    name = {"BackupVaultName": "kept"}
    policy = document({"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"})
    for call, given in (
        (backup.put_backup_vault_access_policy, {"Policy": policy}),
        (backup.put_backup_vault_lock_configuration, {"MinRetentionDays": 1}),
    ):
        refused("ResourceNotFoundException", call, **name, **given)
    backup.create_backup_vault(**name)
    refused("ResourceNotFoundException", backup.get_backup_vault_access_policy, **name)
    backup.put_backup_vault_access_policy(**name, Policy=policy)
    kept = backup.get_backup_vault_access_policy(**name)
    assert (kept["Policy"], kept["BackupVaultArn"]) == (
        policy,
        f"arn:aws:backup:{EAST}:{ACCOUNT}:backup-vault:kept",
    )
    assert not backup.describe_backup_vault(**name).get("Locked")
    backup.put_backup_vault_lock_configuration(
        **name, MinRetentionDays=7, MaxRetentionDays=35, ChangeableForDays=3
    )
    vault = backup.describe_backup_vault(**name)
    assert (vault["Locked"], vault["MinRetentionDays"], vault["MaxRetentionDays"]) == (True, 7, 35)
    backup.delete_backup_vault_lock_configuration(**name)
    assert not backup.describe_backup_vault(**name).get("Locked")
    backup.delete_backup_vault_access_policy(**name)
    refused("ResourceNotFoundException", backup.get_backup_vault_access_policy, **name)
    backup.put_backup_vault_access_policy(**name, Policy=policy)
    backup.put_backup_vault_lock_configuration(**name, MinRetentionDays=7)
    backup.delete_backup_vault(**name)
    backup.create_backup_vault(**name)
    assert not backup.describe_backup_vault(**name).get("Locked")
    refused("ResourceNotFoundException", backup.get_backup_vault_access_policy, **name)


def test_the_regions_and_the_accounts_backup_settings_are_kept(world: World) -> None:
    """Nothing is chosen at first; an update adds to what was chosen before, in its region only."""
    backup = world.aws("backup")
    assert backup.describe_region_settings()["ResourceTypeOptInPreference"] == {}
    assert backup.describe_global_settings()["GlobalSettings"] == {}
    backup.update_region_settings(ResourceTypeOptInPreference={"Aurora": True})
    backup.update_region_settings(ResourceTypeOptInPreference={"S3": False})
    settings = backup.describe_region_settings()
    assert settings["ResourceTypeOptInPreference"] == {"Aurora": True, "S3": False}
    assert world.aws("backup", WEST).describe_region_settings()["ResourceTypeOptInPreference"] == {}
    backup.update_global_settings(GlobalSettings={"isCrossAccountBackupEnabled": "false"})
    kept = backup.describe_global_settings()["GlobalSettings"]
    assert kept == {"isCrossAccountBackupEnabled": "false"}


def test_a_backup_plan_with_a_selection_stays(world: World) -> None:
    """AWS Backup deletes a plan only when its selections are gone."""
    backup = world.aws("backup")
    backup.create_backup_vault(BackupVaultName="planned")
    rule = {"RuleName": "daily", "TargetBackupVaultName": "planned"}
    plan = backup.create_backup_plan(BackupPlan={"BackupPlanName": "p", "Rules": [rule]})
    plan = plan["BackupPlanId"]
    selection = backup.create_backup_selection(
        BackupPlanId=plan,
        BackupSelection={"SelectionName": "s", "IamRoleArn": f"arn:aws:iam::{ACCOUNT}:role/b"},
    )["SelectionId"]
    refused("InvalidRequestException", backup.delete_backup_plan, BackupPlanId=plan)
    backup.delete_backup_selection(BackupPlanId=plan, SelectionId=selection)
    backup.delete_backup_plan(BackupPlanId=plan)


def metric_alarm(name: str, **changed: Any) -> dict[str, Any]:
    """Parameters of PutMetricAlarm."""
    return {
        "AlarmName": name,
        "Namespace": "N",
        "MetricName": "M",
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 1.0,
        "ComparisonOperator": "GreaterThanThreshold",
    } | changed


def test_alarms_read_back_what_was_given_and_nothing_else(world: World) -> None:
    """Metric math returns data by default; an alarm of a metric has dimensions, empty
    ones too; tags come with the creation only (PutMetricAlarm: ignored for an existing alarm)."""
    cloudwatch = world.aws("cloudwatch")
    queries = [
        {"Id": "e", "Expression": "m * 2"},
        {
            "Id": "m",
            "ReturnData": False,
            "MetricStat": {
                "Metric": {"Namespace": "N", "MetricName": "M", "Dimensions": []},
                "Period": 60,
                "Stat": "Sum",
            },
        },
    ]
    math = metric_alarm("math", Metrics=queries, Tags=[{"Key": "a", "Value": "b"}])
    for name in ("Namespace", "MetricName", "Statistic", "Period"):
        del math[name]
    cloudwatch.put_metric_alarm(**math)
    cloudwatch.put_metric_alarm(**math | {"Tags": [{"Key": "a", "Value": "c"}]})
    cloudwatch.put_metric_alarm(**metric_alarm("plain"))
    found = cloudwatch.describe_alarms(AlarmNames=["math", "plain"])["MetricAlarms"]
    by_name = {alarm["AlarmName"]: alarm for alarm in found}
    assert "MetricName" not in by_name["math"]
    data = {query["Id"]: query["ReturnData"] for query in by_name["math"]["Metrics"]}
    assert data == {"e": True, "m": False}
    assert by_name["plain"]["Dimensions"] == []
    assert "Metrics" not in by_name["plain"]
    tags = cloudwatch.list_tags_for_resource(ResourceARN=by_name["math"]["AlarmArn"])["Tags"]
    assert tags == [{"Key": "a", "Value": "b"}]


def test_a_composite_alarm_keeps_its_state_and_its_suppressor(world: World) -> None:
    """R6.1: a changed rule is no new alarm; a suppressor reads back."""
    cloudwatch = world.aws("cloudwatch")
    cloudwatch.put_metric_alarm(**metric_alarm("child"))
    composite = {"AlarmName": "composite", "AlarmRule": 'ALARM("child")'}
    cloudwatch.put_composite_alarm(**composite)
    cloudwatch.set_alarm_state(AlarmName="composite", StateValue="ALARM", StateReason="by hand")
    suppressed = {
        "ActionsSuppressor": "child",
        "ActionsSuppressorWaitPeriod": 60,
        "ActionsSuppressorExtensionPeriod": 120,
    }
    cloudwatch.put_composite_alarm(**composite, **suppressed)
    found = cloudwatch.describe_alarms(AlarmNames=["composite"], AlarmTypes=["CompositeAlarm"])
    alarm = found["CompositeAlarms"][0]
    assert (alarm["StateValue"], alarm["StateReason"]) == ("ALARM", "by hand")
    assert {name: alarm[name] for name in suppressed} == suppressed


def test_a_bus_keeps_its_policy_and_its_rules_their_targets(world: World) -> None:
    """EventBridge: policies as given or by statement, and the order of deletion."""
    events = world.aws("events")
    events.create_event_bus(Name="bus")
    refused("ResourceNotFoundException", events.put_permission, EventBusName="no", Policy="{}")
    refused("ValidationException", events.put_permission, EventBusName="bus", Policy="{")
    policy = document(
        {
            "Sid": "own",
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:role/r"},
            "Action": "events:PutEvents",
            "Resource": "*",
        }
    )
    events.put_permission(EventBusName="bus", Policy=policy)
    assert json.loads(events.describe_event_bus(Name="bus")["Policy"]) == json.loads(policy)
    events.put_permission(
        EventBusName="bus", StatementId="s", Principal="123456789012", Action="events:PutEvents"
    )
    held = json.loads(events.describe_event_bus(Name="bus")["Policy"])["Statement"]
    added = next(statement for statement in held if statement["Sid"] == "s")
    assert added["Principal"] == {"AWS": "arn:aws:iam::123456789012:root"}

    events.put_rule(Name="rule", EventBusName="bus", EventPattern='{"source": ["s"]}')
    across = f"arn:aws:events:{WEST}:{ACCOUNT}:event-bus/bus"
    put = {"Rule": "rule", "EventBusName": "bus"}
    message = refused(
        "ValidationException", events.put_targets, **put, Targets=[{"Id": "1", "Arn": across}]
    )
    assert across in message
    role = f"arn:aws:iam::{ACCOUNT}:role/r"
    queue = f"arn:aws:sqs:{EAST}:{ACCOUNT}:q"
    events.put_targets(
        **put,
        Targets=[{"Id": "1", "Arn": across, "RoleArn": role}, {"Id": "2", "Arn": queue}],
    )
    refused("ValidationException", events.delete_rule, Name="rule", EventBusName="bus")
    refused("ValidationException", events.delete_event_bus, Name="bus")
    events.remove_targets(**put, Ids=["1", "2"])
    events.delete_rule(Name="rule", EventBusName="bus")
    events.delete_event_bus(Name="bus")


def test_multi_region_keys_and_their_replicas(world: World) -> None:
    """KMS: one id in both regions, replicas with a policy of their own, the primary last."""
    here, there = world.aws("kms"), world.aws("kms", WEST)
    plain = here.create_key()["KeyMetadata"]["KeyId"]
    refused("UnsupportedOperationException", here.replicate_key, KeyId=plain, ReplicaRegion=WEST)
    assert not here.describe_key(KeyId=plain)["KeyMetadata"]["MultiRegion"]
    key = here.create_key(MultiRegion=True)["KeyMetadata"]
    assert key["KeyId"].startswith("mrk-")
    policy = document({"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"})
    answer = here.replicate_key(KeyId=key["KeyId"], ReplicaRegion=WEST, Policy=policy)
    assert answer["ReplicaPolicy"] == policy
    again = {"KeyId": key["KeyId"], "ReplicaRegion": WEST}
    refused("AlreadyExistsException", here.replicate_key, **again)
    replica = there.describe_key(KeyId=key["KeyId"])["KeyMetadata"]
    relatives = replica["MultiRegionConfiguration"]
    assert relatives["MultiRegionKeyType"] == "REPLICA"
    assert relatives["PrimaryKey"] == {"Arn": key["Arn"], "Region": EAST}
    assert there.get_key_policy(KeyId=key["KeyId"], PolicyName="default")["Policy"] == policy
    waiting = here.schedule_key_deletion(KeyId=key["KeyId"])
    assert waiting["KeyState"] == "PendingReplicaDeletion"
    there.schedule_key_deletion(KeyId=key["KeyId"])
    assert (
        here.describe_key(KeyId=key["KeyId"])["KeyMetadata"]["MultiRegionConfiguration"][
            "ReplicaKeys"
        ]
        == []
    )


def test_resource_policies_and_keys_of_log_groups(world: World) -> None:
    """CloudWatch Logs: ten policies a region; a key comes, changes and goes."""
    logs = world.aws("logs")
    policy = document({"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"})
    refused("ResourceNotFoundException", logs.delete_resource_policy, policyName="none")
    refused(
        "InvalidParameterException", logs.put_resource_policy, policyName="p", policyDocument="{"
    )
    for number in range(10):
        logs.put_resource_policy(policyName=str(number), policyDocument=policy)
    refused(
        "LimitExceededException", logs.put_resource_policy, policyName="p", policyDocument=policy
    )
    logs.put_resource_policy(policyName="9", policyDocument=policy)
    logs.delete_resource_policy(policyName="9")
    held = logs.describe_resource_policies()["resourcePolicies"]
    assert [item["policyName"] for item in held] == [str(number) for number in range(9)]

    def key() -> str | None:
        found = logs.describe_log_groups(logGroupNamePrefix="/keyed")["logGroups"]
        return found[0].get("kmsKeyId")

    logs.create_log_group(logGroupName="/keyed", kmsKeyId="one")
    assert key() == "one"
    refused("ResourceAlreadyExistsException", logs.create_log_group, logGroupName="/keyed")
    logs.associate_kms_key(logGroupName="/keyed", kmsKeyId="two")
    assert key() == "two"
    logs.disassociate_kms_key(logGroupName="/keyed")
    assert key() is None
    refused(
        "ResourceNotFoundException", logs.associate_kms_key, logGroupName="/none", kmsKeyId="one"
    )


def test_topics_keep_their_tags_and_count_their_subscriptions(world: World) -> None:
    """SNS: a person confirms, a queue is confirmed at once; a pending subscription stays."""
    sns = world.aws("sns")
    topic = sns.create_topic(Name="counted", Tags=[{"Key": "a", "Value": "b"}])["TopicArn"]
    assert sns.list_tags_for_resource(ResourceArn=topic)["Tags"] == [{"Key": "a", "Value": "b"}]
    untagged = sns.create_topic(Name="untagged")["TopicArn"]
    assert sns.list_tags_for_resource(ResourceArn=untagged)["Tags"] == []
    queue = f"arn:aws:sqs:{EAST}:{ACCOUNT}:subscribed"
    subscribe = {"TopicArn": topic, "ReturnSubscriptionArn": True}
    confirmed = sns.subscribe(**subscribe, Protocol="sqs", Endpoint=queue)["SubscriptionArn"]
    pending = sns.subscribe(**subscribe, Protocol="email", Endpoint="a@b")["SubscriptionArn"]
    shown = sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="c@d")["SubscriptionArn"]
    assert pending.startswith(topic)
    assert shown == "pending confirmation"
    listed = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    by_protocol = sorted((s["Protocol"], s["SubscriptionArn"]) for s in listed)
    assert by_protocol == [("email", "PendingConfirmation")] * 2 + [("sqs", confirmed)]
    counts = sns.get_topic_attributes(TopicArn=topic)["Attributes"]
    assert (counts["SubscriptionsConfirmed"], counts["SubscriptionsPending"]) == ("1", "2")
    for arn in (pending, "PendingConfirmation"):
        refused("InvalidParameter", sns.unsubscribe, SubscriptionArn=arn)
    sns.unsubscribe(SubscriptionArn=confirmed)
    missing = f"{topic}-no"
    refused("NotFound", sns.get_topic_attributes, TopicArn=missing)
    refused("NotFound", sns.list_subscriptions_by_topic, TopicArn=missing)


def test_a_queues_attributes_are_taken_away_by_empty_ones(world: World) -> None:
    """SQS: an empty policy is none; what is set beside it counts."""
    sqs = world.aws("sqs")
    policy = document({"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"})
    queue = sqs.create_queue(QueueName="emptied", Attributes={"Policy": policy})["QueueUrl"]
    other = sqs.create_queue(QueueName="other", Attributes={"Policy": policy})["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": "", "DelaySeconds": "5"})
    kept = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert "Policy" not in kept
    assert kept["DelaySeconds"] == "5"
    kept = sqs.get_queue_attributes(QueueUrl=other, AttributeNames=["All"])["Attributes"]
    assert kept["Policy"] == policy
    made = sqs.create_queue(QueueName="born", Attributes={"Policy": ""})["QueueUrl"]
    kept = sqs.get_queue_attributes(QueueUrl=made, AttributeNames=["All"])["Attributes"]
    assert "Policy" not in kept


def test_a_replica_becomes_a_secret_of_its_own(world: World) -> None:
    """Secrets Manager API, StopReplicationToReplica: it is written in its own region from then on,
    and replicated over again on request."""
    here, there = world.aws("secretsmanager"), world.aws("secretsmanager", WEST)
    secret = here.create_secret(
        Name="released", SecretString="1", AddReplicaRegions=[{"Region": WEST}]
    )
    refused(
        "InvalidRequestException", there.put_secret_value, SecretId="released", SecretString="2"
    )
    refused("InvalidRequestException", here.stop_replication_to_replica, SecretId="released")
    released = there.stop_replication_to_replica(SecretId="released")["ARN"]
    assert released.split(":")[3] == WEST
    there.put_secret_value(SecretId="released", SecretString="2")
    assert here.get_secret_value(SecretId="released")["SecretString"] == "1"
    assert there.get_secret_value(SecretId="released")["SecretString"] == "2"
    here.replicate_secret_to_regions(
        SecretId=secret["ARN"], AddReplicaRegions=[{"Region": WEST}],
        ForceOverwriteReplicaSecret=True,
    )  # fmt: skip
    assert there.get_secret_value(SecretId=released)["SecretString"] == "1"


def test_secrets_have_their_replicas_until_they_are_taken_away(world: World) -> None:
    """Trap 30: replicas come with the creation, go region by region, and go first."""
    here = world.aws("secretsmanager")
    secret = here.create_secret(
        Name="replicated", SecretString="x", AddReplicaRegions=[{"Region": WEST}]
    )
    name = {"SecretId": secret["ARN"]}
    assert [status["Region"] for status in secret["ReplicationStatus"]] == [WEST]
    refused(
        "MalformedPolicyDocumentException", here.put_resource_policy, **name, ResourcePolicy="{"
    )
    here.put_resource_policy(**name, ResourcePolicy=document())
    assert WEST in refused("InvalidParameterException", here.delete_secret, **name)
    left = here.remove_regions_from_replication(**name, RemoveReplicaRegions=[WEST])
    assert left["ReplicationStatus"] == []
    here.delete_secret(**name, ForceDeleteWithoutRecovery=True)
    refused(
        "ResourceNotFoundException",
        here.remove_regions_from_replication,
        SecretId="no such secret",
        RemoveReplicaRegions=[WEST],
    )


def test_a_version_keeps_the_labels_that_it_was_given(world: World) -> None:
    """Trap 42: a label beside the current one moves to the version that asks for it, in the replica
    as well; of two rotations' versions AWS keeps those that have a label."""
    here, there = world.aws("secretsmanager"), world.aws("secretsmanager", WEST)
    name = {"SecretId": "labelled"}
    here.create_secret(Name="labelled", SecretString="0", AddReplicaRegions=[{"Region": WEST}])
    first = here.put_secret_value(
        **name, SecretString="1", VersionStages=["AWSCURRENT", "DEPLOYED"]
    )
    assert sorted(first["VersionStages"]) == ["AWSCURRENT", "DEPLOYED"]
    for text in ("2", "3"):
        here.put_secret_value(**name, SecretString=text)
    for client in (here, there):
        kept = client.get_secret_value(**name, VersionId=first["VersionId"])
        assert (kept["SecretString"], kept["VersionStages"]) == ("1", ["DEPLOYED"])
    again = here.put_secret_value(
        **name, SecretString="4", VersionStages=["AWSCURRENT", "DEPLOYED"]
    )
    stages = here.describe_secret(**name)["VersionIdsToStages"]
    assert [version for version, labels in stages.items() if "DEPLOYED" in labels] == [
        again["VersionId"]
    ]


def http_check(**changed: Any) -> dict[str, Any]:
    """A health check's configuration."""
    return {"Type": "HTTPS", "FullyQualifiedDomainName": "a.b", "ResourcePath": "/"} | changed


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"Type": "CALCULATED"}, "ChildHealthChecks is required"),
        (http_check(Regions=["us-east-1"]), "at least 3"),
        (http_check(Regions=["us-east-1", "us-west-1", "mars-1"]), "mars-1"),
    ],
    ids=["no-children", "one-region", "unknown-region"],
)
def test_health_checks_that_route_53_refuses(
    world: World, config: dict[str, Any], said: str
) -> None:
    """Trap 15: at least three of the checkers' regions; a calculated check has children."""
    route53 = world.client("route53", EAST, parameter_validation=False)
    message = refused(
        "InvalidInput",
        route53.create_health_check,
        CallerReference=said,
        HealthCheckConfig=config,
    )
    assert said in message


def test_health_checks_are_kept_whole_and_updated_in_turn(world: World) -> None:
    """Defaults are Route 53's; an update names the version that it changes; the status is shown
    by the lab's checker."""
    route53 = world.aws("route53")
    tcp = route53.create_health_check(
        CallerReference="tcp",
        HealthCheckConfig={"Type": "TCP", "IPAddress": "192.0.2.1", "Port": 5432},
    )["HealthCheck"]["HealthCheckConfig"]
    assert (tcp["Port"], tcp["FailureThreshold"]) == (5432, 3)
    recovery = route53.create_health_check(
        CallerReference="control",
        HealthCheckConfig={
            "Type": "RECOVERY_CONTROL",
            "RoutingControlArn": "arn:aws:route53-recovery-control::0:controlpanel/c",
        },
    )["HealthCheck"]
    assert "FailureThreshold" not in recovery["HealthCheckConfig"]
    made = route53.create_health_check(CallerReference="kept", HealthCheckConfig=http_check())
    name = {"HealthCheckId": made["HealthCheck"]["Id"]}
    assert made["HealthCheck"]["HealthCheckConfig"]["Port"] == 443
    version = made["HealthCheck"]["HealthCheckVersion"]
    refused(
        "HealthCheckVersionMismatch",
        route53.update_health_check,
        **name,
        HealthCheckVersion=version + 7,
        Inverted=True,
    )
    route53.update_health_check(
        **name, HealthCheckVersion=version, Inverted=True, ResetElements=["ResourcePath"]
    )
    config = route53.get_health_check(**name)["HealthCheck"]["HealthCheckConfig"]
    assert (config["Inverted"], config.get("ResourcePath")) == (True, None)
    assert route53.get_health_check_status(**name)["HealthCheckObservations"] == []
    route53.delete_health_check(**name)
    refused("NoSuchHealthCheck", route53.get_health_check_status, **name)
    refused("NoSuchHealthCheck", route53.update_health_check, **name, Inverted=True)


def test_zones_that_route_53_reserves_and_their_features(world: World) -> None:
    """Trap 16; a caller reference makes one zone; accelerated recovery reads back."""
    route53 = world.aws("route53")
    refused(
        "InvalidDomainName", route53.create_hosted_zone, Name="example.com", CallerReference="r"
    )
    zone = {"Name": "own.example.com", "CallerReference": "zone"}
    name = route53.create_hosted_zone(**zone)["HostedZone"]["Id"]
    refused("HostedZoneAlreadyExists", route53.create_hosted_zone, **zone)
    for enabled, status in ((True, "ENABLED"), (False, "DISABLED")):
        route53.update_hosted_zone_features(
            HostedZoneId=name.rpartition("/")[2], EnableAcceleratedRecovery=enabled
        )
        features = route53.get_hosted_zone(Id=name)["HostedZone"]["Features"]
        assert features["AcceleratedRecoveryStatus"] == status
    route53.delete_hosted_zone(Id=name)
    refused("NoSuchHostedZone", route53.get_hosted_zone, Id=name)


def test_buckets_replicate_versions_and_are_measured(world: World) -> None:
    """Trap 22: versioning first, on both sides, and for as long; configurations read back whole."""
    s3 = world.aws("s3")
    for bucket in ("source-bucket", "destination-bucket"):
        s3.create_bucket(Bucket=bucket)
    rule = {
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "DeleteMarkerReplication": {"Status": "Disabled"},
        "Destination": {"Bucket": "arn:aws:s3:::destination-bucket"},
    }
    old = {"Status": "Enabled", "Prefix": "", "Destination": rule["Destination"]}
    given = {"Role": f"arn:aws:iam::{ACCOUNT}:role/r", "Rules": [rule, old]}
    put = {"Bucket": "source-bucket", "ReplicationConfiguration": given}
    on = {"VersioningConfiguration": {"Status": "Enabled"}}
    refused("InvalidRequest", s3.put_bucket_replication, **put)
    s3.put_bucket_versioning(Bucket="source-bucket", **on)
    assert "Destination" in refused("InvalidRequest", s3.put_bucket_replication, **put)
    s3.put_bucket_versioning(Bucket="destination-bucket", **on)
    source = {"Bucket": "source-bucket"}
    refused("ReplicationConfigurationNotFoundError", s3.get_bucket_replication, **source)
    s3.put_bucket_replication(**put)
    rules = s3.get_bucket_replication(**source)["ReplicationConfiguration"]["Rules"]
    assert [(rule["ID"], rule.get("Priority")) for rule in rules] == [
        ("rule-0", 0),
        ("rule-1", None),
    ]
    off = {"VersioningConfiguration": {"Status": "Suspended"}}
    refused("InvalidBucketState", s3.put_bucket_versioning, **source, **off)
    s3.delete_bucket_replication(**source)

    metrics = {"Bucket": "source-bucket", "Id": "all"}
    refused("NoSuchConfiguration", s3.get_bucket_metrics_configuration, **metrics)
    refused("NoSuchBucket", s3.get_bucket_metrics_configuration, Bucket="no", Id="all")
    s3.put_bucket_metrics_configuration(**metrics, MetricsConfiguration={"Id": "all"})
    kept = s3.get_bucket_metrics_configuration(**metrics)["MetricsConfiguration"]
    listed = s3.list_bucket_metrics_configurations(**source)["MetricsConfigurationList"]
    assert [kept] == listed == [{"Id": "all"}]
    s3.delete_bucket_metrics_configuration(**metrics)
    refused("NoSuchConfiguration", s3.get_bucket_metrics_configuration, **metrics)


def test_a_bucket_with_versions_left_stays(world: World) -> None:
    """A delete marker hides an object and still keeps the bucket."""
    s3 = world.aws("s3")
    bucket = {"Bucket": "emptied-bucket"}
    s3.create_bucket(**bucket)
    s3.put_bucket_versioning(**bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(**bucket, Key="one", Body=b"1")
    assert s3.delete_object(**bucket, Key="one")["DeleteMarker"]
    s3.put_object(**bucket, Key="two", Body=b"2")
    s3.delete_objects(**bucket, Delete={"Objects": [{"Key": "two"}]})
    refused("NoSuchKey", s3.get_object, **bucket, Key="one")
    refused("BucketNotEmpty", s3.delete_bucket, **bucket)
    versions = s3.list_object_versions(**bucket)
    for item in versions["Versions"] + versions["DeleteMarkers"]:
        s3.delete_object(**bucket, Key=item["Key"], VersionId=item["VersionId"])
    s3.delete_bucket(**bucket)
    refused("NoSuchBucket", s3.delete_bucket, **bucket)


def test_a_simulated_call_is_decided_by_the_roles_policies(world: World) -> None:
    """SimulatePrincipalPolicy: allowed, implicitly and explicitly denied, by resource and by
    context; a role that doesn't exist is refused."""
    iam = world.aws("iam")
    topic, other = (f"arn:aws:sns:{EAST}:{ACCOUNT}:{name}" for name in ("a", "b"))
    role = iam.create_role(RoleName="asked", AssumeRolePolicyDocument=document())["Role"]["Arn"]
    metrics = {"StringEquals": {"cloudwatch:namespace": "ours"}}
    statements = (
        {"Effect": "Allow", "Action": "sns:*", "Resource": topic},
        {"Effect": "Deny", "Action": "sns:DeleteTopic", "Resource": "*"},
        {"Effect": "Allow", "Action": "cloudwatch:PutMetricData", "Resource": "*",
         "Condition": metrics},
    )  # fmt: skip
    iam.put_role_policy(RoleName="asked", PolicyName="p", PolicyDocument=document(*statements))

    def asked(action: str, *resources: str, **more: Any) -> dict[str, Any]:
        given = {"ResourceArns": list(resources)} if resources else {}
        answer = iam.simulate_principal_policy(
            PolicySourceArn=role, ActionNames=[action], **given, **more
        )
        assert not answer["IsTruncated"]
        return answer["EvaluationResults"][0]

    assert asked("sns:Publish", topic)["EvalDecision"] == "allowed"
    assert asked("sns:Publish", other)["EvalDecision"] == "implicitDeny"
    assert asked("sns:DeleteTopic", topic)["EvalDecision"] == "explicitDeny"
    both = asked("sns:Publish", topic, other)
    assert both["EvalDecision"] == "implicitDeny"
    by_resource = both["ResourceSpecificResults"]
    assert [(one["EvalResourceName"], one["EvalResourceDecision"]) for one in by_resource] == [
        (topic, "allowed"), (other, "implicitDeny"),
    ]  # fmt: skip
    assert asked("cloudwatch:PutMetricData")["EvalDecision"] == "implicitDeny"
    context = {
        "ContextKeyName": "cloudwatch:namespace", "ContextKeyType": "string",
        "ContextKeyValues": ["ours"],
    }  # fmt: skip
    found = asked("cloudwatch:PutMetricData", ContextEntries=[context])
    assert found["EvalDecision"] == "allowed"
    added = document({"Effect": "Deny", "Action": "sns:Publish", "Resource": topic})
    denied = asked("sns:Publish", topic, PolicyInputList=[added])
    assert denied["EvalDecision"] == "explicitDeny"
    refused(
        "NoSuchEntity", iam.simulate_principal_policy,
        PolicySourceArn=f"{role}-gone", ActionNames=["sns:Publish"],
    )  # fmt: skip


def test_the_labs_own_mailbox_is_read_at_once(world: World) -> None:
    """R6.3: whoever reads it confirms what it asks; any other mailbox waits for its owner."""
    sns = world.aws("sns")
    topic = sns.create_topic(Name="read")["TopicArn"]
    for endpoint in ("on-call@lab.invalid", "somebody@else.test"):
        sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=endpoint)
    listed = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    arns = {one["Endpoint"]: one["SubscriptionArn"] for one in listed}
    assert arns["somebody@else.test"] == "PendingConfirmation"
    assert arns["on-call@lab.invalid"].startswith(f"{topic}:")
    sns.delete_topic(TopicArn=topic)


def test_a_changed_parameter_is_announced_on_the_default_bus(world: World) -> None:
    """Systems Manager's events: created, updated and deleted, in the parameter's own region."""
    events, sqs, ssm = (world.aws(name) for name in ("events", "sqs", "ssm"))
    url = sqs.create_queue(QueueName="changes")["QueueUrl"]
    arn = f"arn:aws:sqs:{EAST}:{ACCOUNT}:changes"
    policy = {
        "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage", "Resource": arn,
    }  # fmt: skip
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": document(policy)})
    pattern = {"source": ["aws.ssm"], "detail": {"name": [{"prefix": "/ours/"}]}}
    events.put_rule(Name="changes", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="changes", Targets=[{"Id": "queue", "Arn": arn}])

    put = {"Type": "String", "Overwrite": True}
    ssm.put_parameter(Name="/ours/a", Value="1", **put)
    ssm.put_parameter(Name="/ours/a", Value="2", **put)
    ssm.put_parameter(Name="/theirs/a", Value="2", **put)
    ssm.put_parameter(Name="/ours/b", Value="2", **put)
    ssm.delete_parameter(Name="/ours/a")
    ssm.delete_parameters(Names=["/ours/b"])
    refused("ParameterNotFound", ssm.delete_parameter, Name="/ours/a")
    found = [
        json.loads(one["Body"])["detail"]
        for _ in range(10)
        for one in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", ())
    ]
    assert sorted((one["operation"], one["name"]) for one in found) == [
        ("Create", "/ours/a"), ("Create", "/ours/b"),
        ("Delete", "/ours/a"), ("Delete", "/ours/b"), ("Update", "/ours/a"),
    ]  # fmt: skip


@pytest.mark.parametrize("region", [EAST, WEST])
def test_a_restored_table_takes_a_partition_key_that_it_never_had(
    world: World, region: str
) -> None:
    """Issue 15.9: a lab that was started again resumes in both regions; the emulator answered an
    internal error outside us-east-1, and the standby's controller stood still."""
    client = world.aws("dynamodb", region)
    client.create_table(
        TableName="kept",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "item", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "item", "KeyType": "HASH"}],
    )
    client.put_item(TableName="kept", Item={"item": {"S": "before"}})
    store = importlib.import_module("ministack.services.dynamodb")
    saved = {**store.get_state(), "tables": copy.deepcopy(store._tables)}
    for table in saved["tables"]._data.values():
        table["items"] = {key: dict(rows) for key, rows in table["items"].items()}
    store.restore_state(saved)
    dynamodb.restore_items()
    client.put_item(TableName="kept", Item={"item": {"S": "after"}})
    found = {row["item"]["S"] for row in client.scan(TableName="kept")["Items"]}
    assert found == {"before", "after"}
