"""The alarms of one region, made from their table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from alarm_specs import AlarmSpec
from cloudwatch_metrics import Metric
from tapstack.regions import Region


@dataclass(frozen=True)
class RegionalAlarmsArgs:
    """Which alarms, and which topic of the same region they publish to (trap 29)."""

    region: Region
    specs: Sequence[AlarmSpec]
    topic: aws.sns.Topic


class RegionalAlarms(pulumi.ComponentResource):
    """Each alarm notifies when it rises, when it ends, and when it has no data.

    ``alarms`` holds them by purpose.
    """

    alarms: dict[str, aws.cloudwatch.MetricAlarm]

    def __init__(
        self, name: str, args: RegionalAlarmsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("warmstandby:global:RegionalAlarms", name, None, opts)
        self.alarms = {
            spec.purpose: _alarm(spec, args, pulumi.ResourceOptions(parent=self))
            for spec in args.specs
        }
        self.register_outputs({})


def _alarm(
    spec: AlarmSpec, args: RegionalAlarmsArgs, opts: pulumi.ResourceOptions
) -> aws.cloudwatch.MetricAlarm:
    actions = [args.topic.arn]
    watched: dict[str, object]
    if isinstance(spec.metric, Metric):
        watched = {
            "namespace": spec.metric.namespace,
            "metric_name": spec.metric.name,
            "dimensions": spec.metric.dimensions,
            # A percentile is an argument of its own.
            "extended_statistic" if spec.statistic.startswith("p") else "statistic": spec.statistic,
            "period": spec.period,
        }
    else:
        watched = {"metric_queries": _queries(spec, spec.metric)}
    return aws.cloudwatch.MetricAlarm(
        f"{spec.purpose}-{args.region.name}",
        name=args.region.physical_name("alarm", spec.purpose),
        alarm_description=spec.description,
        comparison_operator=spec.comparison,
        threshold=spec.threshold,
        evaluation_periods=spec.periods,
        datapoints_to_alarm=spec.breaching_periods or spec.periods,
        treat_missing_data=spec.missing,
        alarm_actions=actions,
        ok_actions=actions,
        insufficient_data_actions=actions,
        opts=opts,
        **watched,  # type: ignore[arg-type]
    )


def _queries(
    spec: AlarmSpec, metrics: Mapping[str, Metric]
) -> list[aws.cloudwatch.MetricAlarmMetricQueryArgs]:
    """The metrics by id, and the expression over them that the alarm watches."""
    inputs = [
        aws.cloudwatch.MetricAlarmMetricQueryArgs(
            id=query_id,
            # An alarm watches exactly one of its queries: the expression.
            return_data=False,
            metric=aws.cloudwatch.MetricAlarmMetricQueryMetricArgs(
                namespace=metric.namespace,
                metric_name=metric.name,
                dimensions=metric.dimensions,
                stat=spec.statistic,
                period=spec.period,
            ),
        )
        for query_id, metric in metrics.items()
    ]
    result = aws.cloudwatch.MetricAlarmMetricQueryArgs(
        id="watched", expression=spec.expression, label=spec.description, return_data=True
    )
    return [*inputs, result]
