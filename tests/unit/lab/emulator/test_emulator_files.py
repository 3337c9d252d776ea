"""What the emulator's wrapper reads, sends and saves at its edges."""

from __future__ import annotations

import ast
import asyncio
import importlib
import inspect
import json
import logging
from types import SimpleNamespace
from typing import Any

import pytest

from lab.call import Answer, drop, read_call, send_answer
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
