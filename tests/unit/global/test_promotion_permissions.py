"""What a controller calls when it promotes, asked as IAM asks it, of the policy that it has."""

from __future__ import annotations

import json
from typing import Any

import pytest
from computed_outputs import ACCOUNT
from harness import program

from lab.emulator import call_accesses
from lab.emulator.authorization import Governing, refusal

REGIONS = ("us-east-1", "us-west-2")
PEER: dict[str, str] = dict(zip(REGIONS, reversed(REGIONS), strict=True))
OLD, KEPT = "rds:unplanned-global-failover-2026-01-02", "lost-tail-unplanned-global-failover-x"
COPY = {
    "SourceDBClusterSnapshotIdentifier": OLD,
    "TargetDBClusterSnapshotIdentifier": KEPT,
    "CopyTags": True,
}


def controller(region: str) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """(statements of the controller's policy, its function's environment)"""
    policies = program("global").created("aws:iam/policy:Policy", region=region)
    (policy,) = [one for one in policies if one.inputs["name"].startswith("policy-recovery-")]
    functions = program("global").created("aws:lambda/function:Function", region=region)
    (function,) = [one for one in functions if one.inputs["name"].startswith("function-recovery-")]
    return (
        json.loads(policy.inputs["policy"])["Statement"],
        function.inputs["environment"]["variables"],
    )


Call = tuple[str, str, str, dict[str, Any]]
"""Service, region, operation, parameters."""


def calls(region: str, env: dict[str, str]) -> list[Call]:
    """What a run asks and does, from the incident to the copy of the lost tail."""
    peer, switch = PEER[region], env["SWITCH_REGION"]
    bus, token = env["EVENT_BUS_NAME"], env["READINESS_TOKEN_SECRET_ARN"]
    entry = {"Source": "s", "DetailType": "d", "Detail": "{}", "EventBusName": bus}
    journal = f"recovery/journal/{region}/1.json"
    member = {"GlobalClusterIdentifier": env["GLOBAL_CLUSTER"]}
    return [
        ("rds", region, "DescribeGlobalClusters", member),
        ("rds", region, "DescribeDBClusters", {}),
        ("lambda", region, "Invoke", {"FunctionName": env["PROBE_FUNCTION"]}),
        (
            "secretsmanager",
            region,
            "GetSecretValue",
            {"SecretId": token},
        ),
        ("dynamodb", region, "PutItem", {"TableName": env["RECOVERY_TABLE"], "Item": {}}),
        (
            "rds",
            region,
            "FailoverGlobalCluster",
            {**member, "TargetDbClusterIdentifier": env["CLUSTER_ARN"], "AllowDataLoss": True},
        ),
        *(
            ("ssm", where, "PutParameter", {"Name": name, "Value": "v"})
            for where, name in (
                (switch, env["FAILOVER_SWITCH_PARAMETER"]),
                (region, env["EPOCH_PARAMETER"]),
                (peer, env["PEER_EPOCH_PARAMETER"]),
            )
        ),
        ("s3", region, "PutObject", {"Bucket": env["JOURNAL_BUCKET"], "Key": journal}),
        ("sns", region, "Publish", {"TopicArn": env["TOPIC_ARN"], "Message": "m"}),
        ("sns", peer, "Publish", {"TopicArn": env["PEER_TOPIC_ARN"], "Message": "m"}),
        ("events", region, "PutEvents", {"Entries": [entry]}),
        ("cloudwatch", region, "PutMetricData", {"Namespace": "WarmStandby", "MetricData": []}),
        ("rds", peer, "DescribeDBClusterSnapshots", {"DBClusterIdentifier": env["PEER_CLUSTER"]}),
        ("rds", peer, "DescribeDBClusterSnapshots", {"DBClusterSnapshotIdentifier": KEPT}),
        ("rds", peer, "CopyDBClusterSnapshot", COPY),
    ]


@pytest.mark.parametrize("region", REGIONS)
def test_a_controller_may_make_every_call_of_a_promotion(
    monkeypatch: pytest.MonkeyPatch, region: str
) -> None:
    """recovery.md 1.8, issue 16.6: IAM asks for the global cluster and both members, each
    parameter, each topic; what a promotion lacks is seen in the incident otherwise."""
    statements, env = controller(region)
    members = [
        f"arn:aws:rds:{where}:{ACCOUNT}:cluster:{name}"
        for where, name in ((region, env["CLUSTER"]), (PEER[region], env["PEER_CLUSTER"]))
    ]
    monkeypatch.setattr(call_accesses, "members_of", lambda *_given: members)
    monkeypatch.setattr(call_accesses, "owner_of", lambda _bucket: None)
    policy = Governing([{"Statement": statements}])
    for service, where, operation, given in calls(region, env):
        asked = list(call_accesses.accesses(service, operation, where, ACCOUNT, given))
        assert asked, operation
        for access in asked:
            assert refusal(access, policy) == "", access
            other = Governing([{"Statement": [s for s in statements if s["Effect"] == "Deny"]}])
            assert refusal(access, other), access
