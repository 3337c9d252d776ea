"""Pulumi's property values: protobuf Structs, secrets, unknowns, assets and archives.

Source: the signatures of the Pulumi SDK (``pulumi.runtime.rpc``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf import struct_pb2

SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a public constant of the protocol
ASSET = "c44067f5952c0a294b673a41bacd8c17"
ARCHIVE = "0def7320c3a5731c473e5ecbe6d01bc7"
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"

Properties = dict[str, Any]


def to_python(value: struct_pb2.Value) -> Any:
    """A protobuf Value as plain Python; integral numbers become ``int``."""
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return from_struct(value.struct_value)
    if kind == "list_value":
        return [to_python(item) for item in value.list_value.values]
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() else number
    if kind in ("string_value", "bool_value"):
        return getattr(value, kind)
    return None


def from_struct(struct: struct_pb2.Struct) -> Properties:
    """A protobuf Struct as a dictionary."""
    return {key: to_python(value) for key, value in struct.fields.items()}


def to_struct(properties: Mapping[str, Any]) -> struct_pb2.Struct:
    """A dictionary as a protobuf Struct."""
    struct = struct_pb2.Struct()
    for key, value in properties.items():
        _set_value(struct.fields[key], value)
    return struct


def _set_value(target: struct_pb2.Value, value: Any) -> None:
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
            _set_value(target.struct_value.fields[str(key)], item)
    elif isinstance(value, list | tuple):
        target.list_value.SetInParent()
        for item in value:
            _set_value(target.list_value.values.add(), item)
    else:
        raise TypeError(f"no Pulumi value can be made of {type(value).__name__}")


def is_secret(value: Any) -> bool:
    """Whether ``value`` is a secret object."""
    return isinstance(value, Mapping) and value.get(SIGNATURE) == SECRET


def is_asset(value: Any) -> bool:
    """Whether ``value`` is an asset or an archive."""
    return isinstance(value, Mapping) and value.get(SIGNATURE) in (ASSET, ARCHIVE)


def secret(value: Any) -> Properties:
    """``value`` wrapped as a secret object."""
    return value if is_secret(value) else {SIGNATURE: SECRET, "value": value}


def plain(value: Any) -> Any:
    """``value`` with every secret object inside it unwrapped; nulls in objects are left out."""
    if is_secret(value):
        return plain(value["value"])
    if is_asset(value):
        return value
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def has_unknown(value: Any) -> bool:
    """Whether an unknown value is anywhere in ``value``."""
    return _any(value, lambda item: item == UNKNOWN)


def has_secret(value: Any) -> bool:
    """Whether a secret object is anywhere in ``value``."""
    return _any(value, is_secret)


def _any(value: Any, test: Callable[[Any], bool]) -> bool:
    if test(value):
        return True
    if isinstance(value, Mapping):
        return any(_any(item, test) for item in value.values())
    if isinstance(value, list):
        return any(_any(item, test) for item in value)
    return False
