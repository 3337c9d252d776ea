"""``lab.*``: start and stop the lab, and break what runs in it."""

from __future__ import annotations

from invoke.collection import Collection
from invoke.context import Context

from ops.front.command import REGION, command


@command(clock="Lab seconds that pass in one real second")
def up(_c: Context, stack: str = "lab", clock: float | None = None) -> None:
    """Start the lab, or find it running."""
    from ops import lab

    lab.up(stack, clock)


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


LAB = Collection("lab", up, down, status, outage, restore, fault_, clock)
