"""Writes a result or an error as the service sends it, and reads the emulator's back."""

# botocore's models carry no types: its cached properties look like descriptors to the checker.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportCallIssue=false
# pyright: reportIndexIssue=false, reportOptionalMemberAccess=false, reportGeneralTypeIssues=false

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any
from xml.sax.saxutils import escape

import botocore.parsers
from botocore.awsrequest import HeadersDict
from botocore.model import ListShape, MapShape, Shape, StructureShape
from botocore.utils import parse_timestamp

from lab.call import Answer
from lab.emulator.protocol.operations import Operation


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
