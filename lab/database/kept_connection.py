"""A connection that is kept between questions: to make one costs PostgreSQL a process and both
sides a proof of the password, many times what a look at its statistics costs."""

from __future__ import annotations

import threading
from collections.abc import Callable

import psycopg
from psycopg.rows import TupleRow


class KeptConnection:
    """Asks over one connection, made by ``connect`` when it is first needed and after it broke."""

    def __init__(self, connect: Callable[[], psycopg.Connection[TupleRow]]) -> None:
        self._connect = connect
        self._asking = threading.Lock()
        self._connection: psycopg.Connection[TupleRow] | None = None

    def ask(self, query: str, *parameters: object) -> list[TupleRow]:
        """The query's rows. Asked once more where the server has ended since the last question, so
        only for queries that change nothing. Blocks. Raises psycopg.Error."""
        with self._asking:
            if self._connection is not None:
                try:
                    return _rows(self._connection, query, parameters)
                except psycopg.OperationalError:
                    self._close()
            self._connection = self._connect()
            return _rows(self._connection, query, parameters)

    def close(self) -> None:
        """Ends the connection; the next question makes a new one."""
        with self._asking:
            self._close()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _rows(
    connection: psycopg.Connection[TupleRow], query: str, parameters: tuple[object, ...]
) -> list[TupleRow]:
    return connection.execute(query.encode(), parameters or None).fetchall()
