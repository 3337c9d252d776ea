"""CloudWatch Logs: what each resource is made with, and what it is changed to."""

from __future__ import annotations

from provider_cases.case import Case, named

CASES = [
    Case(
        "log-group",
        "aws:cloudwatch/logGroup:LogGroup",
        lambda w: named("logs", name="/lab/one", retentionInDays=7),
        lambda w: named("logs", name="/lab/one", retentionInDays=14),
    ),
]
