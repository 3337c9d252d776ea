"""Calls side by side, each bounded: what comes late is left to end by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any


def side_by_side(calls: Mapping[str, Callable[[], Any]], seconds: float) -> dict[str, Future[Any]]:
    """Returns each call's future after at most ``seconds``: ended, cancelled or under way."""
    pool = ThreadPoolExecutor(len(calls), thread_name_prefix="call")
    futures = {name: pool.submit(call) for name, call in calls.items()}
    wait(futures.values(), timeout=seconds)
    pool.shutdown(wait=False, cancel_futures=True)
    return futures
