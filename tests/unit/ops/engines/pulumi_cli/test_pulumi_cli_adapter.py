"""Pulumi's CLI as an engine: Pulumi's real Automation API over a CLI that is played here, with its
events sent over the real wire."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import grpc
import pytest
from fake_cli import metadata, script
from pulumi.automation import CommandResult
from pulumi.automation.errors import create_command_error
from pulumi.runtime.proto import events_pb2, events_pb2_grpc
from semver import VersionInfo
from watched_driver import stack_file

from ops.engines import choice
from ops.engines import state as pulumi_cli_state
from ops.engines.engine import Options
from ops.engines.pulumi_cli import adapter as pulumi_cli
from ops.engines.pulumi_cli import home as pulumi_cli_home
from ops.engines.pulumi_cli.adapter import PulumiCli, secrets_provider
from ops.engines.pulumi_cli.command import Command
from ops.errors import ExitCode, OperatorError
from ops.stack_file import StackFile, parse
from ops.workspace import Workspace
from pulumi_protocol.events import EngineError, Event, Summary

STACK = {
    "urn": "urn:pulumi:dev::network::pulumi:pulumi:Stack::network-dev",
    "type": "pulumi:pulumi:Stack",
    "custom": False,
    "outputs": {
        "vpc": "vpc-1",
        "hidden": {
            "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
            "ciphertext": "v1:abc",
        },
    },
}
PROGRAM = STACK["urn"]


class FakeCli(Command):
    """Keeps stacks in memory, remembers what it was asked, and sends what events it is given."""

    def __init__(self) -> None:
        self.version = VersionInfo(3, 260, 0)
        self.command = "pulumi"
        self.calls: list[list[str]] = []
        self.environments: list[dict[str, str]] = []
        self.stacks: dict[str, list[dict[str, Any]]] = {}
        self.pending: dict[str, list[dict[str, Any]]] = {}
        self.events: list[dict[str, Any]] = []
        self.fails: dict[str, str] = {}
        self.during: Callable[[list[str]], None] = lambda _: None
        self.interruptions = 0

    @property
    def interrupted(self) -> bool:
        return self.interruptions > 0

    def interrupt(self) -> None:
        self.interruptions += 1

    def run(
        self, args: list[str], cwd: str, additional_env: Mapping[str, str],
        on_output: Any = None, on_error: Any = None,
    ) -> CommandResult:  # fmt: skip
        verb = " ".join(args[:2]) if args[0] == "stack" else args[0]
        self.calls.append([word for word in args if not word.startswith("tcp://")])
        self.environments.append(dict(additional_env))
        self.during(args)
        layer = Path(cwd).name
        if verb == "stack init":
            if layer in self.stacks:
                return self._end(f"error: stack '{args[2]}' already exists")
            self.stacks[layer] = []
        elif layer not in self.stacks:
            return self._end(f"error: no stack named '{args[-1]}' found")
        if "--event-log" in args:
            self._send(args[args.index("--event-log") + 1].removeprefix("tcp://"))
        if verb in self.fails:
            return self._end(self.fails[verb])
        out = ""
        if verb == "stack export":
            deployment: dict[str, Any] = {"resources": self.stacks[layer]}
            if self.pending.get(layer):
                deployment["pending_operations"] = self.pending[layer]
            document = {"version": 3, "deployment": deployment}
            out = json.dumps(document)
        elif verb == "stack import":
            path = Path(args[args.index("--file") + 1])
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            deployment = json.loads(path.read_text())["deployment"]
            self.stacks[layer] = deployment["resources"]
            self.pending[layer] = deployment.get("pending_operations", [])
        elif verb == "stack rm":
            del self.stacks[layer]
        return CommandResult(out, "", 0)

    def _send(self, address: str) -> None:
        with grpc.insecure_channel(address) as channel:
            numbered = [
                {"sequence": number, "timestamp": 1, **event}
                for number, event in enumerate(
                    [*self.events, {"summaryEvent": {"resourceChanges": {}}}, {"cancelEvent": {}}]
                )
            ]
            events_pb2_grpc.EventsStub(channel).StreamEvents(
                iter([events_pb2.EventRequest(event=json.dumps(event)) for event in numbered])
            )

    @staticmethod
    def _end(stderr: str) -> CommandResult:
        raise create_command_error(CommandResult("", stderr, 255))


@pytest.fixture
def cli() -> FakeCli:
    """The CLI that is played."""
    return FakeCli()


DEV = "config: {TapStack:environmentSuffix: dev, aws:region: us-east-1}"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A repository with a dev stack and four projects."""
    (tmp_path / "Pulumi.dev.yaml").write_text(DEV)
    for layer in ("network", "data", "app", "global"):
        (tmp_path / layer).mkdir()
    return Workspace(tmp_path, tmp_path / "ws")


def engine(
    workspace: Workspace, cli: FakeCli, file: StackFile | None = None, **more: Any
) -> PulumiCli:
    """The engine over the CLI that is played."""
    return PulumiCli(workspace, file or parse("dev", DEV), cli, **more)


def created(urn: str = "urn:pulumi:dev::network::aws:ec2/vpc:Vpc::vpc") -> list[dict[str, Any]]:
    """The events of one resource made."""
    step = {"metadata": metadata("create", urn)}
    return [{"resourcePreEvent": step}, {"resOutputsEvent": step}]


def said(message: str, urn: str = PROGRAM) -> dict[str, Any]:
    """An error of the CLI's."""
    return {"diagnosticEvent": {"severity": "error", "message": message, "urn": urn}}


def test_a_stack_is_made_on_first_use_without_being_selected(
    workspace: Workspace, cli: FakeCli
) -> None:
    """Made on first use; what the operator has selected stays selected. One further
    command, and none (select, outputs, history) that nothing here needs."""
    cli.events = created()
    heard: list[Event] = []
    done = engine(workspace, cli).up("network", heard.append)
    assert (done.created, done.changed) == (1, 1)
    assert len(heard) == 2
    up = ["up", "--yes", "--skip-preview", "--color", "never", "--suppress-outputs",
          "--suppress-progress", "--exec-kind", "auto.local", "--event-log",
          "--stack", "dev"]  # fmt: skip
    assert cli.calls == [up, ["stack", "init", "dev", "--no-select"], up]
    cli.calls.clear()
    engine(workspace, cli).up("network", heard.append)
    assert cli.calls == [up]


def test_a_stack_that_somebody_else_just_made_is_taken(workspace: Workspace, cli: FakeCli) -> None:
    """Two pipelines may start at once."""
    cli.stacks["network"] = []
    tries = []

    def elsewhere(args: list[str]) -> None:
        if args[0] == "up" and not tries:
            tries.append(args)
            raise create_command_error(CommandResult("", "error: no stack named 'dev' found", 255))

    cli.during = elsewhere
    engine(workspace, cli).up("network", print)
    assert [call[0] for call in cli.calls] == ["up", "stack", "up"]


@pytest.mark.parametrize(
    ("file", "provider"),
    [
        ("config: {}", None),
        ("", None),
        ("encryptionsalt: v1:abc", "passphrase"),
        ("secretsprovider: awskms://alias/x?region=us-east-1", "awskms://alias/x?region=us-east-1"),
    ],
)
def test_the_stack_file_s_secrets_provider_is_respected(
    workspace: Workspace, cli: FakeCli, file: str, provider: str | None
) -> None:
    """Trap 38: four stacks share one provider, and one salt, through the shared file."""
    path = workspace.stack_file("dev")
    path.write_text(file)
    assert secrets_provider(path) == provider
    engine(workspace, cli).preview("network", print, frozenset())
    (init,) = (call for call in cli.calls if call[:2] == ["stack", "init"])
    assert init[4:] == (["--secrets-provider", provider] if provider else [])


def test_refresh_target_and_parallel_reach_the_cli(workspace: Workspace, cli: FakeCli) -> None:
    """``--refresh``, ``--target``, ``--parallel``."""
    options = Options(refresh=True, targets=("urn:a", "urn:b"), parallel=3)
    cli.stacks["network"] = []
    made = engine(workspace, cli, options=options)
    made.preview("network", print, frozenset())
    made.up("network", print)
    made.refresh("network", print)
    made.destroy("network", print)
    flags = ["--target", "urn:a", "--target", "urn:b", "--parallel", "3", "--color", "never",
             "--suppress-outputs", "--suppress-progress"]  # fmt: skip
    for call in cli.calls:
        assert all(flag in call for flag in flags)
    assert ["--refresh" in call for call in cli.calls] == [True, True, False, False]
    # A few resources are gone, and not the stack.
    assert [call[0] for call in cli.calls] == ["preview", "up", "refresh", "destroy"]


def test_undeployed_upstreams_reach_the_program_in_a_preview_only(
    workspace: Workspace, cli: FakeCli
) -> None:
    """N5: the CLI needs the program to make the unknowns; the driver says which."""
    cli.events = created()
    cli.stacks["app"] = []
    made = engine(workspace, cli)
    seen = made.preview("app", print, frozenset({"network", "data"}))
    assert (seen.created, seen.same) == (1, 0)
    made.preview("app", print, frozenset())
    made.up("app", print)
    passed = [env.get("WARM_STANDBY_UNDEPLOYED") for env in cli.environments]
    assert passed == ["data,network", None, None]


def test_a_refresh_or_destroy_of_what_was_never_deployed_does_nothing(
    workspace: Workspace, cli: FakeCli
) -> None:
    """Nothing to do is success, and makes no stack."""
    made = engine(workspace, cli)
    for done in (
        made.refresh("network", print),
        made.refresh("network", print, preview=True),
        made.destroy("network", print),
    ):
        assert done.changed == done.same == 0
    assert [call[0] for call in cli.calls] == ["refresh", "refresh", "destroy"]
    assert "--preview-only" in cli.calls[1]
    assert "--preview-only" not in cli.calls[0]
    assert cli.stacks == {}


def test_destroy_removes_the_stack_and_keeps_the_shared_file(
    workspace: Workspace, cli: FakeCli
) -> None:
    """Trap 39: ``stack rm`` would take the configuration of all four layers along."""
    cli.stacks["network"] = [STACK]
    assert engine(workspace, cli).destroy("network", print) != Summary(deleted=1)
    assert cli.calls[-1] == ["stack", "rm", "--yes", "--preserve-config", "dev"]
    assert cli.stacks == {}


def test_destroy_keeps_the_history_of_prod(workspace: Workspace, cli: FakeCli) -> None:
    """An audit may want to know what was there."""
    prod = parse(
        "prod",
        "config: {TapStack:environmentSuffix: p, TapStack:environment: prod, "
        "aws:region: us-east-1, app:allowPlainHttp: true}",
    )
    cli.stacks["network"] = []
    engine(workspace, cli, prod).destroy("network", print)
    assert [call[0] for call in cli.calls] == ["destroy"]


def test_outputs_and_resources_come_masked(workspace: Workspace, cli: FakeCli) -> None:
    """No secret in output or file; nothing deployed is None, also with an empty stack."""
    made = engine(workspace, cli)
    assert made.outputs("network") is None
    assert made.resources("network") == []
    cli.stacks["network"] = []
    assert made.outputs("network") is None
    cli.stacks["network"] = [{"urn": "x", "type": "aws:ec2/vpc:Vpc"}, STACK]
    assert made.outputs("network") == {"vpc": "vpc-1", "hidden": "[secret]"}
    assert len(made.resources("network")) == 2
    assert all("--show-secrets" not in call for call in cli.calls)
    cli.stacks["network"] = [{**STACK, "outputs": None}]
    assert made.outputs("network") == {}


def test_a_state_is_exported_imported_and_forgotten(workspace: Workspace, cli: FakeCli) -> None:
    """With readable secrets, through a file that only its owner reads and that never stays."""
    made = engine(workspace, cli)
    assert made.export("network") is None
    document = {"version": 3, "deployment": {"resources": [STACK]}}
    made.import_state("network", document)
    assert [call[1] for call in cli.calls] == ["export", "import", "init", "import"]
    assert made.export("network") == document
    assert "--show-secrets" in cli.calls[-1]
    files = [Path(call[call.index("--file") + 1]) for call in cli.calls if "--file" in call]
    assert not any(path.exists() for path in files)
    made.forget("network")
    assert cli.calls[-1] == ["stack", "rm", "--yes", "--force", "--preserve-config", "dev"]
    made.forget("network")
    assert cli.stacks == {}


def test_what_a_provider_says_is_the_error(workspace: Workspace, cli: FakeCli) -> None:
    """Errors: one line, with the CLI's own diagnostics as details."""
    cli.stacks["network"] = []
    urn = "urn:pulumi:dev::network::aws:ec2/vpc:Vpc::vpc"
    cli.events = [
        said("the program ended early"),
        said("error: creating EC2 VPC:\n  VpcLimitExceeded", urn),
        said("update failed"),
    ]
    cli.fails["up"] = "error: update failed"
    with pytest.raises(EngineError) as caught:
        engine(workspace, cli).up("network", lambda _: None)
    assert str(caught.value) == "network: vpc: creating EC2 VPC: VpcLimitExceeded"
    assert caught.value.details == (
        "the program ended early",
        "vpc: creating EC2 VPC: VpcLimitExceeded",
    )


def test_an_error_that_a_program_logs_fails_it(workspace: Workspace, cli: FakeCli) -> None:
    """The CLI shows "1 errored" and yet exits 0."""
    cli.stacks["network"] = []
    cli.events = [said("natGateways is 7")]
    with pytest.raises(EngineError, match="network: the program failed: natGateways is 7"):
        engine(workspace, cli).preview("network", lambda _: None, frozenset())


@pytest.mark.parametrize(
    ("stderr", "line"),
    [
        ("error: passphrase must be set with PULUMI_CONFIG_PASSPHRASE", "set PULUMI_CONFIG_PASS"),
        ("error: incorrect passphrase", "isn't the passphrase that the stack was made with"),
        ("error: PULUMI_ACCESS_TOKEN must be set for login", "no backend is chosen"),
        ("warning: a\nerror: b\n  c\nerror: d", "network: pulumi failed: b"),
        ("what is this", "network: pulumi failed: what is this"),
        ("", "network: pulumi failed: the CLI ended without a word"),
    ],
)
def test_what_the_cli_lacks_is_one_line_with_its_remedy(
    workspace: Workspace, cli: FakeCli, stderr: str, line: str
) -> None:
    """Before any resource is looked at."""
    cli.stacks["network"] = []
    cli.fails["up"] = stderr
    with pytest.raises(EngineError) as caught:
        engine(workspace, cli).up("network", print)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("verb", "act"),
    [
        ("stack export", lambda made: made.outputs("network")),
        ("stack import", lambda made: made.import_state("network", {"version": 3})),
        ("stack rm", lambda made: made.forget("network")),
    ],
)
def test_state_that_can_t_be_reached_is_one_line(
    workspace: Workspace, cli: FakeCli, verb: str, act: Callable[[PulumiCli], Any]
) -> None:
    """A backend may be down at any command."""
    cli.stacks["network"] = []
    cli.fails[verb] = "error: s3: AccessDenied"
    with pytest.raises(EngineError, match=r"^network: \w+ing the st\w+ failed: s3: AccessDenied$"):
        act(engine(workspace, cli))


def test_a_lock_left_behind_names_the_command_that_frees_it(
    workspace: Workspace, cli: FakeCli
) -> None:
    """A CLI that was killed leaves its lock; the printed command works as it stands."""
    cli.stacks["network"] = []
    cli.fails["up"] = "error: the stack is currently locked by 1 lock(s)."
    backend = {"PULUMI_BACKEND_URL": "file:///a b"}
    with pytest.raises(EngineError) as caught:
        engine(workspace, cli, backend=backend).up("network", print)
    assert (
        f"PULUMI_BACKEND_URL='file:///a b' pulumi cancel --cwd {workspace.project('network')} "
        "--stack dev --yes frees the stack"
    ) in str(caught.value)


def test_an_interruption_reaches_the_cli_and_begins_nothing_more(
    workspace: Workspace, cli: FakeCli
) -> None:
    """N7: what was under way has ended; the message says how to resume."""
    made = engine(workspace, cli)
    cli.stacks["network"] = []
    cli.fails["up"] = "error: update cancelled"
    cli.during = lambda args: made.interrupt() if args[0] == "up" else None
    with pytest.raises(EngineError, match="network: interrupted; run the same command again"):
        made.up("network", print)
    assert cli.interruptions == 1
    with pytest.raises(EngineError, match="network: interrupted"):
        made.up("network", print)
    assert [call[0] for call in cli.calls] == ["up"]
    assert made.resources("network") == []


def test_an_interruption_while_the_stack_is_made_stops_there(
    workspace: Workspace, cli: FakeCli
) -> None:
    """Nothing begins after it."""
    made = engine(workspace, cli)
    cli.during = lambda args: made.interrupt() if args[:2] == ["stack", "init"] else None
    with pytest.raises(EngineError, match="interrupted"):
        made.up("network", print)
    assert [call[0] for call in cli.calls] == ["up", "stack"]


def test_the_lab_s_cli_lives_apart(
    tmp_path: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """architecture.md, Engines: the lab's own home, backend and plugin; none of the operator's."""
    monkeypatch.setenv("PATH", str(script(tmp_path / "bin/pulumi", "env").parent) + ":/usr/bin")
    for name in ("AWS_PROFILE", "PULUMI_ACCESS_TOKEN", "PULUMI_BACKEND_URL", "https_proxy"):
        monkeypatch.setenv(name, "elsewhere")
    choice.engine_for("pulumi", workspace, stack_file(), {"LAB": "here"})
    made = choice.engine_for("pulumi", workspace, stack_file(), {"LAB": "here"})
    assert isinstance(made, PulumiCli)
    answer = made._command.run([], str(tmp_path), {})
    lines = [line.partition("=") for line in answer.stdout.splitlines()]
    seen = {name: value for name, _, value in lines}
    state = workspace.lab_state
    assert seen["PULUMI_HOME"] == str(state / "pulumi-home")
    assert seen["PULUMI_BACKEND_URL"] == f"file://{state}/pulumi-state"
    assert seen["PULUMI_CONFIG_PASSPHRASE"] == ""
    assert seen["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] == "true"
    assert seen["LAB"] == "here"
    assert seen["AWS_CONFIG_FILE"] == "/dev/null"
    assert not {"AWS_PROFILE", "PULUMI_ACCESS_TOKEN", "https_proxy"} & seen.keys()
    (version,) = (state / "pulumi-home/plugins").iterdir()
    assert version.name.startswith("resource-aws-v7.")
    plugin = version / "pulumi-resource-aws"
    assert plugin.readlink() == workspace.repository / "lab/provider/pulumi-resource-aws"
    assert stat.S_IMODE((state / "pulumi-state").stat().st_mode) == 0o700
    cancel = made._cancel("network")
    assert cancel.startswith(f"PULUMI_HOME={state}/pulumi-home PULUMI_BACKEND_URL=file://")


def test_the_lab_s_plugin_follows_the_working_copy(workspace: Workspace) -> None:
    """A workspace may outlive the copy it was made from."""
    pulumi_cli_home.prepare(workspace)
    moved = Workspace(workspace.repository / "moved", workspace.directory)
    pulumi_cli_home.prepare(moved)
    (version,) = (pulumi_cli_home.home(moved) / "plugins").iterdir()
    plugin = version / "pulumi-resource-aws"
    assert plugin.readlink() == moved.repository / "lab/provider/pulumi-resource-aws"


def test_any_other_stack_has_the_operator_s_backend_and_profile(
    tmp_path: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any backend (Cloud, S3, file); real plugins may be downloaded."""
    monkeypatch.setenv("PATH", str(script(tmp_path / "bin/pulumi", "env").parent) + ":/usr/bin")
    monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://states")
    monkeypatch.setenv("AWS_PROFILE", "mine")
    monkeypatch.setenv("PYTHONPATH", "/own")
    made = pulumi_cli.make(workspace, parse("dev", DEV), {})
    seen = made._command.run([], str(tmp_path), {}).stdout.splitlines()
    assert {"PULUMI_BACKEND_URL=s3://states", "AWS_PROFILE=mine"} <= set(seen)
    assert f"PYTHONPATH={workspace.repository}:/own" in seen
    assert not any("ACQUISITION" in line or "PASSPHRASE" in line for line in seen)
    assert made._cancel("data").startswith("pulumi cancel --cwd ")


# The state of a lab stack with either engine


def held_by(workspace: Workspace, engine_name: str, layer: str, resources: list[Any]) -> Path:
    """A state file as that engine writes it."""
    if engine_name == "embedded":
        path = workspace.checkpoints / layer / "lab.json"
        document: dict[str, Any] = {"version": 3, "deployment": {"resources": resources}}
    else:
        path = pulumi_cli_home.state_file(workspace, layer, "lab")
        document = {"version": 3, "checkpoint": {"latest": {"resources": resources}}}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
    return path


@pytest.mark.parametrize(
    ("holder", "other", "again"),
    [("embedded", "pulumi", "deploy-all,"), ("pulumi", "embedded", "deploy-all --engine pulumi,")],
)
def test_an_engine_is_refused_over_the_other_s_state(
    workspace: Workspace, holder: str, other: str, again: str
) -> None:
    """Deploying with one over the other's state would make everything twice."""
    held_by(workspace, holder, "data", [STACK])
    held_by(workspace, other, "data", [])
    pulumi_cli_state.refuse_other(workspace, "lab", holder)
    with pytest.raises(OperatorError) as caught:
        choice.engine_for(other, workspace, stack_file(), {})
    assert caught.value.code is ExitCode.BAD_INPUT
    assert f"was deployed with the {holder} engine (data)" in str(caught.value)
    assert again in str(caught.value)
    assert f"./inv state.move --to {other}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_half_a_state_counts_as_one(workspace: Workspace) -> None:
    """A file that can't be read may hold anything."""
    held_by(workspace, "embedded", "app", []).write_text('{"version": 3, "depl')
    path = held_by(workspace, "pulumi", "app", [])
    path.write_text(json.dumps({"checkpoint": {"latest": None}}))
    assert pulumi_cli_state.held(workspace, "lab") == {"embedded": ["app"], "pulumi": []}


class Shelf:
    """Layers' states, in memory."""

    def __init__(self, name: str, **states: list[Any]) -> None:
        self.name = name
        self.states = states
        self.loses = 0

    def export(self, layer: str) -> dict[str, Any] | None:
        found = self.states.get(layer)
        return {"version": 3, "deployment": {"resources": found}} if found else None

    def import_state(self, layer: str, deployment: dict[str, Any]) -> None:
        self.states[layer] = deployment["deployment"]["resources"][self.loses :]

    def forget(self, layer: str) -> None:
        del self.states[layer]

    def resources(self, layer: str) -> list[dict[str, Any]]:
        return self.states.get(layer, [])


def test_moving_hands_over_layer_by_layer() -> None:
    """What isn't deployed is left out; the source forgets only what the target has."""
    source, target = Shelf("embedded", network=[STACK, STACK], app=[STACK]), Shelf("pulumi")
    moved = pulumi_cli_state.move(source, target, ["network", "data", "app"])
    assert moved == {"network": 2, "app": 1}
    assert source.states == {}
    assert target.states == {"network": [STACK, STACK], "app": [STACK]}


def test_moving_that_loses_something_leaves_the_source_alone() -> None:
    """A state is never taken away from both."""
    source, target = Shelf("embedded", network=[STACK, STACK]), Shelf("pulumi")
    target.loses = 1
    with pytest.raises(EngineError, match="took 1 of 2 resources; nothing was removed"):
        pulumi_cli_state.move(source, target, ["network"])
    assert source.states == {"network": [STACK, STACK]}
