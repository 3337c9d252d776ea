"""Tasks around a deployment: a new stack's file, what a machine needs, state and events."""

from __future__ import annotations

from invoke.collection import Collection
from invoke.context import Context

from ops.front.command import command


@command(
    name="Name of the environment: the file becomes Pulumi.<name>.yaml",
    suffix="Last part of every physical name, at most 14 characters",
    environment="The Environment tag: dev or prod",
    domain="Domain of the hosted zone",
    account="The only AWS account that may be deployed to",
    alarm_email="Who is notified of alarms",
)
def init(
    _c: Context,
    name: str,
    suffix: str = "",
    environment: str = "dev",
    domain: str = "",
    account: str = "",
    alarm_email: str = "",
) -> None:
    """Write the stack file of a new environment."""
    from ops import init as new_stack

    file = new_stack.write(
        name,
        {
            "TapStack:environmentSuffix": suffix,
            "TapStack:environment": environment,
            "TapStack:accountId": account,
            "aws:region": "us-east-1",
            "global:domain": domain,
            "global:alarmEmail": alarm_email,
        },
    )
    print(f"{file.name} written: ./inv preview-all --stack {name}")


@command()
def setup(_c: Context) -> None:
    """Install Pulumi's own CLI, for stacks that aren't the lab."""
    from ops import setup as installation

    for line in installation.setup():
        print(line)


@command("move", to="Engine that shall hold it: embedded or pulumi")
def state_move(_c: Context, to: str, stack: str = "lab") -> None:
    """Hand a lab stack's state from one engine to the other; nothing is deployed anew."""
    from ops import session

    for layer, count in session.move_state(stack, to).items():
        print(f"{layer}: {count} resources are the {to} engine's now")


@command("redrive")
def events_redrive(_c: Context, stack: str = "lab", json: bool = False) -> None:
    """Deliver again the events that couldn't be delivered, in both regions."""
    from ops import session
    from ops.cloud import redrive

    redrive.show(*session.clients_for(stack), json)


@command(
    "rollback",
    region="The only region to touch, while the other one is lost",
    undo="Hold nothing back any more: the next deployment leads on again",
    version="The version of that region's application to go to, even if the gate stopped it",
)
def app_rollback(
    _c: Context,
    stack: str = "lab",
    region: str = "",
    undo: bool = False,
    version: str = "",
    json: bool = False,
) -> None:
    """Lead the application's functions back to the release before, in both regions."""
    from ops import session
    from ops.recovery import rollback

    world = session.acting_on(stack)
    rollback.show(world, region, undo=undo, as_json=json, version=version)


@command("rotate", user="application, master or both")
def secrets_rotate(_c: Context, stack: str = "lab", user: str = "both", json: bool = False) -> None:
    """Give the database's users new passwords, in both regions, without a refused login."""
    from ops import session
    from ops.secrets import rotation

    rotation.show(session.acting_on(stack), user, json)


@command(
    "replicate",
    region="Only from this region's bucket",
    failed="Only what S3 gave up on, not what was there before replication",
)
def objects_replicate(
    _c: Context, stack: str = "lab", region: str = "", failed: bool = False, json: bool = False
) -> None:
    """Replicate the objects that S3 hasn't: those of before, and those that failed."""
    from ops import session
    from ops.cloud import batch_replication

    _, file, clients = session.looking_at(stack)
    batch_replication.show(file, clients, region, failed=failed, as_json=json)


@command("export", region="Only this region's, while the other one is lost")
def emergency_export(_c: Context, stack: str = "lab", region: str = "", json: bool = False) -> None:
    """Make the emergency export of treated patients' records now, in both regions."""
    from ops import session
    from ops.cloud import emergency

    file, clients = session.waiting_on(stack, emergency.EXPORT_SECONDS)
    emergency.export(file, clients, region, as_json=json)


@command(
    "open",
    region="Only this region's bucket, while the other one is lost",
    to="Folder to write into; default: emergency-exports/REGION-TIME",
)
def emergency_open(
    _c: Context, stack: str = "lab", region: str = "", to: str = "", json: bool = False
) -> None:
    """Fetch the newest emergency export for a browser, and say how old it is."""
    from ops import session
    from ops.cloud import emergency

    emergency.open_newest(*session.looking_at(stack), region, to, as_json=json)


TASKS = (init, setup)
APP = Collection("app", app_rollback)
STATE = Collection("state", state_move)
EVENTS = Collection("events", events_redrive)
SECRETS = Collection("secrets", secrets_rotate)
OBJECTS = Collection("objects", objects_replicate)
EMERGENCY = Collection("emergency", emergency_export, emergency_open)
