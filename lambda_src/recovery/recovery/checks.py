"""The validator's checks, one function each, in a table: facts → finding. Pure.

A check fails by what was answered. A question to the other region that nobody answered is
``NOT_ASKED``: it never lowers the mode of the region that may have to take over, since the loss
itself would disarm it (recovery.md 3). Where this region writes, the other one is the standby, and
a standby that doesn't answer isn't ready.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from recovery.facts import Crossing, Facts, Member, Missing
from recovery.observation import Witness
from recovery.parameter_plan import Settings

ROW_SECONDS = 300
"""What a promotion accepts to lose by default (``global:recoveryLagLimitSeconds``)."""
OBJECT_SECONDS = 900
"""S3's promise for replication."""
EVENT_SECONDS = 300
INTERVAL_SECONDS = 300
"""Between two runs, and so between two markers."""
SYNCHRONISED_SECONDS = 900
"""A changed parameter is in the other region after the next full synchronisation or two."""
DAY_SECONDS = 24 * 3600
BACKUP_SECONDS = 30 * 3600
"""A daily backup is a day old when the next one is due, and that one may begin an hour later, work
and be copied: up to then the last one is the newest there is (docs/architecture.md). The hours are
the alarm's."""


class Result(StrEnum):
    """What a check says."""

    PASSED = "passed"
    EXCUSED = "excused"
    FAILED = "failed"
    NOT_ASKED = "not asked"


@dataclass(frozen=True)
class Finding:
    """One check's result, and why or how much, for a person."""

    check: str
    result: Result
    text: str


Judgement = tuple[Result, str]


def standby_answers(facts: Facts) -> Judgement:
    """The standby's ``/ready``: its reader, its bus, its replicated writes."""
    ready = facts.other_ready if facts.writes_here else facts.own_ready
    if isinstance(ready, Missing):
        return _unanswered(facts, ready, theirs=facts.writes_here)
    text = ", ".join(f"{part} {reason}" for part, reason in sorted(ready.items()))
    return (Result.FAILED, f"the standby's /ready: {text}") if ready else _passed("every part")


def secrets_are_equal(facts: Facts) -> Judgement:
    """Both regions' secrets can be read and hold the same values."""
    own, other = facts.own_secrets, facts.other_secrets
    if isinstance(own, Missing):
        return _unanswered(facts, own)
    if isinstance(other, Missing):
        return _unanswered(facts, other, theirs=True)
    different = sorted(name for name in own if own[name] != other.get(name))
    return _none(different, "secrets differ between the regions", "equal in both regions")


def parameters_are_equal(facts: Facts) -> Judgement:
    """Synchronised parameters are the same, or were changed a short time ago."""
    own, other = facts.own_parameters, facts.other_parameters
    if isinstance(own, Missing):
        return _unanswered(facts, own)
    if isinstance(other, Missing):
        return _unanswered(facts, other, theirs=True)
    if not own:
        return Result.FAILED, "the region has no shared parameters"
    different = sorted(
        key for key in {*own, *other}
        if _value(own, key) != _value(other, key)
        and facts.now - max(_changed(own, key), _changed(other, key)) > SYNCHRONISED_SECONDS
    )  # fmt: skip
    return _none(different, "parameters differ between the regions", "equal in both regions")


def rows_cross(facts: Facts) -> Judgement:
    """The database's own heartbeat, written by the writer, is on the local reader."""
    if facts.writes_here:
        return _passed("this region writes; the standby times what it gets")
    if isinstance(facts.reader, Missing):
        text = facts.reader.reason
    else:
        text = f"the newest row is {facts.reader.lag_seconds} s old"
        if facts.reader.lag_seconds <= ROW_SECONDS:
            return _passed(text)
    # A writer that nobody reaches writes no heartbeat: that is its loss, not the standby's fault.
    lost = isinstance(facts.other, Missing) and not facts.other.asked
    return (Result.NOT_ASKED if lost else Result.FAILED), text


def objects_cross(facts: Facts) -> Judgement:
    """A marker object that was put into the other region's bucket is in this one's."""
    if facts.objects is None:
        return _passed("objects aren't replicated into this region")
    return _crossed(facts, facts.objects, OBJECT_SECONDS, "marker object")


def events_cross(facts: Facts) -> Judgement:
    """A marker event that was put on the other region's bus is in this region's queue."""
    return _crossed(facts, facts.events, EVENT_SECONDS, "marker event")


def versions_are_equal(facts: Facts) -> Judgement:
    """AWS refuses to fail over between unequal engine versions (recovery.md 1.3)."""
    return _alike(facts, lambda member: member.version, "engine versions")


def capacity_is_alike(facts: Facts) -> Judgement:
    """The standby's instances are of the writer's class and scaling range."""
    return _alike(facts, lambda member: f"{_classes(member)} {member.capacity}".strip(), "capacity")


def quotas_are_alike(facts: Facts) -> Judgement:
    """The standby's account may run as many functions at once as the writer's."""
    own, other = facts.own_quota, facts.other_quota
    if isinstance(own, Missing):
        return _unanswered(facts, own)
    if isinstance(other, Missing):
        return _unanswered(facts, other, theirs=True)
    standby, writer = (other, own) if facts.writes_here else (own, other)
    text = f"{standby} functions at once in the standby, {writer} where the writer is"
    return (Result.PASSED if standby >= writer else Result.FAILED), text


def standby_has_an_instance(facts: Facts) -> Judgement:
    """AWS refuses a target without an instance (recovery.md 1.3)."""
    member = facts.other if facts.writes_here else facts.own
    if isinstance(member, Missing):
        return _unanswered(facts, member, theirs=facts.writes_here)
    text = f"{member.available} available instances in the standby"
    return (Result.PASSED if member.available else Result.FAILED), text


def calls_are_allowed(facts: Facts) -> Judgement:
    """IAM would let the controller make each call of a promotion."""
    if isinstance(facts.denied, Missing):
        # IAM answers from us-east-1 alone (trap 10): silence is no refusal.
        return (Result.FAILED if facts.denied.asked else Result.NOT_ASKED), facts.denied.reason
    return _none(list(facts.denied), "IAM refuses the controller", "every call is allowed")


def alarms_are_armed(facts: Facts) -> Judgement:
    """The alarms that call a person exist and publish to the region's topic."""
    if isinstance(facts.unarmed, Missing):
        return _unanswered(facts, facts.unarmed)
    return _none(list(facts.unarmed), "alarms that notify nobody", "every alarm notifies")


def witness_is_readable(facts: Facts) -> Judgement:
    """The zone's name servers say what Route 53's checkers see."""
    if isinstance(facts.witness, Missing):
        return _unanswered(facts, facts.witness)
    if facts.witness is Witness.UNKNOWN:
        return Result.FAILED, "the witness can't be read from two name servers"
    return _passed(f"it says {facts.witness.value}")


def somebody_listens(facts: Facts) -> Judgement:
    """The region's topic has a confirmed subscription."""
    if isinstance(facts.subscriptions, Missing):
        return _unanswered(facts, facts.subscriptions)
    if not facts.subscriptions:
        return Result.FAILED, "no confirmed subscription on the topic: confirm the mail of SNS"
    return _passed(f"{facts.subscriptions} confirmed subscriptions")


def backup_is_fresh(facts: Facts) -> Judgement:
    """The region's vault has last night's backup; an environment that is too young for one is
    excused."""
    if isinstance(facts.backup, Missing):
        return _unanswered(facts, facts.backup)
    if isinstance(facts.own, Missing):
        return _unanswered(facts, facts.own)
    age = facts.now - facts.backup
    if facts.backup and age <= BACKUP_SECONDS:
        return _passed(f"the newest backup is {_hours(age)} h old")
    if facts.now - facts.own.created < BACKUP_SECONDS:
        hours = _hours(BACKUP_SECONDS)
        return Result.EXCUSED, f"no backup yet: the environment is younger than {hours} h"
    found = f"the newest backup is {_hours(age)} h old" if facts.backup else "there is no backup"
    return Result.FAILED, f"{found} in the region's vault"


def somebody_guards(facts: Facts) -> Judgement:
    """The standby is a connected member that its controller guards from; else unprotected."""
    if facts.writes_here:
        if isinstance(facts.global_cluster, Missing):
            return _unanswered(facts, facts.global_cluster)
        if facts.global_cluster.peer_connected:
            return _passed(f"{facts.peer} is connected")
        return Result.FAILED, f"unprotected: {facts.peer} is no connected member"
    if not facts.standing.armed:
        return Result.FAILED, "unprotected: this region's controller isn't armed"
    return _passed("this region's controller is armed")


def nothing_is_frozen(facts: Facts) -> Judgement:
    """A freeze sets the readiness to 0 (recovery.md 3)."""
    by = facts.standing.frozen_by
    return (Result.FAILED, f"recovery is frozen by {by}") if by else _passed("not frozen")


CHECKS: dict[str, Callable[[Facts], Judgement]] = {
    "standby": standby_answers,
    "secrets": secrets_are_equal,
    "parameters": parameters_are_equal,
    "rows": rows_cross,
    "objects": objects_cross,
    "events": events_cross,
    "versions": versions_are_equal,
    "capacity": capacity_is_alike,
    "quotas": quotas_are_alike,
    "instance": standby_has_an_instance,
    "permissions": calls_are_allowed,
    "alarms": alarms_are_armed,
    "witness": witness_is_readable,
    "subscription": somebody_listens,
    "backup": backup_is_fresh,
    "guard": somebody_guards,
    "freeze": nothing_is_frozen,
}
"""Name → check, in the order in which findings are shown."""


def examine(facts: Facts) -> tuple[Finding, ...]:
    """Returns every check's finding."""
    return tuple(Finding(name, *check(facts)) for name, check in CHECKS.items())


def _passed(text: str) -> Judgement:
    return Result.PASSED, text


def _none(found: list[str], fault: str, otherwise: str) -> Judgement:
    return (Result.FAILED, f"{fault}: {', '.join(found)}") if found else _passed(otherwise)


def _unanswered(facts: Facts, missing: Missing, *, theirs: bool = False) -> Judgement:
    """``theirs``: only the other region could have answered."""
    lost = theirs and not missing.asked and not facts.writes_here
    return (Result.NOT_ASKED if lost else Result.FAILED), missing.reason


def _crossed(facts: Facts, crossing: Crossing | Missing, limit: int, what: str) -> Judgement:
    if isinstance(crossing, Missing):
        return _unanswered(facts, crossing, theirs=True)
    if crossing.seconds is not None:
        return _passed(f"the {what} crossed in {crossing.seconds:.1f} s")
    waits = facts.now - max(crossing.since, crossing.arrived)
    # The newest one that is here was sent a run ago where everything is in order.
    late = waits > limit + (INTERVAL_SECONDS if crossing.arrived >= crossing.since else 0)
    text = f"no {what} of the last {waits:.0f} s is here"
    return (Result.FAILED if late else Result.PASSED), text


def _alike(facts: Facts, of: Callable[[Member], str], what: str) -> Judgement:
    if isinstance(facts.own, Missing):
        return _unanswered(facts, facts.own)
    if isinstance(facts.other, Missing):
        return _unanswered(facts, facts.other, theirs=True)
    own, other = of(facts.own), of(facts.other)
    text = f"{own} here, {other} in {facts.peer}"
    return (Result.FAILED, f"{what} differ: {text}") if own != other else _passed(own)


def _classes(member: Member) -> str:
    return "+".join(sorted(set(member.classes)))


def _value(settings: Settings, key: str) -> str | None:
    return settings[key].value if key in settings else None


def _changed(settings: Settings, key: str) -> float:
    return settings[key].changed if key in settings else 0


def _hours(seconds: float) -> int:
    return round(seconds / 3600)
