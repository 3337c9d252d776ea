"""Every resource type lives through the provider: made, read, found, changed, deleted twice."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from provider_cases import CASES
from provider_cases.case import Case, World
from provider_client import ProviderClient, Resource

from lab.provider.invokes import FUNCTIONS
from lab.provider.registry import all_types
from lab.provider.resource import ResourceType
from pulumi_protocol.structs import from_struct

DEFAULT_TAGS = {"Environment": "lab", "EnvironmentSuffix": "one"}
REGIONS = ("us-east-1", "us-west-2")
Clients = dict[str, ProviderClient]


@dataclass
class Life:
    """What was seen of one resource."""

    problems: list[str] = field(default_factory=list)
    made: bool = False

    def expect(self, what: str, act: Callable[[], Any]) -> None:
        """Notes what ``act`` answers, when that is a complaint."""
        try:
            complaint = act()
        except Exception as error:
            complaint = f"{type(error).__name__}: {error}"
        if complaint:
            self.problems.append(f"{what}: {complaint}")


@pytest.fixture(scope="module")
def clients(lab_endpoint: str) -> Clients:
    return {region: ProviderClient(lab_endpoint, region, DEFAULT_TAGS) for region in REGIONS}


@pytest.fixture
def world(clients: Clients) -> Iterator[World]:
    """What a case needs, made for it alone."""
    made = World(clients, CASES)
    yield made
    made.end()


def _life(world: World, case: Case) -> Life:
    """Everything that a resource goes through."""
    life, client = Life(), world.client(case)
    inputs = world.inputs(case)
    if not case.born and not case.stays:
        life.expect("look up before", lambda: _absent(client, case, inputs))
    try:
        resource = client.create(case.token, case.key, inputs)
    except Exception as error:
        life.problems.append(f"create: {error}")
        return life
    life.made = True
    life.expect("read", lambda: _drift(client, resource))
    life.expect("unchanged", lambda: _difference(client, resource, inputs))
    if case.found:
        life.expect("look up", lambda: _found(client, resource))
    if case.got:
        life.expect("get", lambda: _got(client, resource))
    if case.changed is not None:
        changed = case.changed(world)
        life.expect("update", lambda: _update(client, resource, changed))
        life.expect("read after the update", lambda: _drift(client, resource))
    if client.kind(case.token).tagging:
        life.expect("tags", lambda: _retag(client, resource))
    life.expect("completed", lambda: _completed(client, resource))
    life.expect("delete", lambda: client.delete(resource))
    life.expect("second delete", lambda: client.delete(resource))
    if not case.stays:
        life.expect("gone", lambda: client.read(resource).id)
    return life


def _absent(client: ProviderClient, case: Case, inputs: dict[str, Any]) -> str:
    resource = Resource(case.token, case.key)
    resource.inputs = client.checked(resource, inputs)
    found = client.read(resource, by_name=True).id
    return f"{found!r} is taken for it" if found else ""


def _retag(client: ProviderClient, resource: Resource) -> str:
    """Tags are added and taken away in place."""
    written = {key: value for key, value in resource.inputs.items() if key != "tagsAll"}
    more = {**written, "tags": {**written.get("tags", {}), "Added": "later"}}
    complaints = [_update(client, resource, more), _drift(client, resource)]
    complaints += [_update(client, resource, written), _drift(client, resource)]
    return "; ".join(filter(None, complaints))


def _completed(client: ProviderClient, resource: Resource) -> str:
    """What an unfinished creation left to do can be done again, and leaves it as it was."""
    client.update(
        resource, {key: value for key, value in resource.inputs.items() if key != "tagsAll"}
    )
    return _drift(client, resource)


def _drift(client: ProviderClient, resource: Resource) -> str:
    answer = client.read(resource)
    if answer.id != resource.id:
        return f"the id is {answer.id!r}, not {resource.id!r}"
    seen = from_struct(answer.inputs)
    different = sorted(
        key for key in {*seen, *resource.inputs} if seen.get(key) != resource.inputs.get(key)
    )
    return ", ".join(
        f"{key}: written {resource.inputs.get(key)!r}, seen {seen.get(key)!r}" for key in different
    )


def _difference(client: ProviderClient, resource: Resource, news: dict[str, Any]) -> str:
    answer = client.diff(resource, news)
    return ", ".join(answer.diffs) if answer.changes != 1 else ""


def _found(client: ProviderClient, resource: Resource) -> str:
    answer = client.read(resource, by_name=True)
    return "" if answer.id == resource.id else f"found {answer.id!r}, not {resource.id!r}"


def _got(client: ProviderClient, resource: Resource) -> str:
    """``.get()`` has the id alone."""
    answer = client.read(resource, bare=True)
    return "" if answer.id == resource.id else f"got {answer.id!r}, not {resource.id!r}"


def _update(client: ProviderClient, resource: Resource, changed: dict[str, Any]) -> str:
    answer = client.diff(resource, changed)
    if answer.changes != 2:
        return "no difference seen"
    if answer.replaces:
        return f"replaced because of {list(answer.replaces)}"
    client.update(resource, changed)
    return _difference(client, resource, changed)


@pytest.mark.parametrize("case", CASES.values(), ids=lambda case: case.key)
def test_a_resource_lives_as_it_is_declared(world: World, case: Case) -> None:
    """Not found before it is made; made; read back without drift; unchanged inputs are no
    difference; found by its natural key; changed in place; tagged anew; what an interruption left
    undone completed; deleted twice and gone (N7, R9.3)."""
    life = _life(world, case)
    assert life.made, life.problems
    assert life.problems == []


def test_every_type_has_a_life() -> None:
    """No type is declared without a test."""
    assert set(all_types()) == {case.token for case in CASES.values()}


def test_no_type_or_function_is_without_a_program_that_uses_it() -> None:
    """First light: the plugin holds the types and functions that the programs use, and no other."""
    root = Path(__file__).parents[4]
    layers = ("network", "data", "app", "global", "tapstack")
    programs = "".join(file.read_text() for layer in layers for file in (root / layer).glob("*.py"))
    called = set(re.findall(r"\b(\w+)\(", programs))
    assert [token for token in all_types() if token.rpartition(":")[2] not in called] == []
    functions = {token: token.rpartition(":")[2] for token in FUNCTIONS}
    asked = set(re.findall(r"\baws\.(?:\w+\.)?(get_\w+)_output\(", programs))
    in_snake_case = {re.sub(r"([A-Z])", r"_\1", name).lower() for name in functions.values()}
    assert in_snake_case == asked


@cache
def _pulumi_inputs(token: str) -> frozenset[str]:
    """The inputs of a type in pulumi-aws itself, in camelCase."""
    namespace, _, rest = token.partition(":")[2].partition("/")
    name = rest.partition(":")[2]
    module = importlib.import_module(f"pulumi_aws.{namespace}".replace("lambda", "lambda_"))
    resource = getattr(module, name)
    signature = inspect.signature(resource._internal_init)
    return frozenset(
        re.sub(r"_([a-z0-9])", lambda match: match[1].upper(), key)
        for key in signature.parameters
        if key not in ("__self__", "self", "resource_name", "opts", "__props__")
    )


@pytest.mark.parametrize("kind", all_types().values(), ids=lambda kind: kind.pulumi_type)
def test_inputs_are_named_as_in_pulumi_aws(kind: ResourceType) -> None:
    """Each declared input exists in pulumi-aws 7.51.1 under exactly that name."""
    real = _pulumi_inputs(kind.pulumi_type)
    assert kind.known - {"tagsAll"} - real == frozenset()


@pytest.mark.parametrize("kind", all_types().values(), ids=lambda kind: kind.pulumi_type)
def test_an_unknown_input_is_refused_by_name(clients: Clients, kind: ResourceType) -> None:
    """An input that maps to nothing fails in Check, and the failure names it."""
    resource = Resource(kind.pulumi_type, "x")
    _, failures = clients["us-east-1"].check(resource, {"noSuchInput": "x"})
    assert [key for key, _ in failures] == ["noSuchInput"]
    assert kind.pulumi_type in failures[0][1]
