"""Asynchronous invocations that fail: retried, too old, sent on (Lambda developer guide)."""

from __future__ import annotations

import asyncio
import json
import logging
from types import SimpleNamespace
from typing import Any

import pytest

from lab.clock import Clock
from lab.emulator import asynchronous
from lab.emulator.asynchronous import Asynchronous, send
from lab.emulator.functions import Function
from lab.emulator.worker import Outcome

ARN = "arn:aws:lambda:us-east-1:000000000000:function:f"
QUEUE = "arn:aws:sqs:us-east-1:000000000000:dead"
TOPIC = "arn:aws:sns:us-east-1:000000000000:outcomes"
FAILED = Outcome(error={"errorType": "E", "errorMessage": "why"})
AWAY = Outcome(error={"errorType": "ServiceUnavailable"}, unavailable=True)


class Functions:
    """Answers one outcome after the other; the last one stays."""

    def __init__(self, *outcomes: Outcome) -> None:
        self.outcomes, self.asked = list(outcomes), 0

    async def invoke(self, *_given: Any) -> Outcome:
        self.asked += 1
        return self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]


def run(
    monkeypatch: pytest.MonkeyPatch,
    outcomes: list[Outcome],
    settings: dict[str, Any],
    *,
    allowed: bool = True,
    broken: bool = False,
) -> tuple[int, list[tuple[str, Any, dict[str, str]]]]:
    """(invocations, what was sent: target, body, attributes)"""
    sent: list[tuple[str, Any, dict[str, str]]] = []

    def deliver(_lab: Any, target: str, body: str, attributes: dict[str, str]) -> None:
        sent.append((target, json.loads(body), attributes))
        if broken:
            raise OSError("gone")

    monkeypatch.setattr(asynchronous, "send", deliver)
    monkeypatch.setattr(asynchronous, "role_allows", lambda *_given: allowed)
    config = {"FunctionArn": ARN, "FunctionName": "f", "Role": "r"}
    if "dead" in settings:
        config["DeadLetterConfig"] = {"TargetArn": settings["dead"]}  # type: ignore[assignment]
    functions = Functions(*outcomes)

    async def all_of_it() -> None:
        lab = SimpleNamespace(clock=Clock(1000))
        running = Asynchronous(lab, functions)  # type: ignore[arg-type]
        running.submit(Function(config, b""), settings, {"a": 1})
        async with asyncio.timeout(10):
            await asyncio.gather(*running._tasks)

    asyncio.run(all_of_it())
    return functions.asked, sent


def to(target: str, kind: str = "OnFailure") -> dict[str, Any]:
    """Settings with a destination."""
    return {"DestinationConfig": {kind: {"Destination": target}}}


def test_two_retries_then_the_dead_letter_and_the_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """R2.4: the event itself to the queue, with why; the record to the destination."""
    asked, sent = run(monkeypatch, [FAILED], to(TOPIC) | {"dead": QUEUE})
    assert asked == 3
    (queue, event, attributes), (topic, record, _) = sent
    assert (queue, event, attributes["ErrorMessage"]) == (QUEUE, {"a": 1}, "why")
    assert topic == TOPIC
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 3
    assert record["responseContext"]["functionError"] == "Unhandled"


def test_an_event_that_is_too_old_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without compute there is no attempt to count, only an age."""
    asked, sent = run(monkeypatch, [AWAY], to(TOPIC) | {"MaximumEventAgeInSeconds": 12})
    assert asked >= 2
    context = sent[0][1]["requestContext"]
    assert (context["condition"], context["approximateInvokeCount"]) == ("EventAgeExceeded", 0)


def test_success_is_recorded_for_who_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A retry that succeeds; without a destination nobody is notified."""
    asked, sent = run(monkeypatch, [FAILED, Outcome(result=7)], to(QUEUE, "OnSuccess"))
    assert asked == 2
    record = sent[0][1]
    assert (record["responsePayload"], record["requestContext"]["condition"]) == (7, "Success")
    assert "functionError" not in record["responseContext"]
    assert run(monkeypatch, [Outcome(result=7)], {}) == (1, [])


@pytest.mark.parametrize(
    ("target", "given", "said"),
    [
        (QUEUE, {"allowed": False}, "may not send"),
        ("arn:aws:s3:::bucket", {}, "may not send"),
        (QUEUE, {"broken": True}, "could not send"),
    ],
    ids=["denied", "no-target", "broken"],
)
def test_what_cannot_be_sent_is_said(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    target: str,
    given: dict[str, bool],
    said: str,
) -> None:
    """N3: a role without the permission, a service that is no target, a queue that is gone."""
    with caplog.at_level(logging.WARNING, "lab"):
        run(monkeypatch, [FAILED], {"MaximumRetryAttempts": 0} | to(target), **given)
    assert said in caplog.text
    assert target in caplog.text


def test_messages_go_to_queues_topics_and_functions() -> None:
    """Each by its own API; empty attributes are left out."""
    called: list[tuple[str, dict[str, Any]]] = []

    class Client:
        """Records what is called."""

        def __getattr__(self, name: str) -> Any:
            def call(**given: Any) -> dict[str, str]:
                called.append((name, given))
                return {"QueueUrl": "url"}

            return call

    lab: Any = SimpleNamespace(client=lambda *_given: Client())
    for target in (QUEUE, TOPIC, ARN):
        send(lab, target, "body", {"a": "1", "b": ""})
    names = [name for name, _ in called]
    assert names == ["get_queue_url", "send_message", "publish", "invoke"]
    attributes = {"a": {"DataType": "String", "StringValue": "1"}}
    assert called[1][1]["MessageAttributes"] == called[2][1]["MessageAttributes"] == attributes
    assert called[3][1]["InvocationType"] == "Event"
    with pytest.raises(ValueError, match="s3 is no target"):
        send(lab, "arn:aws:s3:::bucket:x", "body", {})
