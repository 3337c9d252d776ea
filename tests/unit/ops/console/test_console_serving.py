"""Who is answered, and what: guard, routes, stream, HTML."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from console_facts import AWS, EAST, LAB, NOW, WEST, facts, page, section
from hypothesis import given
from hypothesis import strategies as st

from lab.errors import LabError, LabInputError
from ops.cloud.readiness import Readiness
from ops.cloud.traffic import Traffic
from ops.console import actions, feed, rendering
from ops.console.application import Console, application
from ops.console.feed import Feed
from ops.console.guard import HEADERS, Secrets, refusal
from ops.console.model import Cell, Section, Tone
from ops.console.orders import Orders
from ops.console.rendering import Fragments, Shown
from ops.console.runs import Run
from ops.console.timeline import Moment, Piece, Ribbon
from ops.console.view import view
from ops.errors import ExitCode, OperatorError, bad_input

SECRETS = Secrets(45670, "key", "page-token")
HOST = "127.0.0.1:45670"
GET = {"host": HOST}
POST = {
    "host": HOST, "origin": f"http://{HOST}", "x-csrf-token": "page-token", "content-length": "9",
    "sec-fetch-site": "same-origin",
}  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/key/", GET, 0),
        ("HEAD", "/key/console.css", {"host": "localhost:45670"}, 0),
        ("GET", "/key/", {"host": "evil.example:45670"}, 403),
        ("GET", "/key/", {"host": "127.0.0.1:45671"}, 403),
        ("GET", "/key/", {}, 403),
        ("GET", "/", GET, 403),
        ("GET", "/kez/", GET, 403),
        ("GET", "/key2/", GET, 403),
        ("GET", "/ké/", GET, 403),
        ("PUT", "/key/", GET, 405),
        ("OPTIONS", "/key/", GET, 405),
        ("POST", "/key/orders/x", POST, 0),
        ("POST", "/orders/x", POST, 403),
        ("POST", "/key/orders/x", {**POST, "host": "localhost:45670"}, 403),
        ("POST", "/key/orders/x", {**POST, "origin": "http://evil.example"}, 403),
        ("POST", "/key/orders/x", {**POST, "origin": "null"}, 403),
        ("POST", "/key/orders/x", {**POST, "sec-fetch-site": "cross-site"}, 403),
        ("POST", "/key/orders/x", {**POST, "x-csrf-token": ""}, 403),
        ("POST", "/key/orders/x", {**POST, "content-length": ""}, 413),
        ("POST", "/key/orders/x", {**POST, "content-length": "99999"}, 413),
    ],
)
def test_who_is_answered(method: str, path: str, headers: dict[str, str], status: int) -> None:
    """N16, issue 21: foreign Host, missing token, cross-site POST, missing page token are
    refused."""
    found = refusal(SECRETS, method, path, headers)
    assert (found.status if found else 0) == status


@given(st.text(), st.text(), st.dictionaries(st.sampled_from(sorted(POST)), st.text()))
def test_no_order_passes_by_accident(method: str, path: str, headers: dict[str, str]) -> None:
    """Fuzzed: whatever is sent is answered with a refusal unless it holds the token."""
    assert path.strip("/").partition("/")[0] == "key" or refusal(SECRETS, method, path, headers)


class Ordered:
    """Orders that answer as their name says."""

    def carry_out(self, name: str, given: dict[str, str]) -> str:
        faults: dict[str, Exception] = {
            "bad": bad_input("no such\nregion"),
            "busy": OperatorError("still works", ExitCode.BUSY),
            "other": OperatorError("failed"),
            "lab": LabError("the lab isn't running"),
            "input": LabInputError("has lost nothing"),
            "disk": OSError(28, "No space left on device"),
        }
        if name in faults:
            raise faults[name]
        return f"{name} {given}"


class Served:
    """The application, asked as a browser asks it."""

    def __init__(self, folder: Path) -> None:
        self.feed = Feed("i-1")
        self.ordered = 0
        orders = cast(Orders, Ordered())
        self.application = application(
            Console(SECRETS, self.feed, orders, folder, lambda: "<p>page</p>", self._count)
        )

    def _count(self) -> None:
        self.ordered += 1

    def ask(
        self, method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b""
    ) -> tuple[int, dict[str, str], bytes]:
        """(status, headers, body)"""
        sent: list[dict[str, Any]] = []
        given = {**(POST if method == "POST" else GET), **(headers or {})}
        if method == "POST":
            given["content-length"] = str(len(body))
        scope = {
            "type": "http", "method": method, "path": path, "raw_path": path.encode(),
            "query_string": b"", "root_path": "", "scheme": "http", "http_version": "1.1",
            "headers": [(name.encode(), value.encode()) for name, value in given.items()],
        }  # fmt: skip
        received = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> dict[str, Any]:
            return received.pop(0) if received else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        async def answered() -> None:
            await self.application(scope, receive, send)

        asyncio.run(answered())
        start = next(message for message in sent if message["type"] == "http.response.start")
        content = b"".join(message.get("body", b"") for message in sent)
        found = {name.decode(): value.decode() for name, value in start["headers"]}
        return start["status"], found, content


@pytest.fixture
def served(tmp_path: Path) -> Served:
    folder = tmp_path / "evidence" / "drills"
    folder.mkdir(parents=True)
    (folder / "d-1.html").write_text("<style>p{}</style>")
    (folder / "d-1.sig").write_text("secret")
    return Served(tmp_path)


@pytest.mark.parametrize(
    ("path", "status", "kind"),
    [
        ("/key/", 200, "text/html"),
        ("/key/console.css", 200, "text/css"),
        ("/key/console.js", 200, "text/javascript"),
        ("/key/drills/d-1.html", 200, "text/html"),
        ("/key/drills/d-1.sig", 404, "text/plain"),
        ("/key/drills/../d-1.html", 404, "text/plain"),
        ("/key/nothing", 404, "text/plain"),
        ("/other/", 403, "text/plain"),
    ],
)
def test_every_answer_is_kept_nowhere_and_runs_nothing_foreign(
    served: Served, path: str, status: int, kind: str
) -> None:
    """Issue 21: no-store, a policy without inline code, no frame; also refusals and evidence."""
    found, headers, content = served.ask("GET", path)
    assert found == status, content
    assert headers["content-type"].startswith(kind)
    assert headers["cache-control"] == "no-store"
    assert "etag" not in headers
    policy = headers["content-security-policy"]
    if path.endswith("d-1.html") and status == 200:
        assert policy.startswith("sandbox;")
    else:
        assert policy == HEADERS["content-security-policy"]
        assert "unsafe" not in policy


@pytest.mark.parametrize(
    ("name", "body", "status", "answer"),
    [
        ("clock", b'{"factor": 2}', 200, {"said": "clock {'factor': '2'}"}),
        ("clock", b"{", 400, {"error": "an order is a JSON object"}),
        ("clock", b"[]", 400, {"error": "an order is a JSON object"}),
        ("bad", b"{}", 400, {"error": "no such region"}),
        ("busy", b"{}", 409, {"error": "still works"}),
        ("other", b"{}", 500, {"error": "failed"}),
        ("lab", b"{}", 502, {"error": "the lab isn't running"}),
        ("input", b"{}", 400, {"error": "has lost nothing"}),
        ("disk", b"{}", 502, {"error": "[Errno 28] No space left on device"}),
    ],
)
def test_an_order_is_answered_in_one_line(
    served: Served, name: str, body: bytes, status: int, answer: dict[str, str]
) -> None:
    """Issue 21: what was done, or why not; everything is asked again afterwards."""
    found, _, content = served.ask("POST", f"/key/orders/{name}", body=body)
    assert (found, json.loads(content)) == (status, answer)
    assert served.ordered == (body not in (b"{", b"[]"))


def test_a_cross_site_order_reaches_nothing(served: Served) -> None:
    """Issue 21: refused before it is read."""
    found, _, _ = served.ask("POST", "/key/orders/clock", {"origin": "http://evil"}, b"{}")
    assert (found, served.ordered) == (403, 0)


def test_nothing_but_http_is_answered(served: Served) -> None:
    """Issue 21: no websocket, no lifespan."""

    async def refused() -> None:
        await served.application({"type": "lifespan"}, None, None)

    asyncio.run(refused())


def test_the_stream_is_an_event_stream(served: Served) -> None:
    """Issue 21: it ends with the console."""
    served.feed.end()
    status, headers, content = served.ask("GET", "/key/events")
    assert (status, headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    assert content.startswith(b"retry: 1000\n\nevent: hello\n")


def test_a_page_gets_everything_then_what_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Issue 21: what came before it followed is in its first event; several changes come
    together; a beat says that the console lives; its end ends the stream."""
    monkeypatch.setattr(feed, "BEAT_SECONDS", 0.01)

    async def scene() -> list[str]:
        made = Feed("i-1")
        made.publish({"a": "1"})
        stream: AsyncIterator[str] = made.follow()
        seen = [await anext(stream)]
        seen.append(await anext(stream))
        made.publish({})
        made.publish({"b": "2"})
        made.publish({"b": "3", "c": "4"})
        following = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        made.publish({"d": "5"})
        while "beat" in (found := await following):
            following = asyncio.ensure_future(anext(stream))
        seen.append(found)
        made.end()
        seen += [left async for left in stream if "beat" not in left]
        return seen

    hello, beat, changed = asyncio.run(scene())
    assert '"instance": "i-1", "fragments": {"a": "1"}' in hello
    assert beat == "event: beat\ndata: {}\n\n"
    assert json.loads(changed.partition("data: ")[2])["fragments"] == {
        "b": "3", "c": "4", "d": "5",
    }  # fmt: skip


def test_a_ring_without_a_change_sends_nothing() -> None:
    """Issue 21: what was sent already isn't sent again."""

    async def scene() -> str:
        made = Feed("i-1")
        stream = made.follow()
        await anext(stream)
        following = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        made._ring()
        await asyncio.sleep(0)
        made.publish({"a": "1"})
        return await following

    assert '"a": "1"' in asyncio.run(scene())


NOTHING = Shown((), ())
GIVEN = {"csrf": "page-token", "instance": "i-1"}


def texts(html: str) -> str:
    """What a person reads."""
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_the_whole_page_offers_what_its_stack_may() -> None:
    """Issue 21: both regions, the forms, the page's token; on AWS it says what orders change."""
    html = rendering.whole(LAB, page(), NOTHING, actions.offered(LAB), GIVEN)
    assert 'data-csrf="page-token"' in html
    assert html.count("<form") == 7
    assert "Type the stack's name: lab" in html.replace("&#39;", "'")
    aws = rendering.whole(AWS, page(AWS), NOTHING, actions.offered(AWS), GIVEN)
    assert aws.count("<form") == 2
    assert "These change AWS" in aws


def test_nothing_inline_that_the_policy_refuses() -> None:
    """Issue 21: no style attribute, no script text, no address of another site."""
    drawn = Shown((Ribbon("Writes", (Piece(0, 9, Tone.GOOD, "succeed"),)),), (MOMENT,))
    html = rendering.whole(LAB, page(), drawn, actions.offered(LAB), GIVEN)
    assert not re.search(r"\sstyle=|<style|\son\w+=|https?://|<script(?! src=)", html)


MOMENT = Moment(NOW, "DNS", EAST, WEST, Tone.WARN, "moved")


def test_what_comes_from_outside_is_text() -> None:
    """Issue 21: an answer with markup in it is shown, not run."""
    evil = "<script>alert(1)</script>"
    given = replace(
        facts(health__us_east_1=evil, traffic=Traffic("", 0, evil)),
        runs=(Run(evil, NOW, (evil,), None),),
    )
    html = rendering.whole(
        LAB, view(given), Shown((), (replace(MOMENT, now=evil),)), actions.offered(LAB), GIVEN
    )
    assert evil not in html
    assert html.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 5


def test_only_what_changed_is_rendered() -> None:
    """Issue 21: the console's CPU, and a reader's place on the page."""
    made = Fragments()
    first = made.changed(page(), NOTHING)
    assert {"head", "timeline", EAST, f"{EAST}-chart", "recovery"} <= first.keys()
    assert made.changed(page(), NOTHING) == {}
    second = made.changed(page(ready__us_east_1=Readiness(503, {"writer": "x"})), NOTHING)
    assert second.keys() == {"head", EAST}
    assert "fail" in texts(second["head"])
    third = made.changed(page(requests=None), Shown((), (MOMENT,)))
    assert f"{EAST}-chart" in third
    assert "requests: unknown" in texts(third[f"{EAST}-chart"])
    assert "DNS us-east-1 → ▲ warn: us-west-2 moved" in texts(third["timeline"])


def test_every_tone_has_a_word_and_a_sign() -> None:
    """Issue 21: who doesn't see colours reads the same; a countdown says until when."""
    cells = tuple(Cell(tone.value, "text", tone, until=NOW) for tone in Tone)
    shown = replace(page(), sections=(Section("x", "x", cells),))
    html = Fragments().changed(shown, NOTHING)["x"]
    for tone in Tone:
        assert (f"{tone}: text" in texts(html)) == (tone is not Tone.PLAIN)
    assert len({rendering.SIGNS[tone] for tone in Tone}) == len(Tone)
    assert f'data-until="{NOW}"' in html
    assert section(shown, "x").cells == cells
