"""Restoring as of a moment: a volume's origin and its log since, on real servers."""

import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from test_rds_events import kept, world  # noqa: F401 - fixtures

from lab.api import ApiRefusal
from lab.database import origin
from lab.database.postgres import PostgresServer
from lab.errors import LabError

BESIDE = "arn:aws:rds:us-east-1:1:cluster:beside"
MOMENT = datetime(2026, 11, 28, 3, tzinfo=UTC)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A writer from its beginning on."""
    server = PostgresServer(tmp_path_factory.mktemp("source"), "word")
    server.initialise()
    origin.keep(server)
    server.start()
    yield server
    server.destroy()


def rows(server):
    with server.connect() as connection:
        return [row[0] for row in connection.execute("SELECT what FROM kept ORDER BY what")]


def wait_for_next_millisecond():
    """The log's times have microseconds; a moment between two commits needs some of them."""
    time.sleep(0.01)


def test_a_cluster_is_restored_as_it_was_before_the_damage(source, tmp_path):
    """Issue 23.8: what was destroyed since is there, what was written since isn't; the latest is
    the present; each is a writer of its own, and the source continues."""
    with source.connect() as connection:
        connection.execute("CREATE TABLE kept (what text)")
        connection.execute("INSERT INTO kept VALUES ('before')")
        wait_for_next_millisecond()
        moment = datetime.now(UTC)
        wait_for_next_millisecond()
        connection.execute("DELETE FROM kept")
        connection.execute("INSERT INTO kept VALUES ('after')")
    for name, at, expected in (("then", moment, ["before"]), ("now", None, ["after"])):
        target = PostgresServer(tmp_path / name, "word")
        origin.recover(origin.complete(source), source, target, at)
        try:
            target.start()
            # It answers queries, and so has reached its moment: it isn't a hot standby before.
            assert target.value("SELECT pg_is_in_recovery()") is False
            assert rows(target) == expected
        finally:
            target.destroy()
    assert rows(source) == ["after"]


def test_a_log_that_is_not_whole_restores_nothing(source):
    """The lab keeps the newest 128 MB: one line says so, instead of a cluster with holes."""
    origin.complete(source)
    first = min(path.name for path in (source.data / "pg_wal").iterdir() if len(path.name) == 24)
    hidden = source.data / "pg_wal" / first
    away = hidden.rename(source.directory / first)
    try:
        with pytest.raises(LabError, match="1 segments of its log are gone"):
            origin.complete(source)
    finally:
        away.rename(hidden)


def test_only_a_running_writer_that_began_here_is_restored(source, tmp_path):
    """A copy of another volume has another's log."""
    stopped = PostgresServer(tmp_path / "stopped", "word")
    with pytest.raises(LabError, match="no running writer that began here"):
        origin.complete(stopped)
    (tmp_path / "stopped" / "origin").mkdir(parents=True)
    with pytest.raises(LabError, match="no running writer that began here"):
        origin.complete(stopped)


def call(kept, **given):  # noqa: F811
    given = {"SourceDBClusterIdentifier": "c", "DBClusterIdentifier": "beside", **given}
    return kept.call("RestoreDBClusterToPointInTime", **given)


@pytest.fixture
def asked(kept, monkeypatch):  # noqa: F811
    """What the emulator was asked to make, and what was recovered from where."""
    found = SimpleNamespace(created=[], recovered=[], whole=["segment"])

    async def create(_service, _region, operation, **given):
        found.created.append((operation, given))
        return {"DBCluster": {"DBClusterArn": BESIDE, "DBClusterIdentifier": "beside"}}

    def complete(_server):
        if isinstance(found.whole, Exception):
            raise found.whole
        return found.whole

    monkeypatch.setattr(kept.aws, "call", create, raising=False)
    monkeypatch.setattr(kept.fleet, "server", lambda cluster: cluster.identifier, raising=False)
    monkeypatch.setattr(origin, "complete", complete)
    monkeypatch.setattr(origin, "recover", lambda *given: found.recovered.append(given))
    return found


def test_the_call_makes_a_cluster_of_its_own(kept, asked):  # noqa: F811
    """Aurora user guide, "Restoring a DB cluster to a specified time": a new cluster, outside the
    global database; the moment is lab time, the log has the machine's."""
    clock = kept.clock

    def machines() -> datetime:
        return MOMENT - timedelta(seconds=clock.now() - time.time())

    before = machines()
    made = call(kept, RestoreToTime=MOMENT, VpcSecurityGroupIds=["sg-1"])
    assert made["DBCluster"]["DBClusterIdentifier"] == "beside"
    ((operation, given),) = asked.created
    assert operation == "CreateDBCluster"
    assert given["VpcSecurityGroupIds"] == ["sg-1"]
    assert "SourceDBClusterIdentifier" not in given
    ((segments, source, target, moment),) = asked.recovered
    assert (segments, source, target) == (["segment"], "c", "beside")
    assert kept.topology.clusters[BESIDE].provisioned
    # A clock that runs ahead keeps doing so between the two looks.
    assert machines() <= moment <= before
    call(kept, UseLatestRestorableTime=True)
    assert asked.recovered[-1][3] is None


def test_what_can_not_be_restored_is_refused(kept, asked):  # noqa: F811
    """Both or neither moment, one to come, a log with holes; who is unknown is the emulator's."""
    for given in ({}, {"RestoreToTime": MOMENT, "UseLatestRestorableTime": True}):
        with pytest.raises(ApiRefusal, match="Either RestoreToTime"):
            call(kept, **given)
    with pytest.raises(ApiRefusal, match="later than the latest restorable time"):
        call(kept, RestoreToTime="2999-01-01T00:00:00+00:00")
    asked.whole = LabError("its log is gone")
    with pytest.raises(ApiRefusal, match="its log is gone"):
        call(kept, RestoreToTime=MOMENT)
    assert call(kept, SourceDBClusterIdentifier="nobody", RestoreToTime=MOMENT) == {}
    assert asked.created == []
