"""How tasks print."""

from __future__ import annotations

import io

import pytest

from ops import printing


def test_lists_are_joined_in_plain_lines() -> None:
    """Outputs read as ``key  value``."""
    assert printing.flat_lines({"a": ["x", "y"], "long": 1}) == ["a     x, y", "long  1"]
    assert printing.flat_lines({}) == []


def test_rows_make_a_table() -> None:
    """Tables of texts share one look."""
    printed = printing.make_console()
    printed.file = io.StringIO()
    printed.print(printing.rows_table(("region", "count"), [("us-east-1", 3)]))
    assert printed.file.getvalue().split() == ["region", "count", "us-east-1", "3"]


def test_a_pipeline_s_console_keeps_long_lines_whole() -> None:
    """The printed curl must work when it is copied from a log."""
    made = printing.make_console(stderr=True)
    made.file = io.StringIO()
    made.print("x" * 300)
    assert made.file.getvalue() == "x" * 300 + "\n"


def test_a_terminal_s_console_keeps_the_terminal_s_width(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal the tables fit it."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "77")
    assert printing.make_console().width == 77


def test_a_terminal_keeps_its_own_width(monkeypatch: pytest.MonkeyPatch) -> None:
    """A person's window decides how wide tables are."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "91")
    made = printing.make_console()
    assert made.is_terminal
    assert made.width == 91
