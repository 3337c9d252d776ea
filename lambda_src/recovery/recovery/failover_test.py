"""The Lambda handler that tries a failover's parts without a failover (R10).

The lightest scenario of the drill, where it runs: the zone's name servers answer for both regions,
the standby serves a read, a commit goes through the writer, and a switch of its own is engaged and
released. Users' traffic isn't touched: neither the failover switch nor a record is.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from recovery import database_answers, http_get, probes
from recovery.asking import UnreadableError, ask_all
from recovery.aws import client
from recovery.controller import PROBE_SECONDS
from recovery.database_probe import DatabaseProbe
from recovery.facts import Missing
from recovery.metrics import measure
from recovery.observation import Switch, Witness
from recovery.parameters import Parameter

logger = logging.getLogger(__name__)
logger.setLevel(logging.INFO)

PASSED = "FailoverTest"
READ = "/records?limit=1"
LIMIT_SECONDS = 20.0


@dataclass(frozen=True)
class TrialEnvironment:
    """What one region's test knows."""

    region: str
    suffix: str
    load_balancers: tuple[str, str]
    """Both regions', the own one first."""
    server_name: str
    probe_function: str
    name_servers: tuple[str, ...]
    witnesses: tuple[str, str]
    """One for each region's load balancer."""
    switch_parameter: str
    """The test's own; nobody reads it but the test."""

    @classmethod
    def of(cls, variables: Mapping[str, str]) -> TrialEnvironment:
        """Returns what ``os.environ`` says; raises KeyError naming the variable."""
        return cls(
            region=variables["AWS_REGION"],
            suffix=variables["ENVIRONMENT_SUFFIX"],
            load_balancers=(variables["LOAD_BALANCER"], variables["PEER_LOAD_BALANCER"]),
            server_name=variables.get("SERVER_NAME", ""),
            probe_function=variables["PROBE_FUNCTION"],
            name_servers=tuple(variables["NAME_SERVERS"].split(",")),
            witnesses=(variables["WITNESS"], variables["OWN_WITNESS"]),
            switch_parameter=variables["TEST_SWITCH_PARAMETER"],
        )


def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Makes one test; returns ``{"passed": …, "steps": {name: what was found}}``."""
    del event, context
    env = _environment()
    found = judged(ask_all(steps(env), LIMIT_SECONDS))
    passed = all(step.passed for step in found.values())
    measure(client("cloudwatch", env.region), env.suffix, PASSED, int(passed))
    report = {
        "passed": passed,
        "steps": {
            name: {"passed": step.passed, "found": step.found} for name, step in found.items()
        },
    }
    logger.log(logging.INFO if passed else logging.ERROR, "failover test %s", json.dumps(report))
    return report


@dataclass(frozen=True)
class Step:
    """One step's result, and what was found."""

    passed: bool
    found: str


def judged(answers: Mapping[str, Step | Missing]) -> dict[str, Step]:
    """Returns each step's result; one without an answer failed."""
    return {
        name: Step(passed=False, found=one.reason) if isinstance(one, Missing) else one
        for name, one in answers.items()
    }


def steps(env: TrialEnvironment) -> dict[str, Callable[[], Step]]:
    """Every step by its name; the clients are made before any thread begins."""
    probe = DatabaseProbe(
        client("lambda", env.region, PROBE_SECONDS), env.probe_function, time.time
    )
    switch = Parameter(client("ssm", env.region), env.switch_parameter)
    return {
        "dns": lambda: dns(env),
        "read": lambda: read(env),
        "write": lambda: written(probe.observe()()),
        "switch": lambda: switched(switch),
    }


def dns(env: TrialEnvironment) -> Step:
    """Both regions' witnesses are answered, by the checks that move traffic."""
    answers = [probes.witness(env.name_servers, name) for name in env.witnesses]
    found = ", ".join(
        f"{name} {one.value}" for name, one in zip(env.witnesses, answers, strict=True)
    )
    return Step(all(one is not Witness.UNKNOWN for one in answers), found)


def read(env: TrialEnvironment) -> Step:
    """Both regions' applications serve a read: whichever is the standby serves one as well."""
    answers = [http_get.get(host, READ, server_name=env.server_name) for host in env.load_balancers]
    found = ", ".join(str(one.status or one.fault) for one in answers)
    return Step(all(one.status == 200 for one in answers), found)


def written(answer: Mapping[str, Any]) -> Step:
    """The probe in the VPC committed on the writer, from this region."""
    signal = database_answers.writer(answer)
    return Step(signal.alive, signal.value.value if signal.alive else signal.reason)


def switched(switch: Parameter) -> Step:
    """The test's own switch takes both positions, and is released in the end."""
    seen = []
    for position in (Switch.ENGAGED, Switch.RELEASED):
        switch.write(position.value)
        seen.append(switch.read())
    if seen != [Switch.ENGAGED.value, Switch.RELEASED.value]:
        raise UnreadableError(f"the test's switch says {' and '.join(seen)}")
    return Step(passed=True, found=" and ".join(seen))


@cache
def _environment() -> TrialEnvironment:
    return TrialEnvironment.of(os.environ)
