"""The failover switch, which keeps traffic in the standby region: read where it is kept."""

from __future__ import annotations

from botocore.exceptions import BotoCoreError, ClientError

from ops.cloud.answers import reason
from ops.cloud.clients import Clients
from tapstack.naming import failover_switch_parameter

ENGAGED = "engaged"


def switch(clients: Clients, suffix: str) -> str:
    """``engaged``, ``released``, or ``unknown (…)``."""
    region = clients.regions[1]
    name = failover_switch_parameter(region, suffix)
    try:
        return clients.get("ssm", region).get_parameter(Name=name)["Parameter"]["Value"]
    except (ClientError, BotoCoreError) as error:
        return f"unknown ({reason(error)})"
