"""Property values as they travel between program, engine and plugin.

A value is plain Python: ``None``, ``bool``, ``int``, ``float``, ``str``, ``list``, ``dict``.
Special objects are dictionaries that carry a signature under ``SIGNATURE``, as on the wire and in
a checkpoint; a secret is ``{SIGNATURE: SECRET, "value": …}``. Unknown (before deployment) is the
string ``UNKNOWN``. Source: the signatures of Pulumi's SDK (``pulumi.runtime.rpc``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a signature, no password
ASSET = "c44067f5952c0a294b673a41bacd8c17"
ARCHIVE = "0def7320c3a5731c473e5ecbe6d01bc7"
RESOURCE_REFERENCE = "5cf8f73096256a8f31e491e813e4eb8e"
OUTPUT_VALUE = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
KNOWN_SIGNATURES = frozenset({SECRET, ASSET, ARCHIVE, RESOURCE_REFERENCE, OUTPUT_VALUE})

Properties = dict[str, Any]


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
    """The value with ``change`` applied to every dictionary, innermost first."""
    if isinstance(value, dict):
        return change({key: transform(item, change) for key, item in value.items()})
    if isinstance(value, list):
        return [transform(item, change) for item in value]
    return value


def plain(value: Any) -> Any:
    """The value without secret wrappers; nulls stay."""
    return transform(value, lambda fields: fields["value"] if is_secret(fields) else fields)


def plain_without_nulls(value: Any) -> Any:
    """The value without secret wrappers and without nulls in objects; nulls in lists stay.

    What a provider compares and sends: to AWS a property that is null is one that is absent.
    """

    def change(fields: dict[str, Any]) -> Any:
        return {key: item for key, item in fields.items() if item is not None}

    return transform(plain(value), change)


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
