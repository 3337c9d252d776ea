"""``./inv app.rollback``: which version each alias goes back to, and what is held back."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from ops.deploy import gate
from ops.errors import ExitCode, OperatorError
from ops.recovery import rollback
from ops.recovery.place import World
from ops.recovery.rollback import Served, Version, decide
from ops.workspace import Workspace
from pulumi_protocol.lock import locked
from tapstack.releases import NOTHING, Held, described

EAST, WEST = "us-east-1", "us-west-2"
OLD, MIDDLE, NEW = "a" * 12, "b" * 12, "c" * 12


def served(live: int, *releases: str, passed: set[int] | None = None) -> Served:
    """A function whose versions 1, 2, … are of these releases, and those that passed the gate."""
    versions = tuple(Version(number, release) for number, release in enumerate(releases, 1))
    return Served(live, versions, releases[-1], None if passed is None else frozenset(passed))


def test_both_regions_go_back_to_the_release_before() -> None:
    """N14, trap 65: the one that us-east-1 served before; what the gate stopped in us-west-2 alone
    was never served there, and is passed over."""
    found = decide({EAST: served(2, OLD, NEW), WEST: served(3, OLD, MIDDLE, NEW)})
    assert found == {EAST: OLD, WEST: OLD}
    assert served(3, OLD, MIDDLE, NEW).newest_of(OLD) == 1


def test_a_release_that_was_put_back_is_passed_over() -> None:
    """Trap 65: a deployment publishes the held code in us-east-1 too, though nothing calls it."""
    found = {EAST: served(3, OLD, MIDDLE, NEW), WEST: served(3, OLD, MIDDLE, NEW)}
    assert decide(found, [MIDDLE]) == {EAST: OLD, WEST: OLD}
    with pytest.raises(OperatorError, match="nothing to go back to"):
        decide(found, [MIDDLE, OLD])


def test_the_standby_alone_goes_back_to_nothing_that_the_gate_stopped() -> None:
    """Trap 65: while us-east-1 is lost nothing there says what ever served."""
    assert decide({WEST: served(3, OLD, MIDDLE, NEW, passed={1, 3})}) == {WEST: OLD}
    assert decide({WEST: served(4, OLD, MIDDLE, MIDDLE, NEW, passed={1, 3, 4})}) == {WEST: MIDDLE}
    with pytest.raises(OperatorError, match="no version of another release that passed the gate"):
        decide({WEST: served(2, MIDDLE, NEW, passed={2})})


def test_settings_of_one_release_are_no_release_before() -> None:
    """Two versions of the same release (another environment) are one step."""
    assert decide({EAST: served(3, OLD, NEW, NEW)}) == {EAST: OLD}
    assert served(1, OLD, NEW, OLD).newest_of(OLD) == 3
    assert served(1, OLD).newest_of(NEW) is None


def test_after_a_deployment_that_the_gate_stopped_the_standby_alone_goes_back() -> None:
    """Trap 65: us-east-1 never had the new code, and keeps what it has."""
    assert decide({EAST: served(1, OLD), WEST: served(2, OLD, NEW)}) == {WEST: OLD}


@pytest.mark.parametrize("releases", [(NEW,), ("", NEW), (NEW, NEW)])
def test_nothing_to_go_back_to_is_one_line(releases: tuple[str, ...]) -> None:
    """Bad input: nothing is touched where there is no release before, or none that is known."""
    with pytest.raises(OperatorError, match="nothing to go back to: us-east-1") as refused:
        decide({EAST: served(len(releases), *releases)})
    assert refused.value.code is ExitCode.BAD_INPUT


class Fake:
    """Both regions' functions and parameters; ``lost`` regions don't answer."""

    def __init__(self, east: tuple[str, ...], west: tuple[str, ...]) -> None:
        self.versions = {EAST: east, WEST: west}
        self.live = {
            (region, purpose): str(len(self.versions[region]))
            for region in (EAST, WEST)
            for purpose in rollback.PURPOSES
        }
        self.held: dict[str, str] = {EAST: NOTHING, WEST: NOTHING}
        self.passed: tuple[str, ...] | Exception = tuple(
            str(number) for number, release in enumerate(west, 1) if release in east
        )
        self.regions = (EAST, WEST)
        self.lost: set[str] = set()
        self.calls: list[str] = []

    def get(self, service: str, region: str) -> Any:
        if region in self.lost:
            error = EndpointConnectionError(endpoint_url="http://127.0.0.1:1")

            def refuse(*_name: Any, **_given: Any) -> None:
                raise error

            names = (
                "get_alias", "update_alias", "get_parameter", "put_parameter", "get_paginator",
            )  # fmt: skip
            return SimpleNamespace(**dict.fromkeys(names, refuse))
        return self._lambda(region) if service == "lambda" else self._ssm(region)

    def _lambda(self, region: str) -> Any:
        def purpose(name: str) -> str:
            return name.split("-")[1]

        def get_alias(FunctionName: str, Name: str) -> Any:  # noqa: N803
            assert Name == "live"
            return {"FunctionVersion": self.live[region, purpose(FunctionName)]}

        def paginate(FunctionName: str) -> Any:  # noqa: N803
            every = [*enumerate(self.versions[region], 1), ("$LATEST", self.versions[region][-1])]
            listed = [
                {"Version": str(number), "Description": described(FunctionName, release)}
                for number, release in every
            ]
            return [{"Versions": listed[:1]}, {"Versions": listed[1:]}]

        def update_alias(FunctionName: str, Name: str, FunctionVersion: str) -> None:  # noqa: N803
            assert Name == "live"
            self.calls.append(f"{region} {purpose(FunctionName)} {FunctionVersion}")
            self.live[region, purpose(FunctionName)] = FunctionVersion

        return SimpleNamespace(
            get_alias=get_alias,
            update_alias=update_alias,
            get_paginator=lambda name: SimpleNamespace(paginate=paginate),
        )

    def _ssm(self, region: str) -> Any:
        def put_parameter(Name: str, Value: str, Type: str, Overwrite: bool) -> None:  # noqa: N803
            assert (Name, Type) == (f"/warm-standby/{region}/test/local/release/held", "String")
            assert Overwrite
            self.calls.append(f"{region} held")
            self.held[region] = Value

        def history(Name: str) -> Any:  # noqa: N803
            assert (region, Name) == (WEST, "/warm-standby/us-west-2/test/local/passed-version")
            if isinstance(self.passed, Exception):
                raise self.passed
            return [{"Parameters": [{"Value": number}]} for number in self.passed]

        return SimpleNamespace(
            put_parameter=put_parameter,
            get_paginator=lambda name: SimpleNamespace(paginate=history),
            get_parameter=lambda Name: {"Parameter": {"Value": self.held[region]}},  # noqa: N803
        )


@pytest.fixture
def space(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path, tmp_path)


def world(clients: Fake, stack: str = "lab") -> Any:
    file = SimpleNamespace(stack=stack, settings=SimpleNamespace(suffix="test"))
    return World(file, clients)  # type: ignore[arg-type]


def run(space: Any, clients: Fake, region: str = "", *, undo: bool = False) -> list[Any]:
    return rollback.run(world(clients), space, region, undo=undo)


def test_what_is_held_back_is_written_before_an_alias_moves(space: Any) -> None:
    """Trap 65: killed in between, no deployment undoes a half of it; deployments keep the versions
    of both regions while the code is the one that was put back."""
    clients = Fake((OLD, NEW), (OLD, MIDDLE, NEW))
    moves = run(space, clients)
    assert clients.calls == [
        "us-east-1 held", "us-west-2 held", "us-east-1 api 1", "us-east-1 probe 1",
        "us-west-2 api 1", "us-west-2 probe 1",
    ]  # fmt: skip
    held = Held.parse(clients.held[EAST])
    assert clients.held[EAST] == clients.held[WEST]
    assert (held.release, held.withdrawn) == (NEW, (NEW,))
    assert {held.version(NEW, region, "api") for region in (EAST, WEST)} == {"1"}
    assert [move.was for move in moves] == [2, 2, 3, 3]
    with pytest.raises(OperatorError, match="nothing to go back to"):
        run(space, clients)


def test_a_stopped_deployment_is_put_back_in_the_standby_alone(space: Any) -> None:
    """Trap 65: and us-east-1's versions are kept as they are when the code is deployed again."""
    clients = Fake((OLD,), (OLD, NEW))
    moves = run(space, clients)
    assert [(move.region, move.version) for move in moves] == [(WEST, 1), (WEST, 1)]
    held = Held.parse(clients.held[WEST])
    assert (held.release, held.version(NEW, EAST, "api")) == (NEW, "1")
    # Mended code that has to go as well: what was put back first is no way back.
    clients.versions = {EAST: (OLD, NEW, MIDDLE), WEST: (OLD, NEW, MIDDLE)}
    clients.live = dict.fromkeys(clients.live, "3")
    assert {move.release for move in run(space, clients)} == {OLD}
    assert Held.parse(clients.held[WEST]).withdrawn == (NEW, MIDDLE)


def test_one_region_is_rolled_back_while_the_other_is_lost(space: Any) -> None:
    """Bad input and outages are one line with the way on; nothing of a lost region is asked."""
    clients = Fake((OLD, NEW), (OLD, NEW))
    clients.lost = {EAST}
    with pytest.raises(OperatorError, match=r"no connection; .* alone with --region us-west-2$"):
        run(space, clients)
    assert clients.calls == []
    assert [move.region for move in run(space, clients, WEST)] == [WEST, WEST]
    assert clients.held[EAST] == NOTHING
    with pytest.raises(OperatorError, match="--region eu-west-1 is neither us-east-1 nor"):
        run(space, clients, "eu-west-1")


def test_a_release_that_the_gate_stopped_is_gone_to_by_name_alone(space: Any) -> None:
    """Trap 65: with a line of warning; a version that isn't there, or serves, is refused."""
    clients = Fake((OLD, NEW), (OLD, MIDDLE, NEW))
    clients.lost = {EAST}
    assert {move.version for move in run(space, clients, WEST)} == {1}
    clients = Fake((OLD, NEW), (OLD, MIDDLE, NEW, ""))
    clients.live = dict.fromkeys(clients.live, "3")
    clients.lost = {EAST}
    said: list[str] = []

    def to(version: str, region: str = WEST, **more: Any) -> list[Any]:
        given: Any = {"undo": False, **more}
        return rollback.run(
            world(clients), space, region, version=version, warn=said.append, **given
        )

    for version in ("9", "4", "x"):
        with pytest.raises(OperatorError, match=r"has no such version .*\(it has 1, 2, 3\)"):
            to(version)
    with pytest.raises(OperatorError, match="--version 3 serves in us-west-2 already"):
        to("3")
    for region, more in (("", {}), (WEST, {"undo": True})):
        with pytest.raises(OperatorError, match="--version is of one region"):
            to("2", region, **more)
    assert (clients.calls, said) == ([], [])
    assert {move.version for move in to("2")} == {2}
    assert said == [
        "warning: version 2 in us-west-2 never passed the gate between the regions: ask for "
        "/health and /records there"
    ]
    assert {move.version for move in to("1")} == {1}
    assert len(said) == 1


def test_where_nothing_was_written_down_no_release_passed(space: Any) -> None:
    """Trap 65: a deployment of before the gate's record; other errors are one line."""
    clients = Fake((OLD, NEW), (OLD, NEW))
    clients.passed = ClientError({"Error": {"Code": "ParameterNotFound"}}, "GetParameterHistory")
    with pytest.raises(OperatorError, match="that passed the gate before version 2") as refused:
        run(space, clients, WEST)
    assert "--version NUMBER --region us-west-2" in str(refused.value)
    clients.passed = ClientError({"Error": {"Code": "AccessDenied"}}, "GetParameterHistory")
    with pytest.raises(OperatorError, match="passed-version in us-west-2: AccessDenied"):
        run(space, clients, WEST)
    clients.passed = EndpointConnectionError(endpoint_url="http://127.0.0.1:1")
    with pytest.raises(OperatorError, match="no connection"):
        run(space, clients, WEST)


def test_a_region_without_the_release_is_refused_before_anything_is_touched(space: Any) -> None:
    """A standby that was built after the release that us-east-1 goes back to."""
    clients = Fake((OLD, NEW), (NEW,))
    with pytest.raises(
        OperatorError, match="function-api-us-west-2-test has no version of release"
    ):
        run(space, clients)
    assert clients.calls == []


def test_an_alias_that_a_drill_leads_to_no_version_is_refused(space: Any) -> None:
    """What broke it knows how to give it back."""
    clients = Fake((OLD, NEW), (OLD, NEW))
    clients.live[EAST, "api"] = "$LATEST"
    with pytest.raises(OperatorError, match=r"run \./inv drill --restore first"):
        run(space, clients)


def test_undoing_lets_the_next_deployment_lead_on(space: Any) -> None:
    """The aliases stay: the deployment goes through the gate again, us-west-2 first."""
    clients = Fake((OLD, NEW), (OLD, NEW))
    with pytest.raises(OperatorError, match="no release of stack lab is held back"):
        run(space, clients, undo=True)
    run(space, clients)
    assert run(space, clients, undo=True) == []
    assert clients.held == {EAST: NOTHING, WEST: NOTHING}
    assert clients.live[EAST, "api"] == "1"


@pytest.mark.parametrize("fails", ["get_parameter", "put_parameter", "update_alias"])
def test_what_aws_refuses_is_one_line(
    space: Any, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    """Nothing is half done in silence: the same command resumes."""
    clients = Fake((OLD, NEW), (OLD, NEW))
    undo = fails == "get_parameter"
    real = clients.get

    def get(service: str, region: str) -> Any:
        client = real(service, region)

        def refuse(**_given: Any) -> None:
            raise ClientError({"Error": {"Code": "AccessDenied"}}, fails)

        if hasattr(client, fails):
            setattr(client, fails, refuse)
        return client

    monkeypatch.setattr(clients, "get", get)
    with pytest.raises(OperatorError, match=r"AccessDenied; run \./inv app\.rollback again"):
        run(space, clients, undo=undo)


def test_a_deployment_under_way_refuses_a_rollback(space: Any) -> None:
    """One of both at a time."""
    clients = Fake((OLD, NEW), (OLD, NEW))
    with (
        locked(space.stack_lock("lab"), "deploy-all of stack lab"),
        pytest.raises(OperatorError, match="another operation is under way") as busy,
    ):
        run(space, clients)
    assert busy.value.code is ExitCode.BUSY


def test_what_was_done_is_printed(
    space: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a table with what follows, or as JSON."""
    monkeypatch.setattr(rollback.workspace, "find", lambda: space)

    def shown(stack: str, **flags: bool) -> str:
        clients = Fake((OLD, NEW), (OLD, NEW))
        clients.held = {region: Held(NEW, {}).text() for region in (EAST, WEST)}
        given: Any = {"undo": False, "as_json": False, **flags}
        rollback.show(world(clients, stack), "", **given)
        return capsys.readouterr().out

    table = shown("lab")
    assert "function-api-us-east-1-test" in table
    assert table.rstrip().endswith("or ./inv app.rollback --undo")
    assert shown("dev").rstrip().endswith("--undo --stack dev")
    assert "./inv up --layer app --stack dev deploys it" in shown("dev", undo=True)
    (first, *_) = json.loads(shown("lab", as_json=True))
    assert first == {
        "region": EAST, "function": "function-api-us-east-1-test", "was": 2, "version": 1,
        "release": OLD,
    }  # fmt: skip


SAID = (
    "serves-gate-us-west-2: function function-gate-us-west-2-lab answered Unhandled: "
    '{"errorType":"Error","errorMessage":"standby gate: us-west-2 doesn\'t serve version 7: GET '
    '/health answered 502","trace":["Error: standby gate: us-west-2 …"]}'
)


def test_a_deployment_that_the_gate_stopped_says_so_in_one_line() -> None:
    """Trap 65: why, what has which code, and both ways on; other errors stay as they are."""
    line = gate.held_by(["app: one resource failed", SAID], EAST, WEST, " --stack dev")
    assert line == (
        "the new code stopped at the gate, us-east-1 keeps what it had: us-west-2 doesn't serve "
        "version 7: GET /health answered 502; mend the code and run ./inv up --layer app --stack "
        "dev again, or put us-west-2 back with ./inv app.rollback --stack dev"
    )
    for said in (
        "probes-gate-us-west-2: function function-probe answered Unhandled",
        'invoking Lambda Function (function-probe-us-west-2-dev): {"errorType":"TypeError"}',
    ):
        found = gate.held_by([said], EAST, WEST, "")
        assert found is not None
        assert "us-west-2's probe of the database fails when it is called" in found
    assert gate.held_by(["app: no such bucket"], EAST, WEST, "") is None
