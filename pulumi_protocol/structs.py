"""Property values as protobuf Structs, the form in which they travel over gRPC."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf import struct_pb2

from pulumi_protocol.values import (
    KNOWN_SIGNATURES,
    OUTPUT_VALUE,
    SIGNATURE,
    UNKNOWN,
    Properties,
    secret,
)


def from_struct(struct: struct_pb2.Struct) -> Properties:
    """A protobuf Struct as plain Python; whole numbers become int, as a checkpoint writes them."""
    return {key: from_value(value) for key, value in struct.fields.items()}


def from_value(value: struct_pb2.Value) -> Any:
    """One protobuf Value as plain Python. Output values become unknowns, secrets or plain ones."""
    match value.WhichOneof("kind"):
        case "string_value":
            return value.string_value
        case "struct_value":
            return _special(from_struct(value.struct_value))
        case "list_value":
            return [from_value(item) for item in value.list_value.values]
        case "bool_value":
            return value.bool_value
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() else number
        case _:
            return None


def _special(fields: Properties) -> Any:
    signature = fields.get(SIGNATURE)
    if signature is None:
        return fields
    if signature not in KNOWN_SIGNATURES:
        raise ValueError(f"a value with the unknown signature {signature!r}")
    if signature == OUTPUT_VALUE:
        inner = fields.get("value", UNKNOWN)
        return secret(inner) if fields.get("secret") else inner
    return fields


def to_struct(properties: Mapping[str, Any]) -> struct_pb2.Struct:
    """Plain Python as a protobuf Struct."""
    struct = struct_pb2.Struct()
    for key, value in properties.items():
        _write(struct.fields[key], value)
    return struct


def _write(target: struct_pb2.Value, value: Any) -> None:
    if value is None:
        target.null_value = struct_pb2.NULL_VALUE
    elif isinstance(value, bool):
        target.bool_value = value
    elif isinstance(value, int | float):
        target.number_value = value
    elif isinstance(value, str):
        target.string_value = value
    elif isinstance(value, Mapping):
        target.struct_value.SetInParent()
        for key, item in value.items():
            _write(target.struct_value.fields[key], item)
    elif isinstance(value, list | tuple):
        target.list_value.SetInParent()
        for item in value:
            _write(target.list_value.values.add(), item)
    else:
        raise TypeError(f"no Pulumi value can be made of {type(value).__name__}")
