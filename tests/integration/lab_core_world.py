"""A lab of a test module's own, and what its tests deploy into it by hand."""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import boto3
from aws_resources import make_network, make_role
from botocore.config import Config

from lab import client

EAST, WEST = "us-east-1", "us-west-2"
ACCOUNT = "000000000000"


class World:
    """A running lab with AWS clients."""

    def __init__(self, state_dir: Path, clock: float = 1.0) -> None:
        self.state_dir = state_dir
        self.status = client.start(state_dir, 0, clock)

    @property
    def port(self) -> int:
        """The lab's port."""
        return int(self.status.endpoint.rpartition(":")[2])

    def aws(self, service: str, region: str = EAST) -> Any:
        """A boto3 client as a user's program has it."""
        return boto3.client(
            service,
            region_name=region,
            endpoint_url=self.status.endpoint,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"max_attempts": 1}),
        )

    def restart(self) -> None:
        """Stops and starts again, on another port."""
        client.stop(self.state_dir)
        self.status = client.start(self.state_dir, 0)

    def get(
        self, host: str, path: str, method: str = "GET", body: bytes | None = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """One request to a load balancer; (status, headers, body)."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            sent = {"Host": host, **{k.replace("_", "-"): v for k, v in headers.items()}}
            connection.request(method, path, body=body, headers=sent)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def role(self, name: str, service: str, *statements: dict[str, Any]) -> str:
        """A role that a service may assume, with what it may do; its ARN."""
        return make_role(self.aws("iam"), name, service, *statements)

    def network(self, region: str, cidr: str = "10.0.0.0/16") -> tuple[str, list[str]]:
        """(VPC id, ids of two subnets)"""
        return make_network(self.aws("ec2", region), region, cidr)

    def function(self, name: str, code: str, role: str, region: str = EAST, **settings: Any) -> str:
        """A Node.js function (Python when the runtime says so); its ARN."""
        runtime = settings.pop("Runtime", "nodejs20.x")
        file = "index.js" if runtime.startswith("node") else "index.py"
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as zipped:
            zipped.writestr(file, code)
        return self.aws("lambda", region).create_function(
            FunctionName=name,
            Runtime=runtime,
            Role=role,
            Handler="index.handler",
            Code={"ZipFile": archive.getvalue()},
            **settings,
        )["FunctionArn"]

    def load_balancer(self, name: str, function: str, region: str = EAST) -> tuple[str, str, str]:
        """A load balancer in front of a function: (DNS name, target group, listener)."""
        elb = self.aws("elbv2", region)
        _, subnets = self.network(region)
        balancer = elb.create_load_balancer(Name=name, Subnets=subnets)["LoadBalancers"][0]
        group = elb.create_target_group(
            Name=f"tg-{name}"[:32],
            TargetType="lambda",
            HealthCheckEnabled=True,
            HealthCheckPath="/health",
        )["TargetGroups"][0]["TargetGroupArn"]
        self.aws("lambda", region).add_permission(
            FunctionName=function,
            StatementId=name,
            Action="lambda:InvokeFunction",
            Principal="elasticloadbalancing.amazonaws.com",
            SourceArn=group,
        )
        elb.register_targets(TargetGroupArn=group, Targets=[{"Id": function}])
        listener = elb.create_listener(
            LoadBalancerArn=balancer["LoadBalancerArn"],
            Port=80,
            Protocol="HTTP",
            DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
        )["Listeners"][0]["ListenerArn"]
        return balancer["DNSName"], group, listener


def allow(*actions: str, resource: str = "*", **more: Any) -> dict[str, Any]:
    """An Allow."""
    return {"Effect": "Allow", "Action": list(actions), "Resource": resource, **more}


@contextmanager
def running(state_dir: Path, clock: float = 1.0) -> Iterator[World]:
    """A lab that is stopped at the end."""
    world = World(state_dir, clock)
    try:
        yield world
    finally:
        client.stop(state_dir)


def eventually(check: Callable[[], Any], seconds: float = 5.0) -> Any:
    """The first true answer of ``check``; its last one when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (answer := check()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return answer
