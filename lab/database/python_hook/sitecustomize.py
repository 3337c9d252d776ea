"""Loaded by Python at its start in the lab's functions (``PYTHONPATH``): connections to
``*.rds.amazonaws.com`` take the way that was deployed. See ``network_hook.cjs``, its twin.

Python's drivers resolve first and connect then, so the way is decided in ``getaddrinfo``: the port
that stands for the endpoint, a port that never answers, one where nothing listens, or no such name.

Load balancers' public names lead to the lab: an HTTPS listener to its own port, every other one to
the lab's, which serves it by the request's host. Route 53's name servers lead to its DNS.
"""

import json
import os
import re
import socket
from typing import Any

DOMAIN = ".rds.amazonaws.com"
LOCAL = "127.0.0.1"
BALANCER = ".elb.amazonaws.com"
NAME_SERVER = re.compile(r"ns-\d+\.awsdns-\d+\.(com|net|org|co\.uk)")
HTTPS = 443
CLOSED_PORT = 1
RESOLVER_SECONDS = 15.0
_getaddrinfo = socket.getaddrinfo


def _ask(port: int, host: str) -> dict[str, Any]:
    question = {
        "region": os.environ.get("LAB_REGION"),
        "function": os.environ.get("AWS_LAMBDA_FUNCTION_NAME"),
        "host": host,
    }
    with socket.socket() as connection:
        connection.settimeout(RESOLVER_SECONDS)
        connection.connect((LOCAL, port))
        connection.sendall(json.dumps(question).encode() + b"\n")
        with connection.makefile() as answers:
            return json.loads(answers.readline())


def _public_port(name: str, port: Any) -> str:
    if NAME_SERVER.fullmatch(name):
        return os.environ.get("LAB_DNS_PORT", "")
    if not name.endswith(BALANCER) or "LAB_PORT" not in os.environ:
        return ""
    with open(os.environ["LAB_LOAD_BALANCERS"]) as file:  # noqa: PTH123 - as below
        tls = json.load(file).get(name, {}).get(str(port))
    # Nothing listens on a 443 that speaks no TLS.
    return str(tls or (CLOSED_PORT if str(port) == str(HTTPS) else os.environ["LAB_PORT"]))


def _lab_getaddrinfo(host: Any, port: Any, *arguments: Any, **options: Any) -> Any:
    name = host.decode() if isinstance(host, bytes) else host
    if isinstance(name, str) and (public := _public_port(name.lower().rstrip("."), port)):
        return _getaddrinfo(LOCAL, public, *arguments, **options)
    if not isinstance(name, str) or not name.lower().endswith(DOMAIN):
        return _getaddrinfo(host, port, *arguments, **options)
    name = name.lower()
    with open(os.environ["LAB_NETWORK_MAP"]) as file:  # noqa: PTH123 - loaded into all functions
        known = json.load(file)
    answer = _ask(known["resolver"], name)
    action = answer["action"]
    if action == "unknown":
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    if action in ("allow", "hang"):
        port = answer["port"]
    else:
        port = known["black_hole"] if action == "drop" else CLOSED_PORT
    return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (LOCAL, port))]


if "LAB_NETWORK_MAP" in os.environ:
    socket.getaddrinfo = _lab_getaddrinfo
