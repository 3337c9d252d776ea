"""What a deployment by Pulumi's CLI lets through: a bad bundle ends at the gate, and one region is
deployed while the other is lost (traps 65, 66). Needs a real CLI on PATH."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator

import pytest
from application_client import ask
from deployed_lab import REPOSITORY, Lab, copied, free_port
from region_outage import EAST, WEST
from released_code import ROLES, change, versions

from ops.engines.pulumi_cli import home as pulumi_cli_home
from ops.lab import environment as lab_environment

CLI = shutil.which("pulumi")
pytestmark = pytest.mark.skipif(CLI is None, reason="no Pulumi CLI on PATH")

DEPLOY_SECONDS = 600


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """All four layers, deployed with the CLI from a working copy that may be changed."""
    repository = copied(tmp_path_factory.mktemp("repository") / "copy")
    # Pulumi.yaml has the CLI run the programs by the environment beside them.
    (repository / ".venv").symlink_to(REPOSITORY / ".venv")
    made = Lab(tmp_path_factory.mktemp("cli"), free_port(), repository)
    try:
        inv(made, "deploy-all")
        yield made
    finally:
        made.stop()


def inv(lab: Lab, *arguments: str, code: int = 0) -> str:
    """Runs a command of the CLI's engine that must end so; what it printed."""
    answer = lab.inv(*arguments, "--engine", "pulumi", timeout=DEPLOY_SECONDS)
    assert answer.returncode == code, answer.stdout + answer.stderr
    return answer.stdout + answer.stderr


def test_a_bundle_that_fails_stops_at_the_standby(lab: Lab) -> None:
    """N14, trap 65: by the task and by a bare ``pulumi up`` of the layer's owners, us-west-2 alone
    has the new version and us-east-1 serves as before."""
    assert versions(lab) == {EAST: "1", WEST: "1"}
    change(lab, 'throw new Error("a bad bundle");')
    said = inv(lab, "up", "--layer", "app", code=1)
    assert "us-west-2 doesn't serve version 2: GET /records?limit=1 answered 500" in said
    assert "Traceback" not in said
    assert versions(lab) == {EAST: "1", WEST: "2"}
    assert ask(lab, "primary", "/records?limit=1").status == 200
    variables = pulumi_cli_home.lab_environment(lab.workspace, lab_environment(lab.endpoint))
    bare = subprocess.run(
        [str(CLI), "up", "--yes", "--stack", "lab", "--non-interactive", "--skip-preview",
         "--config-file", str(lab.repository / "Pulumi.lab.yaml")],
        cwd=lab.repository / "app", env=variables, capture_output=True, text=True, check=False,
        timeout=DEPLOY_SECONDS,
    )  # fmt: skip
    assert bare.returncode != 0, bare.stdout
    assert "us-west-2 doesn't serve version 2" in bare.stdout + bare.stderr
    assert versions(lab) == {EAST: "1", WEST: "2"}
    assert ask(lab, "primary", "/records?limit=1").status == 200


def test_mended_code_serves_in_both_regions(lab: Lab) -> None:
    """Trap 65: what passes goes to the standby, then to the primary, and nothing is left to do."""
    change(lab, 'query.delete("nothing");')
    inv(lab, "up", "--layer", "app")
    newest = versions(lab)
    assert newest[WEST] == "3"
    assert int(newest[EAST]) > 1
    for role in ROLES:
        assert ask(lab, role, "/records?limit=1").status == 200
    assert "no changes" in inv(lab, "preview", "--layer", "app")


def test_one_region_is_deployed_while_the_other_is_lost(lab: Lab) -> None:
    """Trap 66: with us-east-1's API gone, us-west-2's functions get new code by the CLI; back
    again, one deployment makes up for it."""
    handler = lab.repository / "lambda_src" / "api" / "src" / "health.mjs"
    handler.write_text(handler.read_text() + "globalThis.editedAgain = true;\n")
    before = versions(lab)
    assert lab.inv("lab.outage", EAST, "--part", "api").returncode == 0
    try:
        inv(lab, "up", "--layer", "app", "--region", WEST)
    finally:
        assert lab.inv("lab.restore", EAST).returncode == 0
    after = versions(lab)
    assert after[EAST] == before[EAST]
    assert int(after[WEST]) > int(before[WEST])
    inv(lab, "deploy-all")
    assert int(versions(lab)[EAST]) > int(before[EAST])
    assert "no changes" in inv(lab, "preview-all")
