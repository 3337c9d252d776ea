"""``./inv failback`` and ``failover --planned``: a switchover without loss, over the simulator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from fake_clients import FakeClient, refusal
from recovery_tables import lost as unreachable
from recovery_world import Both, SimulatedRds, arn, world
from simulator.truth import EAST, WEST

from ops.cloud import objects, regions
from ops.errors import ExitCode, OperatorError
from ops.recovery import failback, switchover
from ops.recovery.switchover import Standing, Step, next_step
from recovery import commands
from recovery.model import Hold, Stage, Tail
from recovery.observation import Switch


@pytest.fixture(autouse=True)
def _measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replication is close behind, and no object waits."""
    monkeypatch.setattr(regions, "lag_ms", lambda *_: 400.0)
    monkeypatch.setattr(objects, "pending", lambda *_: 0)


def promoted(*, reconciled: bool = True) -> Both:
    """us-west-2 was promoted, us-east-1 is its standby again, and people have looked."""
    both = world()
    both.lose(EAST)
    both.controllers(12)
    assert both.truth.writer == WEST
    both.restore(EAST)
    both.controllers(2)
    if reconciled:
        both.items.change(
            lambda state: commands.reconciled(state, Tail.ACCEPTED) if state.incident else state
        )
    both.items.change(lambda state: commands.acknowledge(state, 2))
    both.controllers(5)
    assert both.state(EAST).armed
    return both


def refused(both: Both, region: str = EAST, **options: Any) -> OperatorError:
    """A refusal, after which both items and the calls are as they were."""
    before = {name: table.item for name, table in both.tables.items()}
    with pytest.raises(OperatorError) as caught:
        switchover.run(both, region, **options)
    assert {name: table.item for name, table in both.tables.items()} == before
    assert both.rds[WEST].called == both.rds[EAST].called == []
    return caught.value


def test_writer_and_traffic_return_and_both_controllers_are_at_their_posts() -> None:
    """Issue 18.3: called in the current primary's region, proven, epoch grown, switch released,
    nothing held or open afterwards."""
    both = promoted()
    lines: list[str] = []
    done = failback.run(both, report=lines.append)
    assert (done.region, done.epoch, done.traffic) == (EAST, 3, EAST)
    assert set(done.as_dict()) == {
        "region", "epoch", "switchover_seconds", "proof_seconds", "traffic", "traffic_seconds",
    }  # fmt: skip
    assert both.rds[WEST].called == [
        {
            "GlobalClusterIdentifier": f"global_cluster-{WEST}",
            "TargetDbClusterIdentifier": arn(EAST),
        }
    ]
    assert (both.truth.writer, both.truth.switch, both.truth.epoch[EAST]) == (EAST, "released", 3)
    for region in (EAST, WEST):
        state = both.state(region)
        assert (state.stage, state.epoch, state.incident, state.hold) == (
            Stage.WATCHING, 3, None, None,
        )  # fmt: skip
    assert "loses      nothing" in lines[1]
    both.controllers(5)
    assert (both.state(WEST).armed, both.state(EAST).armed) == (True, False)
    assert [region for _, region in both.truth.accepted] == [WEST]
    fault = refused(replace(both, rds={r: SimulatedRds(both.truth, r) for r in (EAST, WEST)}))
    assert fault.code is ExitCode.BAD_INPUT
    assert str(fault).startswith("us-east-1 writes already and nothing is left to do")


def test_at_home_nothing_is_touched() -> None:
    """Bad input: failback when home is one line."""
    assert "us-east-1 writes already" in str(refused(world()))


def test_planned_the_standby_takes_over_and_gives_back() -> None:
    """The same in the other direction: roles swapped are a normal state, without an incident."""
    both = world()
    there = switchover.run(both, WEST)
    assert (there.region, there.epoch, both.truth.switch) == (WEST, 2, "engaged")
    both.controllers(5)
    assert (both.state(EAST).armed, both.state(WEST).armed) == (True, False)
    assert both.state(WEST).incident is None
    assert failback.run(both).epoch == 3
    assert both.truth.wrong == []


def lag(milliseconds: float | None) -> Callable[[Both, pytest.MonkeyPatch], object]:
    """A lag that is measured, or isn't."""
    return lambda _both, patch: patch.setattr(regions, "lag_ms", lambda *_: milliseconds)


def failing(module: Any, name: str) -> Callable[[Both, pytest.MonkeyPatch], object]:
    """CloudWatch doesn't answer."""

    def fails(*_: Any) -> Any:
        raise unreachable()

    return lambda _both, patch: patch.setattr(module, name, fails)


def unsynchronised(both: Both, _patch: pytest.MonkeyPatch) -> None:
    """us-east-1 is back, and not resynchronised."""
    both.truth.demoted_since = both.truth.now


H21: list[tuple[str, Callable[[Both, pytest.MonkeyPatch], object], str]] = [
    ("resync", unsynchronised, "us-east-1 isn't resynchronised"),
    ("lag", lag(1200.0), "the lag is 2 s, at most 1 s"),
    ("no lag", lag(None), "the lag is unknown, at most 1 s"),
    ("lag fails", failing(regions, "lag_ms"), "the lag is unknown"),
    ("objects fail", failing(objects, "pending"), "unknown objects wait for replication"),
    (
        "objects",
        lambda _both, patch: patch.setattr(objects, "pending", lambda *_: 2),
        "4 objects wait for replication",
    ),
]


@pytest.mark.parametrize(("name", "cause", "why"), H21, ids=[case[0] for case in H21])
def test_each_reason_refuses_alone(
    name: str,
    cause: Callable[[Both, pytest.MonkeyPatch], object],
    why: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """H21: with its reason, and nothing is touched."""
    del name
    both = promoted()
    cause(both, monkeypatch)
    fault = refused(both)
    assert fault.code is ExitCode.BAD_INPUT
    assert str(fault).startswith(f"no switchover to us-east-1: {why}")


def test_an_open_tail_refuses() -> None:
    """H21: reconciled, or accepted by name."""
    assert "tail isn't reconciled or accepted (./inv recovery.reconcile)" in str(
        refused(promoted(reconciled=False))
    )


def test_nothing_is_touched_without_a_confirmation() -> None:
    """The typed word is the region that becomes the writer."""
    asked: list[str] = []
    fault = refused(promoted(), confirm=lambda word: bool(asked.append(word)))
    assert "not confirmed" in str(fault)
    assert asked == [EAST]


@pytest.mark.parametrize("lost", [EAST, WEST])
def test_both_regions_must_answer(lost: str) -> None:
    """A switchover is for healthy regions; a lost one is a failover's."""
    both = promoted()
    both.tables[lost].fault = unreachable()
    assert f"{lost} doesn't answer" in str(refused(both))
    both.tables[lost].fault = None
    both.truth.on.add(f"{lost} api")
    assert "a switchover needs both regions" in str(refused(both))


def test_a_call_that_is_refused_leaves_the_writer_at_work() -> None:
    """The hold and the mark go; the reason is AWS's."""
    both = promoted()
    error = refusal("InvalidGlobalClusterStateFault", "SwitchoverGlobalCluster")
    error.response["ResponseMetadata"] = {"HTTPStatusCode": 400}  # type: ignore[typeddict-item]
    both.rds[WEST].refuses = error
    with pytest.raises(OperatorError, match=r"is refused: .*InvalidGlobalClusterState.*; nothing"):
        failback.run(both)
    assert (both.state(WEST).stage, both.state(WEST).hold) == (Stage.READY, None)
    assert both.state(EAST).hold is None
    both.rds[WEST].refuses = None
    assert failback.run(both).epoch == 3


@pytest.mark.parametrize("fault", [refusal("InternalFailure"), unreachable()])
def test_an_unclear_call_is_settled_by_describe(fault: Exception) -> None:
    """It may have begun: the answer is what RDS shows."""
    both = promoted()
    both.rds[WEST].refuses = fault
    both.truth.on.add("switchover")
    both.truth.on.discard("switchover")

    def sleep(seconds: float) -> None:
        both.truth.advance(int(seconds))
        both.truth.writer = EAST

    assert failback.run(replace(both, sleep=sleep)).epoch == 3


def test_a_switchover_that_rds_gives_up_is_said() -> None:
    """Accepted, and half a minute later nothing runs: the old writer writes, nothing is held."""
    both = promoted()
    both.rds[WEST].gives_up = True
    with pytest.raises(OperatorError, match="gave the switchover up: us-west-2 still writes"):
        failback.run(both)
    assert (both.state(WEST).stage, both.state(WEST).hold) == (Stage.READY, None)


def test_a_switchover_that_never_ends_is_left_to_the_same_command() -> None:
    """After 900 s; Describe failing in between stops no waiting. The same command resumes."""
    both = promoted()
    both.truth.on.add("never ends")
    throttled: list[str] = []

    def sleep(seconds: float) -> None:
        both.truth.on ^= {"global throttled"}
        both.sleep(seconds)

    with pytest.raises(OperatorError, match="isn't complete after 900 s"):
        failback.run(replace(both, sleep=sleep), report=throttled.append)
    assert any("Throttling" in line for line in throttled)
    assert both.state(WEST).stage is Stage.FAILING_BACK
    both.truth.on -= {"never ends", "global throttled"}
    assert failback.run(both).epoch == 3
    assert len(both.rds[WEST].called) == 1


STEPS = ["fail_back", "wait", "prove", "settle", "follow_dns"]


@pytest.mark.parametrize("step", STEPS[1:])
def test_killed_at_any_step_the_same_command_goes_on(
    step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Resumable, and the epoch grows once."""
    both = promoted()

    class Killed(BaseException):
        pass

    def killed(_self: switchover.Switchover) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(switchover.Switchover, step, killed)
        with pytest.raises(Killed):
            failback.run(both)
    if step == "follow_dns":
        with pytest.raises(OperatorError, match="writes already"):
            failback.run(both)
    else:
        assert failback.run(both).epoch == 3
    assert (both.truth.writer, both.truth.switch, both.state(WEST).epoch) == (EAST, "released", 3)
    assert both.truth.epoch[EAST] == 3
    assert len(both.rds[WEST].called) == 1


def test_killed_between_the_epoch_and_the_items_it_grows_no_second_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """us-west-2's controller reads the new epoch meanwhile and watches again."""
    both = promoted()

    def killed(_self: switchover.Switchover, *_: Any) -> None:
        raise KeyboardInterrupt

    change = switchover.Switchover._order
    calls: list[int] = []

    def once(self: switchover.Switchover, *given: Any) -> None:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        change(self, *given)

    monkeypatch.setattr(switchover.Switchover, "_order", once)
    with pytest.raises(KeyboardInterrupt):
        failback.run(both)
    both.truth.epoch[WEST] = 3
    both.controllers(2)
    assert both.state(WEST).epoch == 3
    both.truth.switch = "engaged"
    done = failback.run(both)
    assert (done.epoch, both.truth.epoch[EAST], both.state(EAST).epoch) == (3, 3, 3)


def test_without_proof_it_is_not_recovered() -> None:
    """H22: the global endpoint leads elsewhere for five minutes."""
    both = promoted()
    both.truth.on.add("endpoint late")
    with pytest.raises(OperatorError, match=r"no write proves it \(us-west-2\): run the"):
        failback.run(both)
    assert both.state(WEST).epoch == 2
    both.truth.on.discard("endpoint late")
    assert failback.run(both).epoch == 3


@pytest.mark.parametrize("fault", ["epoch fails", "parameters fail"])
def test_what_cannot_be_settled_now_is_settled_by_the_same_command(fault: str) -> None:
    """The database has moved; switch and epoch follow."""
    both = promoted()
    both.truth.on.add(fault)
    with pytest.raises(OperatorError, match=r"is not settled .*: run the same again"):
        failback.run(both)
    both.truth.on.discard(fault)
    assert failback.run(both).epoch == 3


def test_an_item_that_cannot_be_written_is_named() -> None:
    """Nothing is called before both are marked."""
    both = promoted()
    both.tables[EAST].unwritable = refusal("InternalServerError", "PutItem")
    with pytest.raises(OperatorError, match=r"us-east-1: .*ServerError; run the same again"):
        failback.run(both)
    assert both.rds[WEST].called == []


def test_a_switch_that_cannot_be_read_is_set_again() -> None:
    """Unknown is not home: the steps that are left are taken."""
    both = world()
    both.truth.on.add("switch unreadable")
    assert failback.run(both).epoch == 1


def test_a_describe_that_fails_first_touches_nothing() -> None:
    """Who writes isn't known."""
    both = promoted()
    both.truth.on.add("global throttled")
    assert "in us-east-1: Throttling; try again" in str(refused(both))


def test_dns_that_does_not_follow_is_a_difference() -> None:
    """Exit code 5: the database is home, and clients aren't led there."""
    both = promoted()
    both.truth.on.add("dns stuck")
    with pytest.raises(OperatorError, match=r"DNS leads to us-west-2 after 300 s") as caught:
        failback.run(both)
    assert caught.value.code is ExitCode.DIFFERENCE


def test_a_notice_that_is_not_sent_stops_nothing() -> None:
    """The journal or the topic fails."""
    both = promoted()
    both.truth.on.add("topic fails")
    lines: list[str] = []
    assert failback.run(both, report=lines.append).epoch == 3
    assert any(line.startswith("not said") for line in lines)


def test_a_persons_own_hold_stays() -> None:
    """H16: only the command's hold ends with it."""
    both = promoted()
    upgrade = Hold("an upgrade", 0, 99_999_999)
    both.items.change(lambda state: replace(state, hold=upgrade))
    failback.run(both)
    assert both.state(WEST).hold == both.state(EAST).hold == upgrade


@pytest.mark.parametrize(
    ("standing", "step"),
    [
        (Standing(False, "", False, None, Switch.RELEASED), Step.CALL),
        (Standing(False, "switching-over", True, None, Switch.RELEASED), Step.WAIT),
        (Standing(True, "", True, Switch.RELEASED, Switch.RELEASED), Step.FINISH),
        (Standing(True, "", False, Switch.ENGAGED, Switch.RELEASED), Step.FINISH),
        (Standing(True, "", False, Switch.RELEASED, Switch.RELEASED), Step.HOME),
    ],
)
def test_the_next_step_follows_from_what_stands(standing: Standing, step: Step) -> None:
    """Pure: nothing is remembered by the command."""
    assert next_step(standing) is step


def test_objects_that_wait_are_those_that_waited_all_the_time() -> None:
    """What comes and goes is work; no figure is no replication."""
    points = [{"Timestamp": 2, "Minimum": 3.0}, {"Timestamp": 1, "Minimum": 1.0}]
    asked: list[dict[str, Any]] = []

    def statistics(**given: Any) -> dict[str, Any]:
        asked.append(given)
        return {"Datapoints": points}

    class Clients:
        def get(self, _service: str, _region: str) -> FakeClient:
            return FakeClient({"get_metric_statistics": statistics})

    assert PENDING(Clients(), "a", "b", WEST) == 1  # type: ignore[arg-type]
    assert {"Name": "RuleId", "Value": "to-us-west-2"} in asked[0]["Dimensions"]
    points.clear()
    assert PENDING(Clients(), "a", "b", WEST) == 0  # type: ignore[arg-type]


PENDING = objects.pending
