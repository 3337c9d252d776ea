"""When the lab's CloudWatch turns an alarm (CloudWatch user guide)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.metrics.alarms import alarm_state, composite_state, decide
from lab.metrics.math_expression import evaluate
from lab.metrics.series import MetricStore, metric_key

MODES = ("missing", "ignore", "breaching", "notBreaching")


def points(text: str) -> list[bool | None]:
    """``0 - X``, oldest first as the guide prints them, to newest first."""
    return [{"0": False, "X": True, "-": None}[mark] for mark in reversed(text.split())]


@pytest.mark.parametrize(
    ("text", "states"),
    [
        # "Configuring how CloudWatch alarms treat missing data": 3 of 3 data points to alarm.
        ("0 - X - X", ("OK", "OK", "OK", "OK")),
        ("- - - - 0", ("OK", "OK", "OK", "OK")),
        ("- - - - -", ("INSUFFICIENT_DATA", "INSUFFICIENT_DATA", "ALARM", "OK")),
        ("0 X X - X", ("ALARM", "ALARM", "ALARM", "ALARM")),
        ("- - X - -", ("ALARM", "INSUFFICIENT_DATA", "ALARM", "OK")),
    ],
)
def test_missing_data(text, states):
    """R6.2: each row of the guide's table, in each of the four modes (ignore keeps the state)."""
    found = tuple(decide(points(text), 3, 3, mode, "INSUFFICIENT_DATA") for mode in MODES)
    assert found == states


@given(
    st.lists(st.sampled_from([True, False, None]), min_size=1, max_size=12),
    st.sampled_from(MODES),
    st.sampled_from(["OK", "ALARM", "INSUFFICIENT_DATA"]),
    st.data(),
)
def test_without_missing_data_only_the_count_decides(marks, mode, state, data):
    """R6.2: with all data present, ALARM exactly when M of the newest N breach, in every mode."""
    wanted = data.draw(st.integers(1, len(marks)))
    to_alarm = data.draw(st.integers(1, wanted))
    known = [bool(mark) for mark in marks]
    expected = "ALARM" if sum(known[:wanted]) >= to_alarm else "OK"
    assert decide(known, wanted, to_alarm, mode, state) == expected


def store_of(**series: list[float]) -> MetricStore:
    """One value a minute from time 0, in namespace N of us-west-2."""
    store = MetricStore()
    for name, values in series.items():
        for minute, value in enumerate(values):
            store.add(metric_key("us-west-2", "N", name, {"D": "1"}), value, minute * 60)
    return store


def alarm(**more):
    return {
        "AlarmName": "a",
        "EvaluationPeriods": 2,
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": 5.0,
        "StateValue": "OK",
        "Period": 60,
        "Namespace": "N",
        "MetricName": "m",
        "Statistic": "Average",
        "Dimensions": [{"Name": "D", "Value": "1"}],
        **more,
    }


def test_only_the_metric_of_the_same_region_and_dimensions_counts():
    """R6.2, trap 29: an alarm sees its own region's and dimensions' metric only."""
    store = store_of(m=[9, 9, 9])
    assert alarm_state(alarm(), "us-west-2", store, 180) == "ALARM"
    assert alarm_state(alarm(), "us-east-1", store, 180) == "INSUFFICIENT_DATA"
    other = alarm(Dimensions=[{"Name": "D", "Value": "2"}])
    assert alarm_state(other, "us-west-2", store, 180) == "INSUFFICIENT_DATA"


def test_the_minute_that_still_runs_does_not_count():
    """R6.2: only complete periods are evaluated."""
    store = store_of(m=[1, 1, 9])
    assert alarm_state(alarm(EvaluationPeriods=1), "us-west-2", store, 170) == "OK"
    assert alarm_state(alarm(EvaluationPeriods=1), "us-west-2", store, 180) == "ALARM"


def test_a_rate_alarm_divides_errors_by_invocations():
    """R6.2: the Lambda error rate is metric math; no invocation is no data, not a division."""

    def metric(name: str) -> dict:
        dimensions = [{"Name": "D", "Value": "1"}]
        return {
            "Metric": {"Namespace": "N", "MetricName": name, "Dimensions": dimensions},
            "Period": 60,
            "Stat": "Sum",
        }

    rate = alarm(
        EvaluationPeriods=1,
        TreatMissingData="notBreaching",
        Metrics=[
            {"Id": "rate", "Expression": "100 * errors / invocations", "ReturnData": True},
            {"Id": "errors", "MetricStat": metric("e"), "ReturnData": False},
            {"Id": "invocations", "MetricStat": metric("i"), "ReturnData": False},
        ],
    )
    assert alarm_state(rate, "us-west-2", store_of(e=[10], i=[100]), 60) == "ALARM"
    assert alarm_state(rate, "us-west-2", store_of(e=[5], i=[100]), 60) == "OK"
    assert alarm_state(rate, "us-west-2", store_of(e=[0], i=[0]), 60) == "OK"


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("a + b", {0: 5.0}),
        ("a * 2", {0: 4.0, 60: 8.0}),
        ("FILL(b, 0)", {0: 3.0, 60: 0.0}),
        ("FILL(b, REPEAT)", {0: 3.0, 60: 3.0}),
        ("IF(a > 3, 1, 0)", {0: 0.0, 60: 1.0}),
        ("MAX([a, FILL(b, 0)])", {0: 3.0, 60: 4.0}),
        ("SUM([a, b])", {0: 5.0}),
        ("a / (b - 3)", {}),
        ("-a", {0: -2.0, 60: -4.0}),
        ("ABS(-a)", {0: 2.0, 60: 4.0}),
        ("a > 1 && b < 1", {0: 0.0}),
        ("7", {0: 7.0, 60: 7.0}),
        ("3 + 4", {0: 7.0, 60: 7.0}),
        ("FILL(FILL(b, b), b)", {0: 3.0}),
        ("FILL(a / (a - 2), REPEAT)", {60: 2.0}),
        ("IF(a > 3, b, 1)", {0: 1.0}),
    ],
)
def test_metric_math(expression, values):
    """R6.2: arithmetic on common periods, FILL, IF, comparisons and folds."""
    assert evaluate(expression, {"a": {0: 2.0, 60: 4.0}, "b": {0: 3.0}}, [0, 60]) == values


@pytest.mark.parametrize("expression", ["a +", "SEARCH(a)", "nobody", "a.b"])
def test_metric_math_that_the_lab_refuses(expression):
    """R6.2: nothing is silently taken for zero."""
    with pytest.raises(ValueError, match=r"metric math|the lab's"):
        evaluate(expression, {"a": {0: 1.0}}, [0])


@pytest.mark.parametrize(
    ("rule", "state"),
    [
        ('ALARM("a")', "ALARM"),
        ('ALARM("a") AND ALARM(b)', "OK"),
        ('ALARM("a") AND NOT ALARM(b)', "ALARM"),
        ("(OK(b) OR ALARM('c')) AND TRUE", "ALARM"),
        ("INSUFFICIENT_DATA(c)", "ALARM"),
        ('ALARM("arn:aws:cloudwatch:us-west-2:000000000000:alarm:a")', "ALARM"),
        ("FALSE", "OK"),
    ],
)
def test_composite_rules(rule, state):
    """R6.2: composite alarms follow their rule."""
    states = {"a": "ALARM", "b": "OK", "c": "INSUFFICIENT_DATA"}
    assert composite_state(rule, states) == state  # type: ignore[arg-type]


@pytest.mark.parametrize("rule", ["ALARM(nobody)", "ALARM(a) AND", "__import__('os')", "ALARM(a"])
def test_composite_rules_that_are_refused(rule):
    """R6.2: a rule that can't be read, or names no alarm, is an error that says so."""
    with pytest.raises(ValueError, match="composite alarm rule"):
        composite_state(rule, {"a": "OK"})


def test_statistics():
    """R6.1: what GetMetricStatistics would say of the same values."""
    store = MetricStore()
    key = metric_key("us-east-1", "N", "m", {})
    for value in (1, 2, 3, 4, 10):
        store.add(key, value, 30)
    expected = {"Sum": 20, "Average": 4, "Minimum": 1, "Maximum": 10, "SampleCount": 5, "p50": 3}
    found = {name: store.series(key, name, 60) for name in expected}
    assert found == {name: {0: float(value)} for name, value in expected.items()}
    with pytest.raises(ValueError, match="TM99"):
        store.series(key, "TM99", 60)
