"""Services that answer with errors as long as a fault is on (``lab.faults``)."""

from __future__ import annotations

from lab.call import Answer
from lab.context import LabContext
from lab.emulator.exchange import Exchange, Proceed
from lab.emulator.operation_kinds import is_reading
from lab.emulator.protocol.answers import write_error
from lab.faults import Fault

CONTROL_PLANE = ("Table", "Tables", "Backup", "Backups", "Limits", "Endpoints", "Resource")
"""How the names of DynamoDB's operations end that don't touch items."""


class Faulty:
    """Answers for services that are faulty; the lab's own calls pass."""

    def __init__(self, lab: LabContext) -> None:
        self.lab = lab

    async def answer(self, exchange: Exchange, proceed: Proceed) -> Answer | None:
        """Answers what a fault refuses; passes everything else on."""
        operation = exchange.operation
        if operation is not None and not exchange.internal:
            faults = self.lab.faults
            items = exchange.service == "dynamodb" and not operation.name.endswith(CONTROL_PLANE)
            if items and faults.is_on(Fault.STATE_UNREADABLE):
                message = "The request processing has failed."
                return write_error(operation, "InternalServerError", message, 500)
            describes = exchange.service == "rds" and is_reading(operation.name)
            if describes and faults.is_on(Fault.DESCRIBE_THROTTLED):
                return write_error(operation, "Throttling", "Rate exceeded", 400)
        return await proceed(exchange)
