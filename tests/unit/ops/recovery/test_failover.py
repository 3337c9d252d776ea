"""``./inv failover``: a person promotes by the controller's own steps, over the simulator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from fake_clients import refusal
from recovery_world import Both, settings_of, world
from simulator.truth import EAST, WEST

from ops.errors import ExitCode, OperatorError
from ops.recovery import failover
from recovery.act import Run, run
from recovery.model import Answer, Freeze, Hold, Incident, Intent, Lease, Path, Stage, State
from recovery.observation import Switch

SAYS = "no failover to us-west-2: "


@pytest.fixture(autouse=True)
def _operator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "operator")


def lost() -> Both:
    """us-east-1 has just been lost."""
    both = world()
    both.lose(EAST)
    both.truth.advance(20)
    return both


def refused(both: Both, **options: Any) -> OperatorError:
    """The refusal of a failover; the items and the call's count stay as they were."""
    before = (both.tables[EAST].item, both.tables[WEST].item, list(both.truth.accepted))
    with pytest.raises(OperatorError) as caught:
        failover.run(both, **options)
    assert (both.tables[EAST].item, both.tables[WEST].item, list(both.truth.accepted)) == before
    return caught.value


def test_a_lost_region_is_replaced_without_anything_of_it() -> None:
    """Issue 18.3: intent, one call, switch, proof, epoch, notices, as the controller does it."""
    both = lost()
    lines: list[str] = []
    promoted = failover.run(both, report=lines.append)
    assert (promoted.region, promoted.epoch) == (WEST, 2)
    assert promoted.loss_bound_seconds is not None
    assert 60 <= promoted.loss_bound_seconds <= 300
    assert 20 <= promoted.seconds < 60
    assert [region for _, region in both.truth.accepted] == [WEST]
    state = both.state(WEST)
    assert (state.stage, state.epoch, both.truth.switch) == (Stage.PROMOTED, 2, "engaged")
    assert state.incident is not None
    assert (state.incident.path, state.incident.forced) == (Path.REGION, "")
    assert both.truth.epoch[WEST] == 2
    assert [key for _, key in both.sides[WEST].pages] == ["promoted"]
    assert lines[0] == "failover   us-west-2 becomes the writer; us-east-1 is given up"
    assert "doubt      none: ready" in lines
    document = promoted.as_dict()
    assert (document["region"], document["writer"], document["path"]) == (WEST, EAST, "region")
    assert (document["epoch"], document["doubts"], document["loss_limit_seconds"]) == (2, [], 300)
    assert both.truth.wrong == []


def test_the_controller_goes_on_from_what_the_command_began() -> None:
    """H10: killed after its call, the next scheduled runs adopt and prove it."""
    both = lost()

    class Killed(BaseException):
        pass

    def killed(_seconds: float) -> None:
        raise Killed

    with pytest.raises(Killed):
        failover.run(replace(both, sleep=killed))
    assert both.state(WEST).stage is Stage.CALLED
    both.controllers(3)
    assert both.state(WEST).epoch == 2
    assert len(both.truth.accepted) == 1


def test_a_living_writer_is_not_given_up_without_a_reason() -> None:
    """What it acknowledges until the call would be lost; with a reason it is a person's word."""
    both = world()
    fault = refused(both)
    assert fault.code is ExitCode.BAD_INPUT
    assert "the writer of us-east-1 takes writes, which would be lost" in str(fault)
    assert "./inv failover --force --reason '...' --stack dev; nothing was touched" in str(fault)
    promoted = failover.run(both, reason="its data is corrupted")
    incident = both.state(WEST).incident
    assert incident is not None
    assert incident.forced == "operator: its data is corrupted"
    assert promoted.planned.plan.path is Path.DATABASE


def test_an_unknown_loss_is_a_doubt() -> None:
    """H14: no run has seen the reader change, and it can't be read now."""
    both = world(armed=False)
    both.truth.now = 60 * 1_001_000
    both.truth.on.add("us-west-2 reader down")
    both.lose(EAST)
    assert "the local reader can't be read: the loss is unknown" in str(refused(both))
    promoted = failover.run(both, reason="nothing else is left")
    assert promoted.loss_bound_seconds is None
    assert "loses      unknown (limit 300 s)" in promoted.planned.lines()


def held(state: State) -> State:
    """Announced work."""
    return replace(state, hold=Hold("an upgrade", 0, 99_999_999))


DOUBTS: list[tuple[str, Callable[[Both], object], str]] = [
    ("readiness", lambda both: both.truth.on.add("readiness 0"), "readiness 0: no reason"),
    ("bound", lambda both: both.truth.on.add("lag high"), "the limit is 300 s"),
    ("reader", lambda both: both.truth.on.add("us-west-2 reader down"), "the own reader doesn't"),
    ("writer", lambda both: both.truth.on.add("writer unknown"), "lives is unknown ("),
    ("describe", lambda both: both.truth.on.add("describe gone"), "global cluster is unknown"),
]


@pytest.mark.parametrize(("name", "cause", "why"), DOUBTS, ids=[doubt[0] for doubt in DOUBTS])
def test_a_doubt_is_lifted_by_a_reason_alone(
    name: str, cause: Callable[[Both], object], why: str
) -> None:
    """H14, H17: held or unready; ``--force --reason`` promotes all the same."""
    del name
    both = lost()
    cause(both)
    if "readiness 0" in both.truth.on:
        both.truth.on.discard("us-east-1 lost")
        both.controllers(11)
        both.truth.on.add("us-east-1 lost")
    assert why in str(refused(both))
    assert failover.run(both, reason="known to be dead").region == WEST


def test_an_announced_hold_explains_a_silent_database_not_a_lost_region() -> None:
    """H16: the database-only path alone is held."""
    both = world()
    both.truth.on.add("us-east-1 database lost")
    both.truth.advance(20)
    both.tables[WEST] = type(both.tables[WEST])(held(both.state(WEST)))
    both.clients.tables[WEST] = both.tables[WEST]  # type: ignore[attr-defined]
    assert "held until minute" in str(refused(both))
    both.lose(EAST)
    assert failover.run(both).region == WEST


def with_state(both: Both, **changes: Any) -> None:
    """Changes us-west-2's item."""
    table = both.tables[WEST]
    table.item = type(table)(replace(table.state, **changes)).item


REFUSALS: list[tuple[str, Callable[[Both], object], str]] = [
    (
        "frozen",
        lambda both: with_state(both, freeze=Freeze("audit", "a person", 0, 99_999_999)),
        "frozen by a person: audit",
    ),
    (
        "unacknowledged",
        lambda both: with_state(both, incident=Incident(1, None, 5, promoted=2)),
        "the last promotion isn't acknowledged",
    ),
    (
        "instance",
        lambda both: both.truth.on.add("us-west-2 without instance"),
        "the own cluster has no instance",
    ),
    (
        "status",
        lambda both: both.truth.on.add("us-west-2 restarts"),
        "the own cluster is rebooting",
    ),
    (
        "switchover",
        lambda both: both.truth.on.add("switchover"),
        "the global cluster is switching-over",
    ),
    (
        "member",
        lambda both: both.truth.on.add("us-west-2 detached"),
        "the own cluster is no member of the global cluster",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("name", "cause", "why"), REFUSALS, ids=[case[0] for case in REFUSALS])
def test_what_would_make_the_call_wrong_is_never_lifted(
    name: str, cause: Callable[[Both], object], why: str
) -> None:
    """H8, H13, H17, H24: neither a reason nor ``--yes`` lifts it."""
    del name
    both = lost()
    cause(both)
    fault = refused(both, reason="now")
    assert fault.code is ExitCode.BAD_INPUT
    assert str(fault).startswith(f"{SAYS}{why}")


def test_nothing_is_touched_without_a_confirmation() -> None:
    """The typed word is the region that becomes the writer."""
    asked: list[str] = []

    def no(word: str) -> bool:
        asked.append(word)
        return False

    assert "not confirmed" in str(refused(lost(), confirm=no))
    assert asked == [WEST]


def test_a_writer_that_shows_life_after_the_plan_stops_it() -> None:
    """H2: the local reader changed between the look and the call."""
    both = lost()
    both.truth.on.discard("us-east-1 lost")
    both.truth.on |= {"peering cut", "us-east-1 bad deploy"}
    fault = refused_late(both)
    assert "the local reader changes: the writer lives; nothing was touched" in str(fault)
    assert both.truth.accepted == []


def refused_late(both: Both) -> OperatorError:
    """The refusal of the acting run, half a minute after the plan."""

    def confirm(_word: str) -> bool:
        both.truth.advance(30)
        return True

    with pytest.raises(OperatorError) as caught:
        failover.run(both, confirm=confirm)
    return caught.value


@pytest.mark.parametrize("leased", [True, False])
def test_a_second_failover_at_once_is_refused(leased: bool) -> None:
    """Issue 18: exit code 4, whoever follows the first one."""
    both = lost()
    both.truth.now += 60 * 1_000_100
    called = Incident(1, Path.REGION, 60, called=1)
    lease = Lease("other", both.truth.now + 20) if leased else None
    minute = both.truth.now // 60 - (99 if leased else 1)
    with_state(both, stage=Stage.CALLED, incident=called, lease=lease, last_minute=minute)
    fault = refused(both, reason="again")
    assert fault.code is ExitCode.BUSY
    assert "a promotion of us-west-2 is under way (called)" in str(fault)


def test_a_promotion_that_nobody_follows_is_taken_up() -> None:
    """Neither a command nor a controller has run for minutes: the same command resumes."""
    both = lost()
    both.sides[WEST].between["after call"] = lambda: None
    with pytest.raises(KeyboardInterrupt):
        failover.run(replace(both, sleep=interrupted))
    both.truth.now += 60 * 1_001_000
    both.truth.advance(60)
    promoted = failover.run(both, reason="nobody follows it")
    assert (promoted.epoch, len(both.truth.accepted)) == (2, 1)


def interrupted(_seconds: float) -> None:
    """Ctrl-C."""
    raise KeyboardInterrupt


def test_another_run_is_waited_for() -> None:
    """H9: a controller's run holds the item for a while."""
    both = lost()
    with_state(both, lease=Lease("a run", both.truth.now + 30))
    began = both.truth.now
    assert failover.run(both).region == WEST
    assert both.truth.now - began >= 30


def test_a_call_that_is_refused_leaves_no_intent() -> None:
    """H33: switch and writer as they were, and the line says what AWS said."""
    both = lost()
    both.sides[WEST].answers.append("refused")
    with pytest.raises(
        OperatorError, match="the call was refused: InvalidDBClusterState"
    ) as caught:
        failover.run(both)
    assert caught.value.code is ExitCode.FAILED
    state = both.state(WEST)
    assert (state.stage, state.intent, both.truth.switch) == (Stage.SUSPECT, None, "released")
    assert failover.run(both).epoch == 2


def test_an_unclear_call_waits_for_describe() -> None:
    """H11: InternalFailure, and accepted all the same: one call, adopted."""
    both = lost()
    both.sides[WEST].answers.append("internal accepted")
    assert failover.run(both).epoch == 2
    assert len(both.truth.accepted) == 1


def test_an_unclear_call_that_began_nothing_is_not_repeated_unseen() -> None:
    """After the time is over a person is warned not to detach; the controller resumes by itself."""
    both = lost()
    both.sides[WEST].answers.append("internal lost")
    with pytest.raises(OperatorError, match=r"isn't complete after 900 s: never detach"):
        failover.run(both)
    assert both.truth.accepted == []
    assert both.state(WEST).stage is Stage.INTENT


def test_a_promotion_that_rds_fails_is_said() -> None:
    """RDS-EVENT-0239 ends it as failed."""
    both = lost()
    both.truth.on.add("promotion fails")
    with pytest.raises(OperatorError, match=r"isn't promoted: RDS reports that the failover"):
        failover.run(both)
    assert both.state(WEST).stage is Stage.FAILED


def test_a_promotion_that_was_refused_for_good_may_be_ordered_again() -> None:
    """H33: the controller gave up; what refused it is mended."""
    both = lost()
    given_up = Intent(Path.REGION, 1, 60, "", calls=4, minute=1, answer=Answer.REFUSED)
    with_state(both, stage=Stage.FAILED, intent=given_up)
    assert failover.run(both).epoch == 2


def test_a_table_that_fails_meanwhile_is_waited_for() -> None:
    """A throttled table stops no promotion that has begun."""
    both = lost()
    lines: list[str] = []
    table, write = both.tables[WEST], both.tables[WEST].put_item
    failing = [refusal("ThrottlingException", "PutItem")]

    def put_item(**given: Any) -> dict[str, Any]:
        if failing and both.truth.accepted:
            raise failing.pop()
        return write(**given)

    table.put_item = put_item  # type: ignore[method-assign]
    assert failover.run(both, report=lines.append).epoch == 2
    assert any("ThrottlingException" in line for line in lines)


def test_the_controllers_own_promotion_ends_the_command_as_well() -> None:
    """Whichever run proves it, the command says so."""
    both = lost()

    def sleep(_seconds: float) -> None:
        both.truth.advance(60)
        run(both.ports(WEST), settings_of(WEST), Run("scheduled", both.truth.minute))

    promoted = failover.run(replace(both, sleep=sleep))
    assert (promoted.epoch, len(both.truth.accepted)) == (2, 1)


def test_roles_swapped_us_east_1_is_promoted() -> None:
    """Works in both directions: the region that reads, and its switch position."""
    both = world()
    both.truth.writer, both.truth.switch = WEST, "engaged"
    both.controllers(3)
    both.lose(WEST)
    both.truth.advance(20)
    promoted = failover.run(both, reason="validated elsewhere")
    assert (promoted.region, both.truth.switch) == (EAST, Switch.RELEASED.value)


def test_without_a_region_that_could_be_promoted_one_line_says_so() -> None:
    """Nobody answers, or both say that they write."""
    both = world()
    both.truth.on |= {"us-east-1 api", "us-west-2 api"}
    assert "no region that could be promoted answers; us-west-2: " in str(refused(both))
    both = world()
    both.truth.on.add("us-west-2 unfenced")
    both.lose(EAST)
    assert "the runbook ends with AWS's own calls" in str(refused(both))


def test_two_readers_are_distinguished_by_the_global_cluster() -> None:
    """The writer's own API is silent about it, or nobody writes now."""
    both = world()
    both.truth.on.add("nobody writes")
    assert "no cluster writes now: a switchover runs" in str(refused(both))
    both.truth.on.add("global throttled")
    assert "Throttling; try again" in str(refused(both))
    both = world()
    both.truth.on.add("both read")
    assert str(refused(both)).startswith(SAYS)


def test_a_region_whose_cluster_cannot_be_described_is_not_promoted() -> None:
    """Its API fails between the environment and the question."""
    both = world()
    both.rds[WEST].region = "us-west-9"
    both.truth.on.add("us-west-9 api")
    assert "no region that could be promoted answers" in str(refused(both))
