"""Keeps what is deployed on disk, so that no end of the process, however sudden, loses what the
engine's checkpoints say exists.

The emulator itself saves only when it is stopped. Here a change of the control plane is answered
only after a save begun after it has ended; calls that come in together share one save. What the
data plane changes (messages, log events, metrics) is saved within a second.

Where nothing can be written (a full disk, a read-only directory) a change is answered with 500 and
the cause before it is made, until there is room again. One that was made already when its save
failed is answered so too: as with AWS, its caller doesn't know whether it was made. It isn't made
twice where the caller's SDK tries again: the retry is answered as the first attempt was to be, once
that is on disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson

from lab.call import Answer
from lab.emulator.exchange import Exchange, Proceed
from lab.emulator.operation_kinds import is_data_plane, is_reading
from lab.emulator.protocol.answers import write_error
from lab.emulator.protocol.operations import Operation
from pulumi_protocol.files import write_atomically, write_private

logger = logging.getLogger("lab")


class NotSaved(Exception):  # noqa: N818 - what happened, in one line
    """A store could not be written; the message says which and why."""


DEBOUNCE_SECONDS = 1.0
LARGEST_SHARE = 0.02
"""A store that grows large is saved less often: its saving takes at most this share of the time,
and under load there are half a dozen such stores."""
AWAITED_SHARE = 0.25
"""The same of a save that changes wait for, which they share: a store that holds thousands of
resources takes longer to write than one of them to make."""
UNEDITED = frozenset(
    {
        "alb",
        "cloudwatch",
        "cloudwatch_logs",
        "dynamodb",
        "ec2",
        "eventbridge",
        "iam",
        "s3",
        "sns",
        "sqs",
        "ssm",
    }
)
"""The emulator's stores that are large or grow with traffic, whose ``get_state`` only copies."""
ATTEMPT_HEADER = "amz-sdk-invocation-id"
"""What AWS's SDKs send with a call, the same with each retry of it."""
ROOM_BYTES = 1 << 16
"""What one change adds to a store, at most."""
PLAIN_TYPES = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME
"""As ``json`` does, refuse what wouldn't be read back as it was."""
KEPT_ANSWERS = 1000
"""More calls than are under way at once."""


class Saver:
    """Writes the emulator's stores, one file each, each replaced whole."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.extra: dict[str, Callable[[], Any]] = {}
        """name → state, for stores of the lab's own"""
        self._written: dict[str, bytes] = {}
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}
        self._writer: asyncio.Task[None] | None = None
        self._later: asyncio.TimerHandle | None = None
        self._not_before: dict[str, float] = {}
        self._awaited_not_before: dict[str, float] = {}
        self._failed: dict[str, str] = {}
        """module → why its last save failed"""
        self._no_room = ""
        """Why nothing could be written when it was last tried; empty where it could."""
        self._unsaved: dict[str, Answer] = {}
        """call → its answer, which couldn't be given because its change wasn't saved"""

    async def answer(self, exchange: Exchange, proceed: Proceed) -> Answer | None:
        """Passes the request on, and saves what it changes: of the control plane before it is
        answered, otherwise within a second."""
        operation = exchange.operation
        if operation is not None and is_reading(operation.name):
            return await proceed(exchange)
        try:
            for module in list(self._failed):
                await self.saved(module)
            if operation is None or is_data_plane(operation.name):
                answer = await proceed(exchange)
                self.soon()
                return answer
            return await self._changed_by(exchange, proceed)
        except NotSaved as cause:
            return _not_saved(operation, str(cause))

    async def _changed_by(self, exchange: Exchange, proceed: Proceed) -> Answer | None:
        module, attempt = module_of(exchange.service), exchange.call.headers.get(ATTEMPT_HEADER, "")
        if attempt in self._unsaved:
            return self._unsaved[attempt]
        self._make_sure_of_room(module)
        answer = await proceed(exchange)
        self.soon()
        if answer is None or answer.status >= 400:
            return answer
        try:
            await self.saved(module)
            await self.saved("lab-memory")
        except NotSaved:
            if attempt:
                self._unsaved[attempt] = answer
            while len(self._unsaved) > KEPT_ANSWERS:
                del self._unsaved[next(iter(self._unsaved))]
            raise
        return answer

    def _make_sure_of_room(self, module: str) -> None:
        """Raises NotSaved where files as large as a change writes can't be written."""
        room = self.directory / ".room"
        size = ROOM_BYTES + sum(len(self._written.get(one, b"")) for one in (module, "lab-memory"))
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                write_private(room, bytes(size))
            finally:
                room.unlink(missing_ok=True)
        except OSError as error:
            cause = f"the lab could not save {module}: {error.strerror}"
            if self._no_room != error.strerror:
                logger.exception(cause)
            self._no_room = error.strerror
            raise NotSaved(cause) from None
        self._no_room = ""

    async def saved(self, module: str) -> None:
        """Returns when a save of ``module`` (an emulator's module or a store of ``extra``), begun
        from now on, has ended. Raises NotSaved."""
        done = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(module, []).append(done)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_waiting())
        await done

    def soon(self) -> None:
        """Saves everything that changed, within a second."""
        if self._later is None:
            loop = asyncio.get_running_loop()
            self._later = loop.call_later(DEBOUNCE_SECONDS, self._changed)

    def everything(self) -> None:
        """Saves everything that changed, now."""
        if self._later:
            self._later.cancel()
            self._later = None
        for module in [*_modules(), *self.extra]:
            self._try(module)

    def _changed(self) -> None:
        self._later = None
        for module in [*_modules(), *self.extra]:
            if time.monotonic() < self._not_before.get(module, 0.0):
                self.soon()
                continue
            if not self._paced(module, self._not_before, LARGEST_SHARE):
                self.soon()

    async def _write_waiting(self) -> None:
        ready = self._awaited_not_before
        while self._waiting:
            module = min(self._waiting, key=lambda one: ready.get(one, 0.0))
            # One turn of the loop at least, so that changes arriving together share a save.
            await asyncio.sleep(ready.get(module, 0.0) - time.monotonic())
            waiting = self._waiting.pop(module)
            saved = self._paced(module, ready, AWAITED_SHARE)
            for done in waiting:
                if done.done():
                    continue
                if saved:
                    done.set_result(None)
                else:
                    done.set_exception(NotSaved(self._failed[module]))

    def _paced(self, module: str, not_before: dict[str, float], share: float) -> bool:
        """Saves one store, and notes from when on its next save takes no more of the time."""
        began = time.monotonic()
        saved = self._try(module)
        not_before[module] = began + (time.monotonic() - began) / share
        return saved

    def _try(self, module: str) -> bool:
        """Saves one store if it has changed; whether what is on disk is what is held."""
        try:
            self._save(module)
        except Exception as error:
            reason = error.strerror if isinstance(error, OSError) else None
            cause = f"the lab could not save {module}: {reason or repr(error)}"
            if self._failed.get(module) != cause:
                logger.exception(cause)
            self._failed[module] = cause
            return False
        self._failed.pop(module, None)
        return True

    def _save(self, module: str) -> None:
        key, text = self._state(module)
        if text is None or self._written.get(module) == text:
            return
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(self.directory / f"{key}.json", text)
        self._written[module] = text

    def _state(self, module: str) -> tuple[str, bytes | None]:
        if module in self.extra:
            return module, json.dumps(self.extra[module](), default=str).encode()
        from ministack.core.persistence import _json_default, _state_format_version

        key = _modules().get(module)
        loaded = sys.modules.get(f"ministack.services.{module}")
        if key is None or loaded is None or not hasattr(loaded, "get_state"):
            return module, None
        with _uncopied(loaded) if module in UNEDITED else contextlib.nullcontext():
            wrapped = {
                "__ministack_format__": _state_format_version(key),
                "payload": loaded.get_state(),
            }
            return key, _json(wrapped, _json_default)


def _json(held: Any, default: Callable[[Any], Any]) -> bytes:
    """What ``json`` would write, in a quarter of its time; in ASCII, as the emulator reads files in
    whatever encoding the locale names."""
    try:
        text = orjson.dumps(held, default, PLAIN_TYPES)
    except orjson.JSONEncodeError:
        text = b""
    return text if text and text.isascii() else json.dumps(held, default=default).encode()


@contextlib.contextmanager
def _uncopied(module: Any) -> Iterator[None]:
    """Has ``get_state`` of a store that grows hand out what it holds, not a deep copy of it.

    What is written at once, with nothing run in between, needs no copy; to copy a store takes
    twice as long as to write it. Only for modules that don't edit the copy.
    """
    copying = module.copy
    module.copy = SimpleNamespace(deepcopy=lambda held: held)
    try:
        yield
    finally:
        module.copy = copying


def _not_saved(operation: Operation | None, cause: str) -> Answer:
    if operation is None:
        return Answer(500, [("content-type", "text/plain")], cause.encode())
    return write_error(operation, "InternalFailure", cause, 500)


def _modules() -> dict[str, str]:
    """The emulator's modules with state → the name of each one's file."""
    from ministack.app import _state_map

    return {module: key for key, module in _state_map.items()}


def module_of(service: str) -> str:
    """The emulator's module that holds a service's state (``elbv2`` → ``alb``)."""
    from ministack.app import SERVICE_NAME_ALIASES, SERVICE_REGISTRY

    name = SERVICE_NAME_ALIASES.get(service, service)
    return SERVICE_REGISTRY[name]["module"] if name in SERVICE_REGISTRY else service
