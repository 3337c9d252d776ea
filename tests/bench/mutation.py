"""Mutants: one mutator, and one way to try them, for every benchmark of mutants.

A mutant is one small change of one module: a comparison, a sum, a condition, a number, a text, a
result. A fork of this process loads it in place of the module and runs the tests; no file changes.
Docstrings, types, decorators and the texts of errors and descriptions are left alone: tests match
what a message must say, not its words.

A first run without a mutant shows which test reaches which line and how long it takes. A mutant
meets the tests that reach its lines, the quick ones first; it survives only where all tests of its
module pass.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import coverage
import hypothesis
import pytest

from ops import workspace

REPOSITORY = Path(__file__).resolve().parents[2]
PROCESSES = 2
PROCESSOR_SECONDS = 90
"""A mutant that computes so long without a failed test never ends: killed."""
WAITED_SECONDS = 900.0
"""The same for one that waits; long, since a busy machine must not kill mutants."""
QUICK = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
"""A failing example is enough: nobody reads the smallest one."""
LINES_SHOWN = 40
"""Of the output of tests that fail without a mutant."""
OPTIONS = ("-x", "-q", "--assert=plain", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:cov",
           "-W", "ignore")  # fmt: skip

SWAPS: dict[type[ast.AST], type[Any]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult, ast.Mod: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip

Change = Callable[[Any], None]
"""Changes a node in place."""


@dataclass(frozen=True)
class Mutant:
    """The ``number``-th change of a module; ``first`` and ``last`` are its statement's lines."""

    module: Path
    texts: bool
    number: int
    line: int
    first: int
    last: int
    reads: str
    """The changed expression, as it reads now."""

    def tree(self) -> ast.Module:
        """The module with the change in it."""
        tree = ast.parse(self.module.read_text(encoding="utf-8"))
        node, _statement, change = list(_places(tree, self.texts))[self.number]
        change(node)
        return ast.fix_missing_locations(tree)


@dataclass(frozen=True)
class Reach:
    """What the tests of a module do without a mutant."""

    seconds: Mapping[str, float]
    """Test → its duration."""
    lines: Mapping[str, Sequence[str]]
    """Line → the tests that ran it; an empty name for what ran outside of one."""

    def of(self, mutant: Mutant) -> set[str]:
        """The tests that reach a mutant; all of them where it is reached outside of one."""
        lines = map(str, range(mutant.first, mutant.last + 1))
        found = {test for line in lines for test in self.lines.get(line, ())}
        return set(self.seconds) if "" in found else found


def mutants(module: Path, texts: bool = True) -> list[Mutant]:
    """Every mutant of a module; without ``texts`` its strings stay."""
    made = []
    tree = ast.parse(module.read_text(encoding="utf-8"))
    for number, (node, statement, change) in enumerate(_places(tree, texts)):
        changed = deepcopy(node)
        change(changed)
        first, last = _lines(statement)
        line = getattr(node, "lineno", first)
        made.append(Mutant(module, texts, number, line, first, last, ast.unparse(changed)))
    return made


def _lines(statement: ast.stmt) -> tuple[int, int]:
    """First and last line of a statement without those that stand in its body."""
    body = getattr(statement, "body", None)
    last = body[0].lineno - 1 if body else statement.end_lineno or statement.lineno
    return statement.lineno, max(statement.lineno, last)


def _places(tree: ast.Module, texts: bool) -> Iterator[tuple[ast.AST, ast.stmt, Change]]:
    """Each node that can be changed, its innermost statement, and the change."""
    left_alone = set(_left_alone(tree))
    waiting: list[tuple[ast.AST, ast.stmt | None]] = [(tree, None)]
    while waiting:
        node, statement = waiting.pop()
        statement = node if isinstance(node, ast.stmt) else statement
        if statement is not None and id(node) not in left_alone:
            for change in _changes(node, texts):
                yield node, statement, change
        waiting += [(child, statement) for child in reversed(list(ast.iter_child_nodes(node)))]


def _left_alone(tree: ast.AST) -> Iterator[int]:
    """What isn't mutated, by the nodes' identities."""
    for node in ast.walk(tree):
        for part in _parts_left_alone(node):
            yield from (id(inner) for inner in ast.walk(part))


def _parts_left_alone(node: ast.AST) -> list[ast.AST]:
    """Docstrings, types, decorators, and the texts of errors and descriptions below a node."""
    match node:
        case ast.Expr(value=ast.Constant()):
            return [node]
        case ast.Raise() | ast.keyword(arg="description"):
            return [part for part in ast.walk(node) if isinstance(part, ast.Constant)]
        case ast.Call(func=ast.Name(id="TypeVar")) | ast.Subscript(value=ast.Name(id="Literal")):
            return [node]
        case ast.AnnAssign(annotation=annotation) | ast.arg(annotation=ast.expr() as annotation):
            return [annotation]
        case ast.FunctionDef(returns=ast.expr() as returns):
            return [*node.decorator_list, returns]
        case ast.FunctionDef() | ast.ClassDef():
            return [*node.decorator_list]
        case _:
            return []


def _changes(node: ast.AST, texts: bool) -> list[Change]:
    """Functions that each change the node in one way."""
    match node:
        case ast.Compare():
            return [_compares(at, SWAPS[type(operator)]) for at, operator in enumerate(node.ops)]
        case ast.BinOp() | ast.BoolOp() | ast.AugAssign() if type(node.op) in SWAPS:
            return [_sets("op", SWAPS[type(node.op)]())]
        case ast.UnaryOp(op=ast.Not()):
            return [_sets("operand", ast.UnaryOp(ast.Not(), node.operand))]
        case ast.If() | ast.IfExp():
            return [_sets("test", ast.UnaryOp(ast.Not(), node.test))]
        case ast.Return(value=ast.expr() as value) if ast.unparse(value) != "None":
            return [_sets("value", ast.Constant(None))]
        case ast.Call(func=ast.Name(id="min" | "max" as name)):
            other = "max" if name == "min" else "min"
            return [_sets("func", ast.Name(other, ast.Load()))]
        case ast.Constant(value=bool(value)):
            return [_sets("value", not value)]
        case ast.Constant(value=int(value) | float(value)):
            return [_sets("value", value + 1)]
        case ast.Constant(value=str(value)) if value and texts:
            return [_sets("value", value + "x")]
        case _:
            return []


def _compares(at: int, operator: type[ast.cmpop]) -> Change:
    return lambda node: node.ops.__setitem__(at, operator())


def _sets(field: str, value: object) -> Change:
    return lambda node: setattr(node, field, value)


class Changed(importlib.abc.Loader, importlib.abc.MetaPathFinder):
    """Loads a mutant in place of its module, by whatever name it is imported."""

    def __init__(self, mutant: Mutant) -> None:
        self._file = str(mutant.module)
        self._code = compile(mutant.tree(), self._file, "exec")

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The mutant's spec where the module itself would be found."""
        del target
        if fullname.rpartition(".")[2] != Path(self._file).stem:
            return None
        found = importlib.machinery.PathFinder.find_spec(fullname, path)
        if found is None or found.origin != self._file:
            return None
        return importlib.util.spec_from_file_location(fullname, self._file, loader=self)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> None:
        """The default one."""
        del spec

    def exec_module(self, module: ModuleType) -> None:
        """Executes the changed module."""
        exec(self._code, module.__dict__)  # noqa: S102 - the project's own source, one node changed


class Chosen:
    """Of the collected tests those that are wanted, the quick ones first."""

    def __init__(self, wanted: Collection[str], seconds: Mapping[str, float]) -> None:
        self._wanted, self._seconds = wanted, seconds

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Pytest's hook. A mutant may change a test's name, which has its parameters: who is not
        known is wanted."""
        known = self._seconds
        chosen = [one for one in items if one.nodeid in self._wanted or one.nodeid not in known]
        items[:] = sorted(chosen, key=lambda item: known.get(item.nodeid, 0.0))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self) -> Iterator[None]:
        """Pytest's hook. One failed test is enough: nobody reads why it did."""
        try:
            return (yield)
        except (pytest.skip.Exception, pytest.xfail.Exception):
            raise
        except BaseException:
            os._exit(1)


class Reaching:
    """Notes which test runs which line of a module, and for how long."""

    def __init__(self, modules: Sequence[Path]) -> None:
        self._modules = modules
        self._coverage = coverage.Coverage(
            data_file=None, include=[*map(str, modules)], config_file=False, messages=False
        )
        self._seconds: dict[str, float] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Pytest's hook."""
        self._seconds[report.nodeid] = self._seconds.get(report.nodeid, 0.0) + report.duration

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        """Pytest's hook. What fixtures run may serve several tests: it has no test's name."""
        self._coverage.switch_context(item.nodeid)
        try:
            return (yield)
        finally:
            self._coverage.switch_context("")

    def run(self, tests: Sequence[str]) -> list[Reach] | None:
        """What the tests reach of each module; None where they fail."""
        self._coverage.start()
        code = _pytest(tests, self)
        self._coverage.stop()
        if code:
            return None
        found = self._coverage.get_data()
        return [
            Reach(
                self._seconds,
                {str(line): names for line, names in found.contexts_by_lineno(str(module)).items()},
            )
            for module in self._modules
        ]


def reach(modules: Sequence[Path], tests: Sequence[str]) -> list[Reach] | None:
    """What the tests reach of each module, found by a process of its own; None where they fail,
    and how they do is printed."""
    with tempfile.TemporaryDirectory(prefix="warm-standby-mutants-") as directory:
        answer, said = Path(directory) / "reach.json", Path(directory) / "output"

        def work() -> int:
            found = Reaching(modules).run(tests)
            if found is None:
                return 1
            answer.write_text(json.dumps([[one.seconds, one.lines] for one in found]))
            return 0

        _, status = os.waitpid(_forked(work, directory, said), 0)
        if status:
            print("".join(said.read_text().splitlines(keepends=True)[-LINES_SHOWN:]), flush=True)
            return None
        return [Reach(*one) for one in json.loads(answer.read_text())]


class Known:
    """What was tried before of one module with its tests as they are: another state of them has
    results of its own, in a file of the lab's folder."""

    def __init__(self, bench: str, module: Path, tests: Sequence[str]) -> None:
        text = "".join(Path(name).read_text(encoding="utf-8") for name in (module, *tests))
        state = hashlib.sha256(f"{module}{text}".encode()).hexdigest()[:16]
        self._file = workspace.find().lab_state / "bench" / bench / f"{module.stem}-{state}.json"
        kept = self._file.read_text() if self._file.is_file() else "{}"
        self._kept: dict[str, object] = json.loads(kept)

    @property
    def reach(self) -> Reach | None:
        """What the tests reach; None where nobody looked yet."""
        found = self._kept.get("reach")
        return Reach(*found) if isinstance(found, list) else None

    def reaches(self, found: Reach) -> None:
        """Writes down what the tests reach."""
        self._keep("reach", [found.seconds, found.lines])

    def fate(self, mutant: Mutant) -> bool | None:
        """Whether a mutant was killed; None where it wasn't tried."""
        found = self._kept.get(str(mutant.number))
        return found if isinstance(found, bool) else None

    def ends(self, mutant: Mutant, killed: bool) -> None:
        """Writes down a mutant's fate."""
        self._keep(str(mutant.number), killed)

    def _keep(self, key: str, value: object) -> None:
        self._kept[key] = value
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.write_text(json.dumps(self._kept))


def fates(
    wanted: Sequence[Mutant], tests: Sequence[str], reached: Reach, ends: float, temporary: str
) -> Iterator[tuple[Mutant, bool]]:
    """Each mutant and whether a test failed, as they are known; begins none after ``ends``
    (``time.monotonic()``). Tests leave files in the folder ``temporary``."""
    waiting = list(wanted)
    running: dict[int, _Running] = {}
    while running or (waiting and time.monotonic() < ends):
        while waiting and len(running) < PROCESSES and time.monotonic() < ends:
            mutant = waiting.pop(0)
            near = reached.of(mutant)
            stages: list[Collection[str]]
            stages = [stage for stage in (near, reached.seconds.keys() - near) if stage]
            running.update([_begun(mutant, tests, reached.seconds, stages, temporary)])
        process, status = os.waitpid(-1, os.WNOHANG)
        if process:
            ended = running.pop(process)
            if status == 0 and ended.stages:
                again = _begun(ended.mutant, tests, reached.seconds, ended.stages, temporary)
                running.update([again])
            else:
                yield ended.mutant, status != 0
            continue
        for late, one in running.items():
            if time.monotonic() - one.began > WAITED_SECONDS:
                os.kill(late, signal.SIGKILL)
        time.sleep(0.02)


def tried(
    every: Sequence[Mutant], tests: Sequence[str], known: Known, ends: float
) -> list[tuple[Mutant, bool]]:
    """Tries a module's mutants that weren't tried before; returns the fate of each that is known.

    Tries none where ``known`` doesn't have what the tests reach.
    """
    waiting = [mutant for mutant in every if known.fate(mutant) is None]
    if known.reach is not None:
        with tempfile.TemporaryDirectory(prefix="warm-standby-mutants-") as temporary:
            for mutant, killed in fates(waiting, tests, known.reach, ends, temporary):
                known.ends(mutant, killed)
    found = [(mutant, known.fate(mutant)) for mutant in every]
    return [(mutant, fate) for mutant, fate in found if fate is not None]


@dataclass(frozen=True)
class _Running:
    """A mutant that is tried, since when, and the tests that it meets next where it survives."""

    mutant: Mutant
    began: float
    stages: list[Collection[str]]


def _begun(
    mutant: Mutant,
    tests: Sequence[str],
    seconds: Mapping[str, float],
    stages: list[Collection[str]],
    temporary: str,
) -> tuple[int, _Running]:
    """Starts the tests of the first stage in a process; it ends with 0 where they pass."""

    def work() -> int:
        sys.meta_path.insert(0, Changed(mutant))
        return _pytest(tests, Chosen(stages[0], seconds))

    return _forked(work, temporary), _Running(mutant, time.monotonic(), stages[1:])


def _pytest(tests: Sequence[str], plugin: object) -> int:
    return int(pytest.main([*OPTIONS, *tests], plugins=[plugin]))


def _forked(work: Callable[[], int], temporary: str, output: Path = Path(os.devnull)) -> int:
    """Starts a process that ends with the work's result; returns its id.

    Its temporary files go into a folder of the caller's: tests that end at the first failure don't
    remove theirs.
    """
    process = os.fork()
    if not process:
        _become(work, temporary, output)
    return process


def _become(work: Callable[[], int], temporary: str, output: Path) -> NoReturn:
    """Of our own modules nothing is known to the process; it is silent, and ends some time."""
    code = 1
    try:
        tempfile.tempdir = os.environ["TMPDIR"] = temporary
        own = f"{REPOSITORY}{os.sep}"
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None) or ""
            ours = file.startswith(own) and f"{os.sep}.venv{os.sep}" not in file
            if ours and name not in (__name__, "__main__"):
                del sys.modules[name]
        hypothesis.settings.register_profile(
            "mutants", phases=QUICK, deadline=None, database=None, derandomize=True
        )
        hypothesis.settings.load_profile("mutants")
        sys.dont_write_bytecode = False  # the next mutant needs none of them compiled again
        resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR_SECONDS, PROCESSOR_SECONDS))
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        said = os.open(output, os.O_WRONLY | os.O_CREAT, 0o600)
        for stream in (1, 2):
            os.dup2(said, stream)
        os.chdir(REPOSITORY)
        code = int(work())
    finally:
        os._exit(code)
