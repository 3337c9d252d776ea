"""CloudWatch: alarms and dashboards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from lab.provider import shapes
from lab.provider.aws import Aws
from lab.provider.declaration import Failures, Properties, Tagging, op
from lab.provider.resource import ResourceType

ARN = "arn:aws:cloudwatch:{region}:{account}:alarm:{id}"
TAGGING = Tagging(
    tag=op("TagResource", ResourceARN=ARN),
    untag=op("UntagResource", ResourceARN=ARN),
    list=op("ListTagsForResource", ResourceARN=ARN),
)


def pairs(dimensions: Any) -> Any:
    """Returns dimensions as AWS has them: pulumi-aws has a map."""
    if not isinstance(dimensions, Mapping):
        return dimensions
    return [{"name": key, "value": str(dimensions[key])} for key in sorted(dimensions)]


def covers(seen: Any, wanted: Any) -> bool:
    """Returns whether everything in ``wanted`` is in ``seen`` (lists as sets)."""
    if isinstance(wanted, Mapping):
        return isinstance(seen, Mapping) and all(
            covers(seen.get(key), item) for key, item in wanted.items()
        )
    if isinstance(wanted, list):
        return (
            isinstance(seen, list)
            and len(seen) == len(wanted)
            and all(any(covers(other, item) for other in seen) for item in wanted)
        )
    return shapes.same(seen, wanted)


class MetricAlarm(ResourceType):
    """An alarm on a metric, or on an expression over several."""

    pulumi_type = "aws:cloudwatch/metricAlarm:MetricAlarm"
    service = "cloudwatch"
    inputs = (
        "name alarmDescription actionsEnabled alarmActions okActions insufficientDataActions "
        "comparisonOperator evaluationPeriods datapointsToAlarm threshold thresholdMetricId "
        "metricName namespace statistic extendedStatistic period unit dimensions metricQueries "
        "treatMissingData evaluateLowSampleCountPercentiles"
    )
    names: ClassVar = {
        "name": "AlarmName",
        "metricQueries": "Metrics",
        "metricQueries.metric": "MetricStat",
        "metricQueries.metric.metricName": "Metric.MetricName",
        "metricQueries.metric.namespace": "Metric.Namespace",
        "metricQueries.metric.dimensions": "Metric.Dimensions",
        "evaluateLowSampleCountPercentiles": "EvaluateLowSampleCountPercentile",
    }
    autoname = "name"
    identity = ("name",)
    replace = "name"
    creation = op("PutMetricAlarm")
    updates = (op("PutMetricAlarm", put=True),)
    id = "{name}"
    reading = op("DescribeAlarms", "MetricAlarms[0]", AlarmNames=["{id}"])
    deletion = op("DeleteAlarms", AlarmNames=["{id}"])
    tagging = TAGGING
    outputs: ClassVar = {"arn": "AlarmArn"}

    @staticmethod
    def _listed(props: Mapping[str, Any]) -> Properties:
        made = dict(props)
        if "dimensions" in made:
            made["dimensions"] = pairs(made["dimensions"])
        if isinstance(made.get("metricQueries"), list):
            made["metricQueries"] = [
                {**query, "metric": {**query["metric"],
                                     "dimensions": pairs(query["metric"].get("dimensions") or {})}}
                if isinstance(query, Mapping) and isinstance(query.get("metric"), Mapping)
                else query
                for query in made["metricQueries"]
            ]  # fmt: skip
        return made

    def check_nested(self, key: str, value: Any) -> Failures:
        return super().check_nested(key, self._listed({key: value})[key])

    def parameters(
        self, aws: Aws, call: Any, ident: Any, props: Any, only: Any = None, state: Any = None
    ) -> Properties:
        return super().parameters(aws, call, ident, self._listed(props), only, state)

    def update(
        self,
        aws: Aws,
        ident: str,
        before: Any,
        after: Properties,
        changed: list[str],
        state: Any,
    ) -> None:
        if set(changed) - {"tags", "tagsAll"}:
            self.call(aws, op("PutMetricAlarm"), ident, after)

    def drift(self, aws: Aws, raw: Properties, key: str, written: Any) -> Any:
        if key in ("dimensions", "metricQueries"):
            member = self.names.get(key, "Dimensions")
            seen = raw.get(member) or []
            wanted = self.parameters(aws, op("PutMetricAlarm"), None, {key: written})[member]
            if covers(seen, wanted):
                return written
            if key == "dimensions":
                return {item["Name"]: item["Value"] for item in seen}
            shape = shapes.follow(self.read_shape(), member)
            return shapes.from_aws(seen, shape, self.names, key)
        return super().drift(aws, raw, key, written)


class CompositeAlarm(ResourceType):
    """An alarm on other alarms."""

    pulumi_type = "aws:cloudwatch/compositeAlarm:CompositeAlarm"
    service = "cloudwatch"
    inputs = (
        "alarmName alarmDescription alarmRule actionsEnabled alarmActions okActions "
        "insufficientDataActions"
    )
    autoname = "alarmName"
    identity = ("alarmName",)
    replace = "alarmName actionsEnabled"
    creation = op("PutCompositeAlarm")
    updates = (op("PutCompositeAlarm", put=True),)
    id = "{alarmName}"
    reading = op(
        "DescribeAlarms", "CompositeAlarms[0]", AlarmNames=["{id}"], AlarmTypes=["CompositeAlarm"]
    )
    deletion = op("DeleteAlarms", AlarmNames=["{id}"])
    tagging = TAGGING
    outputs: ClassVar = {"arn": "AlarmArn"}

    def update(
        self,
        aws: Aws,
        ident: str,
        before: Any,
        after: Properties,
        changed: list[str],
        state: Any,
    ) -> None:
        if set(changed) - {"tags", "tagsAll"}:
            self.call(aws, op("PutCompositeAlarm"), ident, after)


class Dashboard(ResourceType):
    """A dashboard."""

    pulumi_type = "aws:cloudwatch/dashboard:Dashboard"
    service = "cloudwatch"
    inputs = "dashboardName dashboardBody"
    autoname = "dashboardName"
    identity = ("dashboardName",)
    creation = op("PutDashboard")
    updates = (op("PutDashboard", only="dashboardBody", DashboardName="{id}"),)
    id = "{dashboardName}"
    reading = op("GetDashboard", DashboardName="{id}")
    deletion = op("DeleteDashboards", DashboardNames=["{id}"])
    outputs: ClassVar = {"dashboardArn": "arn:aws:cloudwatch::{account}:dashboard/{id}"}
