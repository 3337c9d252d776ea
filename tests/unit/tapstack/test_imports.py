"""Who may import whom."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PROGRAMS = ("network", "data", "app", "global")
OURS = {"tapstack", "pulumi_protocol", "ops", "lab", "policy", "tasks", *PROGRAMS, "lambda_src"}

MAY = {
    "tapstack": {"tapstack"},
    "pulumi_protocol": {"pulumi_protocol"},
    "lab": {"lab", "pulumi_protocol"},
    "ops": {"ops", "tapstack", "lab", "pulumi_protocol"},
    "policy": {"ops"},
    "lambda_src": set(),
    **{program: {"tapstack"} for program in PROGRAMS},
}


def imported(file: Path) -> set[str]:
    """Top-level names of the modules that a file imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


def python_files(folder: str) -> list[Path]:
    return [file for file in (ROOT / folder).rglob("*.py") if "node_modules" not in file.parts]


@pytest.mark.parametrize("folder", MAY)
def test_a_folder_imports_only_what_it_may(folder):
    """The house's plan (docs/architecture.md): programs import tapstack and their own files, ops
    imports tapstack, pulumi_protocol and lab, lab nothing of this system but pulumi_protocol."""
    for file in python_files(folder):
        found = (imported(file) & OURS) - MAY[folder]
        assert not found, f"{file.relative_to(ROOT)} imports {found}"


def test_module_names_of_the_programs_are_unique():
    """Modules are imported flat, as Pulumi runs them, so one name can't stand in two projects."""
    names = [
        file.stem
        for program in PROGRAMS
        for file in python_files(program)
        if file.stem != "__main__"
    ]
    assert sorted(names) == sorted(set(names))
    assert not set(names) & set(sys.stdlib_module_names)


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_imports_no_other_programs_files(program):
    """Layers meet in contracts only."""
    others = {
        file.stem
        for other in PROGRAMS
        if other != program
        for file in python_files(other)
        if file.stem != "__main__"
    }
    for file in python_files(program):
        assert not imported(file) & others, file.name
