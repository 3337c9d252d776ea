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
from recovery.aws import client
from recovery.database_probe import DatabaseProbe
from recovery.environment import Environment
from recovery.notifier import RegionalNotifier, Topic
from recovery.observation import Trigger
from recovery.parameters import Parameter, RecoveryParameters
from recovery.probes import RegionalObserver
from recovery.promoting import Promoting
from recovery.recorded_events import RecordedEvents, Validations
from recovery.stored import JournalTable, StateTable

logger = logging.getLogger(__name__)
logger.setLevel(logging.INFO)

PROBE_SECONDS = 14.0
"""The probe answers within 12 s, and its function ends after 15."""
RDS_SOURCE, SCHEDULE_SOURCE = "aws.rds", "aws.events"


class SystemClock:
    """Port ``Clock``."""

    def now(self) -> float:
        """Seconds since 1970."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that only grow."""
        return time.monotonic()


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
    env, clock = _environment(), SystemClock()
    region, peer = env.settings.region, env.settings.peer
    dynamodb, rds = client("dynamodb", region), client("rds", region)
    database = DatabaseProbe(client("lambda", region, PROBE_SECONDS), env.probe_function, clock.now)
    parameters = RecoveryParameters(
        switch=Parameter(client("ssm", env.switch_region), env.switch_parameter),
        own_epoch=Parameter(client("ssm", region), env.epoch_parameter),
        peer_epoch=Parameter(client("ssm", peer), env.peer_epoch_parameter),
    )
    return Ports(
        table=StateTable(dynamodb, env.table),
        rds=Promoting(
            client=rds,
            peer_client=client("rds", peer),
            global_cluster=env.global_cluster,
            own_arn=env.cluster_arn,
            peer_cluster=env.peer_cluster,
        ),
        parameters=parameters,
        database=database,
        observer=RegionalObserver(
            environment=env,
            rds=rds,
            secrets=client("secretsmanager", region),
            database=database,
            parameters=parameters,
            events=RecordedEvents(dynamodb, env.table),
            validations=Validations(dynamodb, env.table),
        ),
        notifier=RegionalNotifier(
            topics=(
                Topic(client("sns", region), env.topic),
                Topic(client("sns", peer), env.peer_topic),
            ),
            events=client("events", region),
            cloudwatch=client("cloudwatch", region),
            bus=env.bus,
            region=region,
            suffix=env.suffix,
        ),
        journal=JournalTable(dynamodb, env.table, client("s3", region), env.bucket, region),
        clock=clock,
    )
