"""Reads a request into its operation's parameters as boto3 names and nests them, and writes one."""

# botocore's models carry no types: its cached properties look like descriptors to the checker.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportCallIssue=false
# pyright: reportIndexIssue=false, reportOptionalMemberAccess=false, reportGeneralTypeIssues=false

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlencode
from xml.etree import ElementTree as Xml

from botocore.model import ListShape, MapShape, Shape, StructureShape
from botocore.serialize import create_serializer
from botocore.utils import parse_timestamp
from defusedxml.ElementTree import fromstring

from lab.call import Call
from lab.emulator.protocol.operations import Operation, form, service_model


def read_parameters(operation: Operation, call: Call) -> dict[str, Any]:
    """The operation's parameters, as ``client.operation(**parameters)`` takes them."""
    shape = operation.model.input_shape
    if shape is None:
        return {}
    match operation.dialect:
        case "json":
            return _from_json(shape, json.loads(call.body or b"{}"))
        case "query" | "ec2":
            fields = form(call.body) | dict(call.query)
            return _from_form(shape, _tree(fields), operation.dialect == "ec2") or {}
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


def _tree(fields: Mapping[str, str]) -> dict[str, Any]:
    """``{"Tags.member.1.Key": "a"}`` as nested dictionaries."""
    root: dict[str, Any] = {}
    for name, value in fields.items():
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


_WRITTEN = ("json", "query", "ec2", "rest-json", "rest-xml")


def write_call(
    service: str, region: str, operation: str, principal: str, parameters: Mapping[str, Any]
) -> Call:
    """The HTTP request of a call, as ``principal`` would have signed it; the signature is void.
    Raises ParamValidationError for parameters that the operation doesn't take."""
    model = service_model(service)
    spoken = model.metadata.get("protocols", [model.metadata["protocol"]])
    dialect = next(name for name in _WRITTEN if name in spoken)
    written = create_serializer(dialect, include_validation=True).serialize_to_request(
        dict(parameters), model.operation_model(operation)
    )
    body = written["body"]
    body = urlencode(body) if isinstance(body, dict) else body
    raw_path, _, fixed_query = written["url_path"].partition("?")
    query = urlencode(written["query_string"], doseq=True)
    credential = f"{principal}/20260101/{region}/{model.signing_name}/aws4_request"
    headers = {
        "host": f"{service}.{region}.amazonaws.com",
        "authorization": f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, "
        "Signature=0",
    }
    if isinstance(written["body"], dict):
        headers["content-type"] = "application/x-www-form-urlencoded; charset=utf-8"
    headers |= {name.lower(): str(value) for name, value in written["headers"].items()}
    return Call(
        method=written["method"],
        path=unquote(raw_path),
        raw_path=raw_path,
        query_string="&".join(part for part in (fixed_query, query) if part),
        header_list=list(headers.items()),
        body=body.encode() if isinstance(body, str) else body,
    )
