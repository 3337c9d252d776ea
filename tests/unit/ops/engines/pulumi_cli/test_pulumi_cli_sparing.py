"""What the CLI is asked to touch when one region is left alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fake_cli import metadata
from pulumi.automation import EngineEvent
from test_pulumi_cli_adapter import FakeCli, engine

from ops.engines.engine import Options
from ops.engines.pulumi_cli.sparing import Planned, targets
from ops.workspace import Workspace

HEAD = "urn:pulumi:dev::app::"
EAST, WEST = (f"{HEAD}pulumi:providers:aws::aws-{region}" for region in ("us-east-1", "us-west-2"))
STACK = f"{HEAD}pulumi:pulumi:Stack::app-dev"
SERVICE = f"{HEAD}warmstandby:app:Service::service"
OLD_EAST, OLD_WEST, NEW_EAST, NEW_WEST = (
    f"{HEAD}warmstandby:app:Service$aws:lambda/function:Function::{name}"
    for name in ("old-east", "old-west", "new-east", "new-west")
)
STATE: list[dict[str, Any]] = [
    {"urn": STACK, "type": "pulumi:pulumi:Stack"},
    {"urn": SERVICE, "type": "warmstandby:app:Service"},
    {"urn": EAST, "type": "pulumi:providers:aws"},
    {"urn": WEST, "type": "pulumi:providers:aws"},
    {"urn": OLD_EAST, "type": "aws:lambda/function:Function", "provider": f"{EAST}::1"},
    {"urn": OLD_WEST, "type": "aws:lambda/function:Function", "provider": f"{WEST}::2"},
]


def test_everything_but_the_spared_region_s_is_a_target() -> None:
    """Trap 66: its provider, what it made and what it would make are left out; components and the
    stack belong to both."""
    planned = {NEW_EAST: f"{EAST}::1", NEW_WEST: f"{WEST}::2"}
    found = targets(STATE, planned, "aws-us-east-1")
    assert found == sorted([STACK, SERVICE, WEST, OLD_WEST, NEW_WEST])


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A repository with a dev stack and the app project."""
    (tmp_path / "Pulumi.dev.yaml").write_text("config: {}")
    (tmp_path / "app").mkdir()
    return Workspace(tmp_path, tmp_path / "ws")


def test_a_plan_is_whole_when_its_last_event_has_come() -> None:
    """The CLI may end before its events have arrived: what comes last is planned as well."""
    planned = Planned()
    step = {"metadata": metadata("create", NEW_WEST, provider=f"{WEST}::2")}
    for body, whole in (({"resourcePreEvent": step}, False), ({"cancelEvent": {}}, True)):
        planned.take(EngineEvent.from_json({"sequence": 1, "timestamp": 1, **body}))
        assert planned.ended.is_set() is whole
    assert planned.new == {NEW_WEST: f"{WEST}::2"}


def test_a_run_plans_first_and_targets_what_is_new_as_well(workspace: Workspace) -> None:
    """A region's new resources are targets too, found by a preview; a refresh has none to find.
    The program learns which region it may ask nothing of."""
    cli = FakeCli()
    cli.stacks["app"] = STATE
    cli.events = [
        {"resourcePreEvent": {"metadata": metadata(op, urn, provider=provider)}}
        for op, urn, provider in (
            ("create", NEW_EAST, f"{EAST}::1"),
            ("create", NEW_WEST, f"{WEST}::2"),
            ("update", OLD_EAST, f"{EAST}::1"),
        )
    ]
    made = engine(workspace, cli, options=Options(spared_region="us-east-1"))
    made.up("app", print)
    planned, exported, up = cli.calls
    assert (planned[0], exported[:2], up[0]) == ("preview", ["stack", "export"], "up")
    assert "--target" not in planned
    asked = [up[at + 1] for at, word in enumerate(up) if word == "--target"]
    assert asked == sorted([STACK, SERVICE, WEST, OLD_WEST, NEW_WEST])
    passed = [environment.get("WARM_STANDBY_SPARED_REGION") for environment in cli.environments]
    assert (passed[0], passed[2]) == ("us-east-1", "us-east-1")
    cli.calls.clear()
    made.preview("app", print, frozenset({"data"}))
    assert [call[0] for call in cli.calls] == ["preview", "stack", "preview"]
    cli.calls.clear()
    made.refresh("app", print)
    assert [call[0] for call in cli.calls] == ["stack", "refresh"]
    assert NEW_WEST not in cli.calls[1]
