"""Tasks for who changes this repository: checks, tests, benchmarks, pins."""

from __future__ import annotations

from invoke.collection import Collection
from invoke.context import Context

from ops.front.command import command


@command()
def lint(c: Context) -> None:
    """Check style, types, spelling and words of all code and pages."""
    from ops.quality import checks

    checks.lint(c)


@command(
    unit="Unit tests alone",
    integration="Lab integration tests alone",
    match="Only tests whose names match this pytest expression",
    quick="The quick unit tests and the functions' own, without coverage: within a minute",
)
def test(
    c: Context,
    unit: bool = False,
    integration: bool = False,
    match: str = "",
    quick: bool = False,
) -> None:
    """Run unit, function and lab integration tests, with coverage enforced."""
    from ops.quality import checks

    checks.test(c, unit=unit, integration=integration, match=match, quick=quick)


@command(
    name="One of tests/bench: deploy, kills, failover, drills, outages, api, soak, mutants …",
    minutes="End after this time; the next run resumes where this one stopped",
    clock="drills alone: the lab's seconds in a real one; figures of another than 1 are no RTO",
)
def bench(_c: Context, name: str, minutes: float = 0.0, clock: float = 1.0) -> None:
    """Measure a promise on this machine, and hold it against its limit."""
    from ops.quality import benches

    benches.run(name, minutes, clock)


@command("check")
def pins_check(_c: Context) -> None:
    """Check that every pin has wheels for each platform and Python that README names."""
    from ops.quality import pins

    pins.check()


@command("write")
def pins_write(_c: Context) -> None:
    """Write the hashes of these wheels into requirements.txt."""
    from ops.quality import pins

    pins.write()


@command("audit")
def pins_audit(c: Context) -> None:
    """Ask the registries for known vulnerabilities of all pins; exit code 5 if there are any."""
    from ops.quality import pins

    pins.audit(c)


TASKS = (lint, test, bench)
PINS = Collection("pins", pins_check, pins_write, pins_audit)
