"""AWS clients that answer from a table."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError


class FakeClient:
    """Answers an operation with what the table holds, or raises it."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self._answers = answers

    def __getattr__(self, operation: str) -> Any:
        def call(**given: Any) -> Any:
            answer = self._answers.get(operation, {})
            answer = answer(**given) if callable(answer) else answer
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call

    def get_paginator(self, operation: str) -> Any:
        """One page."""
        client = self

        class Paginator:
            def paginate(self, **given: Any) -> list[Any]:
                return [getattr(client, operation)(**given)]

        return Paginator()


class FakeClients:
    """``{(service, region): {operation: answer}}``; a region of "" stands for both."""

    regions = ("us-east-1", "us-west-2")

    def __init__(self, table: dict[tuple[str, str], dict[str, Any]]) -> None:
        self._table = table
        self._queues: dict[tuple[str, str], str] = {}

    def queue_url(self, region: str, name: str) -> str:
        """As the real ones: asked once."""
        if (region, name) not in self._queues:
            found = self.get("sqs", region).get_queue_url(QueueName=name)
            self._queues[region, name] = found["QueueUrl"]
        return self._queues[region, name]

    def get(self, service: str, region: str) -> Any:
        """The client of that service and region."""
        table = self._table
        return FakeClient({**table.get((service, ""), {}), **table.get((service, region), {})})


def refusal(code: str = "AccessDenied", operation: str = "Describe") -> ClientError:
    """AWS refuses a call."""
    return ClientError({"Error": {"Code": code, "Message": "not allowed"}}, operation)


def tags(suffix: str, project: str = "warm-standby") -> list[dict[str, str]]:
    """The tags of one environment."""
    return [
        {"Key": "Project", "Value": project},
        {"Key": "EnvironmentSuffix", "Value": suffix},
    ]
