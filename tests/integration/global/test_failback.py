"""The circle by its commands: a region lost, its writer replaced, what was lost found and replayed,
and writer and traffic back home."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from application_client import ask, until
from botocore.exceptions import ClientError
from deployed_lab import Lab
from lab_copies import a_deployed_lab
from recovery_state import Controller
from region_outage import EAST, WEST, writer_region
from roles import act_as, refused
from traffic import front_door_of, records, served_by, writing

from lab import client

QUICK, CLOCK = 12.0, 5.0
"""A probe of a silent writer takes real seconds, so time is slower while there is one."""
REAL_SECONDS = 300.0
LOST_RECORDS = 3
ATTACHMENT = {"contentType": "text/plain", "content": "c2Nhbg=="}
TRIES = 10
AGAIN = ("run the same again", "the lag is", "objects wait for replication")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A deployed lab, with us-west-2's database following."""
    with a_deployed_lab(tmp_path_factory.mktemp("circle")) as made:
        client.set_clock(made.state_dir, QUICK)
        west = Controller(made, WEST)
        west.wait("armed", lambda state: state.armed, REAL_SECONDS)
        yield made


def inv(lab: Lab, *arguments: str, code: int = 0) -> Any:
    """Runs a command that must end so; its document, or its lines. What a busy machine makes end
    otherwise is run again, as a person would."""
    answer = lab.inv(*arguments)
    for _ in range(TRIES):
        if answer.returncode == code or not any(why in answer.stderr for why in AGAIN):
            break
        answer = lab.inv(*arguments)
    assert answer.returncode == code, answer.stdout + answer.stderr
    return json.loads(answer.stdout) if "--json" in arguments else answer.stdout + answer.stderr


def stored(lab: Lab, role: str, **more: Any) -> str:
    """The id of a new record; a busy machine's 503 is asked again."""
    body = {"patientId": "p-1", "type": "note", "data": {}, **more}
    answers: list[Any] = []
    key = uuid.uuid4().hex

    def accepted() -> bool:
        answers.append(ask(lab, role, "/records", body, key=key))
        return answers[-1].status in (200, 201)

    assert until(accepted, REAL_SECONDS), answers[-1].body
    return str(answers[-1].json["id"])


def read(lab: Lab, role: str) -> set[str]:
    """The ids of all records that a region gives out; none while it refuses."""
    try:
        return records(lab, role)
    except ConnectionError:
        return set()


@pytest.mark.long
def test_a_lost_region_is_replaced_by_command_and_its_lost_records_are_replayed(lab: Lab) -> None:
    """N12, issue 18.3 and 18.4: what us-east-1 acknowledged while replication stood still is lost
    with it, listed row by row out of the old volume, and replayed once; failback is refused
    before. The operators' role is enough for all of it (trap 54). In every run a lost region is
    recovered (``test_recovery``), and a lost tail is given back (``test_app_lost_tail``)."""
    act_as(lab, "operate")
    kept = stored(lab, "primary")
    assert until(lambda: kept in read(lab, "secondary"), REAL_SECONDS)
    client.outage(lab.state_dir, EAST, "replication")
    lost = {stored(lab, "primary", attachment=ATTACHMENT) for _ in range(LOST_RECORDS)}
    client.set_clock(lab.state_dir, CLOCK)
    client.outage(lab.state_dir, EAST)
    why = "us-east-1 doesn't answer"
    promoted = inv(lab, "failover", "--yes", "--json", "--force", "--reason", why)
    assert (promoted["region"], promoted["epoch"], writer_region(lab)) == (WEST, 2, WEST)
    assert until(lambda: read(lab, "secondary") == {kept}, REAL_SECONDS)
    later = stored(lab, "secondary")

    client.restore(lab.state_dir, EAST)
    client.set_clock(lab.state_dir, QUICK)
    west = Controller(lab, WEST)
    west.wait("rebuilt", lambda state: state.incident and state.incident.snapshot, REAL_SECONDS)
    assert "isn't acknowledged" in inv(lab, "failback", "--yes", code=2)
    inv(lab, "recovery.acknowledge")
    found = inv(lab, "recovery.reconcile", "--json", code=5)
    assert {record["id"] for record in found["records"]} == lost
    assert (found["counts"]["lost"], found["tail"]) == (LOST_RECORDS, "open")
    # Their objects arrived though the rows did not.
    attached = {record["attachment"] for record in found["records"]}
    assert set(found["objects_without_records"]) == attached
    assert len(attached) == LOST_RECORDS
    replayed = inv(lab, "recovery.reconcile", "--replay", "--json")
    # Run again on a busy machine, it finds what its first run replayed.
    counts = replayed["counts"]
    assert (counts["lost"], replayed["tail"]) == (0, "reconciled")
    assert counts["replayed"] in (0, LOST_RECORDS)
    left = (replayed["missing_objects"], replayed["objects_without_records"], replayed["orphaned"])
    assert left == ([], [], [])
    assert until(lambda: read(lab, "secondary") == {kept, later, *lost}, REAL_SECONDS)
    assert refused(lab) == []


@pytest.mark.long
def test_writer_and_traffic_return_under_load_without_a_lost_row(lab: Lab) -> None:
    """Issue 18: 0 rows lost; both controllers are at their posts, and nothing is left to change.
    The operators' role is enough (trap 54). In every run roles are swapped, and what is written in
    us-west-2 comes home (``test_role_swap``)."""
    act_as(lab, "operate")
    door = front_door_of(lab)
    with writing(door) as load:
        assert until(lambda: load.acknowledged, REAL_SECONDS)
        back = inv(lab, "failback", "--yes", "--json")
        assert (back["region"], back["epoch"], back["traffic"]) == (EAST, 3, EAST)
        assert until(lambda: served_by(door) == EAST, REAL_SECONDS)
    assert writer_region(lab) == EAST
    assert until(lambda: set(load.acknowledged) <= read(lab, "primary"), REAL_SECONDS)
    assert "us-east-1 writes already" in inv(lab, "failback", "--yes", code=2)
    west, east = Controller(lab, WEST), Controller(lab, EAST)
    west.wait("armed", lambda state: state.armed and state.epoch == 3, REAL_SECONDS)
    assert (east.state.armed, east.state.incident, west.state.incident) == (False, None, None)
    assert (east.state.hold, west.state.hold) == (None, None)
    assert refused(lab) == []
    act_as(lab, "")
    assert "no changes" in inv(lab, "preview-all")


@pytest.mark.long
def test_the_operators_role_orders_and_can_do_nothing_beyond(lab: Lab) -> None:
    """Trap 54, R9.3: orders to the controllers, redrive and what shows how things stand need no
    more than the role has; it deletes no database, no journal, and writes no policy. In every run
    its policies are held (``test_operators``), and it rotates (``test_first_light_changes``)."""
    act_as(lab, "operate")
    try:
        inv(lab, "recovery.freeze", "--reason", "maintenance")
        inv(lab, "recovery.thaw")
        inv(lab, "recovery.hold", "--reason", "maintenance", "--minutes", "1")
        for shown in ("events.redrive", "inventory", "alarms", "recovery.status", "status"):
            lab.inv(shown)
        assert refused(lab) == []
        table = "table-recovery-us-east-1-lab"
        state = {"kind": {"S": "state"}, "number": {"N": "0"}}
        for forbidden in (
            lambda: lab.client("rds").delete_db_cluster(
                DBClusterIdentifier="aurora-cluster-us-east-1-lab", SkipFinalSnapshot=True
            ),
            lambda: lab.client("dynamodb").delete_table(TableName=table),
            lambda: lab.client("dynamodb").delete_item(TableName=table, Key=state),
            lambda: lab.client("iam").create_role(
                RoleName="role-more-us-east-1-lab", AssumeRolePolicyDocument="{}"
            ),
        ):
            with pytest.raises(ClientError, match="not authorized to perform"):
                forbidden()
        assert len(refused(lab)) == 4
    finally:
        act_as(lab, "")


@pytest.mark.long
def test_roles_swapped_by_command_the_mirrored_controller_promotes(lab: Lab) -> None:
    """Issue 18, trap 45: us-west-2 writes by a planned switchover; all that is to change then is
    which cluster AWS Backup selects; and when it is lost us-east-1's controller does the same as
    us-west-2's would."""
    there = inv(lab, "failover", "--planned", "--yes", "--json")
    assert (there["region"], there["traffic"]) == (WEST, WEST)
    shown = inv(lab, "preview-all").splitlines()
    changed = [line for line in shown if re.match(r"\w+: [~+±-] ", line)]
    assert len(changed) == 2, changed
    assert all("aws:backup/selection:Selection" in line for line in changed), changed
    east = Controller(lab, EAST)
    epoch = int(there["epoch"])
    east.wait("armed", lambda state: state.armed and state.epoch == epoch, REAL_SECONDS)
    east.validate()
    east.wait("validated", lambda state: state.validation is not None, REAL_SECONDS)
    client.set_clock(lab.state_dir, CLOCK)
    client.outage(lab.state_dir, WEST)
    try:
        promoted = east.wait(
            "promoted", lambda state: state.incident and state.incident.promoted, REAL_SECONDS
        )
        assert promoted.epoch == epoch + 1
        assert writer_region(lab) == EAST
        assert [made["answer"] for made in east.outcomes("CallFailover")] == ["accepted"]
    finally:
        client.restore(lab.state_dir, WEST)
