"""Figures from the clients' side: when recovery ends, and corrected latencies."""

from __future__ import annotations

from dataclasses import replace

import pytest
from drill_histories import EAST, LOSS_AT, WEST, recovered_course, request, written
from hypothesis import given, settings
from hypothesis import strategies as st

from ops.drill import measure
from ops.drill.history import History, Kind, Seen


def test_the_figures_of_a_recovered_region() -> None:
    """Issue 20.4: detection, DNS, first success, writer, promotion, and both RTOs."""
    found = measure.figures(recovered_course(traffic=120, writes=260), LOSS_AT)
    assert (found.detection, found.dns_switch, found.promotion) == (70.0, 100.0, 2.0)
    assert found.first_success == pytest.approx(120.05)
    assert found.writer_regained == pytest.approx(260.1)
    assert found.traffic == {"honest": pytest.approx(120.0, abs=0.5)}
    assert found.writes == {"honest": pytest.approx(260.0, abs=0.5)}
    assert found.served_by == WEST
    assert found.as_dict()["served_by"] == WEST


def test_a_region_that_is_read_back_is_no_population() -> None:
    """Issue 20.2: figures are the clients', and a read-back names the region that was asked."""
    history = recovered_course()
    history.add(request(300.0, kind=Kind.READ_BACK, population=WEST))
    assert measure.figures(history, LOSS_AT).traffic.keys() == {"honest"}


def test_what_never_came_is_none() -> None:
    """An empty history has no figure, and nobody who serves."""
    found = measure.figures(History(), LOSS_AT)
    assert (found.traffic, found.served_by, found.first_success) == ({}, "", None)


def test_requests_that_never_failed_are_recovered_at_once() -> None:
    """A planned change that nobody notices has an RTO of 0."""
    calm = [request(float(at)) for at in range(200)]
    assert measure.recovered_after(calm, 100.0) == 0.0


def test_recovery_needs_a_whole_minute() -> None:
    """99 % succeed for 60 s: what was watched for less, or broke in between, isn't recovered."""
    down = [request(100.0 + at, ok=at >= 30) for at in range(200)]
    assert measure.recovered_after(down, 100.0, 300.0) == pytest.approx(30.0)
    assert measure.recovered_after(down, 100.0, 185.0) is None
    flapping = [request(100.0 + at, ok=at % 50 >= 5) for at in range(400)]
    assert measure.recovered_after(flapping, 100.0, 500.0) is None
    assert measure.recovered_after([], 100.0) is None
    rare = [request(100.0 + 20 * at) for at in range(10)]
    assert measure.recovered_after(rare, 100.0, 300.0) is None


@pytest.mark.no_cover
@settings(deadline=None)
@given(st.lists(st.booleans(), min_size=90, max_size=160))
def test_recovery_is_what_it_says(answers: list[bool]) -> None:
    """From the answered moment on 99 % of the next minute's requests succeed."""
    asked = [request(float(at), ok) for at, ok in enumerate(answers)]
    found = measure.recovered_after(asked, 0.0, float(len(answers)))
    if found is not None:
        window = [one.ok for one in asked if found <= one.due < found + 60]
        assert sum(window) >= 0.99 * len(window)


def test_a_steady_state_is_one_of_requests_and_writes() -> None:
    """Nothing is measured from a system that didn't serve before."""
    course = recovered_course().operations
    assert measure.steady(course, LOSS_AT, 20.0)
    assert not measure.steady([one for one in course if one.kind is Kind.READ], LOSS_AT, 20.0)
    assert not measure.steady(course, LOSS_AT + 10, 20.0)
    # What the loss takes with it was no failure before it; what had hung for long was one.
    lost = [*course, request(LOSS_AT - 0.5, ok=False, ended=LOSS_AT + 5)]
    assert measure.steady(lost, LOSS_AT, 20.0)
    hung = [*course, request(LOSS_AT - 5, ended=LOSS_AT + 5)]
    assert not measure.steady(hung, LOSS_AT, 20.0)


def test_few_requests_are_judged_by_the_last_of_them() -> None:
    """Issue 20.2: at a low rate too few are due in the steady time to say anything: the last five
    speak for it."""
    reads = [request(float(at)) for at in range(40)]
    writes = [replace(request(10.0 * at), kind=Kind.WRITE) for at in range(5)]
    assert measure.steady([*reads, *writes], 45.0, 20.0)
    assert not measure.steady([*reads, *writes[1:]], 45.0, 20.0)
    failed = replace(request(0.0, ok=False), kind=Kind.WRITE)
    assert not measure.steady([*reads, failed, *writes[1:]], 45.0, 20.0)


def test_the_generator_and_its_latencies() -> None:
    """Corrected: from when a request was due, however late it could be sent."""
    late = replace(request(10.0), began=10.4, ended=10.5)
    retried = replace(request(11.0), began=19.0, ended=19.5, attempt=2)
    assert measure.lateness([late, retried]) == pytest.approx(0.4)
    found = measure.latency([late, retried, request(12.0, ok=False)])
    assert found.longest == found.p50 == pytest.approx(0.5)
    assert measure.latency([]).longest == 0.0
    assert measure.percentile([1.0, 2.0, 3.0, 4.0], 0.5) == 2.0


def test_seconds_are_sorted_for_the_plots() -> None:
    """Succeeded, failed and the slowest, each two seconds; retries aren't counted again."""
    operations = [request(0.5), request(1.5, ok=False), request(2.5), written(1),
                  replace(request(0.7), attempt=2)]  # fmt: skip
    assert measure.by_second(operations, Kind.READ, 2) == [
        (0, 1, 1, pytest.approx(0.05)), (2, 1, 0, pytest.approx(0.05)),
    ]  # fmt: skip


def test_the_writer_that_is_not_known_has_not_moved() -> None:
    """A promotion is seen by who writes, not by nobody's answer."""
    history = recovered_course()
    history.seen = [
        one for one in history.seen if one.source != "writer"
    ] + [Seen(110.0, "writer", "unknown"), Seen(300.0, "writer", WEST)]  # fmt: skip
    assert measure.figures(history, LOSS_AT).promotion == 0.0


def test_a_success_elsewhere_is_the_first_one_even_without_a_failure() -> None:
    """A client that was served by the other region has switched."""
    history = History(operations=[request(1.0), request(150.0, region=WEST)])
    found = measure.figures(history, LOSS_AT)
    assert found.first_success == pytest.approx(50.05)
    stayed = History(operations=[request(1.0), request(150.0, region=EAST)])
    assert measure.figures(stayed, LOSS_AT).first_success is None
