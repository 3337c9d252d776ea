"""Markers that prove the way from the other region into this one: an object and an event.

Each run sends one of each from the other region, under one name that every run uses again, and
waits a moment for them here. What comes later is found by the next run.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from recovery.asking import is_answer
from recovery.facts import Crossing, Missing
from recovery.stored import S3, error_code

MARKER_PREFIX = "recovery/markers/"
"""Where a marker object is, by the region that it goes to."""
MARKER_SOURCE, MARKER_DETAIL_TYPE = "warm-standby.heartbeat", "marker"
"""A marker event's; forwarding takes it like a heartbeat."""
WAIT_SECONDS = 4.0
GAP_SECONDS = 11 * 60
"""Two runs apart, and a minute."""
PAUSE_SECONDS = 0.4
NO_OBJECT = "NoSuchKey"


class Buckets(S3, Protocol):
    """What is used of boto3's S3 client."""

    def get_object(self, **arguments: Any) -> Mapping[str, Any]:
        """Reads one object."""
        ...


class Bus(Protocol):
    """What is used of boto3's EventBridge client."""

    def put_events(self, **arguments: Any) -> Mapping[str, Any]:
        """Puts events on a bus."""
        ...


class Queue(Protocol):
    """What is used of boto3's SQS client."""

    def receive_message(self, **arguments: Any) -> Mapping[str, Any]:
        """Messages that wait."""
        ...

    def delete_message(self, **arguments: Any) -> Any:
        """Takes one away."""
        ...


@dataclass(frozen=True)
class ObjectWay:
    """From the other region's bucket into the own one."""

    there: Buckets
    here: Buckets
    other_bucket: str
    own_bucket: str
    region: str

    def send(self, at: float) -> None:
        """Puts the marker over the one before."""
        self.there.put_object(
            Bucket=self.other_bucket, Key=self._key, Body=json.dumps({"at": at}).encode()
        )

    def newest(self) -> float:
        """Returns the sending time of the marker that is here, 0 without one."""
        try:
            found = self.here.get_object(Bucket=self.own_bucket, Key=self._key)
        except Exception as fault:
            if error_code(fault) == NO_OBJECT:
                return 0
            raise
        return float(json.loads(found["Body"].read())["at"])

    @property
    def _key(self) -> str:
        return f"{MARKER_PREFIX}{self.region}"


@dataclass(frozen=True)
class EventWay:
    """From the other region's bus into the own queue, over the forwarding of all events."""

    there: Bus
    here: Queue
    other_bus: str
    queue_url: str

    def send(self, at: float) -> None:
        """Puts the marker; raises ``RefusedMarkerError`` where the bus doesn't take it."""
        answer = self.there.put_events(
            Entries=[
                {
                    "Source": MARKER_SOURCE,
                    "DetailType": MARKER_DETAIL_TYPE,
                    "EventBusName": self.other_bus,
                    "Detail": json.dumps({"at": at}),
                }
            ]
        )
        if answer.get("FailedEntryCount"):
            raise RefusedMarkerError(str(answer["Entries"][0].get("ErrorCode")))

    def newest(self) -> float:
        """Empties the queue; returns the newest marker's sending time, 0 without one."""
        found = self.here.receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10)
        messages = found.get("Messages") or []
        for message in messages:
            self.here.delete_message(
                QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"]
            )
        sent = [float(json.loads(message["Body"])["detail"]["at"]) for message in messages]
        return max(sent, default=0)


class RefusedMarkerError(Exception):
    """The bus answered, and didn't take the marker."""


@dataclass(frozen=True)
class Timer:
    """This process's own time, by which a marker of this run is timed."""

    monotonic: Callable[[], float]
    sleep: Callable[[float], None]


def cross(way: ObjectWay | EventWay, kept: Crossing, at: float, timer: Timer) -> Crossing | Missing:
    """Sends the marker ``at`` and waits for it; ``Missing`` where it couldn't be sent."""
    began = timer.monotonic()
    try:
        way.send(at)
    except Exception as fault:
        asked = isinstance(fault, RefusedMarkerError) or is_answer(fault)
        return Missing(f"the marker wasn't taken: {error_code(fault)}", asked)
    if at - kept.sent > GAP_SECONDS:
        # This region didn't run for a while: what it didn't send can't be missing.
        kept = Crossing()
    kept = replace(kept, since=kept.since or at, seconds=None, sent=at)
    while True:
        kept = replace(kept, arrived=max(kept.arrived, way.newest()))
        took = timer.monotonic() - began
        if kept.arrived >= at:
            return replace(kept, seconds=took)
        if took > WAIT_SECONDS:
            return kept
        timer.sleep(PAUSE_SECONDS)


def to_keep(found: Crossing | Missing | None) -> Crossing:
    """Returns what the next run begins with: after a marker that wasn't sent the row begins
    anew."""
    return replace(found, seconds=None) if isinstance(found, Crossing) else Crossing()
