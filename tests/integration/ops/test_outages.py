"""Regions that die under load, in a lab of their own."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from application_client import post_record, until
from deployed_lab import Lab
from faults import FAULTS
from lab_copies import a_deployed_lab
from region_outage import EAST, WEST, Outage, endure, leave_to_people, switch_over
from traffic import front_door_of, writing

from lab import client

CLOCK = 20
BREAKER_PAUSE_SECONDS = 2.5
"""``PAUSE_MILLISECONDS`` of the application's breaker, and a little."""
BREAKER_PAUSES = 4
"""A server that is restarted under its connections may open it more than once."""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """All four layers in a lab whose regions may die."""
    with a_deployed_lab(tmp_path_factory.mktemp("outages")) as made:
        leave_to_people(made)
        client.set_clock(made.state_dir, CLOCK)
        yield made


@pytest.mark.parametrize(
    "part",
    [
        pytest.param(None, marks=pytest.mark.long),
        pytest.param("database", marks=pytest.mark.long),
        pytest.param("compute", marks=pytest.mark.long),
    ],
)
def test_the_front_door_serves_again_and_nothing_older_than_the_lag_is_lost(
    lab: Lab, part: str | None
) -> None:
    """N2, R3.2, traps 7, 10 and 14: us-east-1 dies as a whole, or loses its database or its
    functions, at clock 20; writes continue, acknowledged records stay, both regions come back in
    sync, and traffic comes home. In every run a lost region is recovered (``test_recovery``), and a
    drill takes the functions away under load (``test_drill``)."""
    with writing(front_door_of(lab)) as load:
        report = endure(lab, load, Outage(EAST, part))
    assert report.unexcused == 0, report
    assert report.in_sync, report


def test_a_switchover_costs_no_request_once_it_is_done(lab: Lab) -> None:
    """R2.4, traps 7 and 8: the pooled connections lead to the demoted writer, which answers 25006
    or hangs up; the application asks anew, once. Only the schedule's own request that met the dead
    writer on the way may keep the breaker open, for its pause of 2 s (H27)."""
    for to in (WEST, EAST):
        for role in ("primary", "secondary"):
            assert until(lambda role=role: post_record(lab, role).status == 201, 20)
        switch_over(lab, to)
        for role in ("primary", "secondary"):
            # A breaker that is open answers 503 at once; each of its pauses is one try.
            answers = []
            while len(answers) < BREAKER_PAUSES and 201 not in answers:
                answers.append(post_record(lab, role).status)
                if answers[-1] == 503:
                    time.sleep(BREAKER_PAUSE_SECONDS)
            assert answers[-1] == 201, (to, role, answers)


# What is broken on purpose below shows as a failed check: the lab tests the programs, not itself.
# Each check holds before, fails while broken, and holds again once repaired.


SAMPLE = ("replication role without a permission",)
"""What every run of the tests breaks; the others are in ``./inv bench scenarios``."""


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name in SAMPLE else pytest.mark.long) for name in FAULTS],
)
def test_a_broken_deployment_fails_its_check(lab: Lab, name: str) -> None:
    """R3.2, R4.2, R5.1, R7.2, traps 12, 14, 21, 24, 26 and 27: seen by the lab's behaviour."""
    fault = FAULTS[name](lab)
    assert fault.check(), f"{name}: the healthy deployment fails the check"
    fault.break_it()
    try:
        assert not fault.check(), f"{name}: broken, and the check doesn't see it"
    finally:
        fault.repair()
    assert until(fault.check, 30), f"{name}: repaired, and the check still fails"
