"""The scripts that pipelines run beside ``./inv``, executed as they are there; the one that writes
issues is executed by the steps that use it (test_workflow_steps.py)."""

from __future__ import annotations

import json
import subprocess
import sys
from copy import deepcopy
from typing import Any

import pytest
from workflow_files import REPOSITORY, all_steps

from ops.deploy import sequence

LAYERS = sequence.order(sequence.contract_graph())
SCRIPTS = REPOSITORY / ".github" / "scripts"
WELL: dict[str, Any] = {
    "stack": "dev",
    "layers": [{"layer": layer, "deployed": True, "resources": 9} for layer in LAYERS],
    "regions": [
        {"region": "us-east-1", "health": "200 healthy", "database": "writer, available"},
        {"region": "us-west-2", "health": "200 healthy", "database": "reader, available"},
    ],
}


def run(script: str, text: str) -> subprocess.CompletedProcess[str]:
    """The script with this on its standard input."""
    return subprocess.run(
        [sys.executable, SCRIPTS / script],
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_every_script_is_used() -> None:
    """No script lies about that no pipeline runs."""
    used = " ".join(
        step.script + step.body.get("with", {}).get("script", "") for step in all_steps()
    )
    assert [file.name for file in SCRIPTS.iterdir() if file.suffix and file.name not in used] == []


def test_two_healthy_regions_pass() -> None:
    """R2.3: both answer; also after a role swap, when the standby writes."""
    assert run("both_healthy.py", json.dumps(WELL)).returncode == 0
    swapped = deepcopy(WELL)
    for region in swapped["regions"]:
        was = region["database"]
        region["database"] = "reader, available" if "writer" in was else "writer, available"
    assert run("both_healthy.py", json.dumps(swapped)).returncode == 0


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("layers", 2, "deployed"), False, "app isn't deployed"),
        (("regions", 1, "health"), "answers 502", "us-west-2: /health: answers 502"),
        (("regions", 0, "health"), "no answer (timed out)", "us-east-1: /health: no answer"),
        (("regions", 0, "database"), "detached from the global cluster", "0 databases write"),
        (("regions", 1, "database"), "writer, available", "2 databases write"),
    ],
)
def test_what_is_unhealthy_fails_the_pipeline(
    path: tuple[str, int, str], value: Any, words: str
) -> None:
    """``./inv status`` shows and doesn't judge; the pipeline must."""
    ill = deepcopy(WELL)
    ill[path[0]][path[1]][path[2]] = value
    answer = run("both_healthy.py", json.dumps(ill))
    assert answer.returncode == 1
    assert words in answer.stderr


def test_no_status_fails_the_pipeline_in_one_line() -> None:
    """``./inv status`` said why; no traceback hides it."""
    answer = run("both_healthy.py", "")
    assert answer.returncode == 1
    assert answer.stderr == "no status to judge: see above\n"


@pytest.mark.parametrize(
    ("paths", "layers"),
    [
        (["README.md", "ops/driver.py", "lab/server.py"], []),
        (["data/keys.py"], ["data"]),
        (["lambda_src/api/src/http.mjs"], ["app"]),
        (["global/heartbeat.py", "network/vpc.py"], ["network", "global"]),
        (["tapstack/naming.py"], LAYERS),
        (["Pulumi.dev.yaml"], LAYERS),
        (["Pulumi.prod.yaml", "docs/data/keys.py"], []),
    ],
)
def test_changed_layers_come_in_order(paths: list[str], layers: list[str]) -> None:
    """A pull request previews what it can change on dev, and nothing else."""
    answer = run("changed_layers.py", "\n".join(paths) + "\n")
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.split() == layers
