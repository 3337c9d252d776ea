"""Elastic Load Balancing: what each resource is made with, and what it is changed to."""

from __future__ import annotations

from typing import Any

from provider_cases.case import Case, World, named

HEALTH = {
    "enabled": True,
    "path": "/health",
    "matcher": "200",
    "interval": 30,
    "timeout": 10,
    "healthyThreshold": 2,
    "unhealthyThreshold": 2,
}


def balancer(world: World, **more: Any) -> dict[str, Any]:
    return named(
        "alb",
        name="alb-one",
        loadBalancerType="application",
        internal=False,
        securityGroups=[world["group"].id],
        subnets=[world["subnet"].id, world["subnet-b"].id],
        dropInvalidHeaderFields=True,
        enableDeletionProtection=False,
        **more,
    )


def listener(world: World, action: dict[str, Any]) -> dict[str, Any]:
    return named(
        "listener",
        loadBalancerArn=world["balancer"].id,
        port=80,
        protocol="HTTP",
        defaultActions=[action],
    )


def listener_rule(world: World, priority: int, *paths: str) -> dict[str, Any]:
    return named(
        "listener-rule",
        listenerArn=world["listener"].id,
        priority=priority,
        conditions=[{"pathPattern": {"values": list(paths)}}],
        actions=[{"type": "forward", "targetGroupArn": world["target-group"].id}],
    )


CASES = [
    Case(
        "balancer",
        "aws:lb/loadBalancer:LoadBalancer",
        lambda w: balancer(w, clientKeepAlive=180),
        lambda w: balancer(w, clientKeepAlive=190),
    ),
    Case(
        "target-group",
        "aws:lb/targetGroup:TargetGroup",
        lambda w: named("tg", name="tg-one", targetType="lambda", healthCheck=HEALTH),
        lambda w: named(
            "tg", name="tg-one", targetType="lambda", healthCheck={**HEALTH, "path": "/other"}
        ),
    ),
    Case(
        "target",
        "aws:lb/targetGroupAttachment:TargetGroupAttachment",
        lambda w: {
            "targetGroupArn": w["target-group"].id,
            "targetId": w["function"].outputs["arn"],
        },
        needs=("lb-permission",),
    ),
    Case(
        "listener",
        "aws:lb/listener:Listener",
        lambda w: listener(w, {"type": "forward", "targetGroupArn": w["target-group"].id}),
        lambda w: listener(
            w,
            {
                "type": "redirect",
                "redirect": {"protocol": "HTTPS", "port": "443", "statusCode": "HTTP_301"},
            },
        ),
    ),
    Case(
        "listener-rule",
        "aws:lb/listenerRule:ListenerRule",
        lambda w: listener_rule(w, 1, "/health"),
        lambda w: listener_rule(w, 2, "/health", "/failover-switch"),
    ),
]
