"""CloudWatch: what each resource is made with, and what it is changed to."""

from __future__ import annotations

import json

from provider_cases.case import Case, named

ALARM = {
    "comparisonOperator": "GreaterThanThreshold",
    "evaluationPeriods": 3,
    "threshold": 80,
    "treatMissingData": "missing",
}


CALCULATED_METRIC = [
    {"id": "rate", "expression": "m1 / m2", "label": "rate", "returnData": True},
    *(
        {
            "id": name,
            "metric": {
                "namespace": "AWS/Lambda",
                "metricName": metric,
                "period": 60,
                "stat": "Sum",
                "dimensions": {"FunctionName": "f"},
            },
        }
        for name, metric in (("m1", "Errors"), ("m2", "Invocations"))
    ),
]


CASES = [
    Case(
        "alarm",
        "aws:cloudwatch/metricAlarm:MetricAlarm",
        lambda w: named(
            "alarm",
            name="alarm-one",
            namespace="AWS/RDS",
            metricName="CPUUtilization",
            statistic="Average",
            period=60,
            dimensions={"DBClusterIdentifier": "one", "Role": "WRITER"},
            alarmActions=[w["topic"].id],
            **ALARM,
        ),
        lambda w: named(
            "alarm",
            name="alarm-one",
            namespace="AWS/RDS",
            metricName="CPUUtilization",
            statistic="Average",
            period=60,
            dimensions={"DBClusterIdentifier": "two"},
            alarmActions=[w["topic"].id],
            **ALARM,
        ),
    ),
    Case(
        "metric-math",
        "aws:cloudwatch/metricAlarm:MetricAlarm",
        lambda w: named("metric-math", name="alarm-two", metricQueries=CALCULATED_METRIC, **ALARM),
    ),
    Case(
        "composite",
        "aws:cloudwatch/compositeAlarm:CompositeAlarm",
        lambda w: named(
            "composite",
            alarmName="alarm-three",
            alarmRule=f'ALARM("{w["alarm"].id}")',
            alarmActions=[w["topic"].id],
        ),
        lambda w: named(
            "composite",
            alarmName="alarm-three",
            alarmRule=f'ALARM("{w["metric-math"].id}")',
            alarmActions=[w["topic"].id],
        ),
    ),
    Case(
        "dashboard",
        "aws:cloudwatch/dashboard:Dashboard",
        lambda w: {"dashboardName": "one", "dashboardBody": '{"widgets": []}'},
        lambda w: {
            "dashboardName": "one",
            "dashboardBody": json.dumps(
                {"widgets": [{"type": "text", "properties": {"markdown": "x"}}]}
            ),
        },
    ),
]
