"""The Lambda handler that carries shared parameters from the writer's region to the other one.

By each change's event, which looks at that one parameter, and by a full run every five minutes,
since those events are best effort (trap 28). One function in each region; the one where the writer
is acts, the other one only measures.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from recovery.aws import client
from recovery.describe import global_cluster, writes
from recovery.metrics import measure
from recovery.parameter_plan import (
    EPOCH,
    Change,
    Plan,
    Put,
    Roles,
    Settings,
    lag_seconds,
    plan,
    refusal,
    waiting_since,
)
from recovery.shared_parameters import SharedParameters

logger = logging.getLogger(__name__)
logger.setLevel(logging.INFO)

SSM_SOURCE = "aws.ssm"
LAG = "ParameterLag"
SEEN_KEY: dict[str, Any] = {"kind": {"S": "synchronised"}, "number": {"N": "0"}}


@dataclass(frozen=True)
class SynchroniserEnvironment:
    """What one region's function knows."""

    region: str
    peer: str
    suffix: str
    table: str
    global_cluster: str
    cluster: str
    cluster_arn: str
    peer_cluster: str
    path: str
    """Above the own region's shared parameters, without a slash at its end."""
    peer_path: str

    @classmethod
    def of(cls, variables: Mapping[str, str]) -> SynchroniserEnvironment:
        """Returns what ``os.environ`` says; raises KeyError naming the variable."""
        return cls(
            region=variables["AWS_REGION"],
            peer=variables["PEER_REGION"],
            suffix=variables["ENVIRONMENT_SUFFIX"],
            table=variables["RECOVERY_TABLE"],
            global_cluster=variables["GLOBAL_CLUSTER"],
            cluster=variables["CLUSTER"],
            cluster_arn=variables["CLUSTER_ARN"],
            peer_cluster=variables["PEER_CLUSTER"],
            path=variables["SHARED_PATH"],
            peer_path=variables["PEER_SHARED_PATH"],
        )


def handler(event: Mapping[str, Any], context: Any) -> str:
    """Makes one run; returns in one line what became of it."""
    del context
    env = _environment()
    own = SharedParameters(client("ssm", env.region), env.path)
    other = SharedParameters(client("ssm", env.peer), env.peer_path)
    if event.get("source") == SSM_SOURCE:
        line = of_one(env, own, other, own.key_of(str(event["detail"]["name"])))
    else:
        line = of_all(env, own, other, _moment(event))
    logger.info(line)
    return line


def of_one(
    env: SynchroniserEnvironment, own: SharedParameters, other: SharedParameters, key: str
) -> str:
    """Carries one parameter as it is *now*: events come late, twice or in another order."""
    keys = (key, EPOCH)
    ours, theirs = own.some(keys), other.some(keys)
    why = refusal(roles(env), ours, theirs)
    if why:
        return f"{key}: nothing done: {why}"
    made = plan(_only(ours, key), _only(theirs, key))
    return f"{key}: {carry(other, made)}"


def of_all(
    env: SynchroniserEnvironment, own: SharedParameters, other: SharedParameters, now: float
) -> str:
    """Compares everything, carries what differs, and measures how long the oldest difference
    waits; the region that doesn't write measures as well, so that one dead function isn't silent.
    """
    ours, theirs = own.all(), other.all()
    roles_ = roles(env)
    why = refusal(roles_, ours, theirs)
    # Where the other region writes, what differs is what it owes this one.
    wanted = plan(theirs, ours) if roles_.other_writes else plan(ours, theirs)
    since = waiting_since(wanted, _seen(env), now)
    done = f"nothing done: {why}" if why else carry(other, wanted)
    _keep(env, since if why else {})
    lag = lag_seconds(since, now)
    measure(client("cloudwatch", env.region), env.suffix, LAG, lag)
    return f"{done}; the oldest difference was {lag:.0f} s old"


def carry(other: SharedParameters, made: Plan) -> str:
    """Carries a plan out, the epoch first: what it belongs to follows."""
    for change in sorted(made.changes, key=_epoch_last_to_first):
        if isinstance(change, Put):
            other.put(change.key, change.setting)
        else:
            other.delete(change.key)
    for line in made.overwritten:
        logger.warning("overwritten in the other region: %s", line)
    return f"{len(made.changes)} changes, {len(made.overwritten)} of them over later ones"


def roles(env: SynchroniserEnvironment) -> Roles:
    """Asks both regions who writes; errors are raised: without an answer nothing moves."""
    own, peer = client("rds", env.region), client("rds", env.peer)
    seen = global_cluster(own, env.global_cluster, env.cluster_arn)
    ours = own.describe_db_clusters(DBClusterIdentifier=env.cluster)["DBClusters"][0]
    theirs = peer.describe_db_clusters(DBClusterIdentifier=env.peer_cluster)["DBClusters"][0]
    return Roles(
        own_writes=writes(ours) and seen.own_writer,
        other_writes=writes(theirs),
        moving=bool(seen.failover_state),
    )


def _only(settings: Settings, key: str) -> Settings:
    return {key: settings[key]} if key in settings else {}


def _epoch_last_to_first(change: Change) -> bool:
    return change.key != EPOCH


def _moment(event: Mapping[str, Any]) -> float:
    """The scheduled time: a lab's schedule may be ahead of this machine's clock."""
    if "time" in event:
        return datetime.fromisoformat(str(event["time"]).replace("Z", "+00:00")).timestamp()
    return time.time()


def _seen(env: SynchroniserEnvironment) -> dict[str, float]:
    found = client("dynamodb", env.region).get_item(TableName=env.table, Key=SEEN_KEY).get("Item")
    return json.loads(found["body"]["S"]) if found else {}


def _keep(env: SynchroniserEnvironment, since: Mapping[str, float]) -> None:
    item = {**SEEN_KEY, "body": {"S": json.dumps(since, sort_keys=True)}}
    client("dynamodb", env.region).put_item(TableName=env.table, Item=item)


@cache
def _environment() -> SynchroniserEnvironment:
    return SynchroniserEnvironment.of(os.environ)
