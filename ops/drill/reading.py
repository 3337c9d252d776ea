"""What a region holds at the end: rows by its feed, objects in its bucket, events by receipts."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ops.cloud.answers import reason
from ops.drill.history import Entry, Found, Operation, Reading, What
from ops.drill.site import Connections

PAGE = 200
TRIES = 5
PAUSE_SECONDS = 1.0
AT_ONCE = 8
NAMED = 3
"""Rows that a sentence names; the others are counted."""
MISSING = ("404", "NoSuchKey", "NotFound")


def acknowledged(operations: Iterable[Operation]) -> list[Operation]:
    """The first acknowledgement of each record."""
    found: dict[int, Operation] = {}
    for one in operations:
        if one.ok and one.record:
            found.setdefault(one.number, one)
    return list(found.values())


def rows(
    connections: Connections, region: str, drill: str, pause: Callable[[float], None] = time.sleep
) -> list[Entry]:
    """All rows of this drill that a region's feed gives out, and whether it came to its end."""
    found: list[Entry] = []
    after = "0"
    tries = 0
    while True:
        answer = connections.ask_region(region, "GET", f"/records?after={after}&limit={PAGE}")
        if answer.status == 409 and answer.body.get("resume"):
            after = str(answer.body["resume"])
            continue
        if answer.status != 200:
            tries += 1
            if tries == TRIES:
                detail = answer.detail or f"answers {answer.status}"
                return [Reading(region, What.ROW, False, detail)]
            pause(PAUSE_SECONDS)
            continue
        found += _rows(answer.body["records"], region, drill)
        if not answer.body["next"]:
            return [*found, Reading(region, What.ROW, True)]
        after = str(answer.body["next"])


def objects(client: Any, bucket: str, region: str, operations: Sequence[Operation]) -> list[Entry]:
    """Each acknowledged attachment that a region's bucket has, by its content."""

    def read(one: Operation) -> list[Entry]:
        try:
            body = client.get_object(Bucket=bucket, Key=one.object)["Body"].read()
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in MISSING:
                return []
            raise
        return [Found(region, What.OBJECT, one.object, -1, hashlib.sha256(body).hexdigest())]

    wanted = [one for one in operations if one.object]
    try:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            found = list(chain.from_iterable(pool.map(read, wanted)))
    except (ClientError, BotoCoreError) as error:
        return [Reading(region, What.OBJECT, False, reason(error))]
    return [*found, Reading(region, What.OBJECT, True)]


def events(
    connections: Connections, asked: str, regions: Sequence[str], operations: Sequence[Operation]
) -> list[Entry]:
    """The receipts of each acknowledged event in these regions, as the region ``asked`` has them.

    One region's answer serves for both: receipts are rows of the database.
    """

    def read(one: Operation) -> list[str] | None:
        answer = connections.ask_region(asked, "GET", f"/receipts?key={one.event}")
        if answer.status != 200:
            return None
        return [str(receipt["region"]) for receipt in answer.body["receipts"]]

    wanted = [one for one in operations if one.event]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(read, wanted))
    if None in answers:
        detail = f"{answers.count(None)} receipts couldn't be asked for"
        return [Reading(region, What.EVENT, False, detail) for region in regions]
    found = [
        Found(region, What.EVENT, one.event)
        for one, receipts in zip(wanted, answers, strict=True)
        for region in receipts or []
        if region in regions
    ]
    return [*found, *(Reading(region, What.EVENT, True) for region in regions)]


def missing(entries: Iterable[Entry], operations: Sequence[Operation], what: What) -> int:
    """How many of these acknowledged things a region lacks that was read, at the most; all of them
    where one wasn't read to its end."""
    entries = list(entries)
    readings = [one for one in entries if isinstance(one, Reading)]
    if not all(one.complete for one in readings):
        return len(operations)
    key = {What.ROW: "record", What.OBJECT: "object", What.EVENT: "event"}[what]
    wanted = {name for one in operations if (name := getattr(one, key))}
    found = [one for one in entries if isinstance(one, Found) and one.what is what]
    return max(
        len(wanted - {one.key for one in found if one.region == reading.region})
        for reading in readings
    )


def lacks(
    region: str, entries: Iterable[Entry], operations: Sequence[Operation], loss_at: float
) -> str:
    """Says which acknowledged rows a region lacks, where each was acknowledged, and how long after
    the loss (the drill's seconds); nothing where it has all of them."""
    entries = list(entries)
    unread = [one.detail for one in entries if isinstance(one, Reading) and not one.complete]
    if unread:
        return f"{region}'s rows can't be read ({'; '.join(unread)})"
    held = {one.key for one in entries if isinstance(one, Found)}
    lost = [one for one in operations if one.record not in held]
    if not lost:
        return ""
    named = ", ".join(
        f"{one.record}, acknowledged in {one.region} at {one.ended - loss_at:+.1f} s"
        for one in lost[:NAMED]
    )
    return f"{region} lacks {len(lost)} of {len(operations)} acknowledged rows ({named})"


def _rows(records: Iterable[Any], region: str, drill: str) -> Iterator[Entry]:
    for record in records:
        if record["patientId"] == drill[:64]:
            yield Found(region, What.ROW, str(record["id"]), int(record["data"]["number"]))
