"""The database-only path: us-east-1's database is dead, and everything else of it answers."""

from __future__ import annotations

import pytest
from application_client import ask, until
from deployed_lab import Lab
from recovery_state import Controller
from region_outage import EAST, WEST, writer_region

from lab import client
from recovery.model import Path

QUICK, CLOCK = 12.0, 5.0
"""A probe of a silent writer takes real seconds, so time is slower while there is one."""
REAL_SECONDS = 300.0


@pytest.mark.long
def test_a_dead_database_is_promoted_while_its_application_answers(own_lab: Lab) -> None:
    """H3: ``/health`` stays 200 and two instances can't be restarting for ten minutes;
    us-east-1's own ``/ready`` says *unreachable*, and us-west-2's controller promotes."""
    lab = own_lab
    west = Controller(lab, WEST)
    client.set_clock(lab.state_dir, QUICK)
    west.wait("armed", lambda state: state.armed, REAL_SECONDS)
    west.validate()
    west.wait(
        "validated",
        lambda state: state.validation is not None and state.validation.ready,
        REAL_SECONDS,
    )
    client.set_clock(lab.state_dir, CLOCK)
    client.outage(lab.state_dir, EAST, "database")
    state = west.wait(
        "promoted", lambda state: state.incident and state.incident.promoted, REAL_SECONDS
    )
    assert state.incident is not None
    assert (state.incident.path, writer_region(lab)) == (Path.DATABASE, WEST)
    assert [made["answer"] for made in west.outcomes("CallFailover")] == ["accepted"]
    assert ask(lab, "primary", "/health").status == 200
    body = {"patientId": "p-1", "type": "note", "data": {}}
    assert until(lambda: ask(lab, "primary", "/records", body).status == 201, REAL_SECONDS)
