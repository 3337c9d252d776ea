"""One region's recovery as deployed: what its function's environment says, reached from here."""

from __future__ import annotations

from typing import Any, cast

import pytest
from controller_variables import VARIABLES
from fake_clients import FakeClients, refusal
from watched_driver import stack_file

from ops.cloud.clients import Clients
from ops.cloud.web import Answer
from ops.errors import OperatorError
from ops.recovery import place as room
from ops.recovery.place import World
from recovery.observation import Trigger, Value
from recovery.ports import UnavailableError

WEST = "us-west-2"


def world(configuration: Any, endpoint: str | None = None, **more: Any) -> World:
    """An environment whose controller's function is configured so."""
    clients = FakeClients(
        {
            ("lambda", ""): {"get_function_configuration": configuration},
            ("dynamodb", ""): more.get("dynamodb", {}),
        }
    )
    clients.endpoint = endpoint  # type: ignore[attr-defined]
    return World(stack_file("dev"), cast(Clients, clients))


CONFIGURED = {"Environment": {"Variables": VARIABLES}}


def test_what_the_controller_knows_is_read_where_it_stands() -> None:
    """One way to promote: the same names, tables and settings; the region is the asked one."""
    asked: list[dict[str, Any]] = []

    def configuration(**given: Any) -> Any:
        asked.append(given)
        return CONFIGURED

    here = world(configuration).place(WEST)
    assert asked == [{"FunctionName": "function-recovery-us-west-2-lab"}]
    assert (here.region, here.environment.table) == (WEST, "table")
    assert here.environment.name_servers == ("ns-1.test", "ns-2.test", "ns-3.test")
    assert world({}).flags == " --stack dev"


def test_a_region_that_does_not_answer_is_unavailable() -> None:
    """For the caller, who may do without it."""
    with pytest.raises(UnavailableError, match="function-recovery-us-west-2-lab: AccessDenied"):
        world(refusal()).place(WEST)


@pytest.mark.parametrize("found", [{}, {"Environment": {"Variables": {"CLUSTER": "x"}}}])
def test_another_version_is_named(found: Any) -> None:
    """A variable is missing: deploy first."""
    with pytest.raises(OperatorError, match=r"another version .*inv up --layer global --stack dev"):
        world(found).place(WEST)


def test_in_the_lab_load_balancers_are_asked_by_their_host_header(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Their names resolve nowhere, and no question leaves this machine."""

    def get(host: str, path: str, endpoint: str, headers: Any, server_name: str) -> Answer:
        assert (endpoint, path in ("/health", "/ready"), headers) == ("http://lab", True, None)
        assert server_name == ""
        return Answer(200, {"status": "healthy"}) if host == "west.elb" else Answer(404, {})

    monkeypatch.setattr(room.web, "get", get)
    here = world(CONFIGURED, "http://lab").place(WEST)
    assert here.environment.name_servers == ()
    seen = here.observe()
    assert seen.trigger is Trigger.MANUAL
    assert seen.own_load_balancer.value is Value.ALIVE
    assert seen.peer_application.value is Value.UNKNOWN, "404: nothing is known of it"
    monkeypatch.setattr(room.web, "get", lambda *_: Answer(0, {}, "no connection"))
    assert here.observe().peer_application.value is Value.DEAD


def test_an_item_that_cannot_be_read_is_one_line() -> None:
    """The table throttles."""
    throttled = world(CONFIGURED, dynamodb={"get_item": refusal("ThrottlingException")})
    with pytest.raises(OperatorError, match=r"us-west-2: table: ThrottlingException; try again"):
        throttled.place(WEST).observe()


def test_traffic_is_asked_of_the_zones_own_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the load balancers' names of both regions."""
    asked: list[Any] = []
    monkeypatch.setattr(room, "leads_to", lambda *given: asked.append(given))
    there = world(CONFIGURED)
    here = there.place(WEST)
    there.traffic(here, here)
    name, balancers, servers, dns = asked[0]
    assert name.startswith("app.")
    assert (balancers, servers[0], dns) == ({WEST: "west.elb"}, "ns-1.test", None)
