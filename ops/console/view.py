"""From facts to the page: pure, and nothing is good that isn't known to be good."""

from __future__ import annotations

from datetime import UTC, datetime

from ops.cloud.switch import ENGAGED
from ops.console import view_recovery, view_regions
from ops.console.facts import NOT_YET, Facts, Layer
from ops.console.model import Cell, Link, Page, Problem, Section, Table, Tone
from ops.console.standing import standing, writes
from ops.deploy.standing import Standing, next_step
from tapstack.budget import Budget

WRITES = "Writes"
CREDENTIALS = "credentials don't work"
DAY_SECONDS = 86_400


def view(facts: Facts) -> Page:
    """The whole page."""
    seen = standing(facts)
    problem = _problem(facts)
    return Page(
        _headline(facts, seen),
        problem.next if problem else next_step(seen),
        problem,
        (
            *(view_regions.region(facts, seen, region) for region in facts.stack.regions),
            _traffic(facts, seen),
            *view_recovery.sections(facts),
            _alarms(facts, seen),
            _budget(facts),
            _deployed(facts),
            _drills(facts),
            _running(facts),
            *_asked(facts),
        ),
    )


def clock(at: float) -> str:
    """A moment as the page shows it."""
    return f"{datetime.fromtimestamp(at, UTC):%H:%M:%S} UTC"


def _headline(facts: Facts, seen: Standing) -> Cell:
    succeed = writes(facts, seen)
    writer = seen.writer or "none that is known"
    if succeed is None:
        return Cell(WRITES, "whether writes succeed isn't known", Tone.UNKNOWN)
    if not succeed:
        return Cell(WRITES, "fail", Tone.BAD, f"writer: {writer}")
    return Cell(WRITES, "succeed", Tone.GOOD, f"writer: {writer}")


def _problem(facts: Facts) -> Problem | None:
    stack = facts.stack
    lab = facts.value("lab")
    if stack.is_lab and lab is not None and not lab.running:
        return Problem(
            "the lab isn't running, so nothing of it is known",
            "run ./inv lab.up: it starts the lab with what is deployed in it",
        )
    if stack.is_lab and lab is None:
        return Problem(
            f"the lab's state isn't known ({facts.why('lab')})",
            "look with ./inv lab.status; ./inv lab.up starts a lab that has ended",
        )
    said = facts.why("caller")
    if not stack.is_lab and CREDENTIALS in said:
        return Problem(
            f"AWS refuses the credentials ({said.partition(':')[0]})",
            "set AWS_PROFILE or run aws sso login where the console was started, then start "
            f"./inv console{stack.flags} again",
        )
    layers, unread = facts.value("layers"), facts.why("layers")
    if layers is None and unread != NOT_YET:
        what, _, then = unread.partition(": ")
        then = then or f"look with ./inv doctor{stack.flags}"
        return Problem(f"what is deployed isn't known ({what})", then)
    if layers and not any(layer.deployed for layer in layers):
        return Problem(
            f"nothing is deployed on stack {stack.name}", f"run ./inv deploy-all{stack.flags}"
        )
    return None


def _traffic(facts: Facts, seen: Standing) -> Section:
    sent = seen.traffic
    primary = facts.stack.regions[0]
    if sent.region:
        tone = Tone.GOOD if sent.region == primary else Tone.WARN
        dns = Cell("DNS answers", sent.region, tone, f"kept {sent.ttl} s by clients", kept=True)
    else:
        dns = Cell("DNS answers", f"unknown ({sent.detail})", Tone.UNKNOWN, kept=True)
    switch = Cell("Failover switch", seen.switch, _switch_tone(seen.switch), kept=True)
    cells = [dns, *_held_answers(facts, sent.ttl), switch, *_crossing(facts)]
    if not facts.stack.is_lab:
        caller = facts.value("caller")
        cells.append(
            Cell("AWS credentials of", caller.arn, detail=f"account {caller.account}")
            if caller
            else Cell("AWS credentials of", f"unknown ({facts.why('caller')})", Tone.UNKNOWN)
        )
    return Section("traffic", "Between the regions", tuple(cells))


def _held_answers(facts: Facts, ttl: int) -> tuple[Cell, ...]:
    """For how long clients may still keep what DNS answered before its last change."""
    if facts.moved is None:
        return ()
    lab = facts.value("lab")
    until = facts.moved.at + ttl / (lab.clock if lab else 1.0)
    if until <= facts.now:
        return ()
    detail = f"(they asked before {clock(facts.moved.at)})"
    text = f"some clients keep {facts.moved.before or 'no answer'}"
    return (Cell("Answers from before", text, Tone.WARN, detail, until),)


def _switch_tone(switch: str) -> Tone:
    if switch.startswith("unknown"):
        return Tone.UNKNOWN
    return Tone.WARN if switch == ENGAGED else Tone.PLAIN


def _crossing(facts: Facts) -> tuple[Cell, ...]:
    found = facts.value("parameters")
    why = facts.why("parameters") or found.unknown
    if why:
        return (Cell("Shared parameters", f"unknown ({why})", Tone.UNKNOWN),)
    if found.differ:
        text = f"differ: {', '.join(found.differ)}"
        return (Cell("Shared parameters", text, Tone.WARN, kept=True),)
    if not found.equal:
        return (Cell("Shared parameters", "none"),)
    return (Cell("Shared parameters", f"{found.equal} equal", Tone.GOOD, kept=True),)


def _alarms(facts: Facts, seen: Standing) -> Section:
    rows = []
    for region in seen.alarms:
        for alarm in region.alarms:
            if not alarm.is_red:
                continue
            line = facts.stack.runbook.get(alarm.purpose)
            means = line.means if line else alarm.description
            do = line.do.replace("<region>", alarm.region).replace("`", "") if line else ""
            since = clock(alarm.since.timestamp())
            rows.append((Cell("", alarm.purpose, Tone.BAD), alarm.region, since, means, do))
    silent = [region for region in seen.alarms if region.unknown]
    cells = [Cell(region.region, f"unknown ({region.unknown})", Tone.UNKNOWN) for region in silent]
    red = [f"{row[0].text} in {row[1]}" for row in rows]
    if red:
        cells.insert(0, Cell("Red", ", ".join(red), Tone.BAD, kept=True))
    elif not silent:
        cells.append(Cell("Red", "none", Tone.GOOD, kept=True))
    else:
        cells.insert(0, Cell("Red", "none that is known", Tone.UNKNOWN, kept=True))
    headings = ("alarm", "region", "since", "means", "do")
    tables = (Table(headings, tuple(rows)),) if rows else ()
    return Section("alarms", "Alarms", tuple(cells), tables)


def _budget(facts: Facts) -> Section:
    budget: Budget = facts.stack.budget
    drill = next((one for one in facts.drills if one.verdict in ("passed", "failed")), None)
    rows = []
    for name, seconds, measured in (
        ("RTO of requests", budget.traffic_rto, drill.traffic_rto if drill else None),
        ("RTO of writes", budget.write_rto, drill.write_rto if drill else None),
        ("RPO", budget.rpo, drill.rpo if drill else None),
    ):
        rows.append((name, f"{seconds} s", _measured(measured, seconds)))
    last = f"last drill ({drill.name})" if drill else "last drill"
    return Section("budget", "Recovery budget", tables=(Table(("", "at most", last), tuple(rows)),))


def _measured(seconds: float | None, most: int) -> Cell:
    if seconds is None:
        return Cell("", "unknown (not measured)", Tone.UNKNOWN)
    return Cell("", f"{seconds:.0f} s", Tone.GOOD if seconds <= most else Tone.BAD)


def _deployed(facts: Facts) -> Section:
    layers = facts.value("layers")
    if layers is None:
        cell = Cell("Layers", f"unknown ({facts.why('layers')})", Tone.UNKNOWN)
        return Section("deployed", "Deployed", (cell, _drift(facts)))
    return Section("deployed", "Deployed", (*map(_layer, layers), _drift(facts)))


def _layer(layer: Layer) -> Cell:
    if not layer.deployed:
        return Cell(layer.name, "not deployed", Tone.BAD, kept=True)
    return Cell(layer.name, "deployed", Tone.GOOD, f"contract version {layer.version}", kept=True)


def _drift(facts: Facts) -> Cell:
    found = facts.drift
    if found is None:
        detail = f"./inv drift{facts.stack.flags} looks"
        return Cell("Drift", "unknown (nobody looked)", Tone.UNKNOWN, detail)
    days = int((facts.now - found.at) // DAY_SECONDS)
    when = f"looked {clock(found.at)}" + (f", {days} days ago" if days else "")
    changed = [f"{layer} {count}" for layer, count in found.changed.items() if count]
    if changed:
        return Cell("Drift", f"changed: {', '.join(changed)}", Tone.WARN, when)
    # What was true days ago isn't known to be true now.
    return Cell("Drift", "none", Tone.UNKNOWN if days else Tone.GOOD, when)


def _drills(facts: Facts) -> Section:
    tones = {"passed": Tone.GOOD, "failed": Tone.BAD, "void": Tone.UNKNOWN}
    rows = tuple(
        (
            Cell("", drill.verdict, tones.get(drill.verdict, Tone.UNKNOWN)),
            drill.name,
            drill.scenario,
            drill.where + (f", clock {drill.clock:g}" if drill.clock != 1 else ""),
            *(Link(kind, f"drills/{drill.name}.{kind}") for kind in drill.kinds),
        )
        for drill in facts.drills[:10]
    )
    table = Table(
        ("verdict", "drill", "scenario", "where", "evidence"), rows,
        f"none was recorded: ./inv drill{facts.stack.flags}",
    )  # fmt: skip
    return Section("drills", "Drills", tables=(table,))


def _asked(facts: Facts) -> tuple[Section, ...]:
    """What this page costs, on AWS."""
    if facts.stack.is_lab:
        return ()
    every = facts.stack.asked
    rows = [(one.name, f"{one.calls_a_minute:.1f}", f"${one.dollars_an_hour:.4f}") for one in every]
    calls = sum(one.calls_a_minute for one in every)
    dollars = sum(one.dollars_an_hour for one in every)
    rows.append(("together", f"{calls:.1f}", f"${dollars:.4f}"))
    headings = ("what", "calls a minute", "an hour, list price")
    return (Section("asked", "What this page asks of AWS", tables=(Table(headings, tuple(rows)),)),)


def _running(facts: Facts) -> Section:
    if not facts.runs:
        return Section("running", "Orders from this page", (Cell("Orders", "none yet"),))
    cells = []
    for run in facts.runs:
        state, tone = _outcome(run.code)
        cells.append(Cell(run.command, state, tone, f"began {clock(run.began)}", kept=True))
    return Section("running", "Orders from this page", tuple(cells), output=facts.runs[0].lines)


def _outcome(code: int | None) -> tuple[str, Tone]:
    if code is None:
        return "at work", Tone.WARN
    return ("done", Tone.GOOD) if code == 0 else (f"failed (exit code {code})", Tone.BAD)
