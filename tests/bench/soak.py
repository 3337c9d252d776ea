"""``./inv bench soak``: 20,000 writes at concurrency 64 through the front door; afterwards the
lab's process holds what it held before, once its archives and logs were full.

Each write is a request through DNS, load balancer and function, a transaction, and an event that
reaches both regions' consumers: what a write takes of a processor, and where, is printed beside how
many come through in a second.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from statistics import median

import psutil
from bench import Measurements, Samples, deployed_lab, processor_seconds
from traffic import ask_front_door, front_door_of

from lab import client

WRITES = 20_000
WARM_UP = 10_000
"""The lab keeps the last 2,000 events of each archive and lines of each log stream, and each worker
of a function has one, which gets four lines a write; memory is looked at once they are full."""
CONCURRENCY = 64
GROWTH = 1.10
AIM = 120
"""Writes in a second that are aimed at, and that two cores can't make as long as a write takes more
than 16 ms of a processor (docs/lab.md)."""
SETTLE_SECONDS = 10.0
PATIENCE_SECONDS = 60.0
"""As long as a load balancer keeps an idle connection, which is its default."""


def write(front_door: str) -> int:
    """The status of one write; 0 when there was no answer."""
    body = {"patientId": "patient-1", "type": "note", "data": {"text": "stable"}}
    return ask_front_door(front_door, "/records", body, PATIENCE_SECONDS).status


def memory(process: psutil.Process) -> float:
    """MB of the lab's own process, once its clients have gone."""
    time.sleep(SETTLE_SECONDS)
    return process.memory_full_info().uss / 1e6


def main(writes: int) -> None:
    """Warm up, measure, write, measure again.

    Connections to functions come and go by a third of all descriptors, so the median of the first
    writes is compared with the last ones'.
    """
    found = Measurements("soak")
    with deployed_lab() as lab, ThreadPoolExecutor(CONCURRENCY) as pool:
        front_door = front_door_of(lab)
        process = psutil.Process(client.status(lab.state_dir).pid)
        with Samples(process.num_fds) as first:
            statuses = list(pool.map(write, [front_door] * WARM_UP))
        memory_before = memory(process)
        before, own = processor_seconds(lab), time.process_time()
        begun = time.monotonic()
        statuses += pool.map(write, [front_door] * max(writes - WARM_UP, 0))
        with Samples(process.num_fds) as last:
            statuses += pool.map(write, [front_door] * min(writes, WARM_UP))
        took = time.monotonic() - begun
        used = {"the clients": time.process_time() - own}
        used |= {kind: spent - before[kind] for kind, spent in processor_seconds(lab).items()}
        memory_after = memory(process)
        for kind, spent in used.items():
            found.add(f"processor of a write, {kind}", 1000 * spent / writes, "ms")
        found.add(f"writes in a second, where {AIM} are aimed at", writes / took, "/s")
        failed = Counter(status for status in statuses if status != 201)
        found.hold(
            "no write failed", not failed, ", ".join(f"{n} x {s}" for s, n in failed.items())
        )
        descriptors = median(first.values), median(last.values)
        found.add(f"descriptors, median of the first {WARM_UP}", descriptors[0], "")
        found.add(
            f"descriptors, median of the last {WARM_UP}",
            descriptors[1],
            "",
            descriptors[0] * GROWTH,
        )
        found.add("memory at the beginning", memory_before, "MB")
        found.add("memory at the end", memory_after, "MB", memory_before * GROWTH)
    found.end()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else WRITES)
