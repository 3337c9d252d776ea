"""Events go both ways, are seen once in each region, and survive the loss of one."""

from __future__ import annotations

import uuid

import pytest
from application_client import post_record, receipts, until
from deployed_lab import Lab
from deployed_reads import dead_letters

REGIONS = {"primary": "us-east-1", "secondary": "us-west-2"}


@pytest.mark.parametrize("born", ["primary", "secondary"])
def test_an_event_is_received_once_in_each_region(deployed: Lab, born: str) -> None:
    """R5.1, N9: whichever region publishes; and no dead letter (trap 27)."""
    stored = post_record(deployed, born)
    key = stored.json["eventId"]
    assert until(lambda: len(receipts(deployed, key)) == 2), receipts(deployed, key)
    assert sorted(receipts(deployed, key)) == sorted(REGIONS.values())
    assert dead_letters(deployed) == dict.fromkeys(dead_letters(deployed), 0)


@pytest.mark.parametrize("born", ["primary", "secondary"])
def test_an_event_that_is_put_twice_has_one_receipt_a_region(deployed: Lab, born: str) -> None:
    """Trap 27: delivery is at least once, so consumers go by ``detail.eventId``."""
    key = str(uuid.uuid4())
    client = deployed.client("events", REGIONS[born])
    entry = {
        "EventBusName": deployed.outputs[f"global.{born}.bus_name"],
        "Source": "warm-standby.app",
        "DetailType": "record.created",
        "Detail": f'{{"eventId": "{key}"}}',
    }
    for _ in range(2):
        assert client.put_events(Entries=[entry])["FailedEntryCount"] == 0
    assert until(lambda: len(receipts(deployed, key)) == 2)
    assert sorted(receipts(deployed, key)) == sorted(REGIONS.values())


def test_an_event_of_another_source_stays_where_it_is(deployed: Lab) -> None:
    """R5.1: neither forwarded nor consumed; what is received at all comes after it."""
    client = deployed.client("events")
    bus = deployed.outputs["global.primary.bus_name"]
    other, ours = str(uuid.uuid4()), str(uuid.uuid4())
    for source, key in (("warm-standby.other", other), ("warm-standby.app", ours)):
        entry = {"EventBusName": bus, "Source": source, "DetailType": "record.created",
                 "Detail": f'{{"eventId": "{key}"}}'}  # fmt: skip
        client.put_events(Entries=[entry])
    assert until(lambda: len(receipts(deployed, ours)) == 2)
    assert receipts(deployed, other) == []
