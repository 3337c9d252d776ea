"""The README's table of measured figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from drill_histories import document, keyed, recovered_lines

from ops import signing
from ops.drill import evidence
from ops.errors import OperatorError
from ops.report import figures, page


def kept(folder: Path, **changes: Any) -> None:
    """One recorded drill; ``changes`` are fields of its document."""
    name = f"{changes.pop('at', '20261128T004500Z')}-region-loss-7"
    made = document(name=name, clock=changes.pop("clock", 1.0)) | changes
    drills = evidence.folder(folder)
    drills.mkdir(parents=True, exist_ok=True)
    history = drills / f"{name}.jsonl"
    history.write_bytes(recovered_lines())
    evidence.write(made, history, page.page, signing.own_signer())


def test_the_table_is_of_the_newest_that_passed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Issue 22: a figure of the README is one that a drill at clock 1 recorded, and passed."""
    keyed(tmp_path, monkeypatch)
    kept(tmp_path, traffic_rto_seconds=99.0)
    kept(tmp_path, at="20261129T004500Z")
    for at, changes in (
        ("20261130T004500Z", {"verdict": "failed", "traffic_rto_seconds": 1.0}),
        ("20261201T004500Z", {"verdict": "void", "traffic_rto_seconds": 2.0}),
        ("20261202T004500Z", {"clock": 20.0}),
    ):
        kept(tmp_path, at=at, **changes)
    figures.show(tmp_path)
    assert capsys.readouterr().out.splitlines() == [
        "| command | what is lost | traffic RTO | write RTO | with AWS's promotion "
        "| writes lost of acknowledged | RPO |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        "| `./inv drill --scenario region-loss` | us-east-1 is lost | 120 s | 260 s | 738 s "
        "| 0 of 340 | 0.0 s |",
    ]


def test_places_and_scenarios_have_rows_of_their_own() -> None:
    """AWS's figures are never the lab's; what had nothing to recover says none."""
    lab, later = document(), document()
    aws = {**document(), "where": "aws", "stack": "prod"}
    app = {**document(), "scenario": "application-only", "write_rto_seconds": None}
    chosen = list(figures.measured([lab, aws, app, later]))
    assert chosen == [lab, aws, app]
    assert figures.table([aws, app]).splitlines()[2:] == [
        "| `./inv drill --scenario region-loss --stack prod` | us-east-1 is lost | 120 s | 260 s "
        "| 738 s | 0 of 340 | 0.0 s |",
        "| `./inv drill --scenario application-only` | us-east-1 is lost | 120 s | none | 738 s "
        "| 0 of 340 | 0.0 s |",
    ]


def test_without_a_measured_drill_there_is_no_table(tmp_path: Path) -> None:
    """One line says how to get one; an empty table would look like a result."""
    with pytest.raises(OperatorError, match=r"no drill that passed at clock 1.*\./inv drill$"):
        figures.show(tmp_path)
