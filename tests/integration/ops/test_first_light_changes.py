"""A lab of the tests' own from its empty start over edits to its teardown."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from deployed_lab import Lab, copied, free_port, table
from roles import act_as, refused

LAYERS = ("network", "data", "app", "global")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """An empty lab with a working copy of its own, used by the deploying role alone (trap 54); the
    tests continue from each other."""
    base = tmp_path_factory.mktemp("changes")
    (base / "workspace").mkdir()
    made = Lab(base / "workspace", free_port(), copied(base / "copy"))
    made.up()
    act_as(made, "deploy")
    yield made
    made.stop()


def test_a_layer_before_its_upstream_is_one_line(lab: Lab) -> None:
    """N7: ``up --layer data`` before network says why, and what to run; nothing is touched."""
    refused = lab.inv("up", "--layer", "data")
    assert refused.returncode == 2
    # On a busy machine a line before it says what the command waits for.
    *_, line = refused.stderr.strip().splitlines()
    assert "data reads network, which isn't deployed" in line
    assert "./inv up --layer network" in line


def test_preview_of_an_undeployed_chain_shows_all_layers(lab: Lab) -> None:
    """N5: nothing was ever deployed, yet all four layers preview; ids of upstreams are unknown
    and never invented (trap 34)."""
    seen = lab.inv("preview-all")
    assert seen.returncode == 0, seen.stdout + seen.stderr
    rows = table(seen.stdout)
    for layer in LAYERS:
        assert int(rows[layer]["create"]) > 0
        assert rows[layer]["same"] == "0"
    assert lab.inventory() == []
    assert not lab.workspace.flat_outputs.exists()


def test_edits_change_only_what_they_touch(lab: Lab) -> None:
    """First light: a tag on one resource of each region, and a line of the functions' code: the
    preview shows exactly that, and the deployment changes only that."""
    made = lab.inv("deploy-all")
    assert made.returncode == 0, made.stdout + made.stderr
    vpc = lab.repository / "network" / "vpc.py"
    source = vpc.read_text()
    mark = 'region.named("internet-gateway")'
    assert source.count(mark) == 1
    vpc.write_text(source.replace(mark, f'{{**{mark}, "Edited": region.name}}'))
    handler = lab.repository / "lambda_src" / "api" / "src" / "health.mjs"
    handler.write_text(handler.read_text() + "\n// one line more\nglobalThis.edited = true;\n")

    seen = lab.inv("preview-all")
    assert seen.returncode == 0, seen.stderr
    changed = [line for line in seen.stdout.splitlines() if ": ~ " in line or ": + " in line]
    gateways = [line for line in changed if "internet-gateway" in line]
    functions = [line for line in changed if "aws:lambda/function:Function" in line]
    assert len(gateways) == 2, seen.stdout
    # The aliases follow: which version they will lead to isn't known before it is published.
    aliases = [line for line in changed if "aws:lambda/alias:Alias" in line]
    assert functions and len(aliases) == 4, seen.stdout
    passed = [line for line in changed if "aws:ssm/parameter:Parameter passed-gate-" in line]
    assert len(passed) == 1, seen.stdout
    named = [*gateways, *functions, *aliases, *passed]
    assert len(named) == len(changed), seen.stdout
    assert "tags.Edited: (absent) → us-west-2" in seen.stdout

    done = table(lab.inv("deploy-all").stdout)
    assert (done["all"]["created"], done["all"]["deleted"]) == ("0", "0")
    assert done["network"]["updated"] == "2"
    assert done["app"]["updated"] == str(len(functions) + len(aliases) + len(passed))
    assert int(done["all"]["updated"]) == len(changed)


@pytest.mark.long
def test_one_region_is_deployed_while_the_other_is_lost(lab: Lab) -> None:
    """Trap 66: with us-east-1's API gone, us-west-2's functions get new code, and us-east-1's stay
    as they were; back again, one deployment makes up for it. In every run the choice of a region's
    resources is held by unit tests (``test_cloud_regions``), and the gate keeps new code to
    us-west-2 (``test_releases_and_roles``)."""
    handler = lab.repository / "lambda_src" / "api" / "src" / "health.mjs"
    handler.write_text(handler.read_text() + "globalThis.editedAgain = true;\n")
    assert lab.inv("lab.outage", "us-east-1", "--part", "api").returncode == 0
    try:
        whole = lab.inv("up", "--layer", "app")
        seen = lab.inv("up", "--layer", "app", "--region", "us-west-2")
    finally:
        assert lab.inv("lab.restore", "us-east-1").returncode == 0
    assert whole.returncode == 1
    assert seen.returncode == 0, seen.stdout + seen.stderr
    here = table(seen.stdout)["app"]
    assert int(here["updated"]) > 0
    # The gate's two questions are asked anew.
    assert (here["created"], here["replaced"], here["deleted"]) == ("0", "2", "0")
    assert "us-east-1" not in "".join(
        line for line in seen.stdout.splitlines() if line.startswith("app: ~")
    )
    back = table(lab.inv("deploy-all").stdout)
    assert int(back["app"]["updated"]) > 0
    # The migration follows the bundle: its one invocation is replaced.
    assert (back["all"]["created"], back["all"]["replaced"]) == ("0", "1")
    again = lab.inv("preview-all")
    assert "no changes" in again.stdout, again.stdout


@pytest.mark.long
def test_the_reading_role_is_enough_for_all_that_looks(lab: Lab) -> None:
    """Trap 54: drift, a preview's policies, what shows how things stand; it changes nothing. In
    every run what looking calls is held against the role (``test_permissions``)."""
    assert refused(lab) == []
    act_as(lab, "read")
    for command in ("drift", "inventory", "alarms", "policy"):
        shown = lab.inv(command)
        assert shown.returncode == 0, shown.stdout + shown.stderr
    lab.inv("status")
    lab.inv("recovery.status")
    assert refused(lab) == []
    gone = lab.inv("destroy", "--layer", "global")
    assert gone.returncode == 1
    assert refused(lab) != []
    act_as(lab, "deploy")


def rotated(lab: Lab) -> str:
    """Rotates the application's secret as an operator (trap 54) while it answers; the secret."""
    act_as(lab, "operate")
    done = lab.inv("secrets.rotate", "--json")
    assert done.returncode == 0, done.stderr
    assert {one["standby"] for one in json.loads(done.stdout)} == {"follows"}
    assert lab.request(lab.outputs["app.primary.load_balancer_dns_name"], "/records").status == 200
    assert refused(lab) == []
    act_as(lab, "deploy")
    return current(lab)


def current(lab: Lab) -> str:
    """The application's secret."""
    name = "secret-application-us-east-1-lab"
    return lab.client("secretsmanager").get_secret_value(SecretId=name)["SecretString"]


def test_a_rotated_secret_is_nobody_s_to_put_back(lab: Lab) -> None:
    """Trap 42: the application answers through a rotation, its current secret is nobody's memory,
    refresh leaves it, and a deployment would."""
    secret = rotated(lab)
    assert json.loads(secret)["username"] == "application_b"
    assert lab.inv("refresh-all").returncode == 0
    preview = lab.inv("preview-all")
    assert preview.returncode == 0, preview.stderr
    changed = [line for line in preview.stdout.splitlines() if ": ~ " in line or ": + " in line]
    assert changed == [], preview.stdout
    assert current(lab) == secret


@pytest.mark.long
def test_secrets_survive_two_rotations_and_a_refresh(lab: Lab) -> None:
    """Trap 42: after two more rotations refresh, preview and deployment leave the secret; all the
    next deployment does is to run the migration once."""
    host = lab.outputs["app.primary.load_balancer_dns_name"]
    seen = {rotated(lab), rotated(lab)}
    assert {json.loads(text)["username"] for text in seen} == {"application", "application_b"}
    assert lab.inv("refresh-all").returncode == 0
    preview = lab.inv("preview-all")
    changed = [line for line in preview.stdout.splitlines() if ": ~ " in line or ": + " in line]
    assert changed == [], preview.stdout
    back = table(lab.inv("deploy-all").stdout)["all"]
    assert (back["created"], back["updated"], back["replaced"]) == ("0", "0", "1")
    assert current(lab) in seen
    assert lab.request(host, "/records").status == 200
    assert "no changes" in lab.inv("preview-all").stdout


def test_destroy_leaves_nothing_and_may_be_repeated(lab: Lab) -> None:
    """R9.3: asked of AWS's APIs, not of the state; a second destroy ends well, too. The deploying
    role lacks nothing for it; what a controller's last run lacks, which goes on while its function
    and its policy are deleted, is no fault."""
    for _ in range(2):
        gone = lab.inv("destroy-all")
        assert gone.returncode == 0, gone.stdout + gone.stderr
        assert lab.inventory() == []
    assert lab.outputs == {"Stack": "lab"}
    assert [one for one in refused(lab) if " by role-recovery-" not in one] == []
