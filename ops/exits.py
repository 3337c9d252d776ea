"""How a task ends: every fault as one line and an exit code."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from invoke.exceptions import Exit

from lab.errors import LabError, LabInputError
from ops.errors import ExitCode, OperatorError, one_line
from pulumi_protocol.events import EngineError
from tapstack.errors import TapStackError

F = TypeVar("F", bound=Callable[..., Any])


def reported(body: F) -> F:
    """A task whose faults end in one line and an exit code, never in a traceback."""

    @functools.wraps(body)
    def task(*arguments: Any, **options: Any) -> Any:
        try:
            return body(*arguments, **options)
        except OperatorError as error:
            raise Exit(one_line(str(error)), error.code) from None
        except (TapStackError, LabInputError) as error:
            raise Exit(one_line(str(error)), ExitCode.BAD_INPUT) from None
        except (EngineError, LabError, OSError) as error:
            raise Exit(one_line(str(error)), ExitCode.FAILED) from None
        except KeyboardInterrupt:
            raise Exit("interrupted", ExitCode.INTERRUPTED) from None

    return task  # type: ignore[return-value]


def end_with(code: ExitCode) -> None:
    """Ends the task with a code whose reason was printed already; continues when it is ``OK``."""
    if code:
        raise Exit(code=code)
