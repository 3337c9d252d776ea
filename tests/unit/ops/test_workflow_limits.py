"""A pipeline ends a deployment no sooner than AWS and the provider do (traps 44, 48)."""

from __future__ import annotations

import re

import pytest
from harness import LAYERS, program
from workflow_files import FILES, jobs, steps

SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
PROVIDER_MINUTES = {
    "aws:rds/cluster:Cluster": {"create": 120, "update": 120, "delete": 120},
    "aws:rds/clusterInstance:ClusterInstance": {"create": 90, "update": 90, "delete": 90},
    "aws:rds/globalCluster:GlobalCluster": {"create": 30, "update": 90, "delete": 30},
}
"""What the provider itself waits, by default (hashicorp/terraform-provider-aws, the resources'
"Timeouts")."""
MOVING = {"up", "deploy-all", "refresh-all", "destroy", "destroy-all"}
BESIDE_MINUTES = 30
"""For the other resources of a layer, and the job's own set-up."""
LAB = "lab"


def minutes(text: str) -> float:
    """A duration as Go writes it."""
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|h|m|s)", text)
    return sum(float(number) * SECONDS[unit] for number, unit in parts) / 60


def slowest() -> float:
    """The longest wait for one resource that a program asks for."""
    found = [
        minutes(value)
        for layer in LAYERS
        for resource in program(layer).created()
        for value in resource.custom_timeouts.values()
    ]
    return max(found)


def moving_jobs() -> list[tuple[str, str]]:
    """(workflow, job) of every job that changes a stack on AWS."""
    return [
        (file.name, name)
        for file in FILES
        for name in jobs(file.name)
        if any(
            words and words[0] in MOVING and LAB not in words
            for step in steps(file.name, name)
            for words in step.commands
            if "--stack" in words
        )
    ]


@pytest.mark.parametrize("type_", PROVIDER_MINUTES)
def test_no_timeout_is_below_the_provider_s_own(type_: str) -> None:
    """Trap 48: a wait that ends before AWS does leaves a half-made resource and a failed
    deployment."""
    found = program("data").created(type_)
    assert found
    for resource in found:
        for operation, least in PROVIDER_MINUTES[type_].items():
            assert minutes(resource.custom_timeouts[operation]) >= least, resource.name


def test_the_jobs_that_move_a_stack_are_known() -> None:
    """Trap 48: the others have limits of their own."""
    assert set(moving_jobs()) == {
        ("deploy-layer.yml", "up"),
        ("ephemeral.yml", "deploy"),
        ("ephemeral.yml", "teardown"),
    }


@pytest.mark.parametrize(("workflow", "job"), moving_jobs())
def test_a_job_outlives_the_slowest_update(workflow: str, job: str) -> None:
    """Traps 44, 48: a job that is ended in the middle of an update kills the deployment, and so do
    credentials that run out: both last as long as the slowest update and what stands beside it."""
    limit = jobs(workflow)[job]["timeout-minutes"]
    assert limit >= slowest() + BESIDE_MINUTES
    assert limit <= 360, "GitHub ends every job then"
    durations = [
        step.body["with"]["role-duration-seconds"] / 60
        for step in steps(workflow, job)
        if step.uses == "aws-actions/configure-aws-credentials"
    ]
    assert durations
    assert all(lasting >= min(limit, slowest() + BESIDE_MINUTES) for lasting in durations)
