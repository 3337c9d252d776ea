"""What each layer exports to the others: the contracts between the four stacks.

A contract is a frozen dataclass. A producer fills it and calls :func:`export`; a consumer calls
:func:`read`, which goes through a StackReference and checks every field's presence and type, so
that a consumer can't read what a producer doesn't export (N4). Secrets never cross: only their
ARNs do.

The order of the layers follows from what each one reads (:data:`LAYERS`).
"""

import dataclasses
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

import pulumi
from pulumi.output import UNKNOWN

from tapstack.errors import ContractError
from tapstack.naming import called
from tapstack.pair import Pair

Text = pulumi.Input[str]
Texts = pulumi.Input[list[str]]
Number = pulumi.Input[int]

UNDEPLOYED_VARIABLE = "WARM_STANDBY_UNDEPLOYED"
"""Names upstream layers that were never deployed (comma-separated); honoured in a dry run only."""


R = TypeVar("R")


class BothRegions(Generic[R]):
    """A contract's ``primary`` and ``secondary``, also as a pair."""

    primary: R
    secondary: R

    @property
    def both(self) -> Pair[R]:
        """What the contract holds of each region."""
        return Pair(self.primary, self.secondary)


@dataclass(frozen=True)
class RegionalNetwork:
    """One region's network."""

    vpc_id: Text
    vpc_cidr: Text
    availability_zones: Texts
    public_subnet_ids: Texts
    private_subnet_ids: Texts
    database_subnet_ids: Texts
    public_route_table_ids: Texts
    private_route_table_ids: Texts
    load_balancer_security_group_id: Text
    function_security_group_id: Text
    database_security_group_id: Text
    egress_addresses: Texts
    """Public addresses of the NAT gateways: what third parties see; empty without any."""


@dataclass(frozen=True)
class NetworkOutputs(BothRegions[RegionalNetwork]):
    """What the network layer exports."""

    LAYER: ClassVar[str] = "network"
    VERSION: ClassVar[int] = 1

    primary: RegionalNetwork
    secondary: RegionalNetwork
    peering_connection_id: Text


@dataclass(frozen=True)
class RegionalData:
    """One region's cluster, bucket, secrets (their ARNs) and key."""

    cluster_identifier: Text
    cluster_endpoint: Text
    reader_endpoint: Text
    bucket_name: Text
    bucket_arn: Text
    access_log_bucket_name: Text
    application_secret_arn: Text
    readiness_token_secret_arn: Text
    key_arn: Text


@dataclass(frozen=True)
class DataOutputs(BothRegions[RegionalData]):
    """What the data layer exports."""

    LAYER: ClassVar[str] = "data"
    VERSION: ClassVar[int] = 1

    primary: RegionalData
    secondary: RegionalData
    global_cluster_id: Text
    global_writer_endpoint: Text
    database_port: Number
    database_name: Text
    master_secret_arn: Text
    """In us-east-1; only the migration function may read it."""


@dataclass(frozen=True)
class RegionalApp:
    """One region's load balancer, function, and probe of the database.

    The ARNs are those of the functions' aliases, by which they are called (trap 65).
    """

    load_balancer_dns_name: Text
    load_balancer_zone_id: Text
    load_balancer_arn_suffix: Text
    target_group_arn_suffix: Text
    function_name: Text
    function_arn: Text
    log_group_name: Text
    probe_function_name: Text
    probe_function_arn: Text

    @property
    def called_probe(self) -> pulumi.Output[str]:
        """The probe's name with its alias, by which it is called."""
        return pulumi.Output.from_input(self.probe_function_name).apply(called)


@dataclass(frozen=True)
class AppOutputs(BothRegions[RegionalApp]):
    """What the application layer exports."""

    LAYER: ClassVar[str] = "app"
    VERSION: ClassVar[int] = 1

    primary: RegionalApp
    secondary: RegionalApp


@dataclass(frozen=True)
class RegionalGlobal:
    """One region's bus, topic, and the health check of its load balancer."""

    bus_name: Text
    bus_arn: Text
    topic_arn: Text
    health_check_id: Text


@dataclass(frozen=True)
class GlobalOutputs(BothRegions[RegionalGlobal]):
    """What the global layer exports."""

    LAYER: ClassVar[str] = "global"
    VERSION: ClassVar[int] = 1

    primary: RegionalGlobal
    secondary: RegionalGlobal
    zone_id: Text
    name_servers: Texts
    domain: Text
    fqdn: Text
    dashboard_url: Text


@dataclass(frozen=True)
class Layer:
    """One Pulumi project: what it reads, and what it exports."""

    name: str
    reads: tuple[str, ...]
    outputs: type[Any]


LAYERS = {
    layer.name: layer
    for layer in (
        Layer("network", (), NetworkOutputs),
        Layer("data", ("network",), DataOutputs),
        Layer("app", ("network", "data"), AppOutputs),
        Layer("global", ("data", "app"), GlobalOutputs),
    )
}

_KINDS: list[tuple[Any, type, str]] = [
    (Text, str, "a string"),
    (Texts, list, "a list"),
    (Number, int, "a number"),
]

T = TypeVar("T")


def export(outputs: Any) -> None:
    """Exports a contract's fields as stack outputs, and its version beside them.

    Shape: ``{"primary": {field: value}, "secondary": {…}, field: value, "contract_version": n}``.
    Raises :class:`ContractError` (when the value is known) for a field that is secret.
    """
    for name, value in _guarded(type(outputs).LAYER, outputs).items():
        pulumi.export(name, value)
    pulumi.export("contract_version", type(outputs).VERSION)


def read(contract: type[T], *, consumer: str) -> T:
    """Reads an upstream's contract; every field of the answer is an Output.

    In a dry run whose upstream was never deployed (:data:`UNDEPLOYED_VARIABLE`) every field is
    unknown, and no StackReference is made (N5). Raises nothing by itself: a missing or wrongly
    typed field fails the program when the upstream's outputs arrive.
    """
    producer = contract.LAYER  # type: ignore[attr-defined]
    if pulumi.runtime.is_dry_run() and producer in undeployed():
        return _build(contract, lambda _path, _kind: _unknown())
    stack = f"{pulumi.get_organization()}/{producer}/{pulumi.get_stack()}"
    reference = pulumi.StackReference(stack, stack_name=stack)

    def field(path: tuple[str, ...], kind: Any) -> pulumi.Output[Any]:
        return reference.outputs.apply(
            lambda outputs: checked_field(contract, consumer, outputs, path, kind)
        )

    return _build(contract, field)


def undeployed() -> frozenset[str]:
    """The upstream layers that the driver says were never deployed."""
    return frozenset(filter(None, os.environ.get(UNDEPLOYED_VARIABLE, "").split(",")))


def field_paths(contract: type[Any]) -> list[tuple[str, ...]]:
    """Every leaf of a contract, such as ``("primary", "vpc_id")``."""
    paths: list[tuple[str, ...]] = []
    _build(contract, lambda path, _kind: paths.append(path))
    return paths


def check(contract: type[Any], consumer: str, outputs: Mapping[str, Any]) -> None:
    """Checks a whole set of stack outputs against a contract; raises :class:`ContractError`."""
    _build(contract, lambda path, kind: checked_field(contract, consumer, outputs, path, kind))


def checked_field(
    contract: type[Any],
    consumer: str,
    outputs: Mapping[str, Any],
    path: tuple[str, ...],
    kind: Any,
) -> Any:
    """One field of a producer's outputs, present and of its type, or a :class:`ContractError`."""
    producer = contract.LAYER
    repair = f"run: ./inv up --layer {producer} --stack {pulumi.get_stack()}"
    version = outputs.get("contract_version")
    if version is None or int(version) != contract.VERSION:
        found = "no contract version" if version is None else f"contract version {int(version)}"
        raise ContractError(
            f"{producer} exports {found}, {consumer} reads version {contract.VERSION}; {repair}"
        )
    value: Any = outputs
    for part in path:
        value = value.get(part) if isinstance(value, Mapping) else None
    _, python, meaning = next(entry for entry in _KINDS if entry[0] == kind)
    if python is int and isinstance(value, float) and value.is_integer():
        value = int(value)
    name = ".".join(path)
    if value is None:
        raise ContractError(f"{producer} doesn't export {name}, which {consumer} reads; {repair}")
    if not isinstance(value, python) or isinstance(value, bool):
        raise ContractError(
            f"{producer} exports {name} as {type(value).__name__}, {consumer} reads {meaning}; "
            f"{repair}"
        )
    return value


def _build(
    contract: type[T], leaf: Callable[[tuple[str, ...], Any], Any], path: tuple[str, ...] = ()
) -> T:
    arguments: dict[str, Any] = {}
    for field in dataclasses.fields(contract):  # type: ignore[arg-type]
        here = (*path, field.name)
        if isinstance(field.type, type) and dataclasses.is_dataclass(field.type):
            arguments[field.name] = _build(field.type, leaf, here)
        else:
            arguments[field.name] = leaf(here, field.type)
    return contract(**arguments)


def _unknown() -> pulumi.Output[Any]:
    return pulumi.Output.from_input(UNKNOWN)


def _guarded(layer: str, outputs: Any, path: tuple[str, ...] = ()) -> dict[str, Any]:
    """A contract as nested dictionaries, its Outputs failing when they turn out to be secret."""
    guarded: dict[str, Any] = {}
    for field in dataclasses.fields(outputs):
        value = getattr(outputs, field.name)
        here = (*path, field.name)
        if dataclasses.is_dataclass(value):
            value = _guarded(layer, value, here)
        elif isinstance(value, pulumi.Output):
            value = _not_secret(layer, ".".join(here), value)
        guarded[field.name] = value
    return guarded


def _not_secret(layer: str, name: str, value: pulumi.Output[Any]) -> pulumi.Output[Any]:
    async def checked() -> Any:
        if await value.is_secret():
            raise ContractError(f"{layer} would export {name}, which is secret; export its ARN")
        return await value.future(with_unknowns=True)

    return pulumi.Output(value.resources(), checked(), value.is_known(), value.is_secret())
