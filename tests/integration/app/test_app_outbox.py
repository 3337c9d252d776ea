"""The outbox over the real database: what a crash left behind is published, by either region."""

from __future__ import annotations

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
from application_client import receipts, until
from application_database import application_user
from deployed_lab import Lab

REGIONS = {"primary": "us-east-1", "secondary": "us-west-2"}
DRAIN = json.dumps({"source": "warm-standby.schedule", "detail-type": "outbox.drain"}).encode()


def leave(connection: psycopg.Connection[Any], region: str, age_seconds: int) -> str:
    """A row as an application leaves it that died before publishing; answers the event's key."""
    key = str(uuid.uuid4())
    detail = {"eventId": key, "recordId": key, "type": "note", "region": region}
    connection.execute(
        "INSERT INTO public.outbox (event_id, region, detail_type, detail, created_at)"
        " VALUES (%s, %s, 'record.created', %s, clock_timestamp() - make_interval(secs => %s))",
        (key, region, json.dumps(detail), age_seconds),
    )
    return key


def invoked(lab: Lab, role: str) -> Any:
    """Lambda's answer to the schedule's event."""
    name = lab.outputs[f"app.{role}.function_arn"]
    return lab.client("lambda", REGIONS[role]).invoke(FunctionName=name, Payload=DRAIN)


def drain(lab: Lab, role: str) -> dict[str, int]:
    """Calls one region's function as its schedule does."""
    answer = invoked(lab, role)
    text = answer["Payload"].read()
    assert "FunctionError" not in answer, text
    return json.loads(text)


def warm(lab: Lab, pool: ThreadPoolExecutor) -> list[bool]:
    """Whether each of four workers, two a region at once, has done its work."""
    answers = pool.map(lambda role: invoked(lab, role), [*REGIONS] * 2)
    return ["FunctionError" not in answer for answer in answers]


def row(connection: psycopg.Connection[Any], key: str) -> tuple[int, bool]:
    """How often an event was tried, and whether the bus has taken it."""
    found = connection.execute(
        "SELECT attempts, published_at IS NOT NULL FROM public.outbox WHERE event_id = %s", (key,)
    ).fetchone()
    assert found
    return found


def test_the_standby_publishes_what_a_dead_region_left(deployed: Lab) -> None:
    """R5.1: rows carry their region of origin; whichever region drains, both receive the event."""
    with application_user(deployed) as connection:
        key = leave(connection, REGIONS["primary"], 120)
        drain(deployed, "secondary")
        assert row(connection, key) == (1, True)
    assert until(lambda: len(receipts(deployed, key)) == 2)
    assert sorted(receipts(deployed, key)) == sorted(REGIONS.values())


def test_a_row_younger_than_a_minute_is_its_writers(deployed: Lab) -> None:
    """R5.1: the write that stored it is about to publish it."""
    with application_user(deployed) as connection:
        key = leave(connection, REGIONS["primary"], 0)
        drain(deployed, "secondary")
        assert row(connection, key) == (0, False)
        connection.execute(
            "UPDATE public.outbox SET created_at = created_at - interval '2 minutes'"
            " WHERE event_id = %s",
            (key,),
        )
        drain(deployed, "secondary")
        assert row(connection, key) == (1, True)


def test_a_crash_between_publishing_and_marking_publishes_twice_and_counts_once(
    deployed: Lab,
) -> None:
    """R5.1, trap 27: at least once; a region's receipt of one event key is one."""
    with application_user(deployed) as connection:
        key = leave(connection, REGIONS["secondary"], 120)
        drain(deployed, "primary")
        assert until(lambda: len(receipts(deployed, key)) == 2)
        connection.execute(
            "UPDATE public.outbox SET published_at = NULL WHERE event_id = %s", (key,)
        )
        drain(deployed, "secondary")
        assert row(connection, key) == (2, True)
    assert sorted(receipts(deployed, key)) == sorted(REGIONS.values())


def test_both_regions_at_once_publish_each_row_once(deployed: Lab) -> None:
    """R5.1: FOR UPDATE SKIP LOCKED; neither waits for the other nor repeats its work."""
    with application_user(deployed) as connection, ThreadPoolExecutor(4) as pool:
        # Cold starts of all workers at once eat the time that a call of AWS may take on two cores.
        assert until(lambda: all(warm(deployed, pool)), 30)
        keys = [leave(connection, REGIONS["primary"], 120) for _ in range(60)]
        # Four at once; on a busy machine a bus may be late for some, which stay for the next call.
        on_time = all(warm(deployed, pool))
        assert until(
            lambda: all(warm(deployed, pool)) and all(row(connection, key)[1] for key in keys), 60
        )
        tries = {row(connection, key) for key in keys}
        assert tries == {(1, True)} if on_time else tries <= {(1, True), (2, True)}
