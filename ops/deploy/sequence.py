"""The order of the layers, and running something over them in it.

The order follows from what each layer reads (``tapstack.contracts.LAYERS``): a layer starts when
all that it reads is done, so layers that don't depend on each other run side by side. Taking down
runs the other way. After a failure or an interruption nothing new starts, what runs may finish,
and the report says for every layer whether it is done.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from enum import StrEnum

from ops.errors import bad_input
from pulumi_protocol.events import Summary

Graph = Mapping[str, tuple[str, ...]]
"""layer → the layers that it reads"""


class Outcome(StrEnum):
    """What became of one layer."""

    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    NOT_STARTED = "not started"


@dataclass(frozen=True)
class LayerResult:
    """One layer's part in a sequence."""

    layer: str
    outcome: Outcome
    summary: Summary = Summary()
    seconds: float = 0.0
    error: BaseException | None = None


def contract_graph() -> Graph:
    """What each layer reads, from the contracts."""
    from tapstack.contracts import LAYERS

    return {name: layer.reads for name, layer in LAYERS.items()}


def order(graph: Graph) -> list[str]:
    """Upstream first; layers that could go side by side stay in the order they are listed."""
    done: list[str] = []
    left = list(graph)
    while left:
        ready = [layer for layer in left if set(graph[layer]) <= set(done)]
        if not ready:
            raise ValueError(f"the layers {', '.join(left)} read each other in a circle")
        done += ready
        left = [layer for layer in left if layer not in ready]
    return done


def chosen(graph: Graph, layer: str | None, first: str = "", last: str = "") -> list[str]:
    """That layer alone; ``None``: all, or those from ``first`` to ``last``, in their order."""
    return between(graph, first or None, last or None) if layer is None else [known(graph, layer)]


def between(graph: Graph, first: str | None = None, last: str | None = None) -> list[str]:
    """The layers from ``first`` to ``last`` of the order, both included."""
    layers = order(graph)
    for layer in (first, last):
        if layer is not None:
            known(graph, layer)
    start = layers.index(first) if first else 0
    end = layers.index(last) if last else len(layers) - 1
    if start > end:
        raise bad_input(f"--from {first} comes after --to {last}: the order is {_chain(layers)}")
    return layers[start : end + 1]


def known(graph: Graph, layer: str) -> str:
    """The layer, if there is one of that name; otherwise one line with those there are."""
    if layer not in graph:
        raise bad_input(f"unknown layer {layer or '(none)'}: --layer is one of {_chain(graph)}")
    return layer


def consumers(graph: Graph, layer: str) -> list[str]:
    """The layers that read this one."""
    return [name for name in order(graph) if layer in graph[name]]


def run(
    graph: Graph,
    layers: Sequence[str],
    work: Callable[[str], Summary],
    *,
    reverse: bool = False,
    interrupt: Callable[[int], None] = lambda _times: None,
    finished: Callable[[LayerResult], None] = lambda _result: None,
) -> list[LayerResult]:
    """Runs ``work`` over the layers in their order (``reverse``: consumers first).

    ``work`` runs in a thread of its own for each layer. ``interrupt`` is called with 1, 2, … at
    each Ctrl-C: it asks the running work to end. Returns one result a layer, in the order of
    running.
    """
    waits = _prerequisites(graph, layers, reverse)
    sequence = [name for name in order(graph) if name in waits]
    if reverse:
        sequence.reverse()
    results: dict[str, LayerResult] = {}
    running: dict[Future[LayerResult], str] = {}
    interrupted = 0
    with ThreadPoolExecutor(max_workers=max(len(sequence), 1)) as threads:
        while True:
            # A Ctrl-C may come at any step, even in `finished`: it must reach the work.
            try:
                going = not interrupted and all(r.error is None for r in results.values())
                for layer in sequence if going else ():
                    begun = layer in results or layer in running.values()
                    if not begun and waits[layer] <= set(results):
                        running[threads.submit(_timed, layer, work)] = layer
                if not running:
                    break
                ended, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in ended:
                    result = future.result()
                    if result.error is not None and interrupted:
                        result = replace(result, outcome=Outcome.INTERRUPTED)
                    results[running[future]] = result
                    del running[future]
                    finished(result)
            except KeyboardInterrupt:
                interrupted += 1
                interrupt(interrupted)
    return [results.get(layer, LayerResult(layer, Outcome.NOT_STARTED)) for layer in sequence]


def _timed(layer: str, work: Callable[[str], Summary]) -> LayerResult:
    started = time.monotonic()
    try:
        summary = work(layer)
    except (Exception, SystemExit) as error:  # a library's exit ends its layer, and no more
        return LayerResult(layer, Outcome.FAILED, seconds=time.monotonic() - started, error=error)
    return LayerResult(layer, Outcome.DONE, summary, time.monotonic() - started)


def _prerequisites(graph: Graph, layers: Iterable[str], reverse: bool) -> dict[str, set[str]]:
    """layer → the chosen layers that must be done before it (also through layers left out)."""
    chosen = set(layers)
    before = {layer: _upstream(graph, layer) & chosen for layer in chosen}
    if not reverse:
        return before
    return {layer: {other for other in chosen if layer in before[other]} for layer in chosen}


def _upstream(graph: Graph, layer: str) -> set[str]:
    found: set[str] = set()
    waiting = list(graph[layer])
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += graph[name]
    return found


def _chain(layers: Iterable[str]) -> str:
    return " → ".join(layers)
