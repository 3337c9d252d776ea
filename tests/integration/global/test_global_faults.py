"""A deployment of its own, with certificates and a locked journal, that these tests break and
mend."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Iterator

import pytest
import yaml
from application_client import ask, host, post_record, receipts, until
from botocore.exceptions import ClientError
from deployed_lab import REPOSITORY, Lab, copied
from deployed_reads import dead_letters, health_checks, records
from lab_copies import a_deployed_lab
from traffic import ask_front_door, served_by

from lab import client

BODY = 'body: { status: "healthy", region,'
"""Of ``/health``, where the new code says a word more."""
REGIONS = {"primary": "us-east-1", "secondary": "us-west-2"}
CLOCK = 20
"""Alarms look at minutes: the lab's pass this much faster."""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """All four layers, HTTPS, a locked journal and new code included, in a lab that may be broken:
    the gate asks the code over TLS, as on AWS."""
    repository = copied(tmp_path_factory.mktemp("repository") / "copy")
    with a_deployed_lab(tmp_path_factory.mktemp("faults"), repository) as made:
        file = made.repository / "Pulumi.lab.yaml"
        stack = yaml.safe_load(file.read_text())
        stack["config"]["app:certificateArns"] = {
            region: made.client("acm", region).request_certificate(
                DomainName=f"*.{made.stack_file.settings.domain}"
            )["CertificateArn"]
            for region in REGIONS.values()
        }
        health = made.repository / "lambda_src" / "api" / "src" / "health.mjs"
        text = (REPOSITORY / health.relative_to(made.repository)).read_text()
        assert BODY in text
        health.write_text(text.replace(BODY, f'{BODY} release: "second",', 1))
        stack["config"]["global:alarmEmail"] = "on-call@standby.net"
        stack["config"]["data:journalLockDays"] = 30
        file.write_text(yaml.safe_dump(stack))
        answer = made.inv("deploy-all")
        assert answer.returncode == 0, answer.stderr
        yield made


def test_new_code_passes_the_gate_over_tls(lab: Lab) -> None:
    """Trap 65: the gate's probe verified the certificate by the clients' name, and both regions
    serve the new code; a client that knows the name alone gets it over TLS."""
    name, context = lab.outputs["global.fqdn"], ssl.create_default_context()
    context.load_verify_locations(lab.state_dir / "database" / "certificate-authority.pem")
    listeners = json.loads((lab.state_dir / "load-balancers.json").read_text())
    for role in REGIONS:
        plain = socket.create_connection(("127.0.0.1", listeners[host(lab, role)]["443"]), 10)
        connection = http.client.HTTPConnection(name)
        with plain, context.wrap_socket(plain, server_hostname=name) as connection.sock:
            connection.request("GET", "/health")
            answer = connection.getresponse()
            assert (answer.status, json.loads(answer.read())["release"]) == (200, "second")
            assert answer.headers["x-function-version"] == "2"
    door = client.status(lab.state_dir).front_door
    assert served_by(door) == "us-east-1"
    assert ask_front_door(door, "/records?limit=1").status == 200


def test_status_knows_whether_writes_succeed(lab: Lab) -> None:
    """Issue 17.8: ``/ready`` is asked over TLS where port 80 redirects."""
    answer = lab.inv("status", "--json")
    regions = {one["region"]: one["writes"] for one in json.loads(answer.stdout)["regions"]}
    assert regions == dict.fromkeys(REGIONS.values(), True), answer.stdout


def test_a_health_check_over_https_passes(lab: Lab) -> None:
    """R3.1: Route 53's own probe over TLS."""
    route53 = lab.client("route53")
    check = route53.create_health_check(
        CallerReference="https",
        HealthCheckConfig={
            "Type": "HTTPS", "FullyQualifiedDomainName": host(lab, "primary"), "Port": TLS,
            "ResourcePath": "/health", "RequestInterval": 10, "EnableSNI": True,
        },
    )["HealthCheck"]["Id"]  # fmt: skip

    def report() -> str:
        seen = route53.get_health_check_status(HealthCheckId=check)["HealthCheckObservations"]
        return seen[0]["StatusReport"]["Status"]

    try:
        assert until(lambda: "HTTP Status Code 200" in report()), report()
    finally:
        route53.delete_health_check(HealthCheckId=check)


TLS = 443
"""Where everything is served once there are certificates."""


@pytest.mark.parametrize("role", REGIONS)
def test_port_80_redirects_everything_but_what_route_53_checks(lab: Lab, role: str) -> None:
    """R2.2, trap 12: Route 53 counts a redirect as healthy, so the released switch's 404 must be
    seen on port 80."""
    assert ask(lab, role, "/health").status == 200
    assert ask(lab, role, "/failover-switch").status == 404
    redirect = ask(lab, role, "/records?limit=1")
    assert redirect.status == 301
    location = {key.lower(): value for key, value in redirect.headers.items()}["location"]
    assert location == f"https://{host(lab, role)}:443/records?limit=1"
    assert ask(lab, role, "/records?limit=1", port=TLS).status == 200


def test_events_wait_for_a_lost_region_and_arrive_when_it_is_back(lab: Lab) -> None:
    """R5.1, trap 27: 24 h of retries carry what was published meanwhile, once."""
    assert lab.inv("lab.outage", "us-west-2").returncode == 0
    key = post_record(lab, "primary", TLS).json["eventId"]
    try:
        assert until(lambda: receipts(lab, key, TLS) == ["us-east-1"]), receipts(lab, key, TLS)
    finally:
        assert lab.inv("lab.restore", "us-west-2").returncode == 0
    assert until(lambda: len(receipts(lab, key, TLS)) == 2, 60), receipts(lab, key, TLS)
    assert sorted(receipts(lab, key, TLS)) == sorted(REGIONS.values())
    assert dead_letters(lab) == dict.fromkeys(dead_letters(lab), 0)


def test_what_was_not_delivered_is_delivered_again(lab: Lab) -> None:
    """Trap 27: the waiting queue's policy is lost, the event waits in the dead-letter queue, and
    ``events.redrive`` brings it home once the policy is back."""
    sqs = lab.client("sqs", "us-east-1")
    url = sqs.get_queue_url(QueueName="queue-consume-us-east-1-lab")["QueueUrl"]
    policy = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": ""})
    queue = "queue-consume-dead-letters-us-east-1-lab"
    try:
        key = post_record(lab, "primary", TLS).json["eventId"]
        assert until(lambda: dead_letters(lab)[queue] == 1), dead_letters(lab)
        assert until(lambda: receipts(lab, key, TLS) == ["us-west-2"]), receipts(lab, key, TLS)
    finally:
        sqs.set_queue_attributes(QueueUrl=url, Attributes=policy)
    answer = lab.inv("events.redrive", "--json")
    assert answer.returncode == 0, answer.stderr
    counts = {entry["queue"]: entry["events"] for entry in json.loads(answer.stdout)}
    assert counts[queue] == 1
    assert sum(counts.values()) == 1
    assert until(lambda: len(receipts(lab, key, TLS)) == 2), receipts(lab, key, TLS)
    assert sorted(receipts(lab, key, TLS)) == sorted(REGIONS.values())
    assert dead_letters(lab) == dict.fromkeys(dead_letters(lab), 0)


@pytest.mark.long
def test_a_faster_interval_makes_new_checks_and_everything_follows(lab: Lab) -> None:
    """Trap 15b: Route 53 can't change an interval; records and verdict move to the new checks, and
    only then the old ones go. In every run the program's own order is held
    (``test_global_dns``), and the engine's in ``test_engine_programs``."""
    before = health_checks(lab)
    stack_file = lab.repository / "Pulumi.lab.yaml"
    original = stack_file.read_text()
    stack = yaml.safe_load(original)
    stack["config"]["global:healthCheckInterval"] = 10
    stack_file.write_text(yaml.safe_dump(stack))
    answer = lab.inv("up", "--layer", "global")
    assert answer.returncode == 0, answer.stderr
    after = health_checks(lab)
    assert set(after) == set(before)
    verdict_id, verdict = after["healthcheck-serves-us-east-1"]
    assert verdict_id == before["healthcheck-serves-us-east-1"][0]
    endpoints = {name: check for name, check in after.items() if check[0] != verdict_id}
    assert {config["RequestInterval"] for _, config in endpoints.values()} == {10}
    assert {check_id for check_id, _ in endpoints.values()}.isdisjoint(
        check_id for check_id, _ in before.values()
    )
    assert set(verdict["ChildHealthChecks"]) == {
        after[f"healthcheck-{purpose}"][0] for purpose in ("app-us-east-1", "switch-us-west-2")
    }
    standby = records(lab)[lab.outputs["global.fqdn"], "secondary"]
    assert standby["HealthCheckId"] == after["healthcheck-app-us-west-2"][0]
    stack_file.write_text(original)
    answer = lab.inv("up", "--layer", "global")
    assert answer.returncode == 0, answer.stderr


class Mailbox:
    """A queue that hears what a topic publishes."""

    def __init__(self, lab: Lab, role: str) -> None:
        region = REGIONS[role]
        self.queue = lab.client("sqs", region)
        self.url = self.queue.create_queue(QueueName=f"mailbox-{role}")["QueueUrl"]
        arn = self.queue.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])
        topic = lab.outputs[f"global.{role}.topic_arn"]
        lab.client("sns", region).subscribe(
            TopicArn=topic, Protocol="sqs", Endpoint=arn["Attributes"]["QueueArn"]
        )
        self.heard: set[tuple[str, str]] = set()

    def hears(self, alarm: str, state: str) -> bool:
        """Whether the topic has published this alarm in this state by now."""
        answer = self.queue.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10)
        for message in answer.get("Messages", []):
            self.queue.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
            text = json.loads(message["Body"])["Message"]
            if not text.startswith("{"):
                continue  # recovery's own notices, in words
            notice = json.loads(text)
            self.heard.add((notice["AlarmName"], notice["NewStateValue"]))
        return (alarm, state) in self.heard


@pytest.fixture(scope="module")
def fast(lab: Lab) -> Lab:
    """The same lab, its minutes shorter."""
    assert lab.inv("lab.clock", str(CLOCK)).returncode == 0
    return lab


@pytest.mark.long
def test_a_broken_function_and_an_empty_target_group_are_notified(fast: Lab) -> None:
    """R6.2, R6.3: errors above 5 %, then no healthy target, each through the region's topic. In
    every run the alarms' states are seen in a deployed lab (``test_kept_and_seen``)."""
    mailbox = Mailbox(fast, "secondary")
    functions = fast.client("lambda", "us-west-2")
    name = fast.outputs["app.secondary.function_name"]
    functions.update_function_configuration(FunctionName=name, Handler="index.missing")
    # Around the gate (trap 65): what is called is no published version any more.
    functions.update_alias(FunctionName=name, Name="live", FunctionVersion="$LATEST")

    def fails(alarm: str) -> bool:
        ask(fast, "secondary", "/records?limit=1", port=TLS)
        return mailbox.hears(f"{alarm}-us-west-2-lab", "ALARM")

    assert until(lambda: fails("alarm-lambda-errors"), 60), mailbox.heard
    assert until(lambda: fails("alarm-alb-no-healthy-target"), 60), mailbox.heard
    functions.update_function_configuration(FunctionName=name, Handler="index.handler")
    assert until(lambda: mailbox.hears("alarm-alb-no-healthy-target-us-west-2-lab", "OK"), 60), (
        mailbox.heard
    )


@pytest.mark.long
def test_a_lost_primary_is_reported_in_the_standby_region(fast: Lab) -> None:
    """Trap 11: with us-east-1's CloudWatch gone, us-west-2 says so by itself; as in every run its
    controller does (``test_recovery``)."""
    mailbox = Mailbox(fast, "secondary")
    assert until(
        lambda: mailbox.hears("alarm-primary-impaired-us-west-2-lab", "OK") or healthy(fast), 60
    )
    assert fast.inv("lab.outage", "us-east-1").returncode == 0
    try:
        for alarm in ("alarm-heartbeat", "alarm-primary-impaired"):
            found = until(lambda name=alarm: mailbox.hears(f"{name}-us-west-2-lab", "ALARM"), 90)
            assert found, (alarm, mailbox.heard)
        door = client.status(fast.state_dir).front_door
        assert until(lambda: served_by(door) == "us-west-2", 60), "traffic fails over, by TLS"
    finally:
        assert fast.inv("lab.restore", "us-east-1").returncode == 0
    assert until(lambda: mailbox.hears("alarm-heartbeat-us-west-2-lab", "OK"), 90), mailbox.heard


def test_an_entry_of_the_locked_journal_stays(fast: Lab) -> None:
    """Issue 23.10: what the deployed controller appended meanwhile is retained where it is and, as
    a copy, in the other region; neither is deleted before its time, and a marker hides it here
    alone."""
    own, other = "us-west-2", "us-east-1"
    prefix = f"recovery/journal/{own}/"

    def entries(region: str) -> dict[str, str]:
        found = fast.client("s3", region).list_object_versions(
            Bucket=f"bucket-journal-{region}-lab", Prefix=prefix
        )
        return {one["Key"]: one["VersionId"] for one in found.get("Versions", [])}

    assert until(lambda: entries(own).keys() & entries(other).keys(), 90), entries(own)
    key = min(entries(own).keys() & entries(other).keys())
    fast.client("s3", own).delete_object(Bucket=f"bucket-journal-{own}-lab", Key=key)
    for region in (own, other):
        s3, name = fast.client("s3", region), {"Bucket": f"bucket-journal-{region}-lab", "Key": key}
        version = entries(region)[key]
        with pytest.raises(ClientError, match="AccessDenied"):
            s3.delete_object(**name, VersionId=version)
        kept = json.loads(s3.get_object(**name, VersionId=version)["Body"].read())
        assert key == f"{prefix}{kept['number']:012}.json"
        shown = s3.list_objects_v2(Bucket=name["Bucket"], Prefix=key)["KeyCount"]
        assert shown == (0 if region == own else 1)


def healthy(lab: Lab) -> bool:
    """Whether the standby region finds the primary well now."""
    answer = lab.client("cloudwatch", "us-west-2").describe_alarms(
        AlarmNames=["alarm-primary-impaired-us-west-2-lab"], AlarmTypes=["CompositeAlarm"]
    )
    return answer["CompositeAlarms"][0]["StateValue"] == "OK"


def test_a_destroy_with_a_pending_subscription_completes(lab: Lab) -> None:
    """Trap 28b: nobody confirmed the e-mail, SNS won't unsubscribe it, and nothing is left; the
    journal, locked in governance mode, goes with who may pass that by (issue 23.10)."""
    subscriptions = lab.client("sns").list_subscriptions_by_topic(
        TopicArn=lab.outputs["global.primary.topic_arn"]
    )["Subscriptions"]
    pending = [one for one in subscriptions if one["Protocol"] == "email"]
    assert [one["SubscriptionArn"] for one in pending] == ["PendingConfirmation"]
    answer = lab.inv("destroy-all")
    assert answer.returncode == 0, answer.stderr
    assert lab.inventory() == []
