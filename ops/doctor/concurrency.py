"""Whether the account's functions outlast a dead writer: each request of the peak may wait for it
as long as a request may last, and the recovery functions need the same concurrency (H27).

The application's breaker answers sooner; this is what happens where it doesn't, or when the thing
that hangs isn't the writer.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from botocore.exceptions import BotoCoreError, ClientError

from ops.cloud.answers import reason
from ops.cloud.clients import Clients
from ops.doctor import account
from ops.doctor.finding import Finding, advice, ok
from tapstack.app_settings import LONGEST_REQUEST_SECONDS
from tapstack.naming import physical_name
from tapstack.settings import Settings

WHAT = "concurrency while a writer hangs"
LOOKED_BACK = timedelta(days=14)
"""CloudWatch keeps minutes for 15 days."""
MINUTE = 60


def needed(requests_a_minute: float) -> int:
    """Function instances that requests at this rate hold while each waits as long as it may."""
    return math.ceil(requests_a_minute / MINUTE * LONGEST_REQUEST_SECONDS)


def examine(clients: Clients, settings: Settings) -> Iterator[Finding]:
    """Compares the quota of each region with the busiest minute of both regions' load balancers:
    after a failover one region takes it all."""
    try:
        peak = sum(_busiest_minute(clients, region, settings.suffix) for region in clients.regions)
        limits = {
            region: account.limit(clients, region, account.CONCURRENCY)
            for region in clients.regions
        }
    except (ClientError, BotoCoreError) as error:
        yield advice(WHAT, f"can't be examined: {reason(error)}", "let the credentials read it")
        return
    if not peak:
        yield ok(WHAT, "nothing was asked of the load balancers yet; look again after a week")
        return
    wanted = needed(peak)
    sums = (
        f"{peak / MINUTE:.1f} requests a second at the peak x {LONGEST_REQUEST_SECONDS} s that one "
        f"may wait = {wanted} function instances"
    )
    short = {region: limit for region, limit in limits.items() if limit < wanted}
    for region, limit in short.items():
        yield advice(
            WHAT,
            f"{sums}, and {region} has {limit}: nothing would be left for recovery",
            account.increase(region, account.CONCURRENCY, 2 * wanted),
        )
    if not short:
        yield ok(WHAT, f"{sums}, of {min(limits.values())}")


def _busiest_minute(clients: Clients, region: str, suffix: str) -> float:
    """The most requests of a minute; 0 without a load balancer."""
    name = physical_name("alb", "app", region, suffix)
    try:
        found = clients.get("elbv2", region).describe_load_balancers(Names=[name])
    except ClientError as error:
        if reason(error) in ("LoadBalancerNotFound", "LoadBalancerNotFoundException"):
            return 0.0
        raise
    balancer = found["LoadBalancers"][0]["LoadBalancerArn"].partition(":loadbalancer/")[2]
    now = datetime.now(UTC)
    metric = {
        "Namespace": "AWS/ApplicationELB",
        "MetricName": "RequestCount",
        "Dimensions": [{"Name": "LoadBalancer", "Value": balancer}],
    }
    stat = {"Metric": metric, "Period": MINUTE, "Stat": "Sum"}
    pages = (
        clients.get("cloudwatch", region)
        .get_paginator("get_metric_data")
        .paginate(
            MetricDataQueries=[{"Id": "requests", "MetricStat": stat}],
            StartTime=now - LOOKED_BACK,
            EndTime=now,
        )
    )
    return max(
        (value for page in pages for one in page["MetricDataResults"] for value in one["Values"]),
        default=0.0,
    )
