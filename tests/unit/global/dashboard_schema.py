"""What CloudWatch accepts as a dashboard's body.

Source: "Dashboard Body Structure and Syntax" (CloudWatch API reference).
"""

from collections.abc import Mapping
from typing import Any

COLUMNS = 24
MOST_WIDGETS = 500
MOST_METRICS_A_WIDGET = 500
VIEWS = {"timeSeries", "singleValue", "gauge", "bar", "pie", "table"}
OPTIONS = {"color", "expression", "id", "label", "period", "region", "stat", "visible", "yAxis"}
MARKS = {"color", "fill", "label", "value", "visible", "yAxis"}
REQUIRED = {"text": {"markdown"}, "metric": {"region"}, "alarm": {"alarms"}}
ALLOWED = {
    "text": {"markdown", "background"},
    "metric": {
        "accountId", "annotations", "liveData", "legend", "metrics", "period", "region",
        "setPeriodToTimeRange",
        "sparkline", "stacked", "stat", "table", "timezone", "title", "view", "yAxis",
    },
    "alarm": {"alarms", "sortBy", "states", "title"},
}  # fmt: skip


def faults(body: Mapping[str, Any]) -> list[str]:
    """What is wrong with a body, one line each."""
    found = [
        f"{key} isn't a key" for key in set(body) - {"start", "end", "periodOverride", "widgets"}
    ]
    if body.get("periodOverride") not in (None, "auto", "inherit"):
        found.append("periodOverride is auto or inherit")
    widgets = body["widgets"]
    if len(widgets) > MOST_WIDGETS:
        found.append(f"more than {MOST_WIDGETS} widgets")
    taken: dict[tuple[int, int], int] = {}
    for number, widget in enumerate(widgets):
        found.extend(f"widget {number}: {fault}" for fault in _widget_faults(widget))
        for x in range(widget["x"], widget["x"] + widget["width"]):
            for y in range(widget["y"], widget["y"] + widget["height"]):
                if taken.setdefault((x, y), number) != number:
                    found.append(f"widget {number}: covers widget {taken[x, y]}")
    return found


def _widget_faults(widget: Mapping[str, Any]) -> list[str]:
    found = []
    if widget["type"] not in REQUIRED:
        return [f"type {widget['type']}"]
    if not 1 <= widget["width"] <= COLUMNS or widget["x"] + widget["width"] > COLUMNS:
        found.append("is wider than the dashboard")
    if not 1 <= widget["height"] <= 1000 or min(widget["x"], widget["y"]) < 0:
        found.append("has no place")
    properties = widget["properties"]
    missing = REQUIRED[widget["type"]] - set(properties)
    unknown = set(properties) - ALLOWED[widget["type"]]
    found.extend(f"lacks {key}" for key in sorted(missing))
    found.extend(f"{key} isn't a property" for key in sorted(unknown))
    if widget["type"] == "metric":
        found.extend(_metric_faults(properties))
    if widget["type"] == "alarm" and not 1 <= len(properties["alarms"]) <= 100:
        found.append("shows 1 to 100 alarms")
    return found


def _metric_faults(properties: Mapping[str, Any]) -> list[str]:
    found = []
    if properties.get("view") not in VIEWS:
        found.append(f"view {properties.get('view')}")
    lines = properties["metrics"]
    if not 1 <= len(lines) <= MOST_METRICS_A_WIDGET:
        found.append("has 1 to 500 metrics")
    for line in lines:
        *names, options = line
        if len(names) < 2 or len(names) % 2 or not all(isinstance(name, str) for name in names):
            found.append(f"line {names} isn't namespace, name, dimensions in pairs")
        if set(options) - OPTIONS or options.get("yAxis", "left") not in ("left", "right"):
            found.append(f"line {names[1]} has unknown options")
    for mark in properties.get("annotations", {}).get("horizontal", []):
        if not isinstance(mark["value"], int | float):
            found.append("an annotation has no value")
        if set(mark) - MARKS or mark.get("yAxis", "left") not in ("left", "right"):
            found.append("an annotation has unknown options")
    return found
