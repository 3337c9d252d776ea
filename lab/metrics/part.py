"""CloudWatch as a part of the lab: it counts what happens, and turns alarms.

The emulator keeps metrics without their region and evaluates alarms without their dimensions, so
this part answers the metric calls itself, from its own store, and evaluates every alarm.
"""

import asyncio
import logging
import math
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from lab.api import ApiRefusal, ApiRequest, ApiResponse, CallNext
from lab.context import LabContext
from lab.facts import Event
from lab.metrics import sources
from lab.metrics.alarms import State, alarm_state, composite_state
from lab.metrics.series import MetricKey, MetricStore, metric_key
from lab.outage import REGIONS, OutageKind
from lab.part import Health, Part

NOW_SECONDS = 300.0
"""What ends so close to a clock's present is meant to end now."""
QUEUE_ACTIVE_SECONDS = 6 * 3600.0
"""SQS publishes nothing of a queue that isn't active: nobody used it for six hours, or not yet (SQS
developer guide, "Available CloudWatch metrics for Amazon SQS")."""
LARGEST_VALUE = 2.0**360
ROUND_SECONDS = 15.0
"""Lab seconds between looks; at least half a real second."""
logger = logging.getLogger("lab")


class MetricsPart(Part):
    """Metrics and alarms of both regions."""

    name = "metrics"

    def __init__(self, lab: LabContext) -> None:
        super().__init__(lab)
        self.store = MetricStore()
        self._task: asyncio.Task[None] | None = None
        self._unreadable: dict[str, str] = {}
        self._active: dict[tuple[str, str], float] = {}
        """(region, queue's URL) → when it last held a message"""

    async def start(self) -> None:
        """Begins to count and to look."""
        self.lab.observe(self._happened)
        self.lab.on_api("cloudwatch", ("PutMetricData",), self._put)
        self.lab.on_api("cloudwatch", ("GetMetricStatistics",), self._statistics)
        self.lab.on_api("cloudwatch", ("GetMetricData",), self._data)
        self.lab.on_api("cloudwatch", ("ListMetrics",), self._list)
        self._task = asyncio.create_task(self._rounds())

    async def stop(self) -> None:
        """Stops looking."""
        for hook in (self._put, self._statistics, self._data, self._list):
            self.lab.remove_hook(hook)
        if self._happened in self.lab.observers:
            self.lab.observers.remove(self._happened)
        if self._task:
            self._task.cancel()
        self._task = None

    async def health(self) -> Health:
        """Names the alarms that can't be evaluated."""
        if self._task is None or self._task.done():
            return Health(False, "the rounds ended")
        if self._unreadable:
            name, why = next(iter(self._unreadable.items()))
            return Health(True, f"alarm {name} can't be evaluated: {why}")
        return Health(True, f"{len(list(self.store.known()))} metrics")

    def _happened(self, event: Event) -> None:
        self._add(sources.data_of(event))

    def _add(self, data: Iterable[sources.Datum]) -> None:
        at = self.lab.clock.now()
        for region, namespace, name, dimensions, value in data:
            self.store.add(metric_key(region, namespace, name, dimensions), value, at)

    async def _rounds(self) -> None:
        while True:
            try:
                await asyncio.to_thread(self._look)
                await asyncio.to_thread(self._evaluate)
            except Exception:
                logger.exception("a round of metrics failed")
            await self.lab.clock.sleep(max(ROUND_SECONDS, 0.5 * self.lab.clock.factor))

    def _look(self) -> None:
        """Samples what no event reports: the parts' sources, targets, queues."""
        for source in list(self.lab.sources):
            for sample in source():
                self._add(sources.data_of(sample))
        for region in REGIONS:
            self._add(sources.of_targets(region, self._targets(region)))
            self._queues(region)

    def _targets(self, region: str) -> list[tuple[str, str, list[str]]]:
        client = self.lab.client("elbv2", region)
        found = []
        for group in client.describe_target_groups()["TargetGroups"]:
            described = client.describe_target_health(TargetGroupArn=group["TargetGroupArn"])
            # As the load balancer's own checks found, so no alarm comes sooner than AWS's.
            states = [
                target["TargetHealth"]["State"] for target in described["TargetHealthDescriptions"]
            ]
            suffix = group["TargetGroupArn"].rpartition(":")[2]
            for balancer in group.get("LoadBalancerArns", ()):
                found.append((balancer.partition(":loadbalancer/")[2], suffix, states))
        return found

    def _queues(self, region: str) -> None:
        client = self.lab.client("sqs", region)
        for url in client.list_queues().get("QueueUrls", ()):
            answer = client.get_queue_attributes(
                QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"]
            )
            visible = int(answer["Attributes"]["ApproximateNumberOfMessages"])
            now = self.lab.clock.now()
            if visible:
                self._active[region, url] = now
            elif now - self._active.get((region, url), -math.inf) > QUEUE_ACTIVE_SECONDS:
                continue
            self._add(sources.of_queue(region, url.rpartition("/")[2], visible))

    def _evaluate(self) -> None:
        self._unreadable = {}
        now = self.lab.clock.now()
        for region in REGIONS:
            if self.lab.outages.has_lost(region, OutageKind.API):
                # Its alarms neither turn nor act: what counts on them is blind (trap 11).
                continue
            client = self.lab.client("cloudwatch", region)
            states: dict[str, State] = {}
            alarms = client.describe_alarms(AlarmTypes=["MetricAlarm", "CompositeAlarm"])
            for alarm in alarms["MetricAlarms"]:
                name = alarm["AlarmName"]
                try:
                    states[name] = alarm_state(alarm, region, self.store, now)
                except (ValueError, KeyError) as error:
                    self._unreadable[name] = str(error)
                    states[name] = alarm["StateValue"]
                self._turn(client, alarm, states[name])
            self._evaluate_composites(client, list(alarms.get("CompositeAlarms", ())), states)

    def _evaluate_composites(
        self, client: Any, composites: list[Mapping[str, Any]], states: dict[str, State]
    ) -> None:
        """A composite alarm may watch others: those that can be read come first, until none is
        left or none can be."""
        while composites:
            unread: list[Mapping[str, Any]] = []
            for alarm in composites:
                name = alarm["AlarmName"]
                try:
                    states[name] = composite_state(alarm["AlarmRule"], states)
                except ValueError as error:
                    self._unreadable[name] = str(error)
                    unread.append(alarm)
                else:
                    self._unreadable.pop(name, None)
                    self._turn(client, alarm, states[name])
            if len(unread) == len(composites):
                return
            composites = unread

    def _turn(self, client: Any, alarm: Mapping[str, Any], state: State) -> None:
        if alarm["StateValue"] != state:
            reason = f"{alarm['StateValue']} to {state} at {self.lab.clock.utc_now().isoformat()}"
            try:
                client.set_alarm_state(
                    AlarmName=alarm["AlarmName"], StateValue=state, StateReason=reason
                )
            except ClientError as error:
                # Deleted since it was listed; the other alarms of the round must turn all the same.
                logger.info("alarm %s: %s", alarm["AlarmName"], error)

    async def _put(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        """Counts what the deployed programs publish. Time is the lab's, whatever they say."""
        namespace = request.parameters["Namespace"]
        _check_values(request.parameters["MetricData"])
        for datum in request.parameters["MetricData"]:
            dimensions = {item["Name"]: item["Value"] for item in datum.get("Dimensions", ())}
            key = metric_key(request.region, namespace, datum["MetricName"], dimensions)
            if given := datum.get("StatisticValues"):
                self.store.add_set(
                    key,
                    self.lab.clock.now(),
                    count=int(given["SampleCount"]),
                    total=float(given["Sum"]),
                    least=float(given["Minimum"]),
                    most=float(given["Maximum"]),
                )
                continue
            values = datum.get("Values") or [datum.get("Value", 0.0)]
            counts = datum.get("Counts") or [1.0] * len(values)
            for value, count in zip(values, counts, strict=True):
                for _ in range(int(count)):
                    self.store.add(key, float(value), self.lab.clock.now())
        return ApiResponse()

    def _window(self, asked: Mapping[str, Any]) -> tuple[float, float]:
        """From when to when (lab time) a call wants data. Programs whose clock is the machine's ask
        for what ends now: in a lab that is ahead they get what ends now there."""
        first, last = _seconds(asked["StartTime"]), _seconds(asked["EndTime"])
        ahead = self.lab.clock.now() - time.time()
        if ahead > NOW_SECONDS and abs(last - time.time()) <= NOW_SECONDS:
            return first + ahead, last + ahead
        return first, last

    async def _statistics(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        asked = request.parameters
        period = int(asked["Period"])
        key = _asked(request.region, asked)
        first, last = self._window(asked)
        points: dict[int, dict[str, Any]] = {}
        for statistic in asked.get("Statistics", ()):
            for start, value in self.store.series(key, statistic, period).items():
                if first <= start < last:
                    at = datetime.fromtimestamp(start, UTC)
                    point = points.setdefault(start, {"Timestamp": at, "Unit": "None"})
                    point[statistic] = value
        for percentile in asked.get("ExtendedStatistics", ()):
            for start, value in self.store.series(key, percentile, period).items():
                if first <= start < last:
                    at = datetime.fromtimestamp(start, UTC)
                    point = points.setdefault(start, {"Timestamp": at, "Unit": "None"})
                    point.setdefault("ExtendedStatistics", {})[percentile] = value
        return ApiResponse({"Label": key.name, "Datapoints": list(points.values())})

    async def _data(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        results = []
        first, last = self._window(request.parameters)
        for query in request.parameters["MetricDataQueries"]:
            stat = query.get("MetricStat")
            if not stat:
                continue  # the lab evaluates expressions in alarms only
            key = _asked(request.region, stat["Metric"])
            series = self.store.series(key, stat["Stat"], int(stat["Period"]))
            points = [item for item in series.items() if first <= item[0] < last]
            points.sort(reverse=request.parameters.get("ScanBy") != "TimestampAscending")
            results.append(
                {
                    "Id": query["Id"],
                    "Label": query.get("Label") or key.name,
                    "Timestamps": [datetime.fromtimestamp(start, UTC) for start, _ in points],
                    "Values": [value for _, value in points],
                    "StatusCode": "Complete",
                }
            )
        return ApiResponse({"MetricDataResults": results, "Messages": []})

    async def _list(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        asked = request.parameters
        metrics = [
            {
                "Namespace": key.namespace,
                "MetricName": key.name,
                "Dimensions": [{"Name": n, "Value": v} for n, v in sorted(key.dimensions)],
            }
            for key in self.store.known()
            if key.region == request.region
            and asked.get("Namespace", key.namespace) == key.namespace
            and asked.get("MetricName", key.name) == key.name
            and all(
                any(
                    wanted["Name"] == name and wanted.get("Value", value) == value
                    for name, value in key.dimensions
                )
                for wanted in asked.get("Dimensions", ())
            )
        ]
        return ApiResponse({"Metrics": metrics})


def _asked(region: str, metric: Mapping[str, Any]) -> MetricKey:
    dimensions = {item["Name"]: item["Value"] for item in metric.get("Dimensions", ())}
    return metric_key(region, metric["Namespace"], metric["MetricName"], dimensions)


def _check_values(data: Iterable[Mapping[str, Any]]) -> None:
    """CloudWatch takes neither NaN nor infinity, nor anything beyond ±2^360 (PutMetricData)."""
    for datum in data:
        given = (datum.get("StatisticValues") or {}).values()
        for value in (datum.get("Value", 0.0), *datum.get("Values", ()), *given):
            # NaN compares with nothing.
            if not abs(float(value)) <= LARGEST_VALUE:
                message = f"The value {value} for parameter MetricData.member.Value is invalid."
                raise ApiRefusal("InvalidParameterValue", message)


def _seconds(moment: Any) -> float:
    if isinstance(moment, datetime):
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return aware.timestamp()
    if isinstance(moment, str):
        return _seconds(datetime.fromisoformat(moment))
    return float(moment)
