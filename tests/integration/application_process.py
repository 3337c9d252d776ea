"""The application over PostgreSQL servers of a test's own: no lab, no AWS, the real driver."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import psycopg

from bundle import bundle_function, find_node
from lab.database.postgres import HOST, PostgresServer

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = Path(__file__).with_suffix(".mjs")
MASTER, MASTER_PASSWORD = "clinic", "a-Password-of-32-characters-000"
USER, PASSWORD = "api", "another-Password-of-32-characters"
DATABASE = "app"


class CallError(AssertionError):
    """A handler threw; the text is its error."""


@dataclass(frozen=True)
class Reply:
    """A load balancer's answer."""

    status: int
    headers: dict[str, str]
    json: Any


@dataclass
class Application:
    """One function instance: a Node.js process that answers calls."""

    process: subprocess.Popen[str]
    waiting: dict[int, threading.Event] = field(default_factory=dict)
    answers: dict[int, dict[str, Any]] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=itertools.count)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def start(cls, region: str, servers: dict[str, int], **environment: str) -> Self:
        """Starts it in a region; ``servers`` are the endpoints' ports, ``environment`` its own."""
        api = ROOT / "lambda_src" / "api"
        # Its packages, as a deployment installs them.
        bundle_function(api, ROOT / "app" / "build" / "api")
        secrets = {
            "arn:master": {"username": MASTER, "password": MASTER_PASSWORD},
            "arn:application": {"username": USER, "password": PASSWORD},
        }
        variables = {
            "AWS_REGION": region,
            "REGION_ROLE": "primary" if region == "us-east-1" else "secondary",
            "ENVIRONMENT_SUFFIX": "test",
            "DATABASE_WRITER_ENDPOINT": "writer",
            "DATABASE_CLUSTER_ENDPOINT": f"cluster-{region}",
            "DATABASE_READER_ENDPOINT": f"reader-{region}",
            "DATABASE_SERVER_NAMES": "cluster-us-east-1,cluster-us-west-2",
            "DATABASE_NAME": DATABASE,
            "DATABASE_SECRET_ARN": "arn:application",
            "MASTER_SECRET_ARN": "arn:master",
            "APPLICATION_SECRET_ARN": "arn:application",
            "BUCKET_NAME": "bucket",
            "LOG_LEVEL": "error",
            "SERVERS": json.dumps(servers),
            "USERS": json.dumps(secrets),
            "PATH": os.defpath,
        }
        process = subprocess.Popen(
            [find_node(api).node, str(SCRIPT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=variables | environment,
        )
        application = cls(process)
        threading.Thread(target=application._read, daemon=True).start()
        return application

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            answer = json.loads(line)
            self.answers[answer["id"]] = answer
            self.waiting.pop(answer["id"]).set()

    def call(self, name: str, event: Any = None) -> Any:
        """A handler's result. Raises :class:`CallError` with what it threw."""
        assert self.process.stdin is not None
        answered = threading.Event()
        with self.lock:
            number = next(self.numbers)
            self.waiting[number] = answered
            line = json.dumps({"id": number, "call": name, "event": event})
            self.process.stdin.write(f"{line}\n")
            self.process.stdin.flush()
        assert answered.wait(30), f"no answer to {name}"
        answer = self.answers.pop(number)
        if "error" in answer:
            raise CallError(answer["error"])
        return answer["result"]

    def ask(self, path: str, body: Any = None, **headers: str) -> Reply:
        """What a load balancer gets: GET, or POST of a JSON body."""
        path, _, query = path.partition("?")
        sent = {"content-type": "application/json"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        answer = self.call(
            "handle",
            {
                "requestContext": {"elb": {}},
                "httpMethod": "GET" if body is None else "POST",
                "path": path,
                "queryStringParameters": dict(
                    part.split("=", 1) for part in query.split("&") if part
                ),
                "headers": sent,
                "body": "" if body is None else json.dumps(body),
                "isBase64Encoded": False,
            },
        )
        return Reply(answer["statusCode"], answer["headers"], json.loads(answer["body"]))

    def stop(self) -> None:
        """Ends the process and its connections."""
        self.process.kill()
        self.process.wait()


@contextmanager
def running(region: str, servers: dict[str, int], **environment: str) -> Iterator[Application]:
    """An application for as long as the block."""
    application = Application.start(region, servers, **environment)
    try:
        yield application
    finally:
        application.stop()


def new_server(directory: Path, name: str = "east") -> PostgresServer:
    """A running server with the master user and its empty database."""
    server = PostgresServer(directory / name, "an-Admin-password", "16.8", name)
    server.initialise()
    server.start()
    with server.connect() as connection:
        connection.execute(
            f"CREATE ROLE {MASTER} LOGIN CREATEROLE CREATEDB PASSWORD '{MASTER_PASSWORD}'"
        )
        connection.execute(f"CREATE DATABASE {DATABASE} OWNER {MASTER}")
    return server


def everywhere(server: PostgresServer) -> dict[str, int]:
    """Every endpoint leads to one server, as with one instance in the writer's region."""
    names = ["writer"] + [
        f"{kind}-{region}"
        for kind in ("cluster", "reader")
        for region in ("us-east-1", "us-west-2")
    ]
    return dict.fromkeys(names, server.port)


@contextmanager
def as_user(server: PostgresServer) -> Iterator[psycopg.Connection[Any]]:
    """A connection as the application's user, in autocommit."""
    with psycopg.connect(
        host=HOST,
        port=server.port,
        user=USER,
        password=PASSWORD,
        dbname=DATABASE,
        sslmode="disable",
        autocommit=True,
    ) as connection:
        yield connection
