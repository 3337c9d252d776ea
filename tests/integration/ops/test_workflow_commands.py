"""What the pipelines do on the lab, executed step by step as GitHub runs it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest
from deployed_lab import REPOSITORY, Lab
from workflow_files import SHELL, Step, lab_steps

STEP_SECONDS = 300
PROBE = "both_healthy.py"


def execute(lab: Lab, step: Step) -> subprocess.CompletedProcess[str]:
    """The step's own script, in the shell that GitHub gives it."""
    return subprocess.run(
        [*SHELL, step.script],
        cwd=REPOSITORY,
        env=lab.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=STEP_SECONDS,
        check=False,
    )


@pytest.mark.long
def test_the_lab_steps_of_the_pipelines_work(make_lab: Callable[[], Lab]) -> None:
    """Every step that works on the lab, in the files' order: the lab is deployed, probed, judged
    and taken down. The probe is a gate: with one region's functions gone it fails. In every run
    the steps' scripts are executed with doubles of the commands (``test_workflow_steps``)."""
    lab = make_lab()
    probed = 0
    for step in lab_steps():
        answer = execute(lab, step)
        assert answer.returncode == 0, f"{step}:\n{answer.stdout}\n{answer.stderr}"
        if PROBE in step.script:
            probed += 1
            lab.inv("lab.outage", "us-west-2", "--part", "compute")
            ill = execute(lab, step)
            lab.inv("lab.restore", "us-west-2")
            assert ill.returncode == 1, ill.stdout
            assert "us-west-2: /health" in ill.stderr
    assert probed == 1
    running = lab.inv("lab.status")
    assert "isn't running" in running.stdout
