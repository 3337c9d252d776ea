"""The AWS APIs: outages, the parts' hooks and the mends in front of the emulator's handlers."""

from __future__ import annotations

import asyncio
import copy
import hmac
import logging
import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from urllib.parse import unquote

from lab.api import ApiHook, ApiRefusal, ApiRequest, ApiResponse
from lab.call import Answer, Call
from lab.context import INTERNAL_HEADER, LabContext
from lab.emulator import protocol
from lab.emulator.memory import Memory
from lab.emulator.protocol import Operation
from lab.emulator.saving import Saver, module_of
from lab.objects.store import owner_of as bucket_owner
from lab.outage import OutageKind

logger = logging.getLogger("lab")

GLOBAL_SERVICES = frozenset({"iam", "route53"})
"""Their control planes live in us-east-1; their data planes everywhere."""
GLOBAL_REGION = "us-east-1"
DEFAULT_REGION = "us-east-1"

_READING = re.compile(
    r"(Get|List|Describe|Head|Lookup|Query|Search|Scan|Select|Test|Simulate|Check|Filter)"
)
_DATA_PLANE = frozenset(
    {
        "PutObject",
        "CopyObject",
        "DeleteObject",
        "DeleteObjects",
        "PutObjectTagging",
        "DeleteObjectTagging",
        "CreateMultipartUpload",
        "UploadPart",
        "CompleteMultipartUpload",
        "AbortMultipartUpload",
        "SendMessage",
        "SendMessageBatch",
        "ReceiveMessage",
        "DeleteMessage",
        "DeleteMessageBatch",
        "ChangeMessageVisibility",
        "PutEvents",
        "PutMetricData",
        "PutLogEvents",
        "CreateLogStream",
        "Publish",
        "PublishBatch",
        "Invoke",
        "InvokeAsync",
        "Encrypt",
        "Decrypt",
        "GenerateDataKey",
        "ReEncrypt",
        "GenerateDataKeyWithoutPlaintext",
        "AssumeRole",
        "AssumeRoleWithWebIdentity",
        "SetAlarmState",
        "PutItem",
        "UpdateItem",
        "DeleteItem",
        "BatchWriteItem",
        "StartQuery",
    }
)
_CREDENTIAL = re.compile(r"Credential=([^/,\s]+)/[^/]*/([^/]+)/([^/]+)/")


class EmulatorResponse(ApiResponse):
    """The emulator's answer. Its result is parsed when a hook asks for it, and the answer goes
    out as it came unless the result was changed."""

    def __init__(self, operation: Operation, answer: Answer) -> None:
        self.operation, self.answer = operation, answer
        self.status = answer.status
        self.error_code, self.error_message = "", ""
        self._result: dict[str, Any] | None = None
        self._original: dict[str, Any] = {}
        if answer.status >= 300:
            self.error_code, self.error_message = protocol.read_error(operation, answer)
            self._result = {}

    @property
    def result(self) -> dict[str, Any]:  # pyright: ignore
        """The parsed result; changes to it are sent."""
        if self._result is None:
            self._result = protocol.read_answer(self.operation, self.answer)
            self._original = copy.deepcopy(self._result)
        return self._result

    @result.setter
    def result(self, result: dict[str, Any]) -> None:  # pyright: ignore
        self._result = result

    @property
    def unchanged(self) -> bool:
        """Whether the emulator's own bytes may be sent."""
        return self._result is None or bool(self.error_code) or self._result == self._original


class Gateway:
    """Answers AWS API calls."""

    def __init__(self, lab: LabContext) -> None:
        self.lab = lab
        directory = lab.state_dir / "emulator"
        self.memory = Memory(directory / "lab-memory.json")
        self.saver = Saver(directory)
        self.saver.extra["lab-memory"] = self.memory.as_dict
        self.mends: list[tuple[str, frozenset[str], ApiHook]] = []
        self._lifespan: _Lifespan | None = None

    async def start(self) -> None:
        """Start the emulator, which loads what it saved."""
        self._lifespan = _Lifespan()
        await self._lifespan.startup()

    async def stop(self) -> None:
        """Stop the emulator, and save its state."""
        if self._lifespan:
            await self._lifespan.shutdown()
        self.saver.everything()

    def mend(self, service: str, operations: str, hook: ApiHook) -> None:
        """Put ``hook`` in front of the emulator for the operations named (space-separated; none:
        all). Mends run inside the parts' hooks, and for the lab's own calls too."""
        self.mends.append((service, frozenset(operations.split()), hook))

    async def answer(self, call: Call) -> Answer | None:
        """Answer one AWS API call."""
        principal, region, service = _credentials(call)
        service = protocol.SIGNING_NAMES.get(service, service)
        internal = hmac.compare_digest(
            call.headers.get(INTERNAL_HEADER, "").encode(), self.lab.internal_token.encode()
        )
        operation = self._operation(service, call)
        if not internal and (lost := self._lost_region(service, region, operation, call)):
            return _unavailable(operation, lost)
        if operation is None:
            self.saver.soon()
            return await self.raw(call)
        answer = await self._through_hooks(call, service, region, principal, operation, internal)
        if not _READING.match(operation.name):
            if operation.name in _DATA_PLANE or answer.status >= 400:
                self.saver.soon()
            else:
                self.saver.soon()
                await self.saver.saved(module_of(service))
                await self.saver.saved("lab-memory")
        return answer

    def _operation(self, service: str, call: Call) -> Operation | None:
        if not service:
            return None
        try:
            return protocol.read_operation(service, call)
        except Exception as error:  # a service botocore doesn't know, or a malformed request
            logger.debug("%s %s: %s", call.method, call.path, error)
            return None

    def _lost_region(
        self, service: str, region: str, operation: Operation | None, call: Call
    ) -> str:
        """The region whose outage refuses the call; empty when none does."""
        needed = [region]
        if service in GLOBAL_SERVICES:
            reading = operation is not None and _READING.match(operation.name)
            needed = [] if reading else [GLOBAL_REGION]
        elif service == "s3":
            needed += _bucket_regions(call)
        return next((r for r in needed if self.lab.outages.has_lost(r, OutageKind.API)), "")

    async def _through_hooks(
        self,
        call: Call,
        service: str,
        region: str,
        principal: str,
        operation: Operation,
        internal: bool,
    ) -> Answer:
        entries = self.mends if internal else [*self.mends, *self.lab.hooks]
        hooks = [
            hook
            for hooked, names, hook in entries
            if hooked == service and (not names or operation.name in names)
        ]
        if not hooks:
            return await self.raw(call)
        try:
            parameters = protocol.read_parameters(operation, call)
        except Exception as error:
            logger.warning("%s %s could not be read: %r", service, operation.name, error)
            return await self.raw(call)
        request = ApiRequest(service, operation.name, region, parameters, principal, call)

        async def innermost(request: ApiRequest) -> ApiResponse:
            return EmulatorResponse(operation, await self.raw(request.call or call))

        proceed: Callable[[ApiRequest], Awaitable[ApiResponse]] = innermost
        for hook in hooks:
            proceed = partial(_run_hook, hook, proceed)
        try:
            response = await proceed(request)
        except ApiRefusal as refusal:
            return protocol.write_error(operation, refusal.code, refusal.message, refusal.status)
        if isinstance(response, EmulatorResponse) and response.unchanged:
            return response.answer
        if not response.ok:
            status = response.status if response.status >= 400 else 400
            return protocol.write_error(
                operation, response.error_code, response.error_message, status
            )
        return protocol.write_answer(operation, response.result)

    async def raw(self, call: Call) -> Answer:
        """The emulator's own answer."""
        from ministack.app import app

        sent: list[dict[str, Any]] = []
        body_given = False

        async def receive() -> dict[str, Any]:
            nonlocal body_given
            if body_given:
                return {"type": "http.disconnect"}
            body_given = True
            return {"type": "http.request", "body": call.body, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": call.method,
            "path": call.path,
            "raw_path": call.raw_path.encode("latin-1"),
            "query_string": call.query_string.encode("latin-1"),
            "headers": [
                (name.encode("latin-1"), value.encode("utf-8")) for name, value in call.header_list
            ],
        }
        await app(scope, receive, send)
        start = sent[0]
        return Answer(
            start["status"],
            [(name.decode("latin-1"), value.decode("utf-8")) for name, value in start["headers"]],
            b"".join(message.get("body", b"") for message in sent[1:]),
        )


async def _run_hook(
    hook: ApiHook, proceed: Callable[[ApiRequest], Awaitable[ApiResponse]], request: ApiRequest
) -> ApiResponse:
    return await hook(request, proceed)


def _credentials(call: Call) -> tuple[str, str, str]:
    """(access key id, region, signing name) of a request; an unsigned one has no service."""
    found = _CREDENTIAL.search(call.headers.get("authorization", ""))
    if not found:
        for name, value in call.query:
            if name.lower() == "x-amz-credential":
                parts = [*value.split("/"), "", "", ""]
                return parts[0], parts[2] or DEFAULT_REGION, parts[3]
        return "", DEFAULT_REGION, ""
    return found[1], found[2], found[3]


def _bucket_regions(call: Call) -> list[str]:
    """Where a call of S3 goes beside the region that it's signed for: a bucket lives in one
    region, whatever region's endpoint is asked for it or copied from."""
    paths = (call.path, unquote(call.headers.get("x-amz-copy-source", "")))
    owners = [bucket_owner(path.lstrip("/").partition("/")[0]) for path in paths]
    return [owner[1] for owner in owners if owner]


def _unavailable(operation: Operation | None, region: str) -> Answer:
    message = f"Service is unavailable in {region}. Please try again later."
    if operation is None:
        return Answer(503, [("content-type", "text/plain")], message.encode())
    return protocol.write_error(operation, "ServiceUnavailable", message, 503)


class _Lifespan:
    """The emulator's start and stop, spoken over ASGI's lifespan protocol."""

    def __init__(self) -> None:
        self._inbox: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        self._outbox: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def startup(self) -> None:
        from ministack.app import app

        self._task = asyncio.create_task(
            app({"type": "lifespan"}, self._inbox.get, self._outbox.put)
        )
        await self._exchange("startup")

    async def shutdown(self) -> None:
        await self._exchange("shutdown")

    async def _exchange(self, phase: str) -> None:
        assert self._task is not None  # noqa: S101 - startup comes first
        await self._inbox.put({"type": f"lifespan.{phase}"})
        answer = asyncio.create_task(self._outbox.get())
        await asyncio.wait({answer, self._task}, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            answer.cancel()
            self._task.result()
            raise RuntimeError(f"the emulator ended during its {phase}")
