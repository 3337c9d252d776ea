"""Everything outside of one region's recovery, over AWS's APIs: for the controller's runs, and for
commands that people run elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from recovery.act import Ports
from recovery.database_probe import DatabaseProbe
from recovery.environment import Environment
from recovery.http_get import Get
from recovery.notifier import RegionalNotifier, Topic
from recovery.observe import LIMIT_SECONDS
from recovery.parameters import Parameter, RecoveryParameters
from recovery.probes import RegionalObserver
from recovery.promoting import Promoting
from recovery.recorded_events import RecordedEvents, Validations
from recovery.stored import JournalTable, StateTable

Client = Callable[[str, str], Any]
"""boto3's client of a service in a region, without retries: a retried call would be a second
one."""


class SystemClock:
    """Port ``Clock``."""

    def now(self) -> float:
        """Seconds since 1970."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that only grow."""
        return time.monotonic()


def ports_of(
    env: Environment,
    client: Client,
    clock: SystemClock,
    get: Get | None = None,
    seconds: float = LIMIT_SECONDS,
) -> Ports:
    """Returns the ports of one region; ``get`` is another way to its load balancers, ``seconds``
    an observation's longest."""
    region, peer = env.settings.region, env.settings.peer
    dynamodb, rds = client("dynamodb", region), client("rds", region)
    database = DatabaseProbe(client("lambda", region), env.probe_function, clock.now)
    parameters = parameters_of(env, client)
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
            get=get,
            seconds=seconds,
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
        journal=JournalTable(dynamodb, env.table, client("s3", region), env.journal_bucket, region),
        clock=clock,
    )


def parameters_of(env: Environment, client: Client) -> RecoveryParameters:
    """Returns the switch, and the epoch of both regions."""
    region, peer = env.settings.region, env.settings.peer
    return RecoveryParameters(
        switch=Parameter(client("ssm", env.switch_region), env.switch_parameter),
        own_epoch=Parameter(client("ssm", region), env.epoch_parameter),
        peer_epoch=Parameter(client("ssm", peer), env.peer_epoch_parameter),
    )
