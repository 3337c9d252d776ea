"""Pulumi's CLI on the lab stack beside the embedded engine: both must make and see the same.

Needs a real CLI on PATH; everything else (backend, plugin, home) is the lab's own, so nothing is
downloaded and nobody is logged in.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from deployed_lab import REPOSITORY, Lab, free_port, table

from ops import init
from ops.engines import choice
from ops.engines.pulumi_cli import home as pulumi_cli_home
from ops.lab import environment as lab_environment
from pulumi_protocol import yaml_files
from pulumi_protocol.values import UNKNOWN
from tapstack.contracts import LAYERS

CLI = shutil.which("pulumi")
pytestmark = pytest.mark.skipif(CLI is None, reason="no Pulumi CLI on PATH")

DEPLOY_SECONDS = 600


def inv(lab: Lab, *arguments: str, engine: str = "pulumi") -> subprocess.CompletedProcess[str]:
    """``./inv`` with that engine; its failure is the test's."""
    answer = lab.inv(*arguments, "--engine", engine, timeout=DEPLOY_SECONDS)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer


def totals(text: str) -> dict[str, str]:
    """The last row of a printed table of results."""
    return table(text)["all"]


def engine_of(lab: Lab, name: str) -> Any:
    """An engine over the lab's own state, whoever holds it."""
    environment = lab_environment(lab.endpoint)
    return choice.movable(name, lab.workspace, lab.stack_file, environment)


@pytest.fixture(scope="module")
def by_cli(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """All four layers, deployed with the CLI into a lab of this module's own."""
    lab = Lab(tmp_path_factory.mktemp("cli"), free_port())
    try:
        inv(lab, "deploy-all")
        yield lab
    finally:
        lab.stop()


# What differs from one deployment to the next: what AWS numbers itself, and what is random or a
# moment. Everything else of two deployments must be equal.
_MADE_UP = (
    (
        r"\b(vpc|subnet|sg|sgr|igw|nat|eni|eipalloc|eipassoc|rtb|rtbassoc|acl|pcx|vpce|fl|dopt)-"
        r"[0-9a-f]{8,17}\b",
        r"\1-#",
    ),
    (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "uuid"),
    (r"\bmrk-[0-9a-f]{32}\b", "mrk-#"),
    (r"\bcluster-[0-9a-f]{20}\b", "cluster-#"),
    (r"(?<=-)[a-z0-9]{8}(?=\.us-(east-1|west-2)\.elb)", "#"),
    (r"\b(app|targetgroup)/([\w-]+)/[a-z0-9]{16}(/[a-z0-9]{16})*", r"\1/\2/#"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.\d]*(Z|\+00:00|\+0000)?", "moment"),
    (r"(127\.0\.0\.1|localhost):\d+", "lab"),
    (r"(secret:[\w-]+)-[A-Za-z0-9]{6}\b", r"\1-#"),
    (r"\bec2(-\d+){4}\b", "ec2-address"),
    (r"\b\d{1,3}(\.\d{1,3}){3}\b(?!/)", "address"),
    (r"\b(Z|cluster-|db-|AROA|AIDA|ANPA|E)[A-Z0-9]{10,32}\b", r"\1#"),
    (r"\bns-\d+\.[\w.-]+", "ns"),
    (r"(?<=us-(?:east-1|west-2)-)[0-9a-f]{7}\b", "#"),  # names that Pulumi completes
)


MOMENTS = {"probes-gate-us-west-2": {"result"}}
"""Outputs that say how things stood: what the probe found."""


def levelled(value: Any) -> Any:
    """A value without what differs from one deployment to the next."""
    text = json.dumps(value, sort_keys=True)
    for pattern, instead in _MADE_UP:
        text = re.sub(pattern, instead, text)
    return json.loads(text)


def comparable(resource: dict[str, Any]) -> dict[str, Any]:
    """A resource as a checkpoint has it, without what only its engine or the moment has put in."""
    left_out = {"created", "modified", "sourcePosition", "stackTrace", "id", "refreshBeforeUpdate"}
    kept = {key: value for key, value in resource.items() if key not in left_out and value}
    kept["inputs"] = {k: v for k, v in (kept.get("inputs") or {}).items() if k[:2] != "__"}
    moments = MOMENTS.get(resource["urn"].rpartition("::")[2], set())
    if resource["type"] == "aws:rds/clusterInstance:ClusterInstance":
        moments = {"writer"}  # of two that are made at once, the one that was first
    outputs = kept.get("outputs") or {}
    kept["outputs"] = {k: v for k, v in outputs.items() if k[:2] != "__" and k not in moments}
    kept["propertyDependencies"] = {
        key: sorted(urns) for key, urns in (kept.get("propertyDependencies") or {}).items() if urns
    }
    kept["dependencies"] = sorted(kept.get("dependencies", ()))
    return kept


def test_a_second_deployment_with_the_cli_changes_nothing(by_cli: Lab) -> None:
    """What the CLI has deployed is, to the CLI, what the programs say (R9.3)."""
    done = totals(inv(by_cli, "deploy-all").stdout)
    assert (done["created"], done["updated"], done["replaced"], done["deleted"]) == (
        "0", "0", "0", "0",
    )  # fmt: skip
    assert int(done["same"]) > 300


def test_both_engines_make_the_same_state(by_cli: Lab, deployed: Lab) -> None:
    """The two states, resource by resource, inputs and outputs, dependencies and order's facts;
    archive and asset hashes bit for bit (one plugin serves both)."""
    cli, embedded = engine_of(by_cli, "pulumi"), engine_of(deployed, "embedded")
    for layer in LAYERS:
        theirs = {one["urn"]: comparable(one) for one in cli.resources(layer)}
        ours = {one["urn"]: comparable(one) for one in embedded.resources(layer)}
        assert theirs.keys() == ours.keys()
        different = {
            urn.rpartition("::")[2]: (levelled(ours[urn]), levelled(theirs[urn]))
            for urn in ours
            if levelled(ours[urn]) != levelled(theirs[urn])
        }
        assert not different, f"{layer}: {json.dumps(different, indent=1)[:6000]}"
        assert hashes(ours) == hashes(theirs)
        assert UNKNOWN not in json.dumps([ours, theirs])
    assert hashes({one["urn"]: one for one in cli.resources("app")})


def hashes(value: Any) -> list[str]:
    """The hashes of all assets and archives in it."""
    if isinstance(value, dict):
        own = (
            [value["hash"]]
            if "hash" in value and "4dabf18193072939515e22adb298388d" in value
            else []
        )
        return own + [found for key in sorted(value) for found in hashes(value[key])]
    if isinstance(value, list):
        return [found for item in value for found in hashes(item)]
    return []


def test_both_engines_give_the_same_outputs(by_cli: Lab, deployed: Lab) -> None:
    """R8: ``cfn-outputs/flat-outputs.json`` has the same keys and, made-up ids aside, values."""
    assert by_cli.outputs.keys() == deployed.outputs.keys()
    assert levelled(by_cli.outputs) == levelled(deployed.outputs)


def test_the_state_moves_between_the_engines_and_nothing_changes(by_cli: Lab) -> None:
    """Export from one engine, import into the other, preview: no change, both ways; and while one
    engine holds the state the other refuses to deploy over it."""
    before = {layer: engine_of(by_cli, "pulumi").outputs(layer) for layer in LAYERS}
    for there, back in (("embedded", "pulumi"), ("pulumi", "embedded")):
        moved = by_cli.inv("state.move", "--to", there, timeout=DEPLOY_SECONDS)
        assert moved.returncode == 0, moved.stderr
        refused = by_cli.inv("deploy-all", "--engine", back)
        assert refused.returncode == 2
        (line,) = refused.stderr.strip().splitlines()
        assert f"was deployed with the {there} engine" in line
        seen = inv(by_cli, "preview-all", engine=there)
        planned = totals(seen.stdout)
        assert int(planned["same"]) > 300, seen.stdout
        assert {planned[key] for key in ("create", "update", "replace", "delete")} == {"0"}, (
            seen.stdout
        )
        assert "no changes" in seen.stdout
        assert {layer: engine_of(by_cli, there).outputs(layer) for layer in LAYERS} == before


def test_a_refresh_with_the_cli_finds_no_drift(by_cli: Lab) -> None:
    """The provider reads back what it has made, for the CLI as for the embedded engine."""
    seen = totals(inv(by_cli, "refresh-all").stdout)
    assert (seen["updated"], seen["deleted"]) == ("0", "0")


def test_the_shared_stack_file_stays_as_it_is(by_cli: Lab) -> None:
    """Traps 38 and 39: four stacks were made with one salt, and the file wasn't rewritten."""
    assert "encryptionsalt" in (REPOSITORY / "Pulumi.lab.yaml").read_text()
    answer = subprocess.run(
        ["git", "status", "--porcelain", "Pulumi.lab.yaml"],
        cwd=REPOSITORY, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert answer.stdout.strip() == ""


def test_nothing_of_the_operator_s_reaches_the_cli_of_the_lab(
    by_cli: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """N1: a profile, a proxy, a backend or a token of the operator's is not seen."""
    for name in ("AWS_PROFILE", "PULUMI_ACCESS_TOKEN", "PULUMI_BACKEND_URL", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "elsewhere")
    seen = inv(by_cli, "preview", "--layer", "network")
    assert "no changes" in seen.stdout


@pytest.mark.parametrize("layer", LAYERS)
def test_the_policy_pack_judges_a_preview(by_cli: Lab, layer: str, tmp_path: Path) -> None:
    """N8: the pack runs with the CLI and judges every rule of what is deployed; a configuration
    that breaks one fails the preview with its name."""
    passed = preview_with_pack(by_cli, layer, REPOSITORY / "Pulumi.lab.yaml")
    assert passed.returncode == 0, passed.stdout + passed.stderr
    assert "warm-standby@" in passed.stdout and "can't run policy" not in passed.stdout
    if layer != "data":
        return
    broken = tmp_path / "Pulumi.lab.yaml"
    text = (REPOSITORY / "Pulumi.lab.yaml").read_text()
    broken.write_text(text.replace("config:\n", "config:\n  data:backupRetentionDays: 1\n", 1))
    refused = preview_with_pack(by_cli, layer, broken)
    assert refused.returncode != 0
    assert re.search(r"\[mandatory\] +db-instance-backup-enabled", refused.stdout), refused.stdout


def preview_with_pack(lab: Lab, layer: str, config: Path) -> subprocess.CompletedProcess[str]:
    """``pulumi preview --policy-pack`` in a layer's directory, as its owners run it."""
    variables = pulumi_cli_home.lab_environment(lab.workspace, lab_environment(lab.endpoint))
    return subprocess.run(
        [str(CLI), "preview", "--stack", "lab", "--non-interactive", "--config-file", str(config),
         "--policy-pack", str(REPOSITORY / "policy")],
        cwd=REPOSITORY / layer, env=variables, capture_output=True, text=True, check=False,
        timeout=DEPLOY_SECONDS,
    )  # fmt: skip


def test_a_killed_cli_is_gone_on_with_by_the_same_command(
    make_lab: Callable[[], Lab],
) -> None:
    """Trap 44: SIGKILL while the CLI creates, at several moments of the two layers with most names,
    and the same command each time: its lock is released, what was begun is found and taken over,
    nothing is made twice and nothing is left when all is destroyed."""
    lab = make_lab()
    for layer, moments in (("network", (6, 40)), ("data", (10, 40, 70))):
        for moment in moments:
            killed_at(lab, layer, moment)
        inv(lab, "up", "--layer", layer)
        assert pending_operations(lab, layer) == []
    assert "no changes" in inv(lab, "preview", "--layer", "data").stdout
    made = [found.arn for found in lab.inventory()]
    known = json.dumps([engine_of(lab, "pulumi").resources(layer) for layer in ("network", "data")])
    # Each ARN ends as an id or a name of the state does.
    assert [arn for arn in made if re.split(r"[:/]", arn)[-1] not in known] == []
    for layer in ("data", "network"):
        inv(lab, "destroy", "--layer", layer)
    assert lab.inventory() == []


def killed_at(lab: Lab, layer: str, moment: int) -> None:
    """Deploys a layer and kills the CLI, its program and its plugins once the state has so many
    resources; a deployment that ends before is as good."""
    running = lab.start("up", "--layer", layer, "--engine", "pulumi")
    locks = pulumi_cli_home.backend(lab.workspace) / ".pulumi" / "locks"

    def reached() -> bool:
        begun = [*locks.rglob("*.json")] and _resources_made(lab, layer) >= moment
        return bool(begun) or running.poll() is not None

    wait_for(reached)
    holders = {json.loads(path.read_text())["pid"] for path in locks.rglob("*.json")}
    for holder in holders if running.poll() is None else ():
        os.killpg(holder, signal.SIGKILL)
    running.communicate(timeout=60)


def pending_operations(lab: Lab, layer: str) -> list[Any]:
    """What the layer's state says is under way."""
    state = pulumi_cli_home.state_file(lab.workspace, layer, "lab")
    latest = json.loads(state.read_text())["checkpoint"]["latest"]
    return latest.get("pending_operations") or []


def _resources_made(lab: Lab, layer: str) -> int:
    state = pulumi_cli_home.state_file(lab.workspace, layer, "lab")
    try:
        latest = json.loads(state.read_text())["checkpoint"]["latest"] or {}
    except (FileNotFoundError, ValueError):
        return 0
    return len(latest.get("resources") or ())


def wait_for(true: Callable[[], Any], seconds: float = 120) -> None:
    """Returns when it is true."""
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, "it never came true"
        time.sleep(0.05)


def test_destroy_with_the_cli_leaves_nothing(by_cli: Lab) -> None:
    """R9.3, trap 39: everything goes, the stacks too; the shared stack file stays. Last, because
    it takes away what the others look at."""
    inv(by_cli, "destroy-all")
    assert by_cli.inventory() == []
    assert by_cli.outputs == {"Stack": "lab"}
    stacks = pulumi_cli_home.backend(by_cli.workspace) / ".pulumi" / "stacks"
    assert [path for path in stacks.rglob("lab.json") if path.is_file()] == []
    assert (REPOSITORY / "Pulumi.lab.yaml").is_file()
    assert Path(by_cli.workspace.flat_outputs).is_file()


@pytest.mark.parametrize("value", ["1e3", "16.10", "0755", "012345678901", "yes", "2026-01-02"])
def test_the_cli_reads_what_init_wrote(tmp_path: Path, value: str) -> None:
    """Trap 73: go-yaml v3 takes each of these for something else unless it is quoted."""
    (tmp_path / "Pulumi.yaml").write_text("name: probe\nruntime: python\n")
    stack_file = tmp_path / "Pulumi.pr7.yaml"
    stack_file.write_text(init.document({"probe:key": value}))
    (tmp_path / "backend").mkdir()
    environment = {
        **os.environ,
        "PULUMI_BACKEND_URL": f"file://{tmp_path / 'backend'}",
        "PULUMI_HOME": str(tmp_path / "home"),
        "PULUMI_CONFIG_PASSPHRASE": "",
    }

    def pulumi(*arguments: str) -> str:
        command = [str(CLI), *arguments, "--non-interactive", "--cwd", str(tmp_path)]
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, check=True
        ).stdout

    pulumi("stack", "init", "pr7")
    assert json.loads(pulumi("config", "--stack", "pr7", "--json"))["probe:key"]["value"] == value
    # The CLI has written the file anew (its salt), and the value is still the same.
    assert yaml_files.read(stack_file.read_text())["config"] == {"probe:key": value}
