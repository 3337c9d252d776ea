"""The pictures that pages show are there, and say what is true."""

from __future__ import annotations

import re

import pytest
from house_graph import ROOT

from ops import stack_file
from ops.quality import recording
from ops.quality.themes import THEMES
from ops.workspace import Workspace

PICTURES = ROOT / "docs" / "pictures"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_readme_s_picture_has_the_budget_s_seconds(theme: str) -> None:
    """Issue 22: ``./inv bench picture`` draws it anew when the budget changes."""
    budget = stack_file.load(Workspace(ROOT, ROOT), "lab").settings.budget
    drawn = (PICTURES / f"regions-{theme}.svg").read_text()
    wanted = [budget.traffic[0].seconds, budget.traffic_rto, budget.write_rto]
    assert re.findall(r">≤ (\d+) s<", drawn) == list(map(str, wanted))
    readme = (ROOT / "README.md").read_text()
    assert re.findall(r"within (\d+) s", readme)[:3] == list(map(str, wanted))


@pytest.mark.parametrize("theme", THEMES)
def test_the_recording_is_drawn_of_what_was_recorded(theme: str) -> None:
    """Issue 22: ``./inv bench recording`` drew it, and nobody changed a line of it."""
    shown = recording.load((PICTURES / "outage.jsonl").read_text())
    drawn = (PICTURES / f"outage-{theme}.svg").read_text()
    assert drawn == recording.draw(shown, THEMES[theme], recording.SUMMARY)
    answers = [one.text.partition(" s  ")[2] for one in shown if one.pane == "client"]
    assert answers.index("201 us-east-1") < answers.index("201 us-west-2")
    assert any(one.text.endswith("drill: outage us-east-1") for one in shown)


def test_every_picture_is_shown_somewhere() -> None:
    """Issue 21: no picture is left of a page that has gone."""
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    text = "".join(page.read_text() for page in pages)
    shown = [file.name for file in PICTURES.iterdir() if file.suffix != ".jsonl"]
    assert [name for name in shown if name not in text] == []
