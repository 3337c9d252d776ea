"""AWS as a test scripts it: no process, no network."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError

from lab.provider.aws import Aws


class Scripted(Aws):
    """Answers as scripted: an operation's answer, or the error code and message it refuses with."""

    def __init__(
        self, answers: Mapping[str, Any] | None = None, pages: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__("us-east-1")
        self.answers, self.pages = dict(answers or {}), dict(pages or {})
        self.made: list[tuple[str, dict[str, Any]]] = []

    def call(
        self,
        service: str,
        operation: str,
        parameters: Mapping[str, Any] | None = None,
        region: str | None = None,
    ) -> dict[str, Any]:
        self.made.append((operation, dict(parameters or {})))
        answer = self.answers.get(operation, {})
        if isinstance(answer, str):
            code, _, message = answer.partition(": ")
            response: Any = {"Error": {"Code": code, "Message": message}}
            raise ClientError(response, operation)
        return dict(answer)

    def client(self, service: str, region: str | None = None) -> Any:
        def paginator(name: str) -> Any:
            return SimpleNamespace(paginate=lambda **_: self.pages[name])

        return SimpleNamespace(get_paginator=paginator)
