"""``./inv drill``: from flags to evidence.

Order: what an earlier drill broke is given back, everything that can be refused is refused, the
system is deployed and ready, then the course; whatever happens in it, all that was broken is given
back, and evidence is written.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from ops.cloud import kms_signing
from ops.deploy.driver import Driver, exit_code
from ops.drill import findings, incident, planned, readiness, result, scenario
from ops.drill.evidence import Page, folder, write
from ops.drill.findings import Finding
from ops.drill.inject import Injector
from ops.drill.play import Play, WorldOf, played
from ops.drill.prepare import Prepared, prepared
from ops.drill.scenario import Scenario
from ops.errors import ExitCode, OperatorError, bad_input
from ops.printing import make_console, print_json, rows_table
from ops.signing import Signer, own_signer
from ops.workspace import Workspace
from pulumi_protocol.events import EngineError
from pulumi_protocol.lock import locked

LARGEST_SEED = 10**6
LARGEST_RATE = 20.0
PARTICIPANT = "NAME or NAME:ROLE"


@dataclass(frozen=True)
class Options:
    """What was asked for, as it was typed."""

    scenario: str = scenario.DEFAULT
    seed: int | None = None
    participants: Sequence[str] = ()
    approved_by: str = ""
    findings: Sequence[str] = ()
    stay: bool = False
    as_json: bool = False
    template: str = ""
    confirm: str = ""
    restore: bool = False
    rate: float = 1.0
    kms_key: str = ""


def run(
    driver: Driver,
    options: Options,
    page: Page,
    world: WorldOf,
    before: Mapping[str, Any] | None = None,
    pause: Callable[[float], None] = time.sleep,
) -> ExitCode:
    """Runs one drill; ``before`` is the document of the one before it. The code is OK where it
    passed, DIFFERENCE where it failed or is void."""
    chosen = scenario.load(options.scenario)
    seed = options.seed if options.seed is not None else _seed()
    if not 0 < options.rate <= LARGEST_RATE:
        raise bad_input(f"--rate {options.rate:g} isn't above 0 and at most {LARGEST_RATE:g}")
    name = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{chosen.name}-{seed}"
    people = participants(options.participants)
    noted = findings.with_given(
        findings.carried(before), options.findings, datetime.now(UTC).date(), name
    )
    with alone(driver.workspace):
        give_back(driver, pause)
        if options.restore:
            return ExitCode.OK
        ready = _prepared(driver, chosen, options, pause)
        play = Play(name, chosen, seed, people, options.approved_by, options.stay, options.rate)
        signer = _signer(ready, options)
        with result.running(ready.items, chosen, driver.errors.print):
            readiness.wait(ready, chosen, driver.errors.print, pause)
            return _finish(driver, options, page, noted, play, ready, world, pause, signer)


def show_list(as_json: bool) -> None:
    """Prints the scenarios with what each expects, and the published incidents that are like it."""
    chosen = [scenario.load(name) for name in scenario.names()]
    if as_json:
        print_json([{"name": one.name, **_listed(one)} for one in chosen])
        return
    rows = [
        (one.name, one.title, one.expectation, _places(one), ", ".join(incident.like(one.name)))
        for one in chosen
    ]
    headings = ("scenario", "what happens", "what must happen", "where", "happened as")
    make_console().print(rows_table(headings, rows))


def participants(given: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Names and roles. Raises ``OperatorError`` for one without a name."""
    found = []
    for text in given:
        name, _, role = (part.strip() for part in text.partition(":"))
        if not name:
            raise bad_input(f"--participants {text!r} isn't {PARTICIPANT}")
        found.append((name, role or "took part"))
    return tuple(found)


@contextmanager
def alone(workspace: Workspace) -> Iterator[None]:
    """One drill at a time; a second one ends with BUSY."""
    try:
        holding = locked(workspace.directory / "evidence" / "drill.lock", "drill")
        holding.__enter__()
    except EngineError as error:
        raise OperatorError(str(error), ExitCode.BUSY) from None
    try:
        yield
    finally:
        holding.__exit__(None, None, None)


def give_back(driver: Driver, pause: Callable[[float], None]) -> None:
    """What a drill that was killed left broken."""
    made = prepared(driver, pause).restoration
    left = made.pending()
    if left:
        driver.errors.print(
            f"an earlier drill was ended before it gave back: {'; '.join(x.command for x in left)}"
        )
        made.run(driver.errors.print)
        driver.errors.print("all of it is given back")


def _prepared(
    driver: Driver, chosen: Scenario, options: Options, pause: Callable[[float], None]
) -> Prepared:
    """Deployed, and confirmed where a person has to."""
    if driver.lab_endpoint and not driver.outputs().get("global.fqdn"):
        results = driver.up(list(driver.graph))
        if exit_code(results) is not ExitCode.OK:
            raise OperatorError("the lab isn't deployed: run ./inv deploy-all, then this again")
    ready = prepared(driver, pause)
    injector = _injector(ready, options)
    injector.refuse(chosen)
    if not driver.lab_endpoint:
        _ask(driver, chosen, injector, options.confirm)
    return ready


def _signer(ready: Prepared, options: Options) -> Signer:
    """Who will sign, known before anything is broken: this user, or a key of KMS, looked for in the
    region that a loss leaves."""
    if not options.kms_key:
        return own_signer()
    clients = ready.system.clients
    region = kms_signing.region_of(options.kms_key, clients.regions[1])
    return kms_signing.signer(clients.get("kms", region), options.kms_key)


def _ask(driver: Driver, chosen: Scenario, injector: Injector, confirm: str) -> None:
    """What will be broken and how it is given back; nothing without the stack's name."""
    driver.errors.print(
        f"{chosen.title}, on stack {driver.stack}: users will notice. Undo by hand:"
    )
    for undo in injector.undoes(chosen):
        driver.errors.print(f"  {undo.command}")
    driver.errors.print(
        "An inverted health check proves traffic alone; giving it back needs Route 53's control "
        "plane, which is in us-east-1."
    )
    if not confirm and not sys.stdin.isatty():
        raise bad_input(f"nobody is here to be asked: add --confirm {driver.stack}")
    given = confirm or input("Type the stack's name to continue: ").strip()
    if given != driver.stack:
        raise bad_input(f"{given or 'nothing'} isn't {driver.stack}: nothing was touched")


def _injector(ready: Prepared, options: Options) -> Injector:
    return Injector(
        ready.system.clients, ready.outputs, ready.system.suffix, ready.restoration,
        ready.lab_state, options.template,
    )  # fmt: skip


def _finish(
    driver: Driver,
    options: Options,
    page: Page,
    noted: list[Finding],
    play: Play,
    ready: Prepared,
    world: WorldOf,
    pause: Callable[[float], None],
    signer: Signer,
) -> ExitCode:
    console = driver.errors if options.as_json else driver.console
    path = folder(driver.workspace.directory) / f"{play.name}.jsonl"
    injector = replace(
        _injector(ready, options),
        planned=lambda region, begun: planned.move(world(), region, begun, pause),
    )
    document = played(play, ready, injector, path, console, noted, world, pause)
    target = write(document, path, page, signer)
    result.record(
        ready.items, ready.system.clients, ready.system.suffix, play.scenario, document,
        driver.errors.print,
    )  # fmt: skip
    if options.as_json:
        print_json(document)
    else:
        for line in summary(document):
            console.print(line)
        console.print(f"page: {target}")
    interrupted = document["reasons"][:1] == ["interrupted"]
    if interrupted:
        return ExitCode.INTERRUPTED
    return ExitCode.OK if document["verdict"] == "passed" else ExitCode.DIFFERENCE


def summary(document: Mapping[str, Any]) -> list[str]:
    """The verdict in a few lines."""
    figures, rows = document["figures"], document["rows"]
    at_speed = document["clock"] == 1
    name = "RTO" if at_speed else f"at clock {document['clock']:g}, no RTO"
    lines = [f"{document['scenario']}: {document['verdict'].upper()}"]
    lines += [f"  {reason}" for reason in document["reasons"]]
    for what in ("traffic", "writes"):
        value = figures[what].get("honest")
        lines.append(f"{what} ({name}): {'never' if value is None else f'{value:.0f} s'}")
    allowed = document["write_rto_with_allowance_seconds"]
    if allowed is not None:
        most = document["budget"]["write_rto_with_a_lost_run_seconds"]
        lines.append(f"writes with AWS's allowance: {allowed:.0f} s of {most} s")
    lines.append(
        f"rows: {rows['acknowledged']} acknowledged, {rows['lost']} lost (RPO "
        f"{document['rpo_seconds']:.1f} s), {rows['stale']} stale, {rows['duplicated']} duplicated"
    )
    return lines


def _listed(one: Scenario) -> dict[str, Any]:
    return {
        "title": one.title,
        "expected": one.expectation,
        "on_aws": one.on_aws,
        "incidents": incident.like(one.name),
    }


def _places(one: Scenario) -> str:
    return "lab, AWS" if one.on_aws else "lab"


def _seed() -> int:
    return random.SystemRandom().randrange(LARGEST_SEED)
