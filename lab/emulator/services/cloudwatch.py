"""CloudWatch: alarms read back as given, with their tags. Evaluating them is the metrics part's
matter, so the emulator's own evaluation, which ignores dimensions, is switched off."""

from __future__ import annotations

import copy
from typing import Any

from lab.api import ApiRequest, ApiResponse, CallNext
from lab.emulator.mending import Mending
from lab.emulator.scope import scope

OPTIONAL = (
    "MetricName",
    "Namespace",
    "Statistic",
    "ExtendedStatistic",
    "Period",
    "Unit",
    "Dimensions",
    "DatapointsToAlarm",
    "EvaluateLowSampleCountPercentile",
    "Metrics",
    "ThresholdMetricId",
    "Threshold",
)
"""Fields of a metric alarm that read back only when they were given."""


def install(mending: Mending) -> None:
    """Mends CloudWatch."""
    from ministack.services import cloudwatch

    cloudwatch._evaluate_alarm = lambda _: None
    mends = CloudWatch(mending)
    mend = mending.mend
    mend("cloudwatch", "PutMetricAlarm PutCompositeAlarm", mends.put)
    mend("cloudwatch", "DescribeAlarms DescribeAlarmsForMetric", mends.describe)


class CloudWatch:
    """The hooks."""

    def __init__(self, mending: Mending) -> None:
        self.memory = mending.store("cloudwatch.alarms")

    async def put(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        """Metric math kept; tags at creation; a composite alarm keeps its state when changed."""
        from ministack.services import cloudwatch

        given = request.parameters
        name = given["AlarmName"]
        with scope(request):
            before = copy.deepcopy(cloudwatch._composite_alarms.get(name))
            known = before is not None or name in cloudwatch._alarms
        response = await call_next(request)
        if not response.ok:
            return response
        with scope(request):
            composite = cloudwatch._composite_alarms.get(name)
            record = composite or cloudwatch._alarms[name]
            if before and composite:
                for field in ("StateValue", "StateReason", "StateUpdatedTimestamp"):
                    composite[field] = before[field]
            for field in (
                "ActionsSuppressor",
                "ActionsSuppressorWaitPeriod",
                "ActionsSuppressorExtensionPeriod",
            ):
                if composite and field in given:
                    composite[field] = given[field]
            if given.get("Tags") and not known:
                cloudwatch._resource_tags[record["AlarmArn"]] = {
                    tag["Key"]: tag["Value"] for tag in given["Tags"]
                }
            self.memory[record["AlarmArn"]] = {
                field: given[field] for field in OPTIONAL if field in given
            }
        return response

    async def describe(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        """As given, nothing invented."""
        response = await call_next(request)
        if not response.ok:
            return response
        for alarm in response.result.get("MetricAlarms", []):
            if (kept := self.memory.get(alarm["AlarmArn"])) is not None:
                _as_given(alarm, kept)
        return response


def _as_given(alarm: dict[str, Any], kept: dict[str, Any]) -> None:
    for field in OPTIONAL:
        alarm.pop(field, None)
    alarm.update(copy.deepcopy(kept))
    if "Metrics" in kept:
        for query in alarm["Metrics"]:
            query.setdefault("ReturnData", True)
    else:
        alarm.setdefault("Dimensions", [])
