"""Readiness as it is proven in a deployed lab: score 1 without a hand, and what turns it red."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from application_client import until
from deployed_lab import Lab
from lab_copies import a_deployed_lab
from recovery_state import Controller
from region_outage import EAST, WEST

from lab import client
from recovery.observation import Validation
from recovery.recorded_events import Validations

CLOCK = 6.0
FIRST_MINUTES = 6
"""Issue 19: from the end of the deployment to a score of 1."""
REAL_SECONDS = 180.0
RUN_SECONDS = 10.0
"""Issue 19.1, where the machine isn't busy with something else."""


@pytest.fixture(scope="module")
def proven(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab in which us-west-2 has found itself ready."""
    with a_deployed_lab(tmp_path_factory.mktemp("proven")) as lab:
        client.set_clock(lab.state_dir, CLOCK)
        Controller(lab, WEST).wait("armed", lambda state: state.armed, REAL_SECONDS)
        assert until(lambda: newest(lab), REAL_SECONDS), "the validator never ran"
        # What is broken from here on is seen on demand, not by a run in between.
        client.set_clock(lab.state_dir, 1)
        yield lab


def newest(lab: Lab) -> Validation | None:
    """The last validation of us-west-2."""
    table = Controller(lab, WEST).table
    return Validations(lab.client("dynamodb", WEST), table).newest()


def validated(lab: Lab) -> Validation:
    """A validation on demand."""
    answer = lab.client("lambda", WEST).invoke(
        FunctionName=f"function-validate-{WEST}-lab", Payload=b"{}"
    )
    assert "FunctionError" not in answer, answer["Payload"].read()
    found = newest(lab)
    assert found is not None
    return found


def failed(found: Validation) -> list[str]:
    """The checks that lowered the score."""
    return [reason.partition(":")[0] for reason in found.reasons]


def test_a_new_environment_is_ready_without_a_hand(proven: Lab) -> None:
    """Issue 19: every check passes; what was excused says so; the controller takes it over."""
    found = until(lambda: one if (one := validated(proven)).ready else None, REAL_SECONDS)
    assert found is not None, newest(proven)
    assert found.permissions_proven
    assert found.subscription_confirmed
    assert [note.partition(":")[0] for note in found.notes] == ["backup"]
    assert "younger than a day" in found.notes[0]
    west = Controller(proven, WEST)
    west.wait("validated", lambda state: state.validation is not None, REAL_SECONDS)


@contextmanager
def without_alarms(lab: Lab) -> Iterator[None]:
    """An alarm that notifies nobody."""
    names = [f"alarm-heartbeat-{WEST}-lab"]
    cloudwatch = lab.client("cloudwatch", WEST)
    cloudwatch.disable_alarm_actions(AlarmNames=names)
    try:
        yield
    finally:
        cloudwatch.enable_alarm_actions(AlarmNames=names)


@contextmanager
def without_permissions(lab: Lab) -> Iterator[None]:
    """A controller's role without its policy."""
    iam = lab.client("iam", WEST)
    role = f"role-recovery-{WEST}-lab"
    (policy,) = iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    iam.detach_role_policy(RoleName=role, PolicyArn=policy["PolicyArn"])
    try:
        yield
    finally:
        iam.attach_role_policy(RoleName=role, PolicyArn=policy["PolicyArn"])


@contextmanager
def without_listeners(lab: Lab) -> Iterator[None]:
    """A topic that nobody hears."""
    sns, topic = lab.client("sns", WEST), lab.outputs["global.secondary.topic_arn"]
    (heard,) = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    sns.unsubscribe(SubscriptionArn=heard["SubscriptionArn"])
    try:
        yield
    finally:
        sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=heard["Endpoint"])


@contextmanager
def frozen(lab: Lab) -> Iterator[None]:
    """Recovery under break-glass."""
    answer = lab.inv("recovery.freeze", "--reason", "a test")
    assert answer.returncode == 0, answer.stderr
    try:
        yield
    finally:
        lab.inv("recovery.thaw")


@pytest.mark.parametrize(
    ("check", "broken"),
    [
        ("alarms", without_alarms),
        ("permissions", without_permissions),
        ("subscription", without_listeners),
        ("freeze", frozen),
    ],
)
def test_a_check_turns_red_by_what_it_checks(proven: Lab, check: str, broken: Any) -> None:
    """Issue 19: broken in the deployed system, it fails alone; mended, it is gone."""
    with broken(proven):
        seen = until(lambda: one if check in failed(one := validated(proven)) else None, 60)
        assert seen is not None
    assert until(lambda: check not in failed(validated(proven)), 60)


def test_a_lost_region_lowers_nothing(proven: Lab) -> None:
    """recovery.md 3: us-east-1's API is gone: what couldn't be asked is noted, the score stays."""
    client.outage(proven.state_dir, EAST, "api")
    try:
        found = until(lambda: one if len((one := validated(proven)).notes) > 5 else None, 60)
        assert found is not None, newest(proven)
        assert found.reasons == ()
        assert found.permissions_proven, "proven before; IAM answers from us-east-1 alone"
    finally:
        client.restore(proven.state_dir, EAST)


def test_a_run_is_short_and_leaves_nothing_that_grows(proven: Lab) -> None:
    """Issue 19.1: ten seconds at most, by Lambda's own measure, in the quickest of its runs."""
    logs, group = proven.client("logs", WEST), f"/aws/lambda/function-validate-{WEST}-lab"
    found = logs.filter_log_events(logGroupName=group, filterPattern="REPORT")["events"]
    took = [
        float(one["message"].partition("Duration: ")[2].split()[0]) / 1000
        for one in found
        if "Duration: " in one["message"]
    ]
    assert min(took) <= RUN_SECONDS
    waiting = proven.client("sqs", WEST).get_queue_attributes(
        QueueUrl=proven.client("sqs", WEST).get_queue_url(QueueName=f"queue-markers-{WEST}-lab")[
            "QueueUrl"
        ],
        AttributeNames=["ApproximateNumberOfMessages"],
    )["Attributes"]
    assert int(waiting["ApproximateNumberOfMessages"]) <= 10
