"""The application layer as AWS's APIs of the lab read it back, and as a client uses it."""

from __future__ import annotations

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from application_client import ask, host, post_bytes, post_record, until
from deployed_lab import Lab

from tapstack.well_known import READINESS_TOKEN, TOKEN_HEADER

REGIONS = (("primary", "us-east-1"), ("secondary", "us-west-2"))
both_regions = pytest.mark.parametrize(("role", "region"), REGIONS)


def function_name(lab: Lab, role: str) -> str:
    return lab.outputs[f"app.{role}.function_name"]


def balancer(lab: Lab, role: str, region: str) -> dict[str, Any]:
    answer = lab.client("elbv2", region).describe_load_balancers()
    return next(one for one in answer["LoadBalancers"] if one["DNSName"] == host(lab, role))


@both_regions
def test_the_function_is_as_declared(deployed: Lab, role: str, region: str) -> None:
    """R2.1, R2.4: runtime, private subnets, group, key and tracing; nothing reserved."""
    client = deployed.client("lambda", region)
    found = client.get_function_configuration(FunctionName=function_name(deployed, role))
    outputs = deployed.outputs
    assert found["Runtime"] == "nodejs24.x"
    assert found["Architectures"] == ["arm64"]
    assert (found["Handler"], found["MemorySize"], found["Timeout"]) == ("index.handler", 512, 15)
    assert found["TracingConfig"]["Mode"] == "Active"
    assert found["KMSKeyArn"] == outputs[f"data.{role}.key_arn"]
    network = found["VpcConfig"]
    assert set(network["SubnetIds"]) == set(outputs[f"network.{role}.private_subnet_ids"])
    group = outputs[f"network.{role}.function_security_group_id"]
    assert network["SecurityGroupIds"] == [group]
    reserved = client.get_function_concurrency(FunctionName=function_name(deployed, role))
    assert "ReservedConcurrentExecutions" not in reserved


def test_both_regions_run_the_same_bytes(deployed: Lab) -> None:
    """R2.1: one bundle, and the migration is of the same."""
    functions = [
        ("us-east-1", function_name(deployed, "primary")),
        ("us-west-2", function_name(deployed, "secondary")),
        ("us-east-1", function_name(deployed, "primary").replace("-api-", "-migrate-")),
    ]
    hashes = {
        deployed.client("lambda", region).get_function_configuration(FunctionName=name)[
            "CodeSha256"
        ]
        for region, name in functions
    }
    assert len(hashes) == 1


@both_regions
def test_the_log_group_is_kept_and_encrypted(deployed: Lab, role: str, region: str) -> None:
    """R2.4: retention and key as declared."""
    name = deployed.outputs[f"app.{role}.log_group_name"]
    (group,) = deployed.client("logs", region).describe_log_groups(logGroupNamePrefix=name)[
        "logGroups"
    ]
    assert group["retentionInDays"] == 90
    assert group["kmsKeyId"] == deployed.outputs[f"data.{role}.key_arn"]


@both_regions
def test_the_load_balancer_is_as_declared(deployed: Lab, role: str, region: str) -> None:
    """R2.2, traps 15, 17: public subnets, access logs, keep-alive, no deletion protection."""
    found = balancer(deployed, role, region)
    assert len(found["LoadBalancerName"]) <= 32
    assert found["Scheme"] == "internet-facing"
    subnets = {zone["SubnetId"] for zone in found["AvailabilityZones"]}
    assert subnets == set(deployed.outputs[f"network.{role}.public_subnet_ids"])
    client = deployed.client("elbv2", region)
    attributes = {
        entry["Key"]: entry["Value"]
        for entry in client.describe_load_balancer_attributes(
            LoadBalancerArn=found["LoadBalancerArn"]
        )["Attributes"]
    }
    assert attributes["access_logs.s3.enabled"] == "true"
    bucket = deployed.outputs[f"data.{role}.access_log_bucket_name"]
    assert attributes["access_logs.s3.bucket"] == bucket
    assert attributes["routing.http.drop_invalid_header_fields.enabled"] == "true"
    assert attributes["client_keep_alive.seconds"] == "180"
    assert attributes["deletion_protection.enabled"] == "false"


@both_regions
def test_the_target_is_checked_and_healthy(deployed: Lab, role: str, region: str) -> None:
    """Traps 13, 18: a lambda target group has its checks off by default."""
    client = deployed.client("elbv2", region)
    arn = balancer(deployed, role, region)["LoadBalancerArn"]
    (group,) = client.describe_target_groups(LoadBalancerArn=arn)["TargetGroups"]
    assert group["TargetType"] == "lambda"
    assert group["HealthCheckEnabled"] is True
    assert group["HealthCheckPath"] == "/health"
    assert group["HealthCheckIntervalSeconds"] == 30
    health = client.describe_target_health(TargetGroupArn=group["TargetGroupArn"])
    (target,) = health["TargetHealthDescriptions"]
    assert target["Target"]["Id"] == deployed.outputs[f"app.{role}.function_arn"]
    (listener,) = client.describe_listeners(LoadBalancerArn=arn)["Listeners"]
    assert (listener["Port"], listener["Protocol"]) == (80, "HTTP")


@both_regions
def test_failed_events_have_their_queue(deployed: Lab, role: str, region: str) -> None:
    """R2.4: what the function failed on is kept."""
    found = deployed.client("lambda", region).get_function_event_invoke_config(
        FunctionName=function_name(deployed, role), Qualifier="live"
    )
    destination = found["DestinationConfig"]["OnFailure"]["Destination"]
    name = destination.rpartition(":")[2]
    assert name.startswith("queue-failed-events-")
    assert deployed.client("sqs", region).get_queue_url(QueueName=name)


@both_regions
def test_the_outbox_schedule_runs(deployed: Lab, role: str, region: str) -> None:
    """R2.1: every minute, with the payload that the function knows."""
    client = deployed.client("scheduler", region)
    (name,) = [
        entry["Name"]
        for entry in client.list_schedules()["Schedules"]
        if entry["Name"].startswith("schedule-outbox-")
    ]
    found = client.get_schedule(Name=name)
    assert (found["ScheduleExpression"], found["State"]) == ("rate(1 minute)", "ENABLED")
    assert found["Target"]["Arn"] == deployed.outputs[f"app.{role}.function_arn"]
    assert json.loads(found["Target"]["Input"])["detail-type"] == "outbox.drain"


@both_regions
def test_roles_have_only_customer_managed_policies(deployed: Lab, role: str, region: str) -> None:
    """R9.3: one attached policy, nothing inline."""
    iam = deployed.client("iam", region)
    function = deployed.client("lambda", region).get_function_configuration(
        FunctionName=function_name(deployed, role)
    )
    name = function["Role"].rpartition("/")[2]
    assert iam.list_role_policies(RoleName=name)["PolicyNames"] == []
    (policy,) = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    assert policy["PolicyName"] == name.replace("role-", "policy-", 1)


def test_the_migration_ran_and_runs_again_without_harm(deployed: Lab) -> None:
    """R2.1: idempotent, since every changed bundle calls it."""
    name = function_name(deployed, "primary").replace("-api-", "-migrate-")
    answer = deployed.client("lambda").invoke(FunctionName=name, Payload=b"{}")
    assert "FunctionError" not in answer, answer["Payload"].read()
    secrets = deployed.client("secretsmanager")
    token = secrets.get_secret_value(SecretId=f"secret-{READINESS_TOKEN}-us-east-1-lab")
    headers = {TOKEN_HEADER: token["SecretString"]}
    there = host(deployed, "primary")
    assert deployed.request(there, "/ready", headers=headers).status == 200
    assert deployed.request(there, "/ready").status == 404, "it isn't for everybody"


@pytest.mark.parametrize(("here", "there"), [("primary", "secondary"), ("secondary", "primary")])
def test_what_is_written_in_one_region_is_read_in_the_other(
    deployed: Lab, here: str, there: str
) -> None:
    """R1.2, R2.1: one database behind both load balancers."""
    stored = post_record(deployed, here)
    assert stored.status == 201
    found = until(
        lambda: (
            answer
            if (answer := deployed.request(host(deployed, there), f"/records/{stored.json['id']}"))
            .status == 200
            else None
        )
    )  # fmt: skip
    assert found, "the record never appeared"
    assert found.json["data"] == {"text": "stable"}
    assert found.json["region"] == dict(REGIONS)[here]


def test_one_key_in_both_regions_at_once_stores_one_record(deployed: Lab) -> None:
    """R2.4: clients repeat a write in the other region; all get the same record, one made it."""
    body, key = {"patientId": "patient-1", "type": "note", "data": {}}, uuid.uuid4().hex
    roles = [role for role, _ in REGIONS] * 8
    with ThreadPoolExecutor(len(roles)) as pool:
        answers = list(pool.map(lambda role: ask(deployed, role, "/records", body, key=key), roles))
    assert {answer.status for answer in answers} == {201}
    assert len({answer.json["id"] for answer in answers}) == 1
    headers = [{name.lower() for name in answer.headers} for answer in answers]
    assert sum("idempotency-replayed" not in names for names in headers) == 1


@pytest.mark.parametrize("character", ['"', "\u6f22"])
def test_a_page_of_large_records_fits_a_load_balancer(deployed: Lab, character: str) -> None:
    """R2.2: a function's answer may have 1 MB as JSON, or the client gets 502."""
    text = character * (64_000 // len(json.dumps(character, ensure_ascii=False)[1:-1].encode()))
    body = {"patientId": "patient-1", "type": "note", "data": {"text": text}}
    stored = [ask(deployed, "primary", "/records", body).json for _ in range(20)]
    wanted = {record["id"] for record in stored}
    found: list[str] = []

    def all_read() -> bool:
        # A page holds what is settled: a transaction beside it may still be running.
        found.clear()
        after = "0"
        while after:
            page = ask(deployed, "primary", f"/records?after={after}&limit=200")
            assert page.status == 200
            found.extend(record["id"] for record in page.json["records"])
            after = page.json["next"]
        return wanted <= set(found)

    assert until(all_read)
    assert len(set(found)) == len(found)


def test_a_body_above_a_load_balancers_limit_is_413(deployed: Lab) -> None:
    """R2.2: 1 MB to a function; below it the function's own limit answers, as JSON."""
    body = {"patientId": "patient-1", "type": "note", "data": {}}
    attachment = {"contentType": "image/png", "content": "A" * 1024 * 1024}
    refused = ask(deployed, "primary", "/records", body | {"attachment": attachment})
    assert (refused.status, b"too_large" in refused.body) == (413, False)
    attachment["content"] = "A" * 900 * 1024
    refused = ask(deployed, "primary", "/records", body | {"attachment": attachment})
    assert (refused.status, refused.json["error"]["code"]) == (413, "too_large")


RAW = b'{"patientId":"patient-1","type":"note","data":{"value":%b}}'
AS_TEXT: dict[str, str] = {}
AS_BASE64 = {"Content_Encoding": "identity"}


@pytest.mark.parametrize("encoding", [AS_TEXT, AS_BASE64], ids=["text", "base64"])
@pytest.mark.parametrize(
    "value",
    [
        b'"\xff"',
        b'"\xed\xa0\x80"',
        b'"\xc3"',
        b"0.30000000000000001",
        b"1e-400",
        b"9007199254740993",
    ],
)
def test_what_would_be_stored_as_something_else_is_refused(
    deployed: Lab, value: bytes, encoding: dict[str, str]
) -> None:
    """R2.2: bytes that aren't UTF-8 and digits beyond a double, whichever way the load balancer
    passes the body on."""
    refused = post_bytes(deployed, "primary", RAW % value, **encoding)
    assert (refused.status, refused.json["error"]["code"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("value", "encoding"),
    [
        (b'"\xc3\xa9 \xe6\xbc\xa2 \xf0\x9f\xa9\xba"', AS_TEXT),
        (b'"\xc3\xa9 \xe6\xbc\xa2 \xf0\x9f\xa9\xba"', AS_BASE64),
        (b'"\\ufffd"', AS_TEXT),
        (b'"\xef\xbf\xbd"', AS_BASE64),
        (b"[0.1,-1.50E+1,5e-324]", AS_TEXT),
    ],
)
def test_what_is_stored_is_read_back_as_it_was_sent(
    deployed: Lab, value: bytes, encoding: dict[str, str]
) -> None:
    """R2.2: text of all planes, and numbers that a double holds, through load balancer, function
    and database."""
    stored = post_bytes(deployed, "primary", RAW % value, **encoding)
    assert stored.status == 201, stored.body
    found = ask(deployed, "primary", f"/records/{stored.json['id']}")
    assert found.json["data"]["value"] == json.loads(value)


@both_regions
def test_the_released_switch_answers_404(deployed: Lab, role: str, region: str) -> None:
    """Trap 12: the inverted check counts this as: the primary may serve."""
    assert deployed.request(host(deployed, role), "/failover-switch").status == 404
