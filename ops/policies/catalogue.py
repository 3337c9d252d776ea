"""All rules, in the order of docs/hipaa.md."""

from ops.policies import (
    buckets,
    databases,
    dynamodb,
    house,
    identities,
    load_balancers,
    networks,
    services,
)
from ops.policies.graph import Graph
from ops.policies.rule import Verdict, judge

HIPAA_RULES = (
    *load_balancers.RULES,
    *databases.RULES,
    *buckets.RULES,
    *networks.RULES,
    *identities.RULES,
    *dynamodb.RULES,
    *services.RULES,
)
RULES = (*HIPAA_RULES, *house.RULES)


def verdicts(graph: Graph) -> list[Verdict]:
    """Every rule's verdict; none is left out."""
    return [judge(rule, graph) for rule in RULES]
