"""What AWS or a load balancer answered instead of an answer, in a few words."""

from __future__ import annotations

import ssl
import urllib.error

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
)

from ops.errors import one_line


def reason(error: Exception) -> str:
    """Why a call failed, short enough for a table's cell: AWS's code, not its message."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code") or "refused")
    if isinstance(error, EndpointConnectionError):
        return "no connection"
    if isinstance(error, ConnectTimeoutError | ReadTimeoutError | TimeoutError):
        return "no answer in time"
    if isinstance(error, BotoCoreError):
        return type(error).__name__
    if isinstance(error, urllib.error.URLError) and isinstance(error.reason, OSError):
        return reason(error.reason)
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate refused: {error.verify_message.partition(',')[0].lower()}"
    if isinstance(error, OSError) and error.strerror:
        return one_line(error.strerror).lower()
    return one_line(str(error)).partition(":")[0][:60] or type(error).__name__
