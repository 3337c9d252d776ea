"""Mutants of the pure modules: how many of them do the unit tests kill?

A mutant is one small change of one module: a comparison, a sum, a condition, a number, a text, a
result. Each is tried alone in a copy of the repository, with the tests that hold the module. Texts
of error messages and docstrings are left alone: tests match what a message must say, not its words.

Results are kept in ``coverage/mutants.json`` by the hash of module and tests, so that a run goes on
where the last one stopped; ``--minutes`` ends it early.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import boto3  # noqa: F401 - loaded once for all forks, as the next two are
import hypothesis
import pulumi_aws  # noqa: F401
import pytest
from bench import Measurements

REPOSITORY = Path(__file__).resolve().parents[2]
RESULTS = REPOSITORY / "coverage" / "mutants.json"
LEAST_PERCENT = 95.0
SECONDS_A_MUTANT = 120
"""A mutant that runs longer never ends: killed."""

QUICK = (hypothesis.Phase.explicit, hypothesis.Phase.generate)

NOT_COPIED = shutil.ignore_patterns(
    ".git", ".venv", ".lab", "node_modules", "coverage", "__pycache__", ".hypothesis", "build",
    ".pytest_cache", ".ruff_cache", "cfn-outputs", "evidence",
)  # fmt: skip

MODULES = {
    # Module: the tests that hold it.
    "tapstack/pair.py": "tests/unit/tapstack/test_pair.py",
    "tapstack/naming.py": "tests/unit/tapstack/test_naming.py",
    "tapstack/budget.py": "tests/unit/tapstack/test_budget.py",
    "tapstack/connections.py": "tests/unit/tapstack/test_connections.py",
    "network/cidr_plan.py": "tests/unit/network/test_cidr_plan.py",
    "data/maintenance_windows.py": "tests/unit/data/test_maintenance_windows.py",
    "pulumi_protocol/yaml_files.py": "tests/unit/pulumi_protocol/test_protocol_yaml_files.py",
    "pulumi_protocol/paths.py": "tests/unit/pulumi_protocol/test_protocol_paths.py",
    "pulumi_protocol/masking.py": "tests/unit/pulumi_protocol/test_protocol_masking.py",
    "lab/engine/decision.py": "tests/unit/lab/engine/test_engine_decision.py",
    "global/event_patterns.py": "tests/unit/global/test_event_loops.py",
    "global/alarm_specs.py": "tests/unit/global/test_global_alarms.py",
    "global/cloudwatch_metrics.py": "tests/unit/global/test_global_alarms.py",
}

EXCUSED: dict[str, str] = {}
"""Survivors that no test can kill (``module: line as it would read``) → why."""

SWAPS: dict[type[ast.AST], type[Any]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult, ast.Mod: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """One changed module."""

    line: int
    reads: str
    """The changed expression, as it reads now."""
    source: str


def mutants(source: str) -> list[Mutant]:
    """Every mutant of a module, in the order of its lines."""
    tree = ast.parse(source)
    left_alone = set(_left_alone(tree))
    made: list[Mutant] = []
    for index, node in enumerate(ast.walk(tree)):
        if id(node) in left_alone:
            continue
        for change in range(len(_changes(node))):
            copy = deepcopy(tree)
            changed = next(entry for at, entry in enumerate(ast.walk(copy)) if at == index)
            _changes(changed)[change]()
            ast.fix_missing_locations(copy)
            reads = ast.unparse(changed)
            made.append(Mutant(getattr(node, "lineno", 0), reads, ast.unparse(copy)))
    return sorted(made, key=lambda mutant: (mutant.line, mutant.reads))


def _left_alone(tree: ast.AST) -> Iterator[int]:
    """What isn't mutated: docstrings, types, decorators, and the texts of errors."""
    for node in ast.walk(tree):
        parts: list[ast.AST] = []
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            parts = [node]
        elif isinstance(node, ast.Raise):
            parts = [part for part in ast.walk(node) if isinstance(part, ast.Constant)]
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "TypeVar":
            parts = [node]
        elif isinstance(node, ast.AnnAssign | ast.arg) and node.annotation:
            parts = [node.annotation]
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            parts = [*node.decorator_list]
            parts += [node.returns] if isinstance(node, ast.FunctionDef) and node.returns else []
        for part in parts:
            yield from (id(inner) for inner in ast.walk(part))


def _changes(node: ast.AST) -> list:
    """Functions that each change the node in one way."""
    changes = []
    if isinstance(node, ast.Compare):
        for at, operator in enumerate(node.ops):
            swapped = SWAPS[type(operator)]
            changes.append(lambda at=at, swapped=swapped: node.ops.__setitem__(at, swapped()))
    elif isinstance(node, ast.BinOp | ast.BoolOp | ast.AugAssign) and type(node.op) in SWAPS:
        changes.append(lambda: setattr(node, "op", SWAPS[type(node.op)]()))
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        changes.append(lambda: setattr(node, "operand", ast.UnaryOp(ast.Not(), node.operand)))
    elif isinstance(node, ast.If | ast.IfExp):
        changes.append(lambda: setattr(node, "test", ast.UnaryOp(ast.Not(), node.test)))
    elif isinstance(node, ast.Return) and node.value is not None:
        changes.append(lambda: setattr(node, "value", ast.Constant(None)))
    elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("min", "max"):
        other = "max" if node.func.id == "min" else "min"  # type: ignore[union-attr]
        changes.append(lambda: setattr(node.func, "id", other))
    elif isinstance(node, ast.Constant):
        value = node.value
        if isinstance(value, bool):
            changes.append(lambda: setattr(node, "value", not value))
        elif isinstance(value, int | float):
            changes.append(lambda: setattr(node, "value", value + 1))
        elif isinstance(value, str) and value:
            changes.append(lambda: setattr(node, "value", value + "x"))
    return changes


def is_killed(copy: Path, tests: str) -> bool:
    """Whether the tests fail in the copy, run by a fork of this process: the libraries that take a
    second to import are there already."""
    child = os.fork()
    if not child:
        _run_tests(copy, tests)
    ends = time.monotonic() + SECONDS_A_MUTANT
    while time.monotonic() < ends:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status) != 0
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


def _run_tests(copy: Path, tests: str) -> NoReturn:
    """Becomes the run of the tests: of our own modules only the copy's are known to it."""
    own = f"{REPOSITORY}{os.sep}"
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None) or ""
        if file.startswith(own) and f"{os.sep}.venv{os.sep}" not in file:
            del sys.modules[name]
    sys.path[:] = [entry for entry in sys.path if ".venv" in entry or not _is_own(entry)]
    sys.dont_write_bytecode = True
    # A failing example is enough: nobody reads the smallest one.
    hypothesis.settings.register_profile("mutants", phases=QUICK, deadline=None, database=None)
    hypothesis.settings.load_profile("mutants")
    silent = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(silent, stream)
    os.chdir(copy)
    os._exit(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-W", "ignore", tests]))


def _is_own(entry: str) -> bool:
    return Path(entry or ".").resolve().is_relative_to(REPOSITORY)


def main() -> None:
    """Tries what wasn't tried yet, and reports all that is known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=0.0, help="End after this time; 0: never")
    ends = time.monotonic() + 60 * (parser.parse_args().minutes or float("inf"))
    known: dict[str, bool] = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    figures = Measurements("mutants")
    waiting = 0
    with tempfile.TemporaryDirectory(prefix="warm-standby-mutants-") as directory:
        copy = Path(directory) / "repository"
        shutil.copytree(REPOSITORY, copy, ignore=NOT_COPIED, symlinks=True)
        for module, tests in MODULES.items():
            source = (REPOSITORY / module).read_text(encoding="utf-8")
            state = hashlib.sha256((source + (REPOSITORY / tests).read_text()).encode()).hexdigest()
            tried = killed = 0
            survivors = []
            every = mutants(source)
            unharmed = f"{state}:unharmed"
            if unharmed not in known and time.monotonic() < ends:
                known[unharmed] = not is_killed(copy, tests)
            if known.get(unharmed) is False:
                figures.hold(f"{module}: its tests pass unharmed", False)
                continue
            for number, mutant in enumerate(every):
                key = f"{state}:{number}"
                if key not in known and time.monotonic() < ends:
                    (copy / module).write_text(mutant.source, encoding="utf-8")
                    known[key] = is_killed(copy, tests)
                    RESULTS.parent.mkdir(exist_ok=True)
                    RESULTS.write_text(json.dumps(known))
                if key in known:
                    tried += 1
                    killed += known[key]
                    if not known[key]:
                        survivors.append(mutant)
            (copy / module).write_text(source, encoding="utf-8")
            _report(figures, module, (tried, len(every), killed), survivors)
            waiting += len(every) - tried
    if waiting:
        print(f"mutants: {waiting} not tried yet; run it again, it goes on from here")
        sys.exit(5 if figures.missed else 0)
    figures.end()


def _report(
    figures: Measurements, module: str, counts: tuple[int, int, int], survivors: list[Mutant]
) -> None:
    tried, every, killed = counts
    excused = 0
    for mutant in survivors:
        reason = EXCUSED.get(f"{module}: {mutant.reads}", "")
        excused += bool(reason)
        print(f"  survived {module}:{mutant.line}: {mutant.reads[:90]}  {reason}".rstrip())
    judged = tried - excused
    percent = 100 * killed / judged if judged else 100.0
    detail = f"{killed} of {judged} killed"
    if tried == every:
        figures.hold(f"{module}: {percent:.1f} %", percent >= LEAST_PERCENT, detail)
    else:
        print(f"{module:58} not finished: {detail}, {every - tried} not tried yet", flush=True)


if __name__ == "__main__":
    main()
