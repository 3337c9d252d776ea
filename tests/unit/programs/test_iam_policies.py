"""Least privilege of every policy that the four programs write (R9.3)."""

import json

import pytest
from harness import LAYERS, Registered, program

NO_RESOURCE = "X-Ray's write calls take no resource (service authorization reference)"
NO_INTERFACE_YET = "checked by Lambda before the interface exists (Lambda developer guide, VPC)"
ONLY_WILDCARD = {
    "xray:PutTraceSegments": NO_RESOURCE,
    "xray:PutTelemetryRecords": NO_RESOURCE,
    "ec2:CreateNetworkInterface": NO_INTERFACE_YET,
    "ec2:DescribeNetworkInterfaces": NO_INTERFACE_YET,
    "ec2:DescribeSubnets": NO_INTERFACE_YET,
    "ec2:DeleteNetworkInterface": NO_INTERFACE_YET,
    "ec2:AssignPrivateIpAddresses": NO_INTERFACE_YET,
    "ec2:UnassignPrivateIpAddresses": NO_INTERFACE_YET,
    "cloudwatch:PutMetricData": "metrics have no ARN; a condition names the namespace",
    "rds:DescribeDBClusters": "RDS authorises it for all clusters (Aurora user guide, IAM)",
    "rds:DescribeGlobalClusters": "the same",
    "lambda:GetAccountSettings": "the account's settings have no ARN",
    "cloudwatch:DescribeAlarms": "composite alarms are described for all alone (API reference)",
    "logs:DescribeLogGroups": "the flow logs service asks for it on every log group (VPC guide)",
}
"""Where a wildcard resource is the API's only form: action → why. A whole service is never
excused: it would let any of its calls reach everything."""


def policies(layer: str) -> list[Registered]:
    found = []
    for type_ in ("aws:iam/policy:Policy", "aws:iam/rolePolicy:RolePolicy"):
        found += program(layer).created(type_)
    return found


def statements(resource: Registered) -> list[dict]:
    return json.loads(resource.inputs["policy"])["Statement"]


def listed(value) -> list[str]:
    return [value] if isinstance(value, str) else value


@pytest.mark.parametrize("layer", LAYERS)
def test_every_policy_is_sound_and_least(layer):
    """R9.3, house rule: parliament knows every action and finds no fault; no wildcard action; a
    wildcard resource only where the API has no other."""
    import parliament

    checked = policies(layer)
    assert checked
    for resource in checked:
        analysed = parliament.analyze_policy_string(resource.inputs["policy"])
        faults = [
            str(finding)
            for finding in analysed.findings
            # A wildcard resource is judged below, with its reasons. The condition key is
            # documented (Lambda developer guide, "Working with lambda:SourceFunctionArn"),
            # parliament lacks it.
            if finding.issue != "RESOURCE_STAR" and "lambda:SourceFunctionArn" not in finding.detail
        ]
        assert faults == [], resource.name
        for statement in statements(resource):
            actions = listed(statement["Action"])
            assert not [action for action in actions if "*" in action], resource.name
            if "*" in listed(statement["Resource"]):
                unexcused = [action for action in actions if action not in ONLY_WILDCARD]
                assert unexcused == [], f"{resource.name}: {unexcused} on every resource"


def test_every_excuse_names_an_action_that_is_used():
    """R9.3: an excuse that nobody needs any more would hide the next wildcard."""
    on_everything = {
        action
        for layer in LAYERS
        for resource in policies(layer)
        for statement in statements(resource)
        if "*" in listed(statement["Resource"]) and statement["Effect"] == "Allow"
        for action in listed(statement["Action"])
    }
    assert on_everything == set(ONLY_WILDCARD)
    assert all(action.count(":") == 1 and "*" not in action for action in ONLY_WILDCARD)


@pytest.mark.parametrize("layer", LAYERS)
def test_resource_policies_have_no_open_principal(layer):
    """R4.2, R5.2, R9.3: who is let in by a bucket, bus, queue, topic or key is named; anyone only
    to be refused, or under a condition that names the source."""
    for resource in program(layer).created():
        if resource.type.startswith("aws:iam/") or not isinstance(
            resource.inputs.get("policy"), str
        ):
            continue
        for statement in statements(resource):
            anyone = statement.get("Principal") in ("*", {"AWS": "*"})
            if anyone and statement["Effect"] == "Allow":
                assert statement.get("Condition"), f"{resource.name} lets anyone in: {statement}"


SEND_THE_SOURCE = {
    # Service → the document whose example of a trust policy has ``aws:SourceAccount``.
    "events": "EventBridge user guide, roles of rules",
    "monitoring.rds": "RDS user guide, enhanced monitoring",
    "scheduler": "EventBridge Scheduler user guide, confused deputy prevention",
    "vpc-flow-logs": "VPC user guide, role for publishing flow logs",
}


@pytest.mark.parametrize("layer", LAYERS)
def test_a_trust_has_a_source_condition_where_the_service_sends_it(layer):
    """R9.3: with it where AWS documents it (the confused deputy), without elsewhere: a condition
    on what a service doesn't send lets nobody assume the role, and S3 replicates nothing."""
    for role in program(layer).created("aws:iam/role:Role"):
        (statement,) = json.loads(role.inputs["assumeRolePolicy"])["Statement"]
        service = statement["Principal"]["Service"].removesuffix(".amazonaws.com")
        asked = "aws:SourceAccount" in json.dumps(statement.get("Condition", {}))
        assert asked is (service in SEND_THE_SOURCE), f"{role.name} trusts {service}"
