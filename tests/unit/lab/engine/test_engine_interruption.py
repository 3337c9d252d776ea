"""Interrupted work that a destroy cannot clear up."""

from __future__ import annotations

from pathlib import Path

import pytest
from stage import embedded_engine, write_project

from pulumi_protocol.events import EngineError


def test_a_destroy_that_cannot_clear_up_deletes_nothing(tmp_path: Path) -> None:
    """A creation of unknown end whose provider the state has lost: the state stays."""
    write_project(tmp_path, "{}")
    made = embedded_engine(tmp_path)
    entry = {"urn": "u::a", "type": "fake:index:Thing", "custom": True, "provider": "u::east::1"}
    pending = [{"type": "creating", "resource": entry}]
    group = {"urn": "u::g", "type": "fake:index:Group", "custom": False}
    deployment = {"resources": [group], "pending_operations": pending}
    made.import_state({"version": 3, "deployment": deployment})
    with pytest.raises(EngineError, match="registering a failed: its provider u::east::1 isn't"):
        made.destroy(lambda _: None)
    assert [one["urn"] for one in made.resources()] == ["u::g"]
