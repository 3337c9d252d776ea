"""The global layer as AWS's APIs of the lab read it back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from deployed_lab import Lab
from deployed_reads import health_checks, records

REGIONS = (("primary", "us-east-1"), ("secondary", "us-west-2"))
both_regions = pytest.mark.parametrize(("role", "region"), REGIONS)


def alarms(lab: Lab, region: str) -> list[dict[str, Any]]:
    paginator = lab.client("cloudwatch", region).get_paginator("describe_alarms")
    pages = paginator.paginate(AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    return [alarm for page in pages for alarm in page["MetricAlarms"] + page["CompositeAlarms"]]


def test_the_zone_answers_to_its_name_servers(deployed: Lab) -> None:
    """R3.1, R8: the zone of the domain, and its servers in the outputs."""
    zone = deployed.client("route53").get_hosted_zone(Id=deployed.outputs["global.zone_id"])
    assert zone["HostedZone"]["Name"].rstrip(".") == deployed.outputs["global.domain"]
    assert sorted(zone["DelegationSet"]["NameServers"]) == sorted(deployed.outputs["NameServers"])


@both_regions
def test_each_load_balancer_has_its_check(deployed: Lab, role: str, region: str) -> None:
    """R3.1: the read-back equals what was declared; the id is the one in the outputs."""
    check_id, found = health_checks(deployed)[f"healthcheck-app-{region}"]
    assert check_id == deployed.outputs[f"global.{role}.health_check_id"]
    assert (
        found["FullyQualifiedDomainName"] == deployed.outputs[f"app.{role}.load_balancer_dns_name"]
    )
    assert (found["Type"], found["Port"], found["ResourcePath"]) == ("HTTP", 80, "/health")
    assert (found["RequestInterval"], found["FailureThreshold"]) == (30, 3)
    assert found["MeasureLatency"] is True


def test_the_primarys_verdict_counts_the_switch(deployed: Lab) -> None:
    """Trap 12: both children must be healthy, and the switch's is inverted."""
    checks = health_checks(deployed)
    _, verdict = checks["healthcheck-serves-us-east-1"]
    switch_id, switch = checks["healthcheck-switch-us-west-2"]
    assert verdict["Type"] == "CALCULATED"
    assert verdict["HealthThreshold"] == 2
    assert set(verdict["ChildHealthChecks"]) == {checks["healthcheck-app-us-east-1"][0], switch_id}
    assert switch["Inverted"] is True
    assert switch["ResourcePath"] == "/failover-switch"


@both_regions
def test_records_fail_over_and_name_each_region(deployed: Lab, role: str, region: str) -> None:
    """R3.2: aliases to the load balancers, each with the check that decides."""
    fqdn, found = deployed.outputs["global.fqdn"], records(deployed)
    checks = health_checks(deployed)
    decides = {"primary": "healthcheck-serves-us-east-1", "secondary": "healthcheck-app-us-west-2"}
    record = found[fqdn, role]
    assert record["Failover"] == role.upper()
    assert record["HealthCheckId"] == checks[decides[role]][0]
    assert record["AliasTarget"]["EvaluateTargetHealth"] is True
    name = deployed.outputs[f"app.{role}.load_balancer_dns_name"]
    assert record["AliasTarget"]["DNSName"].rstrip(".").removeprefix("dualstack.") == name
    assert (
        record["AliasTarget"]["HostedZoneId"]
        == deployed.outputs[f"app.{role}.load_balancer_zone_id"]
    )
    regional = found[f"{region}.{fqdn}", ""]
    assert regional["AliasTarget"]["DNSName"].rstrip(".").removeprefix("dualstack.") == name


@both_regions
def test_every_alarm_acts_on_its_own_regions_topic(deployed: Lab, role: str, region: str) -> None:
    """R6.2, R6.3, trap 29: as CloudWatch keeps them."""
    found = alarms(deployed, region)
    assert len(found) >= 15
    topic = deployed.outputs[f"global.{role}.topic_arn"]
    for alarm in found:
        assert alarm["AlarmActions"] == [topic], alarm["AlarmName"]
        assert alarm["OKActions"] == [topic], alarm["AlarmName"]
        assert alarm["AlarmName"].endswith(f"-{region}-lab")


def test_the_error_rate_is_watched_by_its_expression(deployed: Lab) -> None:
    """R6.2: one query returns data, the expression over the two others."""
    for _, region in REGIONS:
        (alarm,) = [one for one in alarms(deployed, region) if "lambda-errors" in one["AlarmName"]]
        watched = [query for query in alarm["Metrics"] if query.get("ReturnData")]
        assert [query["Expression"] for query in watched] == [
            "IF(invocations > 0, 100 * errors / invocations, 0)"
        ]


@both_regions
def test_the_topic_is_encrypted_under_our_key(deployed: Lab, role: str, region: str) -> None:
    """Trap 29."""
    topic = deployed.outputs[f"global.{role}.topic_arn"]
    attributes = deployed.client("sns", region).get_topic_attributes(TopicArn=topic)["Attributes"]
    assert attributes["KmsMasterKeyId"] == deployed.outputs[f"data.{role}.key_arn"]
    assert "cloudwatch.amazonaws.com" in attributes["Policy"]


def test_the_dashboard_is_in_the_standby_region(deployed: Lab) -> None:
    """R6.1, R8: the URL opens what is there."""
    name = deployed.outputs["DashboardUrl"].rpartition("/")[2]
    found = deployed.client("cloudwatch", "us-west-2").get_dashboard(DashboardName=name)
    assert len(json.loads(found["DashboardBody"])["widgets"]) > 10


@both_regions
def test_only_the_peers_rule_may_put_events_from_elsewhere(
    deployed: Lab, role: str, region: str
) -> None:
    """R5.2: the policy as EventBridge keeps it."""
    bus = deployed.client("events", region).describe_event_bus(
        Name=deployed.outputs[f"global.{role}.bus_name"]
    )
    assert bus["Arn"] == deployed.outputs[f"global.{role}.bus_arn"]
    (statement,) = json.loads(bus["Policy"])["Statement"]
    peer = {"us-east-1": "us-west-2", "us-west-2": "us-east-1"}[region]
    assert statement["Principal"]["AWS"].endswith(":root")
    source = statement["Condition"]["ArnEquals"]["aws:SourceArn"]
    assert source.endswith(f"/rule-forward-{peer}-lab")
