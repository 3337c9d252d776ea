"""The zone, the health checks, and the records that fail over."""

from typing import Any

import pytest
from harness import SUFFIX, Deployment, Registered, program, run_program, sample_outputs

from tapstack.contracts import AppOutputs
from tapstack.errors import SettingsError

REGIONS = ("us-east-1", "us-west-2")
ROLE_OF = {"us-east-1": "primary", "us-west-2": "secondary"}
APP = sample_outputs(AppOutputs)
DOMAIN = f"warm-standby-{SUFFIX}.net"
CHECK = "aws:route53/healthCheck:HealthCheck"
RECORD = "aws:route53/record:Record"
both_regions = pytest.mark.parametrize("region", REGIONS)


def check(deployment: Deployment, name: str) -> Registered:
    return deployment.one(CHECK, name)


def test_a_new_zone_for_the_default_domain() -> None:
    """R3.1, trap 16: a domain that AWS accepts, destroyable."""
    zone = program("global").one("aws:route53/zone:Zone").inputs
    assert zone["name"] == DOMAIN
    assert zone["forceDestroy"] is True


@pytest.mark.no_cover
@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_production_alone_has_accelerated_recovery(environment: str) -> None:
    """Trap 10, trap 68: an account changes it for one zone at a time, so environments side by side
    would collide."""
    config = {"TapStack:environment": environment, "app:allowPlainHttp": True}
    zone = run_program("global", config=config, stack=environment).one("aws:route53/zone:Zone")
    assert zone.inputs["enableAcceleratedRecovery"] is (environment == "prod")


@pytest.mark.no_cover
def test_a_domain_of_ones_own() -> None:
    """R3.1: the record is app.<domain>."""
    deployment = run_program("global", config={"global:domain": "standby.health"})
    assert deployment.one("aws:route53/zone:Zone").inputs["name"] == "standby.health"
    assert deployment.exports["fqdn"] == "app.standby.health"


EXISTING = {"global:hostedZoneId": "Z0123456789ABC", "global:domain": "warm-standby.net"}


def test_an_existing_zone_is_used_and_not_made() -> None:
    """R3.1: records go into it; its id and name servers are exported."""
    deployment = run_program("global", config=EXISTING)
    assert deployment.created("aws:route53/zone:Zone") == []
    assert {record.inputs["zoneId"] for record in deployment.created(RECORD)} == {"Z0123456789ABC"}
    assert deployment.exports["zone_id"] == "Z0123456789ABC"
    assert len(deployment.exports["name_servers"]) == 4


def test_an_existing_zone_of_another_domain_is_refused() -> None:
    """R3.1: records of one domain in another's zone would never be asked for."""
    with pytest.raises(SettingsError, match=r"is the zone of warm-standby\.net, not the public"):
        run_program("global", config={**EXISTING, "global:domain": "other.net"})


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"global:domain": "example.com"}, r"global:domain is reserved: .*InvalidDomainName"),
        ({"global:domain": "app.example.org"}, r"global:domain is reserved"),
        ({"global:healthCheckThreshold": "11"}, r"must be between 1 and 10 \(got 11\)"),
        ({"global:healthCheckThreshold": "0"}, r"must be between 1 and 10 \(got 0\)"),
        ({"global:healthCheckInterval": "20"}, r"must be 10 or 30 \(got 20\)"),
        ({"global:alarmEmail": "nobody"}, r"global:alarmEmail must be an e-mail address"),
    ],
)
def test_bad_configuration_ends_in_one_line(config: dict[str, Any], message: str) -> None:
    """R3.1, trap 16: refused before any resource is declared."""
    with pytest.raises(SettingsError, match=message) as raised:
        run_program("global", config=config)
    assert "\n" not in str(raised.value)


@both_regions
def test_each_load_balancer_is_checked_by_its_own_name(region: str) -> None:
    """R3.1, trap 14: HTTP:80 on /health, 30 s, threshold 3, latency measured."""
    entry = check(program("global"), f"app-{region}").inputs
    assert entry["fqdn"] == APP[ROLE_OF[region]]["load_balancer_dns_name"]
    assert (entry["type"], entry["port"], entry["resourcePath"]) == ("HTTP", 80, "/health")
    assert (entry["requestInterval"], entry["failureThreshold"]) == (30, 3)
    assert entry["measureLatency"] is True
    assert entry["invertHealthcheck"] is False
    assert entry["tags"]["Name"] == f"healthcheck-app-{region}-{SUFFIX}"


@pytest.mark.no_cover
def test_interval_and_threshold_are_configuration() -> None:
    """R3.1: the fast interval of 10 s is allowed, on every endpoint that is checked."""
    config = {"global:healthCheckInterval": "10", "global:healthCheckThreshold": "2"}
    deployment = run_program("global", config=config)
    endpoints = [entry for entry in deployment.created(CHECK) if entry.inputs["type"] == "HTTP"]
    assert len(endpoints) == 3
    assert {entry.inputs["requestInterval"] for entry in endpoints} == {10}
    assert {entry.inputs["failureThreshold"] for entry in endpoints} == {2}


def test_a_changed_check_is_made_before_the_old_one_goes() -> None:
    """Trap 15b: interval and latency can't be changed, and a gap would count as healthy or not."""
    assert not any(entry.delete_before_replace for entry in program("global").created(CHECK))


def test_the_primary_serves_when_it_answers_and_the_switch_is_released() -> None:
    """Trap 12: both must hold, so traffic doesn't come back by itself."""
    deployment = program("global")
    verdict = check(deployment, "serves-us-east-1").inputs
    assert verdict["type"] == "CALCULATED"
    assert verdict["childHealthThreshold"] == 2
    assert sorted(verdict["childHealthchecks"]) == sorted(
        [check(deployment, "app-us-east-1").id, check(deployment, "switch-us-west-2").id]
    )


def test_the_switch_is_served_by_the_standby_and_inverted() -> None:
    """Trap 12: 404 (released) and a dead standby both leave the primary alone."""
    switch = check(program("global"), "switch-us-west-2").inputs
    assert switch["fqdn"] == APP["secondary"]["load_balancer_dns_name"]
    assert switch["resourcePath"] == "/failover-switch"
    assert switch["invertHealthcheck"] is True


@both_regions
def test_failover_records_are_aliases_with_a_check(region: str) -> None:
    """R3.2, trap 13: target health is evaluated, and each side has a check of its own."""
    deployment = program("global")
    record = deployment.one(RECORD, f"failover-{region}").inputs
    app = APP[ROLE_OF[region]]
    assert record["name"] == f"app.{DOMAIN}"
    assert record["type"] == "A"
    assert record["setIdentifier"] == ROLE_OF[region]
    assert record["failoverRoutingPolicies"] == [{"type": ROLE_OF[region].upper()}]
    assert record["aliases"] == [
        {
            "name": app["load_balancer_dns_name"],
            "zoneId": app["load_balancer_zone_id"],
            "evaluateTargetHealth": True,
        }
    ]
    decides = {"us-east-1": "serves-us-east-1", "us-west-2": "app-us-west-2"}[region]
    assert record["healthCheckId"] == check(deployment, decides).id
    # An alias has the load balancer's TTL of 60 s (trap 15).
    assert "ttl" not in record


@both_regions
def test_operators_reach_each_region_by_name(region: str) -> None:
    """R3.2: whatever its health, so without a check."""
    record = program("global").one(RECORD, f"regional-{region}").inputs
    assert record["name"] == f"{region}.app.{DOMAIN}"
    assert record["aliases"][0]["name"] == APP[ROLE_OF[region]]["load_balancer_dns_name"]
    assert record["aliases"][0]["evaluateTargetHealth"] is False
    assert "healthCheckId" not in record
    assert "failoverRoutingPolicies" not in record
