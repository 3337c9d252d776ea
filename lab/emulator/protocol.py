"""AWS's wire protocols from the server's side, driven by botocore's own service models.

Reads a request into the operation's parameters as boto3 names them, and writes a result (or an
error) as the service would. Requests in other dialects (Smithy RPC v2 CBOR) are not read: they
pass to the emulator as they are.
"""

# botocore's models carry no types: its cached properties look like descriptors to the checker.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportCallIssue=false
# pyright: reportIndexIssue=false, reportOptionalMemberAccess=false, reportGeneralTypeIssues=false

from __future__ import annotations

import base64
import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, unquote
from xml.etree import ElementTree as Xml
from xml.sax.saxutils import escape

import botocore.parsers
from botocore.loaders import Loader
from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StructureShape
from botocore.utils import parse_timestamp
from defusedxml.ElementTree import fromstring

from lab.call import Answer, Call

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
    """Which operation a request asks for; None when it can't be told."""
    if target := call.headers.get("x-amz-target"):
        return _named(service, target.rpartition(".")[2], "json")
    if "smithy-protocol" in call.headers:
        return None
    protocol = service_model(service).resolved_protocol
    if protocol in ("rest-json", "rest-xml"):
        return _rest_operation(service, protocol, call)
    action = dict(call.query).get("Action") or _form(call.body).get("Action", "")
    return _named(service, action, "ec2" if protocol == "ec2" else "query")


def _named(service: str, name: str, dialect: str) -> Operation | None:
    model = service_model(service)
    return Operation(model.operation_model(name), dialect) if name in _names(service) else None


@cache
def _names(service: str) -> frozenset[str]:
    return frozenset(service_model(service).operation_names)


def _form(body: bytes) -> dict[str, str]:
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))


# --- Requests -------------------------------------------------------------------------------


def read_parameters(operation: Operation, call: Call) -> dict[str, Any]:
    """The operation's parameters, as ``client.operation(**parameters)`` takes them."""
    shape = operation.model.input_shape
    if shape is None:
        return {}
    match operation.dialect:
        case "json":
            return _from_json(shape, json.loads(call.body or b"{}"))
        case "query" | "ec2":
            form = _form(call.body) | dict(call.query)
            return _from_form(shape, _tree(form), operation.dialect == "ec2") or {}
        case _:
            return _read_rest(operation, shape, call)


def _from_json(shape: Shape, value: Any) -> Any:
    if value is None:
        return None
    if isinstance(shape, StructureShape):
        found = {}
        for name, member in shape.members.items():
            key = member.serialization.get("name", name)
            if key in value and value[key] is not None:
                found[name] = _from_json(member, value[key])
        return found
    if isinstance(shape, ListShape):
        return [_from_json(shape.member, item) for item in value]
    if isinstance(shape, MapShape):
        return {key: _from_json(shape.value, item) for key, item in value.items()}
    if shape.type_name == "blob":
        return base64.b64decode(value)
    if shape.type_name == "timestamp":
        return parse_timestamp(value)
    return value


def _tree(form: Mapping[str, str]) -> dict[str, Any]:
    """``{"Tags.member.1.Key": "a"}`` as nested dictionaries."""
    root: dict[str, Any] = {}
    for name, value in form.items():
        at = root
        *path, last = name.split(".")
        for part in path:
            step = at.setdefault(part, {})
            if not isinstance(step, dict):
                step = at[part] = {}
            at = step
        at.setdefault(last, value)
    return root


def _from_form(shape: Shape, value: Any, ec2: bool) -> Any:
    if isinstance(shape, StructureShape):
        if not isinstance(value, dict):
            return {}
        found = {}
        for name, member in shape.members.items():
            given = value.get(_form_name(name, member, ec2))
            if given is not None:
                found[name] = _from_form(member, given, ec2)
        return found
    if isinstance(shape, ListShape):
        if not isinstance(value, dict):
            return []
        item_name = shape.member.serialization.get("name", "member")
        if not ec2 and item_name in value:
            value = value[item_name]
        return [_from_form(shape.member, item, ec2) for item in _in_order(value)]
    if isinstance(shape, MapShape):
        key_name = shape.key.serialization.get("name", "key")
        value_name = shape.value.serialization.get("name", "value")
        return {
            item[key_name]: _from_form(shape.value, item.get(value_name, ""), ec2)
            for item in _in_order(value.get("entry", {}))
        }
    return _from_text(shape, value)


def _form_name(name: str, shape: Shape, ec2: bool) -> str:
    if ec2:
        if query_name := shape.serialization.get("queryName"):
            return query_name
        name = shape.serialization.get("name", name)
        return name[0].upper() + name[1:]
    return shape.serialization.get("name", name)


def _in_order(items: Any) -> list[Any]:
    if not isinstance(items, dict):
        return []
    return [items[key] for key in sorted(items, key=lambda key: (len(key), key)) if key.isdigit()]


def _from_text(shape: Shape, text: Any) -> Any:
    if not isinstance(text, str):
        return text
    match shape.type_name:
        case "boolean":
            return text.lower() == "true"
        case "integer" | "long":
            return int(text)
        case "float" | "double":
            return float(text)
        case "timestamp":
            return parse_timestamp(text)
        case "blob":
            return base64.b64decode(text)
        case _:
            return text


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


def _read_rest(operation: Operation, shape: StructureShape, call: Call) -> dict[str, Any]:
    uri = dict(operation.matched)
    query: dict[str, list[str]] = {}
    for key, value in call.query:
        query.setdefault(key, []).append(value)
    found: dict[str, Any] = {}
    body_members: dict[str, Shape] = {}
    for name, member in shape.members.items():
        key = member.serialization.get("name", name)
        match member.serialization.get("location"):
            case "uri":
                found[name] = _from_text(member, uri[key])
            case "querystring":
                if key in query:
                    values = query[key]
                    found[name] = (
                        [_from_text(member.member, value) for value in values]
                        if isinstance(member, ListShape)
                        else _from_text(member, values[0])
                    )
            case "header":
                if (text := call.headers.get(key.lower())) is not None:
                    found[name] = (
                        [_from_text(member.member, value.strip()) for value in text.split(",")]
                        if isinstance(member, ListShape)
                        else _from_text(member, text)
                    )
            case "headers":
                prefix = key.lower()
                found[name] = {
                    header[len(prefix) :]: value
                    for header, value in call.headers.items()
                    if header.startswith(prefix)
                }
            case _:
                body_members[name] = member
    found |= _read_body(operation, shape, body_members, call.body)
    return found


def _read_body(
    operation: Operation, shape: StructureShape, members: dict[str, Shape], body: bytes
) -> dict[str, Any]:
    payload = shape.serialization.get("payload")
    if payload:
        member = shape.members[payload]
        if member.type_name in ("blob", "string"):
            return {payload: body if member.type_name == "blob" else body.decode()}
        if not body:
            return {}
        # Structures as payload come in XML only: no REST service of the lab sends one as JSON.
        return {payload: _from_xml(member, _plain(fromstring(body)))}
    if not body or not members:
        return {}
    if operation.dialect == "rest-xml":
        root = _plain(fromstring(body))
        return {name: value for name, value in _from_xml(shape, root).items() if name in members}
    values = json.loads(body)
    found = {}
    for name, member in members.items():
        key = member.serialization.get("name", name)
        if isinstance(values, dict) and values.get(key) is not None:
            found[name] = _from_json(member, values[key])
    return found


def _plain(element: Xml.Element) -> Xml.Element:
    """The element without namespaces."""
    for node in element.iter():
        node.tag = node.tag.rpartition("}")[2]
    return element


def _from_xml(shape: Shape, element: Xml.Element) -> Any:
    if isinstance(shape, StructureShape):
        found = {}
        for name, member in shape.members.items():
            key = member.serialization.get("name", name)
            if member.serialization.get("xmlAttribute"):
                attribute = key.partition(":")[2]
                for attribute_name, value in element.attrib.items():
                    if attribute_name.rpartition("}")[2] == attribute:
                        found[name] = value
            elif isinstance(member, ListShape) and member.serialization.get("flattened"):
                key = member.member.serialization.get("name", key)
                if items := element.findall(key):
                    found[name] = [_from_xml(member.member, item) for item in items]
            elif (child := element.find(key)) is not None:
                found[name] = _from_xml(member, child)
        return found
    if isinstance(shape, ListShape):
        return [_from_xml(shape.member, item) for item in element]
    return _from_text(shape, element.text or "")


# --- Answers --------------------------------------------------------------------------------


def read_answer(operation: Operation, answer: Answer) -> dict[str, Any]:
    """A successful answer's result as boto3 gives it, without ResponseMetadata."""
    parsed = _parser(operation.dialect).parse(
        _response(answer), operation.model.output_shape or _EMPTY
    )
    parsed.pop("ResponseMetadata", None)
    return parsed


def read_error(operation: Operation, answer: Answer) -> tuple[str, str]:
    """(code, message) of a refusal."""
    parsed = _parser(operation.dialect).parse(
        _response(answer), operation.model.output_shape or _EMPTY
    )
    error = parsed.get("Error", {})
    return str(error.get("Code", answer.status)), str(error.get("Message", ""))


_EMPTY = StructureShape("Empty", {"type": "structure", "members": {}})


@cache
def _parser(dialect: str) -> Any:
    return botocore.parsers.create_parser(dialect)


def _response(answer: Answer) -> dict[str, Any]:
    from botocore.awsrequest import HeadersDict

    return {
        "status_code": answer.status,
        "headers": HeadersDict({name.lower(): value for name, value in answer.headers}),
        "body": answer.body,
        "context": {},
    }


def write_answer(operation: Operation, result: Mapping[str, Any], status: int = 200) -> Answer:
    """A result as the service sends it."""
    shape = operation.model.output_shape
    request_id = str(uuid.uuid4())
    headers = [("x-amzn-requestid", request_id)]
    match operation.dialect:
        case "json":
            version = operation.model.metadata.get("jsonVersion", "1.1")
            headers.append(("content-type", f"application/x-amz-json-{version}"))
            body = json.dumps(_to_json(shape, result, "unixTimestamp") if shape else {}).encode()
        case "query":
            headers.append(("content-type", "text/xml"))
            body = _query_body(operation, shape, result, request_id)
        case "ec2":
            headers.append(("content-type", "text/xml"))
            inner = _xml_members(shape, result) if shape else "<return>true</return>"
            body = _document(
                f"{operation.name}Response",
                f"<requestId>{request_id}</requestId>{inner}",
                _namespace(operation),
            )
        case _:
            status, body = _write_rest(operation, shape, result, status, headers)
    return Answer(status, headers, body)


def write_error(operation: Operation, code: str, message: str, status: int = 400) -> Answer:
    """A refusal as the service sends it."""
    request_id = str(uuid.uuid4())
    headers = [("x-amzn-requestid", request_id)]
    sender = "Sender" if status < 500 else "Receiver"
    error = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
    if operation.dialect in ("json", "rest-json"):
        headers += [("content-type", "application/json"), ("x-amzn-errortype", code)]
        return Answer(status, headers, json.dumps({"__type": code, "message": message}).encode())
    headers.append(("content-type", "text/xml"))
    if operation.dialect == "ec2":
        body = _document(
            "Response",
            f"<Errors><Error>{error}</Error></Errors><RequestID>{request_id}</RequestID>",
        )
    elif operation.model.service_model.service_name == "s3":
        body = _document("Error", f"{error}<RequestId>{request_id}</RequestId>")
    else:
        body = _document(
            "ErrorResponse",
            f"<Error><Type>{sender}</Type>{error}</Error><RequestId>{request_id}</RequestId>",
            _namespace(operation),
        )
    return Answer(status, headers, body)


def _namespace(operation: Operation) -> str:
    metadata = operation.model.metadata
    return metadata.get("xmlNamespace") or (
        f"http://ec2.amazonaws.com/doc/{metadata['apiVersion']}/"
        if operation.dialect == "ec2"
        else ""
    )


def _document(name: str, inner: str, namespace: str = "") -> bytes:
    attribute = f' xmlns="{namespace}"' if namespace else ""
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{name}{attribute}>{inner}</{name}>'.encode()


def _query_body(
    operation: Operation, shape: Shape | None, result: Mapping[str, Any], request_id: str
) -> bytes:
    inner = _xml_members(shape, result) if shape else ""
    wrapper = shape.serialization.get("resultWrapper") if shape else None
    if wrapper:
        inner = f"<{wrapper}>{inner}</{wrapper}>"
    metadata = f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>"
    return _document(f"{operation.name}Response", inner + metadata, _namespace(operation))


def _write_rest(
    operation: Operation,
    shape: Shape | None,
    result: Mapping[str, Any],
    status: int,
    headers: list[tuple[str, str]],
) -> tuple[int, bytes]:
    status = operation.model.http.get("responseCode", status)
    if not isinstance(shape, StructureShape):
        return status, b""
    body: dict[str, Any] = {}
    for name, member in shape.members.items():
        if result.get(name) is None:
            continue
        key, value = member.serialization.get("name", name), result[name]
        match member.serialization.get("location"):
            case "header":
                headers.append((key, _to_text(member, value, "rfc822")))
            case "headers":
                headers += [(f"{key}{part}", text) for part, text in value.items()]
            case "statusCode":
                status = int(value)
            case _:
                body[name] = value
    xml = operation.dialect == "rest-xml"
    payload = shape.serialization.get("payload")
    if payload and shape.members[payload].type_name in ("blob", "string"):
        content = body.get(payload, b"")
        content = content.read() if hasattr(content, "read") else content
        return status, content.encode() if isinstance(content, str) else content
    if not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(("content-type", "text/xml" if xml else "application/json"))
    if xml:
        if payload:
            member = shape.members[payload]
            root = member.serialization.get("name", payload)
            inner = _xml_members(member, body.get(payload, {}))
        else:
            root = shape.serialization.get("name") or f"{operation.name}Response"
            inner = _xml_members(shape, body)
        return status, _document(root, inner, _namespace(operation))
    return status, json.dumps(_to_json(shape, body, "unixTimestamp")).encode()


def _to_json(shape: Shape, value: Any, timestamps: str) -> Any:
    if isinstance(shape, StructureShape):
        return {
            member.serialization.get("name", name): _to_json(member, value[name], timestamps)
            for name, member in shape.members.items()
            if value.get(name) is not None
        }
    if isinstance(shape, ListShape):
        return [_to_json(shape.member, item, timestamps) for item in value]
    if isinstance(shape, MapShape):
        return {key: _to_json(shape.value, item, timestamps) for key, item in value.items()}
    if shape.type_name == "timestamp":
        style = shape.serialization.get("timestampFormat", timestamps)
        return _timestamp(value, style)
    if shape.type_name == "blob":
        return base64.b64encode(_blob(value)).decode()
    return value


def _xml_members(shape: Shape, value: Mapping[str, Any]) -> str:
    assert isinstance(shape, StructureShape)  # noqa: S101 - callers pass structures
    return "".join(
        _xml_member(member.serialization.get("name", name), member, value[name])
        for name, member in shape.members.items()
        if value.get(name) is not None and not member.serialization.get("xmlAttribute")
    )


def _xml_member(name: str, shape: Shape, value: Any) -> str:
    if isinstance(shape, StructureShape):
        attributes = ""
        for member_name, member in shape.members.items():
            if member.serialization.get("xmlAttribute") and member_name in value:
                attributes = (
                    ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
                    f' xsi:type="{escape(value[member_name])}"'
                )
        return f"<{name}{attributes}>{_xml_members(shape, value)}</{name}>"
    if isinstance(shape, ListShape):
        if shape.serialization.get("flattened"):
            item_name = shape.member.serialization.get("name", name)
            return "".join(_xml_member(item_name, shape.member, item) for item in value)
        item_name = shape.member.serialization.get("name", "member")
        inner = "".join(_xml_member(item_name, shape.member, item) for item in value)
        return f"<{name}>{inner}</{name}>"
    if isinstance(shape, MapShape):
        key_name = shape.key.serialization.get("name", "key")
        value_name = shape.value.serialization.get("name", "value")
        inner = "".join(
            f"<entry>{_xml_member(key_name, shape.key, key)}"
            f"{_xml_member(value_name, shape.value, item)}</entry>"
            for key, item in value.items()
        )
        return f"<{name}>{inner}</{name}>"
    return f"<{name}>{escape(_to_text(shape, value, 'iso8601'))}</{name}>"


def _to_text(shape: Shape, value: Any, timestamps: str) -> str:
    match shape.type_name:
        case "boolean":
            return "true" if value else "false"
        case "timestamp":
            style = shape.serialization.get("timestampFormat", timestamps)
            return str(_timestamp(value, style))
        case "blob":
            return base64.b64encode(_blob(value)).decode()
        case _:
            return str(value)


def _blob(value: Any) -> bytes:
    value = value.read() if hasattr(value, "read") else value
    return value.encode() if isinstance(value, str) else value


def _timestamp(value: Any, style: str) -> str | float:
    if not isinstance(value, datetime):
        value = parse_timestamp(value)
    value = value.astimezone(UTC)
    match style:
        case "unixTimestamp":
            return round(value.timestamp(), 3)
        case "rfc822":
            return value.strftime("%a, %d %b %Y %H:%M:%S GMT")
        case _:
            return value.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
