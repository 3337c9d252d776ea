"""The environment's alarms that aren't in state OK, asked in each region itself."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ops.cloud.answers import reason
from ops.cloud.clients import Clients

RED = "ALARM"
NO_DATA = "INSUFFICIENT_DATA"
PREFIX = "alarm-"


@dataclass(frozen=True)
class Alarm:
    """An alarm that is red or has no data."""

    region: str
    purpose: str
    """As the runbook names it."""
    state: str
    since: datetime
    description: str

    @property
    def is_red(self) -> bool:
        """Whether it has risen."""
        return self.state == RED


@dataclass(frozen=True)
class RegionAlarms:
    """What one region says of its alarms."""

    region: str
    alarms: tuple[Alarm, ...] = ()
    unknown: str = ""
    """Why nothing is known; empty where the region answered."""


def alarms(clients: Clients, suffix: str) -> list[RegionAlarms]:
    """Both regions' alarms that are red or have no data, those that rose first on top."""
    with ThreadPoolExecutor(len(clients.regions)) as pool:
        return list(pool.map(lambda region: of_region(clients, region, suffix), clients.regions))


def of_region(clients: Clients, region: str, suffix: str) -> RegionAlarms:
    """One region's alarms that are red or have no data, those that rose first on top."""
    found: list[Alarm] = []
    end = f"-{region}-{suffix}"
    try:
        pages = clients.get("cloudwatch", region).get_paginator("describe_alarms")
        for page in pages.paginate(
            AlarmNamePrefix=PREFIX, AlarmTypes=["MetricAlarm", "CompositeAlarm"]
        ):
            for item in (*page.get("MetricAlarms", ()), *page.get("CompositeAlarms", ())):
                if item["AlarmName"].endswith(end) and item["StateValue"] in (RED, NO_DATA):
                    found.append(_alarm(item, region, end))
    except (ClientError, BotoCoreError) as error:
        return RegionAlarms(region, unknown=reason(error))
    return RegionAlarms(region, tuple(sorted(found, key=lambda alarm: alarm.since)))


def _alarm(item: Mapping[str, Any], region: str, end: str) -> Alarm:
    return Alarm(
        region,
        item["AlarmName"].removeprefix(PREFIX).removesuffix(end),
        item["StateValue"],
        item.get("StateTransitionedTimestamp") or item["StateUpdatedTimestamp"],
        item.get("AlarmDescription", ""),
    )
