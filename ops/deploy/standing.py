"""How the environment stands, and the one thing to do next: decided from what was seen.

Pure. What is wrong is looked for in the order in which it hurts: writes, traffic, alarms, events
that nobody will deliver, and last what only needs tidying.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ops.cloud.alarms import RegionAlarms
from ops.cloud.regions import RegionStatus
from ops.cloud.switch import ENGAGED
from ops.cloud.traffic import Traffic

RUNBOOK = "docs/runbook.md"

WRITER_FAULTS = {
    # What /ready says of the writer (lambda_src/api/README.md, Readiness) → what to do.
    "read_only": "a change of roles is under way or the endpoint is late: look again in a minute",
    "demoted": "a change of roles is under way or the endpoint is late: look again in a minute",
    "credentials_refused": (
        f"the database refuses the application's user: {RUNBOOK}, Changing the database passwords"
    ),
    "credentials_unreadable": "the application can't read its secret: ./inv drift",
    "connections_exhausted": "the database has no connection left: docs/connections.md",
    "schema_missing": "the database isn't migrated: ./inv up --layer app",
}


@dataclass(frozen=True)
class Standing:
    """What was seen."""

    flags: str
    """What commands need so that they mean this stack."""
    missing_layers: Sequence[str]
    regions: Sequence[RegionStatus]
    """Primary first."""
    traffic: Traffic
    switch: str
    alarms: Sequence[RegionAlarms]

    @property
    def is_deployed(self) -> bool:
        """Whether there is an application that could take writes."""
        return any(region.health != "not deployed" for region in self.regions)

    @property
    def serving(self) -> RegionStatus | None:
        """The region that clients are sent to."""
        return next((one for one in self.regions if one.region == self.traffic.region), None)

    @property
    def writes(self) -> bool | None:
        """Whether a client's write succeeds now; None: not known.

        By the region that clients are sent to; without knowing it, by any.
        """
        if not self.is_deployed:
            return None
        asked = [self.serving] if self.serving else self.regions
        if not any(region.answers for region in asked):
            return False
        found = [region.ready.writes for region in asked if region.answers]
        if True in found:
            return True
        return False if False in found else None

    @property
    def writer(self) -> str:
        """The region whose cluster writes, as any region says; empty when none does."""
        return next((region.region for region in self.regions if region.is_writer), "")

    @property
    def red(self) -> int:
        """How many alarms have risen."""
        return sum(alarm.is_red for region in self.alarms for alarm in region.alarms)


def next_step(standing: Standing) -> str:
    """One sentence: what a person does next."""
    primary, standby = standing.regions
    flags = standing.flags
    if standing.missing_layers:
        return f"run ./inv deploy-all{flags}: {', '.join(standing.missing_layers)} isn't deployed"
    if standing.writes is False:
        return _writes_fail(standing, primary, standby)
    if standing.traffic.region == standby.region and not primary.answers:
        return (
            f"mend the application in {primary.region}: traffic has moved to {standby.region}, "
            "which writes; nothing is to be promoted"
        )
    dark = [region for region in standing.regions if not region.answers]
    if dark:
        return (
            f"mend {dark[0].region}, whose application {dark[0].health}: there is nowhere to fail "
            "over to"
        )
    for region in standing.alarms:
        for alarm in region.alarms:
            if alarm.is_red:
                return (
                    f"alarm {alarm.purpose} in {region.region} is red: ./inv alarms{flags} says "
                    "what it means"
                )
    if any(region.events.dead_letters for region in standing.regions):
        return f"run ./inv events.redrive{flags}: events wait that nobody will deliver by himself"
    return _tidying(standing, primary, standby)


def _writes_fail(standing: Standing, primary: RegionStatus, standby: RegionStatus) -> str:
    asked = standing.serving or next((one for one in standing.regions if one.answers), None)
    if asked is None:
        return (
            f"both regions are dark: {RUNBOOK}, Promote by hand, as soon as "
            f"{standby.region} answers"
        )
    if not asked.answers and standby.answers:
        return (
            f"traffic still goes to {asked.region}, whose application {asked.health}: it moves by "
            f"itself within three minutes; if {primary.region} is lost as a whole, "
            f"{_promote(standing.flags)}"
        )
    fault = asked.ready.failing.get("writer", "")
    if fault in WRITER_FAULTS:
        return f"writes fail: {WRITER_FAULTS[fault]}"
    if fault in ("unreachable", "name_unresolved"):
        if standing.writer == standby.region:
            return f"writes fail: the database in {standby.region} doesn't answer, and it writes"
        state = "health answers" if primary.answers else f"{primary.region} is dark as well"
        return (
            f"writes fail: the database in {primary.region} doesn't answer ({state}); if that "
            f"lasts for two minutes, {_promote(standing.flags)}"
        )
    return f"writes fail in {asked.region} ({asked.ready}): look into its function's log"


def _promote(flags: str) -> str:
    return f"promote the standby by ./inv failover{flags} ({RUNBOOK}, Promote by hand)"


def _tidying(standing: Standing, primary: RegionStatus, standby: RegionStatus) -> str:
    flags = standing.flags
    if standing.writer == standby.region:
        return (
            f"{standby.region} writes; returning is a person's decision: ./inv failback{flags} "
            f"({RUNBOOK}, Switch back)"
        )
    if standing.switch == ENGAGED:
        return (
            f"{primary.region} writes and the switch still keeps traffic in {standby.region}: "
            f"./inv failback{flags} releases it ({RUNBOOK}, Switch back)"
        )
    if standing.writes is None:
        return f"nothing is known to be wrong; whether writes succeed is not known: {primary.ready}"
    return "nothing: both regions are as they should be"
