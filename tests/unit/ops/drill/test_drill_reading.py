"""What a region holds at the end: read to its end, or it says nothing."""

from __future__ import annotations

import io
from typing import Any

import pytest
from drill_histories import EAST, WEST, written
from fake_clients import FakeClient, refusal

from ops.drill import reading
from ops.drill.history import Found, Outcome, Reading, What
from ops.drill.site import Answer


class Feed:
    """Connections that answer these, one after the other; the last one again and again."""

    def __init__(self, *answers: Answer) -> None:
        self.answers, self.asked = list(answers), []

    def ask_region(self, region: str, method: str, path: str) -> Answer:
        self.asked.append(path)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def page(*numbers: int, after: str | None = None, drill: str = "d") -> Answer:
    """One page of the feed."""
    records = [
        {"id": f"id-{n}", "patientId": drill, "data": {"number": n}} for n in numbers
    ]  # fmt: skip
    return Answer(200, {"records": records, "next": after})


def waits() -> tuple[list[float], Any]:
    """Pauses that take no time."""
    paused: list[float] = []
    return paused, paused.append


def test_all_pages_of_a_feed_are_read() -> None:
    """This drill's rows alone; a changed epoch is continued from, a fault is tried again."""
    other = Answer(200, {"records": [{"id": "x", "patientId": "other", "data": {}}], "next": "1.9"})
    feed = Feed(
        page(1, 2, after="1.2"), other, Answer(503), Answer(409, {"resume": "2.1"}), page(3)
    )
    paused, pause = waits()
    found = reading.rows(feed, WEST, "d", pause)  # type: ignore[arg-type]
    rows = [Found(WEST, What.ROW, f"id-{n}", n) for n in (1, 2, 3)]
    assert found == [*rows, Reading(WEST, What.ROW, True)]
    assert [path.partition("after=")[2].partition("&")[0] for path in feed.asked] == [
        "0", "1.2", "1.9", "1.9", "2.1",
    ]  # fmt: skip
    assert paused == [reading.PAUSE_SECONDS]


@pytest.mark.parametrize(
    ("answer", "detail"), [(Answer(503), "answers 503"), (Answer(0, detail="reset"), "reset")]
)
def test_a_region_that_does_not_answer_says_nothing(answer: Answer, detail: str) -> None:
    """It isn't taken for an empty one."""
    _, pause = waits()
    found = reading.rows(Feed(page(1, after="1.1"), answer), WEST, "d", pause)  # type: ignore[arg-type]
    assert found == [Reading(WEST, What.ROW, False, detail)]


def test_objects_are_read_by_content() -> None:
    """One that isn't there is missing; any other fault says nothing of any."""

    def get(Key: str, **_: Any) -> Any:  # noqa: N803 - boto3's name
        if Key == "object-2":
            raise refusal("NoSuchKey", "GetObject")
        return {"Body": io.BytesIO(b"text")}

    operations = [written(1), written(2), written(3, object="")]
    found = reading.objects(FakeClient({"get_object": get}), "b", EAST, operations)
    digest = "982d9e3eb996f559e633f4d194def3761d909f5a3b647d1a851fead67c32c9d1"
    assert found == [
        Found(EAST, What.OBJECT, "object-1", -1, digest), Reading(EAST, What.OBJECT, True),
    ]  # fmt: skip
    denied = FakeClient({"get_object": refusal("AccessDenied", "GetObject")})
    assert reading.objects(denied, "b", EAST, operations) == [
        Reading(EAST, What.OBJECT, False, "AccessDenied")
    ]


def test_events_are_read_by_their_receipts() -> None:
    """One answer serves for both regions; without one neither says anything."""
    answer = Answer(200, {"receipts": [{"region": EAST}, {"region": "elsewhere"}]})
    operations = [written(1), written(2, event="")]
    found = reading.events(Feed(answer), WEST, (EAST, WEST), operations)  # type: ignore[arg-type]
    assert found == [
        Found(EAST, What.EVENT, "event-1"),
        Reading(EAST, What.EVENT, True), Reading(WEST, What.EVENT, True),
    ]  # fmt: skip
    silent = reading.events(Feed(Answer(503)), WEST, (EAST, WEST), operations)  # type: ignore[arg-type]
    assert silent == [
        Reading(one, What.EVENT, False, "1 receipts couldn't be asked for") for one in (EAST, WEST)
    ]


def test_what_a_reading_lacks_is_counted() -> None:
    """Acknowledged once each; an unread region lacks all of it."""
    operations = reading.acknowledged(
        [written(1), written(1, attempt=2), written(2), written(3, outcome=Outcome.UNKNOWN),
         written(4, record="")]
    )  # fmt: skip
    assert [one.number for one in operations] == [1, 2]
    read = [Found(EAST, What.ROW, "id-1", 1), Reading(EAST, What.ROW, True)]
    assert reading.missing(read, operations, What.ROW) == 1
    assert reading.missing([Reading(EAST, What.ROW, False)], operations, What.ROW) == 2
    assert reading.missing(read, [], What.EVENT) == 0
    one_region = [
        Found(EAST, What.EVENT, "event-1"), Found(EAST, What.EVENT, "event-2"),
        Found(WEST, What.EVENT, "event-1"),
        *(Reading(region, What.EVENT, True) for region in (EAST, WEST)),
    ]  # fmt: skip
    assert reading.missing(one_region, operations, What.EVENT) == 1, "us-west-2 has no receipt yet"


def test_rows_that_a_region_lacks_are_named() -> None:
    """Issue 20: which, acknowledged where and when; three of them, and a region that wasn't read to
    its end says so instead."""
    operations = reading.acknowledged(written(number) for number in range(1, 6))
    whole = Reading(EAST, What.ROW, True)
    held = [Found(EAST, What.ROW, f"id-{number}", number) for number in range(1, 6)]
    assert reading.lacks(EAST, [*held, whole], operations, 10.0) == ""
    said = reading.lacks(EAST, [held[0], whole], operations, 10.0)
    assert said.startswith("us-east-1 lacks 4 of 5 acknowledged rows (id-2, acknowledged in us-")
    assert said.count("acknowledged in") == 3
    assert f" at {operations[1].ended - 10.0:+.1f} s" in said
    unread = [Reading(EAST, What.ROW, False, "503")]
    assert reading.lacks(EAST, unread, operations, 10.0) == "us-east-1's rows can't be read (503)"
