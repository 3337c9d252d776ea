"""The facts as ``./inv status`` sees them, so that page and command say the same."""

from __future__ import annotations

from ops.cloud.alarms import RegionAlarms
from ops.cloud.queues import Events
from ops.cloud.readiness import Readiness
from ops.cloud.regions import RegionStatus
from ops.cloud.roles import ROLES
from ops.cloud.traffic import Traffic
from ops.console.facts import Facts
from ops.deploy.standing import Standing


def standing(facts: Facts) -> Standing:
    """What isn't known is said in the words that ``status`` has for it."""
    layers = facts.value("layers") or ()
    return Standing(
        facts.stack.flags,
        tuple(layer.name for layer in layers if not layer.deployed),
        tuple(
            _region(facts, region, role)
            for region, role in zip(facts.stack.regions, ROLES, strict=True)
        ),
        facts.value("traffic") or Traffic("", 0, facts.why("traffic")),
        facts.value("switch") or _unknown(facts.why("switch")),
        tuple(
            facts.value("alarms", region)
            or RegionAlarms(region, unknown=facts.why("alarms", region))
            for region in facts.stack.regions
        ),
    )


def writes(facts: Facts, seen: Standing) -> bool | None:
    """Whether a client's write succeeds; None as well where it isn't known who answers."""
    asked = [seen.serving] if seen.serving else seen.regions
    unasked = [one for one in asked if facts.why("health", one.region)]
    return None if unasked else seen.writes


def _region(facts: Facts, region: str, role: str) -> RegionStatus:
    def text(name: str) -> str:
        why = facts.why(name, region)
        return _unknown(why) if why else str(facts.value(name, region))

    return RegionStatus(
        region,
        role,
        text("health"),
        text("database"),
        text("lag"),
        facts.value("ready", region) or Readiness(detail=facts.why("ready", region)),
        facts.value("events", region) or Events(unknown=facts.why("events", region)),
    )


def _unknown(why: str) -> str:
    return f"unknown ({why})"
