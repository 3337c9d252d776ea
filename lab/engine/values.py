"""Property values as they travel between program, engine and plugin.

Inside the engine a value is plain Python: None, bool, int, float, str, list, dict. Special objects
are dictionaries that carry a signature under `SIGNATURE`, just as on the wire and in a checkpoint;
a secret is `{SIGNATURE: SECRET, "value": …}`. Unknown (before deployment) is the string `UNKNOWN`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from google.protobuf import struct_pb2

SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a signature, no password
ASSET = "c44067f5952c0a294b673a41bacd8c17"
ARCHIVE = "0def7320c3a5731c473e5ecbe6d01bc7"
RESOURCE_REFERENCE = "5cf8f73096256a8f31e491e813e4eb8e"
OUTPUT_VALUE = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
KNOWN_SIGNATURES = frozenset({SECRET, ASSET, ARCHIVE, RESOURCE_REFERENCE, OUTPUT_VALUE})

MASK = "[secret]"
UNKNOWN_TEXT = "[unknown]"

# Shorter texts are no secrets worth the name, and masking them would blacken half of every message.
_SHORTEST_MASKED = 6

Properties = dict[str, Any]


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
        raise TypeError(f"a {type(value).__name__} is no property value")


def secret(value: Any) -> Properties:
    """The value, marked as a secret (once)."""
    return value if is_secret(value) else {SIGNATURE: SECRET, "value": value}


def is_secret(value: Any) -> bool:
    """Whether the value itself is a secret object."""
    return isinstance(value, dict) and value.get(SIGNATURE) == SECRET


def is_asset(value: Any) -> bool:
    """Whether the value is an asset or an archive."""
    return isinstance(value, dict) and value.get(SIGNATURE) in (ASSET, ARCHIVE)


def transform(value: Any, change: Callable[[dict[str, Any]], Any]) -> Any:
    """The value with `change` applied to every dictionary, innermost first."""
    if isinstance(value, dict):
        return change({key: transform(item, change) for key, item in value.items()})
    if isinstance(value, list):
        return [transform(item, change) for item in value]
    return value


def plain(value: Any) -> Any:
    """The value without secret wrappers."""
    return transform(value, lambda fields: fields["value"] if is_secret(fields) else fields)


def references_as_ids(value: Any) -> Any:
    """Resource references as ids (a component's as its URN), for plugins that take none."""

    def change(fields: dict[str, Any]) -> Any:
        if fields.get(SIGNATURE) != RESOURCE_REFERENCE:
            return fields
        return (fields["id"] or UNKNOWN) if "id" in fields else fields["urn"]

    return transform(value, change)


def without_asset_contents(value: Any) -> Any:
    """Assets and archives reduced to their hash, as Diff gets them."""

    def change(fields: dict[str, Any]) -> Any:
        if not is_asset(fields):
            return fields
        return {SIGNATURE: fields[SIGNATURE], "hash": fields.get("hash", "")}

    return transform(value, change)


def contains_unknown(value: Any) -> bool:
    """Whether any part of the value is not known before deployment."""
    if isinstance(value, dict):
        return any(contains_unknown(item) for item in value.values())
    if isinstance(value, list):
        return any(contains_unknown(item) for item in value)
    return value == UNKNOWN


def contains_secret(value: Any) -> bool:
    """Whether any part of the value is a secret."""
    if isinstance(value, dict):
        return is_secret(value) or any(contains_secret(item) for item in value.values())
    if isinstance(value, list):
        return any(contains_secret(item) for item in value)
    return False


def masked(value: Any) -> Any:
    """The value as people may see it: secrets and unknowns replaced by words."""
    if value == UNKNOWN:
        return UNKNOWN_TEXT
    if is_secret(value):
        return MASK
    if isinstance(value, dict):
        return {key: masked(item) for key, item in value.items()}
    if isinstance(value, list):
        return [masked(item) for item in value]
    return value


def secret_texts(value: Any, inside: bool = False) -> Iterator[str]:
    """Every text inside the value's secrets, as it might turn up in a message."""
    if isinstance(value, dict):
        hidden = inside or is_secret(value)
        for key, item in value.items():
            if key != SIGNATURE:
                yield from secret_texts(item, hidden)
    elif isinstance(value, list):
        for item in value:
            yield from secret_texts(item, inside)
    elif inside and value is not None and not isinstance(value, bool):
        yield from _forms(str(value))


def _forms(text: str) -> Iterator[str]:
    yield text
    yield json.dumps(text)[1:-1]
    if "\n" in text:
        yield from text.splitlines()
    if text.startswith(("{", "[")):
        try:
            document = json.loads(text)
        except ValueError:
            return
        yield from _credentials(document)


def _credentials(document: Any, named: bool = False) -> Iterator[str]:
    """Leaves of a secret document whose key says that they are secret (a user name is none)."""
    if isinstance(document, dict):
        for key, item in document.items():
            words = ("pass", "secret", "token", "private", "credential")
            yield from _credentials(item, any(word in key.lower() for word in words))
    elif isinstance(document, list):
        for item in document:
            yield from _credentials(item, named)
    elif named and isinstance(document, str):
        yield from (document, json.dumps(document)[1:-1])


class Masker:
    """Knows every secret text seen in an operation and blots it out of messages."""

    def __init__(self) -> None:
        self._texts: set[str] = set()
        self._ordered: tuple[str, ...] = ()

    def learn(self, *values: Any) -> None:
        """Remember the secrets in these values."""
        self.learn_texts(text for value in values for text in secret_texts(value))

    def learn_texts(self, texts: Iterable[str]) -> None:
        """Remember these texts themselves."""
        new = {text for text in texts if len(text) >= _SHORTEST_MASKED} - self._texts
        new.discard(UNKNOWN)
        if new:
            self._texts |= new
            # The longest first, so that no half of a longer secret stays readable.
            self._ordered = tuple(sorted(self._texts, key=len, reverse=True))

    def text(self, message: str) -> str:
        """The message without any known secret."""
        for known in self._ordered:
            if known in message:
                message = message.replace(known, MASK)
        return message

    def value(self, value: Any) -> Any:
        """The value as people may see it; texts that contain a known secret are blotted too."""
        shown = masked(value)
        return self._texts_in(shown) if self._ordered else shown

    def _texts_in(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {key: self._texts_in(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._texts_in(item) for item in value]
        return value
