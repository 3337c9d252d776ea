"""``./inv app.rollback``: the functions' aliases go back to the release before, in both regions.

The decision is pure (:func:`decide`). It follows from what serves: where both regions serve the
same release, both go back to the one that us-east-1 served before; where a deployment stopped
between them, the standby goes back to the primary's. What the gate stopped was published in the
standby alone and is no release to go back to, unless a person names its version.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ops import workspace
from ops.cloud.answers import reason
from ops.cloud.clients import Clients
from ops.errors import ExitCode, OperatorError, bad_input
from ops.printing import make_console, print_json, rows_table
from ops.recovery.place import World
from ops.waiting import announced
from ops.workspace import Workspace
from pulumi_protocol.events import EngineError
from pulumi_protocol.lock import locked
from tapstack.naming import physical_name
from tapstack.releases import Held, held_parameter, passed_parameter, release_in
from tapstack.well_known import API_FUNCTION, LIVE, PROBE_FUNCTION

PURPOSES = (API_FUNCTION, PROBE_FUNCTION)
"""The functions of a release; the first one's decides."""
LATEST = "$LATEST"


@dataclass(frozen=True)
class Version:
    """A published version, and the release that it is of (empty: unknown)."""

    number: int
    release: str


@dataclass(frozen=True)
class Served:
    """One function of one region: the version that its alias leads to, and all that there are."""

    live: int
    versions: tuple[Version, ...]
    newest_release: str
    """The release of the last deployment."""
    passed: frozenset[int] | None = None
    """The versions that passed the gate; None: nobody stands before this region."""

    @property
    def release(self) -> str:
        """The release that serves; empty where its version doesn't say."""
        return next((one.release for one in self.versions if one.number == self.live), "")

    def has_passed(self, release: str) -> bool:
        """Whether a version of the release passed the gate."""
        return self.passed is None or any(
            one.number in self.passed for one in self.versions if one.release == release
        )

    def before(self, withdrawn: Collection[str]) -> str:
        """The release that came before the one that serves, passed the gate and wasn't put back
        itself; empty where there is none."""
        left = {"", self.release, *withdrawn}
        older = [
            one
            for one in self.versions
            if one.number < self.live and one.release not in left and self.has_passed(one.release)
        ]
        return max(older, key=lambda one: one.number).release if older else ""

    def newest_of(self, release: str) -> int | None:
        """The newest version of a release."""
        return max((one.number for one in self.versions if one.release == release), default=None)


@dataclass(frozen=True)
class Move:
    """One alias, from version to version."""

    region: str
    function: str
    was: int
    version: int
    release: str

    def as_dict(self) -> dict[str, Any]:
        """As ``--json`` prints it."""
        return {
            "region": self.region,
            "function": self.function,
            "was": self.was,
            "version": self.version,
            "release": self.release,
        }


def decide(served: Mapping[str, Served], withdrawn: Collection[str] = ()) -> dict[str, str]:
    """Region → the release that it goes back to, of the regions that change; pure.

    ``served``: the function that serves requests, of one region or of both, the primary first.
    ``withdrawn``: the releases that were put back before.
    Raises ``OperatorError`` where there is nothing to go back to.
    """
    first, *others = served
    primary = served[first]
    for other in others:
        if served[other].release != primary.release:
            # Stopped between the regions: the standby alone has what is to go.
            return {other: primary.release}
    release = primary.before(withdrawn)
    if not release:
        gated = " that passed the gate" if primary.passed is not None else ""
        raise bad_input(
            f"nothing to go back to: {first} has no version of another release{gated} before "
            f"version {primary.live}; nothing was touched; --version NUMBER --region {first} names "
            "any"
        )
    return dict.fromkeys(served, release)


def named(served: Served, region: str, version: str) -> str:
    """The release of a version that a person names; pure. Raises ``OperatorError``."""
    found = [one for one in served.versions if str(one.number) == version]
    if not found or not found[0].release:
        having = ", ".join(str(one.number) for one in served.versions if one.release)
        raise bad_input(
            f"--version {version}: {region} has no such version of a known release (it has "
            f"{having or 'none'}); nothing was touched"
        )
    if found[0].release == served.release:
        raise bad_input(f"--version {version} serves in {region} already: nothing was touched")
    return found[0].release


def run(
    world: World,
    space: Workspace,
    region: str,
    *,
    undo: bool,
    version: str = "",
    warn: Callable[[str], None] = lambda _line: None,
) -> list[Move]:
    """Leads the aliases back, or with ``undo`` lets the next deployment lead them on again.

    ``region``: the only one to touch, because the other one is lost; empty: both. ``version`` of
    that region's application names the release to go to, and ``warn`` gets a line where it never
    passed the gate. What is held back is written down first, so that no deployment undoes a half
    of it. Raises ``OperatorError``; the same command again resumes.
    """
    file, clients = world.file, world.clients
    regions = _chosen(clients, region)
    if version and (undo or not region):
        raise bad_input("--version is of one region: give --region with it, and no --undo")
    suffix = file.settings.suffix
    try:
        with locked(space.stack_lock(file.stack), f"app.rollback of stack {file.stack}"):
            if undo:
                _let_go(clients, regions, suffix, file.stack)
                return []
            moves, held = _plan(clients, regions, suffix, version, warn)
            for name in regions:
                _write(clients, name, suffix, held.text())
            for move in moves:
                _lead(clients, move)
            return moves
    except EngineError as error:
        raise OperatorError(str(error), ExitCode.BUSY) from None


def show(
    world: World, region: str, *, undo: bool, as_json: bool, version: str = ""
) -> None:  # fmt: skip
    """Runs it and prints what was moved; warnings on standard error."""
    warn = make_console(stderr=True).print
    with announced("the functions' aliases"):
        moves = run(world, workspace.find(), region, undo=undo, version=version, warn=warn)
    if as_json:
        print_json([move.as_dict() for move in moves])
        return
    console = make_console()
    if undo:
        console.print(
            f"nothing is held back any more: ./inv up --layer app{world.flags} deploys it"
        )
        return
    rows = ((one.function, one.was, one.version, one.release) for one in moves)
    console.print(rows_table(("function", "was", "version", "release"), rows))
    console.print(
        "deployments keep these versions until the code changes, or ./inv app.rollback --undo"
        f"{world.flags}"
    )


def _chosen(clients: Clients, region: str) -> tuple[str, ...]:
    if region and region not in clients.regions:
        raise bad_input(f"--region {region} is neither {' nor '.join(clients.regions)}")
    return (region,) if region else clients.regions


def _plan(
    clients: Clients,
    regions: tuple[str, ...],
    suffix: str,
    version: str,
    warn: Callable[[str], None],
) -> tuple[list[Move], Held]:
    """The moves, the primary's first, and what deployments shall keep."""
    found = {name: dict(_served(clients, name, suffix)) for name in regions}
    before = Held.parse(_read(clients, regions[-1], suffix))
    served = {name: each[API_FUNCTION] for name, each in found.items()}
    if version:
        (only,) = regions
        releases = {only: named(served[only], only, version)}
        if not served[only].has_passed(releases[only]):
            warn(
                f"warning: version {version} in {only} never passed the gate between the regions: "
                "ask for /health and /records there"
            )
    else:
        releases = decide(served, before.withdrawn)
    moves: list[Move] = []
    kept: dict[str, dict[str, str]] = {}
    for name, each in found.items():
        kept[name] = {purpose: str(one.live) for purpose, one in each.items()}
        for purpose, one in each.items() if name in releases else ():
            function = physical_name("function", purpose, name, suffix)
            number = one.newest_of(releases[name])
            if number is None:
                raise bad_input(
                    f"{function} has no version of release {releases[name]}: nothing was touched; "
                    "deploy the code that served before"
                )
            moves.append(Move(name, function, one.live, number, releases[name]))
            kept[name][purpose] = str(number)
    # The last deployment's, which the standby got first, and what served until now.
    newest = found[regions[-1]][API_FUNCTION].newest_release
    left = {found[name][API_FUNCTION].release for name in releases} - {newest}
    others = [one for one in before.withdrawn if one not in (newest, *left)]
    return moves, Held(newest, kept, (*others, *sorted(left), newest))


def _passed(clients: Clients, region: str, suffix: str) -> frozenset[int] | None:
    """The standby's versions that the gate let through; None for the primary region."""
    if region == clients.regions[0]:
        return None
    name = passed_parameter(region, suffix)
    try:
        history = clients.get("ssm", region).get_paginator("get_parameter_history")
        every = [one for page in history.paginate(Name=name) for one in page["Parameters"]]
        return frozenset(int(one["Value"]) for one in every)
    except ClientError as error:
        if error.response["Error"]["Code"] == "ParameterNotFound":
            return frozenset()  # no deployment since there is such a parameter
        raise _unreachable(clients, region, name, error) from None
    except BotoCoreError as error:
        raise _unreachable(clients, region, name, error) from None


def _served(clients: Clients, region: str, suffix: str) -> Iterator[tuple[str, Served]]:
    client = clients.get("lambda", region)
    passed = _passed(clients, region, suffix)
    for purpose in PURPOSES:
        function = physical_name("function", purpose, region, suffix)
        try:
            alias = client.get_alias(FunctionName=function, Name=LIVE)
            pages = client.get_paginator("list_versions_by_function").paginate(
                FunctionName=function
            )
            every = [one for page in pages for one in page["Versions"]]
        except (ClientError, BotoCoreError) as error:
            raise _unreachable(clients, region, function, error) from None
        versions = tuple(
            Version(int(one["Version"]), release_in(one.get("Description", "")))
            for one in every
            if one["Version"] != LATEST
        )
        newest = next(one for one in every if one["Version"] == LATEST)
        live = alias["FunctionVersion"]
        if live == LATEST:
            raise OperatorError(
                f"{function}'s alias leads to no published version, as a drill leaves it: run "
                "./inv drill --restore first"
            )
        release = release_in(newest.get("Description", ""))
        yield purpose, Served(int(live), versions, release, passed)


def _let_go(clients: Clients, regions: tuple[str, ...], suffix: str, stack: str) -> None:
    held = {name: Held.parse(_read(clients, name, suffix)) for name in regions}
    if not any(one.release for one in held.values()):
        raise bad_input(f"no release of stack {stack} is held back: nothing was touched")
    for name, one in held.items():
        others = tuple(release for release in one.withdrawn if release != one.release)
        _write(clients, name, suffix, Held(withdrawn=others).text())


def _read(clients: Clients, region: str, suffix: str) -> str:
    name = held_parameter(region, suffix)
    try:
        return str(clients.get("ssm", region).get_parameter(Name=name)["Parameter"]["Value"])
    except (ClientError, BotoCoreError) as error:
        raise _unreachable(clients, region, name, error) from None


def _write(clients: Clients, region: str, suffix: str, value: str) -> None:
    name = held_parameter(region, suffix)
    try:
        clients.get("ssm", region).put_parameter(
            Name=name, Value=value, Type="String", Overwrite=True
        )
    except (ClientError, BotoCoreError) as error:
        raise _unreachable(clients, region, name, error) from None


def _lead(clients: Clients, move: Move) -> None:
    try:
        clients.get("lambda", move.region).update_alias(
            FunctionName=move.function, Name=LIVE, FunctionVersion=str(move.version)
        )
    except (ClientError, BotoCoreError) as error:
        raise _unreachable(clients, move.region, move.function, error) from None


def _unreachable(clients: Clients, region: str, what: str, error: Exception) -> OperatorError:
    (other,) = (name for name in clients.regions if name != region)
    return OperatorError(
        f"{what} in {region}: {reason(error)}; run ./inv app.rollback again, or for {other} alone "
        f"with --region {other}"
    )
