"""A driver that is killed loses nothing: on the real stacks."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from deployed_lab import Lab
from killing import census, kill_at, left_behind

DEPLOY_MOMENTS = (160,)
DESTROY_MOMENTS = (60,)
"""Resources done; ``./inv bench kills`` has twenty moments."""


@pytest.mark.long
def test_killed_deployments_and_destroys_are_finished_by_the_next_run(
    deployed: Lab, make_lab: Callable[[], Lab]
) -> None:
    """N7: two kills, of deploy-all and of destroy-all. No process stays; the next run
    resumes; what stands in the end is what an undisturbed deployment makes, and then nothing. In
    every run one layer's driver and its lab are killed (``test_deploy_faults``)."""
    lab = make_lab()
    for moment in DEPLOY_MOMENTS:
        assert kill_at(lab, "deploy-all", moment) == moment
        assert left_behind(lab) == []
    resumed = lab.inv("deploy-all")
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert census(lab) == census(deployed)
    for moment in DESTROY_MOMENTS:
        assert kill_at(lab, "destroy-all", moment) == moment
        assert left_behind(lab) == []
    for _ in range(2):
        destroyed = lab.inv("destroy-all")
        assert destroyed.returncode == 0, destroyed.stdout + destroyed.stderr
    assert lab.inventory() == []
