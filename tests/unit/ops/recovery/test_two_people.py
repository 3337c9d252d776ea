"""Orders that take two people in production (issue 23, item 10)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError
from fake_clients import refusal
from invoke.context import Context
from recovery_tables import EAST, WEST, lost
from watched_driver import stack_file

from lab.emulator.policies import Access, allows
from ops import session
from ops.cloud.clients import Clients
from ops.errors import ExitCode, OperatorError
from ops.front import recovery as front
from ops.permissions.documents import Place, policies
from ops.permissions.table import table
from ops.recovery import asking, failover, orders, two_people
from ops.recovery.place import World
from ops.recovery.two_people import VALID_SECONDS, agreed
from ops.stack_file import StackFile, parse

PROD = parse(
    "prod",
    "config: {TapStack:environmentSuffix: prod, TapStack:environment: prod, aws:region: us-east-1, "
    "app:allowPlainHttp: true}",
)
ANNA, BELA = "AROAOPERATORS:anna", "AROAOPERATORS:bela"
"""User ids of two people in the operators' role."""
ARN = "arn:aws:sts::123456789012:assumed-role/operators/"
POLICIES = policies("operate", table(), [], Place("123456789012", "prod", (EAST, WEST)))


@dataclass
class Table:
    """One region's approvals, in memory; the operators' own policies decide on each call."""

    region: str
    caller: list[str]
    items: dict[tuple[str, str], Any] = field(default_factory=dict)
    fault: Exception | None = None

    def _reach(self, action: str, key: dict[str, Any]) -> tuple[str, str]:
        if self.fault:
            raise self.fault
        arn = f"arn:aws:dynamodb:{self.region}:123456789012:table/table-recovery-{self.region}-prod"
        kind, number = key["kind"]["S"], key["number"]["N"]
        context = {"aws:userid": self.caller[0], "dynamodb:LeadingKeys": [kind]}
        if not allows(POLICIES, Access(f"dynamodb:{action}", arn, context=context), identity=True):
            raise refusal("AccessDeniedException")
        return kind, number

    def get_item(self, **given: Any) -> dict[str, Any]:
        found = self.items.get(self._reach("GetItem", given["Key"]))
        return {"Item": found} if found else {}

    def put_item(self, **given: Any) -> None:
        self.items[self._reach("PutItem", given["Item"])] = given["Item"]

    def delete_item(self, **given: Any) -> None:
        self.items.pop(self._reach("DeleteItem", given["Key"]), None)


class Aws:
    """Both regions' tables, and whose the credentials are."""

    def __init__(self) -> None:
        self.regions = (EAST, WEST)
        self.caller = [ANNA]
        self.tables = {region: Table(region, self.caller) for region in self.regions}

    def get(self, service: str, region: str) -> Any:
        return self.tables[region] if service == "dynamodb" else self

    def get_caller_identity(self) -> dict[str, str]:
        name = self.caller[0].rpartition(":")[2]
        return {"Account": "123456789012", "Arn": ARN + name, "UserId": self.caller[0]}


def ask(
    aws: Aws, user: str, order: str = "recovery.thaw", at: float = 1000, file: StackFile = PROD
) -> str:
    aws.caller[0] = user
    return agreed(cast(Clients, aws), file, order, "why", lambda: at)


def test_the_second_person_gives_the_order() -> None:
    """The first run asks and does nothing; another person's run of the same command counts."""
    aws = Aws()
    with pytest.raises(OperatorError, match=r"takes two people: .*anna has asked") as caught:
        ask(aws, ANNA)
    assert caught.value.code == ExitCode.BUSY
    kept = json.loads(aws.tables[WEST].items[f"approval#{ANNA}", "2"]["body"]["S"])
    assert (kept["by"], kept["why"]) == (f"{ARN}anna", "why")
    assert ask(aws, BELA) == f"{ARN}anna, user id {ANNA}"
    assert aws.tables[EAST].items == {}
    with pytest.raises(OperatorError, match="bela has asked"):
        ask(aws, BELA)


def test_one_person_twice_is_one_person() -> None:
    """Asked again it is asked anew, whatever was asked before."""
    aws = Aws()
    for at in (1000, 1100):
        with pytest.raises(OperatorError, match="anna has asked"):
            ask(aws, ANNA, at=at)


def test_one_person_in_two_roles_is_one_person() -> None:
    """The session's name is the person, whichever role they took."""
    aws = Aws()
    for user in (ANNA, "AROAOTHERS:anna"):
        with pytest.raises(OperatorError, match="anna has asked"):
            ask(aws, user)


def test_nobody_asks_in_another_s_name() -> None:
    """Issue 23, item 10: IAM lets an item under a user's id be written by that user alone, and what
    only names a user is no approval."""
    aws = Aws()
    aws.caller[0] = BELA
    west = aws.tables[WEST]
    number = {"number": {"N": "2"}}
    body = {"body": {"S": json.dumps({"by": f"{ARN}anna", "at": 1000, "why": ""})}}
    with pytest.raises(ClientError, match="AccessDenied"):
        west.put_item(Item={"kind": {"S": f"approval#{ANNA}"}, **number, **body})
    west.put_item(Item={"kind": {"S": "approval"}, **number, **body, "user": {"S": ANNA}})
    with pytest.raises(OperatorError, match="bela has asked"):
        ask(aws, BELA)


@pytest.mark.parametrize("body", ["no json", "[]", "{}", '{"by": "x", "at": "soon", "why": ""}'])
def test_an_approval_that_says_nothing_is_none(body: str) -> None:
    """One line for the person, whatever stands there."""
    aws = Aws()
    with pytest.raises(OperatorError):
        ask(aws, ANNA)
    for one in aws.tables.values():
        one.items[f"approval#{ANNA}", "2"]["body"] = {"S": body}
    with pytest.raises(OperatorError, match="bela has asked"):
        ask(aws, BELA)


def test_an_order_that_was_asked_for_long_ago_isn_t() -> None:
    """Half an hour: what was to be done then may be wrong now."""
    aws = Aws()
    with pytest.raises(OperatorError):
        ask(aws, ANNA, at=1000)
    with pytest.raises(OperatorError, match="bela has asked"):
        ask(aws, BELA, at=1001 + VALID_SECONDS)
    with pytest.raises(OperatorError, match="anna has asked"):
        ask(aws, ANNA, at=1000)


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
    assert ask(aws, BELA).startswith(f"{ARN}anna")
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
