"""Faults as one line and an exit code, both for people and for pipelines."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of every task."""

    OK = 0
    FAILED = 1
    """The operation was tried and did not succeed; its message names the command that resumes."""
    BAD_INPUT = 2
    """A flag, a stack file or an order of commands is wrong; nothing was touched."""
    ENVIRONMENT = 3
    """This machine lacks something: Python, Node, Pulumi's CLI, network, disk."""
    BUSY = 4
    """Something else holds what is needed: another deployment, another process on the port."""
    DIFFERENCE = 5
    """A check found a difference: drift, a rule that fails, something left after a destroy."""
    INTERRUPTED = 130


class OperatorError(Exception):
    """One line: what failed, why, and what to run next."""

    def __init__(self, message: str, code: ExitCode = ExitCode.FAILED) -> None:
        super().__init__(message)
        self.code = code


def bad_input(message: str) -> OperatorError:
    """A fault of what was asked for; nothing was touched."""
    return OperatorError(message, ExitCode.BAD_INPUT)


LIKE = 0.6
"""The least likeness of a suggestion, of 0 to 1; difflib's own."""


def nearest(name: str, names: Iterable[str]) -> str:
    """``; did you mean …?`` with the one of ``names`` that is most like it; empty when none is.

    ``deploy-all`` is as like as ``deploy`` is: "depoy" never suggests ``destroy``.
    """

    def likeness(known: str) -> tuple[float, float]:
        whole = difflib.SequenceMatcher(None, known, name).ratio()
        short = difflib.SequenceMatcher(None, known.removesuffix("-all"), name).ratio()
        return max(whole, short), whole

    found = max(names, key=likeness, default="")
    return f"; did you mean {found}?" if found and likeness(found)[0] >= LIKE else ""


_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""What moves a terminal's cursor, ends a line or turns its direction; not newline and tab."""


def visible(text: str) -> str:
    """The text with control characters as escapes, so that it can't forge or hide what is shown."""
    return _CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)


def one_line(text: str) -> str:
    """The text as one line of visible characters."""
    return visible(" ".join(text.split()))
