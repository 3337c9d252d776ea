"""States that cross to and from the CLI."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from stage import Act, Stage, deployed, embedded_engine, write_project

from lab.engine.failure import StepFailedError
from lab.engine.plugin import PluginGoneError
from pulumi_protocol.events import EngineError
from pulumi_protocol.values import SECRET, SIGNATURE, secret


def secrets_in(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, list):
        return [found for item in value for found in secrets_in(item)]
    if not isinstance(value, dict):
        return []
    if value.get(SIGNATURE) == SECRET:
        return [value]
    return [found for item in value.values() for found in secrets_in(item)]


def test_an_export_has_the_form_that_pulumi_stack_import_accepts(stage: Stage) -> None:
    """The deployment format: version 3; magic = sha256 of the version; a passphrase provider as
    soon as there are secrets, which are plaintext; each resource after what it refers to, with
    the fields of its kind; StackReference external with its provider in the list."""
    document = json.loads(json.dumps(deployed(stage).export()))
    assert document["version"] == 3
    deployment = document["deployment"]
    manifest = deployment["manifest"]
    assert manifest["magic"] == hashlib.sha256(manifest["version"].encode()).hexdigest()
    assert manifest["time"].endswith("Z")
    assert deployment["secrets_providers"]["type"] == "passphrase"
    assert deployment["secrets_providers"]["state"]["salt"].startswith("v1:")
    assert deployment["metadata"] == {}
    secrets = secrets_in(deployment["resources"])
    assert len(secrets) == 3, "password in inputs and outputs, token in the stack's outputs"
    assert all(set(one) == {SIGNATURE, "plaintext"} for one in secrets)
    assert sorted(json.loads(one["plaintext"]) for one in secrets) == [
        "correct-horse",
        "correct-horse",
        "hidden",
    ]
    seen: set[str] = set()
    for resource in deployment["resources"]:
        named = {*resource.get("dependencies", ()), resource.get("parent", "")}
        named |= {urn for urns in resource.get("propertyDependencies", {}).values() for urn in urns}
        if "provider" in resource:
            named.add(resource["provider"].rpartition("::")[0])
        assert named - {""} <= seen, f"{resource['urn']} comes before what it refers to"
        seen.add(resource["urn"])
        assert {"urn", "type", "custom"} <= resource.keys()
        if resource["custom"]:
            assert resource["id"] and resource["created"] and resource["modified"]
    by_name = {one["urn"].rpartition("::")[2]: one for one in deployment["resources"]}
    assert by_name["b"]["customTimeouts"] == {"create": 180.0}
    assert by_name["b"]["propertyDependencies"] == {"after": [by_name["a"]["urn"]]}
    reference = by_name["network"]
    assert reference["external"] is True
    assert reference["provider"] == f"{by_name['default']['urn']}::{by_name['default']['id']}"
    assert by_name["default"]["type"] == "pulumi:providers:pulumi"


def test_an_export_comes_back_by_import(stage: Stage, tmp_path: Path) -> None:
    """What is exported is imported as it was; another stack's state and ciphertext of another
    engine are refused in one line."""
    made = deployed(stage)
    document = made.export()
    resources = made.resources()
    stage.path.unlink()
    assert made.outputs() is None and made.resources() == []
    made.import_state(document)
    assert made.resources() == resources
    assert made.outputs() == {"arn": "arn:a-1", "token": "[secret]"}
    assert made.outputs(show_secrets=True) == {"arn": "arn:a-1", "token": "hidden"}
    assert "correct-horse" not in stage.path.read_text()
    foreign = json.loads(json.dumps(document).replace("::shop::", "::else::"))
    with pytest.raises(EngineError, match="not of urn:pulumi:lab::shop"):
        made.import_state(foreign)
    sealed = {SIGNATURE: SECRET, "ciphertext": "v1:abc:def"}
    entry = {"urn": "u", "type": "t", "custom": True, "inputs": {"p": sealed}}
    with pytest.raises(EngineError, match="--show-secrets"):
        made.import_state({"version": 3, "deployment": {"resources": [entry]}})
    with pytest.raises(EngineError, match="no Pulumi deployment of version 3"):
        made.import_state({"version": 2})


def test_fields_of_the_clis_survive(stage: Stage) -> None:
    """What the CLI keeps in a resource and this engine doesn't know goes back as it came, and
    ``__internal`` in a provider's inputs is no change."""
    made = deployed(stage)
    document = made.export()
    for resource in document["deployment"]["resources"]:
        resource["sourcePosition"] = "project:///x.py#1"
        if resource["type"] == "pulumi:providers:fake":
            resource["inputs"]["__internal"] = {}
    made.import_state(document)
    assert all(one["sourcePosition"] == "project:///x.py#1" for one in made.resources())


def test_an_export_says_what_was_under_way(stage: Stage) -> None:
    """A creation of unknown end goes along, its secrets in plaintext like those of the resources:
    the CLI, too, must know that there may be a resource."""
    stage.plugin.faults["create a"] = PluginGoneError("gone")
    write_project(stage.folder, "{}")

    def program(act: Act) -> None:
        act.thing("a", act.provider(), password=secret("correct-horse"))

    with pytest.raises(StepFailedError, match="gone"):
        stage.run(program, ends=False)
    [pending] = embedded_engine(stage.folder).export()["deployment"]["pending_operations"]
    assert pending["type"] == "creating"
    assert pending["resource"]["inputs"] == {
        "name": "a",
        "password": {SIGNATURE: SECRET, "plaintext": '"correct-horse"'},
    }


def test_a_state_without_a_stack_has_no_outputs(tmp_path: Path) -> None:
    """A first run that failed at once has recorded resources, and no outputs yet."""
    write_project(tmp_path, "{}")
    made = embedded_engine(tmp_path)
    entry = {"urn": "u::a", "type": "fake:index:Thing", "custom": True}
    made.import_state({"version": 3, "deployment": {"resources": [entry]}})
    assert made.outputs() is None
    assert [one["urn"] for one in made.resources()] == ["u::a"]
