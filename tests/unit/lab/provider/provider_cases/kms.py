"""KMS: what each resource is made with, and what it is changed to."""

from __future__ import annotations

from provider_cases.case import Case, named, policy

CASES = [
    Case(
        "key",
        "aws:kms/key:Key",
        lambda w: named(
            "key",
            description="one",
            enableKeyRotation=True,
            deletionWindowInDays=7,
            multiRegion=True,
            policy=policy(Principal={"AWS": "*"}, Action="kms:*"),
        ),
        lambda w: named(
            "key",
            description="two",
            enableKeyRotation=True,
            deletionWindowInDays=7,
            multiRegion=True,
            policy=policy(Principal={"AWS": "*"}, Action="kms:*", Sid="All"),
        ),
    ),
    Case(
        "key-alias",
        "aws:kms/alias:Alias",
        lambda w: {"name": "alias/one", "targetKeyId": w["key"].id},
    ),
]
