"""Every requirement, trap and hazard has tests that hold it, by its number in their docstrings."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache

import pytest
from house_graph import ROOT

REQUIREMENT = r"[RN]\d+(?:\.\d+)?"
HAZARD = r"H\d+"
TRAPS = r"[Tt]raps? ((?:\d+b?(?:, | and | to )?)+)"
LONG = "pytest.mark.long"
APPLICATION = ROOT / "lambda_src" / "api" / "test"


def requirements() -> set[str]:
    """The numbers of docs/requirements.md; a heading's own only where nothing stands below it."""
    text = (ROOT / "docs" / "requirements.md").read_text(encoding="utf-8")
    rows = set(re.findall(rf"^- ({REQUIREMENT})\b", text, re.MULTILINE))
    headings = set(re.findall(r"^## (R\d+) ", text, re.MULTILINE))
    return rows | {one for one in headings if not any(row.startswith(f"{one}.") for row in rows)}


def traps() -> set[str]:
    """The numbers of docs/traps.md, as ``trap 22``."""
    text = (ROOT / "docs" / "traps.md").read_text(encoding="utf-8")
    return {f"trap {one}" for one in re.findall(r"^(\d+b?)\. ", text, re.MULTILINE)}


def hazards() -> set[str]:
    """The numbers of docs/hazards.md."""
    text = (ROOT / "docs" / "hazards.md").read_text(encoding="utf-8")
    return set(re.findall(rf"^\| ({HAZARD}) \|", text, re.MULTILINE))


def known() -> set[str]:
    """Every number that a test has to cite."""
    return requirements() | traps() | hazards()


def docstrings() -> Iterator[str]:
    """What each test of ``./inv test`` says of itself, the application's included."""
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        yield from of_each_run(file.read_text(encoding="utf-8"))
    for file in sorted(APPLICATION.rglob("*.mjs")):
        yield file.read_text(encoding="utf-8")


def of_each_run(source: str) -> Iterator[str]:
    """The docstrings of a file's functions, without those of tests that only a bench runs."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if not any(ast.unparse(one) == LONG for one in node.decorator_list):
            yield ast.get_docstring(node) or ""


@cache
def cited() -> frozenset[str]:
    """Every number that a docstring cites."""
    return frozenset(number for text in docstrings() for number in numbers(text))


def numbers(text: str) -> Iterator[str]:
    """The numbers that a docstring cites: ``R4.2``, ``N5``, ``H7``, ``traps 1, 3 and 7 to 9``."""
    yield from re.findall(rf"\b(?:{REQUIREMENT}|{HAZARD})\b", text)
    for listed in re.findall(TRAPS, text):
        for first, last in re.findall(r"(\d+b?)(?: to (\d+))?", listed):
            yield f"trap {first}"
            if last:
                yield from (f"trap {one}" for one in range(int(first) + 1, int(last) + 1))


def test_every_number_is_cited_by_a_test() -> None:
    """House rule: a requirement, a trap or a hazard is closed by a test of every run, not by a
    comment, nor by a bench alone."""
    missing = known() - cited()
    assert not missing, sorted(missing)


def test_no_test_cites_a_number_that_there_is_not() -> None:
    """House rule: a number leads to its row."""
    sections = {row.partition(".")[0] for row in requirements()}
    assert not cited() - known() - sections


def test_what_only_a_bench_runs_holds_no_number() -> None:
    """House rule: ``./inv test`` is the guard of every requirement."""
    source = '''
@pytest.mark.long
def test_one() -> None:
    """R1.1"""

@pytest.mark.parametrize("name", [pytest.param("a", marks=pytest.mark.long), "b"])
def test_two() -> None:
    """R1.2"""
'''
    assert list(of_each_run(source)) == ["R1.2"]


@pytest.mark.parametrize(
    ("text", "cited"),
    [
        ("R4.2, trap 22: both", ["R4.2", "trap 22"]),
        ("Traps 1, 8b and 10 to 12.", ["trap 1", "trap 8b", "trap 10", "trap 11", "trap 12"]),
        ("N1: no rack 7, H7", ["N1", "H7"]),
    ],
)
def test_numbers_are_read_as_people_write_them(text: str, cited: list[str]) -> None:
    """House rule: a check that reads nothing would pass always."""
    assert list(numbers(text)) == cited
