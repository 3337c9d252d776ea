"""A call of an AWS API as the lab passes it around: request, response, refusal, and hooks."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from lab.call import Call


@dataclass
class ApiRequest:
    """One call of an AWS API. ``parameters`` has botocore's names and nesting
    (``client.create_db_cluster(**parameters)``); what the emulator gets is ``call``."""

    service: str
    """botocore's service name: ``rds``, ``route53``, ``events``, ``elbv2``, ``s3`` …"""
    operation: str
    """AWS's name: ``FailoverGlobalCluster``."""
    region: str
    """Where the call was sent; global services (IAM, Route 53) say us-east-1."""
    parameters: dict[str, Any]
    principal: str = ""
    """The access key id that signed it; functions sign with one that names their role."""
    call: Call | None = field(default=None, repr=False)
    """The HTTP request; a hook that changes parameters for the emulator sets another one."""

    def rewrite(self) -> None:
        """Lets the emulator get the changed ``parameters``; only for JSON services."""
        if self.call is not None:
            self.call = self.call.with_body(json.dumps(self.parameters).encode())


@dataclass
class ApiResponse:
    """``result`` has botocore's names and nesting, without ResponseMetadata. A refusal has
    ``error_code`` and ``error_message`` as AWS words them."""

    result: dict[str, Any] = field(default_factory=dict)
    status: int = 200
    error_code: str = ""
    error_message: str = ""

    @property
    def ok(self) -> bool:
        """Whether the call succeeded."""
        return not self.error_code


class ApiRefusal(Exception):  # noqa: N818 - a refusal is AWS's answer, not a fault of the lab
    """Raised by a hook: AWS refuses this call with this code and message."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.status = code, message, status


CallNext = Callable[[ApiRequest], Awaitable[ApiResponse]]
ApiHook = Callable[[ApiRequest, CallNext], Awaitable[ApiResponse]]


class AwsCaller(Protocol):
    """Calls AWS APIs in this process; see ``lab.emulator.caller``."""

    async def call(
        self, service: str, region: str, operation: str, **parameters: Any
    ) -> dict[str, Any]:
        """The result of one call; raises ApiRefusal."""
        ...

    async def every(
        self, service: str, region: str, operation: str, key: str, **parameters: Any
    ) -> list[dict[str, Any]]:
        """The items below ``key`` of all pages of a call; raises ApiRefusal."""
        ...
