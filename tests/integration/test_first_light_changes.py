"""Edits, teardown and an empty start, each in a lab of the test's own."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from deployed_lab import Lab, table


@pytest.fixture
def edited(make_lab: Callable[..., Lab]) -> Lab:
    """A lab with a working copy of its own, deployed."""
    lab = make_lab(copy=True)
    shown = lab.inv("deploy-all")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    return lab


def test_edits_change_only_what_they_touch_and_destroy_leaves_nothing(edited: Lab) -> None:
    """First light: a tag on one resource, then one line of the function: the preview shows exactly
    that, the deployment changes only that; then destroy leaves nothing tagged, and may be
    repeated (R9.3)."""
    vpc = edited.repository / "network" / "vpc.py"
    source = vpc.read_text()
    mark = 'region.named("internet-gateway")'
    assert source.count(mark) == 1
    vpc.write_text(source.replace(mark, f'{{**{mark}, "Edited": region.name}}'))
    seen = edited.inv("preview-all")
    assert seen.returncode == 0, seen.stderr
    changed = [line for line in seen.stdout.splitlines() if ": ~ " in line or ": + " in line]
    assert len(changed) == 2, seen.stdout
    assert all("internet-gateway" in line for line in changed)
    assert "tags.Edited: (absent) → us-west-2" in seen.stdout
    done = table(edited.inv("deploy-all").stdout)
    assert (done["all"]["created"], done["all"]["updated"], done["all"]["deleted"]) == (
        "0", "2", "0",
    )  # fmt: skip

    handler = edited.repository / "lambda_src" / "api" / "src" / "health.mjs"
    handler.write_text(handler.read_text() + "\n// one line more\nglobalThis.edited = true;\n")
    seen = edited.inv("preview-all")
    changed = [line for line in seen.stdout.splitlines() if ": ~ " in line or ": + " in line]
    assert changed and all("aws:lambda/function:Function" in line for line in changed), seen.stdout
    done = table(edited.inv("deploy-all").stdout)
    assert int(done["all"]["updated"]) == len(changed)
    assert done["all"]["created"] == done["all"]["deleted"] == "0"

    for _ in range(2):
        gone = edited.inv("destroy-all")
        assert gone.returncode == 0, gone.stdout + gone.stderr
        assert edited.inventory() == []
    assert edited.outputs == {"Stack": "lab"}


def test_preview_of_an_undeployed_chain_shows_all_layers(make_lab: Callable[..., Lab]) -> None:
    """N5: nothing was ever deployed, yet all four layers preview; ids of upstreams are unknown
    and never invented (trap 34)."""
    lab = make_lab()
    seen = lab.inv("preview-all")
    assert seen.returncode == 0, seen.stdout + seen.stderr
    rows = table(seen.stdout)
    for layer in ("network", "data", "app", "global"):
        assert int(rows[layer]["create"]) > 0
        assert rows[layer]["same"] == "0"
    assert lab.inventory() == []
    assert not lab.workspace.flat_outputs.exists()


def test_a_layer_before_its_upstream_is_one_line(make_lab: Callable[..., Lab]) -> None:
    """N7: `up --layer data` before network says why, and what to run; nothing is touched."""
    lab = make_lab()
    refused = lab.inv("up", "--layer", "data")
    assert refused.returncode == 2
    (line,) = refused.stderr.strip().splitlines()
    assert "data reads network, which isn't deployed" in line
    assert "./inv up --layer network" in line
