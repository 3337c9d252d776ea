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

import psutil
from bench import Measurements, deployed_lab, processor_seconds
from deployed_lab import Lab
from traffic import ask_front_door, front_door_of

from lab import client

WRITES = 20_000
WARM_UP = 5_000
"""The lab keeps the last 2,000 events of each archive and lines of each log; memory is looked at
from when they are full."""
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


def held(lab: Lab) -> tuple[int, float]:
    """(descriptors, MB of memory) of the lab's own process, once its clients have gone."""
    time.sleep(SETTLE_SECONDS)
    process = psutil.Process(client.status(lab.state_dir).pid)
    return process.num_fds(), process.memory_full_info().uss / 1e6


def main(writes: int) -> None:
    """Warm up, measure, write, measure again."""
    found = Measurements("soak")
    with deployed_lab() as lab, ThreadPoolExecutor(CONCURRENCY) as pool:
        front_door = front_door_of(lab)
        statuses = list(pool.map(write, [front_door] * WARM_UP))
        descriptors, memory = held(lab)
        before, own = processor_seconds(lab), time.process_time()
        begun = time.monotonic()
        statuses += pool.map(write, [front_door] * writes)
        took = time.monotonic() - begun
        used = {"the clients": time.process_time() - own}
        used |= {kind: spent - before[kind] for kind, spent in processor_seconds(lab).items()}
        descriptors_after, memory_after = held(lab)
        for kind, spent in used.items():
            found.add(f"processor of a write, {kind}", 1000 * spent / writes, "ms")
        found.add(f"writes in a second, where {AIM} are aimed at", writes / took, "/s")
        failed = Counter(status for status in statuses if status != 201)
        found.hold(
            "no write failed", not failed, ", ".join(f"{n} x {s}" for s, n in failed.items())
        )
        found.add("descriptors at the beginning", descriptors, "")
        found.add("descriptors at the end", descriptors_after, "", descriptors * GROWTH)
        found.add("memory at the beginning", memory, "MB")
        found.add("memory at the end", memory_after, "MB", memory * GROWTH)
    found.end()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else WRITES)
