"""Automatic recovery as it is declared: what starts it, what it knows, what it may do."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from declared_alarms import CERTIFICATES, REGIONS
from harness import ACCOUNT, SUFFIX, Deployment, program, run_program

from controller_permissions import JOURNAL_PREFIX
from lab.emulator.policies import Access, allows
from recovery import (
    act,
    crossing,
    metrics,
    probes,
    promotion,
    split,
    stored,
    synchronise,
    validator,
)
from recovery.environment import Environment
from recovery.failover_test import TrialEnvironment
from recovery.model import Mode
from recovery.observation import Switch
from recovery.synchronise import SynchroniserEnvironment
from recovery.validator_environment import ValidatorEnvironment
from recovery_controller import RDS_EVENTS, TIMEOUT_SECONDS
from recovery_function import RUNTIME
from tapstack import events, well_known
from validator_permissions import MARKER_PREFIX

PEER = {"us-east-1": "us-west-2", "us-west-2": "us-east-1"}
FUNCTION = "aws:lambda/function:Function"
RECORD = "aws:route53/record:Record"
both_regions = pytest.mark.parametrize("region", REGIONS)


class Asked(Mapping[str, str]):
    """An environment that remembers which variables were read."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values_, self.names = values, set[str]()

    def __getitem__(self, name: str) -> str:
        self.names.add(name)
        return self.values_[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_)

    def __len__(self) -> int:
        return len(self.values_)


def controller(region: str, deployment: Deployment | None = None) -> dict[str, Any]:
    """The declared function."""
    return (deployment or program("global")).one(FUNCTION, f"recovery-{region}").inputs


def statements(region: str) -> dict[str, dict[str, Any]]:
    """The controller's permissions by their Sid."""
    policy = program("global").one("aws:iam/policy:Policy", f"recovery-{region}").inputs["policy"]
    return {entry["Sid"]: entry for entry in json.loads(policy)["Statement"]}


@both_regions
def test_the_controller_knows_everything_that_it_reads(region: str) -> None:
    """Issue 18.1: a variable that one side renames would end every run; each names its own region's
    things, and the other region's where it asks about them."""
    given = controller(region)["environment"]["variables"]
    asked = Asked({**given, "AWS_REGION": region})
    found = Environment.of(asked)
    assert asked.names == {*given, "AWS_REGION"}
    assert (found.settings.region, found.settings.peer) == (region, PEER[region])
    assert found.settings.mode is Mode.AUTOMATIC
    assert found.settings.switch is (Switch.RELEASED if region == "us-east-1" else Switch.ENGAGED)
    own = (found.table, found.cluster, found.probe_function, found.load_balancer, found.topic)
    assert all(region in name for name in own)
    assert all(PEER[region] in name for name in (found.peer_cluster, found.peer_load_balancer))
    assert found.cluster_arn == (
        f"arn:aws:rds:{region}:{ACCOUNT}:cluster:aurora-cluster-{region}-{SUFFIX}"
    )
    assert found.switch_region == "us-west-2"
    assert found.epoch_parameter == f"/warm-standby/{region}/{SUFFIX}/shared/epoch"
    assert len(found.name_servers) == 4
    assert f":{region}:" in found.readiness_token_secret


@both_regions
def test_the_validator_knows_everything_that_it_reads(region: str) -> None:
    """Issue 19.1: as above; markers come from the other region, alarms are the own region's."""
    function = program("global").one(FUNCTION, f"validate-{region}").inputs
    asked = Asked({**function["environment"]["variables"], "AWS_REGION": region})
    found = ValidatorEnvironment.of(asked)
    assert asked.names == asked.values_.keys()
    own = (found.table, found.cluster, found.probe_function, found.load_balancer, found.topic)
    own = (*own, found.bucket, found.marker_queue, found.vault, found.controller_role)
    assert all(region in name for name in (*own, *found.secrets, *found.alarms))
    others = (found.peer_cluster, found.peer_load_balancer, found.peer_bucket, found.peer_bus)
    assert all(PEER[region] in name for name in (*others, *found.peer_secrets))
    assert found.objects_arrive
    assert found.switch_region == "us-west-2"
    assert f"alarm-failover-readiness-{region}-{SUFFIX}" in found.alarms
    impaired = f"alarm-primary-impaired-{region}-{SUFFIX}"
    assert (impaired in found.alarms) is (region == "us-west-2")


@both_regions
def test_the_controllers_policy_allows_what_the_validator_asks_iam_for(region: str) -> None:
    """recovery.md 3: a call that isn't allowed as declared would keep the readiness at 0."""
    given = program("global").one(FUNCTION, f"validate-{region}").inputs["environment"]["variables"]
    policy = program("global").one("aws:iam/policy:Policy", f"recovery-{region}").inputs["policy"]
    env = ValidatorEnvironment.of({**given, "AWS_REGION": region})
    refused = [
        (action, resource)
        for action, resources in env.calls()
        for resource in resources
        if not allows([policy], Access(action, resource), identity=True)
    ]
    assert refused == []


@both_regions
def test_the_validator_runs_every_five_minutes_and_writes_its_own_items_alone(region: str) -> None:
    """Issue 19.1, R9.3: it reads the controller's state and can't write it."""
    deployment = program("global")
    rule = deployment.one("aws:cloudwatch/eventRule:EventRule", f"validate-schedule-{region}")
    assert rule.inputs["scheduleExpression"] == "rate(5 minutes)"
    policy = deployment.one("aws:iam/policy:Policy", f"validate-{region}").inputs["policy"]
    found = {entry["Sid"]: entry for entry in json.loads(policy)["Statement"]}
    written = found["Keep"]["Condition"]["ForAllValues:StringEquals"]["dynamodb:LeadingKeys"]
    assert written == ["validation", "marker"]
    assert found["SendObject"]["Resource"] == [
        f"arn:aws:s3:::bucket-content-{PEER[region]}-{SUFFIX}/{MARKER_PREFIX}{region}"
    ]


@both_regions
def test_the_synchronisation_knows_what_it_reads_and_writes_the_other_region_alone(
    region: str,
) -> None:
    """Issue 19.3: its variables, its own region's changes as events, and no write at home."""
    deployment = program("global")
    function = deployment.one(FUNCTION, f"parameters-{region}").inputs
    asked = Asked({**function["environment"]["variables"], "AWS_REGION": region})
    found = SynchroniserEnvironment.of(asked)
    assert asked.names == asked.values_.keys()
    assert found.path == f"/warm-standby/{region}/{SUFFIX}/shared"
    assert found.peer_path == f"/warm-standby/{PEER[region]}/{SUFFIX}/shared"
    rules = {
        one.name: one.inputs for one in deployment.created("aws:cloudwatch/eventRule:EventRule")
    }
    assert rules[f"parameters-schedule-{region}"]["scheduleExpression"] == "rate(5 minutes)"
    pattern = json.loads(rules[f"parameter-changes-{region}"]["eventPattern"])
    assert pattern["detail"]["name"] == [{"prefix": f"{found.path}/"}]
    policy = deployment.one("aws:iam/policy:Policy", f"parameters-{region}").inputs["policy"]
    statements_ = {entry["Sid"]: entry for entry in json.loads(policy)["Statement"]}
    assert statements_["Carry"]["Resource"] == [
        f"arn:aws:ssm:{PEER[region]}:{ACCOUNT}:parameter{found.peer_path}/*"
    ]


@both_regions
def test_the_failover_test_is_off_unless_configured_and_moves_nobody(region: str) -> None:
    """R10: its rule is disabled; it may write its own switch and no other parameter."""
    deployment = program("global")
    given = deployment.one(FUNCTION, f"failover-test-{region}").inputs["environment"]["variables"]
    asked = Asked({**given, "AWS_REGION": region})
    found = TrialEnvironment.of(asked)
    assert asked.names == asked.values_.keys()
    own, peer = found.load_balancers
    assert region in own
    assert PEER[region] in peer
    assert len(set(found.witnesses)) == 2
    rules = {
        one.name: one.inputs for one in deployment.created("aws:cloudwatch/eventRule:EventRule")
    }
    assert rules[f"failover-test-schedule-{region}"]["state"] == "DISABLED"
    policy = deployment.one("aws:iam/policy:Policy", f"failover-test-{region}").inputs["policy"]
    statements_ = {entry["Sid"]: entry for entry in json.loads(policy)["Statement"]}
    switch = f"/warm-standby/{region}/{SUFFIX}/local/failover-test-switch"
    assert found.switch_parameter == switch
    assert statements_["OwnSwitch"]["Resource"] == [
        f"arn:aws:ssm:{region}:{ACCOUNT}:parameter{switch}"
    ]
    assert set(statements_) == {"Probe", "OwnSwitch", "Metrics", "Logs"}


@pytest.mark.parametrize(("days", "rate"), [(1, "rate(1 day)"), (30, "rate(30 days)")])
def test_the_failover_test_runs_as_often_as_configured(days: int, rate: str) -> None:
    """R10: ``global:failoverTestDays`` turns the schedule on in both regions."""
    deployment = run_program("global", config={"global:failoverTestDays": days})
    for region in REGIONS:
        name = f"failover-test-schedule-{region}"
        rule = deployment.one("aws:cloudwatch/eventRule:EventRule", name).inputs
        assert (rule["state"], rule["scheduleExpression"]) == ("ENABLED", rate)


def test_without_replication_back_no_object_is_expected_in_us_east_1() -> None:
    """``data:bidirectionalReplication`` off: only us-west-2 waits for a marker."""
    deployment = run_program("global", config={"data:bidirectionalReplication": False})
    given = {
        region: deployment.one(FUNCTION, f"validate-{region}").inputs["environment"]["variables"]
        for region in REGIONS
    }
    assert {region: one["OBJECTS_ARRIVE"] for region, one in given.items()} == {
        "us-east-1": "false", "us-west-2": "true",
    }  # fmt: skip


@both_regions
def test_the_witness_is_the_other_regions(region: str) -> None:
    """recovery.md 2: us-west-2 asks about us-east-1, and the mirror of it."""
    first = "witness" if region == "us-west-2" else "witness-standby"
    expected = f"{first}.app.warm-standby-{SUFFIX}.net"
    assert controller(region)["environment"]["variables"]["WITNESS"] == expected


@both_regions
def test_a_witness_says_primary_by_the_load_balancers_own_check(region: str) -> None:
    """recovery.md 2: without the switch; the secondary has no check, or Route 53 would answer
    PRIMARY once both are unhealthy; ten seconds of life."""
    deployment = program("global")
    check = deployment.one("aws:route53/healthCheck:HealthCheck", f"app-{region}").id
    for answer, checked in (("primary", check), ("secondary", None)):
        record = deployment.one(RECORD, f"witness-{region}-{answer}").inputs
        assert (record["type"], record["ttl"], record["records"]) == ("TXT", 10, [answer])
        assert record["failoverRoutingPolicies"] == [{"type": answer.upper()}]
        assert record.get("healthCheckId") == checked


@both_regions
def test_a_run_begins_each_minute_and_never_twice(region: str) -> None:
    """recovery.md 3: 50 s, no retries, events of a minute's age at most; RDS's events as well."""
    deployment = program("global")
    function = controller(region)
    assert (function["runtime"], function["timeout"]) == (RUNTIME, TIMEOUT_SECONDS)
    assert TIMEOUT_SECONDS == act.LEASE_SECONDS
    invoked = deployment.one(
        "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig", f"recovery-{region}"
    ).inputs
    assert (invoked["maximumRetryAttempts"], invoked["maximumEventAgeInSeconds"]) == (0, 60)
    rule = deployment.one(
        "aws:cloudwatch/eventRule:EventRule", f"recovery-schedule-{region}"
    ).inputs
    assert rule["scheduleExpression"] == "rate(1 minute)"
    assert "eventBusName" not in rule
    for name in (f"recovery-schedule-{region}", f"rds-events-{region}"):
        target = deployment.one("aws:cloudwatch/eventTarget:EventTarget", name).inputs
        assert target["retryPolicy"] == {
            "maximumEventAgeInSeconds": 60, "maximumRetryAttempts": 0,
        }  # fmt: skip
        permission = deployment.one("aws:lambda/permission:Permission", name).inputs
        assert permission["principal"] == "events.amazonaws.com"


def test_the_events_that_the_decision_asks_for_arrive() -> None:
    """recovery.md 1.5: failed, not fenced, and the others of a global failover."""
    pattern = (
        program("global")
        .one("aws:cloudwatch/eventRule:EventRule", "rds-events-us-west-2")
        .inputs["eventPattern"]
    )
    wanted = json.loads(pattern)["detail"]["EventID"]
    assert len(wanted) == len(RDS_EVENTS)
    assert {promotion.FAILED_EVENT, split.FENCE_TIMED_OUT} <= set(wanted)


@both_regions
def test_the_table_is_under_our_key_and_can_be_recovered(region: str) -> None:
    """HIPAA, recovery.md 3: our key, point-in-time recovery, keys ``kind`` and ``number``."""
    table = program("global").one("aws:dynamodb/table:Table", region=region).inputs
    assert table["name"] == f"table-recovery-{region}-{SUFFIX}"
    assert table["serverSideEncryption"]["enabled"]
    assert f":{region}:" in table["serverSideEncryption"]["kmsKeyArn"]
    assert table["pointInTimeRecovery"] == {"enabled": True}
    assert (table["hashKey"], table["rangeKey"]) == ("kind", "number")


@both_regions
def test_the_one_call_is_allowed_on_the_global_cluster_and_both_members(region: str) -> None:
    """recovery.md 1.8; it may write nothing else of RDS but the copy of the lost tail."""
    found = statements(region)
    assert found["Promote"]["Action"] == ["rds:FailoverGlobalCluster"]
    assert sorted(found["Promote"]["Resource"]) == [
        f"arn:aws:rds::{ACCOUNT}:global-cluster:aurora-global-us-east-1-{SUFFIX}",
        f"arn:aws:rds:us-east-1:{ACCOUNT}:cluster:aurora-cluster-us-east-1-{SUFFIX}",
        f"arn:aws:rds:us-west-2:{ACCOUNT}:cluster:aurora-cluster-us-west-2-{SUFFIX}",
    ]
    assert all(f":rds:{PEER[region]}:" in arn for arn in found["KeepLostTail"]["Resource"])
    assert found["Journal"]["Resource"] == [
        f"arn:aws:s3:::bucket-content-{region}-{SUFFIX}/{JOURNAL_PREFIX}{region}/*"
    ]
    metrics = found["Metrics"]["Condition"]["StringEquals"]
    assert metrics == {"cloudwatch:namespace": well_known.METRIC_NAMESPACE}


@both_regions
def test_a_locked_journal_is_written_to_its_own_bucket_alone(region: str) -> None:
    """Issue 23.10: the function knows it and may write there, and no more to the content's."""
    deployment = run_program("global", config={"data:journalLockDays": 30})
    given = controller(region, deployment)["environment"]["variables"]
    found = Environment.of({**given, "AWS_REGION": region})
    assert found.journal_bucket == f"bucket-journal-{region}-{SUFFIX}"
    assert found.bucket == f"bucket-content-{region}-{SUFFIX}"
    policy = deployment.one("aws:iam/policy:Policy", f"recovery-{region}").inputs["policy"]
    journal = {one["Sid"]: one for one in json.loads(policy)["Statement"]}["Journal"]
    assert journal["Resource"] == [
        f"arn:aws:s3:::{found.journal_bucket}/{JOURNAL_PREFIX}{region}/*"
    ]
    plain = controller(region)["environment"]["variables"]
    without = Environment.of({**plain, "AWS_REGION": region})
    assert without.journal_bucket == without.bucket
    # A function of before knows one bucket.
    before = {name: value for name, value in plain.items() if name != "JOURNAL_BUCKET"}
    assert Environment.of({**before, "AWS_REGION": region}).journal_bucket == without.bucket


def test_with_certificates_the_clients_name_is_asked_for() -> None:
    """A load balancer's own name is on no certificate, and port 80 redirects ``/ready``."""
    deployment = run_program(
        "global",
        config={
            "app:certificateArns": CERTIFICATES, "global:recoveryMode": "notify",
            "global:recoveryLagLimitSeconds": 120, "global:acceptedBy": "A. Owner",
            "data:instancesPerRegion": 2,
        },
    )  # fmt: skip
    given = controller("us-west-2", deployment)["environment"]["variables"]
    settings = Environment.of({**given, "AWS_REGION": "us-west-2"}).settings
    assert given["SERVER_NAME"] == f"app.warm-standby-{SUFFIX}.net"
    assert (settings.mode, settings.lag_limit_seconds) == (Mode.NOTIFY, 120)
    assert (settings.accepted_by, settings.instances) == ("A. Owner", 2)


def test_the_code_is_the_package_alone() -> None:
    """Equal sources are equal code: modules, no caches, no tests."""
    assets = controller("us-west-2")["code"]["assets"]
    assert "recovery/controller.py" in assets
    assert all(name.startswith("recovery/") and name.endswith(".py") for name in assets)


def test_the_functions_own_names_are_the_agreed_ones() -> None:
    """The package imports nothing of ours, so its names are compared here."""
    assert metrics.NAMESPACE == well_known.METRIC_NAMESPACE
    assert stored.JOURNAL_PREFIX == JOURNAL_PREFIX
    assert probes.TOKEN_HEADER == well_known.TOKEN_HEADER
    assert crossing.MARKER_PREFIX == MARKER_PREFIX
    marker = (events.HEARTBEAT_SOURCE, events.MARKER_DETAIL_TYPE)
    assert marker == (crossing.MARKER_SOURCE, crossing.MARKER_DETAIL_TYPE)
    assert validator.READINESS == well_known.FAILOVER_READINESS
    assert synchronise.LAG == well_known.PARAMETER_LAG
    assert (probes.HEALTH, probes.READY) == (well_known.HEALTH_PATH, well_known.READY_PATH)
