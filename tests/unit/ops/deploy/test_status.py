"""`./inv status`: both regions, layers and the budget."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from fake_engine import FakeEngine
from watched_driver import watched

from ops.cloud import regions
from ops.deploy import status


def test_status_shows_layers_and_regions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """R3, R1, N4, N6: which layers stand with which contract, each region's health, who writes,
    how far the other is behind, and the budget piece by piece."""
    driver = watched(tmp_path, FakeEngine("network", "app"))
    found = [
        regions.RegionStatus("us-east-1", "primary", "200 healthy", "writer, available", ""),
        regions.RegionStatus("us-west-2", "secondary", "answers 503", "reader, available", "12 ms"),
    ]
    monkeypatch.setattr(regions, "regions", lambda *_: found)
    status.show(driver, as_json=True)
    printed = json.loads(capsys.readouterr().out)
    assert [layer["deployed"] for layer in printed["layers"]] == [True, False, True, False]
    assert [layer["contract"] for layer in printed["layers"]] == [1, None, 1, None]
    assert printed["regions"][0]["database"] == "writer, available"
    assert printed["regions"][1]["replication_lag"] == "12 ms"
    budget = printed["budget"]
    assert budget["write_rto_seconds"] == sum(piece["seconds"] for piece in budget["writes"])
    status.show(driver, as_json=False)
    assert "network  yes" in driver.out
    assert "200 healthy" in driver.out
    assert "12 ms" in driver.out
    total = budget["write_rto_seconds"]
    assert re.search(rf"^RTO of writes +{total} s +objective 900 s$", driver.out, re.MULTILINE)
    assert re.search(r"^  promotion of .* database +300 s +\+ *$", driver.out, re.MULTILINE)
