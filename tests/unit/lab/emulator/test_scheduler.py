"""EventBridge Scheduler as AWS has it: what is refused in a schedule."""

import pytest
from emulator_world import World, refused

QUEUE = "arn:aws:sqs:us-east-1:000000000000:scheduled"


def schedule(world: World, name: str, **given: object) -> dict[str, object]:
    """The parameters of CreateSchedule."""
    role = world.role(f"schedule-{name}", "scheduler.amazonaws.com")
    target = {"Arn": QUEUE, "RoleArn": role, **given.pop("target", {})}  # type: ignore[dict-item]
    return {
        "Name": name,
        "ScheduleExpression": "rate(1 minute)",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": target,
        **given,
    }


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"ScheduleExpressionTimezone": "Mars/Olympus"}, "Invalid Schedule Expression Timezone"),
        ({"target": {"RetryPolicy": {"MaximumRetryAttempts": 186}}}, "MaximumRetryAttempts"),
        ({"target": {"RetryPolicy": {"MaximumEventAgeInSeconds": 90_000}}}, "MaximumEventAge"),
        ({"target": {"DeadLetterConfig": {"Arn": f"{QUEUE}.fifo"}}}, "FIFO"),
        ({"target": {"RoleArn": "arn:aws:iam::000000000000:role/none"}}, "must allow AWS"),
    ],
    ids=lambda given: str(given)[:30],
)
def test_what_can_not_be_scheduled_is_refused(
    world: World, given: dict[str, object], says: str
) -> None:
    """EventBridge Scheduler API reference, CreateSchedule, RetryPolicy and DeadLetterConfig; user
    guide, "Set up the execution role"."""
    call = world.client("scheduler", "us-east-1", parameter_validation=False).create_schedule
    assert says in refused(
        "ValidationException",
        call,
        **schedule(world, f"never-{says.split(maxsplit=1)[0]}", **given),
    )


def test_a_schedule_reads_back_its_retry_policy_and_dead_letter_queue(world: World) -> None:
    """EventBridge Scheduler API reference, GetSchedule; the update is checked as the creation."""
    scheduler = world.aws("scheduler")
    policy = {"MaximumRetryAttempts": 3, "MaximumEventAgeInSeconds": 120}
    target = {"RetryPolicy": policy, "DeadLetterConfig": {"Arn": f"{QUEUE}-dead"}}
    given = schedule(world, "kept", target=target, ScheduleExpressionTimezone="Europe/Zurich")
    scheduler.create_schedule(**given)
    read = scheduler.get_schedule(Name="kept")
    assert read["Target"]["RetryPolicy"] == policy
    assert read["Target"]["DeadLetterConfig"] == {"Arn": f"{QUEUE}-dead"}
    given["ScheduleExpressionTimezone"] = "nowhere"
    refused("ValidationException", scheduler.update_schedule, **given)
    assert scheduler.get_schedule(Name="kept")["ScheduleExpressionTimezone"] == "Europe/Zurich"
