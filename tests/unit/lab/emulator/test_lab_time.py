"""The emulator's services live by the lab's clock; SNS's mails arrive."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from types import ModuleType

import pytest
from emulator_world import EAST, World

from lab.clock import Clock
from lab.emulator.services.lab_time import follow

AHEAD = 100_000.0


@pytest.fixture
def later() -> Clock:
    """A clock that is more than a day ahead."""
    return Clock(resume_at=time.time() + AHEAD)


def test_a_module_s_present_is_the_labs(later: Clock) -> None:
    """Issue 16.4: stamps, expiry and what is shown; everything else of ``time`` and ``datetime``
    stays what it is. Following twice is following once."""
    module = ModuleType("service")
    module.time, module.datetime = time, datetime  # type: ignore[attr-defined]
    follow(module, Clock())
    follow(module, later)
    clock, moment = module.time, module.datetime
    assert clock.time() - time.time() == pytest.approx(AHEAD, abs=5)
    assert time.mktime(clock.gmtime()) - time.mktime(time.gmtime()) == pytest.approx(AHEAD, abs=5)
    assert clock.gmtime(0) == time.gmtime(0)
    assert clock.monotonic is time.monotonic
    for present in (moment.now(UTC), moment.utcnow().replace(tzinfo=UTC)):
        assert present.timestamp() - time.time() == pytest.approx(AHEAD, abs=5)
        assert type(present) is datetime
    assert isinstance(datetime.now(UTC), moment)
    assert not isinstance(3, moment)
    assert moment.fromtimestamp(0, UTC).year == 1970
    bare = ModuleType("bare")
    follow(bare, later)
    assert not {"time", "datetime"} & vars(bare).keys()


@pytest.mark.parametrize("factor", [1, 10, 50])
def test_an_alarm_s_history_and_state_carry_lab_time(world: World, factor: float) -> None:
    """Issue 16.4: at each clock the state's stamp is the lab's present."""
    clock = world.lab.clock
    clock.factor = factor
    try:
        cloudwatch = world.aws("cloudwatch")
        cloudwatch.put_metric_alarm(
            AlarmName="stamped", MetricName="m", Namespace="n", Period=60, Statistic="Sum",
            EvaluationPeriods=1, Threshold=1, ComparisonOperator="GreaterThanThreshold",
        )  # fmt: skip
        cloudwatch.set_alarm_state(AlarmName="stamped", StateValue="ALARM", StateReason="t")
        (alarm,) = cloudwatch.describe_alarms(AlarmNames=["stamped"])["MetricAlarms"]
        (entry, *_) = cloudwatch.describe_alarm_history(AlarmName="stamped")["AlarmHistoryItems"]
        for stamp in (alarm["StateUpdatedTimestamp"], entry["Timestamp"]):
            assert stamp.timestamp() == pytest.approx(clock.now(), abs=5 * factor)
    finally:
        clock.factor = 1


def test_mails_arrive_once_they_are_confirmed(world: World) -> None:
    """Issue 16.5: the question arrives at once, messages after the confirmation; pending until
    then (trap 28b). Asked again it is asked once."""
    sns = world.aws("sns", EAST)
    topic = sns.create_topic(Name="mails")["TopicArn"]
    before = len(world.emulator.mails(confirm=False))
    for _ in range(2):
        sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="duty@clinic.example")
    sns.subscribe(TopicArn=topic, Protocol="sms", Endpoint="+15550100")
    sns.publish(TopicArn=topic, Subject="unheard", Message="no")
    (asked,) = world.emulator.mails(confirm=False)[before:]
    assert (asked["to"], asked["topic"]) == ("duty@clinic.example", topic)
    assert asked["subject"] == "AWS Notification - Subscription Confirmation"
    world.emulator.mails(confirm=True)
    listed = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    arns = {item["Protocol"]: item["SubscriptionArn"] for item in listed}
    assert arns["email"].startswith(topic)
    assert arns["sms"] == "PendingConfirmation"
    sns.publish(TopicArn=topic, Message="heard")
    found = world.emulator.mails(confirm=True)[before + 1 :]
    assert [(mail["subject"], mail["body"]) for mail in found] == [
        ("AWS Notification Message", "heard")
    ]
    sns.unsubscribe(SubscriptionArn=arns["email"])
