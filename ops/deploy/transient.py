"""Refusals of AWS that pass by themselves: the same work again, instead of a person's next command.

What was done is in the state, so another try resumes from there, with either engine. The provider
repeats most of these itself; here are those that it doesn't.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ops.deploy.view import error_lines
from ops.engines.engine import OnEvent
from pulumi_protocol.events import EngineError, Summary

TRIES = 3
PAUSE_SECONDS = 30.0

Work = Callable[[str, OnEvent], Summary]

PASSING: tuple[tuple[str, str], ...] = (
    (
        r"InvalidVpcPeeringConnectionID\.NotFound",
        "the accepter's region doesn't know the new peering yet",
    ),
    (
        r"contains recovery points",
        "the vault's last recovery points are still being deleted",
    ),
    (
        r"UpdateHostedZoneFeatures.*LimitsExceeded|LimitsExceeded.*[Aa]ccelerated",
        "the account changes accelerated recovery of another zone",
    ),
)
"""What AWS says → what it means (tf-aws #30423; #37774; #45452, #45613)."""


def reason(error: EngineError) -> str | None:
    """Why a failure will pass by itself; None where nothing says so. Every line of it must be such
    a refusal: beside another fault a repetition only hides it."""
    _, *details = error_lines(error)
    lines = details or error_lines(error)
    found = [
        next((why for pattern, why in PASSING if re.search(pattern, line)), None) for line in lines
    ]
    return found[0] if all(found) else None


def patiently(work: Work, wait: Callable[[float], bool], say: Callable[[str], None]) -> Work:
    """``work`` that is tried again while its failure passes by itself. ``wait`` pauses, and is true
    where the operator has interrupted: then the failure stands."""

    def tried(layer: str, on_event: OnEvent) -> Summary:
        for _ in range(TRIES - 1):
            try:
                return work(layer, on_event)
            except EngineError as error:
                why = reason(error)
                if why is None:
                    raise
                say(f"{layer}: {why}; tried again in {PAUSE_SECONDS:g} s")
                if wait(PAUSE_SECONDS):
                    raise
        return work(layer, on_event)

    return tried
