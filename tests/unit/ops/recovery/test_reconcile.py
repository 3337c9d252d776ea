"""``./inv recovery.reconcile``: what the old writer acknowledged and never replicated."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from fake_clients import refusal
from recovery_tables import lost as unreachable
from recovery_world import Both, world
from simulator.truth import EAST, WEST

from ops.errors import ExitCode, OperatorError
from ops.recovery import asking, reconcile
from recovery.model import Incident, Stage, Tail
from recovery.promoting import ABSENT

SNAPSHOT = "arn:aws:rds:us-east-1:1:cluster-snapshot:lost-tail-x"
ENDPOINT = "aurora-cluster-lost-tail-us-east-1-lab.cluster-x.us-east-1.rds.amazonaws.com"
INCIDENT = Incident(
    began=1_000_000, path=None, loss_bound_seconds=60, promoted=1_000_005, snapshot=SNAPSHOT
)
LOST = {"id": "r-1", "event_id": "e-1", "created_at": "now", "attachment": None, "fate": "lost"}
COUNTS = {"held": 0, "repeated": 0, "conflict": 0, "lost": 0, "replayed": 0}


def page(*records: dict[str, Any], after: str | None = None, **more: Any) -> dict[str, Any]:
    """A page of the probe's answer."""
    counts = {**COUNTS, "held": 3}
    for record in records:
        counts[record["fate"]] += 1
    return {"counts": counts, "records": list(records), "next": after, "orphaned": [], **more}


@dataclass
class Aws:
    """RDS, Lambda and S3 of both regions: a temporary cluster that becomes available after a few
    looks, and the probe's pages."""

    pages: list[Any] = field(default_factory=lambda: [page()])
    objects: set[str] = field(default_factory=set)
    clusters: set[str] = field(default_factory=lambda: {f"cluster-{EAST}"})
    instances: set[str] = field(default_factory=lambda: {"i-1"})
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    looks: int = 2
    fault: Exception | None = None
    serverless: bool = True

    def describe_db_clusters(self, DBClusterIdentifier: str) -> dict[str, Any]:  # noqa: N803
        """One cluster."""
        if self.fault is not None:
            raise self.fault
        if DBClusterIdentifier not in self.clusters:
            raise refusal("DBClusterNotFoundFault")
        self.looks -= 1
        found: dict[str, Any] = {
            "Engine": "aurora-postgresql", "DBSubnetGroup": "subnets", "Port": 5432,
            "VpcSecurityGroups": [{"VpcSecurityGroupId": "sg-1"}], "KmsKeyId": "key",
            "DBClusterMembers": [{"DBInstanceIdentifier": "i-1"}], "Endpoint": ENDPOINT,
            "Status": "available" if self.looks < 0 else "creating",
        }  # fmt: skip
        if self.serverless:
            found["ServerlessV2ScalingConfiguration"] = {"MinCapacity": 1}
        return {"DBClusters": [found]}

    def describe_db_instances(self, DBInstanceIdentifier: str) -> dict[str, Any]:  # noqa: N803
        """One instance."""
        if DBInstanceIdentifier not in self.instances:
            raise refusal("DBInstanceNotFound")
        return {"DBInstances": [{"DBInstanceClass": "db.r6g", "DBInstanceStatus": "available"}]}

    def restore_db_cluster_from_snapshot(self, **given: Any) -> None:
        """Beside."""
        self.calls.append(("restore", given))
        self.clusters.add(given["DBClusterIdentifier"])

    def create_db_instance(self, **given: Any) -> None:
        """In it."""
        self.calls.append(("instance", given))
        self.instances.add(given["DBInstanceIdentifier"])

    def delete_db_instance(self, **given: Any) -> None:
        """Afterwards."""
        self.calls.append(("delete instance", given))
        self.instances.discard(given["DBInstanceIdentifier"])

    def delete_db_cluster(self, **given: Any) -> None:
        """Afterwards."""
        self.calls.append(("delete", given))
        self.clusters.discard(given["DBClusterIdentifier"])

    def invoke(self, **given: Any) -> dict[str, Any]:
        """The probe."""
        self.asked.append(json.loads(given["Payload"]))
        answer = self.pages.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return {"Payload": io.BytesIO(json.dumps(answer).encode())}

    def head_object(self, **given: Any) -> None:
        """An object of us-west-2's bucket."""
        assert given["Bucket"] == f"bucket-{WEST}"
        if given["Key"] == "attachments/denied":
            raise refusal("AccessDenied", "HeadObject")
        if given["Key"] not in self.objects:
            raise refusal("404", "HeadObject")


class Clients:
    """DynamoDB in memory, and the rest."""

    regions = (EAST, WEST)

    def __init__(self, both: Both, aws: Aws) -> None:
        self.tables, self.aws = both.tables, aws

    def get(self, service: str, region: str) -> Any:
        """One client."""
        return self.tables[region] if service == "dynamodb" else self.aws


def promoted(aws: Aws | None = None, **changes: Any) -> Both:
    """us-west-2 was promoted, and us-east-1 is back."""
    both = world(armed=False)
    table = both.tables[WEST]
    state = replace(table.state, stage=Stage.READY, epoch=2, incident=replace(INCIDENT, **changes))
    table.item = type(table)(state).item
    aws = aws or Aws()
    made = replace(both, clients=Clients(both, aws))  # type: ignore[arg-type]
    for region in (EAST, WEST):
        made.rds[region] = aws  # type: ignore[assignment]
    return made


def tail(both: Both) -> Tail:
    """What the promoted region's item says."""
    incident = both.state(WEST).incident
    assert incident is not None
    return incident.tail


def test_lost_records_are_found_in_the_volume_restored_beside() -> None:
    """N12: recovery.md 5: in the lost cluster's network, compared in the VPC, page by page, and the
    temporary cluster is gone afterwards."""
    aws = Aws(pages=[page(after="100"), page(LOST, orphaned=["e-9"])])
    both = promoted(aws)
    lines: list[str] = []
    found = reconcile.compare(both, replay=False, report=lines.append)
    assert found.counts == {**COUNTS, "held": 6, "lost": 1}
    assert (found.records, found.orphaned, found.tail) == ((LOST,), ("e-9",), "open")
    assert [name for name, _ in aws.calls] == ["restore", "instance", "delete instance", "delete"]
    restored, instance = aws.calls[0][1], aws.calls[1][1]
    assert restored["SnapshotIdentifier"] == SNAPSHOT
    assert restored["DBClusterIdentifier"] == "aurora-cluster-lost-tail-us-east-1-lab"
    assert restored["VpcSecurityGroupIds"] == ["sg-1"]
    assert restored["ServerlessV2ScalingConfiguration"] == {"MinCapacity": 1}
    assert "DBClusterParameterGroupName" not in restored
    assert instance["DBInstanceClass"] == "db.r6g"
    assert [question["after"] for question in aws.asked] == ["0", "100"]
    assert {question["host"] for question in aws.asked} == {ENDPOINT}
    assert aws.asked[0]["since"] == "1971-11-26T09:39:00+00:00"
    assert aws.asked[0]["replay"] is False
    # H26: both items' newest, so that a demoted volume is compared with nothing.
    assert {question["epoch"] for question in aws.asked} == {2}
    assert tail(both) is Tail.OPEN
    assert lines[0].startswith("restore    lost-tail-x beside")


def test_replayed_the_tail_is_reconciled_and_a_second_run_changes_nothing() -> None:
    """N12: nothing is left to decide; the journal says by whom."""
    aws = Aws(pages=[page({**LOST, "fate": "replayed"})])
    both = promoted(aws)
    found = reconcile.compare(both, replay=True)
    assert (found.tail, found.counts["replayed"]) == ("reconciled", 1)
    assert aws.asked[0]["replay"] is True
    assert tail(both) is Tail.RECONCILED
    ((_, kind, body),) = both.sides[WEST].journal
    assert (kind, body["command"], body["tail"]) == ("command", "reconcile", "reconciled")
    calls = len(aws.calls)
    assert reconcile.compare(both, replay=True).tail == "reconciled"
    assert len(aws.calls) == calls


@pytest.mark.parametrize(
    ("record", "objects", "whole"),
    [
        ({**LOST, "fate": "conflict"}, set(), False),
        ({**LOST, "fate": "replayed", "attachment": "attachments/a"}, set(), False),
        ({**LOST, "fate": "replayed", "attachment": "attachments/a"}, {"attachments/a"}, True),
    ],
)
def test_what_a_person_must_decide_keeps_the_tail_open(
    record: dict[str, Any], objects: set[str], whole: bool
) -> None:
    """Same key and another hash, or a record whose object didn't arrive."""
    both = promoted(Aws(pages=[page(record)], objects=objects))
    found = reconcile.compare(both, replay=True)
    assert found.is_whole is whole
    assert found.missing_objects == (() if objects or record["fate"] == "conflict" else (
        "attachments/a",
    ))  # fmt: skip
    assert tail(both) is (Tail.RECONCILED if whole else Tail.OPEN)


def test_an_object_that_cannot_be_asked_for_is_no_missing_one() -> None:
    """A denied call says nothing of the object."""
    denied = {**LOST, "attachment": "attachments/denied"}
    with pytest.raises(OperatorError, match="attachments/denied: AccessDenied"):
        reconcile.compare(promoted(Aws(pages=[page(denied)])), replay=False)


def test_an_unknown_loss_compares_the_whole_volume() -> None:
    """A promotion that was found, not made."""
    aws = Aws()
    reconcile.compare(promoted(aws, loss_bound_seconds=-1), replay=False)
    assert aws.asked[0]["since"] == "1970-01-01T00:00:00+00:00"


def test_no_snapshot_is_accepted_by_name() -> None:
    """recovery.md 5: an outcome of its own; failback may go then."""
    both = promoted(snapshot=ABSENT)
    with pytest.raises(OperatorError, match="AWS made no snapshot") as caught:
        reconcile.compare(both, replay=False)
    assert caught.value.code is ExitCode.BAD_INPUT
    done = reconcile.accept(both, "nothing to be had")
    assert (done.tail, done.reason, tail(both)) == ("accepted", "nothing to be had", Tail.ACCEPTED)
    ((_, _, body),) = both.sides[WEST].journal
    assert body["accepted"] == "nothing to be had"
    assert reconcile.accept(both, "again").reason == ""


def test_bad_input_touches_nothing() -> None:
    """No promotion, no snapshot yet, no reason."""
    with pytest.raises(OperatorError, match="there was no promotion"):
        reconcile.compare(world(armed=False), replay=False)
    with pytest.raises(OperatorError, match="isn't copied yet"):
        reconcile.compare(promoted(snapshot=""), replay=False)
    with pytest.raises(OperatorError, match="a reason is needed"):
        reconcile.accept(promoted(), " ")
    with pytest.raises(OperatorError, match="not both"):
        asking.reconcile(promoted(), replay=True, accept="x", as_json=False)


def test_a_cluster_that_an_earlier_run_left_is_taken_up() -> None:
    """Killed while it waited; no second restore."""
    aws = Aws(serverless=False)
    both = promoted(aws)
    for fault, why in ((unreachable(), "no connection"), (refusal(), "AccessDenied")):
        aws.fault = fault
        with pytest.raises(OperatorError, match=f"the old volume in us-east-1: {why}; run the"):
            reconcile.compare(both, replay=False)
    aws.fault = None
    aws.clusters.add("aurora-cluster-lost-tail-us-east-1-lab")
    aws.instances.add("aurora-instance-lost-tail-us-east-1-lab")
    reconcile.compare(both, replay=False)
    assert [name for name, _ in aws.calls] == ["delete instance", "delete"]


def test_a_restore_that_takes_too_long_is_gone_on_with() -> None:
    """After an hour the same command waits again."""
    with pytest.raises(OperatorError, match="isn't available after 3600 s"):
        reconcile.compare(promoted(Aws(looks=10_000)), replay=False)


@pytest.mark.parametrize(
    ("aws", "why"),
    [
        (Aws(clusters=set()), "cluster-us-east-1 isn't there: restore by hand"),
        (Aws(pages=[unreachable()]), "EndpointConnectionError; run the same again"),
    ],
)
def test_a_part_that_fails_is_one_line(aws: Aws, why: str) -> None:
    """The tail stays open."""
    both = promoted(aws)
    with pytest.raises(OperatorError, match=why):
        reconcile.compare(both, replay=False)
    assert tail(both) is Tail.OPEN


def test_both_regions_must_answer() -> None:
    """The old volume is in the lost one."""
    both = promoted()
    both.truth.on.add("us-east-1 api")
    with pytest.raises(OperatorError, match="reconcile when both regions answer"):
        reconcile.compare(both, replay=False)


def test_an_item_or_a_journal_that_cannot_be_written_is_said() -> None:
    """Accepted or not, and what to run."""
    both = promoted()
    both.tables[WEST].unwritable = refusal("InternalServerError", "PutItem")
    with pytest.raises(OperatorError, match=r"us-west-2: .*InternalServerError"):
        reconcile.accept(both, "x")
    both.tables[WEST].unwritable = None
    both.truth.on.add("journal fails")
    with pytest.raises(OperatorError, match="the tail is accepted, and the journal doesn't say so"):
        reconcile.accept(both, "x")


def test_what_is_left_is_listed_and_exit_code_5(capsys: pytest.CaptureFixture[str]) -> None:
    """Each record, object and event by name; patient data is nowhere."""
    attached = {**LOST, "attachment": "attachments/a"}
    both = promoted(Aws(pages=[page(attached, orphaned=["e-9"])]))
    with pytest.raises(OperatorError, match="--replay writes what was lost") as caught:
        asking.reconcile(both, replay=False, accept="", as_json=False)
    assert caught.value.code is ExitCode.DIFFERENCE
    lines = capsys.readouterr().out.splitlines()
    assert "lost       r-1 of now" in lines
    assert "no object  attachments/a" in lines
    assert "no record  of event e-9" in lines
    assert lines[-1].endswith("is open: 3 held, 0 repeated, 0 conflict, 1 lost, 0 replayed")


def test_as_json_the_document_is_whole(capsys: pytest.CaptureFixture[str]) -> None:
    """For the drill: counts, records, objects, events."""
    both = promoted(Aws(pages=[page({**LOST, "fate": "replayed"})]))
    asking.reconcile(both, replay=True, accept="", as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert (found["tail"], found["counts"]["replayed"]) == ("reconciled", 1)
    assert found["records"][0]["id"] == "r-1"
    asking.reconcile(both, replay=False, accept="late", as_json=False)
    assert capsys.readouterr().out.endswith("us-west-2's promotion is reconciled\n")
