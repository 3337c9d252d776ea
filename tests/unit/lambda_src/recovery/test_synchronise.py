"""The synchronisation's handler against both regions' Parameter Store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
from botocore.exceptions import ClientError

from recovery import synchronise
from recovery.parameter_plan import Setting
from recovery.shared_parameters import SharedParameters
from recovery.synchronise import SynchroniserEnvironment

EAST, WEST = "us-east-1", "us-west-2"
NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
VARIABLES = {
    "AWS_REGION": EAST,
    "PEER_REGION": WEST,
    "ENVIRONMENT_SUFFIX": "lab",
    "RECOVERY_TABLE": "table",
    "GLOBAL_CLUSTER": "both",
    "CLUSTER": "east",
    "CLUSTER_ARN": "arn:east",
    "PEER_CLUSTER": "west",
    "SHARED_PATH": "/p/east",
    "PEER_SHARED_PATH": "/p/west",
}
FULL = {"source": "aws.events", "time": "2026-11-27T12:00:00Z"}


class Store:
    """One region's Parameter Store."""

    def __init__(self, **values: str) -> None:
        self.path, self.values = "", dict(values)
        self.kinds: dict[str, str] = {}

    def get_parameters_by_path(self, **given: Any) -> dict[str, Any]:
        self.path = given["Path"]
        found = [self._one(f"{self.path}/{key}") for key in sorted(self.values)]
        at = int(given.get("NextToken", 0))
        more = {"NextToken": str(at + 2)} if len(found) > at + 2 else {}
        return {"Parameters": found[at : at + 2], **more}

    def get_parameters(self, **given: Any) -> dict[str, Any]:
        names = [name for name in given["Names"] if name.rpartition("/")[2] in self.values]
        return {"Parameters": [self._one(name) for name in names]}

    def put_parameter(self, **given: Any) -> None:
        assert given["Overwrite"]
        key = given["Name"].rpartition("/")[2]
        self.values[key], self.kinds[key] = given["Value"], given["Type"]

    def delete_parameter(self, **given: Any) -> None:
        del self.values[given["Name"].rpartition("/")[2]]

    def _one(self, name: str) -> dict[str, Any]:
        key = name.rpartition("/")[2]
        return {
            "Name": name, "Value": self.values[key], "Type": self.kinds.get(key, "String"),
            "LastModifiedDate": NOON.replace(hour=11, minute=50), "Version": 2,
        }  # fmt: skip


class World:
    """Two regions of which us-east-1 writes."""

    def __init__(self) -> None:
        self.east, self.west = Store(epoch="1", a="1", new="2"), Store(epoch="1", a="0", old="9")
        self.writer = "east"
        self.items: list[dict[str, Any]] = []
        self.metrics: list[float] = []

    def client(self, service: str, region: str) -> Any:
        """As ``recovery.aws.client``."""
        if service == "ssm":
            return self.east if region == EAST else self.west
        if service == "rds":
            return SimpleNamespace(
                describe_db_clusters=self._clusters,
                describe_global_clusters=lambda **_: {
                    "GlobalClusters": [{
                        "GlobalClusterMembers": [
                            {"DBClusterArn": f"arn:{name}", "IsWriter": name == self.writer}
                            for name in ("east", "west")
                        ]
                    }]
                },
            )  # fmt: skip
        if service == "dynamodb":
            return SimpleNamespace(
                get_item=lambda **_: {"Item": self.items[-1]} if self.items else {},
                put_item=lambda **given: self.items.append(given["Item"]),
            )
        return SimpleNamespace(
            put_metric_data=lambda **given: self.metrics.append(given["MetricData"][0]["Value"])
        )

    def _clusters(self, **given: Any) -> dict[str, Any]:
        writes = given["DBClusterIdentifier"] == self.writer
        return {"DBClusters": [{"DBClusterMembers": [{"IsClusterWriter": writes}]}]}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """us-east-1's function."""
    made = World()
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(synchronise, "client", made.client)
    synchronise._environment.cache_clear()
    yield made
    synchronise._environment.cache_clear()


def test_a_full_run_makes_both_regions_equal(world: World) -> None:
    """Issue 19.3: everything that differs is carried, and the oldest difference is measured."""
    line = synchronise.handler(FULL, None)
    assert line == "3 changes, 0 of them over later ones; the oldest difference was 600 s old"
    assert world.west.values == world.east.values
    assert world.metrics == [600]
    assert synchronise.handler(FULL, None).startswith("0 changes")
    assert world.metrics == [600, 0]


def test_the_region_that_does_not_write_only_measures(world: World) -> None:
    """Issue 19.3: so that a synchronisation that stands still over there is seen here."""
    world.writer = "west"
    before = dict(world.west.values), dict(world.east.values)
    line = synchronise.handler(FULL, None)
    assert line.startswith("nothing done: the other region writes")
    assert (world.west.values, world.east.values) == before
    assert world.metrics == [600]
    seen = json.loads(world.items[-1]["body"]["S"])
    assert set(seen) == {"a", "new", "old"}
    later = {"source": "aws.events", "time": "2026-11-27T12:05:00+00:00"}
    synchronise.handler(later, None)
    assert json.loads(world.items[-1]["body"]["S"])["new"] == NOON.timestamp(), "first seen"


@pytest.mark.parametrize(("key", "changed"), [("a", "a"), ("old", "old"), ("new", "new")])
def test_an_event_carries_its_parameter_alone(world: World, key: str, changed: str) -> None:
    """As it is now: created, changed, or gone."""
    before = dict(world.west.values)
    event = {"source": "aws.ssm", "detail": {"name": f"/p/east/{key}", "operation": "Update"}}
    assert synchronise.handler(event, None) == f"{key}: 1 changes, 0 of them over later ones"
    assert {
        one for one in {*before, *world.west.values}
        if before.get(one) != world.west.values.get(one)
    } == {changed}  # fmt: skip


def test_an_event_of_the_region_that_does_not_write_is_dropped(world: World) -> None:
    """recovery.md 5: what was queued in an old epoch goes nowhere."""
    world.west.values["epoch"] = "2"
    event = {"source": "aws.ssm", "detail": {"name": "/p/east/a"}}
    line = synchronise.handler(event, None)
    assert line == "a: nothing done: the other region knows epoch 2: this one was demoted"
    assert world.west.values["a"] == "0"


def test_the_epoch_goes_first() -> None:
    """What belongs to an epoch follows it."""
    puts: list[str] = []
    other: Any = SimpleNamespace(put=lambda key, _: puts.append(key), delete=puts.append)
    ours = {key: Setting("2", 1.0) for key in ("a", "epoch", "z")}
    synchronise.carry(other, synchronise.plan(ours, {"old": Setting("1", 1.0)}))
    assert puts == ["epoch", "a", "old", "z"]


def test_what_is_overwritten_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Issue 19.3: a later change of the other region gives way, and its line is kept."""
    made = synchronise.plan({"a": Setting("1", 1.0)}, {"a": Setting("2", 2.0)})
    assert synchronise.carry(mock.Mock(), made) == "1 changes, 1 of them over later ones"
    assert "overwritten in the other region: a: its version 1" in caplog.text


def test_on_demand_is_now(world: World) -> None:
    """Without a scheduled time the machine's own counts."""
    with mock.patch.object(synchronise.time, "time", return_value=NOON.timestamp()):
        synchronise.handler({}, None)
    assert world.metrics == [600]


def test_secrets_stay_where_they_are() -> None:
    """Issue 19.3: neither read nor carried nor deleted."""
    store = Store(a="1", b="2", c="3")
    store.kinds["b"] = "SecureString"
    found = SharedParameters(store, "/p")
    assert set(found.all()) == {"a", "c"}
    assert set(found.some(["b", "c", "missing"])) == {"c"}


@pytest.mark.parametrize("code", ["ParameterNotFound", "AccessDenied"])
def test_a_deletion_that_was_done_already_is_fine(code: str) -> None:
    """Events come twice; another fault is raised."""
    fault = ClientError({"Error": {"Code": code}}, "DeleteParameter")
    store = SharedParameters(mock.Mock(**{"delete_parameter.side_effect": fault}), "/p")
    if code == "AccessDenied":
        with pytest.raises(ClientError):
            store.delete("a")
    else:
        store.delete("a")


def test_a_variable_that_is_missing_is_named() -> None:
    """The environment is read whole."""
    assert SynchroniserEnvironment.of(VARIABLES).peer_path == "/p/west"
    with pytest.raises(KeyError, match="SHARED_PATH"):
        SynchroniserEnvironment.of({k: v for k, v in VARIABLES.items() if k != "SHARED_PATH"})
