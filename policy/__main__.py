"""The rules of ops/policies as a Pulumi policy pack.

    cd data && pulumi preview -s dev --policy-pack ../policy

A deployment shows one layer, so rules that look at several layers at once are left to
``./inv policy``. What a rule's documented exception covers is no violation. In a preview a rule
that reads a value which isn't known yet can't be judged, and Pulumi says so; the deployment judges
it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pulumi_policy import (
    EnforcementLevel,
    PolicyPack,
    ReportViolation,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import UnknownValueError

from ops.policies.catalogue import RULES
from ops.policies.graph import PROVIDER, Graph, NotKnownError, Resource
from ops.policies.rule import Rule, judge


class UnknownPropertyError(UnknownValueError, NotKnownError):
    """An unknown value, to Pulumi and to the rules."""


class Properties(Mapping[str, Any]):
    """A resource's properties as plain values, each converted when a rule reads it: an unknown
    value stops the rules that read it, and no others."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = given

    def __getitem__(self, key: str) -> Any:
        try:
            return plain(self._given[key])
        except UnknownValueError as error:
            raise UnknownPropertyError(error.unknown_type_sentinel, error.props) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._given)

    def __len__(self) -> int:
        return len(self._given)


def plain(value: Any) -> Any:
    """Lists and dictionaries for what Pulumi hands over as look-alikes of them."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(item) for item in value]
    return value


def graph_of(arguments: StackValidationArgs) -> Graph:
    """The deployment as the rules' graph."""
    return Graph(
        Resource(
            urn=item.urn,
            type=item.resource_type,
            properties=Properties(item.props),
            references={
                key: tuple(source.urn for source in sources)
                for key, sources in item.property_dependencies.items()
            },
            provider=item.provider.urn if item.provider else "",
        )
        for item in arguments.resources
        if item.resource_type.startswith("aws:") or item.resource_type == PROVIDER
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
