"""``./inv bench recovery_mutants``: how many small faults in recovery's pure code are found.

Each mutant changes one node of one module: a comparison, a boolean operator, a negation, a number,
a condition. It is killed when a test fails. At least 95 % must be; survivors are listed. Stops
after ``--minutes`` (30); ``--sample N`` takes every Nth mutant, from ``--first`` on.
"""

from __future__ import annotations

import argparse
import ast
import copy
import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGE = REPOSITORY / "lambda_src" / "recovery" / "recovery"
TESTS = REPOSITORY / "tests" / "unit" / "lambda_src" / "recovery"
MODULES = (
    "aftermath", "arming", "case", "decide", "evidence", "ground", "judge", "memory", "mode",
    "notices", "promotion", "split", "verify", "watching",
)  # fmt: skip
SUITES = ("test_steps.py", "test_vectors.py", "test_hazards.py", "test_guards.py", "test_state.py")
LEAST = 0.95
PROCESSES = 2
COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE,
    ast.GtE: ast.Gt, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {ast.Add: ast.Sub, ast.Sub: ast.Add}


@dataclass(frozen=True)
class Mutant:
    """One change: the ``index``-th mutable place of a module, and what it says."""

    module: str
    index: int
    line: int
    what: str


def changes(tree: ast.Module) -> Iterator[tuple[ast.AST, str]]:
    """Every place that is changed, in order, with its description; ``apply`` does it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARISONS:
            yield node, type(node.ops[0]).__name__
        elif isinstance(node, ast.BoolOp):
            yield node, type(node.op).__name__
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            yield node, "Not"
        elif isinstance(node, (ast.If, ast.IfExp)):
            yield node, "If"
        elif isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
            yield node, type(node.op).__name__
        elif isinstance(node, ast.Constant) and type(node.value) in (int, bool):
            yield node, repr(node.value)


def change(node: ast.AST) -> None:
    """Changes one place for another meaning."""
    match node:
        case ast.Compare():
            node.ops[0] = COMPARISONS[type(node.ops[0])]()
        case ast.BoolOp():
            node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        case ast.UnaryOp():
            node.op, node.operand = ast.Not(), ast.UnaryOp(ast.Not(), node.operand)
        case ast.If() | ast.IfExp():
            node.test = ast.UnaryOp(ast.Not(), node.test)
        case ast.BinOp():
            node.op = ARITHMETIC[type(node.op)]()
        case ast.Constant():
            node.value = not node.value if isinstance(node.value, bool) else node.value + 1  # type: ignore[operator]
        case _:
            raise TypeError(node)


def mutants() -> list[Mutant]:
    """All mutants of all modules."""
    found: list[Mutant] = []
    for module in MODULES:
        tree = ast.parse((PACKAGE / f"{module}.py").read_text())
        found += [
            Mutant(module, index, getattr(node, "lineno", 0), what)
            for index, (node, what) in enumerate(changes(tree))
        ]
    return found


class Changed(importlib.abc.Loader, importlib.abc.MetaPathFinder):
    """Loads one module of the package with a mutant in it."""

    def __init__(self, mutant: Mutant) -> None:
        self.name, self.path = f"recovery.{mutant.module}", PACKAGE / f"{mutant.module}.py"
        self.tree = copy.deepcopy(ast.parse(self.path.read_text()))
        change(list(changes(self.tree))[mutant.index][0])

    def find_spec(
        self, fullname: str, path: object, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Ours alone."""
        del path, target
        if fullname != self.name:
            return None
        return importlib.util.spec_from_file_location(fullname, self.path, loader=self)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> None:
        """The default one."""
        del spec

    def exec_module(self, module: ModuleType) -> None:
        """Executes the changed tree."""
        code = compile(ast.fix_missing_locations(self.tree), str(self.path), "exec")
        exec(code, module.__dict__)  # noqa: S102 - the project's own source, one node changed


def tested(mutant: Mutant) -> int:
    """Starts a process that ends with 0 where the mutant survives; returns its id."""
    process = os.fork()
    if process:
        return process
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    sys.meta_path.insert(0, Changed(mutant))
    import pytest

    suites = [str(TESTS / suite) for suite in SUITES]
    options = ["-x", "-q", "-p", "no:cacheprovider", "--noconftest", "-W", "ignore"]
    options += ["-p", "no:xdist", "-p", "no:cov"]
    os._exit(int(pytest.main([*options, *suites])))


def main() -> int:
    """Returns 5 where too many mutants survive."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--sample", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    arguments = parser.parse_args()
    os.chdir(REPOSITORY)
    import hypothesis  # noqa: F401 - loaded once, before the processes are made
    import pytest  # noqa: F401

    end = time.monotonic() + arguments.minutes * 60
    todo = mutants()[arguments.first :: arguments.sample]
    running: dict[int, Mutant] = {}
    survivors: list[Mutant] = []
    done = 0
    while todo or running:
        while todo and len(running) < PROCESSES and time.monotonic() < end:
            running[tested(todo[0])] = todo.pop(0)
        if not running:
            break
        process, status = os.wait()
        mutant = running.pop(process)
        done += 1
        if os.waitstatus_to_exitcode(status) == 0:
            survivors.append(mutant)
            print(f"survives: {mutant.module}.py:{mutant.line} {mutant.what}", flush=True)
    score = 1 - len(survivors) / max(done, 1)
    print(f"{done} mutants, {len(survivors)} survive: {score:.1%} (at least {LEAST:.0%})")
    if todo:
        print(f"not finished: {len(todo)} weren't tried")
    return 0 if score >= LEAST else 5


if __name__ == "__main__":
    sys.exit(main())
