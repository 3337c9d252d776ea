"""Faults as one line and an exit code, both for people and for pipelines."""

from __future__ import annotations

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
