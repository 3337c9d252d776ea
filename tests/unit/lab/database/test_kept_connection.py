"""What is asked every second over a connection that is kept."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from lab.database.kept_connection import KeptConnection


class Server:
    """A server that may be down, and the connections that were made to it."""

    def __init__(self) -> None:
        self.made: list[Connection] = []
        self.up = True

    def connect(self) -> Any:
        if not self.up:
            raise psycopg.OperationalError("refused")
        self.made.append(Connection())
        return self.made[-1]


class Connection:
    """Answers with what it was asked, until it is broken."""

    def __init__(self) -> None:
        self.broken = self.closed = False

    def execute(self, query: bytes, parameters: tuple[object, ...] | None) -> Connection:
        if self.broken:
            raise psycopg.OperationalError("the server closed the connection")
        if query == b"wrong":
            raise psycopg.ProgrammingError("no such table")
        self.asked = (query, parameters)
        return self

    def fetchall(self) -> list[Any]:
        return [self.asked]

    def close(self) -> None:
        self.closed = True


def test_one_connection_serves_all_questions() -> None:
    """R1.3: also after a question that the server refuses, and a new one after the end."""
    server = Server()
    kept = KeptConnection(server.connect)
    kept.close()
    assert kept.ask("a") == [(b"a", None)]
    assert kept.ask("b", 1, "x") == [(b"b", (1, "x"))]
    with pytest.raises(psycopg.ProgrammingError):
        kept.ask("wrong")
    kept.ask("c")
    assert len(server.made) == 1
    kept.close()
    assert server.made[0].closed
    kept.ask("d")
    assert len(server.made) == 2


def test_a_server_that_began_anew_is_asked_again() -> None:
    """R1.3: a connection that its server ended costs no answer; a server that is down does, and is
    found again."""
    server = Server()
    kept = KeptConnection(server.connect)
    kept.ask("a")
    server.made[0].broken = True
    assert kept.ask("b") == [(b"b", None)]
    assert server.made[0].closed
    server.made[1].broken, server.up = True, False
    for _ in range(2):
        with pytest.raises(psycopg.OperationalError):
            kept.ask("c")
    server.up = True
    assert kept.ask("d") == [(b"d", None)]
    assert len(server.made) == 3
