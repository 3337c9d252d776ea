"""The deployed backup plans: which rules are due, and what they back up."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lab.events.timing import Timing

DEFAULT_START_MINUTES = 480
"""Where a rule has no start window (AWS Backup developer guide, "Creating a backup plan")."""


@dataclass(frozen=True)
class Rule:
    """One rule of a plan, as the API was given it."""

    account: str
    region: str
    plan: str
    """The plan's id."""
    given: Mapping[str, Any]

    @property
    def key(self) -> tuple[str, ...]:
        """Which rule it is."""
        return (self.account, self.region, self.plan, str(self.given.get("RuleName", "")))

    @property
    def expression(self) -> str:
        """Its schedule, a cron expression in UTC."""
        return str(self.given.get("ScheduleExpression", ""))

    @property
    def start_seconds(self) -> float:
        """Its start window."""
        return 60.0 * float(self.given.get("StartWindowMinutes", DEFAULT_START_MINUTES))


class Plans:
    """Watches the plans' rules: an occurrence counts once, and from when the rule was made."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, ...], tuple[str, float]] = {}

    def due(self, now: float) -> list[Rule]:
        """Returns the rules that have an occurrence since the last look."""
        found, seen = [], set()
        for rule in _rules():
            seen.add(rule.key)
            expression, last = self._last.get(rule.key, ("", now))
            if expression != rule.expression:
                self._last[rule.key] = (rule.expression, now)
            elif Timing(rule.expression).is_due(last, now):
                self._last[rule.key] = (rule.expression, now)
                found.append(rule)
        for key in set(self._last) - seen:
            del self._last[key]
        return found


def selected(rule: Rule) -> Iterator[tuple[str, str]]:
    """(ARN of a cluster, ARN of the role) that a rule backs up: each that a selection of its plan
    names, where it is there. Selections by tags alone select nothing in the lab."""
    from ministack.services import backup

    known = clusters(rule.account, rule.region)
    for (account, region, _), made in list(backup._selections._data.items()):
        if (account, region, made.get("BackupPlanId")) != (rule.account, rule.region, rule.plan):
            continue
        for arn in known:
            wanted = _meets(arn, made.get("Resources"))
            if wanted and not _meets(arn, made.get("NotResources")):
                yield arn, str(made.get("IamRoleArn", ""))


def clusters(account: str, region: str) -> list[str]:
    """ARNs of a region's DB clusters."""
    from ministack.services import rds

    return [
        str(cluster["DBClusterArn"])
        for (owner, where, _), cluster in list(rds._clusters._data.items())
        if (owner, where) == (account, region)
    ]


def has_vault(account: str, region: str, name: str) -> bool:
    """Whether there is such a vault."""
    from ministack.services import backup

    return (account, region, name) in backup._vaults._data


def _rules() -> Iterator[Rule]:
    from ministack.services import backup

    for (account, region, plan), made in list(backup._plans._data.items()):
        for given in made["BackupPlan"].get("Rules", ()):
            yield Rule(account, region, plan, given)


def _meets(arn: str, patterns: Any) -> bool:
    return any(fnmatch.fnmatchcase(arn, pattern) for pattern in patterns or ())
