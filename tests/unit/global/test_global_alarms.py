"""Alarms: what is watched, where they publish, and that every metric exists as AWS names it."""

import json
import re
from typing import Any

import pytest
from declared_alarms import ALARM, CERTIFICATES, REGIONS, with_certificates
from harness import ACCOUNT, SUFFIX, Deployment, Registered, program, run_program, sample_outputs

from tapstack.contracts import AppOutputs, DataOutputs

ROLE_OF = {"us-east-1": "primary", "us-west-2": "secondary"}
APP, DATA = sample_outputs(AppOutputs), sample_outputs(DataOutputs)
both_regions = pytest.mark.parametrize("region", REGIONS)

ALB = "Application Load Balancer user guide, CloudWatch metrics"
LAMBDA = "Lambda developer guide, Types of metrics for Lambda functions"
AURORA = "Aurora user guide, Amazon CloudWatch metrics for Amazon Aurora"
EVENTS = "EventBridge user guide, Monitoring Amazon EventBridge"
BACKUP = "AWS Backup developer guide, AWS Backup metrics with Amazon CloudWatch"
S3 = "S3 user guide, Using S3 Replication metrics"
TARGET_GROUP = {"LoadBalancer", "TargetGroup"}
REPLICATION = {"SourceBucket", "DestinationBucket", "RuleId"}
RULE = {"EventBusName", "RuleName"}

METRICS: dict[tuple[str, str], tuple[set[str], str]] = {
    ("AWS/ApplicationELB", "HealthyHostCount"): (TARGET_GROUP, ALB),
    ("AWS/ApplicationELB", "TargetResponseTime"): (TARGET_GROUP, ALB),
    ("AWS/ApplicationELB", "RequestCount"): ({"LoadBalancer"}, ALB),
    ("AWS/ApplicationELB", "HTTPCode_ELB_5XX_Count"): ({"LoadBalancer"}, ALB),
    ("AWS/ApplicationELB", "HTTPCode_Target_5XX_Count"): ({"LoadBalancer"}, ALB),
    ("AWS/Backup", "NumberOfBackupJobsCompleted"): ({"BackupVaultName"}, BACKUP),
    ("AWS/Backup", "NumberOfBackupJobsExpired"): ({"BackupVaultName"}, BACKUP),
    ("AWS/Backup", "NumberOfBackupJobsFailed"): ({"BackupVaultName"}, BACKUP),
    ("AWS/Backup", "NumberOfCopyJobsCompleted"): ({"BackupVaultName"}, BACKUP),
    ("AWS/Backup", "NumberOfCopyJobsFailed"): ({"BackupVaultName"}, BACKUP),
    ("AWS/Lambda", "Invocations"): ({"FunctionName"}, LAMBDA),
    ("AWS/Lambda", "Errors"): ({"FunctionName"}, LAMBDA),
    ("AWS/Lambda", "Throttles"): ({"FunctionName"}, LAMBDA),
    ("AWS/Lambda", "Duration"): ({"FunctionName"}, LAMBDA),
    ("AWS/RDS", "CPUUtilization"): ({"DBClusterIdentifier"}, AURORA),
    ("AWS/RDS", "DatabaseConnections"): ({"DBClusterIdentifier"}, AURORA),
    ("AWS/RDS", "AuroraGlobalDBReplicationLag"): ({"DBClusterIdentifier"}, AURORA),
    ("AWS/RDS", "AuroraGlobalDBRPOLag"): ({"DBClusterIdentifier"}, AURORA),
    ("AWS/Route53", "HealthCheckStatus"): (
        {"HealthCheckId"}, "Route 53 developer guide, Monitoring health checks using CloudWatch",
    ),
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible"): (
        {"QueueName"}, "SQS developer guide, Available CloudWatch metrics for Amazon SQS",
    ),
    ("AWS/Events", "IngestionToInvocationSuccessLatency"): (RULE, EVENTS),
    ("AWS/S3", "ReplicationLatency"): (REPLICATION, S3),
    ("AWS/S3", "OperationsPendingReplication"): (REPLICATION, S3),
    ("AWS/S3", "OperationsFailedReplication"): (REPLICATION, S3),
    ("AWS/CertificateManager", "DaysToExpiry"): (
        {"CertificateArn"}, "ACM user guide, Supported CloudWatch metrics",
    ),
    ("WarmStandby", "EmergencyExport"): ({"EnvironmentSuffix"}, "docs/names.md"),
    ("WarmStandby", "EventPropagation"): ({"EnvironmentSuffix"}, "docs/names.md"),
    ("WarmStandby", "FailoverReadiness"): ({"EnvironmentSuffix"}, "docs/names.md"),
    ("WarmStandby", "ParameterLag"): ({"EnvironmentSuffix"}, "docs/names.md"),
    ("WarmStandby", "ControllerHeartbeat"): ({"EnvironmentSuffix"}, "docs/names.md"),
    ("WarmStandby", "ReplicationLag"): ({"EnvironmentSuffix"}, "docs/names.md"),
}  # fmt: skip
"""(namespace, metric) → its dimensions, and the page that says so."""


def alarm(purpose: str, region: str, deployment: Deployment | None = None) -> dict[str, Any]:
    return (deployment or program("global")).one(ALARM, f"{purpose}-{region}").inputs


def watched(entry: Registered) -> list[tuple[str, str, dict[str, str]]]:
    """(namespace, metric, dimensions) of an alarm, through its metric math if it has some."""
    inputs = entry.inputs
    if "metricName" in inputs:
        return [(inputs["namespace"], inputs["metricName"], inputs["dimensions"])]
    return [
        (query["metric"]["namespace"], query["metric"]["metricName"], query["metric"]["dimensions"])
        for query in inputs["metricQueries"]
        if "metric" in query
    ]


def drawn() -> list[tuple[str, str, dict[str, str]]]:
    """The same of every line of the dashboard."""
    body = json.loads(
        program("global").one("aws:cloudwatch/dashboard:Dashboard").inputs["dashboardBody"]
    )
    lines = [
        line
        for widget in body["widgets"]
        if widget["type"] == "metric"
        for line in widget["properties"]["metrics"]
    ]
    return [
        (line[0], line[1], dict(zip(line[2:-1:2], line[3:-1:2], strict=True))) for line in lines
    ]


@pytest.mark.no_cover
def test_every_metric_exists_with_its_dimensions() -> None:
    """R6.1, R6.2: an alarm on a metric that nobody publishes is always quiet."""
    deployment = with_certificates()
    used = [metric for entry in deployment.created(ALARM) for metric in watched(entry)]
    for namespace, name, dimensions in [*used, *drawn()]:
        assert set(dimensions) == METRICS[namespace, name][0], (namespace, name)
        assert all(dimensions.values()), (namespace, name)
    assert {(namespace, name) for namespace, name, _ in [*used, *drawn()]} == set(METRICS)


def test_every_alarm_acts_on_the_topic_of_its_own_region() -> None:
    """R6.3, trap 29: another region's topic is refused; all three changes of state are notified."""
    deployment = program("global")
    topics = {
        deployment.region_of(topic): topic.outputs["arn"]
        for topic in deployment.created("aws:sns/topic:Topic")
    }
    alarms = [
        *deployment.created(ALARM),
        *deployment.created("aws:cloudwatch/compositeAlarm:CompositeAlarm"),
    ]
    for entry in alarms:
        own = [topics[deployment.region_of(entry)]]
        for actions in ("alarmActions", "okActions", "insufficientDataActions"):
            assert entry.inputs[actions] == own, (entry.name, actions)


BOTH = {
    "lambda-errors", "lambda-throttles", "alb-no-healthy-target", "rds-cpu", "rds-connections",
    "rds-global-lag", "rds-rpo-lag", "s3-replication-latency", "s3-replication-pending",
    "s3-replication-failed", "forward-dead-letters", "consume-dead-letters", "failed-events",
    "event-latency", "event-propagation", "target-5xx", "alb-5xx", "slow-answers",
    "backup-failed", "backup-expired", "backup-copy-failed",
    "controller-heartbeat", "failover-readiness", "parameter-lag", "emergency-export",
}  # fmt: skip


def test_the_alarms_of_each_region() -> None:
    """R6.2, trap 11: Route 53's in us-east-1 alone, us-west-2's own signal in us-west-2."""
    deployment = program("global")
    purposes = {
        region: {
            entry.name.removesuffix(f"-{region}") for entry in deployment.created(ALARM, region)
        }
        for region in REGIONS
    }
    assert purposes == {
        "us-east-1": BOTH
        | {
            "health-primary",
            "health-secondary",
            "traffic-moved",
            "backup-missing",
            "backup-copy-missing",
        },
        "us-west-2": BOTH | {"heartbeat"},
    }


@both_regions
def test_more_than_five_percent_errors(region: str) -> None:
    """R6.2: errors of calls, by metric math; no calls are no errors."""
    entry = alarm("lambda-errors", region)
    queries = {query["id"]: query for query in entry["metricQueries"]}
    assert queries["watched"]["expression"] == (
        "IF(invocations > 0, 100 * errors / invocations, 0)"
    )
    assert [key for key, query in queries.items() if query.get("returnData")] == ["watched"]
    assert {queries[key]["metric"]["stat"] for key in ("errors", "invocations")} == {"Sum"}
    assert (entry["comparisonOperator"], entry["threshold"]) == ("GreaterThanThreshold", 5)
    assert "metricName" not in entry


@pytest.mark.parametrize(
    ("purpose", "comparison", "threshold", "missing"),
    [
        ("lambda-throttles", "GreaterThanThreshold", 0, "notBreaching"),
        ("alb-no-healthy-target", "LessThanThreshold", 1, "breaching"),
        ("rds-cpu", "GreaterThanThreshold", 80, "missing"),
        ("rds-connections", "GreaterThanThreshold", 1441, "missing"),
        ("rds-rpo-lag", "GreaterThanThreshold", 60_000, "notBreaching"),
        ("s3-replication-latency", "GreaterThanThreshold", 600, "notBreaching"),
        ("s3-replication-pending", "GreaterThanThreshold", 100, "notBreaching"),
        ("s3-replication-failed", "GreaterThanThreshold", 0, "notBreaching"),
        ("forward-dead-letters", "GreaterThanThreshold", 0, "notBreaching"),
        ("consume-dead-letters", "GreaterThanThreshold", 0, "notBreaching"),
        ("failed-events", "GreaterThanThreshold", 0, "notBreaching"),
        ("event-latency", "GreaterThanThreshold", 300_000, "notBreaching"),
        ("controller-heartbeat", "LessThanThreshold", 1, "breaching"),
        ("failover-readiness", "LessThanThreshold", 1, "missing"),
        ("parameter-lag", "GreaterThanThreshold", 900, "missing"),
        ("emergency-export", "LessThanThreshold", 1, "missing"),
        ("event-propagation", "GreaterThanThreshold", 300_000, "breaching"),
        ("slow-answers", "GreaterThanThreshold", 3, "notBreaching"),
        ("backup-failed", "GreaterThanThreshold", 0, "notBreaching"),
        ("backup-expired", "GreaterThanThreshold", 0, "notBreaching"),
        ("backup-copy-failed", "GreaterThanThreshold", 0, "notBreaching"),
    ],
)
@both_regions
def test_thresholds_and_what_silence_means(
    region: str, purpose: str, comparison: str, threshold: float, missing: str
) -> None:
    """R6.2, N6: database lag, replication and events by the budget's own constants."""
    entry = alarm(purpose, region)
    assert (entry["comparisonOperator"], entry["threshold"]) == (comparison, threshold)
    assert entry["treatMissingData"] == missing
    assert 1 <= entry["datapointsToAlarm"] <= entry["evaluationPeriods"]


EVALUATION = {
    # Purpose: statistic, seconds of a period, periods, how many of them must breach.
    "lambda-throttles": ("Sum", 60, 1, 1),
    "alb-no-healthy-target": ("Maximum", 60, 2, 2),
    "rds-cpu": ("Maximum", 60, 5, 5),
    "rds-connections": ("Maximum", 60, 3, 3),
    "rds-global-lag": ("Maximum", 60, 3, 3),
    "rds-rpo-lag": ("Maximum", 60, 3, 3),
    "s3-replication-latency": ("Maximum", 60, 3, 2),
    "s3-replication-pending": ("Minimum", 300, 3, 3),
    "s3-replication-failed": ("Sum", 60, 1, 1),
    "forward-dead-letters": ("Maximum", 60, 1, 1),
    "consume-dead-letters": ("Maximum", 60, 1, 1),
    "failed-events": ("Maximum", 60, 1, 1),
    "event-latency": ("Maximum", 60, 1, 1),
    "controller-heartbeat": ("Sum", 60, 3, 3),
    "failover-readiness": ("Minimum", 300, 3, 3),
    "parameter-lag": ("Maximum", 300, 3, 3),
    "emergency-export": ("Sum", 3600, 30, 30),
    "event-propagation": ("Maximum", 60, 5, 5),
    "slow-answers": ("p99", 60, 5, 3),
    "backup-failed": ("Sum", 300, 1, 1),
    "backup-expired": ("Sum", 300, 1, 1),
    "backup-copy-failed": ("Sum", 300, 1, 1),
    "backup-missing": ("Sum", 3600, 30, 30),
    "backup-copy-missing": ("Sum", 3600, 30, 30),
    "heartbeat": ("Minimum", 60, 1, 1),
    "health-primary": ("Minimum", 60, 1, 1),
    "health-secondary": ("Minimum", 60, 1, 1),
    "traffic-moved": ("Minimum", 60, 1, 1),
    "certificate-expiry": ("Minimum", 86400, 1, 1),
}


RATES = ("lambda-errors", "target-5xx", "alb-5xx")
"""Alarms on a share, by metric math."""


def test_how_long_a_fault_must_last() -> None:
    """R6.2: how soon each alarm rises, and that one bad minute of errors alone raises none."""
    deployment = with_certificates()
    seen = set()
    for entry in deployment.created(ALARM):
        purpose = entry.name.removesuffix(f"-{deployment.region_of(entry)}")
        seen.add(purpose)
        given = entry.inputs
        counts = (given["evaluationPeriods"], given["datapointsToAlarm"])
        if purpose in RATES:
            assert counts == (3, 2)
            periods = {query["metric"]["period"] for query in given["metricQueries"][:2]}
            assert periods == {60}
        else:
            statistic = given.get("statistic") or given["extendedStatistic"]
            assert (statistic, given["period"], *counts) == EVALUATION[purpose], purpose
    assert seen == {*EVALUATION, *RATES}


DIMENSION_FORMS = {
    # Dimension: form of its value. One value in another's place is a metric that nobody publishes.
    "LoadBalancer": r"app/alb-app-REGION-SUFFIX/[0-9a-f]+",
    "TargetGroup": r"targetgroup/tg-app-REGION-SUFFIX/[0-9a-f]+",
    "FunctionName": r"function-api-REGION-SUFFIX",
    "DBClusterIdentifier": r"aurora-cluster-REGION-SUFFIX",
    "HealthCheckId": r"[0-9a-f-]{36}",
    "QueueName": (
        r"queue-(forward-dead-letters|consume-dead-letters|failed-events|heartbeats)-REGION-SUFFIX"
    ),
    "BackupVaultName": r"backup-vault-REGION-SUFFIX",
    "EnvironmentSuffix": "SUFFIX",
    "EventBusName": r"bus-app-REGION-SUFFIX",
    "RuleName": r"rule-forward-REGION-SUFFIX",
    "SourceBucket": r"bucket-content-us-(east-1|west-2)-SUFFIX",
    "DestinationBucket": r"bucket-content-us-(east-1|west-2)-SUFFIX",
    "RuleId": r"to-us-(east-1|west-2)",
    "CertificateArn": r"arn:aws:acm:REGION:\d{12}:certificate/[0-9a-f-]+",
}


def test_dimensions_name_the_things_of_the_alarms_region() -> None:
    """R6.2: a target group's dimension holds a target group, and each of the alarm's own region;
    replication goes from one bucket to the other, by the rule into the destination."""
    deployment = with_certificates()
    seen = set()
    for entry in deployment.created(ALARM):
        region = deployment.region_of(entry)
        for _, _, dimensions in watched(entry):
            seen |= set(dimensions)
            for name, value in dimensions.items():
                form = DIMENSION_FORMS[name].replace("REGION", region).replace("SUFFIX", SUFFIX)
                assert re.fullmatch(form, value), (entry.name, name, value)
            if "RuleId" in dimensions:
                assert dimensions["SourceBucket"] != dimensions["DestinationBucket"]
                into = dimensions["RuleId"].removeprefix("to-")
                assert into in dimensions["DestinationBucket"]
                assert (into == region) is ("failed" not in entry.name)
    assert seen == set(DIMENSION_FORMS)


def test_lines_of_the_dashboard_name_things_of_their_kind() -> None:
    """R6.1: the same for what is drawn, whichever region it is of."""
    for _, _, dimensions in drawn():
        for name, value in dimensions.items():
            form = DIMENSION_FORMS.get(name, "SUFFIX")
            form = form.replace("REGION", "us-(east-1|west-2)").replace("SUFFIX", SUFFIX)
            assert re.fullmatch(form, value), (name, value)


@pytest.mark.no_cover
def test_near_the_maximum_follows_the_instance_class() -> None:
    """R6.2: a larger class allows more before the alarm."""
    deployment = run_program("global", config={"data:instanceClass": "db.r6g.xlarge"})
    assert alarm("rds-connections", "us-west-2", deployment)["threshold"] == 2883


def test_a_standby_that_follows_nobody_is_an_alarm_in_us_west_2_only() -> None:
    """Trap 11: silence there is a lost writer; in us-east-1 it's the normal role."""
    assert alarm("rds-global-lag", "us-west-2")["treatMissingData"] == "breaching"
    assert alarm("rds-global-lag", "us-east-1")["treatMissingData"] == "notBreaching"


def test_health_check_alarms_treat_silence_as_a_fault() -> None:
    """R6.2: Route 53 always publishes."""
    deployment = program("global")
    for purpose, check in (
        ("health-primary", "app-us-east-1"),
        ("health-secondary", "app-us-west-2"),
        ("traffic-moved", "serves-us-east-1"),
    ):
        entry = alarm(purpose, "us-east-1")
        assert entry["dimensions"] == {
            "HealthCheckId": deployment.one("aws:route53/healthCheck:HealthCheck", check).id
        }
        assert (entry["comparisonOperator"], entry["threshold"]) == ("LessThanThreshold", 1)
        assert entry["treatMissingData"] == "breaching"


def test_the_heartbeats_silence_is_seen_in_us_west_2_within_three_minutes() -> None:
    """Traps 11, 70 and 71: by the depth of a queue, which SQS publishes as 0 as well; a beat lies
    there until after the next one, and a minute without any is the alarm. Before the first beat
    there is no state, so that a first deployment wakes nobody."""
    entry = alarm("heartbeat", "us-west-2")
    beats = program("global").one("aws:sqs/queue:Queue", "heartbeats-us-west-2").inputs
    assert entry["metricName"] == "ApproximateNumberOfMessagesVisible"
    assert entry["dimensions"] == {"QueueName": beats["name"]}
    assert (entry["comparisonOperator"], entry["threshold"]) == ("LessThanThreshold", 1)
    assert entry["treatMissingData"] == "ignore"
    lies, looks = beats["messageRetentionSeconds"], entry["period"] * entry["evaluationPeriods"]
    assert lies >= 90, "a beat that is a little late would wake somebody"
    assert lies + looks < 180


def test_one_verdict_on_the_primary_in_us_west_2() -> None:
    """Trap 11: composite of alarms of us-west-2 only, made after them; as long as no beat was ever
    heard the database's alarm alone is a first deployment's."""
    deployment = program("global")
    verdict = deployment.one("aws:cloudwatch/compositeAlarm:CompositeAlarm")
    assert deployment.region_of(verdict) == "us-west-2"
    assert verdict.inputs["alarmName"] == f"alarm-primary-impaired-us-west-2-{SUFFIX}"
    beat, lag = (f"alarm-{name}-us-west-2-{SUFFIX}" for name in ("heartbeat", "rds-global-lag"))
    assert verdict.inputs["alarmRule"] == (
        f'ALARM("{beat}") OR (ALARM("{lag}") AND NOT INSUFFICIENT_DATA("{beat}"))'
    )
    for name in (beat, lag):
        (signal,) = [entry for entry in deployment.created(ALARM) if entry.inputs["name"] == name]
        assert deployment.reaches(verdict, signal)


@pytest.mark.parametrize(
    ("purpose", "counted", "expression"),
    [
        ("target-5xx", "HTTPCode_Target_5XX_Count", "100 * failures / requests"),
        ("alb-5xx", "HTTPCode_ELB_5XX_Count", "100 * failures / (FILL(requests, 0) + failures)"),
    ],
)
@both_regions
def test_more_than_five_percent_of_the_answers_are_5xx(
    region: str, purpose: str, counted: str, expression: str
) -> None:
    """Trap 59: a function that answers 500 is a successful invocation, and what no target was
    chosen for isn't among the requests."""
    entry = alarm(purpose, region)
    queries = {query["id"]: query for query in entry["metricQueries"]}
    assert queries["watched"]["expression"] == expression
    assert queries["failures"]["metric"]["metricName"] == counted
    assert queries["requests"]["metric"]["metricName"] == "RequestCount"
    assert {queries[key]["metric"]["stat"] for key in ("failures", "requests")} == {"Sum"}
    assert (entry["comparisonOperator"], entry["threshold"]) == ("GreaterThanThreshold", 5)
    assert entry["treatMissingData"] == "notBreaching"


def test_backups_are_watched_in_the_vaults_that_data_declares() -> None:
    """Trap 45: failed, expired and missing jobs and copies; the plan is in us-east-1, and what
    isn't begun at all is no data there, which is notified as well."""
    vaults = {entry.inputs["name"] for entry in program("data").created("aws:backup/vault:Vault")}
    watched_vaults = {
        entry.inputs["dimensions"]["BackupVaultName"]
        for entry in program("global").created(ALARM)
        if "backup" in entry.name
    }
    assert watched_vaults == vaults
    for purpose, counted in (
        ("backup-missing", "NumberOfBackupJobsCompleted"),
        ("backup-copy-missing", "NumberOfCopyJobsCompleted"),
    ):
        entry = alarm(purpose, "us-east-1")
        assert (entry["metricName"], entry["treatMissingData"]) == (counted, "missing")
        assert (entry["comparisonOperator"], entry["threshold"]) == ("LessThanThreshold", 1)
        assert 24 < entry["period"] * entry["evaluationPeriods"] / 3600 < 48


def test_replication_metrics_carry_the_rules_that_data_declares() -> None:
    """Trap 23: bucket names and rule ids as the data layer's program really makes them."""
    declared = {
        (region, config.inputs["rules"][0]["id"])
        for region in REGIONS
        for config in program("data").created(
            "aws:s3/bucketReplicationConfig:BucketReplicationConfig", region
        )
    }
    assert declared == {("us-east-1", "to-us-west-2"), ("us-west-2", "to-us-east-1")}
    for source, rule_id in declared:
        destination = rule_id.removeprefix("to-")
        expected = {
            "SourceBucket": DATA[ROLE_OF[source]]["bucket_name"],
            "DestinationBucket": DATA[ROLE_OF[destination]]["bucket_name"],
            "RuleId": rule_id,
        }
        assert alarm("s3-replication-failed", source)["dimensions"] == expected
        assert alarm("s3-replication-latency", destination)["dimensions"] == expected
        assert alarm("s3-replication-pending", destination)["dimensions"] == expected


def test_one_way_replication_has_alarms_of_one_way() -> None:
    """R4.1: no alarm, and no graph, on a direction that isn't configured."""
    deployment = run_program("global", config={"data:bidirectionalReplication": "false"})
    names = {entry.name for entry in deployment.created(ALARM) if "s3-" in entry.name}
    assert names == {
        "s3-replication-failed-us-east-1",
        "s3-replication-latency-us-west-2",
        "s3-replication-pending-us-west-2",
    }
    body = deployment.one("aws:cloudwatch/dashboard:Dashboard").inputs["dashboardBody"]
    assert "No objects are replicated to us-east-1." in body


@both_regions
def test_dead_letter_alarms_name_queues_that_exist(region: str) -> None:
    """Trap 27: the application layer's queue among them, by its name."""
    queues = {
        entry.inputs["name"]
        for layer in ("app", "global")
        for entry in program(layer).created("aws:sqs/queue:Queue", region)
    }
    for purpose in ("forward-dead-letters", "consume-dead-letters", "failed-events"):
        assert alarm(purpose, region)["dimensions"]["QueueName"] in queues


@both_regions
def test_certificates_are_watched_when_used(region: str) -> None:
    """R6.2: each region its own."""
    deployment = with_certificates()
    entry = alarm("certificate-expiry", region, deployment)
    assert entry["dimensions"] == {"CertificateArn": CERTIFICATES[region]}
    assert (entry["comparisonOperator"], entry["threshold"]) == ("LessThanThreshold", 30)


@both_regions
def test_topics_are_under_our_key_and_take_alarms_of_this_account(region: str) -> None:
    """R6.3, trap 29: with the AWS-managed key alarms would vanish silently. EventBridge, which
    can't meet a condition in a topic's policy, has no statement."""
    deployment = program("global")
    topic = deployment.one("aws:sns/topic:Topic", region=region)
    assert topic.inputs["kmsMasterKeyId"] == DATA[ROLE_OF[region]]["key_arn"]
    policy = deployment.one("aws:sns/topicPolicy:TopicPolicy", region=region)
    (only,) = json.loads(policy.inputs["policy"])["Statement"]
    assert only["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert only["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
    assert only["Resource"] == topic.outputs["arn"]


def test_a_pager_hears_of_both_regions_where_it_is_configured() -> None:
    """Issue 19.4: an HTTPS endpoint that follows SNS's link itself."""
    type_ = "aws:sns/topicSubscription:TopicSubscription"
    endpoint = "https://pager.standby.health/sns"
    deployment = run_program("global", config={"global:pagerEndpoint": endpoint})
    subscriptions = deployment.created(type_)
    assert {deployment.region_of(entry) for entry in subscriptions} == set(REGIONS)
    for entry in subscriptions:
        assert (entry.inputs["protocol"], entry.inputs["endpoint"]) == ("https", endpoint)
        assert entry.inputs["endpointAutoConfirms"]


@pytest.mark.no_cover
def test_nobody_is_subscribed_unless_configured() -> None:
    """R6.3: the e-mail is optional, and then hears of both regions."""
    type_ = "aws:sns/topicSubscription:TopicSubscription"
    assert program("global").created(type_) == []
    deployment = run_program("global", config={"global:alarmEmail": "on-call@standby.health"})
    subscriptions = deployment.created(type_)
    assert {deployment.region_of(entry) for entry in subscriptions} == set(REGIONS)
    for entry in subscriptions:
        assert (entry.inputs["protocol"], entry.inputs["endpoint"]) == (
            "email",
            "on-call@standby.health",
        )
