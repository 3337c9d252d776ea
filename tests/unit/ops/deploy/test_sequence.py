"""The order of the layers, and running them in it."""

from __future__ import annotations

import threading
from concurrent.futures import Future, wait

import pytest

from ops.deploy import sequence
from ops.deploy.sequence import Outcome
from ops.errors import OperatorError
from pulumi_protocol.events import EngineError, Summary

CHAIN = {"network": (), "data": ("network",), "app": ("network", "data"), "global": ("data", "app")}
DIAMOND = {"base": (), "left": ("base",), "right": ("base",), "top": ("left", "right")}


def done(layer: str) -> Summary:
    """A work that succeeds at once."""
    return Summary(created=len(layer))


def test_order_follows_from_the_contracts() -> None:
    """N4: network → data → app → global is derived, not written (trap 34, atmos #2485)."""
    assert sequence.order(sequence.contract_graph()) == ["network", "data", "app", "global"]


def test_layers_that_read_each_other_in_a_circle_are_refused() -> None:
    """N4: a circle would wait forever."""
    with pytest.raises(ValueError, match="a, b read each other in a circle"):
        sequence.order({"a": ("b",), "b": ("a",)})


@pytest.mark.parametrize(
    ("first", "last", "layers"),
    [
        (None, None, ["network", "data", "app", "global"]),
        ("data", None, ["data", "app", "global"]),
        (None, "data", ["network", "data"]),
        ("app", "app", ["app"]),
    ],
)
def test_a_part_of_the_order(first: str | None, last: str | None, layers: list[str]) -> None:
    """N7: --from and --to take both ends in."""
    assert sequence.between(CHAIN, first, last) == layers


def test_a_part_that_ends_before_it_begins_is_one_line() -> None:
    """N7: the line says what the order is."""
    with pytest.raises(OperatorError, match="--from app comes after --to data: the order is netw"):
        sequence.between(CHAIN, "app", "data")


@pytest.mark.parametrize("layer", ["nework", ""])
def test_an_unknown_layer_is_one_line(layer: str) -> None:
    """First light: bad input names what there is."""
    with pytest.raises(OperatorError, match=r"unknown layer .* one of network → data"):
        sequence.known(CHAIN, layer)


def test_consumers_are_those_that_read_the_layer() -> None:
    """Trap 35: nothing notifies dependants of a change upstream, so the driver must know them."""
    assert sequence.consumers(CHAIN, "data") == ["app", "global"]
    assert sequence.consumers(CHAIN, "global") == []


@pytest.mark.parametrize("reverse", [False, True])
def test_every_layer_runs_once_in_order(reverse: bool) -> None:
    """N7: upstream first on the way up, consumers first on the way down."""
    ran: list[str] = []

    def work(layer: str) -> Summary:
        ran.append(layer)
        return done(layer)

    results = sequence.run(CHAIN, list(CHAIN), work, reverse=reverse)
    expected = list(CHAIN)[::-1] if reverse else list(CHAIN)
    assert ran == expected
    assert [result.layer for result in results] == expected
    assert all(result.outcome is Outcome.DONE for result in results)
    assert results[0].summary == done(expected[0])


@pytest.mark.parametrize("reverse", [False, True])
def test_independent_layers_run_side_by_side(reverse: bool) -> None:
    """architecture.md, Contracts: left and right meet at a barrier, which one after the other never
    would."""
    meeting = threading.Barrier(2, timeout=10)
    ran: list[str] = []

    def work(layer: str) -> Summary:
        if layer in ("left", "right"):
            meeting.wait()
        ran.append(layer)
        return Summary()

    sequence.run(DIAMOND, list(DIAMOND), work, reverse=reverse)
    assert (ran[0], ran[-1]) == (("top", "base") if reverse else ("base", "top"))


def test_a_layer_waits_for_upstreams_beyond_those_left_out() -> None:
    """N7: with data left out, app still comes after network."""
    ran: list[str] = []

    def work(layer: str) -> Summary:
        ran.append(layer)
        return Summary()

    sequence.run({"a": (), "b": ("a",), "c": ("b",)}, ["c", "a"], work)
    assert ran == ["a", "c"]


@pytest.mark.parametrize("failing", list(CHAIN))
@pytest.mark.parametrize("reverse", [False, True])
def test_a_failure_in_any_layer_starts_nothing_after_it(failing: str, reverse: bool) -> None:
    """N7: what came before is done, what comes after wasn't started, and both are reported."""

    def work(layer: str) -> Summary:
        if layer == failing:
            raise EngineError(f"{layer}: no")
        return Summary()

    results = sequence.run(CHAIN, list(CHAIN), work, reverse=reverse)
    at = [result.layer for result in results].index(failing)
    outcomes = [result.outcome for result in results]
    assert outcomes[:at] == [Outcome.DONE] * at
    assert outcomes[at] is Outcome.FAILED
    assert outcomes[at + 1 :] == [Outcome.NOT_STARTED] * (len(CHAIN) - at - 1)
    assert str(results[at].error) == f"{failing}: no"


def test_a_failure_lets_the_layer_beside_it_finish() -> None:
    """N7: a layer half deployed because its neighbour failed would be the worse end."""
    failed = threading.Event()

    def work(layer: str) -> Summary:
        if layer == "left":
            failed.set()
            raise EngineError("no")
        if layer == "right":
            assert failed.wait(10)
        return Summary()

    outcomes = {r.layer: r.outcome for r in sequence.run(DIAMOND, list(DIAMOND), work)}
    assert outcomes == {
        "base": Outcome.DONE,
        "left": Outcome.FAILED,
        "right": Outcome.DONE,
        "top": Outcome.NOT_STARTED,
    }


def test_ctrl_c_ends_the_running_layer_and_starts_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """N7: each Ctrl-C is counted and reported; the layer that ends with an error by it counts as
    interrupted, not as failed."""
    counted: list[int] = []
    stop = threading.Event()
    presses = iter([True, True, False])

    def waiting(futures: list[Future[object]], **options: object) -> object:
        if next(presses, False):
            raise KeyboardInterrupt
        return wait(futures, **options)  # type: ignore[arg-type]

    def interrupt(times: int) -> None:
        counted.append(times)
        stop.set()

    def work(layer: str) -> Summary:
        assert stop.wait(10)
        raise EngineError(f"{layer}: interrupted")

    monkeypatch.setattr(sequence, "wait", waiting)
    results = sequence.run(CHAIN, ["network", "data"], work, interrupt=interrupt)
    assert counted == [1, 2]
    assert [r.outcome for r in results] == [Outcome.INTERRUPTED, Outcome.NOT_STARTED]


def test_a_layer_that_finishes_although_interrupted_is_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """N7: the report says what is, not what was wished."""
    pressed = iter([True])

    def waiting(futures: list[Future[object]], **options: object) -> object:
        if next(pressed, False):
            raise KeyboardInterrupt
        return wait(futures, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(sequence, "wait", waiting)
    results = sequence.run(CHAIN, ["network", "data"], done)
    assert [r.outcome for r in results] == [Outcome.DONE, Outcome.NOT_STARTED]


def test_finished_layers_are_reported_as_they_finish() -> None:
    """R9.6: progress while it works, and not only a table at the end."""
    ended: list[str] = []
    sequence.run(CHAIN, list(CHAIN), done, finished=lambda result: ended.append(result.layer))
    assert ended == list(CHAIN)


def test_nothing_to_run_is_no_fault() -> None:
    """N7: an empty choice answers an empty report."""
    assert sequence.run(CHAIN, [], done) == []


def test_ctrl_c_while_a_result_is_reported_reaches_the_work_too() -> None:
    """N7: an interruption has no moment in which it's lost, and no result is lost by it."""
    presses: list[int] = []
    ended: list[str] = []

    def finished(result: sequence.LayerResult) -> None:
        ended.append(result.layer)
        raise KeyboardInterrupt

    results = sequence.run(
        CHAIN, ["network", "data"], done, interrupt=presses.append, finished=finished
    )
    assert (presses, ended) == ([1], ["network"])
    assert [r.outcome for r in results] == [Outcome.DONE, Outcome.NOT_STARTED]


def test_a_library_that_exits_ends_its_layer_alone() -> None:
    """N7: SystemExit in a layer's thread is that layer's failure; the sequence reports all."""

    def work(layer: str) -> Summary:
        raise SystemExit(1)

    first, second, *_ = sequence.run(CHAIN, ["network", "data"], work)
    assert (first.outcome, second.outcome) == (Outcome.FAILED, Outcome.NOT_STARTED)
    assert isinstance(first.error, SystemExit)
