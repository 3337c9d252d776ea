"""Orders that take two people in production (issue 23, item 10)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from invoke.context import Context
from recovery_tables import EAST, WEST, lost
from watched_driver import stack_file

from ops import session
from ops.cloud.clients import Clients
from ops.errors import ExitCode, OperatorError
from ops.front import recovery as front
from ops.recovery import asking, failover, orders, two_people
from ops.recovery.place import World
from ops.recovery.two_people import VALID_SECONDS, agreed
from ops.stack_file import StackFile, parse

PROD = parse(
    "prod",
    "config: {TapStack:environmentSuffix: prod, TapStack:environment: prod, aws:region: us-east-1, "
    "app:allowPlainHttp: true}",
)
ANNA = "arn:aws:sts::123456789012:assumed-role/operators/anna"
BELA = "arn:aws:sts::123456789012:assumed-role/operators/bela"


@dataclass
class Table:
    """One region's approvals, in memory."""

    items: dict[str, Any] = field(default_factory=dict)
    fault: Exception | None = None

    def _reach(self) -> None:
        if self.fault:
            raise self.fault

    def get_item(self, **given: Any) -> dict[str, Any]:
        self._reach()
        found = self.items.get(given["Key"]["number"]["N"])
        return {"Item": found} if found else {}

    def put_item(self, **given: Any) -> None:
        self._reach()
        self.items[given["Item"]["number"]["N"]] = given["Item"]

    def delete_item(self, **given: Any) -> None:
        self._reach()
        self.items.pop(given["Key"]["number"]["N"], None)


@dataclass
class Aws:
    """Both regions' tables, and whose the credentials are."""

    arn: str = ANNA
    regions: tuple[str, str] = (EAST, WEST)
    tables: dict[str, Table] = field(default_factory=lambda: {EAST: Table(), WEST: Table()})

    def get(self, service: str, region: str) -> Any:
        return self.tables[region] if service == "dynamodb" else self

    def get_caller_identity(self) -> dict[str, str]:
        return {"Account": "123456789012", "Arn": self.arn}


def ask(
    aws: Aws, arn: str, order: str = "recovery.thaw", at: float = 1000, file: StackFile = PROD
) -> str:
    aws.arn = arn
    return agreed(cast(Clients, aws), file, order, "why", lambda: at)


def test_the_second_person_gives_the_order() -> None:
    """The first run asks and does nothing; another person's run of the same command counts."""
    aws = Aws()
    with pytest.raises(OperatorError, match=r"takes two people: .*anna has asked") as caught:
        ask(aws, ANNA)
    assert caught.value.code == ExitCode.BUSY
    kept = json.loads(aws.tables[WEST].items["2"]["body"]["S"])
    assert (kept["by"], kept["why"]) == (ANNA, "why")
    assert ask(aws, BELA) == ANNA
    assert aws.tables[EAST].items == {}
    with pytest.raises(OperatorError, match="bela has asked"):
        ask(aws, BELA)


def test_one_person_twice_is_one_person() -> None:
    """Asked again it is asked anew, whatever was asked before."""
    aws = Aws()
    for at in (1000, 1100):
        with pytest.raises(OperatorError, match="anna has asked"):
            ask(aws, ANNA, at=at)


def test_an_order_that_was_asked_for_long_ago_isn_t() -> None:
    """Half an hour: what was to be done then may be wrong now."""
    aws = Aws()
    with pytest.raises(OperatorError):
        ask(aws, ANNA, at=1000)
    with pytest.raises(OperatorError, match="bela has asked"):
        ask(aws, BELA, at=1001 + VALID_SECONDS)


def test_another_order_isn_t_this_one() -> None:
    """Who asked for a thaw has not asked for a promotion."""
    aws = Aws()
    with pytest.raises(OperatorError):
        ask(aws, ANNA, "recovery.thaw")
    with pytest.raises(OperatorError, match="failover --force in prod takes two people"):
        ask(aws, BELA, "failover --force")


def test_a_lost_region_stops_nobody() -> None:
    """The order is needed most when a region is gone; with both gone nothing can be agreed."""
    aws = Aws()
    aws.tables[EAST].fault = lost()
    with pytest.raises(OperatorError, match="takes two people"):
        ask(aws, ANNA)
    assert ask(aws, BELA) == ANNA
    aws.tables[WEST].fault = lost()
    with pytest.raises(OperatorError, match="no recovery table answers"):
        ask(aws, ANNA)


def test_elsewhere_one_is_enough() -> None:
    """Development and the lab ask nobody."""
    assert agreed(cast(Clients, object()), stack_file("dev"), "recovery.thaw") == ""


def test_what_one_person_asked_stands_in_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """Issue 23, item 10: the incident names both."""
    given: list[str] = []
    monkeypatch.setattr(two_people, "agreed", lambda *_: ANNA)

    class Promoted:
        region, epoch = WEST, 2

        def as_dict(self) -> dict[str, Any]:
            return {}

    def run(_: Any, *, reason: str, **__: Any) -> Promoted:
        given.append(reason)
        return Promoted()

    monkeypatch.setattr(failover, "run", run)
    world = World(PROD, cast(Clients, Aws()))
    flags = {"planned": False, "yes": True, "as_json": True}
    asking.fail_over(world, force=True, reason="it burns", **flags)
    asking.fail_over(world, force=False, reason="", **flags)
    assert given == [f"it burns (asked for by {ANNA})", ""]


@pytest.mark.parametrize("order", ["thaw", "acknowledge"])
def test_a_guard_is_lifted_by_two(monkeypatch: pytest.MonkeyPatch, order: str) -> None:
    """Issue 23, item 10: before anything is changed; a freeze, which guards, takes one."""
    agreed_on: list[str] = []
    monkeypatch.setattr(session, "looking_at", lambda _: (None, PROD, Aws()))
    monkeypatch.setattr(two_people, "agreed", lambda *given: agreed_on.append(given[2]))
    monkeypatch.setattr(orders, order, lambda *_: agreed_on.append("done"))
    monkeypatch.setattr(orders, "freeze", lambda *_: agreed_on.append("frozen"))
    getattr(front, order)(Context(), stack="prod")
    front.freeze(Context(), "why", stack="prod")
    assert agreed_on == [f"recovery.{order}", "done", "frozen"]
