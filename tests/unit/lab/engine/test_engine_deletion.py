"""Deletions that cannot succeed."""

from __future__ import annotations

from typing import Any

import pytest
from stage import Stage, only_provider, pair, single

from lab.engine.failure import StepFailedError


def test_resources_that_need_each_other_are_named(stage: Stage) -> None:
    """A state that was edited by hand: one line instead of a wait without end."""
    stage.run(pair)

    def knot(resources: list[dict[str, Any]]) -> None:
        a, b = (one for one in resources if one["type"] == "fake:index:Thing")
        a["dependencies"], b["dependencies"] = [b["urn"]], [a["urn"]]

    stage.damage(knot)
    with pytest.raises(StepFailedError, match=r"they need each other: a, b$"):
        stage.run(only_provider)
    assert len(stage.plugin.cloud) == 2


def test_a_fault_of_the_engine_in_a_deletion_is_no_success(stage: Stage) -> None:
    """Its kind and text are reported, and the resource stays recorded."""
    stage.run(single())
    stage.plugin.faults["delete a-1"] = RuntimeError("odd")
    with pytest.raises(StepFailedError, match=r"^RuntimeError: odd$"):
        stage.run(only_provider)
    assert "a" in stage.states()
