"""When schedules are due on the lab's clock, and what they deliver."""

import asyncio
import json
from collections.abc import Collection
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from lab.api import ApiRefusal
from lab.events import schedules
from lab.events.part import EventsPart, _delivery
from lab.events.schedules import Schedules
from lab.facts import Invocation
from lab.outage import OutageKind

EAST = "us-east-1"
ACCOUNT = "000000000000"
START = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
KEY = (ACCOUNT, EAST, "s")


class World:
    """A lab whose clock stands at ``now``; ``fired`` is what was accepted."""

    def __init__(self):
        self.now, self.fired = START, []
        self.lost: Collection[OutageKind] = ()
        self.clock = SimpleNamespace(now=lambda: self.now, factor=1)
        lab = SimpleNamespace(
            clock=self.clock,
            outages=SimpleNamespace(lost=lambda _region: self.lost),
            observe=lambda _observer: None,
        )
        self.schedules = Schedules(lab, self.fired.append)  # type: ignore[arg-type]

    def after(self, seconds):
        """How many deliveries a look so much later makes."""
        self.now += seconds
        before = len(self.fired)
        self.schedules._look()
        return len(self.fired) - before


@pytest.fixture
def deployed(monkeypatch):
    """(rules, their targets, schedules) as the emulator keeps them."""
    from ministack.services import eventbridge, scheduler

    made = {}, {}, {}
    for owner, name, content in (
        (eventbridge, "_rules", made[0]),
        (eventbridge, "_targets", made[1]),
        (scheduler, "_schedules", made[2]),
    ):
        monkeypatch.setattr(owner, name, SimpleNamespace(_data=content))
    return made


def schedule(expression, **given):
    return {
        "State": "ENABLED",
        "ScheduleExpression": expression,
        "Arn": "arn:s",
        "Target": {"Arn": "arn:q", "Input": '{"at": "<aws.scheduler.scheduled-time>"}'},
        **given,
    }


@pytest.mark.parametrize(
    ("expression", "looks"),
    [
        ("rate(1 minute)", [(0, 0), (59, 0), (1, 1), (59, 0), (1, 1), (600, 1), (59, 0), (1, 1)]),
        ("at(2026-01-01T00:01:00)", [(0, 0), (59, 0), (1, 1), (60, 0)]),
        ("cron(5 0 * * ? *)", [(0, 0), (299, 0), (1, 1), (60, 0), (86400, 1)]),
        ("every now and then", [(0, 0), (86400, 0)]),
    ],
)
def test_an_expression_is_due_when_eventbridge_has_it(deployed, expression, looks):
    """R10: a rate counts from when it was made and keeps its beat unless the clock ran
    ahead; a moment comes once; what can't be read never comes."""
    deployed[2][KEY] = schedule(expression)
    world = World()
    assert [(seconds, world.after(seconds)) for seconds, _ in looks] == looks


@pytest.mark.parametrize("kind", [OutageKind.API, OutageKind.COMPUTE])
def test_what_is_due_in_a_lost_region_is_missed(deployed, kind):
    """R8: nothing runs there, and nothing is made up for afterwards."""
    deployed[2][KEY] = schedule("rate(1 minute)")
    world = World()
    world.after(0)
    world.lost = {kind}
    assert world.after(60) == 0
    world.lost = ()
    assert [world.after(59), world.after(1)] == [0, 1]


def test_a_schedule_that_is_disabled_or_deleted_begins_anew(deployed):
    """User guide: the countdown of a rate starts when the schedule is enabled."""
    deployed[2][KEY] = schedule("rate(1 minute)")
    world = World()
    world.after(0)
    deployed[2][KEY]["State"] = "DISABLED"
    assert world.after(60) == 0
    deployed[2][KEY]["State"] = "ENABLED"
    assert [world.after(60), world.after(60)] == [0, 1]
    del deployed[2][KEY]
    assert world.after(60) == 0
    assert world.schedules._last == {}


@pytest.mark.parametrize(("factor", "made"), [(1, [1, 1, 1]), (20, [1, 0, 1])])
def test_a_function_is_not_called_while_it_runs_where_minutes_are_short(deployed, factor, made):
    """Functions run in real time: at clock 20 their next minute begins before they have ended,
    which on AWS it can't. The occurrence is missed; the next one after their end is not."""
    function = "arn:aws:lambda:us-east-1:000000000000:function:f"
    deployed[2][KEY] = schedule("rate(1 minute)", Target={"Arn": function})
    world = World()
    world.clock.factor = factor
    world.after(0)
    found = [world.after(60), world.after(60)]
    world.schedules._heard(Invocation(EAST, "f", False, False, 0.1, 1))
    assert [*found, world.after(60)] == made


def test_a_schedule_fills_in_its_own_words(deployed):
    """Scheduler user guide, "Adding context attributes"."""
    deployed[2][KEY] = schedule("rate(1 minute)")
    world = World()
    world.after(0)
    world.after(60)
    (made,) = world.fired
    assert json.loads(made.payload) == {"at": "2026-01-01T00:01:00Z"}
    assert (made.service, made.rule, made.event) == ("scheduler.amazonaws.com", "s", None)


@pytest.mark.parametrize(
    ("given", "looks"),
    [
        # 00:00 UTC is 16:00 of the day before in Los Angeles.
        ({"ScheduleExpression": "cron(5 16 * * ? *)"}, [(299, 0), (1, 1), (86400, 1)]),
        ({"ScheduleExpression": "at(2025-12-31T16:01:00)"}, [(59, 0), (1, 1), (60, 0)]),
        ({"StartDate": START + 120}, [(60, 0), (60, 0), (60, 1), (60, 1)]),
        ({"StartDate": "2025-12-31T00:00:00Z"}, [(60, 1), (60, 1)]),
        ({"EndDate": START + 60}, [(60, 1), (60, 0), (60, 0)]),
    ],
    ids=str,
)
def test_a_schedule_keeps_to_its_zone_and_dates(deployed, given, looks):
    """EventBridge Scheduler user guide, "Schedule types": cron and one-time expressions are in the
    schedule's zone; nothing is due before the start or after the end date."""
    zone = {"ScheduleExpressionTimezone": "America/Los_Angeles"}
    deployed[2][KEY] = schedule("rate(1 minute)", **{**zone, **given})
    world = World()
    assert world.after(0) == 0
    assert [(seconds, world.after(seconds)) for seconds, _ in looks] == looks


@pytest.mark.parametrize(
    ("given", "fired"),
    [
        ({"ScheduleExpression": "at(2026-01-01T00:01:00)"}, 1),
        ({"EndDate": START + 30}, 0),
        ({}, None),
    ],
    ids=str,
)
def test_a_completed_schedule_is_deleted_where_it_says_so(deployed, given, fired):
    """CreateSchedule, ActionAfterCompletion DELETE: after its last occurrence or its end date; one
    that continues stays."""
    key = (ACCOUNT, EAST, "default/s")
    once = {"ActionAfterCompletion": "DELETE", **given}
    deployed[2][key] = schedule("rate(1 minute)", **once)
    world = World()
    calls = []

    async def call(*asked, **parameters):
        calls.append((*asked, parameters))
        raise ApiRefusal("ResourceNotFoundException", "gone")

    world.schedules.lab.aws = SimpleNamespace(call=call)  # pyright: ignore
    world.after(0)
    made = world.after(60)
    asyncio.run(world.schedules._delete_completed())
    if fired is None:
        assert (made, calls) == (1, [])
    else:
        wanted = ("scheduler", EAST, "DeleteSchedule", {"Name": "s", "GroupName": "default"})
        assert (made, calls) == (fired, [wanted])


def test_a_rule_with_a_schedule_delivers_a_scheduled_event_to_each_target(deployed):
    """EventBridge user guide, "Scheduled events": its own input where the target has one."""
    deployed[0][KEY] = {
        "State": "ENABLED",
        "ScheduleExpression": "rate(1 minute)",
        "Name": "r",
        "Arn": "arn:r",
    }
    deployed[0][(ACCOUNT, EAST, "pattern")] = {"State": "ENABLED", "Name": "p", "Arn": "arn:p"}
    deployed[1][KEY] = [{"Arn": "arn:a"}, {"Arn": "arn:b", "Input": "mine"}]
    world = World()
    world.after(0)
    world.after(60)
    whole, own = world.fired
    assert json.loads(whole.payload) | {"id": ""} == {
        "version": "0",
        "id": "",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": ACCOUNT,
        "time": "2026-01-01T00:01:00Z",
        "region": EAST,
        "resources": ["arn:r"],
        "detail": {},
    }
    assert own.payload == "mine"
    assert whole.event["DetailType"] == "Scheduled Event"


def test_a_look_that_fails_is_followed_by_the_next(monkeypatch):
    """A schedule deleted in the middle of a look must not end all schedules."""
    looks = []

    def look(_self):
        looks.append(1)
        if len(looks) == 1:
            raise RuntimeError("changed")

    monkeypatch.setattr(Schedules, "_look", look)
    monkeypatch.setattr(schedules, "LOOK_SECONDS", 0.0)

    async def run():
        running = asyncio.create_task(World().schedules.run())
        async with asyncio.timeout(5):
            while len(looks) < 2:
                assert not running.done()
                await asyncio.sleep(0)
        running.cancel()

    asyncio.run(run())


QUEUE = f"arn:aws:sqs:{EAST}:{ACCOUNT}:q"
EVENT = {
    "EventId": "1",
    "Source": "app",
    "DetailType": "made",
    "Detail": '{"key": {"id": 7}}',
    "Time": START,
    "Account": ACCOUNT,
    "Region": EAST,
    "Resources": [],
}


@pytest.mark.parametrize(
    ("given", "payload"),
    [
        ({"Input": '"mine"'}, '"mine"'),
        ({"InputPath": "$.detail.key.id"}, "7"),
        ({"InputPath": "$.detail.key.id.deeper"}, "null"),
        ({"InputPath": "$.detail"}, '{"key": {"id": 7}}'),
        (
            {
                "InputTransformer": {
                    "InputPathsMap": {"i": "$.detail.key.id"},
                    "InputTemplate": '{"i": <i>}',
                }
            },
            '{"i": 7}',
        ),
    ],
    ids=str,
)
def test_a_target_gets_the_part_of_the_event_that_it_asks_for(given, payload):
    """PutTargets: Input, InputPath, InputTransformer."""
    made = _delivery({"Arn": QUEUE, **given}, EVENT, {"Name": "r"}, None)
    assert made is not None
    assert made.payload == payload


def test_a_target_gets_the_whole_event_unless_it_asks_for_less():
    """EventBridge user guide, "Event structure"."""
    made = _delivery({"Arn": QUEUE}, EVENT, {"Name": "r"}, None)
    assert made is not None
    whole = json.loads(made.payload)
    assert (whole["source"], whole["detail"]) == ("app", {"key": {"id": 7}})


@pytest.mark.parametrize(
    "target", [f"arn:aws:kinesis:{EAST}:{ACCOUNT}:stream/s", "nonsense",
               f"arn:aws:events:{EAST}:{ACCOUNT}:api-destination/d"],
)  # fmt: skip
def test_other_kinds_of_targets_stay_the_emulators(target):
    """What the lab has no delivery for is dispatched as before."""
    assert _delivery({"Arn": target}, EVENT, {"Name": "r"}, None) is None


def test_the_part_takes_over_the_dispatch_once_and_leaves_other_targets_alone(
    tmp_path, monkeypatch
):
    """R1.3: a part that was restarted dispatches to the emulator, not to its former self; its
    health shows when a task ended."""
    from ministack.services import eventbridge, scheduler

    left = []
    monkeypatch.setattr(eventbridge, "_invoke_target", lambda *given: left.append(given))
    monkeypatch.setattr(eventbridge, "_tick_scheduled_rules", None)
    monkeypatch.setattr(scheduler, "_tick_schedules", None)
    monkeypatch.setattr(Schedules, "_look", lambda _self: None)
    lab = SimpleNamespace(
        state_dir=tmp_path, clock=None, outages=SimpleNamespace(has_lost=lambda *_: True)
    )
    part = EventsPart(lab)  # type: ignore[arg-type]

    async def run():
        assert not (await part.health()).healthy
        for _ in range(2):
            await part.start()
            assert (await part.health()).detail == "nothing waiting"
            eventbridge._invoke_target({"Arn": "nonsense"}, EVENT, {"Name": "r"})
            await part.stop()

    asyncio.run(run())
    assert [given[0] for given in left] == [{"Arn": "nonsense"}] * 2
    assert eventbridge._tick_scheduled_rules() is None
    assert scheduler._tick_schedules() is None


def test_a_schedule_may_put_an_event_on_a_bus(deployed):
    """Trap 70, Scheduler user guide, "Using templated targets": the input is the event's detail,
    and the event was born where the schedule is."""
    bus = f"arn:aws:events:{EAST}:{ACCOUNT}:event-bus/own"
    put = {"Source": "warm-standby.heartbeat", "DetailType": "heartbeat"}
    target = {"Arn": bus, "Input": '{"a": 1}', "EventBridgeParameters": put}
    deployed[2][KEY] = schedule("rate(1 minute)", Target=target)
    world = World()
    world.after(0)
    assert world.after(60) == 1
    event = world.fired[0].event
    assert (event["Source"], event["DetailType"]) == (put["Source"], put["DetailType"])
    assert (json.loads(event["Detail"]), event["Region"]) == ({"a": 1}, EAST)
    assert event["Resources"] == [world.fired[0].source_arn]
