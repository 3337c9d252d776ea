"""What ``./inv test --quick`` leaves out is a list of tests, and of nothing else."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_each_line_of_the_table_is_a_test_that_exists() -> None:
    """House rule: a renamed test isn't left out by its old name; each stands once, in order."""
    lines = (ROOT / "tests/slow.txt").read_text().splitlines()
    named = [line for line in lines if not line.startswith("#")]
    assert named == sorted(set(named))
    functions: dict[str, set[str]] = {}
    for file in {line.partition("::")[0] for line in named}:
        text = (ROOT / file).read_text() if (ROOT / file).is_file() else ""
        tree = ast.parse(text)
        functions[file] = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    missing = [
        line for line in named if line.partition("::")[2] not in functions[line.partition("::")[0]]
    ]
    assert missing == [], "run ./inv bench quick"
