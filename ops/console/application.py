"""The console's ASGI application: the guard, then the routes."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route

from lab.errors import LabError, LabInputError
from ops.console import drills
from ops.console.feed import Feed
from ops.console.guard import HEADERS, Secrets, refusal
from ops.console.orders import Orders
from ops.errors import ExitCode, OperatorError, one_line

STATIC = Path(__file__).parent / "static"
MEDIA = {"console.css": "text/css", "console.js": "text/javascript"}
EVIDENCE_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""A drill's page brings its styles along, and may do nothing."""

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[dict[str, Any], Any, Any], Awaitable[None]]


@dataclass(frozen=True)
class Console:
    """What the routes answer from."""

    secrets: Secrets
    feed: Feed
    orders: Orders
    directory: Path
    """The workspace, which holds the drills' evidence."""
    page: Callable[[], str]
    """The whole page as HTML."""
    ordered: Callable[[], None]
    """Called after each order."""


def application(console: Console) -> Asgi:
    """The guarded application."""
    routes = Starlette(
        routes=[
            Route("/{token}/", lambda _: HTMLResponse(console.page())),
            Route("/{token}/{name:path}", _files(console)),
            Route("/{token}/orders/{name}", _orders(console), methods=["POST"]),
        ]
    )
    return _Guard(routes, console.secrets)


def _files(console: Console) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        name = request.path_params["name"]
        if name == "events":
            return StreamingResponse(console.feed.follow(), media_type="text/event-stream")
        if name in MEDIA:
            return FileResponse(STATIC / name, media_type=MEDIA[name])
        folder, _, file = name.partition("/")
        stem, _, kind = file.rpartition(".")
        found = drills.evidence(console.directory, stem, kind) if folder == "drills" else None
        if found is None:
            return PlainTextResponse("there is no such page", 404)
        return FileResponse(found, headers={"content-security-policy": EVIDENCE_POLICY})

    return answer


def _orders(console: Console) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            given = json.loads(await request.body())
            fields = {str(name): str(value) for name, value in given.items()}
        except (ValueError, AttributeError):
            return JSONResponse({"error": "an order is a JSON object"}, 400)
        name = request.path_params["name"]
        try:
            said = await run_in_threadpool(console.orders.carry_out, name, fields)
        except (OperatorError, LabError, OSError) as error:
            return JSONResponse({"error": one_line(str(error))}, _status(error))
        finally:
            console.ordered()
        return JSONResponse({"said": said})

    return answer


def _status(error: Exception) -> int:
    if isinstance(error, OperatorError):
        return {ExitCode.BAD_INPUT: 400, ExitCode.BUSY: 409}.get(error.code, 500)
    return 400 if isinstance(error, LabInputError) else 502


class _Guard:
    """Refuses before any route is asked, and gives every answer its headers."""

    def __init__(self, inner: Asgi, secrets: Secrets) -> None:
        self._inner, self._secrets = inner, secrets

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = Headers(scope=scope)
        refused = refusal(self._secrets, scope["method"], scope["path"], headers)
        answer = PlainTextResponse(f"{refused.why}\n", refused.status) if refused else self._inner

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    given.setdefault(name, value)
                # A file's own are for caches, and nothing here is kept.
                for name in ("etag", "last-modified"):
                    del given[name]
            await send(message)

        await answer(scope, receive, with_headers)
