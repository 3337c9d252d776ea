"""``./inv recovery.status``: the document of docs/names.md, of the controller that guards."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from recovery_tables import Table, Tables, lost
from watched_driver import stack_file

from ops.cloud.clients import Clients
from ops.recovery import standing
from ops.workspace import Workspace
from recovery.model import GlobalSeen, Incident, Seen, Stage, State, Streak
from recovery.model import Path as Way
from recovery.observation import Reader, Ready, Validation, Value, Witness

MINUTE = 40_000_000
SPACE = Workspace(Path("/nowhere"), Path("/nowhere"))
SEEN = Seen(MINUTE, Value.ALIVE, Ready.READY, Witness.PRIMARY, Value.ALIVE, Value.ALIVE)
VALID = Validation(MINUTE, True, True, True, True, "16.8", notes=("backup: none yet",))
ARMED = State(
    version=3, last_minute=MINUTE, armed=True, reason="the other region lives", history=(SEEN,),
    reader=Reader(1, 2, 3, 4, 1), validation=VALID,
    global_seen=GlobalSeen(MINUTE, own_member=True, own_writer=False, failover_state=""),
)  # fmt: skip
IDLE = State(version=3, last_minute=MINUTE)
KEYS = [
    "region", "mode", "effective_mode", "state", "epoch", "writer", "signals", "lag_ms", "hold",
    "freeze", "readiness", "last_decision", "journal", "unknown",
]  # fmt: skip


def shown(
    capsys: pytest.CaptureFixture[str], east: Table, west: Table, *, as_json: bool = True
) -> Any:
    """What is printed for these tables."""
    clients = cast(Clients, Tables(east, west))
    standing.show(SPACE, stack_file(), clients, as_json)
    out = capsys.readouterr().out
    return json.loads(out) if as_json else out


def test_the_guarding_controller_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """names.md: every field, of the region whose controller is armed."""
    west = Table(ARMED)
    west.journal = [
        {"number": number, "kind": "decision", "body": json.dumps({"stage": "watching"})}
        for number in range(1, 13)
    ]
    found = shown(capsys, Table(IDLE), west)
    assert list(found) == KEYS
    assert found["region"] == "us-west-2"
    assert found["effective_mode"] == {"mode": "automatic", "reasons": []}
    assert (found["mode"], found["state"], found["epoch"]) == ("automatic", "watching", 1)
    assert (found["writer"], found["lag_ms"]) == ("us-east-1", 4000)
    assert set(found["signals"].values()) == {"alive"}
    assert found["readiness"] == {"score": 1, "reasons": [], "notes": ["backup: none yet"]}
    assert [entry["number"] for entry in found["journal"]] == list(range(12, 2, -1))
    assert found["journal"][0]["body"] == {"stage": "watching"}


def test_why_the_mode_is_less_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """Issue 18.2: without a validation nothing is promoted, and the reason stands there."""
    lines = shown(capsys, Table(IDLE), Table(replace(ARMED, validation=None)), as_json=False)
    assert "mode notify, reasons no validation of the last 24 hours" in lines
    assert "score 0, reasons no validation of a day, notes none" in lines


def test_the_signals_have_three_values(capsys: pytest.CaptureFixture[str]) -> None:
    """recovery.md 2: alive, dead, unknown; a blind run saw nothing."""
    dead = Seen(MINUTE, Value.DEAD, Ready.NO_ANSWER, Witness.SECONDARY, Value.DEAD, Value.UNKNOWN)
    suspect = replace(
        ARMED, history=(dead,), unknown=(Streak("describe_global", 2),), stage=Stage.SUSPECT
    )
    found = shown(capsys, Table(IDLE), Table(suspect))["signals"]
    assert found == {
        "own_load_balancer": "alive", "own_reader": "alive", "own_cluster": "alive",
        "describe_global": "unknown", "peer_application": "dead", "peer_ready": "unknown",
        "witness": "dead", "writer_sql": "dead", "replicated_change": "unknown",
    }  # fmt: skip
    assert shown(capsys, Table(IDLE), Table(replace(suspect, stage=Stage.BLIND)))["signals"] == {}


def test_after_a_promotion_the_promoted_region_is_shown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The lost region is named with why it isn't known."""
    incident = Incident(began=5, path=Way.REGION, loss_bound_seconds=64, promoted=7)
    promoted = replace(ARMED, armed=False, stage=Stage.PROMOTED, epoch=2, incident=incident)
    found = shown(capsys, Table(fault=lost()), Table(promoted))
    assert (found["region"], found["writer"], found["epoch"]) == ("us-west-2", "us-west-2", 2)
    assert "EndpointConnectionError" in found["unknown"]["us-east-1"]
    lines = shown(capsys, Table(fault=lost()), Table(promoted), as_json=False)
    assert "us-east-1 table-recovery-us-east-1-" in lines


@pytest.mark.parametrize(
    ("state", "writer"),
    [
        (replace(IDLE, global_seen=None), None),
        (replace(IDLE, global_seen=GlobalSeen(1, True, True, "")), "us-east-1"),
        (replace(IDLE, global_seen=GlobalSeen(1, True, False, "")), "us-west-2"),
    ],
)
def test_the_writer_is_who_the_controller_last_saw_writing(
    state: State, writer: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of us-east-1's controller, where us-west-2 doesn't answer."""
    found = shown(capsys, Table(state), Table(fault=lost()))
    assert (found["region"], found["writer"]) == ("us-east-1", writer)


def test_a_list_of_entries_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """The journal is for ``--json``; its last entry is named."""
    west = Table(ARMED)
    west.journal = [{"number": 7, "kind": "outcome", "body": "{}"}]
    lines = shown(capsys, Table(IDLE), west, as_json=False)
    assert "1 entries, the last one 7 (outcome)" in lines
