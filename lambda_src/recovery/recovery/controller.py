"""The Lambda handler: one run a scheduled minute, and RDS's events as they come.

An event of EventBridge's source ``aws.events`` is the schedule's, and its ``time`` the scheduled
one; an event of ``aws.rds`` is stored for the next run; anything else is a run that a person asked
for, which counts nothing (H31).
"""

from __future__ import annotations

import logging
import os
import time
import uuid
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any

from recovery.act import Ports, Run, run
from recovery.aws import READ_SECONDS, client
from recovery.environment import Environment
from recovery.observation import Trigger
from recovery.outside import SystemClock, ports_of
from recovery.recorded_events import RecordedEvents

logger = logging.getLogger(__name__)
logger.setLevel(logging.INFO)

PROBE_SECONDS = 14.0
"""The probe answers within 12 s, and its function ends after 15."""
RDS_SOURCE, SCHEDULE_SOURCE = "aws.rds", "aws.events"


def handler(event: Mapping[str, Any], context: Any) -> str:
    """Makes one run, or stores one event; returns in one line what became of it."""
    environment = _environment()
    if event.get("source") == RDS_SOURCE:
        stored = RecordedEvents(client("dynamodb", environment.settings.region), environment.table)
        line = f"stored {stored.store(event).id}"
    else:
        this = run_of(event, getattr(context, "aws_request_id", "") or str(uuid.uuid4()))
        line = run(_ports(), environment.settings, this)
    logger.info(line)
    return line


def run_of(event: Mapping[str, Any], identifier: str) -> Run:
    """Returns what started a run: by the schedule in its minute, else by a person, now."""
    if event.get("source") != SCHEDULE_SOURCE:
        return Run(identifier, int(time.time()) // 60, Trigger.MANUAL)
    moment = datetime.fromisoformat(str(event["time"]).replace("Z", "+00:00"))
    return Run(identifier, int(moment.timestamp()) // 60)


@cache
def _environment() -> Environment:
    return Environment.of(os.environ)


@cache
def _ports() -> Ports:
    """Everything outside, made once a process."""
    return ports_of(_environment(), _client, SystemClock())


def _client(service: str, region: str) -> Any:
    """A client; only the database's probe may take longer."""
    return client(service, region, PROBE_SECONDS if service == "lambda" else READ_SECONDS)
