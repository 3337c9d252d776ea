"""What clients see while the application's database connections are taken away from it."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from application_client import host, post_record
from application_database import application_user
from deployed_lab import Lab

REQUESTS, CONCURRENCY = 500, 50


def kill_connections(lab: Lab) -> int:
    """Ends every connection that the application holds to the writer; answers how many."""
    with application_user(lab) as connection:
        # A user may end connections of its own.
        ended = connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE usename = current_user AND pid <> pg_backend_pid()"
        ).fetchall()
    assert all(done for (done,) in ended)
    return len(ended)


def test_a_killed_connection_costs_no_request(deployed: Lab) -> None:
    """R2.4, trap 8: the pooled connection to the writer is gone, and the next request succeeds."""
    for role in ("primary", "secondary"):
        assert post_record(deployed, role).status == 201
        assert kill_connections(deployed) > 0
        answer = post_record(deployed, role)
        assert answer.status == 201, answer.body


def test_fifty_clients_at_once_see_no_error(deployed: Lab) -> None:
    """R2.4: the workers are fewer than the requests; what comes too many waits its turn."""
    name = host(deployed, "primary")
    with ThreadPoolExecutor(CONCURRENCY) as pool:
        statuses = Counter(pool.map(lambda _: deployed.request(name).status, range(REQUESTS)))
    assert statuses == {200: REQUESTS}
