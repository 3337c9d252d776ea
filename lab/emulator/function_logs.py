"""Functions' logs in CloudWatch Logs, in the form Lambda gives them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from lab.emulator.worker import Outcome

MOST_EVENTS = 2000
"""A stream keeps its newest events: a lab under load must not fill memory and disk."""


def group_name(config: Mapping[str, Any]) -> str:
    """The log group a function writes to."""
    logging = config.get("LoggingConfig") or {}
    return str(logging.get("LogGroup") or f"/aws/lambda/{config['FunctionName']}")


def stream_name(version: str) -> str:
    """A new stream's name; one for each set of workers."""
    return f"{datetime.now(UTC):%Y/%m/%d}/[{version}]{uuid.uuid4().hex}"


def write(
    config: Mapping[str, Any], request_id: str, stream: str, outcome: Outcome, at: float
) -> None:
    """Writes one invocation's START, log lines, END and REPORT, at a lab time in seconds."""
    from ministack.core.responses import request_scope
    from ministack.services import cloudwatch_logs

    arn = str(config["FunctionArn"]).split(":")
    with request_scope(arn[4], arn[3]):
        group = _group(cloudwatch_logs, group_name(config), at)
        now = int(at * 1000)
        target = group["streams"].setdefault(
            stream,
            {
                "events": [],
                "uploadSequenceToken": "1",
                "creationTime": now,
                "firstEventTimestamp": now,
                "lastEventTimestamp": None,
                "lastIngestionTime": None,
            },
        )
        billed = max(1, round(outcome.milliseconds))
        report = (
            f"REPORT RequestId: {request_id}\tDuration: {outcome.milliseconds:.2f} ms\t"
            f"Billed Duration: {billed} ms\tMemory Size: {config.get('MemorySize', 128)} MB"
        )
        if outcome.error and outcome.error["errorType"] == "Sandbox.Timedout":
            report += "\tStatus: timeout"
        lines = [
            f"START RequestId: {request_id} Version: {config.get('Version', '$LATEST')}",
            *outcome.log,
            f"END RequestId: {request_id}",
            report,
        ]
        events = [{"timestamp": now, "message": line, "ingestionTime": now} for line in lines]
        target["events"].extend(events)
        del target["events"][:-MOST_EVENTS]
        target["lastEventTimestamp"] = target["lastIngestionTime"] = now
        if group.get("subscriptionFilters"):
            cloudwatch_logs._fanout_to_subscription_filters(group_name(config), stream, events)


def _group(module: Any, name: str, at: float) -> dict[str, Any]:
    if name not in module._log_groups:
        module._log_groups[name] = {
            "arn": module._make_group_arn(name),
            "creationTime": int(at * 1000),
            "retentionInDays": None,
            "tags": {},
            "subscriptionFilters": {},
            "streams": {},
        }
    return module._log_groups[name]
