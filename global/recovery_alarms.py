"""The alarms of recovery's own functions and of the emergency export (see :mod:`alarm_specs`)."""

import cloudwatch_metrics as metrics
from alarm_specs import ABOVE, BELOW, BREACHING, UNKNOWN, AlarmSpec
from tapstack.well_known import (
    CONTROLLER_HEARTBEAT,
    EMERGENCY_EXPORT,
    FAILOVER_READINESS,
    PARAMETER_LAG,
)

PARAMETER_SECONDS = 900
"""Three full runs carried nothing of it."""
EXPORT_HOURS = 30
"""It is made each night, and a night's may come late."""


def controller_heartbeat(suffix: str) -> AlarmSpec:
    """Of a region's recovery controller: it runs every minute, whatever it finds."""
    return AlarmSpec(
        purpose="controller-heartbeat",
        description="The recovery controller hasn't run for three minutes",
        metric=metrics.recovery(CONTROLLER_HEARTBEAT, suffix),
        statistic="Sum",
        comparison=BELOW,
        threshold=1,
        missing=BREACHING,  # It puts the metric itself: silence is exactly what is meant.
    )


def failover_readiness(suffix: str) -> AlarmSpec:
    """Of a region's validator, which looks every five minutes."""
    return AlarmSpec(
        purpose="failover-readiness",
        description=(
            "A failover isn't proven to work: ./inv recovery.status names the checks that failed"
        ),
        metric=metrics.recovery(FAILOVER_READINESS, suffix),
        statistic="Minimum",
        comparison=BELOW,
        threshold=1,
        # No data is a validator that doesn't run, and is notified as such; before its first run in
        # a new environment it is normal.
        missing=UNKNOWN,
        period=300,
    )


def parameter_lag(suffix: str) -> AlarmSpec:
    """Of a region's parameter synchronisation; both regions' measure."""
    return AlarmSpec(
        purpose="parameter-lag",
        description=f"A shared parameter differs between the regions for {PARAMETER_SECONDS} s",
        metric=metrics.recovery(PARAMETER_LAG, suffix),
        statistic="Maximum",
        comparison=ABOVE,
        threshold=PARAMETER_SECONDS,
        # No data is a synchronisation that stands still, and is notified as such; before its first
        # run in a new environment it is normal.
        missing=UNKNOWN,
        period=300,
    )


def emergency_export(suffix: str) -> AlarmSpec:
    """Of a region's nightly emergency export (HIPAA §164.308(a)(7)(ii)(C))."""
    return AlarmSpec(
        purpose="emergency-export",
        description=f"The newest emergency export is older than {EXPORT_HOURS} h",
        metric=metrics.recovery(EMERGENCY_EXPORT, suffix),
        statistic="Sum",
        comparison=BELOW,
        threshold=1,
        # No data is the fault, and is notified as such; until the first night it is normal.
        missing=UNKNOWN,
        period=3600,
        periods=EXPORT_HOURS,
    )
