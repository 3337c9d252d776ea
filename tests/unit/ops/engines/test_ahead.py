"""What is begun before a command's own imports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ops.engines import ahead
from ops.engines.engine import Options
from ops.workspace import find
from tapstack.contracts import LAYERS


class Begun:
    """In place of a runner: what it was started with."""

    def __init__(self, environment: dict[str, str], names: list[str]) -> None:
        self.environment, self.names = environment, names


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "Runner", Begun)


@pytest.mark.usefixtures("runner")
def test_the_runner_of_a_lab_s_programs_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice as fast: with what the four programs use, the first layer's first, and nothing of the
    user's AWS set-up (N1)."""
    monkeypatch.setenv("AWS_PROFILE", "production")
    for engine in (None, "embedded"):
        begun: Any = ahead.begin("lab", engine)
        assert begun.environment["PYTHONPATH"] == str(find().repository)
        assert "AWS_PROFILE" not in begun.environment
        assert len(begun.names) == len(set(begun.names))
        vpc, cluster = "pulumi_aws.ec2.Vpc", "pulumi_aws.rds.Cluster"
        assert begun.names.index(vpc) < begun.names.index(cluster)


@pytest.mark.usefixtures("runner")
@pytest.mark.parametrize(
    ("stack", "engine"),
    [("lab", "pulumi"), ("dev", None), ("no-such-stack", None)],
)
def test_nothing_is_begun_that_the_task_won_t_want(stack: str, engine: str | None) -> None:
    """Pulumi's CLI runs programs itself, and a fault of the stack is the task's to name."""
    assert ahead.begin(stack, engine) is None


def test_the_layers_are_those_of_the_contracts() -> None:
    """The order is known here without importing Pulumi, and must stay the contracts' own."""
    assert tuple(LAYERS) == ahead.LAYERS


def test_an_engine_takes_over_what_was_begun(tmp_path: Path) -> None:
    """Twice as fast: the programs run where imports began, not in a second runner."""
    from ops.engines.embedded import Embedded

    begun: Any = Begun({}, [])
    begun.close = lambda: None
    engine = Embedded(find(), "lab", {}, Options(runner=begun))
    assert engine._kept.runner({}) is begun
