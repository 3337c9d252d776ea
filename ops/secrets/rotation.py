"""``./inv secrets.rotate``: new passwords for the database's users, in both regions.

The application goes from one of two users to the other: the one it leaves keeps its password
until the next rotation, so no connection that is opened meanwhile is refused. The master has one
name, and only the migration uses it. The secrets live in the primary region; the writer may be in
either.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ops.cloud.answers import reason
from ops.errors import OperatorError, bad_input
from ops.printing import make_console, print_json
from ops.recovery.place import World
from ops.secrets.newest import confirm_writer
from ops.secrets.versions import CURRENT, PENDING, Begun, Versions
from recovery.model import Stage, Tail
from tapstack.naming import physical_name
from tapstack.well_known import MIGRATE_FUNCTION

APPLICATION, MASTER = "application", "master"
USERS = {"both": (APPLICATION, MASTER), APPLICATION: (APPLICATION,), MASTER: (MASTER,)}
"""What ``--user`` takes, and in which order they are rotated."""
WAIT_SECONDS = 180
"""For RDS to have taken the master's password, and for the replica to follow."""
POLL_SECONDS = 3
ROTATIONS = "rotations"
"""What the migration is asked whether it knows it (lambda_src/api/src/application.mjs)."""
MOVING = (Stage.INTENT, Stage.CALLED, Stage.PROMOTING, Stage.VERIFYING)
"""While a writer is made."""

Report = Callable[[str], None]


@dataclass(frozen=True)
class Rotated:
    """What became of one secret."""

    secret: str
    username: str
    version: str
    standby: str
    """``follows`` once the other region's replica has that version; else what it has."""


def show(world: World, which: str, as_json: bool) -> None:
    """Rotates and prints what became of each secret; no value is shown."""
    console = make_console(stderr=as_json)
    done = rotate(world, which, console.print)
    if as_json:
        print_json([asdict(one) for one in done])
        return
    for one in done:
        console.print(
            f"{one.secret}: version {one.version}; {world.clients.regions[1]} {one.standby}"
        )
    console.print(f"the next deployment runs the migration once: ./inv deploy-all{world.flags}")


def rotate(world: World, which: str, report: Report = lambda _line: None) -> list[Rotated]:
    """Rotates the secrets of ``which``; each is whole before the next begins. Safe to repeat: what
    a killed command left pending is finished. Raises ``OperatorError``."""
    if which not in USERS:
        raise bad_input(f"--user {which!r} is none of {', '.join(USERS)}")
    _may(world)
    _must_know_rotations(world)
    return [_one(world, user, report) for user in USERS[which]]


def _may(world: World) -> None:
    """Refuses while the old volume is still to be compared: its users have today's passwords."""
    for item in world.items.read():
        state = item.state
        if state is None:
            continue
        if state.stage in MOVING:
            raise bad_input(
                f"{item.region} is being promoted ({state.stage.value}): rotate when that is done "
                f"(./inv recovery.status{world.flags})"
            )
        if state.incident is not None and state.incident.tail is Tail.OPEN:
            raise bad_input(
                "the lost tail is open, and its volume knows today's passwords only: first "
                f"./inv recovery.reconcile{world.flags}"
            )


def _must_know_rotations(world: World) -> None:
    """A migration of before this command would ignore which version it is asked to work with. Asked
    without the database: after a killed rotation the master's current version may not log in."""
    name, answer = _invoked(world, {"knows": ROTATIONS})
    if answer.get("knows") is not True:
        why = answer.get("errorMessage", "it is of a release before")
        raise bad_input(
            f"{name} doesn't know rotations ({why}): run ./inv up --layer app{world.flags} first"
        )


def _one(world: World, user: str, report: Report) -> Rotated:
    primary, standby = world.clients.regions
    name = physical_name("secret", user, primary, world.file.settings.suffix)
    secret = Versions(world.clients.get("secretsmanager", primary), name)
    again = f"run ./inv secrets.rotate --user {user}{world.flags} again"
    try:
        begun = secret.begin(other_user=user == APPLICATION)
        report(f"{name}: {'resumes' if begun.resumed else 'begins'} with user {begun.username}")
        if user == MASTER:
            _set_master(world, secret)
        _migrate(world, user, begun.username)
        secret.finish(begun)
        report(f"{name}: {begun.username}'s new password is the current one")
    except (ClientError, BotoCoreError) as error:
        raise OperatorError(
            f"{name}: {reason(error)}; logins continue as before; {again}"
        ) from None
    return Rotated(name, begun.username, begun.pending, _followed(world, name, begun, standby))


def _set_master(world: World, secret: Versions) -> None:
    """The pending password, given to the cluster that writes; the same again changes nothing."""
    suffix = world.file.settings.suffix
    database = physical_name("aurora-global", "", world.clients.regions[0], suffix)
    asked = world.clients.get("rds", world.clients.regions[1])
    found = asked.describe_global_clusters(GlobalClusterIdentifier=database)["GlobalClusters"][0]
    writers = [one["DBClusterArn"] for one in found["GlobalClusterMembers"] if one["IsWriter"]]
    if len(writers) != 1:
        raise OperatorError(f"{database} has {len(writers)} writers: rotate when it has one")
    region, cluster = writers[0].split(":")[3], writers[0].rpartition(":")[2]
    confirm_writer(world, region)
    world.clients.get("rds", region).modify_db_cluster(
        DBClusterIdentifier=cluster,
        MasterUserPassword=secret.value(PENDING)["password"],
        ApplyImmediately=True,
    )


def _migrate(world: World, user: str, username: str) -> None:
    """Lets the migration work with the pending version: it makes the application's user, or logs in
    as master, and proves that the application's user may. RDS takes a while for the master's."""
    stages = {user: PENDING}
    until = world.now() + (WAIT_SECONDS if user == MASTER else 0)
    while True:
        name, answer = _invoked(world, {"stages": stages})
        if answer.get("stages") == stages and (user == MASTER or answer["user"] == username):
            return
        if world.now() >= until:
            raise OperatorError(
                f"{name} failed: {answer.get('errorMessage', 'it proved another user')}; logins "
                f"continue as before; run ./inv secrets.rotate --user {user}{world.flags} again"
            )
        world.sleep(POLL_SECONDS)


def _invoked(world: World, event: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The migration's name and what it answered; of a failure ``errorMessage``."""
    primary = world.clients.regions[0]
    name = physical_name("function", MIGRATE_FUNCTION, primary, world.file.settings.suffix)
    try:
        answer = world.clients.get("lambda", primary).invoke(
            FunctionName=name, Payload=json.dumps(event).encode()
        )
    except (ClientError, BotoCoreError) as error:
        return name, {"errorMessage": reason(error)}
    text = answer["Payload"].read().decode(errors="replace")
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    return name, found if isinstance(found, dict) else {"errorMessage": " ".join(text.split())}


def _followed(world: World, name: str, begun: Begun, standby: str) -> str:
    """Whether the standby's replica has the new version; it follows by itself, sooner or later."""
    until = world.now() + WAIT_SECONDS
    while True:
        try:  # a replica has the primary's name
            labels = Versions(world.clients.get("secretsmanager", standby), name).labelled()
            if labels.get(CURRENT) == begun.pending:
                return "follows"
            seen = f"still has {labels.get(CURRENT, 'nothing')}"
        except (ClientError, BotoCoreError) as error:
            return f"unknown ({reason(error)})"
        if world.now() >= until:
            return seen
        world.sleep(POLL_SECONDS)
