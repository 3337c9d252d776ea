"""New passwords for the database's users (trap 42)."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from fake_clients import refusal
from invoke.context import Context
from recovery_tables import EAST, WEST, Table, lost
from watched_driver import stack_file

from ops import session
from ops.cloud.clients import Clients
from ops.errors import OperatorError
from ops.front import upkeep
from ops.recovery.place import World
from ops.secrets import rotation
from ops.secrets.versions import alternate
from recovery.model import Incident, Stage, State, Tail

APPLICATION = "secret-application-us-east-1-lab"
MASTER = "secret-master-us-east-1-lab"


class Secrets:
    """Secrets Manager in memory: name → version → labels and text."""

    def __init__(self, label: str = "DEPLOYED") -> None:
        self.names: dict[str, dict[str, dict[str, Any]]] = {}
        for name, user in ((APPLICATION, "application"), (MASTER, "postgres_admin")):
            first = {"username": user, "password": "first"}
            labels = ["AWSCURRENT", *([label] if label else [])]
            self.names[name] = {"v0": {"labels": labels, "text": json.dumps(first)}}
        self.refuses: str = ""

    def describe_secret(self, **given: Any) -> dict[str, Any]:
        kept = self.names[given["SecretId"]]
        return {"VersionIdsToStages": {name: list(one["labels"]) for name, one in kept.items()}}

    def get_secret_value(self, **given: Any) -> dict[str, Any]:
        kept = self.names[given["SecretId"]].values()
        (found,) = [one for one in kept if given["VersionStage"] in one["labels"]]
        return {"SecretString": found["text"]}

    def get_random_password(self, **given: Any) -> dict[str, Any]:
        assert given == {"PasswordLength": 40, "ExcludePunctuation": True}
        return {"RandomPassword": "drawn"}

    def put_secret_value(self, **given: Any) -> dict[str, Any]:
        kept = self.names[given["SecretId"]]
        version = f"v{len(kept)}"
        for one in kept.values():
            one["labels"] = [name for name in one["labels"] if name not in given["VersionStages"]]
        kept[version] = {"labels": list(given["VersionStages"]), "text": given["SecretString"]}
        return {"VersionId": version}

    def update_secret_version_stage(self, **given: Any) -> None:
        kept, label = self.names[given["SecretId"]], given["VersionStage"]
        if self.refuses == label:
            raise refusal("InternalServiceError")
        if away := given.get("RemoveFromVersionId"):
            kept[away]["labels"].remove(label)
            if label == "AWSCURRENT":
                for one in kept.values():
                    one["labels"] = [name for name in one["labels"] if name != "AWSPREVIOUS"]
                kept[away]["labels"].append("AWSPREVIOUS")
        if to := given.get("MoveToVersionId"):
            kept[to]["labels"].append(label)

    def labels(self, name: str) -> dict[str, list[str]]:
        return {version: one["labels"] for version, one in self.names[name].items()}


@dataclass
class Aws:
    """Both regions' services that a rotation asks."""

    secrets: Secrets = field(default_factory=Secrets)
    writer: str = EAST
    tables: dict[str, Table] = field(
        default_factory=lambda: {EAST: Table(State(epoch=1)), WEST: Table(State(epoch=1))}
    )
    regions: tuple[str, str] = (EAST, WEST)
    calls: list[tuple[str, Any]] = field(default_factory=list)
    knows: Any = field(default_factory=lambda: {"knows": True})
    """What the migration answers to the question whether it knows rotations."""
    proves: str = ""
    """Who has logged in, if it isn't the user that was asked for."""
    failures: int = 0
    """How many calls of the migration fail."""
    epochs: dict[str, Any] = field(default_factory=lambda: {EAST: "1", WEST: "1"})
    """What each region's parameter holds, or what reading it raises."""
    cluster: Any = field(default_factory=lambda: {"value": "alive", "writes": True, "epoch": 1})
    """What the probe of the writer's region sees of its own cluster, or its whole answer."""
    replica: Any = None
    """What the standby's Secrets Manager raises, or the labels that it has."""

    def get(self, service: str, region: str) -> Any:
        if service == "dynamodb":
            return self.tables[region]
        if service == "secretsmanager" and region == WEST and self.replica is not None:
            return self
        return self.secrets if service == "secretsmanager" else _Service(self, region)

    def describe_secret(self, **_: Any) -> dict[str, Any]:
        if isinstance(self.replica, Exception):
            raise self.replica
        return {"VersionIdsToStages": self.replica}


@dataclass
class _Service:
    aws: Aws
    region: str

    def describe_global_clusters(self, **_: Any) -> dict[str, Any]:
        arn = "arn:aws:rds:{0}:1:cluster:c-{0}"
        members = [
            {"DBClusterArn": arn.format(one), "IsWriter": self.aws.writer == one}
            for one in self.aws.regions
        ]
        return {"GlobalClusters": [{"GlobalClusterMembers": members}]}

    def modify_db_cluster(self, **given: Any) -> None:
        self.aws.calls.append((self.region, given))

    def get_parameter(self, **given: Any) -> dict[str, Any]:
        assert given == {"Name": f"/warm-standby/{self.region}/lab/shared/epoch"}
        value = self.aws.epochs[self.region]
        if isinstance(value, Exception):
            raise value
        return {"Parameter": {"Value": value}}

    def _probed(self, given: dict[str, Any]) -> dict[str, Any]:
        """The answer of the writer's probe."""
        assert given["FunctionName"] == f"function-probe-{self.aws.writer}-lab:live"
        found = self.aws.cluster
        if isinstance(found, Exception):
            raise found
        text = found if isinstance(found, str) else json.dumps({"own_cluster": found})
        return {"Payload": io.BytesIO(text.encode())}

    def invoke(self, **given: Any) -> dict[str, Any]:
        asked = json.loads(given["Payload"])
        if asked == {"action": "observe"}:
            return self._probed(given)
        if asked == {"knows": "rotations"}:
            return {"Payload": io.BytesIO(json.dumps(self.aws.knows).encode())}
        self.aws.calls.append((self.region, asked))
        if self.aws.failures:
            self.aws.failures -= 1
            text = json.dumps({"errorMessage": "28P01"}) if self.aws.failures % 2 else "no json\n"
            return {"FunctionError": "Unhandled", "Payload": io.BytesIO(text.encode())}
        proved = {"user": self.aws.proves or self._user(asked["stages"]), **asked}
        return {"Payload": io.BytesIO(json.dumps(proved).encode())}

    def _user(self, stages: dict[str, str]) -> str:
        stage = stages.get("application", "AWSCURRENT")
        found = self.aws.secrets.get_secret_value(SecretId=APPLICATION, VersionStage=stage)
        return json.loads(found["SecretString"])["username"]


def world(aws: Aws) -> World:
    """Time passes by sleeping alone."""
    slept = [0.0]
    return World(
        stack_file("dev"), cast(Clients, aws),
        sleep=lambda seconds: slept.__setitem__(0, slept[0] + seconds), now=lambda: slept[0],
    )  # fmt: skip


def test_the_application_goes_from_one_user_to_the_other() -> None:
    """Trap 42: two rotations come back to the first user; the state's version keeps its label, the
    one that was left stays good, and nothing becomes current before it has logged in."""
    aws = Aws()
    (first,) = rotation.rotate(world(aws), "application")
    assert (first.username, first.version, first.standby) == ("application_b", "v1", "follows")
    assert aws.secrets.labels(APPLICATION) == {
        "v0": ["DEPLOYED", "AWSPREVIOUS"],
        "v1": ["AWSCURRENT"],
    }
    assert aws.calls == [(EAST, {"stages": {"application": "AWSPENDING"}})]
    (second,) = rotation.rotate(world(aws), "application")
    assert second.username == "application"
    assert aws.secrets.labels(APPLICATION) == {
        "v0": ["DEPLOYED"],
        "v1": ["AWSPREVIOUS"],
        "v2": ["AWSCURRENT"],
    }


@pytest.mark.parametrize("writer", [EAST, WEST])
def test_the_master_is_changed_where_the_writer_is(writer: str) -> None:
    """Trap 42: after a swap too; RDS takes its time, and the migration proves the new password
    before it is the current one."""
    aws = Aws(writer=writer, failures=2)
    (done,) = rotation.rotate(world(aws), "master")
    assert done.username == "postgres_admin"
    region, given = aws.calls[0]
    assert region == writer
    assert given == {
        "DBClusterIdentifier": f"c-{writer}", "MasterUserPassword": "drawn",
        "ApplyImmediately": True,
    }  # fmt: skip
    assert aws.calls[1:] == [(EAST, {"stages": {"master": "AWSPENDING"}})] * 3
    assert aws.secrets.labels(MASTER)["v1"] == ["AWSCURRENT"]


def test_both_are_the_default_and_no_value_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """NAMES: secrets.rotate; a password in an output would be one too many."""
    aws = Aws()
    monkeypatch.setattr(session, "acting_on", lambda _: world(aws))
    upkeep.secrets_rotate(Context(), stack="dev", json=True)
    shown = capsys.readouterr()
    assert [one["secret"] for one in json.loads(shown.out)] == [APPLICATION, MASTER]
    upkeep.secrets_rotate(Context(), stack="dev")
    shown_again = capsys.readouterr().out
    assert "./inv deploy-all --stack dev" in shown_again
    assert "drawn" not in shown.out + shown.err + shown_again


def test_a_killed_rotation_goes_on_with_what_it_began() -> None:
    """N7: the same command again, and no third password."""
    aws = Aws()
    aws.secrets.refuses = "AWSCURRENT"
    with pytest.raises(OperatorError, match=r"InternalServiceError; logins continue as before; "):
        rotation.rotate(world(aws), "application")
    assert aws.secrets.labels(APPLICATION)["v1"] == ["AWSPENDING"]
    aws.secrets.refuses = ""
    (done,) = rotation.rotate(world(aws), "application")
    assert (done.version, done.username) == ("v1", "application_b")
    assert "v2" not in aws.secrets.labels(APPLICATION)


def test_a_secret_of_before_the_label_gets_it_once() -> None:
    """Trap 42: the version that the state holds is the current one still, at the first rotation."""
    aws = Aws(secrets=Secrets(label=""))
    rotation.rotate(world(aws), "application")
    rotation.rotate(world(aws), "application")
    assert aws.secrets.labels(APPLICATION)["v0"] == ["DEPLOYED"]


def test_a_migration_that_fails_changes_no_login() -> None:
    """Trap 42: the new version stays pending."""
    aws = Aws(failures=1)
    with pytest.raises(OperatorError, match=r"failed: no json; logins continue as before"):
        rotation.rotate(world(aws), "application")
    assert "AWSCURRENT" in aws.secrets.labels(APPLICATION)["v0"]
    aws = Aws(failures=1000)
    with pytest.raises(OperatorError, match=r"failed: 28P01|failed: no json"):
        rotation.rotate(world(aws), "master")


@pytest.mark.parametrize(
    "knows", [{"applied": []}, {"knows": False}, {"errorMessage": "28P01"}, ["no dictionary"]]
)
def test_a_migration_that_would_ignore_the_version_is_found_first(knows: Any) -> None:
    """Trap 42: a release of before makes no second user and proves the first one: nothing is begun,
    and the master isn't changed in the database."""
    aws = Aws(knows=knows)
    with pytest.raises(OperatorError, match="up --layer app") as caught:
        rotation.rotate(world(aws), "both")
    assert caught.value.code == 2
    assert (aws.calls, list(aws.secrets.labels(APPLICATION))) == ([], ["v0"])


def test_another_user_s_login_proves_nothing() -> None:
    """Trap 42: the version becomes current only after its own user has logged in."""
    aws = Aws(proves="application")
    with pytest.raises(OperatorError, match="it proved another user"):
        rotation.rotate(world(aws), "application")
    assert "AWSCURRENT" in aws.secrets.labels(APPLICATION)["v0"]


def test_a_migration_that_can_t_be_called_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lost primary region: nothing is begun."""
    monkeypatch.setattr(_Service, "invoke", lambda *_, **__: (_ for _ in ()).throw(lost()))
    with pytest.raises(OperatorError, match="no connection"):
        rotation.rotate(world(Aws()), "both")


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (State(stage=Stage.PROMOTING), "us-west-2 is being promoted"),
        (
            State(incident=Incident(5, None, 30, tail=Tail.OPEN)),
            "the lost tail is open",
        ),
    ],
)
def test_a_promotion_comes_first(state: State, said: str) -> None:
    """Trap 42: the old volume has today's users; with other ones nobody could compare it."""
    aws = Aws()
    aws.tables[WEST] = Table(state)
    with pytest.raises(OperatorError, match=said) as caught:
        rotation.rotate(world(aws), "both")
    assert caught.value.code == 2
    assert aws.calls == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"epochs": {EAST: "1", WEST: "2"}}, "is of epoch 1, the newest known is 2"),
        ({"epochs": {EAST: lost(), WEST: "2"}}, "is of epoch 1, the newest known is 2"),
        ({"cluster": {"writes": False, "epoch": 1}}, "only reads"),
        ({"cluster": {"value": "dead"}}, "doesn't say of which epoch it is"),
        ({"cluster": "no json"}, "doesn't say of which epoch it is"),
        ({"cluster": "[]"}, "doesn't say of which epoch it is"),
    ],
)
def test_a_demoted_writer_gets_no_password(given: dict[str, Any], said: str) -> None:
    """H26: what RDS calls the writer is compared with every epoch that can be read; nothing is
    changed on an older one, and the pending version waits for the next command."""
    aws = Aws(**given)
    with pytest.raises(OperatorError, match=f"us-east-1's cluster {said}: nothing was chan") as no:
        rotation.rotate(world(aws), "master")
    assert no.value.code == 2
    assert aws.calls == []
    aws.epochs, aws.cluster = {EAST: lost(), WEST: "odd"}, Aws().cluster
    (done,) = rotation.rotate(world(aws), "master")
    assert done.standby == "follows"


def test_an_item_knows_a_newer_epoch_as_well() -> None:
    """H26: the parameter may be written later than the item."""
    aws = Aws()
    aws.tables[WEST] = Table(State(epoch=2))
    with pytest.raises(OperatorError, match="the newest known is 2"):
        rotation.rotate(world(aws), "master")


def test_a_probe_that_can_t_be_called_stops_the_masters_rotation() -> None:
    """H26: nobody else can say of which epoch a cluster is."""
    aws = Aws(cluster=lost())
    with pytest.raises(OperatorError, match=r"function-probe-us-east-1-lab .*no connection"):
        rotation.rotate(world(aws), "master")
    assert aws.calls == []


def test_what_can_t_be_rotated_is_said() -> None:
    """STYLE: one line each."""
    with pytest.raises(OperatorError, match="none of both, application, master"):
        rotation.rotate(world(Aws()), "nobody")
    with pytest.raises(OperatorError, match="has 0 writers"):
        rotation.rotate(world(Aws(writer="nowhere")), "master")


@pytest.mark.parametrize(
    ("replica", "said"),
    [
        ({"v0": ["AWSCURRENT"]}, "still has v0"),
        ({}, "still has nothing"),
        (lost(), "unknown (no connection)"),
    ],
)
def test_a_replica_that_is_late_is_named(replica: Any, said: str) -> None:
    """Trap 42: the standby's functions continue with the user who may still log in."""
    aws = Aws(replica=replica)
    (done,) = rotation.rotate(world(aws), "application")
    assert done.standby == said


def test_a_region_without_an_item_is_no_obstacle() -> None:
    """A lost standby stops no rotation: its item is settled later."""
    aws = Aws()
    aws.tables[WEST].fault = lost()
    assert rotation.rotate(world(aws), "application")


def test_a_label_that_is_gone_already_isn_t_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some services take the pending label away with the promotion; asked again they refuse."""
    aws = Aws()
    moved = aws.secrets.update_secret_version_stage

    def promoting(**given: Any) -> None:
        assert given.get("VersionStage") != "AWSPENDING"
        moved(**given)
        for version in aws.secrets.names[given["SecretId"]].values():
            version["labels"] = [one for one in version["labels"] if one != "AWSPENDING"]

    monkeypatch.setattr(aws.secrets, "update_secret_version_stage", promoting)
    assert rotation.rotate(world(aws), "application")
    assert aws.secrets.labels(APPLICATION)["v1"] == ["AWSCURRENT"]


def test_users_alternate() -> None:
    """Both names of the schema's grants (lambda_src/api/src/migration.mjs)."""
    assert alternate(alternate("application")) == "application"
