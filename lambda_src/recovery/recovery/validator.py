"""The Lambda handler that proves every five minutes, and on demand, that a failover would work.

One in each region. It gathers facts (``validation_questions``, ``crossing``), lets ``checks`` judge
them, and keeps the result where the region's controller reads it: without a fresh validation that
found everything ready the controller calls a person instead of promoting.
"""

from __future__ import annotations

import logging
import os
import time
import uuid
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from recovery import checks, database_answers, describe, http_get, probes
from recovery import validation_questions as questions
from recovery.asking import ask_all
from recovery.aws import client
from recovery.controller import PROBE_SECONDS, run_of
from recovery.crossing import EventWay, ObjectWay, Timer, cross, to_keep
from recovery.database_probe import DatabaseProbe
from recovery.facts import Facts, Missing
from recovery.kept_validations import KeptValidations, Markers
from recovery.metrics import measure
from recovery.observation import Reader, Trigger
from recovery.shared_parameters import SharedParameters
from recovery.stored import StateTable
from recovery.validator_environment import ValidatorEnvironment
from recovery.verdict import validation_of

logger = logging.getLogger(__name__)
logger.setLevel(logging.INFO)

LIMIT_SECONDS = 13.0
"""A run where everybody answers takes two or three seconds; the probe's two tries of 5 s at a
silent writer must fit in."""
READY_AGAIN_SECONDS = 2.5
"""The application gives the same answer for 2 s."""
READINESS = "FailoverReadiness"


def handler(event: Mapping[str, Any], context: Any) -> str:
    """Makes one run; returns in one line what became of it."""
    environment = _environment()
    this = run_of(event, getattr(context, "aws_request_id", "") or str(uuid.uuid4()))
    line = validate(environment, this.minute, scheduled=this.trigger is Trigger.SCHEDULE)
    logger.info(line)
    return line


def validate(env: ValidatorEnvironment, minute: int, *, scheduled: bool) -> str:
    """Gathers, judges, keeps and measures; raises ``UnavailableError`` where the region's own
    table can't be read: then the last validation grows old."""
    kept = KeptValidations(client("dynamodb", env.region), env.table)
    state = StateTable(client("dynamodb", env.region), env.table).load()
    # A lab's schedule may be ahead of this machine's clock.
    minute = minute if scheduled else max(minute, state.last_minute or 0)
    markers, before = kept.markers(), kept.newest()
    answers = ask_all(questions_of(env, markers, minute), LIMIT_SECONDS)
    facts = Facts(
        region=env.region, peer=env.peer, now=minute * 60.0,
        standing=questions.standing(state, minute), **answers,
    )  # fmt: skip
    findings = checks.examine(facts)
    validation = validation_of(findings, facts, minute, before)
    kept.store(validation)
    kept.drop_old(minute)
    kept.keep(Markers(to_keep(facts.objects), to_keep(facts.events)))
    measure(client("cloudwatch", env.region), env.suffix, READINESS, int(validation.ready))
    for finding in findings:
        logger.info("%s: %s: %s", finding.check, finding.result, finding.text)
    return f"readiness {int(validation.ready)}: {'; '.join(validation.reasons) or 'every check'}"


def questions_of(
    env: ValidatorEnvironment, markers: Markers, minute: int
) -> dict[str, Callable[[], Any]]:
    """Every question by the fact that it gives; the clients are made before any thread begins."""
    own, peer = env.region, env.peer
    rds, peer_rds = client("rds", own), client("rds", peer)
    secrets, peer_secrets = client("secretsmanager", own), client("secretsmanager", peer)
    ssm, peer_ssm = client("ssm", own), client("ssm", peer)
    functions, peer_functions = client("lambda", own), client("lambda", peer)
    iam, cloudwatch, sns = client("iam", own), client("cloudwatch", own), client("sns", own)
    backup = client("backup", own)
    probe = DatabaseProbe(client("lambda", own, PROBE_SECONDS), env.probe_function, time.time)
    objects = ObjectWay(client("s3", peer), client("s3", own), env.peer_bucket, env.bucket, own)
    events = EventWay(client("events", peer), client("sqs", own), env.peer_bus, env.marker_queue)
    timer = Timer(time.monotonic, time.sleep)
    # Two runs of one minute have markers of their own.
    at = minute * 60 + round(time.monotonic() % 1, 6)
    return {
        "own": lambda: questions.member(rds, env.cluster),
        "other": lambda: questions.member(peer_rds, env.peer_cluster),
        "global_cluster": lambda: describe.global_cluster(
            rds, env.global_cluster, env.cluster_arn(own)
        ),
        "own_ready": lambda: _unready(env, env.load_balancer, secrets, env.secrets[0]),
        "other_ready": lambda: _unready(env, env.peer_load_balancer, secrets, env.secrets[0]),
        "own_secrets": lambda: questions.secret_digests(secrets, env.secrets),
        "other_secrets": lambda: questions.secret_digests(peer_secrets, env.peer_secrets),
        "own_parameters": lambda: SharedParameters(ssm, env.shared_path(own)).all(),
        "other_parameters": lambda: SharedParameters(peer_ssm, env.shared_path(peer)).all(),
        "reader": lambda: _reader(probe.observe()(), own),
        "objects": lambda: (
            cross(objects, markers.objects, at, timer) if env.objects_arrive else None
        ),
        "events": lambda: cross(events, markers.events, at, timer),
        "own_quota": lambda: questions.quota(functions),
        "other_quota": lambda: questions.quota(peer_functions),
        "denied": lambda: questions.denied(iam, env.controller_role, env.calls()),
        "unarmed": lambda: questions.unarmed(cloudwatch, env.alarms, env.topic),
        "witness": lambda: probes.witness(env.name_servers, env.witness),
        "subscriptions": lambda: questions.confirmed_subscriptions(sns, env.topic),
        "backup": lambda: questions.newest_backup(backup, env.vault),
    }


def _unready(
    env: ValidatorEnvironment, load_balancer: str, secrets: Any, token_arn: str
) -> Mapping[str, str]:
    """Asks again where a part isn't ready: one slow answer of the database is no finding."""
    token = str(secrets.get_secret_value(SecretId=token_arn)["SecretString"])

    def asked() -> Mapping[str, str]:
        headers = {probes.TOKEN_HEADER: token}
        return questions.unready_parts(
            http_get.get(load_balancer, probes.READY, headers, env.server_name)
        )

    first = asked()
    if not first:
        return first
    time.sleep(READY_AGAIN_SECONDS)
    return asked()


def _reader(answer: Mapping[str, Any], region: str) -> Reader | Missing:
    signal, reader = database_answers.reader(answer, region)
    if reader is None:
        return Missing(f"the own reader shows no heartbeat: {signal.reason or 'none'}", asked=True)
    return reader


@cache
def _environment() -> ValidatorEnvironment:
    return ValidatorEnvironment.of(os.environ)
