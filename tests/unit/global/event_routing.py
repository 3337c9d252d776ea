"""Where an event goes, derived from deployed rules, targets and archives.

A rule takes what its pattern matches; a bus of another region as target is one hop. A forwarded
event keeps its ``region``, so an event that isn't born where a rule stands has crossed once
already: EventBridge refuses its second crossing (THIRD_REGION_HOP_DETECTED) into the rule's
dead-letter queue (trap 27).
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from event_matching import matches

MOST_HOPS = 10


@dataclass(frozen=True)
class Rule:
    """A rule with its targets' ARNs."""

    region: str
    bus_arn: str
    name: str
    pattern: Mapping[str, Any]
    targets: tuple[str, ...]


@dataclass
class Journey:
    """What became of one event: how often each thing saw it."""

    buses: Counter[str] = field(default_factory=Counter)
    targets: Counter[str] = field(default_factory=Counter)
    dead_letters: list[str] = field(default_factory=list)
    """Rules whose target refused."""


def is_bus(arn: str) -> bool:
    """Whether an ARN is an event bus's."""
    return arn.split(":")[2] == "events" and ":event-bus/" in arn


def region_of(arn: str) -> str:
    """The region of an ARN."""
    return arn.split(":")[3]


def put(event: Mapping[str, Any], bus_arn: str, rules: Iterable[Rule]) -> Journey:
    """Publishes ``event`` on a bus; raises RecursionError when it never comes to rest."""
    journey = Journey()
    _arrive({**event, "region": region_of(bus_arn)}, bus_arn, tuple(rules), journey, 0)
    return journey


def _arrive(
    event: Mapping[str, Any], bus_arn: str, rules: tuple[Rule, ...], journey: Journey, hops: int
) -> None:
    if hops > MOST_HOPS:
        raise RecursionError(f"{event['source']} of {event['region']} never comes to rest")
    journey.buses[bus_arn] += 1
    for rule in rules:
        if rule.bus_arn == bus_arn and matches(rule.pattern, event):
            _deliver(event, rule, rules, journey, hops)


def _deliver(
    event: Mapping[str, Any], rule: Rule, rules: tuple[Rule, ...], journey: Journey, hops: int
) -> None:
    for target in rule.targets:
        if not is_bus(target):
            journey.targets[target] += 1
        elif region_of(target) != rule.region and event["region"] != rule.region:
            journey.dead_letters.append(rule.name)
        else:
            _arrive(event, target, rules, journey, hops + 1)
