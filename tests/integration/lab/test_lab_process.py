"""The lab's process: started, found again, stopped, killed; what is deployed outlives it."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from aws_resources import document
from lab_core_world import EAST, WEST, World, eventually, running

from lab import client
from lab.errors import LabError


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A lab of this test's own."""
    with running(tmp_path / "lab") as world:
        yield world


def test_it_starts_once_and_says_so(world: World) -> None:
    """R9.5, names.md ``lab.status --json``: a second start finds the first, with every field."""
    again = client.start(world.state_dir)
    assert again.pid == world.status.pid
    shown = again.as_dict()
    fields = "endpoint pid state_dir regions parts dns front_door clock"
    assert set(fields.split()) <= set(shown)
    assert shown["regions"] == {EAST: "up", WEST: "up"}
    assert {"events", "objects"} <= set(shown["parts"])
    assert all(part["healthy"] for part in shown["parts"].values())
    assert (world.state_dir / "lab.json").stat().st_mode & 0o777 == 0o600
    with pytest.raises(LabError, match="already runs at"):
        client.start(world.state_dir, world.port + 1)


def test_it_listens_on_loopback_only(world: World) -> None:
    """Nothing the lab opens is reachable from another machine."""
    process = psutil.Process(world.status.pid)
    family = [process, *process.children(recursive=True)]
    addresses = {
        connection.laddr.ip
        for member in family
        for connection in member.net_connections("inet")
        if connection.status in (psutil.CONN_LISTEN, psutil.CONN_NONE) and connection.laddr
    }
    assert addresses
    assert all(address.startswith("127.") for address in addresses)


def test_its_files_are_its_owner_s_alone(world: World) -> None:
    """Secrets lay in files that anybody could read, below a folder that they couldn't;
    and a key with odd elements comes back after a kill."""
    world.aws("secretsmanager").create_secret(Name="password", SecretString="confidential")
    world.aws("s3").create_bucket(Bucket="private")
    for key in ("/a//b/./c", "x" * 1000):
        world.aws("s3").put_object(Bucket="private", Key=key, Body=b"content")
    client.outage(world.state_dir, EAST, "peering")
    client.restore(world.state_dir, EAST)
    os.kill(world.status.pid, signal.SIGKILL)
    eventually(lambda: not psutil.pid_exists(world.status.pid))
    world.restart()
    listed = world.aws("s3").list_objects_v2(Bucket="private")["Contents"]
    assert {item["Key"] for item in listed} == {"/a//b/./c", "x" * 1000}
    readable = [
        path.relative_to(world.state_dir)
        for path in world.state_dir.rglob("*")
        if path.is_file() and path.stat().st_mode & 0o077
    ]
    assert readable == []
    if sys.platform == "linux":  # elsewhere psutil reads no limits of another process
        limit = psutil.Process(world.status.pid).rlimit(psutil.RLIMIT_NOFILE)
        assert limit[0] == min(limit[1], 65_536), "descriptors"


def test_a_taken_port_is_named_in_one_line(tmp_path: Path) -> None:
    """One line says which port, and nothing is left behind."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(LabError, match=f"port {port} is taken") as caught:
            client.start(tmp_path / "lab", port)
    assert "\n" not in str(caught.value)
    assert not client.status(tmp_path / "lab").running


def test_commands_need_the_token_and_a_running_lab(world: World, tmp_path: Path) -> None:
    """A web page can't stop the lab; a lab that isn't there is one line."""
    status, _, body = world.get("127.0.0.1", "/_lab/restore", method="POST", body=b"{}")
    assert status == 403
    assert b"token" in body
    with pytest.raises(LabError, match=r"isn't running: run `\./inv lab\.up`"):
        client.set_clock(tmp_path / "nowhere", 2)
    with pytest.raises(LabError, match="unknown region"):
        client.outage(world.state_dir, "mars")
    assert client.set_clock(world.state_dir, 5).clock == 5


def test_a_kill_loses_nothing_that_was_answered(world: World) -> None:
    """N7: after SIGKILL the emulator holds all that the engine's checkpoints say exists."""
    ec2, iam, route53 = world.aws("ec2"), world.aws("iam"), world.aws("route53")
    iam.create_role(RoleName="kept", AssumeRolePolicyDocument=document())
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    check = route53.create_health_check(
        CallerReference="1",
        HealthCheckConfig={
            "Type": "HTTP",
            "FullyQualifiedDomainName": "a.test",
            "MeasureLatency": True,
        },
    )["HealthCheck"]["Id"]
    address = ec2.allocate_address(
        TagSpecifications=[{"ResourceType": "elastic-ip", "Tags": [{"Key": "a", "Value": "b"}]}]
    )["AllocationId"]
    os.kill(world.status.pid, signal.SIGKILL)
    world.status = client.start(world.state_dir, 0)
    assert world.aws("iam").get_role(RoleName="kept")
    ec2 = world.aws("ec2")
    assert ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"]
    assert ec2.describe_addresses(AllocationIds=[address])["Addresses"][0]["Tags"]
    config = world.aws("route53").get_health_check(HealthCheckId=check)["HealthCheck"]
    assert config["HealthCheckConfig"]["MeasureLatency"]


def test_stopping_ends_every_process(world: World) -> None:
    """Everything starts with the lab and stops with it."""
    family = psutil.Process(world.status.pid).children(recursive=True)
    assert client.stop(world.state_dir)
    assert not client.status(world.state_dir).running
    assert eventually(lambda: not any(child.is_running() for child in family))
    assert not client.stop(world.state_dir)


def test_outages_refuse_the_region_and_global_changes(world: World) -> None:
    """Trap 10: without us-east-1 no IAM or Route 53 changes from anywhere; its other services
    refuse; the other region lives; it lasts over a restart and ends with restore."""
    assert client.outage(world.state_dir, EAST, "api").regions == {EAST: "down", WEST: "up"}
    for refused in (
        lambda: world.aws("sns", EAST).list_topics(),
        lambda: world.aws("iam", WEST).create_user(UserName="a"),
        lambda: world.aws("route53", WEST).create_hosted_zone(Name="a.test", CallerReference="1"),
    ):
        with pytest.raises(Exception, match="ServiceUnavailable"):
            refused()
    assert world.aws("sns", WEST).list_topics()["Topics"] == []
    assert world.aws("route53").list_hosted_zones()["HostedZones"] == []
    world.restart()
    assert client.status(world.state_dir).outages == {EAST: ["api"]}
    assert client.restore(world.state_dir, EAST).outages == {}
    assert world.aws("sns", EAST).list_topics()["Topics"] == []


def test_a_lost_region_takes_its_buckets_along(world: World) -> None:
    """R4.1, trap 10: a bucket is out of reach whichever region's client asks for it, and so is a
    copy from it; the other region's buckets stay."""
    mine = {"CreateBucketConfiguration": {"LocationConstraint": WEST}}
    world.aws("s3", EAST).create_bucket(Bucket="lost-bucket")
    world.aws("s3", EAST).put_object(Bucket="lost-bucket", Key="a b", Body=b"1")
    world.aws("s3", WEST).create_bucket(Bucket="kept-bucket", **mine)
    client.outage(world.state_dir, EAST, "api")
    west = world.aws("s3", WEST)
    for refused in (
        lambda: west.list_objects_v2(Bucket="lost-bucket"),
        lambda: west.get_object(Bucket="lost-bucket", Key="a b"),
        lambda: west.copy_object(
            Bucket="kept-bucket", Key="a", CopySource={"Bucket": "lost-bucket", "Key": "a b"}
        ),
    ):
        with pytest.raises(Exception, match=r"ServiceUnavailable.*unavailable in us-east-1"):
            refused()
    assert west.list_objects_v2(Bucket="kept-bucket")["KeyCount"] == 0
    client.restore(world.state_dir, EAST)
    assert west.get_object(Bucket="lost-bucket", Key="a b")["Body"].read() == b"1"


def test_a_refused_global_change_names_the_region_that_is_lost(world: World) -> None:
    """Trap 10: the control plane is in us-east-1, whichever region's client asks for the change."""
    client.outage(world.state_dir, EAST, "api")
    with pytest.raises(Exception, match="unavailable in us-east-1"):
        world.aws("iam", WEST).create_user(UserName="a")
