"""Inputs of provider resources: which are secret, which an engine's own, which call elsewhere."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from lab.engine.failure import StepFailedError
from pulumi_protocol.urns import is_provider_type
from pulumi_protocol.values import Properties, plain


def secretive(type: str, properties: Properties) -> Properties:
    """The properties whose secrets are worth masking: an AWS access key's id is in every ARN-like
    text of a test account, and no secret by AWS's own definition, though the SDK marks it."""
    if not is_provider_type(type):
        return properties
    return {key: value for key, value in properties.items() if key != "accessKey"}


def own_inputs(inputs: Properties) -> Properties:
    """A provider's inputs without what engines keep among them (``__internal``)."""
    return {key: value for key, value in inputs.items() if not key.startswith("__")}


def check_endpoints(urn: str, type: str, inputs: Properties) -> None:
    """Refuses an AWS provider that could call anything but this machine."""
    if type != "pulumi:providers:aws":
        return
    text = plain(inputs.get("endpoints"))
    try:
        entries = json.loads(text) if isinstance(text, str) else text
        urls = [url for entry in entries or () for url in entry.values() if url]
    except (ValueError, AttributeError, TypeError):
        urls = []
    strangers = [url for url in urls if not _local(url)]
    if strangers or not urls:
        named = f"{strangers[0]} is not on this machine" if strangers else "it has no endpoints"
        raise StepFailedError(
            urn, f"an AWS provider of the lab must call 127.0.0.1 alone, but {named}"
        )


def _local(url: Any) -> bool:
    try:
        parts = urlsplit(str(url))
        host = parts.hostname
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and host in ("127.0.0.1", "localhost")
