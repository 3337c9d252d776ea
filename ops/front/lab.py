"""``lab.*``: start and stop the lab, and break what runs in it."""

from __future__ import annotations

from invoke.collection import Collection
from invoke.context import Context

from ops.front.command import REGION, command


@command(
    clock="Lab seconds that pass in one real second",
    rtt="Lab milliseconds to the other region and back; 0 if never given",
)
def up(
    _c: Context, stack: str = "lab", clock: float | None = None, rtt: float | None = None
) -> None:
    """Start the lab, or find it running."""
    from ops import lab

    lab.up(stack, clock, rtt)


@command()
def down(_c: Context) -> None:
    """Stop the lab; what is deployed in it stays for the next start."""
    from ops import lab

    lab.down()


@command()
def status(_c: Context, json: bool = False) -> None:
    """Show the lab's address, regions and parts."""
    from ops import lab

    lab.status(json)


@command(
    region=REGION,
    part="api, compute, database, peering or replication; all",
    mode="down, slow, hang or flap; down",
)
def outage(_c: Context, region: str, part: str | None = None, mode: str | None = None) -> None:
    """Take a region down, or one part of it."""
    from ops import lab

    lab.outage(region, part, mode)


@command(region=REGION)
def restore(_c: Context, region: str) -> None:
    """Give a region back what it has lost, and end all faults."""
    from ops import lab

    lab.restore(region)


@command(
    "fault",
    fault="The fault, such as promotion-delay; none lists them",
    value="Seconds or a region where the fault needs one; off ends it",
)
def fault_(_c: Context, fault: str = "", value: str = "") -> None:
    """Let AWS fail in a way of its own, or list the ways."""
    from ops import lab

    lab.fault(fault, value)


@command(factor="Lab seconds in one real second")
def clock(_c: Context, factor: float) -> None:
    """Let the lab's time pass faster than real time."""
    from ops import lab

    lab.clock(factor)


@command(confirm="Confirm the subscriptions that wait for it, as a person does")
def mails(_c: Context, confirm: bool = False, json: bool = False) -> None:
    """Show the mails that SNS has sent."""
    from ops import lab_tools

    lab_tools.mails(confirm, json)


@command("env")
def env_(_c: Context, stack: str = "lab") -> None:
    """Print exports for AWS's and Pulumi's own tools against the lab."""
    from ops import lab_tools

    lab_tools.env(stack)


@command("types")
def types_(_c: Context, json: bool = False) -> None:
    """List the resource types that the lab's provider has."""
    from ops import lab_tools

    lab_tools.types(json)


@command("aws", arguments="AWS's own command line, such as: s3 ls")
def aws_(_c: Context, arguments: str = "", stack: str = "lab") -> None:
    """Run AWS's own command line interface against the lab."""
    from ops import lab_tools
    from ops.exits import end_with

    end_with(lab_tools.aws(stack, arguments))


LAB = Collection("lab", up, down, status, outage, restore, fault_, clock, mails, env_, types_, aws_)
