"""What the tests of the application's feed share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from feed_clients import with_schema

from lab.database.postgres import PostgresServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """A server with the schema."""
    server = with_schema(tmp_path_factory.mktemp("feed"))
    try:
        yield server
    finally:
        server.destroy()
