"""Project files, checkpoints, export and import, locks, the environment of children."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from stage import Act, Stage

from lab.engine import project, vault
from lab.engine.embedded import EmbeddedEngine
from lab.engine.journal import Journal
from lab.engine.operation import StepFailedError
from lab.engine.plugin import PluginGoneError
from pulumi_protocol.checkpoint import Checkpoint, PendingOperation, ResourceState
from pulumi_protocol.events import EngineError
from pulumi_protocol.values import SECRET, SIGNATURE, secret


def write(folder: Path, config: str, stack: str | None = "{}") -> Path:
    layer = folder / "shop"
    layer.mkdir(exist_ok=True)
    (layer / "Pulumi.yaml").write_text(
        f"name: shop\nruntime: python\nstackConfigDir: ..\nconfig: {config}\n"
    )
    if stack is not None:
        (folder / "Pulumi.lab.yaml").write_text(f"config: {stack}\n")
    return layer


def test_configuration_is_read_as_the_cli_reads_it(tmp_path: Path) -> None:
    """Own keys get the project's namespace, their defaults and types; other namespaces `value`;
    the stack's file, found in stackConfigDir, wins; all arrive as texts, lists as JSON."""
    layer = write(
        tmp_path,
        "{size: {type: integer, default: 3}, "
        "list: {type: array, items: {type: integer}, default: [1]}, "
        "'aws:region': {value: us-east-1}, flag: {type: boolean, default: true}, old: plain}",
        "{'shop:size': 5, 'other:x': {a: [1]}}",
    )
    loaded = project.load(layer, "lab")
    assert dict(loaded.config) == {
        "shop:size": "5",
        "other:x": '{"a": [1]}',
        "shop:list": "[1]",
        "aws:region": "us-east-1",
        "shop:flag": "true",
        "shop:old": "plain",
    }
    assert loaded.stack_urn == "urn:pulumi:lab::shop::pulumi:pulumi:Stack::shop-lab"


@pytest.mark.parametrize(
    ("config", "stack", "message"),
    [
        ("{size: {type: integer}}", "{}", "missing the configuration value shop:size"),
        ("{size: {type: integer}}", "{'shop:size': big}", "'shop:size' must be of type 'integer'"),
        ("{flag: {type: boolean}}", "{'shop:flag': 3}", "'shop:flag' must be of type 'boolean'"),
        ("{n: {type: integer}}", "{'shop:n': true}", "'shop:n' must be of type 'integer'"),
        ("{n: {type: array, default: []}}", "{}", "shop:n is an array without `items`"),
        ("{n: {type: wheel}}", "{'shop:n': 1}", "the unknown type 'wheel'"),
        ("{}", "{'shop:key': {secure: v1abc}}", "shop:key is a `secure` value"),
        ("{}", "[]", {}),
        ("{}", "[1]", "`config` is no mapping"),
        ("{}", None, "Pulumi.lab.yaml is missing"),
        ("{}", "{a: [}", "is no valid YAML"),
        ("[]", "{'shop:size': 5}", {"shop:size": "5"}),
        ("[size]", "{}", "shop: `config` in Pulumi.yaml is no mapping"),
        ("{size: {default: null}, word: {type: string}}", "{word: 5}", {"shop:word": "5"}),
    ],
)
def test_bad_configuration_is_one_line(
    tmp_path: Path, config: str, stack: str | None, message: str | dict[str, str]
) -> None:
    """Trap 37 and 39: types are enforced, secure values refused, a missing file named; what the
    CLI takes is taken: nothing declared, a default of null, a number where a text is wanted."""
    layer = write(tmp_path, config, stack)
    if isinstance(message, dict):
        assert project.load(layer, "lab").config == message
        return
    with pytest.raises(EngineError) as raised:
        project.load(layer, "lab")
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, r"Pulumi\.yaml can't be read: No such file or directory"),
        ("[name]", r"Pulumi\.yaml is no mapping of settings"),
        ("runtime: python", r"Pulumi\.yaml has no `name`"),
    ],
    ids=["missing", "a list", "no name"],
)
def test_a_bad_project_file_is_one_line(tmp_path: Path, text: str | None, message: str) -> None:
    """The file is named, and what is wrong with it."""
    if text is not None:
        (tmp_path / "Pulumi.yaml").write_text(text)
    with pytest.raises(EngineError, match=message):
        project.load(tmp_path, "lab")


def deployed(stage: Stage) -> EmbeddedEngine:
    """A deployed stack with a secret, a component, a provider and a stack reference."""
    write(stage.folder, "{}")
    stage.stacks["network", "lab"] = {"id": "vpc-1"}

    def program(act: Act) -> None:
        from pulumi.runtime.proto import resource_pb2

        from pulumi_protocol.structs import to_struct

        act.deployment.register(
            resource_pb2.RegisterResourceRequest(type="pulumi:pulumi:Stack", name="shop-lab")
        )
        root = "urn:pulumi:lab::shop::pulumi:pulumi:Stack::shop-lab"
        east = act.provider()
        a = act.thing("a", east, password=secret("correct-horse"), options={"parent": root})
        act.thing("b", east, after=a, options={"customTimeouts": {"create": "3m"}})
        act.deployment.read(
            resource_pb2.ReadResourceRequest(
                id="organization/network/lab",
                type="pulumi:pulumi:StackReference",
                name="network",
                properties=to_struct({"name": "organization/network/lab"}),
            )
        )
        act.deployment.register_outputs(root, {"arn": a.outputs["arn"], "token": secret("hidden")})

    stage.run(program)
    return engine(stage.folder)


def engine(folder: Path) -> EmbeddedEngine:
    return EmbeddedEngine(
        project_dir=folder / "shop", stack="lab", state_dir=folder / "state", plugin=["false"]
    )


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
    `__internal` in a provider's inputs is no change."""
    made = deployed(stage)
    document = made.export()
    for resource in document["deployment"]["resources"]:
        resource["sourcePosition"] = "project:///x.py#1"
        if resource["type"] == "pulumi:providers:fake":
            resource["inputs"]["__internal"] = {}
    made.import_state(document)
    assert all(one["sourcePosition"] == "project:///x.py#1" for one in made.resources())


def test_damaged_state_and_lost_keys_are_one_line(stage: Stage) -> None:
    """A state file that is no JSON, and secrets whose key file is gone, name the file."""
    made = deployed(stage)
    key = stage.folder / "state" / "secrets.key"
    key.unlink()
    with pytest.raises(EngineError, match=r"secrets\.key is missing"):
        engine(stage.folder).outputs()
    stage.path.write_text("{")
    with pytest.raises(EngineError, match=r"lab\.json is damaged"):
        made.outputs()


def test_a_step_counts_when_a_write_begun_after_it_has_ended(tmp_path: Path) -> None:
    """When `commit` returns, what was confirmed before is on disk; many threads share writes."""
    from concurrent.futures import ThreadPoolExecutor

    path, safe = tmp_path / "shop" / "lab.json", vault.Vault(tmp_path)
    journal = Journal(Checkpoint(), path, safe)

    def step(number: int) -> bool:
        made = ResourceState(f"urn::{number}", "t", custom=True, id=str(number))
        with journal.pending("creating", made):
            on_disk = vault.read(path, safe)
            assert on_disk is not None
            assert f"urn::{number}" in {one.resource.urn for one in on_disk.pending}
            journal.confirm(made)
        journal.commit()
        on_disk = vault.read(path, safe)
        assert on_disk is not None
        return f"urn::{number}" in {one.urn for one in on_disk.resources}

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(step, range(60)))
    journal.close()
    last = vault.read(path, safe)
    assert last is not None and len(last.resources) == 60 and last.pending == ()


def test_a_disk_that_is_full_fails_the_operation(tmp_path: Path) -> None:
    """A checkpoint that can't be written is an error of every step that waits for it."""
    path = tmp_path / "shop" / "lab.json"
    path.mkdir(parents=True)
    journal = Journal(Checkpoint(), path, vault.Vault(tmp_path))
    journal.confirm(ResourceState("urn::1", "t", custom=True))
    with pytest.raises(OSError, match=r"lab\.json"):
        journal.commit()


def test_an_export_says_what_was_under_way(stage: Stage) -> None:
    """A creation of unknown end goes along, its secrets in plaintext like those of the resources:
    the CLI, too, must know that there may be a resource."""
    stage.plugin.faults["create a"] = PluginGoneError("gone")
    write(stage.folder, "{}")

    def program(act: Act) -> None:
        act.thing("a", act.provider(), password=secret("correct-horse"))

    with pytest.raises(StepFailedError, match="gone"):
        stage.run(program, ends=False)
    [pending] = engine(stage.folder).export()["deployment"]["pending_operations"]
    assert pending["type"] == "creating"
    assert pending["resource"]["inputs"] == {
        "name": "a",
        "password": {SIGNATURE: SECRET, "plaintext": '"correct-horse"'},
    }


def test_a_state_without_a_stack_has_no_outputs(tmp_path: Path) -> None:
    """A first run that failed at once has recorded resources, and no outputs yet."""
    write(tmp_path, "{}")
    made = engine(tmp_path)
    entry = {"urn": "u::a", "type": "fake:index:Thing", "custom": True}
    made.import_state({"version": 3, "deployment": {"resources": [entry]}})
    assert made.outputs() is None
    assert [one["urn"] for one in made.resources()] == ["u::a"]


def test_a_destroy_that_cannot_clear_up_deletes_nothing(tmp_path: Path) -> None:
    """A creation of unknown end whose provider the state has lost: the state stays."""
    write(tmp_path, "{}")
    made = engine(tmp_path)
    entry = {"urn": "u::a", "type": "fake:index:Thing", "custom": True, "provider": "u::east::1"}
    pending = [{"type": "creating", "resource": entry}]
    group = {"urn": "u::g", "type": "fake:index:Group", "custom": False}
    deployment = {"resources": [group], "pending_operations": pending}
    made.import_state({"version": 3, "deployment": deployment})
    with pytest.raises(EngineError, match="registering a failed: its provider u::east::1 isn't"):
        made.destroy(lambda _: None)
    assert [one["urn"] for one in made.resources()] == ["u::g"]


def test_a_preview_s_journal_writes_nothing(tmp_path: Path) -> None:
    """And what is renamed or resolved twice, by two registrations at once, counts once."""
    state_dir = tmp_path / "state"
    thing = ResourceState("urn::a", "t", custom=True, id="1")
    operation = PendingOperation("updating", thing)
    journal = Journal(Checkpoint((thing,), (operation,)), None, vault.Vault(state_dir))
    for name in ("urn::b", "urn::c"):
        journal.rename("urn::a", thing.changed(urn=name))
        journal.resolve(operation)
    journal.commit()
    journal.close()
    assert [one.urn for one in journal.all()] == ["urn::b"]
    assert journal.all_interrupted() == []
    assert not state_dir.exists()


def test_two_that_make_the_key_at_once_share_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two layers start at once: the second finds the first one's key in its place and takes it,
    or their secrets would be lost to each other."""
    write_private = vault.write_private

    def overtaken(path: Path, content: bytes) -> None:
        monkeypatch.setattr(vault, "write_private", write_private)
        sealed.append(vault.Vault(tmp_path).seal(secret("first")))
        write_private(path, content)

    sealed: list[Any] = []
    monkeypatch.setattr(vault, "write_private", overtaken)
    safe = vault.Vault(tmp_path)
    sealed.append(safe.seal(secret("second")))
    assert safe.open(sealed) == [secret("first"), secret("second")]
    assert [path.name for path in tmp_path.iterdir()] == ["secrets.key"]
