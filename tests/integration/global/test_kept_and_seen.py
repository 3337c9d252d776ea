"""What was accepted is kept while the writer or a region is away, and what is wrong is seen."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from application_client import ask, post_record, receipts, until
from application_database import application_user, master
from deployed_lab import Lab, free_port
from deployed_reads import dead_letters
from region_outage import EAST, WEST, fail_over
from traffic import front_door_of, writing

from lab import client

CLOCK = 20
"""Alarms look at minutes, and a message that couldn't be stored is hidden for three of them."""
SLOW_CLOCK = 10
"""Where a time is measured: a look of the test takes a few of the lab's seconds."""
LOOK_SECONDS = 40
"""Lab seconds between two looks of the lab's CloudWatch at its alarms, and of this test."""
MINUTE = 60 / CLOCK
"""A minute of the lab, in real seconds."""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """All four layers in a lab that these tests break and mend; deployed now, for the first test
    is about a first deployment: a copy's lab stood still for minutes, and its alarms rise."""
    made = Lab(tmp_path_factory.mktemp("kept"), free_port())
    try:
        answer = made.inv("deploy-all")
        assert answer.returncode == 0, answer.stdout + answer.stderr
        client.set_clock(made.state_dir, CLOCK)
        yield made
    finally:
        made.stop()


def states(lab: Lab, region: str) -> dict[str, str]:
    """Purpose → state, of a region's alarms."""
    found = lab.client("cloudwatch", region).describe_alarms(
        AlarmTypes=["MetricAlarm", "CompositeAlarm"]
    )
    return {
        re.sub(rf"^alarm-(.+)-{region}-lab$", r"\1", alarm["AlarmName"]): alarm["StateValue"]
        for alarm in (*found["MetricAlarms"], *found["CompositeAlarms"])
    }


def red(lab: Lab, region: str = EAST) -> set[str]:
    """The purposes of the alarms that are red."""
    return {purpose for purpose, state in states(lab, region).items() if state == "ALARM"}


SLOWNESS = {
    "health-primary", "health-secondary", "traffic-moved", "alb-no-healthy-target", "alb-5xx",
    "slow-answers",
}  # fmt: skip
"""What a busy machine turns by itself: health checks have a tenth of a second at this clock."""


def quiet(lab: Lab) -> bool:
    """Whether no alarm of either region is red that means more than the machine's load."""
    return red(lab, EAST) | red(lab, WEST) <= SLOWNESS


def unseen(lab: Lab) -> int:
    """How many published events lack a region's receipt."""
    with application_user(lab) as connection:
        row = connection.execute(
            "SELECT count(*) FROM public.outbox CROSS JOIN (VALUES (%s), (%s)) AS r (region)"
            " WHERE NOT EXISTS (SELECT FROM public.receipts WHERE receipts.region = r.region"
            " AND receipts.event_key = outbox.event_id::text)",
            (EAST, WEST),
        ).fetchone()
    assert row
    return int(row[0])


def standing(lab: Lab) -> dict[str, Any]:
    """What ``status`` says."""
    answer = lab.inv("status", "--json")
    assert answer.returncode in (0, 5), answer.stderr
    return json.loads(answer.stdout)


def failing(lab: Lab) -> str:
    """What to do next, once ``status`` has found that writes fail and ended with 5; else empty."""
    answer = lab.inv("status", "--json")
    return json.loads(answer.stdout)["next"] if answer.returncode == 5 else ""


def received(lab: Lab, key: str) -> set[str]:
    """The regions that have an event's receipt, as the writer's region says."""
    answer = ask(lab, "secondary", f"/receipts?key={key}")
    return {receipt["region"] for receipt in answer.json.get("receipts", ())}


def put(lab: Lab, region: str) -> str:
    """Publishes an event as the application does; its key."""
    key = str(uuid.uuid4())
    role = {EAST: "primary", WEST: "secondary"}[region]
    entry = {
        "EventBusName": lab.outputs[f"global.{role}.bus_name"],
        "Source": "warm-standby.app",
        "DetailType": "record.created",
        "Detail": json.dumps({"eventId": key}),
    }
    assert lab.client("events", region).put_events(Entries=[entry])["FailedEntryCount"] == 0
    return key


def test_a_first_deployment_wakes_nobody(lab: Lab) -> None:
    """Trap 11, R6.2: the verdict on us-east-1 stays quiet before and after the first beat, and once
    everything was measured no alarm is red."""

    def measured() -> bool:
        assert "primary-impaired" not in red(lab, WEST)
        return states(lab, WEST)["heartbeat"] == "OK" and quiet(lab)

    assert until(measured, 60), (red(lab, EAST), red(lab, WEST))
    assert until(lambda: standing(lab)["writes"], 40), standing(lab)
    found = standing(lab)
    assert (found["writer"], found["switch"]) == (EAST, "released")
    assert found["traffic"]["region"] == EAST


@pytest.mark.long
def test_ten_minutes_without_a_database_lose_no_event(lab: Lab) -> None:
    """Trap 57, R5.1: under load; what was on its way waits by itself, every receipt appears without
    ``events.redrive`` and without a dead letter, and the alarms that rose end. In every run events
    wait for a lost region (``test_global_faults``)."""
    with writing(front_door_of(lab)) as load:
        assert until(lambda: len(load.acknowledged) > 20)
        client.outage(lab.state_dir, EAST, "database")
        keys = [put(lab, region) for region in (EAST, WEST)]
        assert until(lambda: "target-5xx" in red(lab), 9 * MINUTE), red(lab)
        assert until(lambda: "event-propagation" in red(lab), 9 * MINUTE), red(lab)
        # Health answers and the database is dead: what was green and ended with 0.
        assert until(lambda: "writes fail: the database" in failing(lab), 20), failing(lab)
        client.restore(lab.state_dir, EAST)
        now = time.monotonic()
        assert until(lambda: load.written_since(now) > 0, 20)
    assert until(lambda: unseen(lab) == 0, 30), unseen(lab)
    for key in keys:
        assert until(lambda k=key: len(receipts(lab, k)) == 2, 20), (key, receipts(lab, key))
    assert dead_letters(lab) == dict.fromkeys(dead_letters(lab), 0)
    assert until(lambda: quiet(lab), 40), (red(lab, EAST), red(lab, WEST))


@pytest.mark.long
def test_a_revoked_grant_turns_the_alarm_that_the_runbook_names(lab: Lab) -> None:
    """Trap 59: the function answers 500 and fails no invocation; the migration, which the runbook
    names, grants anew, and the alarm ends."""
    runbook = (lab.repository / "docs/runbook.md").read_text()
    (row,) = re.findall(r"^\| `target-5xx` \|.*$", runbook, re.MULTILINE)
    assert "revoked grant" in row
    assert "function-migrate-us-east-1-" in row
    user = lab.client("secretsmanager").get_secret_value(
        SecretId=lab.outputs["data.primary.application_secret_arn"]
    )["SecretString"]
    with master(lab) as connection:
        name = json.loads(user)["username"]
        connection.execute(f'REVOKE INSERT ON public.records FROM "{name}"')  # pyright: ignore[reportArgumentType, reportCallIssue]
    end = time.monotonic() + 9 * MINUTE
    while "target-5xx" not in red(lab):
        assert time.monotonic() < end, states(lab, EAST)
        assert post_record(lab, "primary").status == 500
        time.sleep(0.2)
    assert "lambda-errors" not in red(lab)
    functions = lab.client("lambda")
    answer = functions.invoke(FunctionName="function-migrate-us-east-1-lab", Payload=b"{}")
    assert "FunctionError" not in answer
    assert post_record(lab, "primary").status == 201
    assert until(lambda: quiet(lab), 40), (red(lab, EAST), red(lab, WEST))


@pytest.mark.long
def test_a_lost_region_is_seen_in_three_minutes_and_what_it_took_along_comes_back(
    lab: Lab,
) -> None:
    """Traps 11, 58: us-east-1 dies with events that it never forwarded; us-west-2 says so by
    itself, ``status`` what to do, and once us-west-2 was promoted and both are up, both hold every
    receipt."""
    events = lab.client("events", EAST)
    bus = lab.outputs["global.primary.bus_name"]
    rule = events.describe_rule(Name="rule-forward-us-east-1-lab", EventBusName=bus)
    everything = {key: rule[key] for key in ("Name", "EventBusName", "EventPattern")}
    beats = json.dumps({"source": ["warm-standby.heartbeat"]})
    events.put_rule(**everything | {"EventPattern": beats})
    keys = []
    while len(keys) < 12:
        answer = post_record(lab, "primary")
        assert answer.status in (201, 503), answer.body
        keys += [answer.json["eventId"]] if answer.status == 201 else []
    assert until(lambda: all(receipts(lab, key) == [EAST] for key in keys), 40)
    client.set_clock(lab.state_dir, SLOW_CLOCK)
    assert until(lambda: states(lab, WEST)["heartbeat"] == "OK", 30)
    lost = time.monotonic()
    client.outage(lab.state_dir, EAST)
    assert until(lambda: "primary-impaired" in red(lab, WEST), 40), states(lab, WEST)
    took = (time.monotonic() - lost) * SLOW_CLOCK
    client.set_clock(lab.state_dir, CLOCK)
    assert took <= 180 + LOOK_SECONDS, took
    assert "promote the standby" in failing(lab)
    answer = lab.inv("alarms")
    assert answer.returncode == 0, answer.stderr
    assert "us-east-1: not known (" in answer.stdout
    assert re.search(r"^primary-impaired +us-west-2 +red", answer.stdout, re.MULTILINE)
    fail_over(lab, WEST)
    client.restore(lab.state_dir, EAST)
    # Only the application's share of time: two minutes for events that are on their way.
    with master(lab) as connection:
        connection.execute(
            "UPDATE public.outbox SET published_at = published_at - interval '1 hour'"
        )
        connection.execute("SELECT recovery.grow_epoch(2)")
        connection.execute("UPDATE recovery.epochs SET grown_at = grown_at - interval '3 minutes'")
    # Asked where the writer is: us-east-1 has just come back.
    for key in keys:
        assert until(lambda k=key: received(lab, k) == {EAST, WEST}, 40), (key, received(lab, key))
    events.put_rule(**everything)
    assert until(lambda: "primary-impaired" not in red(lab, WEST), 40)
