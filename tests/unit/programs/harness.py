"""Runs a layer's real ``__main__.py`` under a recording monitor, without an engine or a cloud.

``run_program("network")`` answers a :class:`Deployment`: what the program registered, as it
reached the monitor (after the SDK resolved every Output), and what it exported.

Upstream stacks answer with :func:`sample_outputs` of their contracts, or with what the test gives.
"""

import asyncio
import contextlib
import contextvars
import importlib
import json
import os
import pickle
import runpy
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import fasteners
import pulumi
from computed_outputs import ACCOUNT, computed_outputs, invoke_result
from google.protobuf import empty_pb2, json_format
from pulumi.runtime import mocks, rpc, run_in_stack
from pulumi.runtime import settings as runtime
from pulumi.runtime.config import set_all_config
from pulumi.runtime.proto import resource_pb2, source_pb2

from lab.engine.program import settled
from tapstack.contracts import LAYERS, UNDEPLOYED_VARIABLE, Number, Texts, check, field_paths
from tapstack.well_known import PROJECT

ROOT = Path(__file__).parents[3]
ORGANIZATION = "organization"
SUFFIX = "synthj5p6r0e5"
SECRET_SIGNATURE = "1b47061264138c4ac30d75fd1eb44270"
SIGNATURE_KEY = "4dabf18193072939515e22adb298388d"
UNKNOWN_VALUE = rpc.UNKNOWN
"""What an unknown value looks like in a resource's inputs and in a preview's outputs."""

SHARED = "TESTS_SHARED_FOLDER"
"""The variable that names the folder which the processes of a test run share."""

PROGRAM_SECONDS = 120
"""A program takes one or two; one that waits for an Output that never comes ends here."""

for _module in sorted(file.stem for layer in LAYERS for file in (ROOT / layer).glob("*.py")):
    # Here, while tests are collected: a module's own lines run once a process, and which test
    # is the first to run a program, and whether that one is measured, is chance.
    if _module != "__main__":
        importlib.import_module(_module)

BASE_CONFIG = {"TapStack:environmentSuffix": SUFFIX, "aws:region": "us-east-1"}
LAB_CONFIG = {"TapStack:endpoint": "http://127.0.0.1:45660"}


@dataclass(frozen=True)
class Registered:
    """One resource that a program registered, its values in camelCase as the engine gets them."""

    urn: str
    type: str
    name: str
    custom: bool
    inputs: dict[str, Any]
    """Plain values: secrets are unwrapped here and named in ``secret_inputs``."""
    secret_inputs: frozenset[str]
    outputs: dict[str, Any]
    id: str
    provider: str
    """``urn::id`` of the provider, or empty: the default provider."""
    parent: str
    dependencies: tuple[str, ...]
    property_dependencies: dict[str, tuple[str, ...]]
    ignore_changes: tuple[str, ...]
    custom_timeouts: dict[str, str]
    delete_before_replace: bool
    protect: bool
    retain_on_delete: bool
    replace_on_changes: tuple[str, ...]
    additional_secret_outputs: tuple[str, ...]
    former_types: tuple[str, ...]
    """Of its aliases."""

    @property
    def provider_urn(self) -> str:
        """The provider's URN, without its id."""
        return self.provider.rpartition("::")[0]


@dataclass(frozen=True)
class Invoked:
    """One provider function that a program called."""

    token: str
    arguments: dict[str, Any]
    provider: str


@dataclass
class Deployment:
    """What a program did."""

    layer: str
    preview: bool
    resources: list[Registered] = field(default_factory=list)
    invokes: list[Invoked] = field(default_factory=list)
    stack_references: list[str] = field(default_factory=list)
    exports: dict[str, Any] = field(default_factory=dict)
    """Plain values: secrets are unwrapped here and named in ``secret_exports``."""
    secret_exports: frozenset[str] = frozenset()
    component_outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What components registered as their outputs, by URN."""
    logs: list[tuple[int, str]] = field(default_factory=list)
    """Severity (1 information … 3 error) and message; debug lines are left out."""

    def created(self, type_: str | None = None, region: str | None = None) -> list[Registered]:
        """Custom resources, optionally of one type (``aws:ec2/vpc:Vpc``) and one region.

        Providers aren't among them unless they are asked for by type.
        """
        return [
            resource
            for resource in self.resources
            if resource.custom
            and (resource.type == type_ if type_ else not is_provider(resource.type))
            and (region is None or self.region_of(resource) == region)
        ]

    def one(self, type_: str, name: str | None = None, region: str | None = None) -> Registered:
        """The only resource of a type, or the one of that logical name or region."""
        found = [
            resource
            for resource in self.created(type_, region)
            if name is None or resource.name == name
        ]
        assert len(found) == 1, (
            f"{len(found)} resources of {type_} {name or ''} {region or ''}: "
            f"{[resource.name for resource in self.created(type_)]}"
        )
        return found[0]

    def by_urn(self, urn: str) -> Registered:
        """The resource of a URN."""
        return next(resource for resource in self.resources if resource.urn == urn)

    def provider_of(self, resource: Registered) -> Registered:
        """The explicit provider that makes a resource."""
        return self.by_urn(resource.provider_urn)

    def region_of(self, resource: Registered) -> str:
        """The region of a resource's provider (of the provider itself, if it is one)."""
        holder = resource if is_provider(resource.type) else self.provider_of(resource)
        return holder.inputs["region"]

    def default_tags(self, resource: Registered) -> dict[str, str]:
        """The default tags that reach a resource: they stand only on its provider, as JSON."""
        return json.loads(self.provider_of(resource).inputs["defaultTags"])["tags"]

    def reaches(self, resource: Registered, other: Registered) -> bool:
        """Whether a resource depends on another, directly or through others."""
        seen: set[str] = set()
        waiting = [resource.urn]
        known = {entry.urn: entry for entry in self.resources}
        while waiting:
            urn = waiting.pop()
            if urn in seen or urn not in known:
                continue
            seen.add(urn)
            waiting.extend(known[urn].dependencies)
        return other.urn in seen - {resource.urn}

    def warnings(self) -> list[str]:
        """What the program logged as a warning."""
        return [message for severity, message in self.logs if severity == 2]


def is_provider(type_: str) -> bool:
    """Whether a resource type is a provider."""
    return type_.startswith("pulumi:providers:")


def run_program(
    layer: str,
    *,
    config: Mapping[str, Any] | None = None,
    upstream: Mapping[str, Mapping[str, Any]] | None = None,
    stack: str = "lab",
    preview: bool = False,
    undeployed: tuple[str, ...] = (),
    previous: Deployment | None = None,
) -> Deployment:
    """Runs a layer's ``__main__.py`` as Pulumi does and answers what it registered.

    ``config`` is added to :data:`BASE_CONFIG`; lists, maps, numbers and booleans are given as
    Python values and handed over as Pulumi does (strings, JSON); None takes a key away.
    ``upstream`` replaces the sample outputs of upstream layers. ``undeployed`` names layers that
    the driver says were never deployed. ``previous`` is an earlier run whose resources exist:
    as in an engine, an input that a resource ignores keeps its earlier value in the outputs.
    Raises whatever the program raises.
    """
    values: dict[str, Any] = {**BASE_CONFIG, **(LAB_CONFIG if stack == "lab" else {})}
    values.update(config or {})
    settled = {key: _as_config(value) for key, value in values.items() if value is not None}
    samples = {name: sample_outputs(LAYERS[name].outputs) for name in LAYERS}
    deployment = Deployment(layer, preview)
    monitor = _Monitor(deployment, {**samples, **(upstream or {})}, preview, previous)

    def run() -> None:
        set_all_config(settled)
        runtime.configure(
            runtime.Settings(
                project=layer,
                stack=stack,
                monitor=monitor,
                engine=_Engine(deployment),
                dry_run=preview,
                organization=ORGANIZATION,
                root_directory=str(ROOT / layer),
            )
        )
        asyncio.run(_run_main(ROOT / layer))

    environment = {UNDEPLOYED_VARIABLE: ",".join(undeployed)}
    with (
        contextlib.chdir(ROOT / layer),
        mock.patch.dict(os.environ, environment),
        # Where in the source a resource was declared: a fifth of the time, and nobody asks.
        mock.patch("pulumi.runtime.resource._get_stack_trace", source_pb2.StackTrace),
        # A dozen lines a resource, which no test reads.
        mock.patch("pulumi.log.debug", lambda *_, **__: None),
    ):
        _in_fresh_context(run)
    # In which order threads registered them depends on the Python; no test may.
    deployment.resources.sort(key=lambda resource: resource.urn)
    return deployment


@cache
def program(layer: str, stack: str = "lab") -> Deployment:
    """The layer's program with default configuration; treat the answer as read-only.

    Run once, by whichever test process needs it first; its lines count for nobody's coverage.
    """
    folder = os.environ.get(SHARED)
    if folder is None:
        return run_program(layer, stack=stack)
    kept = Path(folder, f"program-{layer}-{stack}")
    with fasteners.InterProcessLock(kept.with_suffix(".lock")):
        if not kept.exists():
            kept.write_bytes(pickle.dumps(_unmeasured(layer, stack)))
        return pickle.loads(kept.read_bytes())  # noqa: S301 - of this run itself


def _unmeasured(layer: str, stack: str) -> Deployment:
    """Which test is the first is chance: were the run measured, so would be what is covered."""
    trace = threading.gettrace()
    threading.settrace(None)  # type: ignore[arg-type]
    try:
        return run_program(layer, stack=stack)
    finally:
        threading.settrace(trace)  # type: ignore[arg-type]


def sample_outputs(contract: type[Any]) -> dict[str, Any]:
    """Stack outputs that satisfy a contract, with values of the form that AWS gives."""
    outputs: dict[str, Any] = {"contract_version": contract.VERSION}
    for path in field_paths(contract):
        where: dict[str, Any] = outputs
        for part in path[:-1]:
            where = where.setdefault(part, {})
        where[path[-1]] = _sample(contract, path)
    check(contract, "a test", outputs)
    return outputs


def _sample(contract: type[Any], path: tuple[str, ...]) -> Any:
    region = "us-west-2" if path[0] == "secondary" else "us-east-1"
    leaf = path[-1]
    kind = _annotation(contract, path)
    if kind == Number:
        return 5432
    if leaf == "availability_zones":
        return [f"{region}{letter}" for letter in "abc"]
    if leaf == "name_servers":
        return [f"ns-{number}.awsdns-{number}.net" for number in range(4)]
    if kind == Texts:
        return [f"{leaf.removesuffix('s')}-{letter}-{region}" for letter in "abc"]
    return _TEXT_SAMPLES.get(leaf, lambda region: f"{leaf.replace('_', '-')}-{region}")(region)


_TEXT_SAMPLES: dict[str, Callable[[str], str]] = {
    "vpc_cidr": lambda region: "10.1.0.0/16" if region == "us-west-2" else "10.0.0.0/16",
    "peering_connection_id": lambda _: "pcx-0a1b2c3d4e5f60718",
    "cluster_identifier": lambda region: f"aurora-cluster-{region}-{SUFFIX}",
    "cluster_endpoint": lambda region: (
        f"aurora-cluster-{region}.cluster-x.{region}.rds.amazonaws.com"
    ),
    "reader_endpoint": lambda region: (
        f"aurora-cluster-{region}.cluster-ro-x.{region}.rds.amazonaws.com"
    ),
    "bucket_name": lambda region: f"bucket-content-{region}-{SUFFIX}",
    "bucket_arn": lambda region: f"arn:aws:s3:::bucket-content-{region}-{SUFFIX}",
    "access_log_bucket_name": lambda region: f"bucket-access-logs-{region}-{SUFFIX}",
    "application_secret_arn": lambda region: (
        f"arn:aws:secretsmanager:{region}:{ACCOUNT}:secret:secret-application-us-east-1-{SUFFIX}-AbCdEf"
    ),
    "readiness_token_secret_arn": lambda region: (
        f"arn:aws:secretsmanager:{region}:{ACCOUNT}:secret:"
        f"secret-readiness-token-us-east-1-{SUFFIX}-AbCdEf"
    ),
    "probe_function_name": lambda region: f"function-probe-{region}-{SUFFIX}",
    "probe_function_arn": lambda region: (
        f"arn:aws:lambda:{region}:{ACCOUNT}:function:function-probe-{region}-{SUFFIX}:live"
    ),
    "master_secret_arn": lambda region: (
        f"arn:aws:secretsmanager:{region}:{ACCOUNT}:secret:secret-master-us-east-1-{SUFFIX}-AbCdEf"
    ),
    "key_arn": lambda region: (
        f"arn:aws:kms:{region}:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555"
    ),
    "database_name": lambda _: "app",
    "global_cluster_id": lambda region: f"aurora-global-{region}-{SUFFIX}",
    "global_writer_endpoint": lambda region: (
        f"aurora-global-{region}-{SUFFIX}.global-x.global.rds.amazonaws.com"
    ),
    "load_balancer_dns_name": lambda region: f"alb-app-{region}-1.{region}.elb.amazonaws.com",
    "load_balancer_zone_id": lambda region: (
        "Z1H1FL5HABSF5" if region == "us-west-2" else "Z35SXDOTRQ7X7K"
    ),
    "load_balancer_arn_suffix": lambda region: f"app/alb-app-{region}-{SUFFIX}/50dc6c495c0c9188",
    "target_group_arn_suffix": lambda region: f"targetgroup/tg-app-{region}-{SUFFIX}/73e2d6bc24d8",
    "function_name": lambda region: f"function-api-{region}-{SUFFIX}",
    "function_arn": lambda region: (
        f"arn:aws:lambda:{region}:{ACCOUNT}:function:function-api-{region}-{SUFFIX}:live"
    ),
    "log_group_name": lambda region: f"/aws/lambda/function-api-{region}-{SUFFIX}",
    "zone_id": lambda _: "Z0123456789ABCDEFGHIJ",
    "domain": lambda _: f"{PROJECT}-{SUFFIX}.net",
    "fqdn": lambda _: f"app.{PROJECT}-{SUFFIX}.net",
    "topic_arn": lambda region: f"arn:aws:sns:{region}:{ACCOUNT}:topic-alarms-{region}-{SUFFIX}",
    "bus_arn": lambda region: (
        f"arn:aws:events:{region}:{ACCOUNT}:event-bus/bus-app-{region}-{SUFFIX}"
    ),
}


def _annotation(contract: type[Any], path: tuple[str, ...]) -> Any:
    kind: Any = contract
    for part in path:
        kind = kind.__dataclass_fields__[part].type
    return kind


def _as_config(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


class _AtOnce(ThreadPoolExecutor):
    """Answers calls where they are made: this monitor answers at once, and threads cost more."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        answer: Future[Any] = Future()
        try:
            answer.set_result(fn(*args, **kwargs))
        except BaseException as error:  # the caller's, as a thread's would be
            answer.set_exception(error)
        return answer


async def _run_main(directory: Path) -> None:
    asyncio.get_running_loop().set_default_executor(_AtOnce(1))

    async def main() -> None:
        runpy.run_path(str(directory), run_name="__main__")
        await settled()

    await run_in_stack(main)


def _in_fresh_context(run: Callable[[], None]) -> None:
    """Pulumi keeps its state in context variables: a context of its own isolates each run."""
    raised: list[BaseException] = []

    def guarded() -> None:
        try:
            contextvars.Context().run(run)
        except BaseException as error:  # handed to the caller's thread
            raised.append(error)

    thread = threading.Thread(target=guarded, daemon=True)
    thread.start()
    thread.join(PROGRAM_SECONDS)
    assert not thread.is_alive(), f"the program didn't end within {PROGRAM_SECONDS} s"
    if raised:
        raise raised[0]


class _Mocks(mocks.Mocks):
    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        raise NotImplementedError("the recording monitor answers by itself")

    def call(self, args: mocks.MockCallArgs) -> Any:
        raise NotImplementedError("the recording monitor answers by itself")


class _Engine(mocks.MockEngine):
    def __init__(self, deployment: Deployment) -> None:
        super().__init__(None)
        self.deployment = deployment
        self.root = ""

    def Log(self, request: Any) -> Any:  # noqa: N802 (gRPC's name)
        self.deployment.logs.append((request.severity, request.message))
        return empty_pb2.Empty()


class _Monitor(mocks.MockMonitor):
    """Keeps every request whole; answers with the inputs and plausible computed outputs."""

    def __init__(
        self,
        deployment: Deployment,
        stacks: Mapping[str, Mapping[str, Any]],
        preview: bool,
        previous: Deployment | None,
    ) -> None:
        super().__init__(_Mocks())
        self.deployment = deployment
        self.stacks = stacks
        self.preview = preview
        self.previous = {entry.urn: entry for entry in previous.resources} if previous else {}
        self.lock = threading.Lock()

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802
        urn = self.make_urn(request.parent, request.type, request.name)
        answer = resource_pb2.RegisterResourceResponse(urn=urn)
        if request.type == "pulumi:pulumi:Stack":
            return answer
        raw = json_format.MessageToDict(request.object)
        secret: set[str] = set()
        inputs = {key: _plain(value, key, secret) for key, value in raw.items()}
        outputs: dict[str, Any] = {}
        if request.custom:
            region = self._region(request, inputs)
            id_, computed = computed_outputs(request.type, request.name, inputs, region)
            if not is_provider(request.type) and "tagsAll" in computed:
                computed["tagsAll"] = {**self._default_tags(request), **inputs.get("tags", {})}
            if self.preview:
                computed = dict.fromkeys(computed, UNKNOWN_VALUE)
            else:
                answer.id = id_
            outputs = {**raw, **{key: value for key, value in computed.items() if key not in raw}}
            for name in request.additionalSecretOutputs:
                if outputs.get(name) is not None:
                    outputs[name] = _wrapped(outputs[name])
            if urn in self.previous:
                kept = self.previous[urn].outputs
                outputs |= {key: kept[key] for key in request.ignoreChanges if key in kept}
            json_format.ParseDict(outputs, answer.object)
        registered = Registered(
            urn=urn,
            type=request.type,
            name=request.name,
            custom=request.custom,
            inputs=inputs,
            secret_inputs=frozenset(secret),
            outputs=outputs,
            id=answer.id,
            provider=request.provider,
            parent=request.parent,
            dependencies=tuple(sorted(request.dependencies)),
            property_dependencies={
                name: tuple(sorted(entry.urns))
                for name, entry in request.propertyDependencies.items()
                if entry.urns
            },
            ignore_changes=tuple(request.ignoreChanges),
            custom_timeouts={
                name: value
                for name in ("create", "update", "delete")
                if (value := getattr(request.customTimeouts, name))
            },
            delete_before_replace=request.deleteBeforeReplace,
            protect=request.protect,
            retain_on_delete=request.retainOnDelete,
            replace_on_changes=tuple(request.replaceOnChanges),
            additional_secret_outputs=tuple(request.additionalSecretOutputs),
            former_types=tuple(alias.spec.type for alias in request.aliases),
        )
        with self.lock:
            assert urn not in {entry.urn for entry in self.deployment.resources}, (
                f"{urn} is registered twice"
            )
            self.deployment.resources.append(registered)
        return answer

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802
        raw = json_format.MessageToDict(request.outputs)
        secret: set[str] = set()
        outputs = {key: _plain(value, key, secret) for key, value in raw.items()}
        if "::pulumi:pulumi:Stack::" in request.urn:
            self.deployment.exports = outputs
            self.deployment.secret_exports = frozenset(secret)
        else:
            with self.lock:
                self.deployment.component_outputs[request.urn] = outputs
        return empty_pb2.Empty()

    def ReadResource(self, request: Any) -> Any:  # noqa: N802
        assert request.type == "pulumi:pulumi:StackReference", f"{request.type} is read"
        name = json_format.MessageToDict(request.properties)["name"]
        organization, layer, stack = name.split("/")
        assert (organization, stack) == (ORGANIZATION, pulumi.get_stack())
        with self.lock:
            self.deployment.stack_references.append(layer)
        answer = resource_pb2.ReadResourceResponse(
            urn=self.make_urn(request.parent, request.type, request.name)
        )
        content = {"name": name, "outputs": dict(self.stacks[layer]), "secretOutputNames": []}
        json_format.ParseDict(content, answer.properties)
        return answer

    def Invoke(self, request: Any) -> Any:  # noqa: N802
        arguments = _plain(json_format.MessageToDict(request.args), "", set())
        with self.lock:
            self.deployment.invokes.append(Invoked(request.tok, arguments, request.provider))
        answer = resource_pb2.ResourceInvokeResponse()
        json_format.ParseDict(
            invoke_result(request.tok, arguments, self._region(request, {})),
            getattr(answer, "return"),
        )
        return answer

    def _provider(self, request: Any) -> Registered | None:
        urn = request.provider.rpartition("::")[0]
        with self.lock:
            return next((entry for entry in self.deployment.resources if entry.urn == urn), None)

    def _region(self, request: Any, inputs: Mapping[str, Any]) -> str:
        provider = self._provider(request)
        return provider.inputs["region"] if provider else inputs.get("region", "no-region")

    def _default_tags(self, request: Any) -> dict[str, str]:
        provider = self._provider(request)
        return json.loads(provider.inputs["defaultTags"])["tags"] if provider else {}


def _plain(value: Any, where: str, secret: set[str]) -> Any:
    """A value without secret wrappers and with whole numbers as ints; notes where secrets were."""
    if isinstance(value, dict):
        if value.get(SIGNATURE_KEY) == SECRET_SIGNATURE:
            secret.add(where)
            return _plain(value.get("value"), where, secret)
        return {key: _plain(item, f"{where}.{key}", secret) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item, f"{where}[{index}]", secret) for index, item in enumerate(value)]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _wrapped(value: Any) -> Any:
    if isinstance(value, dict) and value.get(SIGNATURE_KEY) == SECRET_SIGNATURE:
        return value
    return {SIGNATURE_KEY: SECRET_SIGNATURE, "value": value}


def every_text(value: Any) -> Iterator[str]:
    """Every string inside nested dictionaries and lists."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from every_text(item)
    elif isinstance(value, list):
        for item in value:
            yield from every_text(item)
