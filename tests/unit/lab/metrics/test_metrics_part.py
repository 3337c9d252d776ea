"""CloudWatch's calls and alarm rounds, without the emulator."""

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lab.api import ApiRefusal, ApiRequest
from lab.clock import Clock
from lab.context import LabContext
from lab.facts import DatabaseFacts, EventDelivery, HealthCheckVerdict, PendingReplication
from lab.metrics.part import MetricsPart
from lab.metrics.series import metric_key
from lab.metrics.sources import of_targets
from lab.outage import OutageKind
from lab.part import Health

EAST, WEST = "us-east-1", "us-west-2"
START = datetime(2026, 1, 1, tzinfo=UTC).timestamp()


class CloudWatch:
    """One region's alarms; ``turned`` is what was set."""

    def __init__(self, metric=(), composite=()):
        self.alarms = {"MetricAlarms": list(metric), "CompositeAlarms": list(composite)}
        self.turned = {}

    def describe_alarms(self, **_given):
        return self.alarms

    def set_alarm_state(self, AlarmName, StateValue, StateReason):  # noqa: N803 - boto3's names
        if AlarmName == "gone":
            raise ClientError({"Error": {"Code": "ResourceNotFound"}}, "SetAlarmState")
        self.turned[AlarmName] = StateValue


def part(clients=None, lost=frozenset()):
    lab = SimpleNamespace(
        clock=Clock(1, real=lambda: START),
        outages=SimpleNamespace(has_lost=lambda region, kind: (region, kind) in lost),
        client=lambda _service, region: (clients or {})[region],
    )
    return MetricsPart(lab)  # type: ignore[arg-type]


def metric_alarm(name, state="OK"):
    return {
        "AlarmName": name,
        "Namespace": "N",
        "MetricName": "m",
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 0.5,
        "ComparisonOperator": "GreaterThanThreshold",
        "StateValue": state,
    }


def composite(name, rule):
    return {"AlarmName": name, "AlarmRule": rule, "StateValue": "OK"}


def asked(metrics, call, **parameters):
    request = ApiRequest("cloudwatch", "", EAST, parameters)
    return asyncio.run(call(request, None)).result


def breach(metrics):
    for region in (EAST, WEST):
        metrics.store.add(metric_key(region, "N", "m", {}), 1, START - 60)


@pytest.mark.parametrize(
    ("lost", "turned"),
    [
        (frozenset(), {EAST, WEST}),
        ({(EAST, OutageKind.API)}, {WEST}),
        ({(EAST, OutageKind.COMPUTE)}, {EAST, WEST}),
    ],
)
def test_alarms_of_a_lost_region_neither_turn_nor_act(lost, turned):
    """Trap 11: what counts on an alarm of the region that is lost is blind; the other region's
    alarms continue."""
    clients = {region: CloudWatch([metric_alarm("a")]) for region in (EAST, WEST)}
    metrics = part(clients, lost)
    breach(metrics)
    metrics._evaluate()
    assert {region for region in clients if clients[region].turned == {"a": "ALARM"}} == turned
    assert {region for region in clients if clients[region].turned} == turned


def test_composite_alarms_may_watch_composite_alarms():
    """R6.2: in whatever order they are listed; one that can't be read is named, and stops none of
    the others."""
    watched = CloudWatch(
        [metric_alarm("a")],
        [
            composite("outer", "ALARM(inner) AND NOT ALARM(calm)"),
            composite("ring", "ALARM(ring)"),
            composite("inner", "ALARM(a)"),
            composite("calm", "OK(a)"),
        ],
    )
    metrics = part({EAST: watched, WEST: CloudWatch()})
    breach(metrics)
    metrics._evaluate()
    assert watched.turned == {"a": "ALARM", "inner": "ALARM", "outer": "ALARM"}
    assert set(metrics._unreadable) == {"ring"}


def test_an_alarm_deleted_in_the_middle_of_a_round_stops_no_other():
    """R6.2: a deployment deletes alarms while they are looked at."""
    watched = CloudWatch([metric_alarm("gone"), metric_alarm("a")])
    metrics = part({EAST: watched, WEST: CloudWatch()})
    breach(metrics)
    metrics._evaluate()
    assert watched.turned == {"a": "ALARM"}


def test_an_alarm_that_cannot_be_evaluated_keeps_its_state_and_is_named():
    """R6.2: never silently taken for OK."""
    strange = {**metric_alarm("strange", "ALARM"), "Statistic": "TM99"}
    watched = CloudWatch([strange], [composite("over", "ALARM(strange)")])
    metrics = part({EAST: watched, WEST: CloudWatch()})
    breach(metrics)
    metrics._evaluate()
    assert watched.turned == {"over": "ALARM"}
    assert "TM99" in metrics._unreadable["strange"]


@pytest.mark.parametrize(
    ("datum", "expected"),
    [
        ({"Value": 4}, (1, 4, 4, 4)),
        ({"Values": [1, 5]}, (2, 6, 1, 5)),
        ({"Values": [1, 5], "Counts": [3, 1]}, (4, 8, 1, 5)),
        (
            {"StatisticValues": {"SampleCount": 10, "Sum": 30, "Minimum": 2, "Maximum": 9}},
            (10, 30, 2, 9),
        ),
    ],
)
def test_every_form_of_a_published_value_counts(datum, expected):
    """R6.1, API reference MetricDatum: a value, values with their counts, or a statistic set."""
    metrics = part()
    asked(metrics, metrics._put, Namespace="N", MetricData=[{"MetricName": "m", **datum}])
    names = ("SampleCount", "Sum", "Minimum", "Maximum")
    found = asked(
        metrics,
        metrics._statistics,
        Namespace="N",
        MetricName="m",
        Period=60,
        StartTime=START - 60,
        EndTime=START + 60,
        Statistics=list(names),
    )
    (point,) = found["Datapoints"]
    assert tuple(point[name] for name in names) == expected


def test_percentiles_are_answered_as_extended_statistics():
    """API reference GetMetricStatistics; a statistic set has no values to rank."""
    metrics = part()
    for value in range(1, 101):
        metrics.store.add(metric_key(EAST, "N", "m", {}), value, START)
    metrics.store.add_set(
        metric_key(EAST, "N", "set", {}), START, count=2, total=3, least=1, most=2
    )
    period = {"Period": 60, "StartTime": START - 60, "EndTime": START + 60}
    found = {
        name: asked(
            metrics,
            metrics._statistics,
            Namespace="N",
            MetricName=name,
            ExtendedStatistics=["p99"],
            **period,
        )["Datapoints"]
        for name in ("m", "set")
    }
    assert [point["ExtendedStatistics"] for point in found["m"]] == [{"p99": 99.0}]
    assert found["set"] == []


def test_metrics_are_listed_by_their_dimensions():
    """API reference ListMetrics: a filter without value matches any value of that name."""
    metrics = part()
    for bus in ("a", "b"):
        metrics.store.add(metric_key(EAST, "N", "m", {"Bus": bus, "Rule": "r"}), 1, START)
    metrics.store.add(metric_key(WEST, "N", "m", {"Bus": "a"}), 1, START)

    def listed(*dimensions):
        found = asked(metrics, metrics._list, Namespace="N", Dimensions=list(dimensions))
        return sorted(
            {d["Value"] for m in found["Metrics"] for d in m["Dimensions"] if d["Name"] == "Bus"}
        )

    assert listed() == ["a", "b"]
    assert listed({"Name": "Bus"}) == ["a", "b"]
    assert listed({"Name": "Bus", "Value": "a"}) == ["a"]
    assert listed({"Name": "Bus", "Value": "a"}, {"Name": "Rule", "Value": "x"}) == []


@pytest.mark.parametrize("lost", [frozenset(), {(EAST, OutageKind.COMPUTE)}])
@pytest.mark.parametrize(("state", "healthy"), [("healthy", 1.0), ("unhealthy", 0.0)])
def test_host_counts_follow_the_load_balancers_own_checks(lost, state, healthy):
    """R6.2: an outage shows once those checks fail, as DescribeTargetHealth reports it: no alarm
    comes sooner than AWS's."""
    prefix = f"arn:aws:elasticloadbalancing:{EAST}:000000000000:"
    group = {
        "TargetGroupArn": f"{prefix}targetgroup/g/1",
        "LoadBalancerArns": [f"{prefix}loadbalancer/app/b/1"],
    }
    balancers = SimpleNamespace(
        describe_target_groups=lambda: {"TargetGroups": [group]},
        describe_target_health=lambda **_given: {
            "TargetHealthDescriptions": [{"TargetHealth": {"State": state}}]
        },
    )
    metrics = part({EAST: balancers}, lost)
    metrics._add(of_targets(EAST, metrics._targets(EAST)))
    dimensions = {"LoadBalancer": "app/b/1", "TargetGroup": "targetgroup/g/1"}
    found = {
        name: metrics.store.series(
            metric_key(EAST, "AWS/ApplicationELB", name, dimensions), "Maximum", 60
        )
        for name in ("HealthyHostCount", "UnHealthyHostCount")
    }
    assert [list(series.values()) for series in found.values()] == [[healthy], [1 - healthy]]


class Everything:
    """A region's queues and target groups."""

    def describe_target_groups(self):
        return {"TargetGroups": []}

    def list_queues(self):
        return {"QueueUrls": ["http://host/000000000000/dead"]}

    def get_queue_attributes(self, **_given):
        return {"Attributes": {"ApproximateNumberOfMessages": "3"}}


@pytest.mark.parametrize("running", [True, False])
def test_a_look_samples_every_part_that_is_there(running):
    """R6.1: health checks, databases, replication; a lab without one of them counts the rest."""
    facts = DatabaseFacts(EAST, "c", ("i",), True, True, 5.0, 100, 1.0, None, None)
    sources = [
        lambda: [HealthCheckVerdict("check", False)],
        lambda: [facts],
        lambda: [PendingReplication(EAST, WEST, "a", "b", "all", 2, 3, 4.0, 0)],
    ]
    metrics = part({EAST: Everything(), WEST: Everything()})
    metrics.lab.sources = sources if running else []
    metrics._look()
    names = {key.name for key in metrics.store.known()}
    assert "ApproximateNumberOfMessagesVisible" in names
    sampled = {"HealthCheckStatus", "DatabaseConnections", "OperationsPendingReplication"}
    assert names >= sampled if running else not names & sampled


def test_a_queue_has_metrics_from_its_first_message_on_for_six_hours():
    """SQS developer guide: nothing of a queue that isn't active, so that an alarm on silence has no
    data before a first deployment's first heartbeat, and zeros after the last one."""
    depth = {"ApproximateNumberOfMessages": "0"}
    queues = Everything()
    queues.get_queue_attributes = lambda **_given: {"Attributes": depth}
    metrics = part({EAST: queues, WEST: queues})
    now = [0.0]
    lab: Any = metrics.lab
    lab.clock, lab.sources = SimpleNamespace(now=lambda: now[0]), []

    def seen():
        metrics._look()
        key = metric_key(
            EAST, "AWS/SQS", "ApproximateNumberOfMessagesVisible", {"QueueName": "dead"}
        )
        return list(metrics.store.series(key, "Minimum", 60).values())

    assert seen() == []
    depth["ApproximateNumberOfMessages"] = "1"
    assert seen() == [1.0]
    depth["ApproximateNumberOfMessages"] = "0"
    now[0] = 6 * 3600.0
    assert seen()[-1] == 0.0
    now[0] += 60
    assert len(seen()) == 2


def test_a_round_that_fails_is_followed_by_the_next_and_the_health_names_what_is_wrong(
    monkeypatch,
):
    """R6.2: a queue deleted in the middle of a look must not end all alarms."""
    rounds = []

    def look(_self):
        rounds.append(1)
        if len(rounds) == 1:
            raise KeyError("gone")

    def evaluate(self):
        self._unreadable["a"] = "no such statistic"

    monkeypatch.setattr(MetricsPart, "_look", look)
    monkeypatch.setattr(MetricsPart, "_evaluate", evaluate)
    lab = LabContext(Path(), 1, "http://127.0.0.1:1", Clock(1000), SimpleNamespace())  # type: ignore[arg-type]
    metrics = MetricsPart(lab)

    async def run():
        assert await metrics.health() == Health(False, "the rounds ended")
        await metrics.stop()
        await metrics.start()
        assert await metrics.health() == Health(True, "0 metrics")
        async with asyncio.timeout(5):
            while not metrics._unreadable:
                await asyncio.sleep(0.01)
        health = await metrics.health()
        assert health == Health(True, "alarm a can't be evaluated: no such statistic")
        await metrics.stop()
        assert await metrics.health() == Health(False, "the rounds ended")

    asyncio.run(run())
    assert lab.hooks == []
    assert lab.observers == []


def test_what_happens_in_the_lab_is_counted_as_it_happens():
    """R6.1: a fact that another part reports is a value of AWS's metrics at lab time."""
    metrics = part()
    metrics._happened(EventDelivery(EAST, "b", "r", "arn", "delivered", 0.0))
    key = metric_key(EAST, "AWS/Events", "Invocations", {"EventBusName": "b", "RuleName": "r"})
    assert metrics.store.series(key, "Sum", 60) == {int(START): 1.0}


def test_metric_data_comes_in_the_asked_order_within_the_asked_time():
    """API reference GetMetricData: newest first unless asked; StartTime inclusive, EndTime
    exclusive; times come as text or numbers."""
    metrics = part()
    for minute in range(4):
        metrics.store.add(metric_key(EAST, "N", "m", {}), minute, START + 60 * minute)
    stat = {"Metric": {"Namespace": "N", "MetricName": "m"}, "Period": 60, "Stat": "Sum"}
    queries = [{"Id": "q", "MetricStat": stat}, {"Id": "e", "Expression": "q * 2"}]
    when = {"StartTime": START + 60, "EndTime": "2026-01-01T00:03:00"}

    def values(**given):
        found = asked(metrics, metrics._data, MetricDataQueries=queries, **when, **given)
        (series,) = found["MetricDataResults"]
        return series["Values"]

    assert values() == [2.0, 1.0]
    assert values(ScanBy="TimestampAscending") == [1.0, 2.0]
    bounds = {
        "StartTime": datetime(2026, 1, 1, 0, 1),  # UTC, as AWS's times are
        "EndTime": START + 120,
    }
    found = asked(
        metrics,
        metrics._statistics,
        Namespace="N",
        MetricName="m",
        Period=60,
        Statistics=["Sum"],
        ExtendedStatistics=["p50"],
        **bounds,
    )
    (point,) = found["Datapoints"]
    assert (point["Sum"], point["ExtendedStatistics"]) == (1.0, {"p50": 1.0})


def test_values_of_former_minutes_join_them():
    """R6.1: values that arrive late count in their own minute's sum as long as it is kept."""
    metrics = part()
    key = metric_key(EAST, "N", "m", {})
    for at in (START, START + 60, START + 10):
        metrics.store.add(key, 1.0, at)
    metrics.store.add_set(key, START + 120, count=0, total=0, least=0, most=0)
    assert metrics.store.series(key, "Sum", 60) == {int(START): 2.0, int(START) + 60: 1.0}


@pytest.mark.parametrize("factor", [1, 10, 50])
def test_a_program_on_the_machines_clock_gets_what_ends_now(factor):
    """Issue 16.4: asked until now, the lab answers until its own now, however far ahead it is; one
    that knows lab time gets what it asks for."""
    real = time.time()
    ahead = 3600.0 * (factor - 1)
    lab = SimpleNamespace(clock=Clock(factor, resume_at=real + ahead))
    metrics = MetricsPart(lab)  # type: ignore[arg-type]
    now = lab.clock.now()
    metrics.store.add(metric_key(EAST, "N", "m", {}), 7, now - 90)

    def found(start, end):
        given = {
            "Namespace": "N", "MetricName": "m", "Period": 60, "Statistics": ["Maximum"],
            "StartTime": start, "EndTime": end,
        }  # fmt: skip
        points = asked(metrics, metrics._statistics, **given)["Datapoints"]
        query = {
            "Id": "a",
            "MetricStat": {
                "Metric": {"Namespace": "N", "MetricName": "m"},
                "Period": 60,
                "Stat": "Maximum",
            },
        }
        data = asked(
            metrics, metrics._data, MetricDataQueries=[query], StartTime=start, EndTime=end
        )["MetricDataResults"][0]["Values"]
        assert [point["Maximum"] for point in points] == data
        return data

    assert found(real - 300, real) == [7]
    assert found(now - 300, now) == [7]
    assert found(real - 90_000, real - 80_000) == []


@pytest.mark.parametrize(
    "datum",
    [
        {"Value": float("nan")},
        {"Value": -(2.0**361)},
        {"Values": [1.0, float("inf")]},
        {"StatisticValues": {"SampleCount": 1, "Sum": float("-inf"), "Minimum": 1, "Maximum": 1}},
    ],
)
def test_a_value_that_cloudwatch_does_not_take_is_refused(datum):
    """PutMetricData takes no NaN, no infinity and nothing beyond ±2^360; then nothing of the call
    counts."""
    metrics = part()
    data = [{"MetricName": "m", "Value": 1.0}, {"MetricName": "m", **datum}]
    with pytest.raises(ApiRefusal, match="invalid") as refused:
        asked(metrics, metrics._put, Namespace="N", MetricData=data)
    assert refused.value.code == "InvalidParameterValue"
    assert not list(metrics.store.known())
