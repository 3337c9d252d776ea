"""Metrics in log lines, as CloudWatch Logs takes them out (embedded metric format)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lab.emulator.embedded_metrics import of_lines
from lab.facts import LoggedMetric
from lab.metrics.sources import data_of


def line(**more: Any) -> str:
    """A line with the metrics Delay and Waiting."""
    directive = {
        "Namespace": "Own",
        "Dimensions": [["Suffix"], ["Suffix", "Kind"]],
        "Metrics": [{"Name": "Delay", "Unit": "Milliseconds"}],
    }
    document = {"_aws": {"Timestamp": 1, "CloudWatchMetrics": [directive]}}
    return json.dumps({**document, "Suffix": "lab", "Kind": "a", "Delay": 12, **more})


def test_each_metric_of_a_line_under_each_set_of_its_dimensions() -> None:
    """Trap 71: our own measurements reach alarms without a call; lists are several values."""
    found = list(of_lines("us-west-2", ["plain", line(), line(Delay=[1, 2.5])]))
    suffix, both = (("Suffix", "lab"),), (("Suffix", "lab"), ("Kind", "a"))
    assert found == [
        LoggedMetric("us-west-2", "Own", "Delay", dimensions, values)
        for values in ((12.0,), (1.0, 2.5))
        for dimensions in (suffix, both)
    ]
    assert data_of(found[2]) == [
        ("us-west-2", "Own", "Delay", {"Suffix": "lab"}, 1.0),
        ("us-west-2", "Own", "Delay", {"Suffix": "lab"}, 2.5),
    ]


@pytest.mark.parametrize(
    "text",
    [
        '{"_aws": ',
        '"_aws"',
        '{"_aws": {}}',
        line(Delay="late"),
        line(Suffix=1)[:-1] + ', "_aws": 1}',
    ],
)
def test_a_line_that_is_no_metric_is_a_log_line(text: str) -> None:
    """Nothing that a function writes stops its invocation's other lines."""
    assert list(of_lines("us-east-1", [text])) == []
