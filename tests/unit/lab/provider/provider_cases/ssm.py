"""Systems Manager: what each resource is made with, and what it is changed to."""

from __future__ import annotations

from lab.provider import wire
from provider_cases.case import Case, named

CASES = [
    Case(
        "parameter",
        "aws:ssm/parameter:Parameter",
        lambda w: named("parameter", name="/lab/one", type="String", value=wire.secret("one")),
        lambda w: named("parameter", name="/lab/one", type="String", value=wire.secret("two")),
    ),
]
