"""The validator against both regions' APIs: what it asks, keeps, measures and leaves behind."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
from botocore.exceptions import ClientError

from recovery import asking, crossing, validator
from recovery import validation_questions as questions
from recovery.asking import UnreadableError, ask_all, is_answer
from recovery.checks import CHECKS
from recovery.codec import from_json, to_json
from recovery.crossing import EventWay, ObjectWay, RefusedMarkerError, Timer, cross, to_keep
from recovery.facts import Crossing, Member, Missing
from recovery.http_get import Answered
from recovery.kept_validations import KEPT_MINUTES, KeptValidations, Markers
from recovery.metrics import measure
from recovery.model import Freeze, State
from recovery.observation import Validation, Witness
from recovery.ports import UnavailableError
from recovery.validator_environment import ValidatorEnvironment

OWN, PEER = "us-west-2", "us-east-1"
NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
MINUTE = int(NOON.timestamp()) // 60
VARIABLES = {
    "AWS_REGION": OWN,
    "PEER_REGION": PEER,
    "ENVIRONMENT_SUFFIX": "lab",
    "ACCOUNT_ID": "111122223333",
    "RECOVERY_TABLE": "table-recovery",
    "TOPIC_ARN": "arn:topic",
    "GLOBAL_CLUSTER": "both",
    "CLUSTER": "west",
    "PEER_CLUSTER": "east",
    "PROBE_FUNCTION": "function-probe",
    "LOAD_BALANCER": "west.elb",
    "PEER_LOAD_BALANCER": "east.elb",
    "SERVER_NAME": "",
    "SECRETS": "arn:secret:token-AAAAAA,arn:secret:application-BBBBBB",
    "PEER_SECRETS": "arn:peer:token-AAAAAA,arn:peer:application-BBBBBB",
    "NAME_SERVERS": "ns-1.test,ns-2.test",
    "WITNESS": "witness.app.test",
    "BUCKET_NAME": "bucket-west",
    "PEER_BUCKET_NAME": "bucket-east",
    "OBJECTS_ARRIVE": "true",
    "PEER_EVENT_BUS_NAME": "bus-east",
    "MARKER_QUEUE_URL": "https://queue",
    "BACKUP_VAULT": "vault-west",
    "ALARMS": "alarm-a,alarm-b",
    "CONTROLLER_ROLE_ARN": "arn:aws:iam::111122223333:role/role-recovery",
    "SWITCH_REGION": OWN,
}
ENV = ValidatorEnvironment.of(VARIABLES)


def error(code: str, status: int = 400) -> ClientError:
    """An error as boto3 raises it."""
    metadata: Any = {"HTTPStatusCode": status}
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": metadata}, "Operation")


def key_of(given: dict[str, Any]) -> tuple[str, int]:
    """The kind and number that a call names."""
    return given["Key"]["kind"]["S"], int(given["Key"]["number"]["N"])


class Table:
    """The recovery table's items by kind and number."""

    def __init__(self) -> None:
        self.items: dict[tuple[str, int], dict[str, Any]] = {}

    def put_item(self, **given: Any) -> dict[str, Any]:
        item = given["Item"]
        self.items[item["kind"]["S"], int(item["number"]["N"])] = item
        return {}

    def get_item(self, **given: Any) -> dict[str, Any]:
        found = self.items.get(key_of(given))
        return {"Item": found} if found else {}

    def delete_item(self, **given: Any) -> dict[str, Any]:
        del self.items[key_of(given)]
        return {}

    def query(self, **asked: Any) -> dict[str, Any]:
        values = asked["ExpressionAttributeValues"]
        before = int(values.get(":before", {"N": str(2**40)})["N"])
        found = sorted(key for key in self.items if key[0] == "validation" and key[1] < before)
        if "Limit" in asked:
            found = found[-asked["Limit"] :]
        return {"Items": [self.items[key] for key in found]}

    def state(self, state: State) -> None:
        """The controller's item."""
        body = json.dumps(to_json(state))
        self.put_item(Item={"kind": {"S": "state"}, "number": {"N": "0"}, "body": {"S": body}})

    def validations(self) -> list[Validation]:
        """What the controller may read, oldest first."""
        return [
            from_json(Validation, json.loads(item["body"]["S"]))
            for key, item in sorted(self.items.items())
            if key[0] == "validation"
        ]


class World:
    """Both regions, everything in order; ``clients`` are by service and region."""

    def __init__(self) -> None:
        self.table = Table()
        self.table.state(State(version=1, armed=True, last_minute=MINUTE + 3))
        self.metrics: list[dict[str, Any]] = []
        self.objects: dict[str, bytes] = {}
        self.events: list[dict[str, Any]] = []
        self.ready = Answered(200, body=json.dumps({"parts": {"bus": {"ready": True}}}).encode())
        self.secret = "the token"
        self.clients: dict[tuple[str, str], Any] = {}
        for region in (OWN, PEER):
            self._region(region)

    def client(self, service: str, region: str, _seconds: float = 0) -> Any:
        """As ``recovery.aws.client``."""
        return self.clients[service, region]

    def _region(self, region: str) -> None:
        cluster = {
            "EngineVersion": "16.8", "ClusterCreateTime": NOON - timedelta(hours=2),
            "DBClusterMembers": [{"IsClusterWriter": region == PEER}], "Status": "available",
            **({"ReplicationSourceIdentifier": "arn:east"} if region == OWN else {}),
        }  # fmt: skip
        instance = {"DBInstanceClass": "db.r6g.large", "DBInstanceStatus": "available"}
        members = [
            {"DBClusterArn": ENV.cluster_arn(one), "IsWriter": one == PEER,
             "SynchronizationStatus": "connected"}
            for one in (OWN, PEER)
        ]  # fmt: skip
        name = ENV.shared_path(region)
        parameter = {
            "Name": f"{name}/epoch", "Value": "1", "Type": "String", "LastModifiedDate": NOON,
            "Version": 1,
        }  # fmt: skip
        made: dict[str, Any] = {
            "rds": SimpleNamespace(
                describe_db_clusters=lambda **_: {"DBClusters": [cluster]},
                describe_db_instances=lambda **_: {"DBInstances": [instance]},
                describe_global_clusters=lambda **_: {
                    "GlobalClusters": [{"GlobalClusterMembers": members}]
                },
            ),
            "secretsmanager": SimpleNamespace(
                get_secret_value=lambda **_: {"SecretString": self.secret}
            ),
            "ssm": SimpleNamespace(get_parameters_by_path=lambda **_: {"Parameters": [parameter]}),
            "lambda": SimpleNamespace(
                get_account_settings=lambda: {"AccountLimit": {"ConcurrentExecutions": 1000}},
                invoke=lambda **_: {"Payload": io.BytesIO(json.dumps(self.probed()).encode())},
            ),
            "s3": SimpleNamespace(put_object=self._put, get_object=self._get),
            "events": SimpleNamespace(put_events=self._put_events),
        }
        if region == OWN:
            made |= {
                "dynamodb": self.table,
                "sqs": SimpleNamespace(receive_message=self._receive, delete_message=mock.Mock()),
                "iam": SimpleNamespace(
                    simulate_principal_policy=lambda **_: {
                        "EvaluationResults": [{"EvalDecision": "allowed"}]
                    }
                ),
                "cloudwatch": SimpleNamespace(
                    describe_alarms=lambda **_: {
                        "MetricAlarms": [alarm("alarm-a")], "CompositeAlarms": [alarm("alarm-b")],
                    },
                    put_metric_data=lambda **given: self.metrics.append(given),
                ),
                "sns": SimpleNamespace(
                    list_subscriptions_by_topic=lambda **_: {
                        "Subscriptions": [{"SubscriptionArn": "arn:subscription"}]
                    }
                ),
                "backup": SimpleNamespace(
                    list_recovery_points_by_backup_vault=lambda **_: {"RecoveryPoints": []}
                ),
            }  # fmt: skip
        self.clients |= {(service, region): client for service, client in made.items()}

    def probed(self) -> dict[str, Any]:
        """What the probe in the VPC answers."""
        moment = "2026-11-27T12:00:00.000Z"
        return {
            "own_reader": {
                "value": "alive", "now": moment, "heartbeat_at": moment, "newest_record": None,
                "epoch": 1, "primary_lsn": "7", "global_status": [],
            }
        }  # fmt: skip

    def _put(self, **given: Any) -> None:
        assert (given["Bucket"], given["Key"]) == ("bucket-east", "recovery/markers/us-west-2")
        self.objects[given["Key"]] = given["Body"]

    def _get(self, **given: Any) -> dict[str, Any]:
        assert given["Bucket"] == "bucket-west"
        return {"Body": io.BytesIO(self.objects[given["Key"]])}

    def _put_events(self, **given: Any) -> dict[str, Any]:
        assert given["Entries"][0]["EventBusName"] == "bus-east"
        self.events += given["Entries"]
        return {"FailedEntryCount": 0}

    def _receive(self, **_: Any) -> dict[str, Any]:
        return {
            "Messages": [
                {"Body": json.dumps({"detail": json.loads(one["Detail"])}), "ReceiptHandle": "r"}
                for one in self.events
            ]
        }


def alarm(name: str, **changes: Any) -> dict[str, Any]:
    """An alarm as described."""
    return {"AlarmName": name, "ActionsEnabled": True, "AlarmActions": ["arn:topic"], **changes}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A validator whose every question is answered by a world in order."""
    made = World()
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(validator, "client", made.client)
    monkeypatch.setattr(validator.http_get, "get", lambda *_: made.ready)
    monkeypatch.setattr(validator.probes, "witness", lambda *_: Witness.PRIMARY)
    monkeypatch.setattr(validator, "READY_AGAIN_SECONDS", 0)
    validator._environment.cache_clear()
    yield made
    validator._environment.cache_clear()


SCHEDULED = {"source": "aws.events", "time": NOON.isoformat()}


def test_a_run_is_kept_where_the_controller_reads_it(world: World) -> None:
    """Issue 19.1: everything in order is score 1, measured, with the excuse as a note."""
    line = validator.handler(SCHEDULED, SimpleNamespace(aws_request_id="r"))
    assert line == "readiness 1: every check"
    (found,) = world.table.validations()
    assert (found.began, found.ready, found.permissions_proven) == (MINUTE, True, True)
    assert [note.partition(":")[0] for note in found.notes] == ["backup"]
    (datum,) = world.metrics[0]["MetricData"]
    assert (datum["MetricName"], datum["Value"]) == ("FailoverReadiness", 1)


def test_what_failed_is_named(world: World) -> None:
    """The score is 0 with the reasons, and the metric says 0."""
    world.table.state(State(version=1, armed=True, freeze=Freeze("why", "ada", 0, MINUTE + 1)))
    world.ready = Answered(503, body=b'{"parts":{"bus":{"ready":false,"reason":"gone"}}}')
    line = validator.handler(SCHEDULED, None)
    assert line == (
        "readiness 0: standby: the standby's /ready: bus gone; freeze: recovery is frozen by ada"
    )
    assert world.metrics[0]["MetricData"][0]["Value"] == 0


def test_one_slow_ready_is_asked_again(world: World) -> None:
    """A single slow answer of the database is no finding."""
    answers = [Answered(503, body=b'{"parts":{"bus":{}}}'), world.ready]
    with mock.patch.object(validator.http_get, "get", side_effect=answers):
        parts = validator._unready(ENV, "elb", world.client("secretsmanager", OWN), "arn")
    assert parts == {}


def test_on_demand_is_never_before_the_controllers_minute(world: World) -> None:
    """A lab's schedule may be ahead of this machine's clock, and older validations don't count."""
    with mock.patch("recovery.controller.time.time", return_value=60.0):
        validator.handler({}, None)
    assert world.table.validations()[0].began == MINUTE + 3


def test_nothing_that_grows_is_left(world: World) -> None:
    """Issue 19.1: an hour of validations and one item of markers, however long it runs."""
    kept = KeptValidations(world.table, "table-recovery")
    for minute in range(MINUTE - 300, MINUTE, 5):
        kept.store(Validation(minute, True, True, True, True, "16.8"))
    validator.handler(SCHEDULED, None)
    began = [one.began for one in world.table.validations()]
    assert began[0] == MINUTE - KEPT_MINUTES
    assert began[-1] == MINUTE
    assert [key for key in world.table.items if key[0] == "marker"] == [("marker", 0)]


def test_without_replication_into_the_region_no_object_is_sent(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``data:bidirectionalReplication`` off: nothing comes back into us-east-1."""
    monkeypatch.setenv("OBJECTS_ARRIVE", "false")
    validator.handler(SCHEDULED, None)
    assert world.objects == {}
    assert world.table.validations()[0].ready


def test_a_lost_region_is_not_asked_and_lowers_nothing(world: World) -> None:
    """recovery.md 3: silence of the other region is noted, the score stays."""
    for service in ("rds", "secretsmanager", "ssm", "lambda", "s3", "events"):
        world.clients[service, PEER] = mock.Mock(**{
            f"{name}.side_effect": ConnectionError
            for name in ("describe_db_clusters", "get_secret_value", "get_parameters_by_path",
                         "get_account_settings", "put_object", "put_events")
        })  # fmt: skip
    line = validator.handler(SCHEDULED, None)
    assert line == "readiness 1: every check"
    assert len(world.table.validations()[0].notes) == 8
    markers = KeptValidations(world.table, "t").markers()
    assert markers == Markers(), "the row of markers begins anew"


def test_an_unreadable_table_is_an_error(world: World) -> None:
    """The last validation grows old, and the alarm misses the metric."""
    world.clients["dynamodb", OWN] = mock.Mock(**{"get_item.side_effect": error("Throttled")})
    with pytest.raises(UnavailableError):
        validator.handler(SCHEDULED, None)
    assert world.metrics == []


def test_a_reader_without_a_heartbeat_shows_nothing(world: World) -> None:
    """The database's own heartbeat is what is timed."""
    del world
    silent = {"own_reader": {"value": "unknown", "tries": [{"reason": "tls"}]}}
    found = validator._reader(silent, OWN)
    assert found == Missing("the own reader shows no heartbeat: tls", asked=True)


def test_the_calls_of_a_promotion_are_asked_for() -> None:
    """recovery.md 1.8: on the global cluster and both members; switch, epochs, table, probe,
    topic."""
    asked = dict(ENV.calls())
    assert len(asked["rds:FailoverGlobalCluster"]) == 3
    assert len(asked["ssm:PutParameter"]) == 3
    assert set(asked) == {
        "rds:FailoverGlobalCluster", "ssm:PutParameter", "dynamodb:PutItem",
        "lambda:InvokeFunction", "sns:Publish",
    }  # fmt: skip


def decided(decision: str) -> Any:
    """IAM, whose every simulation is decided so."""
    return SimpleNamespace(
        simulate_principal_policy=lambda **_: {"EvaluationResults": [{"EvalDecision": decision}]}
    )


@pytest.mark.parametrize("decision", ["implicitDeny", "explicitDeny"])
def test_a_call_that_iam_would_refuse_is_named(decision: str) -> None:
    """Each action with its resource."""
    assert questions.denied(decided(decision), "role", [("a:B", ["c"])]) == ("a:B on c",)
    assert questions.denied(decided("allowed"), "role", [("a:B", ["c"])]) == ()


@pytest.mark.parametrize(
    "found",
    [
        [],
        [alarm("alarm-a", ActionsEnabled=False)],
        [alarm("alarm-a", AlarmActions=["arn:other"])],
    ],
)
def test_an_alarm_that_notifies_nobody_is_unarmed(found: list[dict[str, Any]]) -> None:
    """Missing, disabled, or publishing elsewhere."""
    cloudwatch = SimpleNamespace(describe_alarms=lambda **_: {"MetricAlarms": found})
    assert questions.unarmed(cloudwatch, ["alarm-a"], "arn:topic") == ("alarm-a",)


def test_only_confirmed_subscriptions_count() -> None:
    """Trap 28b: SNS gives a pending one no ARN."""
    listed = [{"SubscriptionArn": "PendingConfirmation"}, {"SubscriptionArn": "arn:a"}]
    sns = SimpleNamespace(list_subscriptions_by_topic=lambda **_: {"Subscriptions": listed})
    assert questions.confirmed_subscriptions(sns, "t") == 1


def paged(name: str, pages: list[dict[str, Any]]) -> Any:
    """A client whose call gives these pages in order."""
    rest = iter(pages)
    return SimpleNamespace(**{name: lambda **_: next(rest)})


def test_the_newest_complete_backup_of_all_pages_counts() -> None:
    """One that still runs is none."""

    def point(hour: int, status: str = "COMPLETED") -> dict[str, Any]:
        return {"CreationDate": NOON.replace(hour=hour), "Status": status}

    backup = paged("list_recovery_points_by_backup_vault", [
        {"RecoveryPoints": [point(3), point(1)], "NextToken": "n"},
        {"RecoveryPoints": [point(2), point(9, "PARTIAL")]},
    ])  # fmt: skip
    assert questions.newest_backup(backup, "v") == NOON.replace(hour=3).timestamp()


def test_a_cluster_is_compared_by_version_classes_and_scaling() -> None:
    """Serverless instances differ by their range."""
    cluster = {
        "EngineVersion": "16.8", "ClusterCreateTime": NOON, "DBClusterMembers": [],
        "ServerlessV2ScalingConfiguration": {"MinCapacity": 8.0, "MaxCapacity": 64.5},
    }  # fmt: skip
    starting = {"DBInstanceClass": "db.serverless", "DBInstanceStatus": "creating"}
    rds = SimpleNamespace(
        describe_db_clusters=lambda **_: {"DBClusters": [cluster]},
        describe_db_instances=lambda **_: {"DBInstances": [starting]},
    )
    assert questions.member(rds, "c") == Member(
        "16.8", ("db.serverless",), 0, "8-64.5 ACU", NOON.timestamp(), writer=False
    )


def test_secrets_are_reported_by_digests_alone() -> None:
    """No secret's value leaves the question."""
    secrets = SimpleNamespace(get_secret_value=lambda **_: {"SecretString": "hush"})
    found = questions.secret_digests(
        secrets, ["arn:aws:secretsmanager:r:1:secret:app-token-AbCdEf"]
    )
    assert list(found) == ["app-token"]
    assert "hush" not in str(found)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (Answered(None, "refused"), "/ready: refused"),
        (Answered(404, body=b"{}"), "/ready: status 404"),
        (Answered(502, body=b"bad gateway"), "/ready: status 502"),
    ],
)
def test_a_ready_without_parts_is_unreadable(answer: Answered, text: str) -> None:
    """What answered instead is named."""
    with pytest.raises(UnreadableError, match=text):
        questions.unready_parts(answer)


def test_the_writers_part_of_ready_is_not_the_standbys() -> None:
    """The writer lives in the other region: its loss must not disarm the standby."""
    body = {
        "parts": {
            "writer": {"ready": False},
            "replication": {"ready": False},
            "bus": {"ready": True},
        }
    }
    found = questions.unready_parts(Answered(503, body=json.dumps(body).encode()))
    assert found == {"replication": "not ready"}


@pytest.mark.parametrize(
    ("fault", "answer"),
    [
        (error("AccessDenied", 403), True),
        (error("ResourceNotFoundException"), True),
        (error("ThrottlingException"), False),
        (error("ServiceUnavailable", 503), False),
        (ConnectionError(), False),
    ],
)
def test_a_refusal_is_an_answer_and_silence_is_none(fault: Exception, answer: bool) -> None:
    """recovery.md 2: throttled and absent answers are unknown."""
    assert is_answer(fault) is answer


def test_questions_are_bounded_and_never_raise() -> None:
    """A question that hangs is ``Missing`` after the limit, and nobody waits for it."""
    import threading

    release = threading.Event()

    def fails(fault: Exception) -> Callable[[], None]:
        def question() -> None:
            raise fault

        return question

    found = ask_all(
        {
            "good": lambda: 7,
            "slow": release.wait,
            "refused": fails(error("AccessDenied", 403)),
            "ours": fails(UnreadableError("/ready: refused")),
        },
        0.2,
    )
    release.set()
    assert found["good"] == 7
    assert found["slow"] == Missing("slow: no answer within 0 s", asked=False)
    assert found["refused"] == Missing("refused: AccessDenied", asked=True)
    assert found["ours"] == Missing("ours: /ready: refused", asked=False)
    assert asking.CLIENT_ERRORS.start == 400


class Way:
    """A way on which what is sent arrives after some looks."""

    def __init__(self, looks: int, fault: Exception | None = None) -> None:
        self.looks, self.fault, self.sent = looks, fault, 0.0

    def send(self, at: float) -> None:
        if self.fault:
            raise self.fault
        self.sent = at

    def newest(self) -> float:
        self.looks -= 1
        return self.sent if self.looks < 0 else 0


def timer() -> Timer:
    """Time that passes by sleeping alone."""
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    return Timer(lambda: now[0], sleep)


def test_a_marker_is_timed() -> None:
    """Issue 19.1: seconds from its sending to its arrival, by this process's own clock."""
    way: Any = Way(looks=3)
    found = cross(way, Crossing(), 100.0, timer())
    assert isinstance(found, Crossing)
    assert (found.since, found.arrived) == (100, 100)
    assert found.seconds == pytest.approx(3 * crossing.PAUSE_SECONDS)


def test_a_marker_that_is_late_is_found_by_the_next_run() -> None:
    """The wait is short; what the next run finds counts, and the row continues."""
    way: Any = Way(looks=1000)
    first = cross(way, Crossing(50, 60, sent=90), 100.0, timer())
    assert first == Crossing(50, 60, None, sent=100)
    assert to_keep(first) == Crossing(50, 60, sent=100)
    assert to_keep(None) == Crossing()
    assert to_keep(Missing("a", asked=False)) == Crossing()


def test_after_a_gap_the_row_of_markers_begins_anew() -> None:
    """A region that comes back sent nothing meanwhile, so nothing of it is late."""
    way: Any = Way(looks=1000)
    found = cross(way, Crossing(50, 60, sent=90), 90 + crossing.GAP_SECONDS + 1, timer())
    assert found == Crossing(751, 0, None, sent=751)


@pytest.mark.parametrize(
    ("fault", "asked"),
    [
        (error("AccessDenied", 403), True),
        (RefusedMarkerError("InternalFailure"), True),
        (ConnectionError(), False),
    ],
)
def test_a_marker_that_is_not_taken(fault: Exception, asked: bool) -> None:
    """Refused is a fault; unreachable may be the loss itself."""
    way: Any = Way(0, fault)
    found = cross(way, Crossing(), 1, timer())
    assert isinstance(found, Missing)
    assert found.asked is asked


def test_an_event_that_the_bus_refuses_is_raised() -> None:
    """PutEvents answers 200 all the same."""
    bus = mock.Mock()
    bus.put_events.return_value = {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "Denied"}]}
    with pytest.raises(RefusedMarkerError, match="Denied"):
        EventWay(bus, mock.Mock(), "bus", "queue").send(1)


def test_an_empty_queue_and_a_missing_object_are_no_marker() -> None:
    """Before the first one; another fault of the bucket is raised."""
    queue = mock.Mock()
    queue.receive_message.return_value = {}
    assert EventWay(mock.Mock(), queue, "bus", "queue").newest() == 0
    for code, raised in (("NoSuchKey", False), ("AccessDenied", True)):
        s3 = mock.Mock(**{"get_object.side_effect": error(code, 404)})
        way = ObjectWay(s3, s3, "a", "b", OWN)
        if raised:
            with pytest.raises(ClientError):
                way.newest()
        else:
            assert way.newest() == 0


def test_a_metric_that_fails_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged and forgotten."""
    measure(mock.Mock(**{"put_metric_data.side_effect": error("Throttling")}), "lab", "M", 1)
    assert "M isn't measured: Throttling" in caplog.text


def test_every_check_has_its_line_in_the_log(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """A person reads there why, and how long each marker took."""
    del world
    with caplog.at_level("INFO"):
        validator.handler(SCHEDULED, None)
    assert all(f"{check}: " in caplog.text for check in CHECKS)
    assert "the marker event crossed in" in caplog.text
