"""Events are seen exactly once in each region, whichever way they go: derived, not believed."""

import dataclasses
import json
from typing import Any

import pytest
from event_matching import matches
from event_routing import MOST_HOPS, Rule, put
from harness import ACCOUNT, SUFFIX, program
from hypothesis import given
from hypothesis import strategies as st

from tapstack.events import (
    DETAIL_TYPES,
    HEARTBEAT_DETAIL_TYPE,
    HEARTBEAT_SOURCE,
    MARKER_DETAIL_TYPE,
    SOURCE,
)

REGIONS = ("us-east-1", "us-west-2")
WAITING = {f"arn:aws:sqs:{region}:{ACCOUNT}:queue-consume-{region}-{SUFFIX}" for region in REGIONS}
"""Where events wait for the function."""
BEATS = {f"arn:aws:sqs:us-west-2:{ACCOUNT}:queue-heartbeats-us-west-2-{SUFFIX}": 1}
"""Where a heartbeat ends, once."""


def bus_of(region: str) -> str:
    return f"arn:aws:events:{region}:{ACCOUNT}:event-bus/bus-app-{region}-{SUFFIX}"


BUSES = {bus_of(region) for region in REGIONS}


def deployed_rules() -> list[Rule]:
    """The rules of the application's buses as the program registers them, each with its
    targets."""
    deployment = program("global")
    rules = []
    for rule in deployment.created("aws:cloudwatch/eventRule:EventRule"):
        if "eventBusName" not in rule.inputs:
            continue  # of the default bus: the controller's minute, RDS's events
        region = deployment.region_of(rule)
        bus = rule.inputs["eventBusName"]
        targets = tuple(
            target.inputs["arn"]
            for target in deployment.created("aws:cloudwatch/eventTarget:EventTarget", region)
            if target.inputs["rule"] == rule.inputs["name"]
        )
        rules.append(
            Rule(
                region,
                f"arn:aws:events:{region}:{ACCOUNT}:event-bus/{bus}",
                rule.inputs["name"],
                json.loads(rule.inputs["eventPattern"]),
                targets,
            )
        )
    return rules


def application_event(detail: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "source": SOURCE,
        "detail-type": DETAIL_TYPES[0],
        "resources": [],
        "detail": detail or {"eventId": "1"},
    }


CROSSING_TYPES = (*DETAIL_TYPES, HEARTBEAT_DETAIL_TYPE, MARKER_DETAIL_TYPE)
names = st.sampled_from(
    [SOURCE, HEARTBEAT_SOURCE, *CROSSING_TYPES, "aws.events", "Scheduled Event", "other", ""]
)
details = st.dictionaries(
    st.sampled_from(["eventId", "region", "source"]), st.sampled_from([*REGIONS, "1", ""])
)


@pytest.mark.parametrize("detail_type", DETAIL_TYPES)
@pytest.mark.parametrize("region", REGIONS)
def test_an_application_event_is_seen_once_by_each_bus_and_each_consumer(
    region: str, detail_type: str
) -> None:
    """R5.1, N9: both ways, and nothing lands in a dead-letter queue."""
    event = {**application_event(), "detail-type": detail_type}
    journey = put(event, bus_of(region), deployed_rules())
    assert journey.buses == dict.fromkeys(BUSES, 1)
    assert journey.targets == dict.fromkeys(WAITING, 1)
    assert journey.dead_letters == []


@given(names, names, details, st.sampled_from(REGIONS))
def test_any_event_at_all_comes_to_rest_without_a_dead_letter(
    source: str, detail_type: str, detail: dict[str, str], region: str
) -> None:
    """N9, trap 27: for any event, at most once on each bus and once in each queue."""
    event = {"source": source, "detail-type": detail_type, "resources": [], "detail": detail}
    journey = put(event, bus_of(region), deployed_rules())
    assert journey.dead_letters == []
    assert max(journey.buses.values()) == 1
    published = source == SOURCE and detail_type in DETAIL_TYPES
    # What crosses without a consumer ends on the other bus.
    crosses = source in (SOURCE, HEARTBEAT_SOURCE) and detail_type in CROSSING_TYPES
    assert set(journey.buses) == (BUSES if crosses else {bus_of(region)})
    if (source, detail_type, region) == (HEARTBEAT_SOURCE, HEARTBEAT_DETAIL_TYPE, "us-east-1"):
        assert journey.targets == BEATS
        return
    if (source, detail_type) == (HEARTBEAT_SOURCE, MARKER_DETAIL_TYPE):
        assert journey.targets == {markers_from(region): 1}
        return
    assert journey.targets == (dict.fromkeys(WAITING, 1) if published else {})


def test_the_heartbeat_crosses_once_and_ends_in_its_queue() -> None:
    """Traps 11, 70: us-west-2 counts it; no function and no archive takes it, and none comes
    back."""
    beat = {"source": HEARTBEAT_SOURCE, "detail-type": HEARTBEAT_DETAIL_TYPE, "detail": {}}
    journey = put(beat, bus_of("us-east-1"), deployed_rules())
    assert journey.buses == dict.fromkeys(BUSES, 1)
    assert journey.targets == BEATS
    assert journey.dead_letters == []


def markers_from(region: str) -> str:
    """The queue of the other region, in which a region's markers end."""
    (other,) = {*REGIONS} - {region}
    return f"arn:aws:sqs:{other}:{ACCOUNT}:queue-markers-{other}-{SUFFIX}"


@pytest.mark.parametrize("region", REGIONS)
def test_a_marker_crosses_once_and_ends_in_the_other_regions_queue(region: str) -> None:
    """Issue 19.1: it takes the way of every event, and no function takes it."""
    marker = {"source": HEARTBEAT_SOURCE, "detail-type": MARKER_DETAIL_TYPE, "detail": {}}
    journey = put(marker, bus_of(region), deployed_rules())
    assert journey.buses == dict.fromkeys(BUSES, 1)
    assert journey.targets == {markers_from(region): 1}
    assert journey.dead_letters == []


def test_without_the_region_every_received_event_would_be_a_dead_letter() -> None:
    """Trap 27: the proof notices a missing filter."""
    careless = [
        dataclasses.replace(
            rule,
            pattern={key: value for key, value in rule.pattern.items() if key != "region"},
        )
        for rule in deployed_rules()
    ]
    journey = put(application_event(), bus_of("us-east-1"), careless)
    assert journey.dead_letters == [f"rule-forward-us-west-2-{SUFFIX}"]


def test_a_loop_inside_a_region_is_found() -> None:
    """N9: two rules of one region that feed each other's bus never come to rest."""
    one, other = (f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/{name}" for name in "ab")
    rules = [
        Rule("us-east-1", one, "there", {"source": [SOURCE]}, (other,)),
        Rule("us-east-1", other, "back", {"source": [SOURCE]}, (one,)),
    ]
    with pytest.raises(RecursionError, match=r"never comes to rest"):
        put(application_event(), one, rules)
    assert MOST_HOPS < 100


@pytest.mark.parametrize("region", REGIONS)
def test_the_archive_keeps_application_events_of_either_region(region: str) -> None:
    """R5.1: what can be replayed is what was published, and nothing besides."""
    archive = program("global").one("aws:cloudwatch/eventArchive:EventArchive", region=region)
    pattern = json.loads(archive.inputs["eventPattern"])
    assert archive.inputs["eventSourceArn"] == bus_of(region)
    assert archive.inputs["retentionDays"] == 14
    for birth in REGIONS:
        assert matches(pattern, {**application_event(), "region": birth})
    assert not matches(pattern, {"source": "aws.events", "detail-type": "Scheduled Event"})
