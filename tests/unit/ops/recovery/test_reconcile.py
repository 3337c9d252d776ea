"""``./inv recovery.reconcile``: what the old writer acknowledged and never replicated."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fake_clients import refusal
from recovery_tables import lost as unreachable
from recovery_world import Both, world
from simulator.truth import EAST, WEST

from ops.cloud.batch_replication import Job
from ops.errors import ExitCode, OperatorError
from ops.recovery import asking, reconcile
from ops.recovery.lost_tail import NEWEST
from ops.recovery.reconciled import NAMES_AT_ONCE
from recovery.model import Incident, Stage, Tail
from recovery.promoting import ABSENT

SNAPSHOT = "arn:aws:rds:us-east-1:1:cluster-snapshot:lost-tail-x"
LEFT = "aurora-cluster-lost-tail-us-east-1-lab"
LEFT_INSTANCE = "aurora-instance-lost-tail-us-east-1-lab"
ENDPOINT = "aurora-cluster-lost-tail-us-east-1-lab.cluster-x.us-east-1.rds.amazonaws.com"
INCIDENT = Incident(
    began=1_000_000, path=None, loss_bound_seconds=60, promoted=1_000_005, snapshot=SNAPSHOT
)
LOST = {"id": "r-1", "event_id": "e-1", "created_at": "now", "attachment": None, "fate": "lost"}
COUNTS = {"held": 0, "repeated": 0, "conflict": 0, "lost": 0, "replayed": 0, "withdrawn": 0}
LONG_AGO, NOW = datetime(1970, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)


def page(*records: dict[str, Any], after: str | None = None) -> dict[str, Any]:
    """A page of the probe's answer."""
    counts = {**COUNTS, "held": 3}
    for record in records:
        counts[record["fate"]] += 1
    return {"counts": counts, "records": list(records), "next": after}


def attached(*keys: str, newest: int = 9, after: str | None = None) -> dict[str, Any]:
    """A page of records with attachments."""
    found = [{"id": f"r-{key}", "key": f"attachments/{key}"} for key in keys]
    return {"attachments": found, "newest": str(newest), "next": after}


def version(key: str, at: datetime = NOW, *, latest: bool = True) -> dict[str, Any]:
    """A version of an object."""
    return {"Key": f"attachments/{key}", "LastModified": at, "IsLatest": latest}


@dataclass
class Aws:
    """RDS, Lambda and S3 of both regions: a temporary cluster that becomes available after a few
    looks, the probe's pages, and the versions in us-west-2's bucket."""

    pages: list[Any] = field(default_factory=lambda: [page()])
    orphans: list[Any] = field(default_factory=list)
    attachments: list[Any] = field(default_factory=list)
    versions: list[dict[str, Any]] = field(default_factory=list)
    unreadable: Exception | None = None
    clusters: set[str] = field(default_factory=lambda: {f"cluster-{EAST}"})
    instances: set[str] = field(default_factory=lambda: {"i-1"})
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    looks: int = 2
    fault: Exception | None = None
    serverless: bool = True
    tags: list[dict[str, str]] = field(default_factory=list)

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
            "Status": "available" if self.looks < 0 else "creating", "TagList": self.tags,
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
        self.tags = given["Tags"]
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
        """The probe; without pages left of a kind, an empty one."""
        question = json.loads(given["Payload"])
        self.asked.append(question)
        pages, empty = {
            "compare_tail": (self.pages, page()),
            "find_orphans": (self.orphans, {"orphaned": [], "next": None}),
            "list_attachments": (self.attachments, attached()),
        }[question["action"]]
        answer = pages.pop(0) if pages else empty
        if isinstance(answer, Exception):
            raise answer
        return {"Payload": io.BytesIO(json.dumps(answer).encode())}

    def questions(self, action: str) -> list[dict[str, Any]]:
        """What was asked of the probe, of one kind."""
        return [question for question in self.asked if question["action"] == action]

    def get_paginator(self, operation: str) -> Aws:
        """Of the bucket's versions."""
        assert operation == "list_object_versions"
        return self

    def paginate(self, **given: Any) -> list[dict[str, Any]]:
        """Two pages, of which one is empty."""
        assert given == {"Bucket": f"bucket-{WEST}", "Prefix": "attachments/"}
        if self.unreadable is not None:
            raise self.unreadable
        return [{"Versions": self.versions}, {}]


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
    """N12, recovery.md 5: in the lost cluster's network, compared in the VPC, page by page, and the
    temporary cluster is gone afterwards."""
    orphans = [{"orphaned": ["e-8"], "next": "e-8"}, {"orphaned": ["e-9"], "next": None}]
    aws = Aws(pages=[page(after="100"), page(LOST)], orphans=orphans)
    both = promoted(aws)
    lines: list[str] = []
    found = reconcile.compare(both, replay=False, report=lines.append)
    assert found.counts == {**COUNTS, "held": 6, "lost": 1}
    assert (found.records, found.orphaned, found.tail) == ((LOST,), ("e-8", "e-9"), "open")
    assert [name for name, _ in aws.calls] == ["restore", "instance", "delete instance", "delete"]
    restored, instance = aws.calls[0][1], aws.calls[1][1]
    assert restored["SnapshotIdentifier"] == SNAPSHOT
    assert restored["DBClusterIdentifier"] == "aurora-cluster-lost-tail-us-east-1-lab"
    assert restored["VpcSecurityGroupIds"] == ["sg-1"]
    assert restored["ServerlessV2ScalingConfiguration"] == {"MinCapacity": 1}
    assert "DBClusterParameterGroupName" not in restored
    assert instance["DBInstanceClass"] == "db.r6g"
    compared = aws.questions("compare_tail")
    assert [question["before"] for question in compared] == [NEWEST, "100"]
    assert {(question["host"], question["mode"]) for question in compared} == {(ENDPOINT, "list")}
    asked = aws.questions("find_orphans")
    assert [(one["after"], one["withdraw"]) for one in asked] == [("", False), ("e-8", False)]
    # H26: both items' newest, so that a demoted volume is compared with nothing.
    assert {question["epoch"] for question in aws.asked} == {2}
    assert tail(both) is Tail.OPEN
    assert lines[0].startswith("restore    lost-tail-x beside")


@pytest.mark.parametrize("instances", [{"i-1"}, {"i-1", LEFT_INSTANCE}])
@pytest.mark.parametrize("tags", [[], [{"Key": "Snapshot", "Value": "lost-tail-of-before"}]])
def test_a_volume_of_another_loss_is_compared_with_nothing(
    instances: set[str], tags: list[dict[str, str]]
) -> None:
    """N12: a cluster that an earlier reconciliation left would hide what this loss took; it is
    deleted, and the next run restores the right one."""
    aws = Aws(clusters={f"cluster-{EAST}", LEFT}, instances=set(instances), tags=tags)
    both = promoted(aws)
    with pytest.raises(OperatorError, match=f"{LEFT} was left by another reconciliation"):
        reconcile.compare(both, replay=True)
    assert LEFT not in aws.clusters
    assert LEFT_INSTANCE not in aws.instances
    assert aws.asked == []
    assert tail(both) is Tail.OPEN
    assert reconcile.compare(both, replay=True).tail == "reconciled"
    assert {"Key": "Snapshot", "Value": SNAPSHOT} in aws.calls[-4][1]["Tags"]


def test_the_comparison_begins_before_all_that_may_be_lost() -> None:
    """By the databases' clock: as long ago as the incident by the schedule, whose minutes are ahead
    in a lab with a fast clock, its bound and an hour. A promotion that was found, not made, has no
    bound: the whole volume."""
    began, hour = INCIDENT.began, 3600
    ago = NOW.timestamp() - 60 - hour
    assert reconcile.since_of(INCIDENT, NOW.timestamp(), began).timestamp() == ago
    later = reconcile.since_of(INCIDENT, NOW.timestamp(), began + 600)
    assert later.timestamp() == ago - 600 * 60
    assert reconcile.since_of(INCIDENT, NOW.timestamp(), began - 9).timestamp() == ago
    assert reconcile.since_of(INCIDENT, 5.0, began) == LONG_AGO
    unknown = replace(INCIDENT, loss_bound_seconds=-1)
    assert reconcile.since_of(unknown, NOW.timestamp(), began) == LONG_AGO


def test_replayed_the_tail_is_reconciled_and_a_second_run_changes_nothing() -> None:
    """N12: nothing is left to decide; the journal says by whom. The oldest page is replayed first,
    as records were stored."""
    replayed = [page({**LOST, "fate": "replayed"}), page()]
    aws = Aws(pages=[page(after="100"), page(LOST), *replayed])
    both = promoted(aws)
    found = reconcile.compare(both, replay=True)
    assert (found.tail, found.counts["replayed"], found.counts["lost"]) == ("reconciled", 1, 0)
    asked = [(question["before"], question["mode"]) for question in aws.questions("compare_tail")]
    assert asked == [(NEWEST, "list"), ("100", "list"), ("100", "replay"), (NEWEST, "replay")]
    assert tail(both) is Tail.RECONCILED
    ((_, kind, body),) = both.sides[WEST].journal
    assert (kind, body["command"], body["tail"]) == ("command", "reconcile", "reconciled")
    calls = len(aws.calls)
    assert reconcile.compare(both, replay=True).tail == "reconciled"
    assert len(aws.calls) == calls


@pytest.mark.parametrize(
    ("aws", "whole"),
    [
        (Aws(pages=[page({**LOST, "fate": "conflict"})]), False),
        (Aws(orphans=[{"orphaned": ["e-1"], "next": None}]), False),
        (Aws(attachments=[attached("a")]), False),
        (Aws(attachments=[attached("a")], versions=[version("a", latest=False)]), False),
        (Aws(attachments=[attached("a")], versions=[version("a")]), True),
        (Aws(pages=[page({**LOST, "fate": "withdrawn"})], versions=[version("b")]), True),
    ],
)
def test_what_a_person_must_decide_keeps_the_tail_open(aws: Aws, whole: bool) -> None:
    """Same key and another hash, a received event without a record, a record whose object isn't
    there; an object that no record names is nobody's decision."""
    both = promoted(aws)
    found = reconcile.compare(both, replay=False)
    assert found.is_whole is whole
    assert tail(both) is (Tail.RECONCILED if whole else Tail.OPEN)


def test_objects_are_compared_with_every_record_of_the_time_of_the_loss() -> None:
    """Rows without objects, also of records that were replicated; objects without rows, but for
    those of before, those of requests that a client repeated, and those stored meanwhile."""
    old = NOW - timedelta(days=9)
    aws = Aws(
        attachments=[attached("a", "b", after="5"), attached("c", newest=4), attached("new")],
        versions=[
            version("a"), version("old", old), version("repeated"),
            version("repeated", old, latest=False), version("new"), version("nobodys"),
            version("deleted", latest=False),
        ],
    )  # fmt: skip
    both = promoted(aws, loss_bound_seconds=60)
    found = reconcile.compare(both, replay=False)
    assert found.missing_objects == ("attachments/b", "attachments/c")
    at_once = found.objects_without_records
    # The simulated clock begins in 1970: everything is of the time of the loss.
    assert at_once == ("attachments/old", "attachments/repeated", "attachments/nobodys")
    asked = [question["before"] for question in aws.questions("list_attachments")]
    assert asked == [NEWEST, "5", NEWEST]
    both.sides[WEST].truth.now = int(NOW.timestamp())
    table = both.tables[WEST]
    began = int(NOW.timestamp()) // 60
    incident = replace(INCIDENT, began=began, promoted=began + 9)
    table.item = type(table)(replace(table.state, incident=incident)).item
    assert reconcile.compare(both, replay=False).objects_without_records == (
        "attachments/a", "attachments/new", "attachments/nobodys",
    )  # fmt: skip


def test_a_missing_object_is_replicated_from_the_region_that_is_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """``--replay``: by S3's own job over what it gave up on, through the deployed rule; a region
    that doesn't replicate has nothing to send."""
    aws = Aws(attachments=[attached("a")])
    both = promoted(aws)
    jobs: list[str] = []

    def replicated(*given: Any, failed: bool, **_: Any) -> Job:
        assert failed
        jobs.append(given[2])
        aws.versions = [version("a")]
        aws.attachments = [attached("a")]
        return Job(EAST, "j", "Complete")

    monkeypatch.setattr("ops.cloud.batch_replication.replicate", replicated)
    assert reconcile.compare(both, replay=True).tail == "reconciled"
    assert jobs == [EAST]
    settings = both.file.settings
    data = replace(settings.data, bidirectional_replication=False)
    one_way = replace(both, file=replace(both.file, settings=replace(settings, data=data)))
    assert reconcile._replicates(one_way, both.place(EAST))
    assert not reconcile._replicates(one_way, both.place(WEST))


def test_a_bucket_that_cannot_be_read_is_no_missing_object() -> None:
    """A denied call says nothing of the objects; the tail stays open."""
    both = promoted(Aws(unreadable=refusal("AccessDenied", "ListObjectVersions")))
    with pytest.raises(OperatorError, match="bucket-us-west-2: AccessDenied; run the same again"):
        reconcile.compare(both, replay=False)
    assert tail(both) is Tail.OPEN


def test_an_accepted_loss_is_withdrawn_and_kept_by_name() -> None:
    """recovery.md 5: each lost record's event and each orphan is withdrawn, what isn't there is
    named, and the journal keeps all of it; a second time is the same."""
    many = [{**LOST, "id": f"r-{n}", "fate": "withdrawn"} for n in range(NAMES_AT_ONCE + 1)]
    aws = Aws(
        pages=[page(*many)],
        orphans=[{"orphaned": ["e-9"], "next": None}],
        attachments=[attached("a")],
        versions=[version("b")],
    )
    both = promoted(aws)
    done = reconcile.accept(both, "a test region")
    assert (done.tail, done.reason, done.unlisted) == ("accepted", "a test region", "")
    assert done.counts["withdrawn"] == NAMES_AT_ONCE + 1
    assert (done.missing_objects, done.orphaned) == (("attachments/a",), ("e-9",))
    assert {question["mode"] for question in aws.questions("compare_tail")} == {"accept"}
    assert [question["withdraw"] for question in aws.questions("find_orphans")] == [True]
    assert tail(both) is Tail.ACCEPTED
    bodies = [body for _, _, body in both.sides[WEST].journal]
    named = [(body["accepts"], len(body["names"])) for body in bodies[:-1]]
    assert named == [
        ("records", NAMES_AT_ONCE), ("records", 1), ("missing_objects", 1),
        ("objects_without_records", 1), ("orphaned", 1),
    ]  # fmt: skip
    assert (bodies[-1]["accepted"], bodies[-1]["unlisted"]) == ("a test region", "")
    asked = len(aws.asked)
    assert reconcile.accept(both, "again").reason == ""
    assert len(aws.asked) == asked


def test_a_loss_that_cannot_be_listed_is_accepted_with_why() -> None:
    """recovery.md 5: AWS made no snapshot, none is copied, or its region is gone for good; what the
    promoted region shows is withdrawn all the same."""
    for snapshot, lost, why in (
        (ABSENT, False, "AWS made no snapshot of the old volume"),
        ("", False, "the old volume's snapshot isn't copied"),
        (SNAPSHOT, True, "function-recovery-us-east-1: no connection"),
    ):
        aws = Aws(orphans=[{"orphaned": ["e-9"], "next": None}])
        both = promoted(aws, snapshot=snapshot)
        if lost:
            both.truth.on.add("us-east-1 api")
        if snapshot == ABSENT:
            with pytest.raises(OperatorError, match="AWS made no snapshot") as caught:
                reconcile.compare(both, replay=False)
            assert caught.value.code is ExitCode.BAD_INPUT
        done = reconcile.accept(both, "nothing to be had")
        assert (done.tail, done.unlisted, tail(both)) == ("accepted", why, Tail.ACCEPTED)
        assert (done.orphaned, aws.calls) == (("e-9",), [])
        assert both.sides[WEST].journal[-1][2]["unlisted"] == why


def test_the_newest_promotion_is_reconciled() -> None:
    """Mirrored: us-west-2 was promoted once, then us-east-1, and us-west-2's controller hasn't run
    since: its old incident is not the one that is asked about."""
    both = promoted()
    table = both.tables[EAST]
    incident = replace(INCIDENT, snapshot=ABSENT)
    table.item = type(table)(replace(table.state, epoch=3, incident=incident)).item
    assert reconcile.promotion(both) == (EAST, incident)
    table.item = type(table)(replace(table.state, epoch=1)).item
    assert reconcile.promotion(both)[0] == WEST


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
    aws.clusters.add(LEFT)
    aws.instances.add(LEFT_INSTANCE)
    aws.tags = [{"Key": "Snapshot", "Value": SNAPSHOT}]
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
    both = promoted(
        Aws(
            pages=[page(LOST)],
            orphans=[{"orphaned": ["e-9"], "next": None}],
            attachments=[attached("a")],
            versions=[version("b")],
        )
    )
    with pytest.raises(OperatorError, match="--replay writes what was lost") as caught:
        asking.reconcile(both, replay=False, accept="", as_json=False)
    assert caught.value.code is ExitCode.DIFFERENCE
    lines = capsys.readouterr().out.splitlines()
    assert "lost       r-1 of now" in lines
    assert "no object  attachments/a" in lines
    assert "no record  of event e-9" in lines
    assert "no record  names object attachments/b" in lines
    counts = "3 held, 0 repeated, 0 conflict, 1 lost, 0 replayed, 0 withdrawn"
    assert lines[-1].endswith(f"is open: {counts}")
    unlisted = promoted(snapshot="")
    asking.reconcile(unlisted, replay=False, accept="gone", as_json=False)
    said = capsys.readouterr().out
    assert "unlisted   the old volume's records: the old volume's snapshot isn't copied" in said


def test_as_json_the_document_is_whole(capsys: pytest.CaptureFixture[str]) -> None:
    """For the drill: counts, records, objects, events."""
    both = promoted(Aws(pages=[page(LOST), page({**LOST, "fate": "replayed"})]))
    asking.reconcile(both, replay=True, accept="", as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert (found["tail"], found["counts"]["replayed"]) == ("reconciled", 1)
    assert found["records"][0]["id"] == "r-1"
    asking.reconcile(both, replay=False, accept="late", as_json=False)
    assert capsys.readouterr().out.endswith("us-west-2's promotion is reconciled\n")
