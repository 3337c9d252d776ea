"""Requests through a load balancer: rules, a function as target, and the load balancer's own
answers (Elastic Load Balancing user guide, "Listener rules" and "Lambda functions as targets")."""

from __future__ import annotations

import base64
import json
import threading
import time
from typing import Any

import pytest
from emulator_world import EAST, World

from lab.call import connection
from lab.emulator.listener_rules import target_group
from lab.emulator.load_balancer_requests import LOAD_BALANCER_HEADER
from lab.outage import Mode, OutageKind

HANDLER = """
import json
ANSWERS = {
    "/none": None,
    "/no-status": {"body": "x"},
    "/status": {"statusCode": 700},
    "/encoded": {"statusCode": 200, "isBase64Encoded": True, "body": "!"},
    "/large": {"statusCode": 200, "body": "x" * (1024 * 1024)},
    "/multi": {"statusCode": 201, "multiValueHeaders": {"X-A": ["1", "2"]}, "body": "ok"},
}
def handler(event, context):
    if event["path"] in ANSWERS:
        return ANSWERS[event["path"]]
    return {"statusCode": 200, "headers": {"Content-Type": "application/json"},
            "body": json.dumps(event)}
"""


def fixed(text: str) -> list[dict[str, Any]]:
    """Actions that answer with a text."""
    return [
        {
            "Type": "fixed-response",
            "FixedResponseConfig": {"StatusCode": "200", "MessageBody": text},
        }
    ]


class Site:
    """A load balancer with rules; ``default`` forwards to a function."""

    def __init__(self, world: World) -> None:
        self.world, elb = world, world.aws("elbv2")
        _, subnets = world.network(cidr="10.240.0.0/16")
        balancer = elb.create_load_balancer(Name="site", Subnets=subnets)["LoadBalancers"][0]
        self.host, self.arn = balancer["DNSName"], balancer["LoadBalancerArn"]
        self.groups = {
            name: elb.create_target_group(Name=f"site-{name}", **settings)["TargetGroups"][0][
                "TargetGroupArn"
            ]
            for name, settings in {
                "function": {"TargetType": "lambda"},
                "empty": {"TargetType": "lambda"},
                "forbidden": {"TargetType": "lambda"},
                "address": {"TargetType": "ip", "Protocol": "HTTP", "Port": 80, "VpcId": "vpc-1"},
            }.items()
        }
        function = world.function("site", code=HANDLER, Timeout=10)
        for group in ("function", "forbidden"):
            permission = {"FunctionName": "site", "StatementId": group}
            world.aws("lambda").add_permission(
                **permission,
                Action="lambda:InvokeFunction",
                Principal="elasticloadbalancing.amazonaws.com",
                SourceArn=self.groups[group],
            )
            elb.register_targets(TargetGroupArn=self.groups[group], Targets=[{"Id": function}])
        world.aws("lambda").remove_permission(FunctionName="site", StatementId="forbidden")
        elb.register_targets(TargetGroupArn=self.groups["address"], Targets=[{"Id": "10.0.0.1"}])
        self.listener = elb.create_listener(
            LoadBalancerArn=self.arn,
            Port=80,
            Protocol="HTTP",
            DefaultActions=[{"Type": "forward", "TargetGroupArn": self.groups["function"]}],
        )["Listeners"][0]["ListenerArn"]
        rules = [
            (self.values("http-header", "HttpHeader", "beta*", HttpHeaderName="X-Ring"), "header"),
            (self.values("query-string", "QueryString", {"Key": "v", "Value": "2?"}), "query"),
            (self.values("query-string", "QueryString", {"Value": "any*"}), "value"),
            (self.values("host-header", "HostHeader", "api.*"), "host"),
            (self.values("http-request-method", "HttpRequestMethod", "PATCH"), "method"),
        ]
        for priority, (condition, text) in enumerate(rules, 1):
            elb.create_rule(
                ListenerArn=self.listener,
                Priority=priority,
                Conditions=[condition],
                Actions=fixed(text),
            )
        elb.create_rule(
            ListenerArn=self.listener,
            Priority=20,
            Conditions=[
                {"Field": "path-pattern", "Values": ["/near"]},
                self.values("source-ip", "SourceIp", "127.0.0.0/8"),
            ],
            Actions=fixed("near"),
        )
        for number, name in enumerate(("empty", "forbidden", "address"), 30):
            elb.create_rule(
                ListenerArn=self.listener,
                Priority=number,
                Conditions=[{"Field": "path-pattern", "Values": [f"/{name}"]}],
                Actions=[{"Type": "forward", "TargetGroupArn": self.groups[name]}],
            )
        for number, (name, config) in enumerate(
            {
                "moved": {"StatusCode": "HTTP_301", "Protocol": "HTTPS", "Port": "443"},
                "found": {"StatusCode": "HTTP_302", "Path": "/to", "Query": "from=#{path}"},
            }.items(),
            40,
        ):
            elb.create_rule(
                ListenerArn=self.listener,
                Priority=number,
                Conditions=[{"Field": "path-pattern", "Values": [f"/{name}"]}],
                Actions=[{"Type": "redirect", "RedirectConfig": config}],
            )

    @staticmethod
    def values(field: str, config: str, *wanted: Any, **more: str) -> dict[str, Any]:
        """A condition."""
        return {"Field": field, f"{config}Config": {"Values": list(wanted), **more}}

    def get(
        self, path: str, method: str = "GET", body: bytes = b"", **headers: str
    ) -> tuple[int, dict[str, str], bytes] | None:
        """One request."""
        sent = {LOAD_BALANCER_HEADER: self.host, "host": "www.site.test"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return self.world.request(method, path, sent, body)

    def text(self, path: str, **given: Any) -> str:
        """The body of an answer."""
        answer = self.get(path, **given)
        assert answer is not None
        return answer[2].decode()


@pytest.fixture(scope="module")
def site(world: World) -> Site:
    """One site for all tests here."""
    return Site(world)


@pytest.mark.parametrize(
    ("path", "given", "text"),
    [
        ("/", {"x_ring": "Beta-1"}, "header"),
        ("/?v=21", {}, "query"),
        ("/?other=ANYTHING", {}, "value"),
        ("/", {"host": "API.site.test:80"}, "host"),
        ("/", {"method": "PATCH"}, "method"),
        ("/near", {}, "near"),
    ],
)
def test_the_first_rule_that_matches_decides(
    site: Site, path: str, given: dict[str, Any], text: str
) -> None:
    """Each kind of condition, with wildcards; case counts in paths alone."""
    assert site.text(path, **given) == text


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/empty", 503),
        ("/forbidden", 502),
        ("/address", 502),
        ("/none", 502),
        ("/no-status", 502),
        ("/status", 502),
        ("/encoded", 502),
        ("/large", 502),
        ("/?v=3", 200),
    ],
)
def test_what_a_target_gives_decides_the_status(site: Site, path: str, status: int) -> None:
    """503 without targets; 502 for a target that may not be called or gives no valid answer."""
    answer = site.get(path)
    assert answer is not None
    assert answer[0] == status


@pytest.mark.parametrize(
    ("path", "status", "location"),
    [
        ("/moved?a=1", 301, "https://www.site.test:443/moved?a=1"),
        ("/moved", 301, "https://www.site.test:443/moved"),
        ("/found", 302, "http://www.site.test:80/to?from=found"),
    ],
)
def test_redirects_fill_their_placeholders(
    site: Site, path: str, status: int, location: str
) -> None:
    """What isn't given is the request's own."""
    answer = site.get(path)
    assert answer is not None
    assert (answer[0], answer[1]["location"]) == (status, location)


@pytest.mark.parametrize(
    ("body", "headers", "encoded"),
    [
        (b"text", {"content_type": "text/plain"}, False),
        (b"text", {}, False),
        (b"\xff", {}, True),
        (b"text", {"content_type": "image/png"}, True),
        (b"text", {"content_type": "text/plain", "content_encoding": "gzip"}, True),
    ],
    ids=["text", "untyped-text", "untyped-bytes", "image", "compressed"],
)
def test_a_body_that_is_no_text_comes_encoded(
    site: Site, body: bytes, headers: dict[str, str], encoded: bool
) -> None:
    """The event of a function as target."""
    event = json.loads(site.text("/event?a=1", method="POST", body=body, **headers))
    assert event["isBase64Encoded"] is encoded
    assert event["body"] == (base64.b64encode(body).decode() if encoded else body.decode())
    assert event["queryStringParameters"] == {"a": "1"}


def test_a_trace_and_the_clients_before_go_on(site: Site) -> None:
    """X-Forwarded-For grows; a trace that has a root stays."""
    event = json.loads(
        site.text("/event", x_amzn_trace_id="Root=1-2-3", x_forwarded_for="192.0.2.1")
    )
    assert event["headers"]["x-amzn-trace-id"] == "Root=1-2-3"
    assert event["headers"]["x-forwarded-for"] == "192.0.2.1, 127.0.0.1"


def test_headers_of_several_values(site: Site) -> None:
    """Both ways when the target group asks for them; a body without a type gets one."""
    answer = site.get("/multi")
    assert answer is not None
    assert (answer[0], answer[1]["x-a"]) == (201, "2")
    assert answer[1]["content-type"] == "application/octet-stream"
    elb = site.world.aws("elbv2")
    attribute = {"Key": "lambda.multi_value_headers.enabled", "Value": "true"}
    group = {"TargetGroupArn": site.groups["function"]}
    elb.modify_target_group_attributes(**group, Attributes=[attribute])
    event = json.loads(site.text("/event?a=1&a=2"))
    assert event["multiValueQueryStringParameters"] == {"a": ["1", "2"]}
    elb.modify_target_group_attributes(**group, Attributes=[attribute | {"Value": "false"}])


def test_without_a_listener_or_a_region_the_connection_drops(site: Site) -> None:
    """R2.1: a port nobody listens at, and compute that is gone, before or during the request."""
    assert site.get("/", x_forwarded_port="81") is None
    outages = site.world.lab.outages
    outages.begin(EAST, {OutageKind.COMPUTE})
    try:
        assert site.get("/near") is None
    finally:
        outages.end(EAST)
    invoke = site.world.emulator.functions.invoke

    async def dies(*given: Any) -> Any:
        outcome = await invoke(*given)
        outages.begin(EAST, {OutageKind.COMPUTE})
        return outcome

    site.world.emulator.functions.invoke = dies  # type: ignore[method-assign]
    try:
        assert site.get("/event") is None
    finally:
        site.world.emulator.functions.invoke = invoke  # type: ignore[method-assign]
        outages.end(EAST)


def test_compute_that_hangs_or_is_slow(site: Site) -> None:
    """Issue 16.1: a load balancer takes the request and never answers; a slow function answers
    3 lab seconds late."""
    outages, clock = site.world.lab.outages, site.world.lab.clock
    outages.begin(EAST, {OutageKind.COMPUTE}, Mode.HANG)
    threading.Timer(0.3, outages.end, [EAST]).start()
    began = time.monotonic()
    assert site.get("/near") is None
    assert time.monotonic() - began >= 0.3
    clock.factor = 20
    outages.begin(EAST, {OutageKind.COMPUTE}, Mode.SLOW)
    try:
        began = time.monotonic()
        assert site.get("/event") is not None
        assert time.monotonic() - began >= 3 / 20
    finally:
        outages.end(EAST)
        clock.factor = 1


def test_a_name_that_no_load_balancer_has_is_no_load_balancers(site: Site) -> None:
    """Its request goes to the AWS APIs, as any other."""
    answer = site.world.request("GET", "/", {"host": f"gone-{site.host}"})
    assert answer is not None
    assert answer[1].get("server") != "awselb/2.0"


def test_a_client_connection_ends_when_its_time_is_over(site: Site) -> None:
    """``client_keep_alive.seconds``: the answer asks the client to close."""

    class Writer:
        """A connection."""

    writer = Writer()
    site.world.aws("elbv2").modify_load_balancer_attributes(
        LoadBalancerArn=site.arn,
        Attributes=[{"Key": "client_keep_alive.seconds", "Value": "60"}],
    )
    token = connection.set(writer)  # type: ignore[arg-type]
    try:
        first = site.get("/near")
        connected = site.world.emulator.load_balancers._connected
        connected[writer] -= 61  # type: ignore[index]
        second = site.get("/near")
    finally:
        connection.reset(token)
    assert first is not None
    assert second is not None
    assert (first[1].get("connection"), second[1].get("connection")) == (None, "close")


def test_weights_choose_the_target_group() -> None:
    """Weight 0 is never chosen; without any weight nobody is there to answer."""
    groups = [{"TargetGroupArn": "a", "Weight": 0}, {"TargetGroupArn": "b", "Weight": 1}]
    assert target_group({"ForwardConfig": {"TargetGroups": groups}}) == "b"
    assert target_group({"ForwardConfig": {"TargetGroups": groups[:1]}}) == ""
    assert target_group({"TargetGroupArn": "c"}) == "c"
