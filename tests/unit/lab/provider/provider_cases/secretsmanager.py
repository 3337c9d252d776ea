"""Secrets Manager: what each resource is made with, and what it is changed to."""

from __future__ import annotations

from provider_cases.case import Case, named
from pulumi_protocol.values import secret

CASES = [
    Case(
        "secret",
        "aws:secretsmanager/secret:Secret",
        lambda w: named(
            "secret", name="secret-one", recoveryWindowInDays=0, replicas=[{"region": "us-west-2"}]
        ),
        lambda w: named("secret", name="secret-one", recoveryWindowInDays=0, description="two"),
    ),
    Case(
        "secret-version",
        "aws:secretsmanager/secretVersion:SecretVersion",
        lambda w: {
            "secretId": w["secret"].id,
            "secretString": secret('{"a": 1}'),
            "versionStages": ["AWSCURRENT", "KEPT"],
        },
        lambda w: {
            "secretId": w["secret"].id,
            "secretString": secret('{"a": 1}'),
            "versionStages": ["AWSCURRENT", "OTHER"],
        },
        stays=True,
    ),
]
