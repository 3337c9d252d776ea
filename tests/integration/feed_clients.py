"""Who writes records and who follows their feed, in an order of chance."""

from __future__ import annotations

import itertools
import random
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from application_process import DATABASE, Application, everywhere, new_server, running

from lab.database.postgres import PostgresServer

WRITERS = 5

INSERT = """INSERT INTO public.records
  (id, idempotency_key, request_hash, event_id, patient_id, type, data, region{more})
  {overriding} VALUES (%(id)s::uuid, %(id)s::text, 'h', %(id)s::uuid, 'p', 'note', '{{}}',
  'us-east-1'{value})"""
PLAIN = INSERT.format(more="", overriding="", value="")
DRAWN = INSERT.format(
    more=", sequence", overriding="OVERRIDING SYSTEM VALUE", value=", %(sequence)s"
)
REPLAYED = INSERT.format(
    more=", created_at, replayed_at", overriding="", value=", %(created_at)s, clock_timestamp()"
)


def with_schema(directory: Path, name: str = "east") -> PostgresServer:
    """A running server with the application's schema."""
    server = new_server(directory, name)
    with running("us-east-1", everywhere(server)) as application:
        application.call("migrate")
    return server


@dataclass
class Writers:
    """Transactions that begin, write and end in an order of chance, on connections of their own."""

    server: PostgresServer
    chance: random.Random
    open: list[tuple[psycopg.Connection[Any], set[str]]] = field(default_factory=list)
    idle: list[psycopg.Connection[Any]] = field(default_factory=list)
    committed: set[str] = field(default_factory=set)

    def step(self) -> None:
        """Begins a transaction, writes in one, or ends one."""
        what = self.chance.random()
        if not self.open or (what < 0.3 and len(self.open) < WRITERS):
            self._begin()
        elif what < 0.65:
            self._write(*self.chance.choice(self.open))
        else:
            self._end(self.chance.randrange(len(self.open)))

    def _begin(self) -> None:
        connection = self.idle.pop() if self.idle else self._connect()
        if self.chance.random() < 0.5:
            # The transaction's number before that of its records: the two orders differ.
            connection.execute("SELECT pg_current_xact_id()")
        self.open.append((connection, set()))

    def _connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(
            host="127.0.0.1",
            port=self.server.port,
            user="rdsadmin",
            password=self.server.admin_password,
            dbname=DATABASE,
            sslmode="disable",
        )

    def _write(self, connection: psycopg.Connection[Any], written: set[str]) -> None:
        key = str(uuid.UUID(int=self.chance.getrandbits(128), version=4))
        if self.chance.random() < 0.5:
            # The record's number before the transaction's.
            row = connection.execute(
                "SELECT nextval(pg_get_serial_sequence('public.records', 'sequence'))"
            ).fetchone()
            assert row
            connection.execute(DRAWN, {"id": key, "sequence": row[0]})
        else:
            connection.execute(PLAIN, {"id": key})
        written.add(key)

    def _end(self, index: int) -> None:
        connection, written = self.open.pop(index)
        if self.chance.random() < 0.8:
            connection.commit()
            self.committed |= written
        else:
            connection.rollback()
        self.idle.append(connection)

    def finish(self) -> None:
        """Ends all that is open."""
        while self.open:
            self._end(0)
        self.die()

    def die(self) -> None:
        """Hangs up; what is open is rolled back, as by a server that ends."""
        for connection in (*(connection for connection, _ in self.open), *self.idle):
            connection.close()
        self.open, self.idle = [], []


@dataclass
class Reader:
    """A client that follows the feed with the cursor that it was given last."""

    application: Application
    chance: random.Random
    cursor: str = "0"
    seen: list[str] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    """How many it had seen whenever it was sent back."""

    @property
    def resumed(self) -> int:
        """How often it was sent back."""
        return len(self.starts)

    def repetitions(self) -> int:
        """How many it saw twice without having been sent back between."""
        bounds = [0, *self.starts, len(self.seen)]
        parts = [self.seen[first:last] for first, last in itertools.pairwise(bounds)]
        return sum(len(part) - len(set(part)) for part in parts)

    def read(self) -> bool:
        """One page; whether there may be more."""
        limit = self.chance.randint(1, 4)
        answer = self.application.ask(f"/records?after={self.cursor}&limit={limit}")
        if answer.status == 409:
            assert answer.json["error"]["code"] == "epoch_changed"
            self.cursor = answer.json["resume"]
            self.starts.append(len(self.seen))
            return True
        assert answer.status == 200, answer.json
        self.seen += [record["id"] for record in answer.json["records"]]
        self.cursor = answer.json["cursor"]
        return answer.json["next"] is not None

    def read_all(self) -> None:
        """Pages until the end."""
        while self.read():
            pass
