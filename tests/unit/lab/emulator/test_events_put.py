"""PutEvents as EventBridge answers it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from emulator_world import EAST, World, refused

from lab.emulator.services import events

GOOD = {"Source": "clinic", "DetailType": "Created", "Detail": "{}"}
REQUIRED = "Parameter {0} is not valid. Reason: {0} is a required argument."


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ({"Source": ""}, "InvalidArgument", REQUIRED.format("Source")),
        ({"DetailType": ""}, "InvalidArgument", REQUIRED.format("DetailType")),
        ({"Detail": ""}, "InvalidArgument", REQUIRED.format("Detail")),
        ({"Source": "aws.s3"}, "NotAuthorizedForSourceException", "Not authorized for the source."),
        ({"Detail": "{"}, "MalformedDetail", "Detail is malformed."),
        ({"Detail": "[]"}, "MalformedDetail", "Detail is malformed."),
        ({"Detail": '"text"'}, "MalformedDetail", "Detail is malformed."),
        ({"Detail": '{"a": NaN}'}, "MalformedDetail", "Detail is malformed."),
        (
            {"DetailType": "d" * 129},
            "InvalidArgument",
            "Parameter DetailType is not valid. Reason: DetailType is longer than 128 characters.",
        ),
    ],
)
def test_a_wrong_entry_has_its_error_and_the_others_arrive(
    world: World, change: dict[str, str], code: str, message: str
) -> None:
    """What AWS refuses was taken, and lost behind the answer; the answer has the
    request's order, and an entry that is left out counts as empty."""
    events = world.aws("events")
    wrong = {name: value for name, value in {**GOOD, **change}.items() if value}
    given = [GOOD, wrong, {**GOOD, "Time": "2026-01-01T00:00:00Z", "Resources": ["arn:x"]}]
    answer = events.put_events(Entries=given)
    assert answer["FailedEntryCount"] == 1
    first, failed, last = answer["Entries"]
    assert failed == {"ErrorCode": code, "ErrorMessage": message}
    assert first["EventId"]
    assert last["EventId"] not in ("", first["EventId"])
    alone = events.put_events(Entries=[wrong])
    assert (alone["FailedEntryCount"], alone["Entries"]) == (1, [failed])


def test_entries_are_counted_as_aws_counts_them(world: World) -> None:
    """User guide, "Calculating PutEvents event entry size": 256 KB together, in UTF-8, with 14
    bytes for a time; nothing of a request that is too large is taken."""
    events = world.aws("events")

    def entry(size: int, **more: Any) -> dict[str, Any]:
        detail = json.dumps({"a": ""})
        rest = size - len("clinic") - len("Created") - len(detail)
        return {**GOOD, "Detail": json.dumps({"a": "x" * rest}), **more}

    whole = 256 * 1024
    assert events.put_events(Entries=[entry(whole)])["FailedEntryCount"] == 0
    assert (
        events.put_events(Entries=[entry(whole // 2), entry(whole // 2)])["FailedEntryCount"] == 0
    )
    over = "Total size of the entries in the request is over the limit."
    for entries in (
        [entry(whole + 1)],
        [entry(whole // 2), entry(whole // 2 + 1)],
        [entry(whole - 13, Time="2026-01-01T00:00:00Z")],
        [entry(whole - 2, Resources=["\N{SNOWMAN}"])],
    ):
        assert refused("ValidationException", events.put_events, Entries=entries) == over


def test_events_that_were_put_are_not_noted_for_ever(world: World) -> None:
    """The emulator's own note of every event grew without an end."""
    from ministack.services import eventbridge

    for _ in range(12):
        world.aws("events").put_events(Entries=[GOOD] * 10)
    noted = [len(log) for key, log in eventbridge._events_log._data.items() if log]
    assert noted
    assert max(noted) <= 100


def test_an_archive_keeps_its_newest_events(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lab under load doesn't fill memory and disk with what was archived; all are counted."""
    from ministack.services import eventbridge

    monkeypatch.setattr(events, "MOST_ARCHIVED", 20)
    api = world.aws("events")
    bus = f"arn:aws:events:{EAST}:000000000000:event-bus/default"
    api.create_archive(ArchiveName="all", EventSourceArn=bus)
    for number in range(5):
        api.put_events(Entries=[GOOD | {"Detail": json.dumps({"n": number})}] * 10)
    archives = [one for one in eventbridge._archives._data.values() if one["ArchiveName"] == "all"]
    assert [json.loads(event["Detail"])["n"] for event in archives[0]["Events"]] == [
        *[3] * 10,
        *[4] * 10,
    ]
    assert api.describe_archive(ArchiveName="all")["EventCount"] == 50
