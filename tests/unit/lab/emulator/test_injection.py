"""Errors that are asked for: which calls fail, how often, and who may ask."""

from __future__ import annotations

import json
from typing import Any

import pytest
from emulator_world import WEST, World, refused


def errors(world: World, token: str = "own", **given: Any) -> tuple[int, dict[str, Any]]:  # noqa: S107
    """POST /_lab/errors."""
    answer = world.request(
        "POST",
        "/_lab/errors",
        {"x-lab-token": token, "host": "127.0.0.1"},
        json.dumps(given).encode(),
    )
    assert answer is not None
    return answer[0], json.loads(answer[2])


def test_an_armed_operation_fails_as_often_as_asked(world: World) -> None:
    """The code arrives as the service sends it, nothing is made by the refused call, and
    the next one is served; other operations never fail."""
    sqs, ec2 = world.aws("sqs"), world.aws("ec2", WEST)
    armed = ["sqs:CreateQueue", "ec2:CreateVpc"]
    assert errors(world, operations=armed, code="ThrottlingException", times=2)[0] == 200
    world.aws("sns").create_topic(Name="never-armed")
    # The SDK tries twice.
    refused("ThrottlingException", sqs.create_queue, QueueName="injected")
    assert "injected" not in str(sqs.list_queues())
    sqs.create_queue(QueueName="injected")
    refused("ThrottlingException", ec2.create_vpc, CidrBlock="10.9.0.0/16")
    assert errors(world)[1] == {
        "operations": sorted(armed),
        "answered": {"sqs:CreateQueue": 2, "ec2:CreateVpc": 2},
    }
    errors(world, operations=[], code="ThrottlingException")
    ec2.create_vpc(CidrBlock="10.9.0.0/16")


def test_every_change_fails_and_no_reading(world: World) -> None:
    """``*`` is each operation that changes resources, each as often as asked."""
    sqs = world.aws("sqs")
    errors(world, operations=["*"], code="InternalFailure", times=2)
    try:
        refused("InternalFailure", sqs.create_queue, QueueName="one")
        url = sqs.create_queue(QueueName="one")["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody="contents are no resources")
        sqs.list_queues()
        refused("InternalFailure", sqs.delete_queue, QueueUrl=url)
    finally:
        errors(world, operations=[], code="InternalFailure")
    sqs.delete_queue(QueueUrl=url)


@pytest.mark.parametrize(
    ("given", "code", "message"),
    [
        ({"operations": ["*"], "code": "Nonsense"}, 400, "no error 'Nonsense' is injected"),
        ({"operations": ["*"], "code": "InternalFailure", "times": 0}, 400, "at least once"),
        ({"operations": ["*"]}, 400, "/_lab/errors needs 'code'"),
        (
            {"operations": ["*"], "code": "InternalFailure", "token": "guess"},
            403,
            "needs the token",
        ),
    ],
)
def test_what_is_refused_arms_nothing(
    world: World, given: dict[str, Any], code: int, message: str
) -> None:
    """Off unless the lab's owner arms it."""
    token = given.get("token", "own")
    answered, error = errors(world, token, **{k: v for k, v in given.items() if k != "token"})
    assert (answered, message in error["error"]) == (code, True)
    assert errors(world)[1]["operations"] == []
