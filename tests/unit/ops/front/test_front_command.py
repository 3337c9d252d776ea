"""What every task has in common: explained flags, and one line for a fault."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from invoke.context import Context
from invoke.exceptions import Exit

from ops.errors import ExitCode, OperatorError
from ops.front.command import FLAGS, command


def test_a_flag_means_the_same_in_every_task_that_has_it() -> None:
    """STYLE: help strings that are shared live in one place; a task adds its own or overrides."""

    @command(mine="Only here", layer="Another meaning")
    def some(_c: Context, stack: str, mine: str = "", layer: str = "") -> None:
        """Do something."""

    assert some.help == {"stack": FLAGS["stack"], "mine": "Only here", "layer": "Another meaning"}


def test_a_flag_that_nothing_explains_is_found_when_the_task_is_written() -> None:
    """R9: no flag without help."""
    with pytest.raises(KeyError, match="mine"):

        @command()
        def some(_c: Context, mine: str = "") -> None:
            """Do something."""


def test_a_task_is_named_after_its_function_or_as_it_says() -> None:
    """names.md: ``lab.up`` and ``state.move`` are both ways."""

    def move_it(_c: Context, target: Sequence[str] = ()) -> None:
        """Move."""

    assert command()(move_it).name == "move_it"
    named = command("move")(move_it)
    assert (named.name, list(named.iterable)) == ("move", ["target"])


def test_a_fault_is_one_line_and_its_exit_code() -> None:
    """R9: no traceback."""

    @command()
    def some(_c: Context) -> None:
        """Fail."""
        raise OperatorError("busy", ExitCode.BUSY)

    with pytest.raises(Exit) as caught:
        some(Context())
    assert (caught.value.message, caught.value.code) == ("busy", 4)
