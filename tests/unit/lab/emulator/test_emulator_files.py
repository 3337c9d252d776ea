"""What the emulator's wrapper reads, sends and saves at its edges."""

from __future__ import annotations

import ast
import asyncio
import importlib
import inspect
import json
import logging
import time
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from lab.call import Answer, drop, read_call, send_answer
from lab.emulator import saving
from lab.emulator.saving import UNEDITED, NotSaved, Saver


def test_headers_in_latin_and_in_utf_8_are_read_and_sent() -> None:
    """HTTP's headers are Latin-1, S3's metadata often UTF-8: neither ends the connection."""
    sent: list[dict[str, Any]] = []
    pieces = [
        {"type": "http.request", "body": b"a", "more_body": True},
        {"type": "http.request", "body": b"b"},
    ]

    async def receive() -> dict[str, Any]:
        return pieces.pop(0)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "method": "GET",
        "path": "/",
        "headers": [(b"X-Latin", b"\xe9"), (b"X-Utf", "é".encode()), (b"X-Utf", b"2")],
    }

    async def exchange() -> Any:
        call = await read_call(scope, receive)
        await send_answer(send, Answer(200, [("x-a", "é"), ("x-b", "✓")], b"body"))
        return call

    call = asyncio.run(exchange())
    assert call.headers == {"x-latin": "é", "x-utf": "é, 2"}
    assert call.body == b"ab"
    drop(call)
    headers = dict(sent[0]["headers"])
    assert (headers[b"x-a"], headers[b"x-b"]) == (b"\xe9", "✓".encode())
    aborted = []
    call.writer = SimpleNamespace(transport=SimpleNamespace(abort=lambda: aborted.append(1)))
    drop(call)
    assert aborted == [1]


def test_who_gave_up_and_what_fails_do_not_stop_saving(
    tmp_path: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A caller that left is passed over; a store that can't be saved is logged, once it is asked
    for, and the others are saved."""
    saver = Saver(tmp_path / "new")
    saver.extra["good"] = lambda: {"a": 1}
    saver.extra["bad"] = lambda: 1 / 0

    async def save() -> None:
        left = asyncio.create_task(saver.saved("good"))
        await asyncio.sleep(0)
        saver._waiting["good"][0].cancel()
        good, bad = await asyncio.gather(
            saver.saved("good"), saver.saved("bad"), return_exceptions=True
        )
        assert good is None
        assert isinstance(bad, NotSaved)
        with pytest.raises(asyncio.CancelledError):
            await left

    with caplog.at_level(logging.ERROR, "lab"):
        asyncio.run(save())
    assert json.loads((tmp_path / "new" / "good.json").read_text()) == {"a": 1}
    assert "the lab could not save bad: ZeroDivisionError" in caplog.text


def test_changes_share_the_saves_of_a_store_that_takes_long(tmp_path: Any) -> None:
    """A store that holds thousands of resources is written less often than one of them is made:
    its saves take a quarter of the time, and each change waits for one begun after it."""
    saver, began = Saver(tmp_path), []

    def large() -> int:
        began.append(time.monotonic())
        time.sleep(0.02)
        return len(began)

    saver.extra |= {"large": large, "small": lambda: 0}

    async def changes() -> float:
        await saver.saved("large")
        first = time.monotonic()
        await asyncio.gather(*(saver.saved("large") for _ in range(20)))
        assert len(began) == 2
        last = time.monotonic()
        await saver.saved("small")
        assert time.monotonic() - last < 0.02
        return last - first

    took = asyncio.run(changes())
    assert began[1] - began[0] >= 0.08
    assert took < 1
    assert (tmp_path / "large.json").read_text() == "2"


@pytest.mark.parametrize(
    ("held", "text"),
    [
        ({"a": [1, None]}, b'{"a":[1,null]}'),
        ({"a": "\xe9"}, rb'{"a": "\u00e9"}'),
        ({1: 2**70}, b'{"1": 1180591620717411303424}'),
        ({"a": b"z"}, b'{"a":"z"}'),
    ],
)
def test_what_only_the_slower_encoder_writes_is_written_by_it(held: Any, text: bytes) -> None:
    """A state is ASCII, whatever it holds, and reads back as it was; what can't be written is
    refused by both."""
    assert saving._json(held, bytes.decode) == text
    with pytest.raises(TypeError):
        saving._json({"a": datetime(2026, 1, 1, tzinfo=UTC)}, bytes.decode)


@pytest.mark.parametrize("module", sorted(UNEDITED))
def test_what_is_saved_without_a_copy_is_not_edited(module: str) -> None:
    """R1.3: an emulator's store that is written as it is held only copies for its state: another
    release of the emulator that edits the copy, as it does databases', would change what runs."""
    function = importlib.import_module(f"ministack.services.{module}").get_state
    (tree,) = ast.parse(inspect.getsource(function)).body
    assert isinstance(tree, ast.FunctionDef)
    for node in ast.walk(tree):
        targets = node.targets if isinstance(node, ast.Assign) else []
        for target in targets:
            # Mappings that are made here.
            owner = target.value if isinstance(target, ast.Subscript) else target
            text = ast.unparse(owner)
            assert text in {"state", "buckets_meta", "buckets_meta._data", "meta"}, text
        assert not isinstance(node, (ast.AugAssign, ast.Delete)), ast.unparse(node)
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            known = {"copy.deepcopy", "sorted", "AccountScopedDict"}
            assert called in known or called.endswith(".items"), called
