"""HTTP requests to a load balancer, on AWS by its name and in the lab by the Host header."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ops.cloud.answers import reason

TIMEOUT_SECONDS = 5


@dataclass(frozen=True)
class Answer:
    """``status`` is 0 where nothing answered, ``detail`` then says why."""

    status: int
    body: Mapping[str, Any]
    """Empty where it isn't a JSON object."""
    detail: str = ""


def get(
    host: str, path: str, lab_endpoint: str | None, headers: Mapping[str, str] | None = None
) -> Answer:
    """Asks once; never raises for what is answered."""
    request = urllib.request.Request(  # noqa: S310 - an http address of our own
        f"{lab_endpoint or f'http://{host}'}{path}", headers={"Host": host, **(headers or {})}
    )
    handlers = [urllib.request.ProxyHandler({})] if lab_endpoint else []
    try:
        with urllib.request.build_opener(*handlers).open(
            request, timeout=TIMEOUT_SECONDS
        ) as answer:
            return Answer(answer.status, as_object(answer.read()))
    except urllib.error.HTTPError as error:
        return Answer(error.code, as_object(error.read()))
    except (OSError, ValueError) as error:
        return Answer(0, {}, reason(error))


def as_object(content: bytes) -> Mapping[str, Any]:
    """A body as a JSON object; empty where it isn't one."""
    try:
        found = json.loads(content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
