"""The lab's database: what is computed, without a server."""

from __future__ import annotations

import base64
import hashlib
import hmac
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.database import measurement
from lab.database.instance_classes import max_connections
from lab.database.measurement import LagClock
from lab.database.proxy import no_encryption
from lab.database.replication import parse_lsn
from lab.database.scram import verifier
from lab.database.topology import Cluster, GlobalDatabase, Topology
from lab.emulator import database_endpoints as endpoints
from lab.emulator.services.rds_refusals import is_burstable

ACCOUNT = "000000000000"


@pytest.mark.parametrize(
    ("instance_class", "maximum", "minimum", "connections"),
    [
        ("db.r6g.large", None, None, 1802),
        ("db.r5.large", None, None, 1802),
        ("db.r6g.xlarge", None, None, 3604),
        ("db.r6g.2xlarge", None, None, 5000),
        ("db.t4g.medium", None, None, 450),
        ("db.serverless", 8.0, 1.0, 1802),
        ("db.serverless", 32.0, 0.5, 2000),
        ("db.serverless", 128.0, 8.0, 5000),
        ("db.unknown.large", None, None, 1802),
    ],
)
def test_max_connections_follows_the_instance_class(
    instance_class: str, maximum: float | None, minimum: float | None, connections: int
) -> None:
    """R6.2's limit: LEAST({DBInstanceClassMemory/9531392},5000), by the Aurora user guide."""
    assert max_connections(instance_class, maximum, minimum) == connections


def test_burstable_classes_are_those_of_the_t_families() -> None:
    """Trap 5."""
    assert is_burstable("db.t4g.medium")
    assert not is_burstable("db.r6g.large")
    assert not is_burstable("db.serverless")


def test_a_verifier_proves_the_server_as_in_rfc_7677() -> None:
    """RFC 7677's example: its server signature follows from our stored server key, and its client
    proof from our stored key, so PostgreSQL accepts the password and nothing else."""
    made = verifier("pencil", base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="))
    head, keys = made.removeprefix("SCRAM-SHA-256$").split("$")
    assert head == "4096:W22ZaJ0SNY7soEsUEjb6gQ=="
    stored, server = (base64.b64decode(key) for key in keys.split(":"))
    message = (
        b"n=user,r=rOprNGfwEbeRWgbNEkqO,"
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    )
    signature = base64.b64encode(hmac.digest(server, message, "sha256")).decode()
    assert signature == "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
    proof = base64.b64decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
    client_key = bytes(
        a ^ b for a, b in zip(proof, hmac.digest(stored, message, "sha256"), strict=True)
    )
    assert hashlib.sha256(client_key).digest() == stored


def test_two_verifiers_of_one_password_differ() -> None:
    """Each has a salt of its own."""
    assert verifier("same") != verifier("same")


def test_endpoints_have_the_forms_of_aws() -> None:
    """Trap 8: the global writer endpoint's form, and those of cluster, readers, instance."""
    here = endpoints.label(ACCOUNT, "us-east-1")
    assert len(here) == 12
    assert here == endpoints.label(ACCOUNT, "us-east-1") != endpoints.label(ACCOUNT, "us-west-2")
    domain = f"{here}.us-east-1.rds.amazonaws.com"
    assert endpoints.cluster_endpoint("c", ACCOUNT, "us-east-1") == f"c.cluster-{domain}"
    assert endpoints.reader_endpoint("c", ACCOUNT, "us-east-1") == f"c.cluster-ro-{domain}"
    assert endpoints.instance_endpoint("i", ACCOUNT, "us-east-1") == f"i.{domain}"
    everywhere = endpoints.global_endpoint("g", ACCOUNT)
    assert everywhere.startswith("g.global-")
    assert everywhere.endswith(".global.rds.amazonaws.com")


def world(path: Path) -> tuple[Topology, Cluster, Cluster, GlobalDatabase]:
    """A global database of two clusters with an instance each; the first writes."""
    topology = Topology(path)
    clusters = []
    for region in ("us-east-1", "us-west-2"):
        arn = f"arn:aws:rds:{region}:{ACCOUNT}:cluster:c-{region}"
        folder = topology.new_folder(region)
        cluster = Cluster(arn, region, ACCOUNT, f"c-{region}", folder)
        cluster.instances[f"i-{region}"] = "db.r6g.large"
        topology.clusters[arn] = cluster
        clusters.append(cluster)
    east, west = clusters
    database = GlobalDatabase("g", ACCOUNT, east.arn, [east.arn, west.arn])
    topology.globals["g"] = database
    return topology, east, west, database


def test_endpoints_lead_to_who_writes(tmp_path: Path) -> None:
    """Trap 9: the global endpoint follows the writer; a secondary's writer endpoint leads nowhere;
    a cluster without instances has no address."""
    topology, east, west, database = world(tmp_path / "t.json")
    assert topology.resolve(database.endpoint) is east
    assert topology.resolve(west.cluster_endpoint) is None
    assert topology.resolve(west.reader_endpoint) is west
    database.writer = west.arn
    assert topology.resolve(database.endpoint) is west
    assert topology.resolve(west.cluster_endpoint) is west
    assert topology.resolve(east.cluster_endpoint) is None
    assert topology.resolve(east.instance_endpoint("i-us-east-1")) is east
    east.instances.clear()
    assert topology.resolve(east.reader_endpoint) is None
    assert topology.resolve("unknown.rds.amazonaws.com") is None
    assert topology.writer_of(east) is west
    assert topology.writer_of(west) is None


def test_the_topology_outlives_the_process(tmp_path: Path) -> None:
    """What was saved is loaded again, from a file that its owner alone reads."""
    path = tmp_path / "t.json"
    topology, *_ = world(path)
    topology.save()
    assert path.stat().st_mode & 0o777 == 0o600
    again = Topology.load(path)
    assert again == topology
    assert again.new_folder("us-east-1") not in {c.folder for c in topology.clusters.values()}
    assert Topology.load(tmp_path / "absent.json").clusters == {}


def test_whoever_saves_at_once_loses_nothing(tmp_path: Path) -> None:
    """Changes of the fleet save off the event loop, events on it: neither fails, and what stays is
    whole."""
    path = tmp_path / "t.json"
    topology, *_ = world(path)
    with ThreadPoolExecutor(8) as pool:
        for saved in [pool.submit(topology.save) for _ in range(200)]:
            saved.result()
    assert Topology.load(path) == topology


def test_a_servers_processor_time_is_of_the_last_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """R6.1: by all its processes, looked for every four seconds; one that ends meanwhile counts as
    nothing new."""
    now, times = [100.0], [1.0]
    looked = []

    class Process:
        def children(self, recursive: bool) -> list[Process]:
            looked.append(recursive)
            return []

        def cpu_times(self) -> SimpleNamespace:
            if times[0] < 0:
                raise psutil.NoSuchProcess(1)
            return SimpleNamespace(user=times[0], system=0.0)

    monkeypatch.setattr(measurement, "CORES", 2)
    monkeypatch.setattr(measurement.time, "monotonic", lambda: now[0])
    sampler = measurement.Sampler(SimpleNamespace(), SimpleNamespace())  # type: ignore[arg-type]
    cluster, process = SimpleNamespace(arn="a"), Process()

    def percent(seconds: float, used: float) -> float:
        now[0] += seconds
        times[0] = used
        server = SimpleNamespace(process=lambda: process)
        return sampler._cpu_percent(cluster, server)  # type: ignore[arg-type]

    assert percent(0, 1.0) == 0.0
    assert percent(4, 5.0) == pytest.approx(50.0)
    assert percent(1, 6.0) == pytest.approx(50.0)
    assert len(looked) == 2
    assert percent(4, -1) == 0.0
    assert percent(4, 4.0) == 0.0, "a server that began anew"
    process = None  # type: ignore[assignment]
    assert percent(4, 0.0) == 0.0


def test_every_endpoint_is_listed_with_its_port(tmp_path: Path) -> None:
    """The listeners and the certificate cover two endpoints a cluster, each instance, the global
    one."""
    topology, east, _, database = world(tmp_path / "t.json")
    east.port = 5433
    names = topology.host_names()
    assert len(names) == 7
    assert names[east.cluster_endpoint] == names[database.endpoint] == 5433
    assert all(topology.resolve(name) or ".cluster-" in name for name in names)


def test_lag_is_the_time_since_the_follower_was_level() -> None:
    """RPO: 0 when level, growing while a written position isn't reached, unknown at first."""
    clock = LagClock()
    assert clock.lag_ms(0.0, None) is None
    clock.written(1.0, 100)
    assert clock.lag_ms(1.0, 100) == 0
    clock.written(2.0, 200)
    assert clock.lag_ms(2.5, 100) == pytest.approx(1500)
    assert clock.lag_ms(3.0, None) == pytest.approx(2000), "unknown counts as behind"
    assert clock.lag_ms(3.0, 200) == 0


@given(st.lists(st.integers(1, 50), min_size=1, max_size=30), st.data())
def test_lag_never_understates(steps: list[int], data: st.DataObject) -> None:
    """The reported lag is at least the age of the oldest position that isn't reached."""
    clock = LagClock()
    position, written = 0, []
    clock.written(0.0, 0)
    assert clock.lag_ms(0.0, 0) == 0
    for second, step in enumerate(steps, 1):
        position += step
        written.append((float(second), position))
        clock.written(float(second), position)
    reached = data.draw(st.integers(0, position))
    now = len(steps) + 1.0
    missing = [when for when, where in written if where > reached]
    lag = clock.lag_ms(now, reached)
    assert lag is not None
    assert lag >= (1000 * (now - missing[0]) if missing else 0)


def test_positions_in_the_log_compare_as_numbers() -> None:
    """``pg_lsn`` is two hexadecimal halves."""
    assert parse_lsn("0/3000148") == 0x3000148
    assert parse_lsn("1/0") > parse_lsn("0/FFFFFFFF")


def test_the_refusal_of_a_plain_connection_is_postgresqls() -> None:
    """A driver reads it as FATAL 28000 with the user and database it gave."""
    startup = b"\0\0\0\x29\0\x03\0\0user\0clinic\0database\0app\0\0"
    message = no_encryption(startup)
    assert message[:1] == b"E"
    assert int.from_bytes(message[1:5], "big") == len(message) - 1
    assert b"C28000\0" in message
    assert b'user "clinic", database "app", no encryption' in message
