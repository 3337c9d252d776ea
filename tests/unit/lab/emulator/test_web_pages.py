"""What a web page could send to the lab, and what it gets."""

from __future__ import annotations

import pytest
from emulator_world import EAST, World

from lab.emulator.load_balancer_requests import LOAD_BALANCER_HEADER

SIGNED = {
    "authorization": "AWS4-HMAC-SHA256 "
    f"Credential=test/20260101/{EAST}/sqs/aws4_request, SignedHeaders=host, Signature=0",
    "content-type": "application/x-www-form-urlencoded",
}
LIST_QUEUES = b"Action=ListQueues&Version=2012-11-05"
ORIGIN = {"origin": "https://evil.example"}


def status(world: World, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> int:
    """The answer's status; it carries no CORS header, whatever was asked."""
    answer = world.request(method, path, headers, body)
    assert answer is not None
    assert not [name for name in answer[1] if name.startswith("access-control-")]
    return answer[0]


@pytest.mark.parametrize(
    "headers",
    [
        ORIGIN,
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"host": "evil.example"},
        {"host": "evil.example:45660"},
        {"host": "127.0.0.1.evil.example"},
        {"host": "localhost.evil.example"},
        {"host": "gone.us-east-1.elb.amazonaws.com"},
        {"host": "[::2]:1"},
        {"host": ""},
    ],
    ids=str,
)
def test_a_page_s_request_is_refused_by_every_api(world: World, headers: dict[str, str]) -> None:
    """N16: neither a page's own origin nor a name that was rebound to this machine reaches the AWS
    APIs or the lab's commands, even with a signature."""
    for method, path, body in (
        ("POST", "/", LIST_QUEUES),
        ("GET", "/_lab/status", b""),
        ("POST", "/_lab/clock", b'{"factor": 2}'),
    ):
        assert status(world, method, path, SIGNED | headers, body) == 403
    assert world.lab.clock.factor == 1


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.0.0.1:45660", "localhost:45660", "LOCALHOST.", "[::1]:1", "a.localhost"],
)
def test_this_machine_s_names_are_served(world: World, host: str) -> None:
    """Whoever runs here reaches the lab by a loopback name, and a browser by its address bar."""
    headers = {"host": host, "sec-fetch-site": "none"}
    assert status(world, "POST", "/", SIGNED | headers, LIST_QUEUES) == 200
    assert status(world, "GET", "/_lab/status", headers) == 200


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/2015-03-31/functions", b'{"FunctionName": "evil"}'),
        ("POST", "/", LIST_QUEUES),
        ("GET", "/?Action=ListQueues&X-Amz-Credential=k/20260101/us-east-1/sqs/aws4_request", b""),
        ("GET", "/a-bucket/key", b""),
        ("OPTIONS", "/", b""),
        ("POST", "/_ministack/reset", b""),
        ("POST", "/_ministack/config", b"{}"),
        ("GET", "/_ministack/health", b""),
        ("GET", "/_localstack/health", b""),
        ("GET", "/health", b""),
        ("GET", "/_aws/lambda-url/x", b""),
    ],
)
def test_an_unsigned_request_reaches_nothing(
    world: World, method: str, path: str, body: bytes
) -> None:
    """A page may send ``text/plain`` without asking; AWS wants a signature of every
    call, and only S3's may stand in the address, which changes nothing."""
    assert status(world, method, path, {"content-type": "text/plain"}, body) == 403


@pytest.mark.parametrize("path", ["/_ministack/reset", "/_localstack/health", "/health", "/_x"])
def test_the_emulator_s_own_routes_are_closed(world: World, path: str) -> None:
    """N16: a signature doesn't open them either; AWS has no such address."""
    world.aws("sqs").create_queue(QueueName="survivor")
    assert status(world, "POST", path, SIGNED) == 403
    assert any(url.endswith("/survivor") for url in world.aws("sqs").list_queues()["QueueUrls"])


@pytest.mark.parametrize("region", ["..", "us-east-1%2F..", "moon", "US-EAST-1"])
def test_a_region_that_is_none_names_no_folder(world: World, region: str) -> None:
    """N16: the region of a signature becomes part of ARNs, and so of files' names."""
    headers = {name: value.replace(EAST, region) for name, value in SIGNED.items()}
    answer = world.request("POST", "/", headers, LIST_QUEUES)
    assert answer is not None
    assert answer[0] == 403
    assert b"Credential should be scoped to a valid region." in answer[2]


def test_presigned_addresses_of_s3_work(world: World) -> None:
    """Both of botocore's signatures count: SigV4, and SigV2 which it uses for us-east-1."""
    s3 = world.aws("s3")
    s3.create_bucket(Bucket="linked")
    s3.put_object(Bucket="linked", Key="k", Body=b"content")
    address = s3.generate_presigned_url("get_object", {"Bucket": "linked", "Key": "k"})
    path = address.partition("http://127.0.0.1:1")[2]
    assert status(world, "GET", path, {"host": "127.0.0.1:1"}) == 200
    four = "/linked/k?X-Amz-Credential=test%2F20260101%2Fus-east-1%2Fs3%2Faws4_request"
    assert status(world, "GET", four, {"host": "127.0.0.1:1"}) == 200
    assert (
        status(world, "GET", four, {"host": "127.0.0.1:1", "sec-fetch-site": "cross-site"}) == 403
    )


def test_a_deployed_load_balancer_serves_browsers(world: World) -> None:
    """A site answers other sites' pages as it likes, by its own name."""
    elb = world.aws("elbv2")
    _, subnets = world.network(cidr="10.244.0.0/16")
    made = elb.create_load_balancer(Name="for-browsers", Subnets=subnets)["LoadBalancers"][0]
    answer = {"StatusCode": "200", "ContentType": "text/plain", "MessageBody": "hello"}
    elb.create_listener(
        LoadBalancerArn=made["LoadBalancerArn"],
        Port=80,
        Protocol="HTTP",
        DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": answer}],
    )
    browser = ORIGIN | {"sec-fetch-site": "cross-site"}
    by_name = world.request("GET", "/_lab/status", browser | {"host": made["DNSName"]})
    assert by_name is not None
    assert (by_name[0], by_name[2]) == (200, b"hello")
    by_header = {"host": "app.example.net", LOAD_BALANCER_HEADER: made["DNSName"]}
    answered = world.request("GET", "/", browser | by_header)
    assert answered is not None
    assert answered[0] == 200
