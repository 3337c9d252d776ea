"""The clients of boto3, made once a process."""

from __future__ import annotations

from functools import cache
from typing import Any

from boto3.session import Session
from botocore.config import Config

CONNECT_SECONDS = 2.0
READ_SECONDS = 8.0


@cache
def client(service: str, region: str, read_seconds: float = READ_SECONDS) -> Any:
    """Returns a client whose every call is one try: what a failure means is the decision's
    business."""
    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=read_seconds,
        retries={"total_max_attempts": 1},
    )
    return session().client(service, region_name=region, config=config)  # pyright: ignore[reportCallIssue, reportArgumentType]


@cache
def session() -> Session:
    """One for all clients: each would read AWS's service models anew, most of a cold start."""
    return Session()
