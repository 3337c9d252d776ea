"""Before the network is destroyed: waits until Lambda gave back the functions' interfaces.

Lambda reaps the network interfaces of functions in a VPC long after the functions are gone, 18
minutes to over an hour (pulumi-aws #2642, tf-aws #32130), and until then AWS refuses to delete the
subnets and security groups. Nothing but waiting helps; the operator sees what for.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ops.cloud.clients import Clients
from ops.cloud.inventory import environment_filters
from ops.errors import OperatorError
from tapstack.settings import Settings

WAIT_SECONDS = 5400
POLL_SECONDS = 20
DESCRIPTION = "AWS Lambda VPC ENI*"
"""How Lambda describes its interfaces; they carry no tags of their own."""


def wait_until_gone(
    clients: Clients,
    settings: Settings,
    report: Callable[[str], None],
    pause: Callable[[float], None],
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Returns when no function's interface is left in the environment's networks.

    Reports whenever their number changes. Raises :class:`OperatorError` after ``WAIT_SECONDS``, and
    what ``pause`` raises.
    """
    started = clock()
    reported = 0
    while left := [name for region in clients.regions for name in _left(clients, settings, region)]:
        seconds = clock() - started
        if seconds > WAIT_SECONDS:
            raise OperatorError(
                f"network: Lambda still holds the network interfaces {', '.join(left)} after "
                f"{WAIT_SECONDS // 60} min; run ./inv destroy-all again later"
            )
        if len(left) != reported:
            reported = len(left)
            report(
                f"waiting for Lambda to give back {reported} network interfaces; AWS takes 20 min "
                f"to over an hour ({seconds / 60:.0f} min so far; Ctrl-C is safe)"
            )
        pause(POLL_SECONDS)


def _left(clients: Clients, settings: Settings, region: str) -> list[str]:
    ec2 = clients.get("ec2", region)
    try:
        vpcs = ec2.describe_vpcs(Filters=environment_filters(settings.suffix))["Vpcs"]
        if not vpcs:
            return []
        filters: list[Any] = [
            {"Name": "vpc-id", "Values": [vpc["VpcId"] for vpc in vpcs]},
            {"Name": "description", "Values": [DESCRIPTION]},
        ]
        found = ec2.describe_network_interfaces(Filters=filters)["NetworkInterfaces"]
    except (ClientError, BotoCoreError) as error:
        raise OperatorError(
            f"network: can't list network interfaces in {region}: {' '.join(str(error).split())}; "
            "run ./inv destroy-all again when that is settled"
        ) from None
    return [interface["NetworkInterfaceId"] for interface in found]
