"""Findings → the validation that the controller acts by. Pure.

``not asked`` lowers nothing in the region that may have to take over; a proof of the controller's
permissions that can't be repeated counts on for a day, since IAM answers from us-east-1 alone.
"""

from __future__ import annotations

from recovery.checks import Finding, Result
from recovery.facts import Facts, Member
from recovery.mode import VALIDATION_MINUTES
from recovery.observation import Validation


def validation_of(
    findings: tuple[Finding, ...], facts: Facts, minute: int, before: Validation | None
) -> Validation:
    """Returns what a run that began in ``minute`` proved; ``before`` is the last one kept."""
    results = {finding.check: finding.result for finding in findings}
    proven, proven_at = _proof(results["permissions"], minute, before)
    failed = tuple(_line(one) for one in findings if one.result is Result.FAILED)
    open_ = (Result.EXCUSED, Result.NOT_ASKED)
    return Validation(
        began=minute,
        ready=not failed,
        permissions_proven=proven,
        witness_readable=results["witness"] is Result.PASSED,
        subscription_confirmed=results["subscription"] is Result.PASSED,
        engine_version=facts.own.version if isinstance(facts.own, Member) else "unknown",
        versions_equal=_equal(facts),
        reasons=failed,
        proven_at=proven_at,
        notes=tuple(_line(one) for one in findings if one.result in open_),
    )


def _proof(result: Result, minute: int, before: Validation | None) -> tuple[bool, int]:
    """Whether the permissions are proven, and in which minute they were asked for."""
    if result is not Result.NOT_ASKED or before is None:
        return result is Result.PASSED, minute
    fresh = minute - before.proven_at <= VALIDATION_MINUTES
    return before.permissions_proven and fresh, before.proven_at


def _equal(facts: Facts) -> bool | None:
    if isinstance(facts.own, Member) and isinstance(facts.other, Member):
        return facts.own.version == facts.other.version
    return None


def _line(finding: Finding) -> str:
    return f"{finding.check}: {finding.text}"
