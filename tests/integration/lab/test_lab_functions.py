"""Functions and the load balancers in front of them."""

from __future__ import annotations

import base64
import json
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPConnection, RemoteDisconnected

import psutil
import pytest
from botocore.exceptions import ClientError
from lab_core_world import EAST, WEST, World, allow, eventually, running

from lab import client

API = """
exports.handler = async (event, context) => {
  console.log(JSON.stringify({ path: event.path }));
  if (event.path === "/throws") throw new TypeError("broken");
  if (event.path === "/hangs") await new Promise(() => {});
  if (event.path === "/slow") await new Promise((done) => setTimeout(done, 100));
  if (event.path === "/malformed") return "no";
  if (event.path === "/binary") {
    return { statusCode: 201, isBase64Encoded: true, body: Buffer.from([0, 255]).toString("base64"),
             headers: { "content-type": "image/x" } };
  }
  return { statusCode: 200, headers: { "content-type": "application/json" }, body: JSON.stringify({
    region: process.env.AWS_REGION, event, endpoint: process.env.AWS_ENDPOINT_URL,
    name: context.functionName, left: context.getRemainingTimeInMillis() }) };
};
"""


TIMEOUTS = {EAST: 15, WEST: 1}
"""Seconds: enough for any load, and little enough to wait for."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A lab with the same function behind a load balancer in each region."""
    with running(tmp_path_factory.mktemp("functions") / "lab") as world:
        yield world


@pytest.fixture(scope="module")
def hosts(world: World) -> dict[str, tuple[str, str, str]]:
    """Region → (DNS name, target group, listener)."""
    role = world.role("function", "lambda.amazonaws.com", allow("sqs:SendMessage"))
    return {
        region: world.load_balancer(
            f"alb-{region}",
            world.function("api", API, role, region, Timeout=TIMEOUTS[region]),
            region,
        )
        for region in (EAST, WEST)
    }


@pytest.mark.parametrize("region", [EAST, WEST])
def test_each_region_answers_by_its_own_host_name(
    world: World, hosts: dict[str, tuple[str, str, str]], region: str
) -> None:
    """R2.1, R2.2: unsigned requests reach the region of the name, with AWS's event."""
    host, group, _ = hosts[region]
    status, headers, body = world.get(host, "/a%20b?x=1%202&x=3", X_Own="1")
    answer = json.loads(body)
    event = answer["event"]
    assert status == 200
    assert headers["content-type"] == "application/json"
    assert answer["region"] == region
    assert 0 < answer["left"] <= TIMEOUTS[region] * 1000
    assert event["requestContext"] == {"elb": {"targetGroupArn": group}}
    assert event["path"] == "/a%20b"
    assert event["queryStringParameters"] == {"x": "3"}
    assert event["headers"]["x-own"] == "1"
    assert event["headers"]["x-forwarded-port"] == "80"
    assert event["headers"]["x-forwarded-for"] == "127.0.0.1"
    assert event["headers"]["x-amzn-trace-id"].startswith("Root=1-")
    assert event["body"] == ""
    assert event["isBase64Encoded"] is False
    assert "multiValueHeaders" not in event


def test_multi_value_headers_change_both_shapes(
    world: World, hosts: dict[str, tuple[str, str, str]]
) -> None:
    """Trap 18."""
    host, group, _ = hosts[WEST]
    elb = world.aws("elbv2", WEST)
    attribute = {"Key": "lambda.multi_value_headers.enabled", "Value": "true"}
    elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=[attribute])
    try:
        event = json.loads(world.get(host, "/?x=1&x=2")[2])["event"]
    finally:
        attribute["Value"] = "false"
        elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=[attribute])
    assert event["multiValueQueryStringParameters"] == {"x": ["1", "2"]}
    assert event["multiValueHeaders"]["host"] == [host]
    assert "headers" not in event


def test_bodies_and_binary_answers(world: World, hosts: dict[str, tuple[str, str, str]]) -> None:
    """Text bodies pass as text, others in base64; answers likewise."""
    host = hosts[EAST][0]
    sent = json.loads(world.get(host, "/", "POST", b'{"a":1}', Content_Type="application/json")[2])
    assert (sent["event"]["body"], sent["event"]["isBase64Encoded"]) == ('{"a":1}', False)
    raw = json.loads(world.get(host, "/", "POST", b"\xff\x00", Content_Type="image/png")[2])
    assert base64.b64decode(raw["event"]["body"]) == b"\xff\x00"
    assert raw["event"]["isBase64Encoded"]
    status, headers, body = world.get(host, "/binary")
    assert (status, headers["content-type"], body) == (201, "image/x", b"\x00\xff")


@pytest.mark.parametrize("path", ["/throws", "/malformed", "/hangs"])
def test_a_broken_function_is_a_502_of_the_load_balancer(
    world: World, hosts: dict[str, tuple[str, str, str]], path: str
) -> None:
    """R2.4: errors, malformed answers and timeouts are the load balancer's 502."""
    status, headers, body = world.get(hosts[WEST][0], path)
    assert status == 502
    assert headers["server"] == "awselb/2.0"
    assert b"502 Bad Gateway" in body


def test_rules_choose_by_path_host_and_method(
    world: World, hosts: dict[str, tuple[str, str, str]]
) -> None:
    """Conditions in AWS's newer form are obeyed and read back."""
    host, group, listener = hosts[EAST]
    elb = world.aws("elbv2")
    rules = [
        (
            {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/fixed*"]}},
            {
                "Type": "fixed-response",
                "FixedResponseConfig": {
                    "StatusCode": "418",
                    "ContentType": "text/plain",
                    "MessageBody": "tea",
                },
            },
        ),
        (
            {"Field": "host-header", "HostHeaderConfig": {"Values": ["*.test"]}},
            {
                "Type": "redirect",
                "RedirectConfig": {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"},
            },
        ),
        (
            {"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": ["PUT"]}},
            {
                "Type": "forward",
                "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": group, "Weight": 1}]},
            },
        ),
    ]
    for priority, (condition, action) in enumerate(rules, 1):
        elb.create_rule(
            ListenerArn=listener, Priority=priority, Conditions=[condition], Actions=[action]
        )
    assert world.get(host, "/fixed/1")[::2] == (418, b"tea")
    status, headers, _ = world.get("app.test", "/a?b=1", X_Lab_Load_Balancer=host)
    assert (status, headers["location"]) == (301, "https://app.test:443/a?b=1")
    assert world.get(host, "/", "PUT", b"")[0] == 200
    described = elb.describe_rules(ListenerArn=listener)["Rules"]
    assert described[0]["Conditions"][0]["PathPatternConfig"] == {"Values": ["/fixed*"]}
    for rule in described:
        if not rule["IsDefault"]:
            elb.delete_rule(RuleArn=rule["RuleArn"])


def test_a_port_without_listener_refuses(
    world: World, hosts: dict[str, tuple[str, str, str]]
) -> None:
    """Listeners answer on their own port only."""
    with pytest.raises(RemoteDisconnected):
        world.get(hosts[EAST][0], "/", X_Forwarded_Port="443")


def test_targets_need_permission(world: World, hosts: dict[str, tuple[str, str, str]]) -> None:
    """Trap 18: permission comes before the target; without it registration is refused."""
    assert hosts
    elb = world.aws("elbv2")
    group = elb.create_target_group(Name="tg-refused", TargetType="lambda")["TargetGroups"][0]
    function = world.aws("lambda").get_function(FunctionName="api")["Configuration"]["FunctionArn"]
    with pytest.raises(ClientError, match="AccessDenied"):
        elb.register_targets(TargetGroupArn=group["TargetGroupArn"], Targets=[{"Id": function}])
    with pytest.raises(ClientError, match="cannot be longer than '32'"):
        elb.create_target_group(Name="t" * 33, TargetType="lambda")


def test_target_health_is_what_was_found(
    world: World, hosts: dict[str, tuple[str, str, str]]
) -> None:
    """R6.2: the state comes from real checks of the function."""

    def state() -> str:
        described = world.aws("elbv2", WEST).describe_target_health(TargetGroupArn=hosts[WEST][1])
        return described["TargetHealthDescriptions"][0]["TargetHealth"]["State"]

    assert eventually(lambda: state() == "healthy")


def test_fifty_at_once_succeed_quickly(
    world: World, hosts: dict[str, tuple[str, str, str]]
) -> None:
    """N1: the queue of eight workers serves fifty clients without an error."""
    host = hosts[EAST][0]
    failures: list[object] = []

    def ask() -> None:
        connection = HTTPConnection("127.0.0.1", world.port, timeout=20)
        for number in range(6):
            try:
                path = "/slow" if number == 0 else "/"
                connection.request("GET", path, headers={"Host": host})
                answer = connection.getresponse()
                answer.read()
                if answer.status != 200:
                    failures.append(answer.status)
            except OSError as error:
                failures.append(error)
        connection.close()

    threads = [threading.Thread(target=ask) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    workers = [
        child
        for child in psutil.Process(world.status.pid).children(recursive=True)
        if "node" in child.name() and f"/{EAST}/api/" in child.cwd() + "/"
    ]
    assert len(workers) <= 8


def test_a_warm_call_takes_milliseconds(
    world: World, hosts: dict[str, tuple[str, str, str]]
) -> None:
    """N1: drills measure the system, not the lab. The bound is loose, for a shared machine."""
    connection = HTTPConnection("127.0.0.1", world.port, timeout=20)
    took = []
    for _ in range(60):
        began = time.monotonic()
        connection.request("GET", "/", headers={"Host": hosts[EAST][0]})
        connection.getresponse().read()
        took.append(time.monotonic() - began)
    connection.close()
    assert statistics.median(took) < 0.05


def test_logs_have_the_form_of_lambda(world: World, hosts: dict[str, tuple[str, str, str]]) -> None:
    """R2.4: START, the handler's lines, END, REPORT, in the function's group."""
    world.get(hosts[WEST][0], "/logged")
    logs = world.aws("logs", WEST)
    lines = [
        event["message"]
        for stream in logs.describe_log_streams(logGroupName="/aws/lambda/api")["logStreams"]
        for event in logs.get_log_events(
            logGroupName="/aws/lambda/api", logStreamName=stream["logStreamName"]
        )["events"]
    ]
    at = next(number for number, line in enumerate(lines) if '"path":"/logged"' in line)
    assert lines[at - 1].startswith("START RequestId: ")
    assert lines[at].split("\t")[2] == "INFO"
    assert lines[at + 1].startswith("END RequestId: ")
    assert lines[at + 2].startswith("REPORT RequestId: ")


def workers(world: World, region: str) -> list[psutil.Process]:
    """The processes that run a region's function ``api``."""
    found = []
    for child in psutil.Process(world.status.pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            if f"/{region}/api/" in child.cwd() + "/":
                found.append(child)
    return found


def test_a_dead_region_drops_connections_and_comes_back(
    world: World, hosts: dict[str, tuple[str, str, str]]
) -> None:
    """N2: compute lost: load balancers drop, workers end; the other region serves."""
    assert world.get(hosts[EAST][0], "/")[0] == 200
    assert workers(world, EAST)
    client.outage(world.state_dir, EAST, "compute")
    try:
        with pytest.raises((RemoteDisconnected, ConnectionError)):
            world.get(hosts[EAST][0], "/")
        assert world.get(hosts[WEST][0], "/")[0] == 200
        # A worker that was just starting ends when it has started.
        assert eventually(lambda: not workers(world, EAST))
    finally:
        client.restore(world.state_dir, EAST)
    assert world.get(hosts[EAST][0], "/")[0] == 200


def test_failed_asynchronous_events_are_retried_then_dead_lettered(world: World) -> None:
    """R2.4: two retries, then the dead-letter queue has the event and the destination a record."""
    sqs, functions = world.aws("sqs", WEST), world.aws("lambda", WEST)
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    failed = sqs.create_queue(QueueName="failed")["QueueUrl"]
    arn = f"arn:aws:sqs:{WEST}:000000000000"
    role = world.role("asynchronous", "lambda.amazonaws.com", allow("sqs:SendMessage"))
    code = "def handler(event, context):\n    raise KeyError(event['why'])\n"
    world.function(
        "fails",
        code,
        role,
        WEST,
        Runtime="python3.12",
        DeadLetterConfig={"TargetArn": f"{arn}:dead"},
    )
    functions.put_function_event_invoke_config(
        FunctionName="fails",
        MaximumRetryAttempts=1,
        DestinationConfig={"OnFailure": {"Destination": f"{arn}:failed"}},
    )
    client.set_clock(world.state_dir, 120)
    try:
        functions.invoke(FunctionName="fails", InvocationType="Event", Payload=b'{"why":"x"}')

        def received(url: str) -> list[dict[str, str]]:
            return sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"]).get(
                "Messages", []
            )

        letter = eventually(lambda: received(dead), 10)[0]
        record = json.loads(eventually(lambda: received(failed), 10)[0]["Body"])
    finally:
        client.set_clock(world.state_dir, 1)
    assert json.loads(letter["Body"]) == {"why": "x"}
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 2
    assert record["responsePayload"]["errorType"] == "KeyError"


def test_a_role_lambda_cannot_use_is_refused(world: World) -> None:
    """Trap 19: trust, and the right to make interfaces in a VPC, come before the function."""
    stranger = world.role("stranger", "ec2.amazonaws.com")
    with pytest.raises(ClientError, match="cannot be assumed by Lambda"):
        world.function("refused", API, stranger)
    bare = world.role("bare", "lambda.amazonaws.com")
    _, subnets = world.network(EAST)
    with pytest.raises(ClientError, match="CreateNetworkInterface"):
        world.function(
            "refused", API, bare, VpcConfig={"SubnetIds": subnets, "SecurityGroupIds": []}
        )
