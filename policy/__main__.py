"""The rules of ops/policies as a Pulumi policy pack.

    cd data && pulumi preview -s dev --policy-pack ../policy

A deployment shows one layer, so rules that look at several layers at once are left to
`./inv policy`. A rule with a documented exception is advisory for what the exception covers.
"""

from pulumi_policy import (
    EnforcementLevel,
    PolicyPack,
    ReportViolation,
    StackValidationArgs,
    StackValidationPolicy,
)

from ops.policies.catalogue import RULES
from ops.policies.graph import Graph, Resource
from ops.policies.rule import Rule, judge


def graph_of(arguments: StackValidationArgs) -> Graph:
    """The deployment as the rules' graph."""
    return Graph(
        Resource(
            urn=item.urn,
            type=item.resource_type,
            properties=dict(item.props),
            references={
                key: tuple(source.urn for source in sources)
                for key, sources in item.property_dependencies.items()
            },
            provider=item.provider.urn if item.provider else "",
        )
        for item in arguments.resources
        if item.resource_type != "pulumi:pulumi:Stack"
    )


def policy_of(rule: Rule) -> StackValidationPolicy:
    """One rule as a stack policy."""

    def validate(arguments: StackValidationArgs, report: ReportViolation) -> None:
        verdict = judge(rule, graph_of(arguments))
        if verdict.outcome == "fail":
            report(verdict.reason, None)

    return StackValidationPolicy(
        name=rule.id.lower().replace(" ", "-").replace(".", "-"),
        description=f"{rule.area}: {rule.id}",
        validate=validate,
        enforcement_level=EnforcementLevel.MANDATORY,
    )


PolicyPack(
    name="warm-standby",
    policies=[policy_of(rule) for rule in RULES if rule.check and not rule.whole_stack],
)
