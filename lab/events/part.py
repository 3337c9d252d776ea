"""The lab's part that delivers events: it takes the place of the emulator's dispatch."""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import asdict
from typing import Any, ClassVar

from lab.context import LabContext
from lab.events.delivery import Courier, Delivery
from lab.events.schedules import Schedules
from lab.part import Health, Part
from pulumi_protocol.files import write_atomically

logger = logging.getLogger("lab")

KEEP_SECONDS = 0.5
DELIVERED_HERE = ("sqs", "sns", "lambda", "logs", "events")


class EventsPart(Part):
    """Targets of rules and schedules get their events through here."""

    name: ClassVar[str] = "events"

    def __init__(self, lab: LabContext) -> None:
        super().__init__(lab)
        self.courier = Courier(lab)
        self._path = lab.state_dir / "events.json"
        self._kept = ""
        self._tasks: list[asyncio.Task[None]] = []
        self._original: Any = None

    async def start(self) -> None:
        """Takes over the dispatch, and resumes what a former process had accepted."""
        from ministack.services import eventbridge, scheduler

        loop = asyncio.get_running_loop()
        if self._original is None:
            self._original = eventbridge._invoke_target

        def invoke_target(target: Any, event: Any, rule: Any, view: Any = None) -> None:
            delivery = _delivery(target, event, rule, view)
            if delivery is None:
                self._original(target, event, rule, view)
            else:
                loop.call_soon_threadsafe(self.courier.accept, delivery)

        eventbridge._invoke_target = invoke_target
        # Their clocks are the machine's; ours is the lab's.
        eventbridge._tick_scheduled_rules = lambda: None
        scheduler._tick_schedules = lambda: None
        if self._path.exists():
            for stored in json.loads(self._path.read_text()):
                self.courier.accept(Delivery(**stored))
        schedules = Schedules(self.lab, self.courier.accept)
        self._tasks = [
            asyncio.create_task(schedules.run()),
            asyncio.create_task(self._keep_for_ever()),
        ]

    async def stop(self) -> None:
        """Stops; what wasn't delivered waits on disk."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        self._keep()
        self.courier.stop()
        self.courier = Courier(self.lab)

    async def health(self) -> Health:
        """Healthy while its tasks live; the detail is how many events wait."""
        waiting = len(self.courier.waiting)
        alive = bool(self._tasks) and not any(task.done() for task in self._tasks)
        return Health(alive, f"{waiting} events waiting" if waiting else "nothing waiting")

    async def _keep_for_ever(self) -> None:
        while True:
            await asyncio.sleep(KEEP_SECONDS)
            self._keep()

    def _keep(self) -> None:
        text = json.dumps([asdict(item) for item in self.courier.waiting.values()], default=str)
        if text == self._kept:
            return
        try:
            write_atomically(self._path, text)
        except OSError as error:
            # Tried again at the next turn, as long as nothing else was kept.
            logger.warning("events that wait can't be kept: %s", error)
            return
        self._kept = text


def _delivery(target: Any, event: Any, rule: Any, view: Any) -> Delivery | None:
    """What the courier delivers; None for a kind of target that stays the emulator's."""
    from ministack.core.responses import get_account_id, get_region
    from ministack.services import eventbridge

    arn = target.get("Arn", "")
    parts = arn.split(":", 5)
    if len(parts) < 6 or parts[2] not in DELIVERED_HERE or "api-destination/" in parts[5]:
        return None
    view = view or eventbridge._pattern_event_view(event)
    whole = view.event_with_detail()
    payload = json.dumps(whole)
    if target.get("InputTransformer"):
        payload = eventbridge._apply_input_transformer(target["InputTransformer"], rule, view)
    elif target.get("Input"):
        payload = target["Input"]
    elif target.get("InputPath"):
        payload = json.dumps(_at_path(whole, target["InputPath"]))
    return Delivery(
        region=get_region(),
        account=get_account_id(),
        rule=rule.get("Name", ""),
        bus=rule.get("EventBusName", "default"),
        source_arn=rule.get("Arn", ""),
        target=dict(target),
        payload=payload,
        event=dict(event),
    )


def _at_path(value: Any, path: str) -> Any:
    for name in path.removeprefix("$").strip(".").split("."):
        if name:
            value = value.get(name) if isinstance(value, dict) else None
    return value
