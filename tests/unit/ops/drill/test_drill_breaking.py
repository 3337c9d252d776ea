"""Breaking and giving back: what is broken was written down first, in the lab and on AWS."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from drill_histories import EAST, WEST
from fake_clients import FakeClients, refusal

from lab import client
from lab.client import Status
from lab.errors import LabError, LabInputError
from ops.drill.inject import NO_HANDLER, Injector
from ops.drill.restoration import Restoration, Undo
from ops.drill.scenario import Action, Scenario, Step, load
from ops.errors import OperatorError

OUTPUTS = {
    "global.primary.health_check_id": "check-1",
    "app.primary.function_name": "function-api-east",
    "app.secondary.function_name": "function-api-west",
    "data.global_cluster_id": "g",
    "data.primary.cluster_identifier": "c-east",
    "data.secondary.cluster_identifier": "c-west",
}
GLOBAL = {
    "GlobalClusters": [
        {"GlobalClusterMembers": [
            {"DBClusterArn": f"arn:aws:rds:{one}:1:cluster:c-{one[3:7]}"} for one in (EAST, WEST)
        ]}
    ]
}  # fmt: skip


class Calls:
    """Every call of AWS that was made, with what it was given."""

    def __init__(self, **answers: Any) -> None:
        self.made: list[tuple[str, str, dict[str, Any]]] = []
        self.answers = {
            "get_function_configuration": {"Handler": "index.handler"},
            "get_alias": {"FunctionVersion": "7"},
            "describe_global_clusters": GLOBAL,
            "start_experiment": {"experiment": {"id": "experiment-1"}},
            "get_experiment_template": {
                "experimentTemplate": {"stopConditions": [{"source": "aws:cloudwatch:alarm"}]}
            },
            **answers,
        }

    @property
    def clients(self) -> Any:
        """Clients that note each call."""
        calls = self

        class Noting(FakeClients):
            def get(self, service: str, region: str) -> Any:
                class Service:
                    def __getattr__(self, operation: str) -> Any:
                        def call(**given: Any) -> Any:
                            calls.made.append((region, operation, given))
                            answer = calls.answers.get(operation, {})
                            if isinstance(answer, Exception):
                                raise answer
                            return answer

                        return call

                return Service()

        return Noting({})

    def named(self, operation: str) -> list[tuple[str, dict[str, Any]]]:
        """The calls of one operation: where, with what."""
        return [(region, given) for region, name, given in self.made if name == operation]


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """The lab's commands, noted; it has lost nothing."""
    done: list[tuple[Any, ...]] = []
    for name in ("outage", "fault", "restore"):
        monkeypatch.setattr(client, name, lambda *given, name=name: done.append((name, *given[1:])))
    monkeypatch.setattr(client, "status", lambda _: _status())
    return done


def _status(**changes: Any) -> Status:
    return replace(Status("", 1, "", {}, {}, "127.0.0.1:5", "", 1.0), **changes)


def injector(tmp_path: Path, calls: Calls, lab: bool = True, template: str = "") -> Injector:
    """One over noted calls."""
    state = tmp_path / ".lab" if lab else None
    restoration = Restoration(tmp_path, calls.clients, state)
    return Injector(calls.clients, OUTPUTS, "lab", restoration, state, template)


def one_step(**given: Any) -> Scenario:
    """A scenario of one step, for AWS as well."""
    return replace(load(), steps=(Step(Action.OUTAGE, **given),))


def test_a_region_of_the_lab_is_lost_and_given_back(
    tmp_path: Path, lab: list[tuple[Any, ...]]
) -> None:
    """Written down before it is broken, each thing once; gone from the file when it is given
    back."""
    breaking = injector(tmp_path, Calls())
    breaking.do(Step(Action.OUTAGE, part="compute", mode="flap"))
    breaking.do(Step(Action.FAULT, fault="replication-lag", value="30"))
    breaking.do(Step(Action.FAULT, fault="fence-timeout"))
    assert lab == [
        ("outage", EAST, "compute", "flap"), ("fault", "replication-lag", "30"),
        ("fault", "fence-timeout", None),
    ]  # fmt: skip
    kept = json.loads((tmp_path / "evidence" / "restore.json").read_text())
    assert [one["kind"] for one in kept] == ["region"]
    breaking.restoration.run(pytest.fail)
    assert lab[3:] == [("restore", EAST)]
    assert breaking.restoration.pending() == []


def test_a_bad_deployment_and_a_stopped_controller_are_given_back(
    tmp_path: Path, lab: list[tuple[Any, ...]]
) -> None:
    """The handler as it was, after the alias to what it led to, and the rule's schedule; the last
    one broken is the first one back. The deployment goes around the gate (trap 65)."""
    calls = Calls()
    breaking = injector(tmp_path, calls)
    breaking.do(Step(Action.BAD_DEPLOY))
    breaking.do(Step(Action.STOP_CONTROLLER, WEST))
    breaking.do(Step(Action.START_CONTROLLER, WEST))
    handlers = calls.named("update_function_configuration")
    assert handlers == [(EAST, {"FunctionName": "function-api-east", "Handler": NO_HANDLER})]
    breaking.restoration.run(pytest.fail)
    assert calls.named("disable_rule") == [(WEST, {"Name": "rule-recovery-us-west-2-lab"})]
    assert len(calls.named("enable_rule")) == 2
    assert calls.named("update_function_configuration")[1][1]["Handler"] == "index.handler"
    versions = [given["FunctionVersion"] for _, given in calls.named("update_alias")]
    assert versions == ["$LATEST", "7"]
    assert calls.made[-1][1] == "update_function_configuration"
    assert lab == []


def test_the_command_s_change_goes_to_the_other_region(
    tmp_path: Path, lab: list[tuple[Any, ...]]
) -> None:
    """Issue 20.1: what people run moves the writer, and reports when it begins; nothing is broken
    by it, so nothing has to be given back."""
    moved: list[str] = []

    def planned(region: str, begun: Any) -> None:
        begun()
        moved.append(region)

    breaking = replace(injector(tmp_path, Calls()), planned=planned)
    breaking.do(Step(Action.PLANNED), lambda: moved.append("begun"))
    assert moved == ["begun", WEST]
    assert breaking.restoration.pending() == []
    assert lab == []


def test_a_planned_change_is_asked_for_where_the_writer_is(
    tmp_path: Path, lab: list[tuple[Any, ...]]
) -> None:
    """RECOVERY 1.1: the target is the other region's cluster; there is nothing to undo."""
    calls = Calls()
    breaking = injector(tmp_path, calls)
    breaking.do(Step(Action.SWITCHOVER))
    ((region, given),) = calls.named("switchover_global_cluster")
    assert region == EAST
    assert given["TargetDbClusterIdentifier"] == "arn:aws:rds:us-west-2:1:cluster:c-west"
    assert breaking.restoration.pending() == []
    assert lab == []


def test_a_refused_step_is_one_line(tmp_path: Path, lab: list[tuple[Any, ...]]) -> None:
    """What was broken before stays written down, to be given back."""
    breaking = injector(tmp_path, Calls(disable_rule=refusal()))
    with pytest.raises(OperatorError, match=r"stop-controller of us-west-2 was refused \(AccessD"):
        breaking.do(Step(Action.STOP_CONTROLLER, WEST))
    assert len(breaking.restoration.pending()) == 1
    assert lab == []


def test_what_can_not_be_given_back_stays_written_down(
    tmp_path: Path, lab: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its command is printed, and the next run tries again; what has lost nothing is done."""
    breaking = injector(tmp_path, Calls(enable_rule=refusal()))
    breaking.do(Step(Action.OUTAGE))
    breaking.do(Step(Action.STOP_CONTROLLER, WEST))
    said: list[str] = []

    def nothing_lost(*_: Any) -> None:
        raise LabInputError("us-east-1 has lost nothing")

    monkeypatch.setattr(client, "restore", nothing_lost)
    with pytest.raises(OperatorError, match="1 of what the drill broke isn't given back"):
        breaking.restoration.run(said.append)
    assert said == [
        "not given back (AccessDenied): aws events enable-rule --name rule-recovery-us-west-2-lab "
        "--region us-west-2"
    ]
    assert [one.kind for one in breaking.restoration.pending()] == ["rule"]

    def stopped(*_: Any) -> None:
        raise LabError("the lab isn't running")

    monkeypatch.setattr(client, "restore", stopped)
    breaking.restoration.expect(Undo("region", EAST))
    with pytest.raises(OperatorError, match="2 of what"):
        breaking.restoration.run(said.append)
    assert said[1] == "not given back (the lab isn't running): ./inv lab.restore us-east-1"


def test_a_damaged_file_is_not_passed_over(tmp_path: Path) -> None:
    """Nothing is broken on top of what isn't known."""
    path = tmp_path / "evidence" / "restore.json"
    path.parent.mkdir()
    path.write_text("[{")
    with pytest.raises(OperatorError, match="give it back, then remove that file"):
        injector(tmp_path, Calls()).restoration.pending()


@pytest.mark.parametrize(
    "changes", [{"outages": {EAST: ["api"]}}, {"faults": {"describe-stale": True}}]
)
def test_a_lab_that_has_lost_something_already_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    """Issue 20, bad input: a region that is down already; nothing is touched."""
    monkeypatch.setattr(client, "status", lambda _: _status(**changes))
    with pytest.raises(OperatorError, match="has lost something already"):
        injector(tmp_path, Calls()).refuse(load())


def test_a_whole_lab_is_not_refused(tmp_path: Path, lab: list[tuple[Any, ...]]) -> None:
    """Every scenario can be played there."""
    injector(tmp_path, Calls()).refuse(load("fence-timeout"))
    assert lab == []


def test_on_aws_requests_are_moved_by_an_inverted_check(tmp_path: Path) -> None:
    """Issue 20.6: reversible, and its undo is known before."""
    calls = Calls()
    breaking = injector(tmp_path, calls, lab=False)
    chosen = load("application-only")
    breaking.refuse(chosen)
    (undo,) = breaking.undoes(chosen)
    assert undo.command == (
        "aws route53 update-health-check --health-check-id check-1 --no-inverted --region us-east-1"
    )
    breaking.do(chosen.steps[0])
    assert calls.named("update_health_check")[0][1]["Inverted"] is True
    breaking.restoration.run(pytest.fail)
    assert calls.named("update_health_check")[1][1] == {
        "HealthCheckId": "check-1", "Inverted": False,
    }  # fmt: skip


def test_on_aws_a_region_is_lost_by_an_experiment(tmp_path: Path) -> None:
    """Only with a stop alarm; what is given back is the experiment that was begun."""
    calls = Calls()
    breaking = injector(tmp_path, calls, lab=False, template="template-1")
    breaking.refuse(load())
    breaking.do(Step(Action.OUTAGE))
    assert calls.named("start_experiment") == [(EAST, {"experimentTemplateId": "template-1"})]
    breaking.restoration.run(pytest.fail)
    assert calls.named("stop_experiment") == [(EAST, {"id": "experiment-1"})]


@pytest.mark.parametrize(
    ("scenario", "template", "answer", "line"),
    [
        (load("peering-cut"), "", None, "scenario peering-cut is for the lab"),
        (load(), "", None, "on AWS needs an experiment: --template ID"),
        (load(), "t", {"experimentTemplate": {"stopConditions": [{"source": "none"}]}},
         "has no stop alarm"),
        (load(), "t", refusal("ResourceNotFoundException"), "template t: ResourceNotFoundExcept"),
    ],
)  # fmt: skip
def test_on_aws_what_is_not_reversible_is_refused(
    tmp_path: Path, scenario: Scenario, template: str, answer: Any, line: str
) -> None:
    """Bad input: before anything is touched."""
    calls = Calls(**({"get_experiment_template": answer} if answer else {}))
    with pytest.raises(OperatorError, match=line):
        injector(tmp_path, calls, lab=False, template=template).refuse(scenario)
    assert not [name for _, name, _ in calls.made if not name.startswith("get_")]


def test_a_part_alone_needs_no_experiment(tmp_path: Path) -> None:
    """The commands that a person would run to the same effect."""
    injector(tmp_path, Calls(), lab=False).refuse(one_step(part="compute"))
    handler = Undo("handler", EAST, {"function": "f", "handler": "index.handler", "version": "7"})
    assert handler.command == (
        "aws lambda update-alias --function-name f --name live --function-version 7 "
        "--region us-east-1"
    )
    assert Undo("experiment", EAST, {"id": "x"}).command.startswith("aws fis stop-experiment")
