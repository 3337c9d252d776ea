"""When a CloudWatch alarm turns: pure decisions over series and states.

Source: CloudWatch user guide, "Configuring how CloudWatch alarms treat missing data" and
"Create a composite alarm".
"""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from lab.metrics.math_expression import evaluate
from lab.metrics.series import MetricStore, Series, metric_key

State = Literal["OK", "ALARM", "INSUFFICIENT_DATA"]

EXTRA_PERIODS = 2
"""CloudWatch looks a little further back than the evaluation periods for data points."""

_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}


def alarm_state(alarm: Mapping[str, Any], region: str, store: MetricStore, now: float) -> State:
    """The state of a metric alarm (an item of DescribeAlarms) at lab time ``now``.

    Raises ValueError for an alarm that the lab can't evaluate, saying why.
    """
    wanted = int(alarm["EvaluationPeriods"])
    period = _period(alarm)
    newest = int(now // period) * period - period
    periods = [newest - period * back for back in range(wanted + EXTRA_PERIODS)]
    series = _series(alarm, region, store, period, periods)
    compare = _COMPARISONS[alarm["ComparisonOperator"]]
    points = [
        compare(series[start], float(alarm["Threshold"])) if start in series else None
        for start in periods
    ]
    return decide(
        points,
        wanted,
        int(alarm.get("DatapointsToAlarm") or wanted),
        alarm.get("TreatMissingData") or "missing",
        alarm["StateValue"],
    )


def decide(
    points: Sequence[bool | None], wanted: int, to_alarm: int, treat_missing: str, state: State
) -> State:
    """From data points, newest first (breaching, not breaching, None for missing), to a state.

    ``points`` covers the evaluation range, which is longer than the ``wanted`` periods: the newest
    ``wanted`` data points that exist count, and only what then lacks is filled.
    """
    present = [point for point in points if point is not None][:wanted]
    lacking = wanted - len(present)
    breaching = sum(present)
    if breaching >= to_alarm:
        return "ALARM"
    if breaching + lacking < to_alarm or treat_missing == "notBreaching":
        return "OK"
    if treat_missing == "breaching":
        return "ALARM"
    if treat_missing == "ignore":
        return state
    if not present:
        return "INSUFFICIENT_DATA"
    return "ALARM" if breaching else "OK"


def _period(alarm: Mapping[str, Any]) -> int:
    if not alarm.get("Metrics"):
        return int(alarm["Period"])
    periods = [
        int(query.get("Period") or query.get("MetricStat", {}).get("Period") or 60)
        for query in alarm["Metrics"]
    ]
    return max(periods)


def _series(
    alarm: Mapping[str, Any], region: str, store: MetricStore, period: int, periods: list[int]
) -> Series:
    if not alarm.get("Metrics"):
        statistic = alarm.get("ExtendedStatistic") or alarm.get("Statistic") or "Average"
        return store.series(_key(alarm, region), statistic, period)
    series: dict[str, Series] = {}
    for query in alarm["Metrics"]:
        if stat := query.get("MetricStat"):
            key = _key(stat["Metric"], region)
            series[query["Id"]] = store.series(key, stat["Stat"], period)
    expressions = [query for query in alarm["Metrics"] if query.get("Expression")]
    for query in sorted(expressions, key=lambda query: bool(query.get("ReturnData", True))):
        series[query["Id"]] = evaluate(query["Expression"], series, periods)
    returned = [query["Id"] for query in alarm["Metrics"] if query.get("ReturnData", True)]
    if len(returned) != 1:
        raise ValueError(f"an alarm watches one series, {alarm['AlarmName']} returns {returned}")
    return series[returned[0]]


def _key(metric: Mapping[str, Any], region: str) -> Any:
    dimensions = {item["Name"]: item["Value"] for item in metric.get("Dimensions", ())}
    return metric_key(region, metric["Namespace"], metric["MetricName"], dimensions)


_TOKEN = re.compile(
    r"""\s*(?:(?P<word>AND|OR|NOT|TRUE|FALSE)\b|(?P<punctuation>[()])
        |(?P<state>ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*(?:"(?P<quoted>[^"]+)"|'(?P<single>[^']+)'
        |(?P<bare>[^)"'\s]+))\s*\))""",
    re.VERBOSE,
)


def composite_state(rule: str, states: Mapping[str, State]) -> State:
    """Evaluates a composite alarm's rule; ``states`` by alarm name of the same region.

    Raises ValueError for a rule that can't be read or names an alarm that doesn't exist.
    """
    python = []
    position = 0
    while position < len(rule.rstrip()):
        token = _TOKEN.match(rule, position)
        if not token:
            raise ValueError(f"composite alarm rule can't be read from {rule[position:]!r}")
        position = token.end()
        if token["word"]:
            python.append(
                {"TRUE": "True", "FALSE": "False"}.get(token["word"], token["word"].lower())
            )
        elif token["punctuation"]:
            python.append(token["punctuation"])
        else:
            name = (token["quoted"] or token["single"] or token["bare"]).rpartition(":alarm:")[2]
            if name not in states:
                raise ValueError(f"composite alarm rule names {name}, which doesn't exist")
            python.append(str(states[name] == token["state"]))
    try:
        # Only True, False, and, or, not and parentheses can be in the text by now.
        return "ALARM" if eval(" ".join(python), {"__builtins__": {}}) else "OK"  # noqa: S307
    except SyntaxError:
        raise ValueError(f"composite alarm rule can't be read: {rule}") from None
