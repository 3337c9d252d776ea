"""Systems Manager: what each resource is made with, and what it is changed to."""

from __future__ import annotations

from provider_cases.case import Case, named
from pulumi_protocol.values import secret

CASES = [
    Case(
        "parameter",
        "aws:ssm/parameter:Parameter",
        lambda w: named("parameter", name="/lab/one", type="String", value=secret("one")),
        lambda w: named("parameter", name="/lab/one", type="String", value=secret("two")),
    ),
]
