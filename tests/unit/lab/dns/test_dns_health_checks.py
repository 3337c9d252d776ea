"""How the lab decides that a health check is healthy (Route 53 developer guide)."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.dns.health_checks import CheckConfig, ProbeStatus, Verdicts, check_config
from lab.dns.probe import Address, probe


def verdict(check: CheckConfig, *others: CheckConfig, sick: tuple[str, ...] = (), alarms=None):
    checks = {config.id: config for config in (check, *others)}
    statuses = {
        config.id: ProbeStatus(config.threshold, healthy=config.id not in sick)
        for config in checks.values()
        if config.probes
    }
    return Verdicts(checks, statuses, alarms or {}).healthy(check.id)


EAST = CheckConfig("east", "HTTP")
SWITCH = CheckConfig("switch", "HTTP", inverted=True)


def primary(threshold: int) -> CheckConfig:
    return CheckConfig(
        "primary", "CALCULATED", children=("east", "switch"), healthy_children=threshold
    )


@pytest.mark.parametrize(
    ("check", "others", "sick", "expected"),
    [
        (EAST, (), (), True),
        (EAST, (), ("east",), False),
        (SWITCH, (), (), False),
        (SWITCH, (), ("switch",), True),
        (CheckConfig("c", "HTTP", disabled=True), (), (), True),
        (CheckConfig("c", "HTTP", disabled=True, inverted=True), (), (), False),
        (primary(2), (EAST, SWITCH), ("switch",), True),
        (primary(2), (EAST, SWITCH), (), False),
        (primary(2), (EAST, SWITCH), ("east", "switch"), False),
        (primary(1), (EAST, SWITCH), (), True),
        (primary(0), (EAST, SWITCH), ("east",), True),
        (primary(3), (EAST, SWITCH), ("switch",), False),
    ],
)
def test_status(check, others, sick, expected):
    """R3.1, trap 12: inverted, disabled and calculated checks; the switch holds traffic away."""
    assert verdict(check, *others, sick=sick) is expected


@pytest.mark.parametrize(
    ("state", "insufficient", "expected"),
    [
        ("OK", "Unhealthy", True),
        ("ALARM", "Healthy", False),
        ("INSUFFICIENT_DATA", "Healthy", True),
        ("INSUFFICIENT_DATA", "Unhealthy", False),
        ("INSUFFICIENT_DATA", "LastKnownStatus", True),
    ],
)
def test_checks_of_alarms(state, insufficient, expected):
    """R6.2: a check that follows an alarm, and what missing data means."""
    check = CheckConfig(
        "c",
        "CLOUDWATCH_METRIC",
        alarm_name="a",
        alarm_region="us-west-2",
        insufficient_data=insufficient,
    )
    assert verdict(check, alarms={("us-west-2", "a"): state}) is expected


@given(st.integers(1, 10), st.lists(st.booleans(), max_size=80))
def test_a_status_turns_only_after_threshold_probes_in_a_row(threshold, probes):
    """R3.1: the status always equals that of the last run of ``threshold`` equal probes."""
    status = ProbeStatus(threshold)
    for number, success in enumerate(probes, 1):
        status.observe(success, "", 0.0)
        expected = True
        for end in range(number, 0, -1):
            run = probes[max(end - threshold, 0) : end]
            if len(run) == threshold and len(set(run)) == 1:
                expected = run[0]
                break
        assert status.healthy is expected


def test_a_check_is_read_as_the_api_lists_it():
    """R3.1, trap 15b: defaults that the API leaves out are AWS's."""
    check = check_config(
        {
            "Id": "x",
            "HealthCheckConfig": {
                "Type": "HTTPS",
                "FullyQualifiedDomainName": "alb",
                "ResourcePath": "/health",
            },
        }
    )
    assert (check.port, check.interval, check.threshold, check.path) == (443, 30, 3, "/health")


@pytest.mark.parametrize(
    ("answer", "search", "success"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\nfine", "", True),
        (b"HTTP/1.1 302 Found\r\n\r\n", "", True),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", "", False),
        (b"HTTP/1.1 503 Down\r\n\r\n", "", False),
        (b"HTTP/1.1 200 OK\r\n\r\nhealthy", "healthy", True),
        (b"HTTP/1.1 200 OK\r\n\r\nsick", "healthy", False),
        (b"", "", False),
        (b"nonsense\r\n\r\n", "", False),
    ],
)
def test_probes(answer, search, success):
    """R3.1: 2xx and 3xx pass; a string must be in the body; a dropped connection fails."""

    async def run() -> tuple[bool, str]:
        async def serve(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        check = CheckConfig("c", "HTTP", host="alb", path="/health", search=search)
        async with server:
            return await probe(check, Address("127.0.0.1", port))

    assert asyncio.run(run())[0] is success


def test_a_silent_server_fails_the_probe_in_time():
    """R3.2: no answer within the limit is a failure, and doesn't hang the checker."""

    async def run() -> tuple[bool, str]:
        async def serve(reader, writer):
            await asyncio.sleep(5)

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        result = await probe(CheckConfig("c", "HTTP"), Address("127.0.0.1", port), speed=100)
        server.close()
        return result

    success, report = asyncio.run(run())
    assert not success
    assert "timeout" in report
