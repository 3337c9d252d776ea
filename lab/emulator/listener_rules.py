"""Listeners' rules and actions: which rule a request meets, and what it does."""

from __future__ import annotations

import fnmatch
import ipaddress
import random
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_plus

from lab.call import Answer
from lab.emulator.load_balancer_requests import BalancedRequest

_REASONS = {
    403: "403 Forbidden",
    404: "404 Not Found",
    413: "413 Request Entity Too Large",
    502: "502 Bad Gateway",
    503: "503 Service Temporarily Unavailable",
    504: "504 Gateway Time-out",
}


def matches(condition: Mapping[str, Any], request: BalancedRequest) -> bool:
    """Whether a request meets one condition of a rule."""
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


def last(actions: list[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The routing action: actions are done in order, and that one comes last."""
    return sorted(actions, key=lambda action: action.get("Order", 1))[-1]


def target_group(action: Mapping[str, Any]) -> str:
    """ARN of the group that a forward action chooses by its weights; empty for none."""
    groups = action.get("ForwardConfig", {}).get("TargetGroups") or []
    if not groups:
        return str(action.get("TargetGroupArn", ""))
    weights = [int(group.get("Weight", 1)) for group in groups]
    if not any(weights):
        return ""
    return str(random.choices(groups, weights)[0]["TargetGroupArn"])  # noqa: S311 - no secret


def fixed_response(config: Mapping[str, Any]) -> Answer:
    """The answer of a fixed-response action."""
    return Answer(
        int(config["StatusCode"]),
        [
            ("server", "awselb/2.0"),
            ("content-type", str(config.get("ContentType") or "text/plain")),
        ],
        str(config.get("MessageBody") or "").encode(),
    )


def redirect(config: Mapping[str, Any], request: BalancedRequest) -> Answer:
    """The answer of a redirect action."""
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
    answer = error(status)
    answer.headers.append(("location", location))
    return answer


def error(status: int) -> Answer:
    """An answer of the load balancer's own."""
    title = _REASONS.get(status, {301: "301 Moved Permanently", 302: "302 Found"}.get(status, ""))
    page = (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n"
        f"<center><h1>{title}</h1></center>\r\n</body>\r\n</html>\r\n"
    )
    return Answer(status, [("server", "awselb/2.0"), ("content-type", "text/html")], page.encode())
