"""Metrics kept by region, namespace, name and dimensions, in one-minute buckets of lab time."""

import math
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

MINUTE = 60
KEPT_MINUTES = 240
PERCENTILE_SAMPLES = 500
"""Values kept a minute for percentiles; sums and extremes count all."""

Series = dict[int, float]
"""Start of a period (seconds since the epoch, lab time) → statistic."""


@dataclass(frozen=True)
class MetricKey:
    """One metric, as CloudWatch distinguishes them."""

    region: str
    namespace: str
    name: str
    dimensions: frozenset[tuple[str, str]]


def metric_key(region: str, namespace: str, name: str, dimensions: Mapping[str, str]) -> MetricKey:
    """A key from a plain map of dimensions."""
    return MetricKey(region, namespace, name, frozenset(dimensions.items()))


@dataclass
class Bucket:
    """The values of one minute."""

    start: int
    count: int = 0
    total: float = 0.0
    least: float = math.inf
    most: float = -math.inf
    samples: list[float] = field(default_factory=list)

    def add(self, value: float) -> None:
        """Counts one value."""
        self.count += 1
        self.total += value
        self.least = min(self.least, value)
        self.most = max(self.most, value)
        if len(self.samples) < PERCENTILE_SAMPLES:
            self.samples.append(value)


class MetricStore:
    """Everything measured, for as long as the longest alarm looks back."""

    def __init__(self) -> None:
        self._buckets: dict[MetricKey, deque[Bucket]] = {}

    def add(self, key: MetricKey, value: float, at: float) -> None:
        """Records ``value`` at lab time ``at`` (seconds)."""
        self._bucket(key, at).add(value)

    def add_set(
        self, key: MetricKey, at: float, *, count: int, total: float, least: float, most: float
    ) -> None:
        """Records a statistic set at lab time ``at``: values known by their summary alone."""
        bucket = self._bucket(key, at)
        bucket.count += count
        bucket.total += total
        bucket.least, bucket.most = min(bucket.least, least), max(bucket.most, most)

    def _bucket(self, key: MetricKey, at: float) -> Bucket:
        start = int(at // MINUTE) * MINUTE
        buckets = self._buckets.setdefault(key, deque(maxlen=KEPT_MINUTES))
        for bucket in reversed(buckets):
            if bucket.start == start:
                return bucket
            if bucket.start < start:
                break
        buckets.append(Bucket(start))
        return buckets[-1]

    def known(self) -> Iterable[MetricKey]:
        """Every metric that has a value."""
        return list(self._buckets)

    def series(self, key: MetricKey, statistic: str, period: int) -> Series:
        """A metric's statistic by periods of ``period`` seconds."""
        grouped: dict[int, list[Bucket]] = {}
        for bucket in list(self._buckets.get(key, ())):
            if bucket.count:
                grouped.setdefault(bucket.start // period * period, []).append(bucket)
        computed = {start: _statistic(found, statistic) for start, found in grouped.items()}
        return {start: value for start, value in computed.items() if value is not None}


def _statistic(buckets: list[Bucket], statistic: str) -> float | None:
    """None for a percentile of statistic sets, which hold no values to rank."""
    count = sum(bucket.count for bucket in buckets)
    total = sum(bucket.total for bucket in buckets)
    values = {
        "SampleCount": count,
        "Sum": total,
        "Average": total / count,
        "Minimum": min(bucket.least for bucket in buckets),
        "Maximum": max(bucket.most for bucket in buckets),
    }
    if statistic in values:
        return float(values[statistic])
    if statistic.startswith("p"):
        samples = sorted(value for bucket in buckets for value in bucket.samples)
        if not samples:
            return None
        rank = math.ceil(float(statistic[1:]) / 100 * len(samples)) - 1
        return samples[max(rank, 0)]
    raise ValueError(f"the lab doesn't compute the statistic {statistic}")
