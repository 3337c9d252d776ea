"""What AWS's services say of themselves, on the default bus of a region."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any


def say(
    account: str,
    region: str,
    source: str,
    detail_type: str,
    detail: Mapping[str, Any],
    resources: Sequence[str],
    at: float,
) -> None:
    """Puts one event on the default bus, whoever asks for it; ``at`` is in seconds since 1970."""
    from ministack.core.responses import request_scope
    from ministack.services import eventbridge

    with request_scope(account, region):
        eventbridge._dispatch_event(
            {
                "EventId": str(uuid.uuid4()),
                "Source": source,
                "DetailType": detail_type,
                "Detail": json.dumps(detail),
                "EventBusName": "default",
                "Time": int(at),
                "Resources": list(resources),
                "Account": account,
                "Region": region,
            }
        )
