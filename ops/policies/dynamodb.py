"""HIPAA conformance pack: DynamoDB, which holds the recovery controllers' state."""

from ops.policies.graph import Graph, Resource
from ops.policies.rule import Rule

AREA = "DynamoDB"
ON_DEMAND = (
    "on demand: there is no provisioned capacity to scale or to watch, and a run a minute is far "
    "from any limit of an account"
)


def _tables(graph: Graph) -> list[Resource]:
    return graph.of("dynamodb/table:Table")


def _unrecoverable(graph: Graph) -> list[Resource]:
    return [
        table
        for table in _tables(graph)
        if not (table.get("pointInTimeRecovery") or {}).get("enabled")
    ]


def _is_on_demand(table: Resource) -> bool:
    return table.get("billingMode") == "PAY_PER_REQUEST"


RULES = (
    Rule("dynamodb-pitr-enabled", AREA, _unrecoverable),
    Rule(
        "dynamodb-in-backup-plan",
        AREA,
        _tables,
        "no patient data, and an old state must not be restored over a newer one: point-in-time "
        "recovery covers mistakes, and the journal is copied to the region's bucket",
    ),
    Rule("dynamodb-throughput-limit-check", AREA, _tables, ON_DEMAND, _is_on_demand),
    Rule("dynamodb-autoscaling-enabled", AREA, _tables, ON_DEMAND, _is_on_demand),
)
