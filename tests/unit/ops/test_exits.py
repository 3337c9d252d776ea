"""How tasks end: faults as one line with an exit code."""

from __future__ import annotations

import pytest
from invoke.exceptions import Exit

from lab.errors import LabError, LabInputError
from ops import exits
from ops.errors import ExitCode, OperatorError
from pulumi_protocol.events import EngineError
from tapstack.errors import SettingsError


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (OperatorError("x", ExitCode.BUSY), 4),
        (SettingsError("x"), 2),
        (EngineError("x"), 1),
        (LabError("x"), 1),
        (LabInputError("x"), 2),
        (KeyboardInterrupt(), 130),
    ],
)
def test_every_fault_is_one_line_and_an_exit_code(fault: BaseException, code: int) -> None:
    """STYLE: never a traceback."""

    @exits.reported
    def body() -> None:
        raise fault

    with pytest.raises(Exit) as caught:
        body()
    assert caught.value.code == code
    assert caught.value.message in ("x", "interrupted")


def test_a_task_s_answer_is_passed_on() -> None:
    """The wrapper changes nothing where nothing fails."""
    assert exits.reported(lambda value: value + 1)(1) == 2


def test_a_code_whose_reason_was_printed_ends_the_task_without_a_line() -> None:
    """Pipelines see the code; OK ends nothing."""
    exits.end_with(ExitCode.OK)
    with pytest.raises(Exit) as caught:
        exits.end_with(ExitCode.DIFFERENCE)
    assert (caught.value.code, caught.value.message) == (5, None)


@pytest.mark.parametrize(
    ("fault", "line"),
    [
        (OSError(28, "No space left on device", "/x/y"), "No space left on device: '/x/y'"),
        (OperatorError("AWS says:\n  no\x1b[2K"), r"AWS says: no\x1b[2K"),
    ],
)
def test_a_fault_is_one_visible_line_whatever_it_holds(fault: Exception, line: str) -> None:
    """A full disk ends no task in a traceback, and no answer of an API moves the cursor."""

    @exits.reported
    def body() -> None:
        raise fault

    with pytest.raises(Exit) as caught:
        body()
    assert caught.value.code == 1
    assert str(caught.value.message).endswith(line)
    assert "\n" not in str(caught.value.message)
