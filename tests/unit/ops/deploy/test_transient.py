"""Failures that pass by themselves."""

from __future__ import annotations

import pytest

from ops.deploy.transient import PAUSE_SECONDS, TRIES, patiently, reason
from pulumi_protocol.events import EngineError, Summary

PEERING = "AcceptVpcPeeringConnection: InvalidVpcPeeringConnectionID.NotFound: no pcx-1"
VAULT = (
    "InvalidRequestException: Backup vault cannot be deleted because it contains recovery points"
)
ZONE = "UpdateHostedZoneFeatures: LimitsExceeded: one at a time"
OTHER = "CreateVpc: VpcLimitExceeded: five"


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (PEERING, "doesn't know the new peering"),
        (VAULT, "recovery points are still being deleted"),
        (ZONE, "accelerated recovery of another zone"),
        ("LimitsExceeded: Accelerated recovery of Z1", "accelerated recovery of another zone"),
    ],
)
def test_each_is_known_by_what_aws_says(said: str, why: str) -> None:
    """Trap 47, trap 50, trap 68: in the failure's own line, or in a resource's."""
    assert why in str(reason(EngineError(f"network: creating x failed: {said}")))
    assert why in str(reason(EngineError("network: the update failed", (f"x: {said}",))))


def test_beside_another_fault_nothing_is_repeated() -> None:
    """A repetition would only hide it."""
    assert reason(EngineError("network: failed", (f"a: {PEERING}", f"b: {OTHER}"))) is None
    assert reason(EngineError(f"network: {OTHER}")) is None


def run(*failures: str, interrupted: bool = False) -> tuple[list[str], list[float], int]:
    """What was said, waited and tried by work that fails so often."""
    said: list[str] = []
    waited: list[float] = []
    left, tried = list(failures), []

    def work(layer: str, _: object) -> Summary:
        tried.append(layer)
        if left:
            raise EngineError(f"{layer}: {left.pop(0)}")
        return Summary(created=1)

    def wait(seconds: float) -> bool:
        waited.append(seconds)
        return interrupted

    try:
        patiently(work, wait, said.append)("network", lambda _: None)
    except EngineError as error:
        said.append(str(error))
    return said, waited, len(tried)


def test_the_same_work_goes_on() -> None:
    """Trap 50: a peering that the other region doesn't know yet is accepted at the next try."""
    said, waited, tried = run(PEERING)
    assert (waited, tried) == ([PAUSE_SECONDS], 2)
    assert said == [
        "network: the accepter's region doesn't know the new peering yet; tried again in 30 s"
    ]


def test_patience_ends() -> None:
    """After three tries, at an interruption, or with another fault the failure stands."""
    said, waited, tried = run(*[VAULT] * 5)
    assert (len(waited), tried) == (TRIES - 1, TRIES)
    assert VAULT in said[-1]
    assert run(VAULT, interrupted=True)[2] == 1
    assert run(OTHER) == ([f"network: {OTHER}"], [], 1)
