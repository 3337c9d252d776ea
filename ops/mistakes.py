"""What is wrong with a command line, in one line with the nearest name that exists: pure functions
over what the tasks accept."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ops.errors import nearest


@dataclass(frozen=True)
class Flag:
    """One flag of a task, or of ``./inv`` itself."""

    name: str
    """``--layer``"""
    takes_value: bool
    number: bool = False
    """Its value is a whole number."""
    optional: bool = False
    """It may stand without its value."""
    repeatable: bool = False
    help: str = ""


@dataclass(frozen=True)
class Accepted:
    """What may follow a task's name; ``name`` is empty for what may stand before any task."""

    name: str
    flags: Mapping[str, Flag]
    """Every spelling (``--layer``, ``-l``) → its flag."""
    required: tuple[Flag, ...] = ()
    """Those that must be given, by name or by position."""


@dataclass
class _Reading:
    """How far a command line was read."""

    accepted: Accepted
    wanting: list[Flag] = field(default_factory=list)
    """What the task still needs."""
    given: set[str] = field(default_factory=set)


def first_mistake(
    tokens: Sequence[str], core: Accepted, tasks: Mapping[str, Accepted]
) -> str | None:
    """The first thing that no task accepts; None when the whole line can be run.

    ``tokens``: the arguments of ``./inv``. What stands behind ``--`` belongs to no task.
    """
    left = list(tokens[: tokens.index("--")] if "--" in tokens else tokens)
    reading = _Reading(core)
    while left:
        token = left.pop(0)
        if _is_flag(token) and not (reading.wanting and re.match(r"-\d", token)):
            mistake = _flag(token, left, reading, core)
        elif reading.wanting:
            reading.given.add(reading.wanting.pop(0).name)
            mistake = None
        elif token in tasks:
            mistake = _lacking(reading)
            reading = _Reading(tasks[token], list(tasks[token].required))
        else:
            mistake = _unknown(token, reading, tasks)
        if mistake:
            return mistake
    return _lacking(reading)


def task_to_explain(tokens: Sequence[str], tasks: Mapping[str, Accepted]) -> str | None:
    """The task behind which help is asked for (``up --help``), whatever else it lacks."""
    task = None
    for token in tokens[: tokens.index("--")] if "--" in tokens else tokens:
        if token in tasks:
            task = token
        elif token in ("--help", "-h") and task is not None:
            return task
    return None


def _is_flag(token: str) -> bool:
    return token.startswith("-") and len(token) > 1


def _flag(token: str, left: list[str], reading: _Reading, core: Accepted) -> str | None:
    """Reads one flag with its value; what a cluster ``-ab`` holds goes back to ``left``."""
    name, equals, value = token.partition("=")
    known = {**core.flags, **reading.accepted.flags}
    if name not in known and not name.startswith("--") and len(name) > 2:
        short, rest = name[:2], token[2:]
        if short in known and known[short].takes_value:
            name, equals, value = short, "=", rest
        elif short in known:
            left[:0] = [f"-{letter}" for letter in rest]
            name, equals = short, ""
        else:
            name = short
    if name not in known:
        others = nearest(name, [spelling for spelling in known if spelling.startswith("--")])
        whose = reading.accepted.name
        where = f"./inv --help {whose} lists its flags" if whose else "./inv --help lists them"
        return f"{whose or './inv'} has no flag {_shown(name)}{others or f': {where}'}"
    flag = known[name]
    reading.wanting = [other for other in reading.wanting if other.name != flag.name]
    if not flag.takes_value:
        return f"{name} takes no value, and was given {value!r}" if equals else None
    if flag.name in reading.given and not flag.repeatable:
        return f"{name} is given twice"
    reading.given.add(flag.name)
    if not equals:
        if not left or left[0].startswith("--") or left[0] in known:
            return None if flag.optional else f"{name} needs a value{_meaning(flag)}"
        value = left.pop(0)
    if flag.number and not re.fullmatch(r"-?\d{1,9}", value):
        return f"{name} {_shown(value) or '(nothing)'} isn't a whole number"
    return None


def _unknown(token: str, reading: _Reading, tasks: Mapping[str, Accepted]) -> str:
    found = nearest(token, tasks) or ": ./inv --list shows the tasks"
    after = f" (after {reading.accepted.name})" if reading.accepted.name else ""
    return f"unknown task {token!r}{after}{found}"


def _lacking(reading: _Reading) -> str | None:
    if not reading.wanting:
        return None
    flag = reading.wanting[0]
    return f"{reading.accepted.name} needs {flag.name}{_meaning(flag)}"


def _shown(text: str) -> str:
    """The text itself, or quoted where it would break the line or a terminal."""
    return text if text.isprintable() else repr(text)


def _meaning(flag: Flag) -> str:
    return f": {flag.help}" if flag.help else ""
