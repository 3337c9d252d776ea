"""``./inv`` itself: invoke, with every mistake on the command line as one line and exit code 2, and
with output that never stops the work."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from copy import deepcopy
from pathlib import Path

from invoke.exceptions import Exit, ParseError
from invoke.executor import Executor
from invoke.parser.context import ParserContext
from invoke.program import Program

from ops import overview
from ops.errors import ExitCode, nearest
from ops.mistakes import Accepted, Flag, first_mistake, task_to_explain
from ops.spelling import spelled_out
from ops.streams import code_after, sturdy


def main(arguments: Sequence[str], executor: type[Executor] = Executor) -> int:
    """Runs the tasks that are named; answers the exit code."""
    program = CommandLine(
        name="Warm Standby",
        binary="inv",
        binary_names=["inv"],
        version=overview.version(Path(__file__).parents[1]),
        executor_class=executor,
    )
    with sturdy() as output:
        code = _run(program, arguments)
    return code_after(output, code)


def _run(program: Program, arguments: Sequence[str]) -> int:
    try:
        program.run(["inv", *spelled_out(arguments)])
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else ExitCode.OK
    return ExitCode.OK


class CommandLine(Program):
    """Invoke's program, for which a command line is right as a whole before any of it runs."""

    def parse_core(self, argv: list[str] | None) -> None:
        """The flags of ``./inv`` itself, its version and completion among them."""
        said = io.StringIO()
        try:
            with _one_line(), redirect_stdout(said):
                super().parse_core(argv)
        finally:
            # Completion asks the command that is here, not one of that name on PATH.
            print(re.sub(r"\binv (?=.*--complete)", "./inv ", said.getvalue()), end="")

    def print_help(self) -> None:
        """All tasks in groups."""
        if self.args.help.value is True:  # type: ignore[union-attr] - set by parse_core
            self.load_collection()  # it comes before invoke has loaded any
        contexts = deepcopy(self.collection).to_contexts()
        lines = {_shortest(context): self._line(context) for context in contexts}
        print(overview.text(lines))

    def _line(self, context: ParserContext) -> str:
        """The first line of what a task says of itself."""
        return (self.collection[str(context.name)].__doc__ or "").strip().partition("\n")[0]

    def parse_collection(self) -> None:
        """The tasks that there are."""
        with _one_line():
            super().parse_collection()

    def parse_tasks(self) -> None:
        """The tasks that are asked for, with their flags."""
        contexts = deepcopy(self.collection).to_contexts()  # it takes the flags' help with it
        tasks = {name: _accepted(context) for context in contexts for name in _names(context)}
        explained = task_to_explain(self.argv[1:], tasks)
        if explained:
            self.args.help.value = explained  # type: ignore[union-attr]
            self.core.unparsed = []
        core = _accepted(self.initial_context)
        if not explained and (mistake := first_mistake(self.argv[1:], core, tasks)):
            raise Exit(mistake, ExitCode.BAD_INPUT)
        with _one_line():
            super().parse_tasks()

    def parse_cleanup(self) -> None:
        """Help and lists."""
        for flag, names in (("help", self.parser.contexts), ("list", self.collection.collections)):
            name: object = self.args[flag].value  # type: ignore[union-attr] - set by parse_core
            if isinstance(name, str) and name not in names:
                found = nearest(name, names) or f": there are {', '.join(names)}"
                raise Exit(f"unknown name {name!r} after --{flag}{found}", ExitCode.BAD_INPUT)
        with _one_line():
            super().parse_cleanup()

    def execute(self) -> None:
        """Runs the tasks."""
        try:
            super().execute()
        except KeyboardInterrupt:
            raise Exit("interrupted", ExitCode.INTERRUPTED) from None
        except ModuleNotFoundError as error:
            raise Exit(_incomplete(error), ExitCode.ENVIRONMENT) from None


@contextmanager
def _one_line() -> Iterator[None]:
    """What invoke has to say of a command line, as bad input."""
    try:
        yield
    except (ParseError, ValueError) as error:
        said = " ".join(str(error).split())
        number = re.fullmatch(r"invalid literal for int\(\) with base 10: (.*)", said)
        line = f"{number[1]} isn't a whole number" if number else said
        raise Exit(line, ExitCode.BAD_INPUT) from None
    except Exit as ended:
        if ended.message and ended.code == ExitCode.FAILED:
            raise Exit(ended.message, ExitCode.BAD_INPUT) from None
        raise


def _incomplete(error: ModuleNotFoundError) -> str:
    """What to do about an environment that was complete and now lacks a package. Raises the error
    where the module is one of ours."""
    package = (error.name or "").partition(".")[0]
    if not package or (Path(__file__).parents[1] / package).exists():
        raise error
    return (
        f"the package {package} is missing from {sys.prefix}: remove that folder, then run the "
        "same ./inv again, which makes it anew"
    )


def _names(context: ParserContext) -> Iterable[str]:
    return (context.name or "", *context.aliases)


def _shortest(context: ParserContext) -> str:
    """A task's name, or that of the collection whose default it is: ``drill``."""
    return min(_names(context), key=len)


def _accepted(context: ParserContext) -> Accepted:
    """What a task accepts, as invoke's parser has it."""
    made: dict[int, Flag] = {}
    for argument in context.args.values():
        made[id(argument)] = Flag(
            f"--{argument.names[0]}",
            takes_value=argument.takes_value,
            number=argument.kind is int,
            optional=argument.optional,
            repeatable=argument.kind is list,
            help=argument.help or "",
        )
    spellings = {
        spelling: made[id(context.flags[spelling])]
        for flag in context.flags
        for spelling in context.names_for(flag)
    }
    inverse = {spelling: Flag(spelling, takes_value=False) for spelling in context.inverse_flags}
    required = tuple(made[id(argument)] for argument in context.positional_args)
    return Accepted(context.name or "", {**spellings, **inverse}, required)


if __name__ == "__main__":  # pragma: no cover - the module that ``inv`` becomes
    sys.exit(main(sys.argv[1:]))
