"""The words of pages: those of the field (docs are read by who doesn't know the house)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from house_graph import ROOT

PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted(ROOT.glob("*/README.md")),
    *sorted(ROOT.glob("lambda_src/*/README.md")),
]

INSTEAD = {
    r"tells?|told|telling": "notifies, reports, says, distinguishes",
    r"goes on listing": "still lists",
    r"faster than life'?s?": "faster than real time",
    r"hinders?": "prevents, delays",
    r"(?:is|are) (?:well|ill)": "is healthy, is unhealthy",
}
"""What pages don't say → what they say instead."""


def unwanted(text: str) -> list[str]:
    """The words that are to be replaced, with their replacements."""
    return [
        f"{found[0]!r}: {instead}"
        for words, instead in INSTEAD.items()
        for found in re.finditer(rf"\b(?:{words})\b", text, re.IGNORECASE)
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_speaks_the_words_of_the_field(page: Path) -> None:
    """Issue 22: one voice."""
    assert unwanted(page.read_text()) == []


def test_unwanted_words_are_found() -> None:
    """The measure fails for each of them, and for no other word that holds one."""
    text = "It tells you. Nothing HINDERS it; the region is well. A wishing well, a hotel, untold."
    assert len(unwanted(text)) == 3
