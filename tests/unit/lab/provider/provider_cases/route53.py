"""Route 53: what each resource is made with, and what it is changed to."""

from __future__ import annotations

from typing import Any

from provider_cases.case import Case, World, named


def alias_record(world: World) -> dict[str, Any]:
    return {
        "zoneId": world["zone"].id,
        "name": "app",
        "type": "A",
        "setIdentifier": "primary",
        "failoverRoutingPolicies": [{"type": "PRIMARY"}],
        "healthCheckId": world["health-check"].id,
        "aliases": [
            {
                "name": world["balancer"].outputs["dnsName"],
                "zoneId": world["balancer"].outputs["zoneId"],
                "evaluateTargetHealth": True,
            }
        ],
    }


def health_check(**more: Any) -> dict[str, Any]:
    return named(
        "health-check",
        type="HTTP",
        fqdn="a.example.org",
        port=80,
        resourcePath="/health",
        requestInterval=30,
        measureLatency=True,
        **more,
    )


CASES = [
    Case(
        "zone",
        "aws:route53/zone:Zone",
        lambda w: named("zone", name="one.example.org", forceDestroy=True, comment="one"),
        lambda w: named("zone", name="one.example.org", forceDestroy=True, comment="two"),
    ),
    Case(
        "health-check",
        "aws:route53/healthCheck:HealthCheck",
        lambda w: health_check(failureThreshold=3, regions=["us-east-1", "us-west-1", "us-west-2"]),
        lambda w: health_check(failureThreshold=2, invertHealthcheck=True),
    ),
    Case(
        "calculated",
        "aws:route53/healthCheck:HealthCheck",
        lambda w: named(
            "calculated",
            type="CALCULATED",
            childHealthchecks=[w["health-check"].id],
            childHealthThreshold=1,
        ),
    ),
    Case("alias-record", "aws:route53/record:Record", alias_record),
    Case(
        "text-record",
        "aws:route53/record:Record",
        lambda w: {
            "zoneId": w["zone"].id,
            "name": "text",
            "type": "TXT",
            "ttl": 60,
            "records": ["x"],
        },
        lambda w: {
            "zoneId": w["zone"].id,
            "name": "text",
            "type": "TXT",
            "ttl": 61,
            "records": ["y"],
        },
    ),
]
