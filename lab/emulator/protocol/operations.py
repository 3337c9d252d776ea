"""Which operation of which service a request asks for."""

# botocore's models carry no types: its cached properties look like descriptors to the checker.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportCallIssue=false
# pyright: reportIndexIssue=false, reportOptionalMemberAccess=false, reportGeneralTypeIssues=false

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from urllib.parse import parse_qsl, unquote

from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel

from lab.call import Call

SIGNING_NAMES = {
    "elasticloadbalancing": "elbv2",
    "monitoring": "cloudwatch",
    "tagging": "resourcegroupstaggingapi",
    "states": "stepfunctions",
}
"""The signature's service name → botocore's, where the two differ."""


@cache
def service_model(service: str) -> ServiceModel:
    """botocore's model of a service; raises UnknownServiceError for none."""
    return ServiceModel(Loader().load_service_model(service, "service-2"), service)


@dataclass(frozen=True)
class Operation:
    """An operation in the dialect a request came in."""

    model: OperationModel
    dialect: str
    """json, query, ec2, rest-json or rest-xml"""
    matched: tuple[tuple[str, str], ...] = ()
    """URI parameters of a REST request"""

    @property
    def name(self) -> str:
        """AWS's name: ``CreateDBCluster``."""
        return str(self.model.name)


def read_operation(service: str, call: Call) -> Operation | None:
    """Which operation a request asks for; None when it can't be recognised."""
    if target := call.headers.get("x-amz-target"):
        return _named(service, target.rpartition(".")[2], "json")
    if "smithy-protocol" in call.headers:
        return None
    protocol = service_model(service).resolved_protocol
    if protocol in ("rest-json", "rest-xml"):
        return _rest_operation(service, protocol, call)
    action = dict(call.query).get("Action") or form(call.body).get("Action", "")
    return _named(service, action, "ec2" if protocol == "ec2" else "query")


def _named(service: str, name: str, dialect: str) -> Operation | None:
    model = service_model(service)
    return Operation(model.operation_model(name), dialect) if name in _names(service) else None


@cache
def _names(service: str) -> frozenset[str]:
    return frozenset(service_model(service).operation_names)


def form(body: bytes) -> dict[str, str]:
    """A form-encoded body's fields; of repeats the last one."""
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))


@dataclass(frozen=True)
class _Route:
    name: str
    method: str
    pattern: re.Pattern[str]
    parameters: tuple[str, ...]
    fixed_query: tuple[tuple[str, str], ...]
    required: tuple[tuple[str, str], ...]
    """(location, name) of required query parameters and headers"""
    weight: tuple[int, int]


@cache
def _routes(service: str) -> tuple[_Route, ...]:
    routes = []
    for name in service_model(service).operation_names:
        model = service_model(service).operation_model(name)
        if model.deprecated:  # S3 has older operations at the same address
            continue
        path, _, query = model.http["requestUri"].partition("?")
        parameters = tuple(re.findall(r"{([^}+]+)\+?}", path))
        pattern = re.sub(
            r"{[^}]+}",
            lambda found: "(.+)" if found[0].endswith("+}") else "([^/]+)",
            re.sub(r"([.$^*?\[\]()|\\])", r"\\\1", path),
        )
        members = model.input_shape.members.items() if model.input_shape else ()
        required = tuple(
            (member.serialization["location"], member.serialization["name"].lower())
            for member_name, member in members
            if member_name in model.input_shape.required_members
            and member.serialization.get("location") in ("querystring", "header")
        )
        fixed = tuple(
            (key, value) for key, value in parse_qsl(query, keep_blank_values=True) if key != "x-id"
        )
        routes.append(
            _Route(
                name,
                model.http["method"],
                re.compile(f"{pattern}/?"),
                parameters,
                fixed,
                required,
                (len(fixed) * 10 + len(required), len(re.sub(r"{[^}]+}", "", path))),
            )
        )
    return tuple(sorted(routes, key=lambda route: route.weight, reverse=True))


def _rest_operation(service: str, protocol: str, call: Call) -> Operation | None:
    query = dict(call.query)
    lower_query = {key.lower() for key in query}
    for route in _routes(service):
        if route.method != call.method:
            continue
        if any(query.get(key) != value for key, value in route.fixed_query):
            continue
        if any(
            name not in (lower_query if location == "querystring" else call.headers)
            for location, name in route.required
        ):
            continue
        if found := route.pattern.fullmatch(call.raw_path.partition("?")[0]):
            values = (unquote(value) for value in found.groups())
            return Operation(
                service_model(service).operation_model(route.name),
                protocol,
                tuple(zip(route.parameters, values, strict=True)),
            )
    return None
