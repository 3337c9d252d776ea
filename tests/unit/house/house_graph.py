"""The import graph of the program files, read from their source: nothing is run.

Imports inside functions, for the type checker alone and by ``import_module`` with a literal name
count like any other: each of them is something that a reader has to know.
"""

from __future__ import annotations

import ast
import fnmatch
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[3]
PROGRAMS = ("network", "data", "app", "global")

FLOORS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("ground", ("pulumi_protocol", "tapstack", "lambda_src")),
    ("lab: facts and clock", ("lab",)),
    ("lab: engine, provider", ("lab/engine", "lab/provider")),
    ("lab: emulator", ("lab/emulator",)),
    (
        "lab: parts",
        (
            "lab/backup",
            "lab/database",
            "lab/dns",
            "lab/metrics",
            "lab/events",
            "lab/objects",
        ),
    ),
    (
        "lab: application, server",
        (
            "lab/application.py",
            "lab/control.py",
            "lab/guard.py",
            "lab/parts.py",
            "lab/server.py",
            "lab/supervisor.py",
        ),
    ),
    ("programs", PROGRAMS),
    ("ops: ground", ("ops",)),
    ("ops: cloud", ("ops/cloud",)),
    ("ops: engines", ("ops/engines",)),
    (
        "ops: rooms",
        (
            "ops/cost",
            "ops/deploy",
            "ops/doctor",
            "ops/lab_tools.py",
            "ops/permissions",
            "ops/policies",
            "ops/quality",
            "ops/recovery",
            "ops/secrets",
            "ops/setup.py",
            "ops/teardown",
        ),
    ),
    ("ops: drill", ("ops/drill",)),
    ("ops: report", ("ops/report",)),
    ("ops: console", ("ops/console",)),
    ("ops: session", ("ops/session.py",)),
    ("ops: front", ("ops/front",)),
    ("front door", ("policy", "tasks.py")),
)
"""From the ground up (docs/architecture.md): a file belongs to the longest name that holds it."""

DYNAMIC = {"import_module", "__import__", "find_spec"}


@dataclass(frozen=True)
class Import:
    """One file's import of another, both relative to the root."""

    source: Path
    target: Path
    line: int

    def __str__(self) -> str:
        return f"{self.source}:{self.line} -> {self.target}"


def program_files(*suffixes: str) -> list[Path]:
    """Files that are part of the program, relative to the root: no tests, nothing generated."""
    return [
        path
        for path in repository_files()
        if path.suffix in suffixes
        and not {"tests", "test"} & set(path.parts)
        and not path.name.startswith(".")
    ]


def repository_files() -> list[Path]:
    """All files that aren't ignored, relative to the root, sorted; a machine without Git finds
    them by ``.gitignore``, whose lines are names of files and folders."""
    if shutil.which("git") is None:
        return files_by_ignored_names()
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split("\n")  # fmt: skip
    return sorted(path for path in map(Path, filter(None, listed)) if (ROOT / path).is_file())


def files_by_ignored_names() -> list[Path]:
    """The same without Git."""
    kept = [ROOT / ".gitignore", ROOT / "lambda_src/api/.gitignore"]
    lines = [line for file in kept for line in file.read_text().split()]
    ignored = re.compile("|".join(fnmatch.translate(line.rstrip("/")) for line in [".git", *lines]))
    found: list[Path] = []
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if not ignored.match(name)]
        here = Path(folder).relative_to(ROOT)
        found += [here / name for name in files if not ignored.match(name)]
    return sorted(found)


@cache
def floor_of(file: Path) -> int:
    """The floor that a file stands on, 0 being the ground.

    Raises:
        LookupError: no floor holds it: a new folder needs its place in ``FLOORS``.
    """
    best: tuple[int, int] | None = None
    for number, (_, rooms) in enumerate(FLOORS):
        for room in rooms:
            held = file.is_relative_to(room)
            if held and (best is None or len(Path(room).parts) > best[0]):
                best = (len(Path(room).parts), number)
    if best is None:
        raise LookupError(f"{file} stands on no floor")
    return best[1]


@dataclass(frozen=True)
class Source:
    """What the rules of the house ask of one file's source, which is parsed and walked once."""

    names: tuple[tuple[str, int], ...]
    """Every module name that it may import, with its line."""
    dynamic: tuple[int, ...]
    """Lines of the calls that import by a name which isn't written there."""
    classes: tuple[tuple[str, int], ...]
    """Its classes with their lengths in lines."""
    declared: frozenset[int]
    """The lines of import statements and of functions' signatures."""


@cache
def source_of(file: Path) -> Source:
    """Reads a file, relative to the root, whoever asks how often."""
    names: list[tuple[str, int]] = []
    called: list[tuple[str, int]] = []
    dynamic: list[int] = []
    classes: list[tuple[str, int]] = []
    declared: set[int] = set()
    for node in ast.walk(ast.parse((ROOT / file).read_text())):
        match node:
            case ast.Import() | ast.ImportFrom():
                names += _named(node, file)
                declared |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                declared |= set(range(node.lineno, node.body[0].lineno))
            case ast.ClassDef():
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                classes.append((node.name, length))
            case ast.Call() if _called(node) in DYNAMIC:
                if name := _literal(node):
                    called.append((name, node.lineno))
                else:
                    dynamic.append(node.lineno)
    return Source((*names, *called), tuple(dynamic), tuple(classes), frozenset(declared))


@cache
def imports() -> tuple[Import, ...]:
    """Every import of one program file by another."""
    files = [file for file in program_files(".py") if file.parts[0] != ".github"]
    by_module = _modules(files)
    found = []
    for file in files:
        for name, line in source_of(file).names:
            target = _resolve(name, file, by_module)
            if target is not None and target != file:
                found.append(Import(file, target, line))
    return tuple(found)


def dynamic_imports() -> list[str]:
    """Calls that import by a name which isn't written there, as ``file:line``."""
    return [f"{file}:{line}" for file in program_files(".py") for line in source_of(file).dynamic]


def circles(edges: dict[str, set[str]]) -> list[set[str]]:
    """Groups of nodes that reach each other (Tarjan's strongly connected components, size > 1)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[set[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for following in sorted(edges.get(node, ())):
            if following not in index:
                visit(following)
                low[node] = min(low[node], low[following])
            elif following in stack:
                low[node] = min(low[node], index[following])
        if low[node] == index[node]:
            group = set()
            while True:
                member = stack.pop()
                group.add(member)
                if member == node:
                    break
            if len(group) > 1:
                found.append(group)

    for node in sorted(edges):
        if node not in index:
            visit(node)
    return found


def _modules(files: list[Path]) -> dict[tuple[str, str], Path]:
    """(scope, dotted name) → file; the scope is a program's folder, or empty for packages."""
    modules: dict[tuple[str, str], Path] = {}
    for file in files:
        parts = list(file.with_suffix("").parts)
        if parts[0] in PROGRAMS or parts[:2] == ["lambda_src", "recovery"]:
            scope = parts[0] if parts[0] in PROGRAMS else "lambda_src"
            inner = parts[1:] if parts[0] in PROGRAMS else parts[2:]
            modules[scope, _dotted(inner)] = file
            if scope == "lambda_src":
                modules["", _dotted(inner)] = file
        modules["", _dotted(parts)] = file
    return modules


def _dotted(parts: list[str]) -> str:
    return ".".join(parts[:-1] if parts and parts[-1] == "__init__" else parts)


def _named(node: ast.Import | ast.ImportFrom, file: Path) -> Iterator[tuple[str, int]]:
    """Every module name that a statement may import: a name may be a module's member."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield alias.name, node.lineno
        return
    base = node.module or ""
    if node.level:
        above = list(file.parent.parts)[: len(file.parent.parts) - node.level + 1]
        base = ".".join([*above, *filter(None, [base])])
    for alias in node.names:
        yield f"{base}.{alias.name}", node.lineno


def _called(call: ast.Call) -> str:
    function = call.func
    name = function.attr if isinstance(function, ast.Attribute) else ""
    return function.id if isinstance(function, ast.Name) else name


def _literal(call: ast.Call) -> str:
    first = call.args[0] if call.args else None
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else ""


def _resolve(name: str, file: Path, modules: dict[tuple[str, str], Path]) -> Path | None:
    scope = file.parts[0] if file.parts[0] in PROGRAMS else ""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        shorter = ".".join(parts[:length])
        for place in (scope, ""):
            if (place, shorter) in modules:
                return modules[place, shorter]
    return None
