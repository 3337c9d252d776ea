"""Whether functions that all wait for a hung writer leave any for recovery (H27)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

import pytest
from fake_clients import FakeClients, refusal
from hypothesis import given
from hypothesis import strategies as st
from watched_driver import stack_file

from ops.cloud.clients import Clients
from ops.doctor import concurrency
from ops.doctor.finding import Finding, State
from tapstack.app_settings import LONGEST_REQUEST_SECONDS

ROOT = Path(__file__).resolve().parents[4]
BALANCER = "arn:aws:elasticloadbalancing:r:1:loadbalancer/app/alb-app/50dc6c495c0c9188"


def account(minutes: Any, quotas: Any = 1000.0, balancer: Any = BALANCER) -> Clients:
    """``minutes``: region → requests of each minute."""
    table: dict[tuple[str, str], dict[str, Any]] = {
        ("service-quotas", ""): {"get_service_quota": {"Quota": {"Value": quotas}}}
    }
    for region, values in minutes.items():

        def data(MetricDataQueries: Any, v: Any = values, **_: Any) -> Any:  # noqa: N803
            (query,) = MetricDataQueries
            (dimension,) = query["MetricStat"]["Metric"]["Dimensions"]
            assert dimension["Value"] == "app/alb-app/50dc6c495c0c9188"
            assert query["MetricStat"]["Stat"] == "Sum"
            return {"MetricDataResults": [{"Values": v}]}

        found = {"LoadBalancers": [{"LoadBalancerArn": balancer}]}
        table["elbv2", region] = {
            "describe_load_balancers": balancer if isinstance(balancer, Exception) else found
        }
        table["cloudwatch", region] = {"get_metric_data": data}
    return cast(Clients, FakeClients(table))


def examined(clients: Clients) -> list[Finding]:
    return list(concurrency.examine(clients, stack_file().settings))


PEAK = {"us-east-1": [60.0, 6000.0, 3.0], "us-west-2": [30.0]}


def test_the_quota_holds_the_peak_while_everybody_waits() -> None:
    """H27: the busiest minute of both regions, since one may have to take it all, times the longest
    that a request waits."""
    (found,) = examined(account(PEAK, 1005.0))
    assert (found.what, found.state) == (concurrency.WHAT, State.OK)
    assert found.detail == (
        "100.5 requests a second at the peak x 10 s that one may wait = 1005 function instances, "
        "of 1005"
    )


def test_a_quota_that_a_dead_writer_uses_up_is_advised_in_each_region() -> None:
    """H27: with the command that raises it."""
    found = examined(account(PEAK, 1004.0))
    assert [one.state for one in found] == [State.ADVICE] * 2
    assert "us-west-2 has 1004: nothing would be left for recovery" in found[1].detail
    assert found[1].remedy.endswith("--region us-west-2 --service-code lambda "
                                    "--quota-code L-B99A9384 --desired-value 2010")  # fmt: skip


def test_what_was_never_asked_has_no_peak() -> None:
    """A first deployment: no load balancer, or one without a request; what AWS refuses is said."""
    nothing = {"us-east-1": [], "us-west-2": []}
    for code in ("LoadBalancerNotFound", "LoadBalancerNotFoundException"):
        (found,) = examined(account(nothing, balancer=refusal(code)))
        assert found.state is State.OK
    (found,) = examined(account(nothing))
    assert "look again after a week" in found.detail
    (found,) = examined(account(nothing, balancer=refusal("AccessDenied")))
    assert (found.state, found.detail) == (State.ADVICE, "can't be examined: AccessDenied")


@given(st.floats(0, 1e7))
def test_what_a_peak_needs(requests_a_minute: float) -> None:
    """H27: rounded up, and never less than Little's law says."""
    needed = concurrency.needed(requests_a_minute)
    assert needed >= requests_a_minute / 60 * LONGEST_REQUEST_SECONDS
    assert needed - 1 < requests_a_minute / 60 * LONGEST_REQUEST_SECONDS or needed == 0


def test_the_longest_request_is_the_applications() -> None:
    """H27: the number that the Node.js code ends a request by."""
    source = (ROOT / "lambda_src/api/src/application.mjs").read_text()
    (milliseconds,) = re.findall(r"LONGEST_REQUEST = ([\d_]+);", source)
    assert int(milliseconds) == pytest.approx(1000 * LONGEST_REQUEST_SECONDS)
