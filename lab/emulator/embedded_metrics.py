"""Metrics in functions' log lines: CloudWatch Logs takes them out, in the embedded metric format.

Source: CloudWatch user guide, "Specification: Embedded metric format". What isn't of that form is a
log line like any other.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from lab.facts import LoggedMetric

MARK = '"_aws"'


def of_lines(region: str, lines: Iterable[str]) -> Iterator[LoggedMetric]:
    """The metrics in these log lines, one for each metric and set of dimensions."""
    for line in lines:
        if MARK not in line:
            continue
        try:
            document = json.loads(line)
            yield from list(_of_document(region, document))
        except (ValueError, KeyError, TypeError, AttributeError):
            continue


def _of_document(region: str, document: Mapping[str, Any]) -> Iterator[LoggedMetric]:
    for directive in document["_aws"]["CloudWatchMetrics"]:
        for metric in directive["Metrics"]:
            name = metric["Name"]
            values = document[name]
            numbers = tuple(float(x) for x in (values if isinstance(values, list) else [values]))
            for keys in directive["Dimensions"] or [[]]:
                dimensions = tuple((key, str(document[key])) for key in keys)
                yield LoggedMetric(region, directive["Namespace"], name, dimensions, numbers)
