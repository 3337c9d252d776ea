"""What the page may order, and what becomes of an order's words: pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lab.faults import Fault
from lab.outage import REGIONS, Mode, OutageKind
from ops.console.facts import Stack
from ops.errors import bad_input

ALL = "all"
LONGEST = 400
"""Characters of one field."""


@dataclass(frozen=True)
class Field:
    """One thing to choose or to write."""

    name: str
    label: str
    choices: tuple[str, ...] = ()
    """None: it is written."""
    needed: bool = True
    hint: str = ""


@dataclass(frozen=True)
class Action:
    """One order that there is."""

    name: str
    title: str
    says: str
    fields: tuple[Field, ...] = ()
    lab_only: bool = True
    confirmed: bool = False
    """Whether the stack's name is typed first."""


@dataclass(frozen=True)
class LabCommand:
    """A command of the lab's, its arguments, and its words after ``./inv``."""

    name: str
    arguments: tuple[str | None, ...]
    words: tuple[str, ...]


@dataclass(frozen=True)
class Invocation:
    """``./inv`` with these words."""

    words: tuple[str, ...]


Order = LabCommand | Invocation

REGION = Field("region", "Region", REGIONS)
CONFIRM = Field("confirm", "Type the stack's name")
AFTER_LOSS, PLANNED = "after a loss", "planned"
HOW = Field("how", "How", (AFTER_LOSS, PLANNED))
REASON = Field("reason", "Reason, where checks are to be overridden", needed=False)

ACTIONS = (
    Action("outage", "Take a region, or one part of it", "The lab alone.", (
        REGION, Field("part", "Part", (ALL, *OutageKind)), Field("mode", "How", tuple(Mode)),
    )),
    Action("restore", "Restore a region", "Gives everything back and ends all faults.", (REGION,)),
    Action("fault", "Let AWS fail", "The lab alone.", (
        Field("fault", "Fault", tuple(Fault)),
        Field("value", "Seconds, region or off", needed=False, hint="60, us-east-1, off"),
    )),
    Action("clock", "Let the lab's time pass faster", "Lab seconds in one real second.", (
        Field("factor", "Factor", hint="1"),
    )),
    Action("drill", "Run a drill", "In a process of its own.", (
        Field("scenario", "Scenario", needed=False, hint="empty: the usual one"),
    )),
    Action("failover", "Fail over", "After a loss: promotes the standby database. Planned: moves "
           "the writer without loss while both regions live. All checks of the command hold; a "
           "reason overrides those of a promotion.", (HOW, REASON), lab_only=False, confirmed=True),
    Action("failback", "Fail back", "Returns writer and traffic without loss; all checks of the "
           "command hold.", lab_only=False, confirmed=True),
)  # fmt: skip
"""In the order of the page."""


def offered(stack: Stack) -> tuple[Action, ...]:
    """What a stack's page offers: on AWS nothing that is the lab's."""
    return tuple(action for action in ACTIONS if stack.is_lab or not action.lab_only)


def order(stack: Stack, name: str, given: Mapping[str, str]) -> Order:
    """What an order means; raises OperatorError (2), and nothing was touched."""
    action = next((one for one in offered(stack) if one.name == name), None)
    if action is None:
        raise bad_input(f"{name!r} can't be ordered for stack {stack.name}")
    fields = {field.name: _value(field, given) for field in action.fields}
    if action.confirmed and given.get(CONFIRM.name) != stack.name:
        raise bad_input(f"nothing was touched: type the stack's name, {stack.name}, to continue")
    match name:
        case "outage":
            part = None if fields["part"] == ALL else fields["part"]
            flags = (*(("--part", part) if part else ()), "--mode", fields["mode"])
            words = ("lab.outage", fields["region"], *flags)
            return LabCommand("outage", (fields["region"], part, fields["mode"]), words)
        case "restore" | "clock":
            return LabCommand(name, tuple(fields.values()), (f"lab.{name}", *fields.values()))
        case "fault":
            given_value = tuple(filter(None, [fields["value"]]))
            words = ("lab.fault", fields["fault"], *given_value)
            return LabCommand("fault", (fields["fault"], fields["value"] or None), words)
        case "drill":
            scenario = (f"--scenario={fields['scenario']}",) if fields["scenario"] else ()
            return Invocation(("drill", "--stack", stack.name, *scenario))
        case "failover":
            return Invocation(("failover", "--stack", stack.name, "--yes", *_failover(fields)))
        case _:
            return Invocation(("failback", "--stack", stack.name, "--yes"))


def _failover(fields: Mapping[str, str]) -> tuple[str, ...]:
    reason = fields["reason"]
    if fields["how"] == PLANNED:
        if reason:
            raise bad_input("nothing was touched: a planned failover can't be forced by a reason")
        return ("--planned",)
    return ("--force", f"--reason={reason}") if reason else ()


def _value(field: Field, given: Mapping[str, str]) -> str:
    value = given.get(field.name, "").strip()
    if field.choices and value not in field.choices:
        raise bad_input(f"{field.label} is one of {', '.join(field.choices)}, not {value!r}")
    if field.needed and not value:
        raise bad_input(f"{field.label} is missing")
    if len(value) > LONGEST or not value.isprintable():
        raise bad_input(f"{field.label} has at most {LONGEST} characters, all of them visible")
    return value
