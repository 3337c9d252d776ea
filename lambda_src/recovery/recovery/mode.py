"""The effective mode: configuration is the ceiling, and ``automatic`` has to be earned.

A validation counts where it began before the incident's first dead run and is at most 24 hours old
(``memory.record`` keeps that one); a check that couldn't ask the other region lowers nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from recovery.model import Mode, Settings, State

VALIDATION_MINUTES = 24 * 60
DRILL_MINUTES = 90 * 24 * 60
RESILIENT = {13: 18, 14: 15, 15: 10, 16: 6}
"""Least minor version by major whose secondary readers survive a cross-region disruption."""


@dataclass(frozen=True)
class EffectiveMode:
    """What the controller may do now, and why it is less than configured."""

    mode: Mode
    reasons: tuple[str, ...]


def effective_mode(state: State, settings: Settings, minute: int) -> EffectiveMode:
    """Returns the stricter of configuration and command, and ``notify`` where a proof is missing.

    An observing controller stays one: proofs never raise a mode.
    """
    ceiling = max(settings.mode, state.mode, key=lambda mode: mode.strictness)
    if ceiling is not Mode.AUTOMATIC:
        by = "configuration" if settings.mode is ceiling else "command"
        return EffectiveMode(ceiling, (f"{ceiling.value} by {by}",))
    reasons = (*_validation(state, minute), *_production(state, settings, minute))
    return EffectiveMode(Mode.NOTIFY if reasons else Mode.AUTOMATIC, reasons)


def resilient(version: str) -> bool:
    """Whether an Aurora PostgreSQL version keeps its secondary readers through a disruption."""
    major, _, rest = version.partition(".")
    minor = rest.partition(".")[0]
    if not (major.isdecimal() and minor.isdecimal()):
        return False
    if int(major) > max(RESILIENT):
        return True
    return int(major) in RESILIENT and int(minor) >= RESILIENT[int(major)]


def validation_is_fresh(state: State, minute: int) -> bool:
    """Whether the kept validation is at most 24 hours old."""
    kept = state.validation
    return kept is not None and minute - kept.began <= VALIDATION_MINUTES


def _validation(state: State, minute: int) -> tuple[str, ...]:
    kept = state.validation
    if kept is None or not validation_is_fresh(state, minute):
        return ("no validation of the last 24 hours",)
    found = {
        f"readiness 0: {', '.join(kept.reasons) or 'no reason given'}": kept.ready,
        "the witness couldn't be read": kept.witness_readable,
        f"engine version {kept.engine_version} restarts secondary readers": resilient(
            kept.engine_version
        ),
        "no confirmed subscription on the topic": kept.subscription_confirmed,
    }
    return tuple(reason for reason, holds in found.items() if not holds)


def _production(state: State, settings: Settings, minute: int) -> tuple[str, ...]:
    if settings.environment != "prod":
        return ()
    drill = state.drill
    passed = drill is not None and drill.passed and minute - drill.ended <= DRILL_MINUTES
    running = drill is not None and minute < drill.running_until
    drilled = () if passed or running else ("no drill passed in the last 90 days",)
    accepted = () if settings.accepted_by else ("global:acceptedBy names no data owner",)
    return (*drilled, *accepted)
