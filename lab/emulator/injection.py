"""Errors that AWS may answer at any time, on request: so that a deployment is seen to continue.

Nothing is armed by itself; ``/_lab/errors`` arms, with the lab's token. Calls of the lab's own
parts don't come this way.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lab.call import Answer
from lab.emulator.exchange import Exchange, Proceed
from lab.emulator.operation_kinds import is_data_plane, is_reading
from lab.emulator.protocol.answers import write_error
from lab.errors import LabError

EVERY_CHANGE = "*"
"""Stands for each operation that changes resources."""
CODES = {"ThrottlingException": 400, "InternalFailure": 500}
"""error code → HTTP status"""


class Injection:
    """Refuses the first calls of the armed operations, before they reach the emulator."""

    def __init__(self) -> None:
        self._operations: frozenset[str] = frozenset()
        self._code = ""
        self._times = 0
        self._answered: dict[str, int] = {}

    def arm(self, operations: Iterable[str], code: str, times: int) -> None:
        """Lets the next ``times`` calls of each operation (``ec2:CreateVpc``, or ``*``) fail with
        ``code``, a key of :data:`CODES`. What was armed before is forgotten; no operations: nothing
        is armed. Raises LabError."""
        if code not in CODES:
            raise LabError(f"no error {code!r} is injected: choose one of {', '.join(CODES)}")
        if times < 1:
            raise LabError(f"an error is injected at least once (got {times})")
        self._operations, self._code, self._times = frozenset(operations), code, times
        self._answered = {}

    def as_dict(self) -> dict[str, Any]:
        """What is armed, and how often each operation has failed of it."""
        return {"operations": sorted(self._operations), "answered": dict(self._answered)}

    async def answer(self, exchange: Exchange, proceed: Proceed) -> Answer | None:
        """Answers an armed error; passes everything else on."""
        operation = exchange.operation
        if not self._operations or operation is None or exchange.internal:
            return await proceed(exchange)
        name = f"{exchange.service}:{operation.name}"
        changes = not is_reading(operation.name) and not is_data_plane(operation.name)
        armed = name in self._operations or (changes and EVERY_CHANGE in self._operations)
        if not armed or self._answered.get(name, 0) >= self._times:
            return await proceed(exchange)
        self._answered[name] = self._answered.get(name, 0) + 1
        message = f"{operation.name} fails as asked for by /_lab/errors"
        return write_error(operation, self._code, message, CODES[self._code])
