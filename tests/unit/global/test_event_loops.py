"""Events are seen exactly once in each region, whichever way they go: derived, not believed."""

import dataclasses
import json
from typing import Any

import pytest
from event_matching import matches
from event_routing import MOST_HOPS, Rule, put, tick
from harness import ACCOUNT, SUFFIX, program, sample_outputs
from hypothesis import given
from hypothesis import strategies as st

from tapstack.contracts import AppOutputs
from tapstack.events import DETAIL_TYPES, SOURCE

REGIONS = ("us-east-1", "us-west-2")
APP = sample_outputs(AppOutputs)
FUNCTIONS = {APP["primary"]["function_arn"], APP["secondary"]["function_arn"]}


def bus_of(region: str) -> str:
    return f"arn:aws:events:{region}:{ACCOUNT}:event-bus/bus-app-{region}-{SUFFIX}"


BUSES = {bus_of(region) for region in REGIONS}


def deployed_rules() -> list[Rule]:
    """The rules as the program registers them, each with its targets."""
    deployment = program("global")
    rules = []
    for rule in deployment.created("aws:cloudwatch/eventRule:EventRule"):
        region = deployment.region_of(rule)
        bus = rule.inputs.get("eventBusName", "default")
        pattern = rule.inputs.get("eventPattern")
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
                json.loads(pattern) if pattern else None,
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


names = st.sampled_from(
    [SOURCE, *DETAIL_TYPES, "aws.events", "Scheduled Event", "warm-standby.schedule", "other", ""]
)
details = st.dictionaries(
    st.sampled_from(["eventId", "region", "source"]), st.sampled_from([*REGIONS, "1", ""])
)


@pytest.mark.parametrize("detail_type", DETAIL_TYPES)
@pytest.mark.parametrize("region", REGIONS)
def test_an_application_event_is_seen_once_by_each_bus_and_each_function(
    region: str, detail_type: str
) -> None:
    """R5.1, N9: both ways, and nothing lands in a dead-letter queue."""
    event = {**application_event(), "detail-type": detail_type}
    journey = put(event, bus_of(region), deployed_rules())
    assert journey.buses == dict.fromkeys(BUSES, 1)
    assert journey.targets == dict.fromkeys(FUNCTIONS, 1)
    assert journey.dead_letters == []


@given(names, names, details, st.sampled_from(REGIONS))
def test_any_event_at_all_comes_to_rest_without_a_dead_letter(
    source: str, detail_type: str, detail: dict[str, str], region: str
) -> None:
    """N9, trap 27: for any event, at most once on each bus and once in each function."""
    event = {"source": source, "detail-type": detail_type, "resources": [], "detail": detail}
    journey = put(event, bus_of(region), deployed_rules())
    assert journey.dead_letters == []
    assert max(journey.buses.values()) == 1
    published = source == SOURCE and detail_type in DETAIL_TYPES
    assert set(journey.buses) == (BUSES if published else {bus_of(region)})
    assert journey.targets == (dict.fromkeys(FUNCTIONS, 1) if published else {})


def test_the_heartbeat_crosses_once_and_ends_in_its_queue() -> None:
    """Trap 11: us-west-2 counts it; no forwarding, no function and no archive takes it."""
    rules = deployed_rules()
    (sent,) = [rule for rule in rules if rule.pattern is None]
    assert (sent.region, sent.name) == ("us-east-1", f"rule-heartbeat-us-east-1-{SUFFIX}")
    arn = f"arn:aws:events:us-east-1:{ACCOUNT}:rule/{sent.name}"
    journey = tick(sent, rules, arn)
    assert journey.buses == {bus_of("us-west-2"): 1}
    assert journey.targets == {
        f"arn:aws:sqs:us-west-2:{ACCOUNT}:queue-heartbeats-us-west-2-{SUFFIX}": 1
    }
    assert journey.dead_letters == []


def test_without_the_region_every_received_event_would_be_a_dead_letter() -> None:
    """Trap 27: the proof notices a missing filter."""
    careless = [
        dataclasses.replace(
            rule,
            pattern={key: value for key, value in (rule.pattern or {}).items() if key != "region"},
        )
        for rule in deployed_rules()
        if rule.pattern is not None
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
