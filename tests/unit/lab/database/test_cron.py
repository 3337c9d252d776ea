"""When a job of pg_cron is due, and how functions reach what is public."""

from __future__ import annotations

import importlib.util
import json
import socket
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import pytest

from lab.database import cron

MORNING = datetime(2026, 1, 2, 3, 16, 30, tzinfo=UTC).timestamp()
HOOK = Path(cron.__file__).parent / "python_hook" / "sitecustomize.py"


@pytest.mark.parametrize(
    ("schedule", "after", "due"),
    [
        ("10 seconds", 9.9, False),
        ("10 seconds", 10.0, True),
        ("1 second", 1.0, True),
        ("* * * * *", 29.0, False),
        ("* * * * *", 30.0, True),
        ("17 3 * * *", 29.0, False),
        ("17 3 * * *", 31.0, True),
        ("17 4 * * *", 600.0, False),
        ("17 3 * * 5", 31.0, True),
        ("17 3 * * 4", 31.0, False),
        ("17 3 2 * *", 31.0, True),
        ("whenever", 1e6, False),
        ("a b c d e", 1e6, False),
    ],
)
def test_a_job_is_due_as_pg_cron_runs_it(schedule: str, after: float, due: bool) -> None:
    """pg_cron's README: an interval in seconds, or cron's five fields in UTC; the second of January
    2026 is a Friday."""
    assert cron.is_due(schedule, MORNING, MORNING + after) is due


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The functions' hook, loaded without taking ``getaddrinfo``'s place."""
    listeners = tmp_path / "load-balancers.json"
    listeners.write_text(json.dumps({"alb.us-west-2.elb.amazonaws.com": {"443": 41443}}))
    monkeypatch.setenv("LAB_LOAD_BALANCERS", str(listeners))
    monkeypatch.delenv("LAB_NETWORK_MAP", raising=False)
    monkeypatch.setenv("LAB_PORT", "45660")
    monkeypatch.setenv("LAB_DNS_PORT", "45661")
    spec = importlib.util.spec_from_file_location("lab_python_hook", HOOK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("host", "port"),
    [
        ("alb-app-us-east-1-lab-x.us-east-1.elb.amazonaws.com", 45660),
        (b"ALB-APP.us-west-2.elb.amazonaws.com", 45660),
        ("ns-1.awsdns-1.com", 45661),
        ("ns-4.awsdns-04.co.uk.", 45661),
        ("127.0.0.1", 80),
        ("ns-1.awsdns-1.com.example", None),
    ],
)
def test_public_names_lead_to_the_lab(
    hook: ModuleType, host: str | bytes, port: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A controller outside the VPC asks load balancers and name servers by their names; UDP keeps
    being UDP, and every other name is the machine's."""
    asked: list[tuple[object, object]] = []
    resolve = socket.getaddrinfo

    def getaddrinfo(name: str, service: object, *arguments: object) -> object:
        asked.append((name, service))
        return resolve("127.0.0.1", service, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(hook, "_getaddrinfo", getaddrinfo)
    found = hook._lab_getaddrinfo(host, 80, socket.AF_INET, socket.SOCK_DGRAM)
    if port is None or port == 80:
        assert asked == [(host, 80)]
    else:
        assert found[0][1] == socket.SOCK_DGRAM
        assert found[0][4] == ("127.0.0.1", port)


@pytest.mark.parametrize(
    ("host", "service", "port"),
    [
        ("ALB.us-west-2.elb.amazonaws.com", 443, 41443),
        ("alb.us-west-2.elb.amazonaws.com", "443", 41443),
        ("alb.us-west-2.elb.amazonaws.com", 80, 45660),
        ("alb.us-east-1.elb.amazonaws.com", 443, 1),
    ],
)
def test_https_leads_to_the_listeners_own_port(
    hook: ModuleType, host: str, service: object, port: int
) -> None:
    """Trap 65: where a load balancer has no HTTPS listener nothing answers on 443."""
    found = hook._lab_getaddrinfo(host, service, socket.AF_INET, socket.SOCK_STREAM)
    assert [address[4] for address in found] == [("127.0.0.1", port)]


def test_without_the_lab_a_public_name_is_anybodys(
    hook: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hook leads nowhere of its own accord."""
    monkeypatch.delenv("LAB_PORT")
    assert hook._public_port("a.us-east-1.elb.amazonaws.com", 80) == ""
