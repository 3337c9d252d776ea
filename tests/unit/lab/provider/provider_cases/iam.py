"""IAM: what each resource is made with, and what it is changed to."""

from __future__ import annotations

from provider_cases.case import Case, named, policy, trust

SERVICES = ("lambda.amazonaws.com", "scheduler.amazonaws.com", "s3.amazonaws.com")
"""Which assume the role in other cases."""

CASES = [
    Case(
        "role",
        "aws:iam/role:Role",
        lambda w: named("role", name="role-one", assumeRolePolicy=trust(*SERVICES)),
        lambda w: named(
            "role",
            name="role-one",
            assumeRolePolicy=trust(*SERVICES, "events.amazonaws.com"),
            maxSessionDuration=7200,
        ),
    ),
    Case(
        "policy",
        "aws:iam/policy:Policy",
        lambda w: named("policy", name="policy-one", policy=policy()),
        lambda w: named("policy", name="policy-one", policy=policy(Sid="All")),
    ),
    Case(
        "attachment",
        "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
        lambda w: {"role": w["role"].id, "policyArn": w["policy"].id},
    ),
]
