"""The deployed application's database, as its own user sees it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import psycopg
from deployed_lab import Lab

from lab.database import network


def application_user(lab: Lab) -> AbstractContextManager[psycopg.Connection[Any]]:
    """A connection to the writer as the application's user, its TLS verified; commits by itself."""
    return _connected(lab, "data.primary.application_secret_arn")


def master(lab: Lab, database: str = "app") -> AbstractContextManager[psycopg.Connection[Any]]:
    """The same as the cluster's master user."""
    return _connected(lab, "data.master_secret_arn", database)


def at(lab: Lab, endpoint: str) -> AbstractContextManager[psycopg.Connection[Any]]:
    """The master's connection to another cluster of us-east-1, by its endpoint."""
    return _connected(lab, "data.master_secret_arn", endpoint=endpoint)


@contextmanager
def _connected(
    lab: Lab, secret_arn: str, database: str = "app", endpoint: str = ""
) -> Iterator[psycopg.Connection[Any]]:
    arn = lab.outputs[secret_arn]
    text = lab.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"]
    secret = json.loads(text)
    name = endpoint or lab.outputs["data.global_writer_endpoint"]
    address, port = network.address(lab.state_dir, "us-east-1", name)
    with psycopg.connect(
        host=name,
        hostaddr=address,
        port=port,
        user=secret["username"],
        password=secret["password"],
        dbname=database,
        sslmode="verify-full",
        sslrootcert=str(network.certificate_authority(lab.state_dir)),
        autocommit=True,
    ) as connection:
        yield connection
