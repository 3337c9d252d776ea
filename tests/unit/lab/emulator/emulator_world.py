"""The lab's emulator on an event loop of its own, and boto3 clients that call it directly."""

from __future__ import annotations

import asyncio
import importlib
import io
import os
import threading
import zipfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import boto3
import pytest
from aws_resources import make_network, make_role
from botocore.awsrequest import AWSPreparedRequest, AWSResponse, HeadersDict
from botocore.config import Config
from botocore.exceptions import ClientError

from lab.application import Application
from lab.clock import Clock
from lab.context import LabContext
from lab.control import Control
from lab.emulator.emulator import Emulator
from lab.outage import Outages
from lab.server import prepare_environment
from lab.supervisor import Supervisor

MODULES = (
    "alb",
    "backup",
    "cloudwatch",
    "cloudwatch_logs",
    "dynamodb",
    "ec2",
    "eventbridge",
    "iam",
    "kms",
    "lambda_svc",
    "rds",
    "route53",
    "s3",
    "secretsmanager",
    "sns",
    "sqs",
    "ssm",
    "tagging",
)
"""The emulator's modules of the services that are used."""
EAST, WEST = "us-east-1", "us-west-2"
ACCOUNT = "000000000000"


class _Raw(io.BytesIO):
    def stream(self, **_: Any) -> list[bytes]:
        return [self.read()]


class World:
    """The emulator with its mends; nothing listens and nothing runs in the background."""

    def __init__(self, directory: Path) -> None:
        # The emulator's modules read the environment when they are imported; the tests' own stays.
        before = dict(os.environ)
        prepare_environment(directory, 1)
        for name in MODULES:
            importlib.import_module(f"ministack.services.{name}")
        os.environ.clear()
        os.environ.update(before)
        self.lab = LabContext(
            directory, 1, "http://127.0.0.1:1", Clock(), Outages(directory), internal_token="own"
        )
        self.lab._new_client = self._internal_client  # type: ignore[method-assign]
        self._session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test")
        self._clients: dict[tuple[str, str], Any] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.emulator = Emulator(self.lab)
        control = Control(self.lab, self.emulator, Supervisor(self.lab, []))
        self.application = Application(control, self.emulator)

        async def install() -> None:
            self.emulator.install_mends()

        self.run(install())

    def close(self) -> None:
        """Ends the loop, with everything that runs on it."""

        async def stop() -> None:
            self.emulator.asynchronous.stop()
            self.emulator.mappings.stop()
            await self.emulator.functions.stop()
            self.emulator.saver.everything()
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        self.run(stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """A coroutine's result, from the emulator's loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    def aws(self, service: str, region: str = EAST) -> Any:
        """A boto3 client as a user's program has it."""
        if (service, region) not in self._clients:
            self._clients[service, region] = self.client(service, region)
        return self._clients[service, region]

    def request(
        self,
        method: str,
        path: str,
        headers: dict[str, str] | None = None,
        body: bytes = b"",
    ) -> tuple[int, dict[str, str], bytes] | None:
        """One HTTP request; (status, headers, body), None when the connection was dropped."""
        raw_path, _, query = path.partition("?")
        sent: list[dict[str, Any]] = []
        scope = {
            "type": "http",
            "method": method,
            "path": unquote(raw_path),
            "raw_path": raw_path.encode("latin-1"),
            "query_string": query.encode("latin-1"),
            "headers": [
                (name.lower().encode("latin-1"), value.encode())
                for name, value in (headers or {}).items()
            ],
            "client": ("127.0.0.1", 1),
        }

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        self.run(self.application(scope, receive, send))
        if not sent:
            return None
        answered = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return sent[0]["status"], answered, sent[1]["body"]

    def role(self, name: str, service: str, *statements: dict[str, Any]) -> str:
        """A role that a service may assume, with what it may do; its ARN."""
        return make_role(self.aws("iam"), name, service, *statements)

    def function(self, name: str, region: str = EAST, code: str = "", **settings: Any) -> str:
        """A Python function; its ARN."""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("index.py", code or "def handler(event, context):\n    return event\n")
        role = settings.pop("Role", None) or self.role(f"{name}-{region}", "lambda.amazonaws.com")
        answer = self.aws("lambda", region).create_function(
            FunctionName=name,
            Role=role,
            Runtime="python3.12",
            Handler="index.handler",
            Code={"ZipFile": packed.getvalue()},
            **settings,
        )
        return str(answer["FunctionArn"])

    def network(self, region: str = EAST, cidr: str = "10.0.0.0/16") -> tuple[str, list[str]]:
        """(VPC id, ids of two subnets)"""
        return make_network(self.aws("ec2", region), region, cidr)

    def client(self, service: str, region: str, *, signer: str = "test", **settings: Any) -> Any:
        """A client with settings of its own, as ``parameter_validation=False``: refusals are the
        service's, not botocore's. ``signer`` is its access key."""
        client = self._session.client(  # type: ignore[call-overload]
            service,
            region_name=region,
            aws_access_key_id=signer,
            aws_secret_access_key="test",
            endpoint_url=self.lab.endpoint,
            config=Config(
                s3={"addressing_style": "path"},
                retries={"max_attempts": 1},
                inject_host_prefix=False,
                **settings,
            ),
        )
        client.meta.events.register("before-send", self._send)
        return client

    def _internal_client(self, service: str, region: str) -> Any:
        client = self.client(service, region)
        client.meta.events.register("before-sign", self.lab._mark_internal)
        return client

    def _send(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        address = urlsplit(str(request.url))
        body: Any = request.body or b""
        body = body.read() if hasattr(body, "read") else body
        headers = {
            name: value.decode() if isinstance(value, bytes) else str(value)
            for name, value in request.headers.items()
        }
        answer = self.request(
            str(request.method),
            f"{address.path}?{address.query}",
            headers,
            body.encode() if isinstance(body, str) else body,
        )
        assert answer is not None, request.url
        status, answered, content = answer
        return AWSResponse(request.url, status, HeadersDict(answered), _Raw(content))


def refused(code: str, call: Any, **parameters: Any) -> str:
    """Assert that AWS would refuse the call with this code; the message."""
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    assert caught.value.response["Error"]["Code"] == code, caught.value
    return str(caught.value.response["Error"]["Message"])
