"""The account's concurrency: what is throttled, and how each caller sees it."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from emulator_world import EAST, WEST, World, refused

from lab.emulator import concurrency
from lab.emulator.concurrency import Concurrency
from lab.emulator.load_balancers import LoadBalancers
from lab.facts import Invocation

ACCOUNT = "000000000000"
SHARED, OWN = (ACCOUNT, WEST, "shared"), (ACCOUNT, WEST, "own")


@pytest.fixture
def low(world: World) -> Iterator[World]:
    """The world whose us-west-2 runs ten functions at once."""
    world.lab.faults.set("low-concurrency", WEST)
    yield world
    world.lab.faults.clear()


def test_reserved_executions_are_taken_from_the_accounts(
    low: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lambda developer guide, "Understanding Lambda function scaling": what is reserved is the
    function's alone, and its limit; the others share the rest, in their region."""
    monkeypatch.setattr(concurrency, "reservations", lambda _account, _region: {"own": 4, "off": 0})
    counted = Concurrency(low.lab.faults)
    assert (counted.limit(WEST), counted.unreserved(ACCOUNT, WEST)) == (10, 6)
    assert (counted.limit(EAST), counted.unreserved(ACCOUNT, EAST)) == (1000, 996)

    def fits(name: tuple[str, str, str], others: int = 0) -> tuple[int, str]:
        """How many more of a function run, and why the next one doesn't."""
        if reason := counted.refusal(name):
            return others, reason
        with counted.running(name):
            return fits(name, others + 1)

    assert fits(SHARED) == (6, "ConcurrentInvocationLimitExceeded")
    assert fits(OWN) == (4, "ReservedFunctionConcurrentInvocationLimitExceeded")
    off = (ACCOUNT, WEST, "off")
    assert fits(off) == (0, "ReservedFunctionConcurrentInvocationLimitExceeded")
    with counted.running((ACCOUNT, WEST, "another")), counted.running((ACCOUNT, EAST, "elsewhere")):
        assert fits(SHARED)[0] == 5
        assert fits(OWN)[0] == 4
    assert counted.count(SHARED) == 0


def test_settings_show_what_is_not_reserved(low: World) -> None:
    """GetAccountSettings, AccountLimit; PutFunctionConcurrency leaves an account 100 of its 1,000,
    and a small one all that it has."""
    lambdas = low.aws("lambda", EAST)
    low.function("reserving")

    def unreserved(region: str) -> int:
        answer = low.aws("lambda", region).get_account_settings()
        return int(answer["AccountLimit"]["UnreservedConcurrentExecutions"])

    before = unreserved(EAST)
    lambdas.put_function_concurrency(FunctionName="reserving", ReservedConcurrentExecutions=30)
    assert unreserved(EAST) == before - 30
    lambdas.put_function_concurrency(FunctionName="reserving", ReservedConcurrentExecutions=20)
    assert unreserved(EAST) == before - 20
    put = lambdas.put_function_concurrency
    says = refused("InvalidParameterValueException", put, FunctionName="reserving",
                   ReservedConcurrentExecutions=901)  # fmt: skip
    assert "[100]" in says
    lambdas.delete_function_concurrency(FunctionName="reserving")
    assert (unreserved(EAST), unreserved(WEST)) == (before, 10)
    low.function("reserving", WEST)
    put = low.aws("lambda", WEST).put_function_concurrency
    refused("InvalidParameterValueException", put, FunctionName="reserving",
            ReservedConcurrentExecutions=1)  # fmt: skip


def test_above_the_limit_callers_are_throttled_and_events_wait(
    low: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lambda developer guide, "Understanding Lambda function scaling" and "Asynchronous
    invocation"; ELB user guide, "Troubleshoot your Application Load Balancers": a call gets 429, a
    load balancer has no answer of the target (502), an event is run once there is room again, and
    ``Throttles`` counts. Other regions aren't touched."""
    arn = low.function("crowded", WEST)
    low.function("crowded", EAST)
    running = low.emulator.functions.concurrency
    monkeypatch.setattr(concurrency, "LOW", 1)
    seen: list[Invocation] = []
    ran = threading.Event()

    def observe(event: Any) -> None:
        if isinstance(event, Invocation) and (event.region, event.function_name) == (
            WEST,
            "crowded",
        ):
            seen.append(event)
            if not event.throttled:
                ran.set()

    low.lab.observe(observe)
    monkeypatch.setattr("lab.emulator.asynchronous.POLL_SECONDS", 0.01)
    monkeypatch.setattr("lab.emulator.load_balancers.may_invoke", lambda *_given: True)
    client = low.aws("lambda", WEST)
    balancers = LoadBalancers(low.lab, low.emulator.functions)
    with running.running(SHARED):
        with pytest.raises(client.exceptions.TooManyRequestsException) as caught:
            client.invoke(FunctionName="crowded", Payload=b"{}")
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 429
        assert caught.value.response["Reason"] == "ConcurrentInvocationLimitExceeded"
        assert low.run(balancers.invoke_target("arn:group", arn, {})) is None
        elsewhere = low.aws("lambda", EAST).invoke(FunctionName="crowded", Payload=b"{}")
        assert json.loads(elsewhere["Payload"].read()) == {}
        accepted = client.invoke(FunctionName="crowded", InvocationType="Event", Payload=b"{}")
        assert accepted["StatusCode"] == 202
        low.run(until(lambda: len(seen) > 2))
        assert all(event.throttled for event in seen)
    assert ran.wait(30)


async def until(holds: Any) -> None:
    """Waits until it holds."""
    async with asyncio.timeout(30):
        while not holds():
            await asyncio.sleep(0.01)
