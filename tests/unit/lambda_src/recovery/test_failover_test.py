"""The failover test: every step by what it finds, and nothing of the users' is touched."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from recovery import failover_test
from recovery.asking import UnreadableError
from recovery.facts import Missing
from recovery.failover_test import Step, TrialEnvironment, judged, switched, written
from recovery.http_get import Answered
from recovery.observation import Witness
from recovery.parameters import Parameter

VARIABLES = {
    "AWS_REGION": "us-west-2",
    "ENVIRONMENT_SUFFIX": "lab",
    "LOAD_BALANCER": "west.elb",
    "PEER_LOAD_BALANCER": "east.elb",
    "SERVER_NAME": "",
    "PROBE_FUNCTION": "function-probe",
    "NAME_SERVERS": "ns-1.test,ns-2.test",
    "WITNESS": "witness.test",
    "OWN_WITNESS": "witness-standby.test",
    "TEST_SWITCH_PARAMETER": "/own/failover-test-switch",
}
COMMITTED = {"writer_sql": {"value": "alive"}}
SILENT = {"writer_sql": {"value": "dead", "tries": [{"reason": "timeout"}, {"reason": "timeout"}]}}


class World:
    """Both regions as one test meets them."""

    def __init__(self) -> None:
        self.probed: dict[str, Any] = COMMITTED
        self.parameters: list[tuple[str, str]] = []
        self.metrics: list[float] = []
        self.reads = {"west.elb": Answered(200), "east.elb": Answered(200)}
        self.witnesses = {"witness.test": Witness.PRIMARY, "witness-standby.test": Witness.PRIMARY}

    def client(self, service: str, *_: Any) -> Any:
        """As ``recovery.aws.client``."""
        if service == "lambda":
            payload = io.BytesIO(json.dumps(self.probed).encode())
            return SimpleNamespace(invoke=lambda **_: {"Payload": payload})
        if service == "ssm":
            return SimpleNamespace(put_parameter=self._put, get_parameter=self._get)
        return SimpleNamespace(
            put_metric_data=lambda **given: self.metrics.append(given["MetricData"][0]["Value"])
        )

    def _put(self, **given: Any) -> None:
        self.parameters.append((given["Name"], given["Value"]))

    def _get(self, **_: Any) -> dict[str, Any]:
        return {"Parameter": {"Value": self.parameters[-1][1]}}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Everything in order."""
    made = World()
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(failover_test, "client", made.client)
    monkeypatch.setattr(failover_test.http_get, "get", lambda host, *_, **__: made.reads[host])
    monkeypatch.setattr(failover_test.probes, "witness", lambda _, name: made.witnesses[name])
    failover_test._environment.cache_clear()
    yield made
    failover_test._environment.cache_clear()


def test_a_failover_that_would_work_passes(world: World) -> None:
    """R10: DNS both ways, a read in both regions, a commit, and the test's own switch, released in
    the end."""
    report = failover_test.handler({}, None)
    assert report["passed"]
    assert set(report["steps"]) == {"dns", "read", "write", "switch"}
    own = "/own/failover-test-switch"
    assert world.parameters == [(own, "engaged"), (own, "released")]
    assert world.metrics == [1]


@pytest.mark.parametrize(
    ("changes", "failed"),
    [
        ({"witnesses": {"witness.test": Witness.UNKNOWN, "witness-standby.test": Witness.PRIMARY}},
         "dns"),
        ({"reads": {"west.elb": Answered(503), "east.elb": Answered(200)}}, "read"),
        ({"reads": {"west.elb": Answered(200), "east.elb": Answered(None, "refused")}}, "read"),
        ({"probed": SILENT}, "write"),
    ],
)  # fmt: skip
def test_a_step_that_fails_is_named(world: World, changes: dict[str, Any], failed: str) -> None:
    """Each by what it tries, and the metric says 0."""
    for name, value in changes.items():
        setattr(world, name, value)
    report = failover_test.handler({}, None)
    assert not report["passed"]
    assert [name for name, step in report["steps"].items() if not step["passed"]] == [failed]
    assert world.metrics == [0]


def test_a_step_without_an_answer_failed() -> None:
    """What can't be asked isn't proven."""
    found = judged({"dns": Missing("dns: no answer", asked=False), "read": Step(True, "200")})
    assert [step.passed for step in found.values()] == [False, True]


def test_a_switch_that_does_not_move_is_a_fault() -> None:
    """What was written is read again."""
    stuck: Any = SimpleNamespace(
        put_parameter=lambda **_: None,
        get_parameter=lambda **_: {"Parameter": {"Value": "released"}},
    )
    with pytest.raises(UnreadableError, match="says released and released"):
        switched(Parameter(stuck, "/own"))


def test_why_nothing_was_written_is_said() -> None:
    """The probe's own reason."""
    assert written(COMMITTED) == Step(True, "alive")
    assert not written(SILENT).passed


def test_a_variable_that_is_missing_is_named() -> None:
    """The environment is read whole."""
    with pytest.raises(KeyError, match="OWN_WITNESS"):
        TrialEnvironment.of({k: v for k, v in VARIABLES.items() if k != "OWN_WITNESS"})
