"""Pulumi's property values as the provider uses them: on the wire, and towards AWS's calls."""

from pulumi_protocol.structs import from_struct, to_struct
from pulumi_protocol.values import (
    ARCHIVE,
    ASSET,
    SIGNATURE,
    UNKNOWN,
    Properties,
    is_asset,
    is_secret,
    secret,
)
from pulumi_protocol.values import contains_secret as has_secret
from pulumi_protocol.values import contains_unknown as has_unknown
from pulumi_protocol.values import plain_without_nulls as plain

__all__ = [
    "ARCHIVE",
    "ASSET",
    "SIGNATURE",
    "UNKNOWN",
    "Properties",
    "from_struct",
    "has_secret",
    "has_unknown",
    "is_asset",
    "is_secret",
    "plain",
    "secret",
    "to_struct",
]
