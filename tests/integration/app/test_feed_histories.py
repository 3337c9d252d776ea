"""The feed of records through histories of chance: several changes of the writer, and replays."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from application_process import DATABASE, Application, everywhere, running
from feed_clients import REPLAYED, Reader, Writers

from lab.database.postgres import PostgresServer

HISTORIES = (4, 15, 16, 20, 21)
"""Of 24 those in which records are lost by a feed that takes creation time for the time at which a
record was stored, or that resumes from the newest replicated record (16)."""
CHANGES = 3
READERS = 5
PRESENCE = 0.6
READS = 0.6


@pytest.fixture(scope="module")
def application(server: PostgresServer) -> Iterator[Application]:
    """An application whose endpoints all lead there."""
    with running("us-east-1", everywhere(server)) as application:
        yield application


@dataclass
class Volume:
    """The writer's volume through changes of the writer, on one server.

    What wasn't received by the promoted region is deleted and its numbers are given out again;
    transaction numbers only grow, as a promoted server's do from what it had received. Time passes
    by making everything older.
    """

    server: PostgresServer
    chance: random.Random
    epoch: int = 1
    lost: dict[str, datetime] = field(default_factory=dict)
    """Records of old volumes that are in no newer one, with their creation time."""

    def pass_time(self, seconds: int) -> None:
        """Nothing may be open: no transaction lasts a minute."""
        past = timedelta(seconds=seconds)
        with self.server.connect(DATABASE) as connection:
            connection.execute(
                "UPDATE public.records SET created_at = created_at - %(past)s,"
                " replayed_at = replayed_at - %(past)s",
                {"past": past},
            )
            connection.execute("UPDATE recovery.epochs SET promoted_at = promoted_at - %s", (past,))
        self.lost = {key: moment - past for key, moment in self.lost.items()}

    def swap(self, writers: Writers, received: set[str], application: Application) -> None:
        """The writer dies with what is open; of what it committed ``received`` is left."""
        writers.die()
        gone = writers.committed - received
        with self.server.connect(DATABASE) as connection:
            rows = connection.execute(
                "DELETE FROM public.records WHERE id::text = ANY(%s)"
                " RETURNING id::text, created_at",
                (list(gone),),
            ).fetchall()
            self.lost |= dict(rows)
            connection.execute(
                "SELECT setval(pg_get_serial_sequence('public.records', 'sequence'),"
                " coalesce((SELECT max(sequence) FROM public.records), 0) + 1, false)"
            )
        writers.committed = set(received)
        self.epoch += 1
        # The controller's word for the moment is a minute early, or right.
        early = timedelta(seconds=self.chance.choice([0, 60]))
        moment = self.server.value("SELECT clock_timestamp()") - early
        for _ in range(self.chance.choice([0, 5])):
            # Before the epoch grows, under numbers that were given out before.
            writers.step()
        event = {"action": "grow_epoch", "epoch": self.epoch, "promoted_at": moment.isoformat()}
        assert application.call("probe", event) == {"epoch": self.epoch}

    def replay(self, writers: Writers) -> None:
        """Some of what was lost, as ``recovery.reconcile`` stores it (``lost_tail.mjs``)."""
        keys = self.chance.sample(sorted(self.lost), k=len(self.lost) // 2)
        with self.server.connect(DATABASE) as connection:
            for key in keys:
                connection.execute(REPLAYED, {"id": key, "created_at": self.lost.pop(key)})
        writers.committed |= set(keys)


@dataclass
class History:
    """Writers and readers, each of which is there in some parts of it and not in others."""

    volume: Volume
    writers: Writers
    readers: list[Reader]
    ever: set[str] = field(default_factory=set)
    """All that was committed, lost or not."""

    def live(self, steps: int) -> None:
        """Writers write, and the readers that are there read."""
        chance = self.volume.chance
        present = [reader for reader in self.readers if chance.random() < PRESENCE]
        for _ in range(steps):
            self.writers.step()
            for reader in present:
                if chance.random() < READS:
                    reader.read()
        self.ever |= self.writers.committed

    def change(self, application: Application) -> None:
        """The writer dies with a tail, of which some may be replayed."""
        chance = self.volume.chance
        if chance.random() < 0.5:
            self.writers.finish()
            self.volume.pass_time(chance.choice([20, 90]))
            self.live(8)
        received = set(self.writers.committed)
        self.live(12)
        self.volume.swap(self.writers, received, application)
        if chance.random() < 0.7:
            self.live(6)
            self.volume.replay(self.writers)

    def end(self) -> None:
        """Looks at what the readers saw."""
        self.writers.finish()
        self.ever |= self.writers.committed
        for reader in self.readers:
            reader.read_all()
            assert self.writers.committed - set(reader.seen) == set()
            assert set(reader.seen) <= self.ever
            assert reader.repetitions() == 0


def forget(server: PostgresServer) -> None:
    """Makes the database empty, and of the first epoch."""
    with server.connect(DATABASE) as connection:
        connection.execute("TRUNCATE public.records, recovery.epochs")
        connection.execute("UPDATE recovery.epoch SET epoch = 1")


@pytest.mark.parametrize("seed", HISTORIES)
def test_every_surviving_record_is_read_whatever_swaps_and_replays(
    server: PostgresServer, application: Application, seed: int
) -> None:
    """Trap 61, RECOVERY 5: histories of chance of interleaved transactions, changes of the writer
    that lose a tail each, replays of some of it, and pauses: readers that come and go read all of
    the last volume, and nothing twice unless they were sent back."""
    forget(server)
    chance = random.Random(seed)
    readers = [Reader(application, chance) for _ in range(READERS)]
    history = History(Volume(server, chance), Writers(server, chance), readers)
    try:
        for _ in range(CHANGES):
            history.live(20)
            history.change(application)
        history.live(10)
        history.end()
    finally:
        history.writers.die()
    # Nothing is shown by a history that loses nothing, or that nobody saw.
    assert history.ever - history.writers.committed
    assert any(reader.resumed for reader in readers)
