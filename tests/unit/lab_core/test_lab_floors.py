"""Who may import whom inside ``lab``: no circle, and nothing from a lower floor to a higher one."""

from __future__ import annotations

import ast
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[3]
FLOORS: tuple[dict[str, str], ...] = (
    dict.fromkeys(
        ("errors", "clock", "outage", "call", "api", "facts", "context", "part", "client"), "ground"
    ),
    {"engine": "engine", "provider": "provider"},
    {"emulator": "emulator"},
    {name: name for name in ("events", "objects", "database", "dns", "metrics")},
    dict.fromkeys(
        ("parts", "supervisor", "guard", "control", "application", "server"), "application"
    ),
)
"""From the ground up: module or folder of ``lab`` → the room that it belongs to."""
OUTSIDE = {Path("emulator/bootstrap.py"), Path("provider/registry.py")}
"""The first runs in a deployed function's own process and loads what was deployed by its name; the
second reads every declaration of its own folder."""


def files() -> dict[str, Path]:
    """Module name → file, of the whole of ``lab``."""
    found = {}
    for file in sorted((ROOT / "lab").rglob("*.py")):
        parts = file.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


def imports(file: Path, modules: dict[str, Path]) -> set[str]:
    """Modules of ``lab`` that a file imports, wherever in it and for whatever purpose."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name in modules}
        elif isinstance(node, ast.ImportFrom) and node.module in modules:
            named = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= named & modules.keys()
            if named - modules.keys():
                found.add(str(node.module))
    return found


def floor_and_room(module: str) -> tuple[int, str]:
    """Where a module stands; an unknown one fails, so that no folder is forgotten."""
    top = module.split(".")[1]
    for floor, rooms in enumerate(FLOORS):
        if top in rooms:
            return floor, rooms[top]
    raise AssertionError(f"{module} stands on no floor")


def test_the_lab_has_no_circle_of_imports() -> None:
    """docs/architecture.md: no circle, imports for type checking and inside functions included."""
    modules = files()
    graph = {name: imports(file, modules) for name, file in modules.items()}
    assert sum(map(len, graph.values())) > 200
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as circle:
        raise AssertionError(f"circle: {' → '.join(circle.args[1])}") from None


def test_no_import_of_the_lab_goes_upward_or_across() -> None:
    """docs/architecture.md: facts and clock, then engine and provider, the emulator, the parts, the
    application; rooms of one floor don't know each other."""
    modules = files()
    wrong = []
    for name, file in modules.items():
        if name == "lab":
            continue
        floor, room = floor_and_room(name)
        for target in imports(file, modules) - {"lab"}:
            other_floor, other_room = floor_and_room(target)
            if other_floor > floor or (other_floor == floor and other_room != room):
                wrong.append(f"{name} → {target}")
    assert wrong == []


def test_what_the_lab_imports_is_named_where_it_is_imported() -> None:
    """A module that is named by a string escapes every check of this file."""
    dynamic = {
        file.relative_to(ROOT / "lab")
        for file in files().values()
        if re.search(r"import_module\(|find_spec\(f?\"lab|__import__\(", file.read_text())
    }
    assert dynamic - OUTSIDE == set()
