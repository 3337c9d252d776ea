"""DynamoDB: what each resource is made with, and what it is changed to."""

from __future__ import annotations

from typing import Any

from provider_cases.case import Case, World, named


def table(world: World, **more: Any) -> dict[str, Any]:
    return named(
        "dynamodb-table",
        name="table-one",
        billingMode="PAY_PER_REQUEST",
        hashKey="kind",
        rangeKey="number",
        attributes=[{"name": "kind", "type": "S"}, {"name": "number", "type": "N"}],
        serverSideEncryption={"enabled": True, "kmsKeyArn": world["key"].outputs["arn"]},
        **more,
    )


CASES = [
    Case(
        "dynamodb-table",
        "aws:dynamodb/table:Table",
        lambda w: table(w, pointInTimeRecovery={"enabled": True}),
        lambda w: table(w, pointInTimeRecovery={"enabled": False}),
    ),
]
