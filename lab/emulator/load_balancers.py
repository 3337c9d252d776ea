"""Application Load Balancers' data plane: requests by host name to listeners, rules and targets.

Serves the load balancers of both regions, with AWS's event and answer shapes for Lambda targets
(Elastic Load Balancing user guide, "Lambda functions as targets").
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import fnmatch
import ipaddress
import json
import random
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus
from weakref import WeakKeyDictionary

from lab.call import Answer, Call
from lab.context import LabContext
from lab.emulator.exchange import Exchange, Proceed
from lab.emulator.functions import Function, Functions
from lab.emulator.policies import Access, allows
from lab.facts import LoadBalancerRequest
from lab.outage import OutageKind

LOAD_BALANCER_HEADER = "x-lab-load-balancer"
"""Names a load balancer (its DNS name) when the Host header keeps the site's own name, as a
resolved request's does on AWS."""
PORT_HEADERS = ("x-lab-listener-port", "x-forwarded-port")
LARGEST = 1024 * 1024
"""Bytes of a Lambda target's request body, and of its response as JSON (AWS, "Use Lambda functions
as targets of an Application Load Balancer", Limits)."""
_OWN_HEADERS = {
    *PORT_HEADERS,
    LOAD_BALANCER_HEADER,
    "connection",
    "keep-alive",
    "content-length",
    "transfer-encoding",
    "x-forwarded-proto",
}
_TEXT_TYPES = ("text/", "application/json", "application/javascript", "application/xml")
_REASONS = {
    403: "403 Forbidden",
    404: "404 Not Found",
    413: "413 Request Entity Too Large",
    502: "502 Bad Gateway",
    503: "503 Service Temporarily Unavailable",
    504: "504 Gateway Time-out",
}


@dataclass(frozen=True)
class LoadBalancer:
    """A deployed load balancer as the emulator holds it."""

    record: Mapping[str, Any]
    region: str
    account: str

    @property
    def arn(self) -> str:
        """arn:aws:elasticloadbalancing:…:loadbalancer/app/NAME/ID"""
        return str(self.record["LoadBalancerArn"])


class LoadBalancers:
    """Finds and serves load balancers."""

    def __init__(self, lab: LabContext, functions: Functions) -> None:
        self.lab, self.functions = lab, functions
        self._connected: WeakKeyDictionary[asyncio.StreamWriter, float] = WeakKeyDictionary()

    def find(self, call: Call) -> LoadBalancer | None:
        """The load balancer a request is for, by header or host name; None for an AWS API."""
        name = call.headers.get(LOAD_BALANCER_HEADER) or call.headers.get("host", "")
        name = name.partition(":")[0].lower().rstrip(".")
        if not name.endswith(".elb.amazonaws.com"):
            return None
        from ministack.services import alb

        for (account, region, _), record in alb._lbs._data.items():
            if record["DNSName"].lower() == name:
                return LoadBalancer(record, region, account)
        return None

    async def answer(self, exchange: Exchange, proceed: Proceed) -> Answer | None:
        """Answer a request for a load balancer; pass on what is for an AWS API."""
        if balancer := self.find(exchange.call):
            return await self.serve(balancer, exchange.call)
        return await proceed(exchange)

    async def serve(self, balancer: LoadBalancer, call: Call) -> Answer | None:
        """Answer a request as the load balancer; None drops the connection."""
        if self.lab.outages.has_lost(balancer.region, OutageKind.COMPUTE):
            return None
        listener = self._listener(balancer, call)
        if listener is None:
            return None
        began = time.monotonic()
        request = _Request(call, listener["Port"], listener["Protocol"])
        action = self._action(listener, request)
        target_group, from_target = "", False
        if action["Type"] == "fixed-response":
            answer = _fixed_response(action["FixedResponseConfig"])
        elif action["Type"] == "redirect":
            answer = _redirect(action["RedirectConfig"], request)
        else:
            target_group = _target_group(action)
            answer, from_target = await self._forward(target_group, request)
        # During the request its region may have died: then nothing comes back either.
        if self.lab.outages.has_lost(balancer.region, OutageKind.COMPUTE):
            return None
        self.lab.emit(
            LoadBalancerRequest(
                region=balancer.region,
                load_balancer=balancer.arn.partition("loadbalancer/")[2],
                target_group=target_group.rpartition(":")[2],
                status=answer.status,
                from_target=from_target,
                seconds=time.monotonic() - began,
            )
        )
        self._keep_alive(balancer, call, answer)
        return answer

    def _listener(self, balancer: LoadBalancer, call: Call) -> Mapping[str, Any] | None:
        from ministack.services import alb

        listeners = [
            listener
            for listener in alb._listeners._data.values()
            if listener["LoadBalancerArn"] == balancer.arn
        ]
        asked = next((call.headers[name] for name in PORT_HEADERS if name in call.headers), "")
        if not asked:
            host_port = call.headers.get("host", "").partition(":")[2]
            asked = host_port if host_port != str(self.lab.port) else ""
        port = int(asked) if asked.isdigit() else 80
        return next((listener for listener in listeners if listener["Port"] == port), None)

    def _action(self, listener: Mapping[str, Any], request: _Request) -> Mapping[str, Any]:
        from ministack.services import alb

        rules = [
            rule
            for rule in alb._rules._data.values()
            if rule["ListenerArn"] == listener["ListenerArn"] and not rule.get("IsDefault")
        ]
        for rule in sorted(rules, key=lambda rule: int(rule["Priority"])):
            if all(_matches(condition, request) for condition in rule["Conditions"]):
                return _last(rule["Actions"])
        return _last(listener["DefaultActions"])

    async def _forward(self, target_group: str, request: _Request) -> tuple[Answer, bool]:
        """(answer, whether it is the target's)"""
        from ministack.services import alb

        group = next((g for (_, _, arn), g in alb._tgs._data.items() if arn == target_group), None)
        account = target_group.split(":")[4] if target_group else ""
        targets = alb._targets._data.get((account, target_group), [])
        if group is None or not targets:
            return _error(503), False
        if group["TargetType"] != "lambda":
            return _error(502), False
        if len(request.body) > LARGEST:
            return _error(413), False
        attributes = {
            item["Key"]: item["Value"]
            for item in alb._tg_attrs._data.get((account, target_group), [])
        }
        multi = attributes.get("lambda.multi_value_headers.enabled") == "true"
        answer = await self.invoke_target(
            target_group, targets[0]["Id"], request.event(target_group, multi)
        )
        if answer is None:
            return _error(502), False
        return answer, True

    async def invoke_target(
        self, target_group: str, target: str, event: dict[str, Any]
    ) -> Answer | None:
        """Call a Lambda target; None when it gives no valid answer (the client sees 502)."""
        function = deployed_function(target)
        if function is None or not may_invoke(function, target_group):
            return None
        outcome = await self.functions.invoke(function, event)
        return None if outcome.error else _answer_of(outcome.result)

    def _keep_alive(self, balancer: LoadBalancer, call: Call, answer: Answer) -> None:
        """A client's connection lives as long as the load balancer's attribute says."""
        from ministack.services import alb

        if call.writer is None:
            return
        attributes = {
            item["Key"]: item["Value"]
            for item in alb._lb_attrs._data.get((balancer.account, balancer.arn), [])
        }
        allowed = float(attributes.get("client_keep_alive.seconds", "3600"))
        first = self._connected.setdefault(call.writer, self.lab.clock.now())
        if self.lab.clock.now() - first >= allowed:
            answer.headers.append(("connection", "close"))


class _Request:
    """A client's request, as rules and targets see it."""

    def __init__(self, call: Call, port: int, protocol: str) -> None:
        self.method, self.path = call.method, call.raw_path.partition("?")[0]
        self.query_string, self.body = call.query_string, call.body
        self.port, self.protocol = port, protocol.lower()
        trace = call.headers.get("x-amzn-trace-id", "")
        if "Root=" not in trace:
            trace = f"Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]}"
        forwarded = call.headers.get("x-forwarded-for", "")
        own = {
            "x-amzn-trace-id": trace,
            "x-forwarded-for": f"{forwarded}, {call.client}" if forwarded else call.client,
            "x-forwarded-port": str(port),
            "x-forwarded-proto": self.protocol,
        }
        self.client = call.client
        self.headers = [
            (name, value)
            for name, value in call.header_list
            if name not in _OWN_HEADERS and name not in own
        ] + list(own.items())

    @property
    def host(self) -> str:
        """The Host header without a port, lower case."""
        return dict(self.headers).get("host", "").partition(":")[0].lower()

    def query(self) -> Iterator[tuple[str, str]]:
        """Query parameters as they came: load balancers don't decode them."""
        for part in self.query_string.split("&"):
            if part:
                name, _, value = part.partition("=")
                yield name, value

    def event(self, target_group: str, multi: bool) -> dict[str, Any]:
        """The event of a Lambda target; ``multi``: with multi-value headers enabled."""
        content_type = dict(self.headers).get("content-type", "")
        encoded = bool(self.body) and (
            "content-encoding" in dict(self.headers) or not content_type.startswith(_TEXT_TYPES)
        )
        if encoded and not content_type:
            encoded = not _is_text(self.body)
        body = (
            base64.b64encode(self.body).decode()
            if encoded
            else self.body.decode("utf-8", "replace")
        )
        event: dict[str, Any] = {
            "requestContext": {"elb": {"targetGroupArn": target_group}},
            "httpMethod": self.method,
            "path": self.path,
        }
        if multi:
            event["multiValueQueryStringParameters"] = _grouped(self.query())
            event["multiValueHeaders"] = _grouped(self.headers)
        else:
            event["queryStringParameters"] = dict(self.query())
            event["headers"] = dict(self.headers)
        return event | {"body": body, "isBase64Encoded": encoded}


def _is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def _grouped(pairs: Any) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for name, value in pairs:
        grouped.setdefault(name, []).append(value)
    return grouped


def deployed_function(arn: str) -> Function | None:
    """A deployed function by its ARN, with or without an alias or version."""
    from ministack.services import lambda_svc

    parts = arn.split(":")
    if len(parts) < 7:
        return None
    record, config, _ = lambda_svc._get_func_record_for_ref_in_scope(
        arn, account_id=parts[4], region=parts[3]
    )
    if not record or not config or not record.get("code_zip"):
        return None
    return Function(config, record["code_zip"])


def may_invoke(function: Function, target_group: str) -> bool:
    """Whether the function's policy lets load balancers call it from this target group."""
    from ministack.services import lambda_svc

    account = function.arn.split(":")[4]
    record = lambda_svc._functions._data.get((account, function.region, function.name), {})
    access = Access(
        action="lambda:InvokeFunction",
        resource=function.arn,
        service="elasticloadbalancing.amazonaws.com",
        context={"aws:SourceArn": target_group, "aws:SourceAccount": account},
    )
    return allows([record.get("policy", {})], access)


def _answer_of(result: Any) -> Answer | None:
    """A Lambda target's answer; None when it isn't one (malformed, or above 1 MB)."""
    if not isinstance(result, dict):
        return None
    text = json.dumps(result, ensure_ascii=False)
    if len(text.encode("utf-8", "surrogatepass")) > LARGEST:
        return None
    try:
        status = int(result["statusCode"])
        body = result.get("body") or ""
        content = (
            base64.b64decode(body, validate=True)
            if result.get("isBase64Encoded")
            else str(body).encode()
        )
    except (KeyError, TypeError, ValueError, binascii.Error):
        return None
    if not 100 <= status <= 599:
        return None
    multi = result.get("multiValueHeaders")
    headers = (
        [(name, str(value)) for name, values in multi.items() for value in values]
        if multi
        else [(name, str(value)) for name, value in (result.get("headers") or {}).items()]
    )
    headers = [
        (name.lower(), value)
        for name, value in headers
        if name.lower() not in ("content-length", "connection", "transfer-encoding")
    ]
    if content and not any(name == "content-type" for name, _ in headers):
        headers.append(("content-type", "application/octet-stream"))
    return Answer(status, headers, content)


def _matches(condition: Mapping[str, Any], request: _Request) -> bool:
    field = condition["Field"]
    values = condition.get("Values", [])
    match field:
        case "path-pattern":
            values = condition.get("PathPatternConfig", {}).get("Values") or values
            return any(_wildcard(request.path, value, True) for value in values)
        case "host-header":
            values = condition.get("HostHeaderConfig", {}).get("Values") or values
            return any(_wildcard(request.host, value, False) for value in values)
        case "http-request-method":
            return request.method in condition.get("HttpRequestMethodConfig", {}).get("Values", [])
        case "http-header":
            config = condition.get("HttpHeaderConfig", {})
            name = config.get("HttpHeaderName", "").lower()
            given = [value for header, value in request.headers if header == name]
            return any(
                _wildcard(value, wanted, False) for value in given for wanted in config["Values"]
            )
        case "query-string":
            wanted = condition.get("QueryStringConfig", {}).get("Values", [])
            given = [(unquote_plus(n), unquote_plus(v)) for n, v in request.query()]
            return any(_query_matches(item, given) for item in wanted)
        case "source-ip":
            networks = condition.get("SourceIpConfig", {}).get("Values", [])
            address = ipaddress.ip_address(request.client)
            return any(address in ipaddress.ip_network(network) for network in networks)
        case _:
            return False


def _query_matches(wanted: Mapping[str, str], given: list[tuple[str, str]]) -> bool:
    return any(
        _wildcard(value, wanted["Value"], False)
        and ("Key" not in wanted or _wildcard(name, wanted["Key"], False))
        for name, value in given
    )


def _wildcard(text: str, pattern: str, case_sensitive: bool) -> bool:
    """``*`` any characters, ``?`` one; nothing else is special."""
    escaped = pattern.replace("[", "[[]")
    if case_sensitive:
        return fnmatch.fnmatchcase(text, escaped)
    return fnmatch.fnmatchcase(text.lower(), escaped.lower())


def _last(actions: list[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The routing action: actions are done in order, and that one comes last."""
    return sorted(actions, key=lambda action: action.get("Order", 1))[-1]


def _target_group(action: Mapping[str, Any]) -> str:
    groups = action.get("ForwardConfig", {}).get("TargetGroups") or []
    if not groups:
        return str(action.get("TargetGroupArn", ""))
    weights = [int(group.get("Weight", 1)) for group in groups]
    if not any(weights):
        return ""
    return str(random.choices(groups, weights)[0]["TargetGroupArn"])  # noqa: S311 - no secret


def _fixed_response(config: Mapping[str, Any]) -> Answer:
    return Answer(
        int(config["StatusCode"]),
        [
            ("server", "awselb/2.0"),
            ("content-type", str(config.get("ContentType") or "text/plain")),
        ],
        str(config.get("MessageBody") or "").encode(),
    )


def _redirect(config: Mapping[str, Any], request: _Request) -> Answer:
    own = {
        "#{protocol}": request.protocol,
        "#{host}": request.host,
        "#{port}": str(request.port),
        "#{path}": request.path.lstrip("/"),
        "#{query}": request.query_string,
    }

    def filled(name: str, default: str) -> str:
        text = str(config.get(name) or default)
        for placeholder, value in own.items():
            text = text.replace(placeholder, value)
        return text

    protocol = filled("Protocol", "#{protocol}").lower()
    location = f"{protocol}://{filled('Host', '#{host}')}:{filled('Port', '#{port}')}"
    location += filled("Path", "/#{path}")
    if query := filled("Query", "#{query}"):
        location += f"?{query}"
    status = 301 if config["StatusCode"] == "HTTP_301" else 302
    answer = _error(status)
    answer.headers.append(("location", location))
    return answer


def _error(status: int) -> Answer:
    """An answer of the load balancer's own."""
    title = _REASONS.get(status, {301: "301 Moved Permanently", 302: "302 Found"}.get(status, ""))
    page = (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n"
        f"<center><h1>{title}</h1></center>\r\n</body>\r\n</html>\r\n"
    )
    return Answer(status, [("server", "awselb/2.0"), ("content-type", "text/html")], page.encode())
