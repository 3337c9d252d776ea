"""A stage for tests of the engine's steps: registrations without a program, a plugin in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from pulumi.runtime.proto import resource_pb2

from lab.engine.decision import Difference
from lab.engine.deployment import Deployment
from lab.engine.door import Door
from lab.engine.embedded import EmbeddedEngine
from lab.engine.interruption import settle
from lab.engine.journal import Journal
from lab.engine.operation import OperationRun
from lab.engine.plugin import InitializationError, PluginError
from lab.engine.plugins import ProviderSource
from lab.engine.project import Project
from lab.engine.refreshing import Refresh
from lab.engine.vault import Vault, read
from pulumi_protocol.checkpoint import Checkpoint
from pulumi_protocol.events import Event, ResourceEvent, Summary
from pulumi_protocol.structs import from_struct, to_struct
from pulumi_protocol.values import UNKNOWN, Properties, plain, secret

PROVIDER = "urn:pulumi:lab::shop::pulumi:providers:fake::east"


class MemoryPlugin:
    """A plugin and its cloud. Calls are noted as (call, name, …); ``faults`` maps a call such as
    "create a" to the exception it raises, before or (InitializationError) after its effect."""

    def __init__(self, cloud: dict[str, Properties] | None = None) -> None:
        self.cloud = {} if cloud is None else cloud
        self.calls: list[tuple[Any, ...]] = []
        self.faults: dict[str, Exception] = {}
        self.supports_preview = True
        self.delete_first = False
        self.region_replaces = True
        self.serial = 0

    def _note(self, call: str, name: str, *more: Any) -> None:
        self.calls.append((call, name, *more))
        fault = self.faults.get(f"{call} {name}")
        if fault is not None and not isinstance(fault, InitializationError):
            raise fault

    def check_config(self, urn: str, olds: Properties, news: Properties) -> Properties:
        return news

    def diff_config(self, urn: str, id: str, old_inputs: Properties, news: Properties) -> Any:
        moved = old_inputs.get("region") != news.get("region")
        return Difference(changes=old_inputs != news, replaces=("region",) if moved else ())

    def configure(self, urn: str, id: str, inputs: Properties) -> None:
        self.calls.append(("configure", urn.rpartition("::")[2], id))

    def check(
        self, urn: str, type: str, olds: Properties, news: Properties, seed: bytes
    ) -> Properties:
        self._note("check", plain(news)["name"], dict(olds))
        return news

    def diff(self, urn: str, type: str, id: str, **given: Any) -> Difference:
        old, new = plain(given["old_inputs"]), plain(given["news"])
        changed = sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))
        self._note("diff", plain(given["news"]).get("name", ""), tuple(changed))
        forcing = tuple(key for key in changed if key in ("name", "zone"))
        return Difference(bool(changed), forcing, self.delete_first, tuple(changed))

    def create(
        self, urn: str, type: str, inputs: Properties, *, timeout: float, preview: bool
    ) -> tuple[str, Properties]:
        name = plain(inputs)["name"]
        if preview:
            return "", {**inputs, "arn": UNKNOWN}
        self._note("create", name, timeout)
        if name in self.cloud and self.cloud[name].get("exclusive"):
            raise PluginError(f"{name} exists already")
        self.serial += 1
        id = f"{name}-{self.serial}"
        outputs = {**inputs, "arn": f"arn:{id}"}
        self.cloud[id] = outputs
        fault = self.faults.pop(f"create {name}", None)
        if isinstance(fault, InitializationError):
            raise InitializationError(id, outputs, fault.reasons)
        return id, outputs

    def update(self, urn: str, type: str, id: str, **given: Any) -> Properties:
        outputs = {**given["news"], "arn": plain(given["old_outputs"]).get("arn")}
        if not given["preview"]:
            name = plain(given["news"])["name"]
            self._note("update", name, given["timeout"])
            self.cloud[id] = outputs
            fault = self.faults.pop(f"update {name}", None)
            if isinstance(fault, InitializationError):
                raise InitializationError(id, outputs, fault.reasons)
        return outputs

    def read(
        self, urn: str, type: str, id: str, inputs: Properties, outputs: Properties
    ) -> tuple[str, Properties, Properties]:
        self._note("read", id or plain(inputs)["name"])
        for found, properties in self.cloud.items():
            if found == id or (not id and plain(properties)["name"] == plain(inputs)["name"]):
                bare = {key: value for key, value in properties.items() if key != "arn"}
                return found, bare, properties
        return "", {}, {}

    def delete(
        self, urn: str, type: str, id: str, inputs: Properties, outputs: Properties, **_: Any
    ) -> None:
        self._note("delete", id)
        self.cloud.pop(id, None)

    def invoke(self, token: str, arguments: Properties, *, preview: bool) -> Properties:
        self._note("invoke", token, arguments)
        return {"answer": 42}

    def made(self, *kinds: str) -> list[tuple[str, str]]:
        """The noted calls of these kinds, without their details."""
        return [(call[0], call[1]) for call in self.calls if call[0] in kinds]


class MemoryPlugins:
    """In place of plugin processes."""

    def __init__(self, plugin: MemoryPlugin) -> None:
        self._plugin = plugin
        self._configured: dict[str, MemoryPlugin] = {}

    def connect(self) -> MemoryPlugin:
        return self._plugin

    def configure(self, urn: str, id: str, inputs: Properties) -> MemoryPlugin:
        self._plugin.configure(urn, id, inputs)
        self._configured[f"{urn}::{id}"] = self._plugin
        return self._plugin

    def get(self, reference: str) -> MemoryPlugin | None:
        return self._configured.get(reference)


class Stage:
    """Deployments of one stack, one after the other, over one state file and one cloud."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "state" / "shop" / "lab.json"
        self.vault = Vault(folder / "state")
        self.plugin = MemoryPlugin()
        self.stacks: dict[tuple[str, str], Properties] = {}
        self.events: list[Event] = []

    def run(
        self,
        program: Callable[[Act], None],
        *,
        preview: bool = False,
        ends: bool = True,
        spared: Collection[str] = (),
    ) -> Summary:
        """Deploys (or preview) what ``program`` registers; its failures raise the first of them."""
        self.events = []
        project = Project("shop", self.folder, "lab", {})
        run = OperationRun(project, self.events.append, preview=preview, parallel=8, spared=spared)
        before = read(self.path, self.vault) or Checkpoint()
        journal = Journal(before, None if preview else self.path, self.vault)
        plugins: Any = MemoryPlugins(self.plugin)
        deployment = Deployment(
            run, journal, plugins, before.resources, lambda *name: self.stacks.get(name)
        )
        try:
            deployment.begin()
            if run.failures:
                raise run.failures[0]
            program(Act(Door(project, deployment)))
            if ends:
                deployment.finish()
        finally:
            journal.close()
        if run.failures:
            raise run.failures[0]
        return run.summary()

    def refresh(self, *, parallel: int = 8, spared: Collection[str] = ()) -> Summary:
        """Reads everything anew; its failures raise the first of them."""
        self.events = []
        project = Project("shop", self.folder, "lab", {})
        run = OperationRun(
            project, self.events.append, preview=False, parallel=parallel, spared=spared
        )
        before = read(self.path, self.vault) or Checkpoint()
        journal = Journal(before, self.path, self.vault)
        plugins: Any = MemoryPlugins(self.plugin)
        source = ProviderSource(plugins, lambda: before.resources)
        for state in before.resources:
            run.learn(state)
        try:
            settle(run, journal, source)
            Refresh(run, journal, source).refresh(journal.all())
        finally:
            journal.close()
        if run.failures:
            raise run.failures[0]
        return run.summary()

    def damage(self, change: Callable[[list[dict[str, Any]]], Any]) -> None:
        """Changes the recorded resources in the state file."""
        document = json.loads(self.path.read_text())
        change(document["deployment"]["resources"])
        self.path.write_text(json.dumps(document))

    def reported(self, *phases: str) -> list[tuple[str, str]]:
        """(operation, name) of the events of these phases, the unchanged left out."""
        return [
            (event.operation.value, event.name)
            for event in self.events
            if isinstance(event, ResourceEvent)
            and event.phase in phases
            and event.operation.value != "same"
        ]

    def states(self) -> dict[str, Any]:
        """The recorded resources by name (the replaced ones that wait are left out)."""
        checkpoint = read(self.path, self.vault) or Checkpoint()
        return {state.name: state for state in checkpoint.resources if not state.delete}


class Act:
    """What a program can do on the stage."""

    def __init__(self, door: Door) -> None:
        self.door = door

    def outputs(self, urn: str, outputs: Properties) -> None:
        """Registers a component's outputs, or the stack's."""
        request = resource_pb2.RegisterResourceOutputsRequest(urn=urn, outputs=to_struct(outputs))
        self.door.register_outputs(request)

    def component(self, type: str, name: str, **options: Any) -> str:
        """Registers a component; its URN."""
        request = resource_pb2.RegisterResourceRequest(type=type, name=name, **options)
        return self.door.register(request).urn

    def provider(self, name: str = "east", region: str = "east", **fields: Any) -> str:
        """Registers a provider; its reference."""
        answer = self.door.register(
            resource_pb2.RegisterResourceRequest(
                type=fields.pop("type", "pulumi:providers:fake"),
                name=name,
                custom=True,
                acceptSecrets=True,
                version="1.0.0",
                object=to_struct({"region": region, **fields}),
            )
        )
        return f"{answer.urn}::{answer.id or UNKNOWN}"

    def thing(self, name: str, provider: str, **fields: Any) -> Any:
        """Registers a resource: inputs by keyword, ``options`` = further fields of the request.

        An input may be another thing's answer: its arn is taken, and the dependency recorded.
        """
        options = dict(fields.pop("options", {}))
        inputs: Properties = {"name": name}
        wiring = dict(options.pop("propertyDependencies", {}))
        for key, value in fields.items():
            if isinstance(value, Answer):
                inputs[key] = value.outputs["arn"]
                wiring[key] = resource_pb2.RegisterResourceRequest.PropertyDependencies(
                    urns=[value.urn]
                )
            else:
                inputs[key] = value
        urns = {urn for entry in wiring.values() for urn in entry.urns}
        dependencies = [*options.pop("dependencies", ()), *urns]
        answer = self.door.register(
            resource_pb2.RegisterResourceRequest(
                type=options.pop("type", "fake:index:Thing"),
                name=options.pop("name", name),
                custom=True,
                acceptSecrets=True,
                provider=provider,
                object=to_struct(inputs),
                propertyDependencies=wiring,
                dependencies=dependencies,
                **options,
            )
        )
        return Answer(answer)


class Answer:
    """The answer to a registration in plain values."""

    def __init__(self, answer: Any) -> None:
        self.urn: str = answer.urn
        self.id: str = answer.id
        self.outputs = from_struct(answer.object)


def write_project(folder: Path, config: str, stack: str | None = "{}") -> Path:
    layer = folder / "shop"
    layer.mkdir(exist_ok=True)
    (layer / "Pulumi.yaml").write_text(
        f"name: shop\nruntime: python\nstackConfigDir: ..\nconfig: {config}\n"
    )
    if stack is not None:
        (folder / "Pulumi.lab.yaml").write_text(f"config: {stack}\n")
    return layer


def embedded_engine(folder: Path) -> EmbeddedEngine:
    return EmbeddedEngine(
        project_dir=folder / "shop", stack="lab", state_dir=folder / "state", plugin=["false"]
    )


def deployed(stage: Stage) -> EmbeddedEngine:
    """A deployed stack with a secret, a component, a provider and a stack reference."""
    write_project(stage.folder, "{}")
    stage.stacks["network", "lab"] = {"id": "vpc-1"}

    def program(act: Act) -> None:
        act.door.register(
            resource_pb2.RegisterResourceRequest(type="pulumi:pulumi:Stack", name="shop-lab")
        )
        root = "urn:pulumi:lab::shop::pulumi:pulumi:Stack::shop-lab"
        east = act.provider()
        a = act.thing("a", east, password=secret("correct-horse"), options={"parent": root})
        act.thing("b", east, after=a, options={"customTimeouts": {"create": "3m"}})
        act.door.read(
            resource_pb2.ReadResourceRequest(
                id="organization/network/lab",
                type="pulumi:pulumi:StackReference",
                name="network",
                properties=to_struct({"name": "organization/network/lab"}),
            )
        )
        act.outputs(root, {"arn": a.outputs["arn"], "token": secret("hidden")})

    stage.run(program)
    return embedded_engine(stage.folder)


def operation(tmp_path: Path, events: list[Event] | None = None) -> OperationRun:
    project = Project("shop", tmp_path, "lab", {})
    on_event = (lambda _: None) if events is None else events.append
    return OperationRun(project, on_event, preview=False, parallel=1)


def single(size: int = 1, **options: Any):
    """One thing."""
    return lambda act: act.thing("a", act.provider(), size=size, **options) and None


def only_provider(act: Act) -> None:
    act.provider()


def without_providers(resources: list[dict[str, Any]]) -> None:
    resources[:] = [one for one in resources if not one["type"].startswith("pulumi:providers:")]


def pair(act: Act) -> None:
    """a and b, which don't need each other."""
    east = act.provider()
    act.thing("a", east, password=secret("correct-horse"))
    act.thing("b", east)


def reading(act: Act, **fields: Any) -> Any:
    request = {"id": "given-1", "type": "fake:index:Thing", "name": "given", **fields}
    return act.door.read(resource_pb2.ReadResourceRequest(**request))
