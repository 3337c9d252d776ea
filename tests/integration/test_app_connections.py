"""What clients see while the application's database connections are taken away from it."""

from __future__ import annotations

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import psycopg
from application_client import host, post_record
from deployed_lab import Lab

from lab.database import network

REQUESTS, CONCURRENCY = 500, 50
EAST = "us-east-1"


def kill_connections(lab: Lab) -> int:
    """Ends every connection that the application holds to the writer; answers how many."""
    secrets = lab.client("secretsmanager")
    arn = lab.outputs["data.primary.application_secret_arn"]
    secret = json.loads(secrets.get_secret_value(SecretId=arn)["SecretString"])
    name = lab.outputs["data.global_writer_endpoint"]
    address, port = network.address(lab.state_dir, EAST, name)
    with psycopg.connect(
        host=name,
        hostaddr=address,
        port=port,
        user=secret["username"],
        password=secret["password"],
        dbname="app",
        sslmode="verify-full",
        sslrootcert=str(network.certificate_authority(lab.state_dir)),
        autocommit=True,
    ) as connection:
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
