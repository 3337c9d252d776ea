"""Every port's adapter against botocore's own shapes: one try, and failures as the ports say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
)
from botocore.stub import ANY, Stubber

from recovery import describe
from recovery.model import Answer, Notice
from recovery.notifier import RegionalNotifier, Topic
from recovery.observation import Event, GlobalCluster, OwnCluster, Switch, Validation
from recovery.parameters import Parameter, RecoveryParameters
from recovery.ports import UnavailableError
from recovery.promoting import ABSENT, Promoting
from recovery.recorded_events import RecordedEvents, Validations
from recovery.words import message

TABLE = "table-recovery-us-west-2-lab"
OWN = "arn:aws:rds:us-west-2:123456789012:cluster:west"
PEER = "arn:aws:rds:us-east-1:123456789012:cluster:east"
SINCE = 29_000_000
MADE = datetime.fromtimestamp(SINCE * 60 + 30, UTC)


@contextmanager
def stubbed(service: str) -> Iterator[tuple[Any, Stubber]]:
    """A client that answers as scripted; every scripted call must have been made."""
    made = boto3.client(
        service, region_name="us-west-2", aws_access_key_id="x", aws_secret_access_key="x",
        config=Config(retries={"total_max_attempts": 1}),
    )  # fmt: skip
    with Stubber(made) as stub:
        yield made, stub
        stub.assert_no_pending_responses()


@pytest.mark.no_cover
@pytest.mark.parametrize(
    ("cluster", "expected"),
    [
        (
            {"Status": "available", "DBClusterMembers": [{"IsClusterWriter": True}]},
            OwnCluster("available", 1, True),
        ),
        (
            {
                "Status": "available", "ReplicationSourceIdentifier": PEER,
                "DBClusterMembers": [{"IsClusterWriter": True}, {"IsClusterWriter": False}],
            },
            OwnCluster("available", 2, False),
        ),
        (
            {"Status": "stopped", "DBClusterMembers": [{"IsClusterWriter": False}]},
            OwnCluster("stopped", 1, False),
        ),
        ({"Status": "creating"}, OwnCluster("creating", 0, False)),
    ],
)  # fmt: skip
def test_the_own_cluster_writes_where_it_follows_nobody(
    cluster: dict[str, Any], expected: OwnCluster
) -> None:
    """H13: a source that it follows makes a reader, whatever its instances are called."""
    with stubbed("rds") as (client, stub):
        answer = {"DBClusters": [cluster]}
        stub.add_response("describe_db_clusters", answer, {"DBClusterIdentifier": "west"})
        assert describe.own_cluster(client, "west") == expected


def member(arn: str, status: str | None = "connected", *, writer: bool = False) -> dict[str, Any]:
    """A member of the global cluster."""
    known = {"SynchronizationStatus": status} if status else {}
    return {"DBClusterArn": arn, "IsWriter": writer, **known}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (
            {"GlobalClusterMembers": [member(PEER, writer=True), member(OWN)]},
            GlobalCluster(True, False, True, True),
        ),
        (
            {
                "GlobalClusterMembers": [member(PEER, "pending-resync"), member(OWN, writer=True)],
                "FailoverState": {"Status": "failing-over"},
            },
            GlobalCluster(True, True, True, False, "failing-over"),
        ),
        ({"GlobalClusterMembers": [member(PEER)]}, GlobalCluster(False, False, False, True)),
        ({"GlobalClusterMembers": [member(OWN, None)]}, GlobalCluster(True, False, False, False)),
        ({"FailoverState": {}}, GlobalCluster(False, False, False, False)),
    ],
)
def test_the_global_cluster_is_read_as_rds_answers_it(
    answer: dict[str, Any], expected: GlobalCluster
) -> None:
    """recovery.md 1.2: members, their synchronisation, and a state of open text."""
    with stubbed("rds") as (client, stub):
        asked = {"GlobalClusterIdentifier": "both"}
        stub.add_response("describe_global_clusters", {"GlobalClusters": [answer]}, asked)
        assert describe.global_cluster(client, "both", OWN) == expected


@contextmanager
def promoting() -> Iterator[tuple[Promoting, Stubber, Stubber]]:
    """The port and both regions' scripts."""
    with stubbed("rds") as (own, script), stubbed("rds") as (peer, peer_script):
        yield Promoting(own, peer, "both", OWN, "east"), script, peer_script


def snapshot(name: str, status: str = "available", made: datetime = MADE) -> dict[str, Any]:
    """A snapshot of the old volume."""
    return {
        "DBClusterSnapshotIdentifier": name, "Status": status, "SnapshotCreateTime": made,
        "DBClusterSnapshotArn": f"arn:{name}",
    }  # fmt: skip


AUTOMATED = {"DBClusterIdentifier": "east", "SnapshotType": "automated"}
SAVED = "rds:unplanned-global-failover-east-2"
COPIED = {
    "SourceDBClusterSnapshotIdentifier": SAVED,
    "TargetDBClusterSnapshotIdentifier": "lost-tail-unplanned-global-failover-east-2",
    "CopyTags": True,
}


def test_the_promotion_is_called_in_the_own_region() -> None:
    """H23: the unplanned call on the own member."""
    with promoting() as (port, script, _):
        script.add_response(
            "failover_global_cluster",
            {"ResponseMetadata": {"RequestId": "r"}},
            {
                "GlobalClusterIdentifier": "both", "TargetDbClusterIdentifier": OWN,
                "AllowDataLoss": True,
            },
        )  # fmt: skip
        assert port.fail_over().answer is Answer.ACCEPTED


def test_the_newest_snapshot_of_this_promotion_is_copied() -> None:
    """recovery.md 1.4: of those that AWS made since the call; a second copy is the first one."""
    found = [
        snapshot("rds:unplanned-global-failover-east-1", made=datetime.fromtimestamp(0, UTC)),
        snapshot("rds:east-2026-01-02-03-04"),
        snapshot("rds:unplanned-global-failover-east-1b"),
        snapshot(SAVED),
    ]
    with promoting() as (port, _, peer):
        for _ in range(2):
            peer.add_response(
                "describe_db_cluster_snapshots", {"DBClusterSnapshots": found}, AUTOMATED
            )
            if _ == 0:
                made = {"DBClusterSnapshot": {"DBClusterSnapshotArn": "arn:copy"}}
                peer.add_response("copy_db_cluster_snapshot", made, COPIED)
        peer.add_client_error("copy_db_cluster_snapshot", "DBClusterSnapshotAlreadyExistsFault")
        peer.add_response(
            "describe_db_cluster_snapshots",
            {"DBClusterSnapshots": [snapshot("copy")]},
            {"DBClusterSnapshotIdentifier": COPIED["TargetDBClusterSnapshotIdentifier"]},
        )
        assert port.copy_snapshot(SINCE) == "arn:copy"
        assert port.copy_snapshot(SINCE) == "arn:copy"


def test_an_incomplete_snapshot_is_waited_for() -> None:
    """AWS can't copy what it still makes."""
    with promoting() as (port, _, peer):
        answer = {"DBClusterSnapshots": [snapshot(SAVED, "creating")]}
        peer.add_response("describe_db_cluster_snapshots", answer, AUTOMATED)
        with pytest.raises(UnavailableError, match="isn't complete"):
            port.copy_snapshot(SINCE)


@pytest.mark.parametrize(
    ("status", "state", "absent"),
    [("connected", "", True), ("pending-resync", "", False), ("connected", "failing-over", False)],
)
def test_a_snapshot_is_absent_once_its_region_is_back_without_one(
    status: str, state: str, absent: bool
) -> None:
    """recovery.md 5: "AWS made no snapshot" is an outcome, but not before the region is back."""
    cluster = {
        "GlobalClusterMembers": [member(OWN, writer=True), member(PEER, status)],
        "FailoverState": {"Status": state},
    }
    with promoting() as (port, own, peer):
        peer.add_response("describe_db_cluster_snapshots", {"DBClusterSnapshots": []}, AUTOMATED)
        own.add_response("describe_global_clusters", {"GlobalClusters": [cluster]}, ANY_GLOBAL)
        if absent:
            assert port.copy_snapshot(SINCE) == ABSENT
        else:
            with pytest.raises(UnavailableError, match="isn't back"):
                port.copy_snapshot(SINCE)


ANY_GLOBAL = {"GlobalClusterIdentifier": "both"}


@pytest.mark.parametrize("step", ["describe_db_cluster_snapshots", "copy_db_cluster_snapshot"])
def test_a_region_that_does_not_answer_has_no_snapshot_yet(step: str) -> None:
    """The lost region's API may be gone for long: repeated by the next run."""
    with promoting() as (port, _, peer):
        if step == "copy_db_cluster_snapshot":
            found = {"DBClusterSnapshots": [snapshot(SAVED)]}
            peer.add_response("describe_db_cluster_snapshots", found, AUTOMATED)
        peer.add_client_error(step, "ServiceUnavailable")
        with pytest.raises(UnavailableError, match="ServiceUnavailable"):
            port.copy_snapshot(SINCE)


def parameter(value: str) -> dict[str, Any]:
    """An answer of SSM."""
    return {"Parameter": {"Name": "p", "Value": value}}


def test_the_switch_is_moved_and_read() -> None:
    """One parameter of us-west-2; a word that is no position is unknown."""
    with stubbed("ssm") as (client, stub):
        switch = Parameter(client, "/switch")
        port = RecoveryParameters(switch, Parameter(client, "/own"), Parameter(client, "/peer"))
        moved = {"Name": "/switch", "Value": "engaged", "Overwrite": True}
        stub.add_response("put_parameter", {}, moved)
        port.set_switch(Switch.ENGAGED)
        for value, position in (("released", Switch.RELEASED), ("open", None)):
            stub.add_response("get_parameter", parameter(value), {"Name": "/switch"})
            assert port.position() is position
        stub.add_client_error("put_parameter", "ThrottlingException")
        with pytest.raises(UnavailableError, match="/switch: ThrottlingException"):
            port.set_switch(Switch.RELEASED)


def test_the_epoch_grows_in_both_regions_and_never_goes_back() -> None:
    """H13: the own region's first; a larger one stays, what is no number is replaced."""
    with stubbed("ssm") as (own, script), stubbed("ssm") as (peer, peer_script):
        port = RecoveryParameters(
            Parameter(own, "/switch"), Parameter(own, "/own"), Parameter(peer, "/peer")
        )
        script.add_response("get_parameter", parameter("1"), {"Name": "/own"})
        script.add_response("put_parameter", {}, {"Name": "/own", "Value": "2", "Overwrite": True})
        peer_script.add_client_error("get_parameter", "ServiceUnavailable")
        with pytest.raises(UnavailableError, match="/peer: ServiceUnavailable"):
            port.grow_epoch(2)
        script.add_response("get_parameter", parameter("3"), {"Name": "/own"})
        peer_script.add_response("get_parameter", parameter("?"), {"Name": "/peer"})
        peer_script.add_response(
            "put_parameter", {}, {"Name": "/peer", "Value": "2", "Overwrite": True}
        )
        port.grow_epoch(2)


@contextmanager
def notifier() -> Iterator[tuple[RegionalNotifier, Stubber, Stubber, Stubber]]:
    """The port and the scripts of topic, bus and metrics."""
    with (
        stubbed("sns") as (sns, topic),
        stubbed("events") as (events, bus),
        stubbed("cloudwatch") as (cloudwatch, metrics),
    ):
        yield (
            RegionalNotifier(
                (Topic(sns, "arn:topic"), Topic(sns, "arn:peer")), events, cloudwatch, "bus",
                "us-west-2", "lab",
            ),
            topic, bus, metrics,
        )  # fmt: skip


NOTICE = Notice("promoted", "us-west-2 writes, epoch 2", page=True)
PUBLISHED = {
    "TopicArn": "arn:topic",
    "Subject": "Recovery in us-west-2 (lab): page promoted",
    "Message": message(NOTICE),
}


@pytest.mark.parametrize("event", ["taken", "refused", "lost"])
def test_a_notice_goes_to_the_topic_and_the_bus(
    event: str, caplog: pytest.LogCaptureFixture
) -> None:
    """People are notified also where the event is refused or lost, which is logged."""
    with notifier() as (port, topic, bus, _):
        if event == "lost":
            bus.add_client_error("put_events", "InternalFailure")
        else:
            failed = [{"ErrorCode": "ThrottlingException"}] if event == "refused" else []
            answer = {"FailedEntryCount": len(failed), "Entries": failed}
            bus.add_response("put_events", answer, {"Entries": [ANY]})
        topic.add_response("publish", {"MessageId": "m"}, PUBLISHED)
        port.send(NOTICE)
    said = [record.getMessage() for record in caplog.records if "the event" in record.getMessage()]
    assert len(said) == (event != "taken")


def test_a_notice_that_no_topic_takes_is_unavailable() -> None:
    """It stays pending and is sent again; a subject is cut and keeps to what SNS takes."""
    notice = Notice(f"held:{'é' * 80}", "x", page=False)
    subject = f"Recovery in us-west-2 (lab): notice held:{'?' * 80}"[:100]
    with notifier() as (port, topic, _, _):
        for arn, code in (("arn:topic", "KMSDisabled"), ("arn:peer", "InternalError")):
            given = {"TopicArn": arn, "Subject": subject, "Message": message(notice)}
            topic.add_client_error("publish", code, expected_params=given)
        with pytest.raises(UnavailableError, match="arn:topic: KMSDisabled; arn:peer: InternalEr"):
            port.send(notice)


def test_a_notice_goes_over_the_other_region_where_the_own_topic_is_lost() -> None:
    """Issue 19.4: nothing is swallowed with a topic's region, and nobody hears it twice."""
    with notifier() as (port, topic, bus, _):
        topic.add_client_error("publish", "ServiceUnavailable")
        topic.add_response("publish", {"MessageId": "m"}, {**PUBLISHED, "TopicArn": "arn:peer"})
        bus.add_response("put_events", {"FailedEntryCount": 0, "Entries": []}, {"Entries": [ANY]})
        port.send(NOTICE)


@pytest.mark.parametrize(
    ("fault", "may_repeat"),
    [
        (ClientError({"ResponseMetadata": {"HTTPStatusCode": 500}}, "Publish"), True),
        (ClientError({"ResponseMetadata": {"HTTPStatusCode": 400}}, "Publish"), False),
        (ReadTimeoutError(endpoint_url="sns"), True),
        (EndpointConnectionError(endpoint_url="sns"), False),
        (ConnectTimeoutError(endpoint_url="sns"), False),
    ],
)
def test_a_message_that_may_have_arrived_says_so(fault: Exception, may_repeat: bool) -> None:
    """Issue 19.4: nobody takes one notice for two; where the first topic refused or wasn't reached
    there is nothing to say."""
    sent: list[dict[str, str]] = []

    def failing(**_: str) -> None:
        raise fault

    own = SimpleNamespace(publish=failing)
    peer = SimpleNamespace(publish=lambda **given: sent.append(given))
    topics = (Topic(own, "arn:topic"), Topic(peer, "arn:peer"))  # type: ignore[arg-type]
    events = SimpleNamespace(put_events=lambda **_: {"FailedEntryCount": 0})
    unused: Any = None
    RegionalNotifier(topics, events, unused, "bus", "us-west-2", "lab").send(NOTICE)  # type: ignore[arg-type]
    (message_,) = [one["Message"] for one in sent]
    assert message_.startswith(message(NOTICE))
    assert ("may be a repetition: arn:topic" in message_) is may_repeat


def test_a_metric_that_is_not_taken_is_forgotten(caplog: pytest.LogCaptureFixture) -> None:
    """Measuring stops no recovery."""
    datum = {
        "MetricName": "ControllerHeartbeat", "Value": 1,
        "Dimensions": [{"Name": "EnvironmentSuffix", "Value": "lab"}],
    }  # fmt: skip
    with notifier() as (port, _, _, metrics):
        asked = {"Namespace": "WarmStandby", "MetricData": [datum]}
        metrics.add_response("put_metric_data", {}, asked)
        port.measure("ControllerHeartbeat", 1)
        metrics.add_client_error("put_metric_data", "InternalServiceFault")
        port.measure("ControllerHeartbeat", 1)
    assert "ControllerHeartbeat isn't measured: InternalServiceFault" in caplog.text


RDS_EVENT = {
    "source": "aws.rds",
    "time": "2026-01-02T03:04:05Z",
    "detail": {"EventID": "RDS-EVENT-0391", "Message": "x"},
}
MINUTE = int(datetime(2026, 1, 2, 3, 4, tzinfo=UTC).timestamp()) // 60


def test_events_of_rds_are_kept_once_and_read_for_an_hour() -> None:
    """recovery.md 1.5: by their ids, under a number that the same event has again."""
    body = json.dumps({"id": "RDS-EVENT-0391", "minute": MINUTE})
    number = str(MINUTE * 10_000 + 391)
    item = {"kind": {"S": "event"}, "number": {"N": number}, "body": {"S": body}}
    with stubbed("dynamodb") as (client, stub):
        events = RecordedEvents(client, TABLE)
        stub.add_response("put_item", {}, {"TableName": TABLE, "Item": item})
        assert events.store(RDS_EVENT) == Event("RDS-EVENT-0391", MINUTE)
        stub.add_response(
            "query",
            {"Items": [item]},
            {
                "TableName": TABLE, "ConsistentRead": True,
                "KeyConditionExpression": "kind = :event AND #number >= :since",
                "ExpressionAttributeNames": {"#number": "number"},
                "ExpressionAttributeValues": {
                    ":event": {"S": "event"}, ":since": {"N": str((MINUTE - 50) * 10_000)},
                },
            },
        )  # fmt: skip
        assert events.recent(MINUTE + 10) == (Event("RDS-EVENT-0391", MINUTE),)
        stub.add_client_error("put_item", "InternalServerError")
        with pytest.raises(UnavailableError, match="InternalServerError"):
            events.store(RDS_EVENT)


def test_the_newest_validation_is_read_as_it_was_stored() -> None:
    """recovery.md 3: one item a run of the validator, numbered by its minute."""
    validation = Validation(MINUTE, True, True, True, True, "16.8", None, ("one",))
    asked = {
        "TableName": TABLE, "ConsistentRead": True, "ScanIndexForward": False, "Limit": 1,
        "KeyConditionExpression": "kind = :validation",
        "ExpressionAttributeValues": {":validation": {"S": "validation"}},
    }  # fmt: skip
    with stubbed("dynamodb") as (client, stub):
        validations = Validations(client, TABLE)
        stub.add_response("query", {"Items": []}, asked)
        assert validations.newest() is None
        stub.add_response("put_item", {}, {"TableName": TABLE, "Item": ANY})
        stored: list[Any] = []
        client.meta.events.register(
            "provide-client-params.dynamodb.PutItem", lambda params, **_: stored.append(params)
        )
        validations.store(validation)
        item = stored[0]["Item"]
        assert (item["kind"], item["number"]) == ({"S": "validation"}, {"N": str(MINUTE)})
        stub.add_response("query", {"Items": [item]}, asked)
        assert validations.newest() == validation
        stub.add_client_error("put_item", "InternalServerError")
        with pytest.raises(UnavailableError, match="InternalServerError"):
            validations.store(validation)
