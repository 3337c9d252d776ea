"""A sample of ``./inv bench faults``: one kill of the driver, one of the lab, one throttling."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Callable

import deploy_faults
import psutil
from deploy_faults import Slot, ids
from deployed_lab import Lab
from killing import census

from lab import client

LAYER = "network"
UP, DESTROY = Slot("up", LAYER), Slot("destroy", LAYER)


def test_faults_leave_nothing_behind_and_nothing_lost(make_lab: Callable[[], Lab]) -> None:
    """A deployment that is throttled and whose driver is killed, and a destroy whose lab
    is killed, end well when given again. What was acknowledged stays; a resource made twice would
    be left by the destroy. Nothing is silent, nothing prints a traceback."""
    lab = make_lab()
    lab.up()
    client.inject(lab.state_dir, ["*"], "ThrottlingException")
    up = deploy_faults.play(lab, UP, 40, deploy_faults.kill_driver, Counter())
    assert up.struck
    assert (up.lost, up.silences, up.wrong) == (0, 0, [])
    assert up.orphans == census(lab).total() > 50  # each counts: none is expected here
    assert client.injected(lab.state_dir)["ec2:CreateVpc"] == 1
    assert len(ids(lab, LAYER)) > 100
    assert _addresses(lab) <= {"127.0.0.1", "::1"}
    down = deploy_faults.play(lab, DESTROY, 60, deploy_faults.kill_lab, Counter())
    assert down.struck
    assert down.good, down


def _addresses(lab: Lab) -> set[str]:
    """Where the lab's processes listen."""
    server = psutil.Process(client.status(lab.state_dir).pid)
    listening = {
        connection.laddr.ip
        for process in (server, *server.children(recursive=True))
        for connection in process.net_connections()
        if connection.status == psutil.CONN_LISTEN or connection.type == socket.SOCK_DGRAM
    }
    assert listening
    return listening


def test_a_fault_that_does_harm_is_seen(make_lab: Callable[[], Lab]) -> None:
    """The check can fail: something made beside the state is an orphan, and what is gone from AWS
    is lost."""
    lab = make_lab()
    lab.up()
    expected: Counter[tuple[str, str]] = Counter({("us-east-1", "ec2"): 1})
    outcome = deploy_faults.Outcome()
    deploy_faults._judge(lab, UP, outcome, deploy_faults.Run(), {"urn": "id"}, expected)
    assert (outcome.orphans, outcome.lost) == (0, 2)
    assert not outcome.good
