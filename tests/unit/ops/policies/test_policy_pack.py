"""N8: the policy pack judges a deployment of one layer, as Pulumi's CLI hands it over."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pulumi_policy
import pytest
from harness import LAYERS, Deployment, program
from pulumi_policy import EnforcementLevel
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, UnknownValueError, unknown_checking_proxy

from ops.policies.catalogue import RULES

PACK = Path(__file__).parents[4] / "policy" / "__main__.py"
STACK = SimpleNamespace(
    resource_type="pulumi:pulumi:Stack",
    urn="urn:stack",
    props=unknown_checking_proxy({"vpc_id": UNKNOWN_STRING_VALUE}),
    property_dependencies={},
    provider=None,
)


@pytest.fixture(scope="module")
def policies() -> dict[str, Any]:
    """The pack's policies by name; the server that a pack starts is left out."""
    with mock.patch.object(pulumi_policy, "PolicyPack") as pack:
        runpy.run_path(str(PACK), run_name="__main__")
    return {policy.name: policy for policy in pack.call_args.kwargs["policies"]}


def handed_over(deployment: Deployment, **changed: dict[str, Any]) -> Any:
    """A layer's resources as a policy gets them; ``changed``: type's last word → properties."""
    items = {
        item.urn: SimpleNamespace(
            resource_type=item.type,
            urn=item.urn,
            props=unknown_checking_proxy(
                {**item.inputs, **item.outputs, **changed.get(item.type.rpartition(":")[2], {})}
            ),
            property_dependencies={},
            provider=SimpleNamespace(urn=item.provider_urn) if item.provider_urn else None,
        )
        for item in deployment.resources
        if item.custom
    }
    for item in deployment.resources:
        if item.custom:
            items[item.urn].property_dependencies = {
                key: [items[urn] for urn in urns if urn in items]
                for key, urns in item.property_dependencies.items()
            }
    return SimpleNamespace(resources=[STACK, *items.values()])


def reported(policies: dict[str, Any], arguments: Any) -> dict[str, str]:
    """The violations of one deployment, by policy."""
    found: dict[str, str] = {}
    for name, policy in policies.items():
        policy.validate(arguments, lambda text, _urn, name=name: found.update({name: text}))
    return found


def test_every_rule_over_one_layer_is_in_the_pack(policies: dict[str, Any]) -> None:
    """N8: those left out are outside these stacks, or look at several layers; all are mandatory."""
    left_out = [rule.id for rule in RULES if not rule.check or rule.whole_stack]
    assert len(policies) + len(left_out) == len(RULES)
    assert {p.enforcement_level for p in policies.values()} == {EnforcementLevel.MANDATORY}


@pytest.mark.parametrize("layer", LAYERS)
def test_the_programs_pass(policies: dict[str, Any], layer: str) -> None:
    """N8: a layer alone breaks no rule that the whole stack keeps."""
    assert reported(policies, handed_over(program(layer))) == {}


def test_a_layer_that_breaks_a_rule_is_refused(policies: dict[str, Any]) -> None:
    """N8: named with the rule and the resources that break it."""
    found = reported(policies, handed_over(program("data"), Cluster={"storageEncrypted": False}))
    assert list(found) == ["rds-storage-encrypted"]
    assert found["rds-storage-encrypted"].startswith("broken by ")


def test_an_unknown_value_stops_only_the_rules_that_read_it(policies: dict[str, Any]) -> None:
    """In a preview much is unknown: a rule that reads it is left to the deployment, which Pulumi
    then says; all others are judged, or a first preview with the pack would check nothing."""
    arguments = handed_over(
        program("data"),
        Cluster={"storageEncrypted": False, "arn": UNKNOWN_STRING_VALUE},
        BucketPolicy={"policy": UNKNOWN_STRING_VALUE},
        Bucket=dict.fromkeys(("id", "arn"), UNKNOWN_STRING_VALUE),
        BucketVersioning={"bucket": UNKNOWN_STRING_VALUE, "id": UNKNOWN_STRING_VALUE},
    )
    unjudged, broken = [], []
    for name, policy in policies.items():
        try:
            policy.validate(arguments, lambda *_, name=name: broken.append(name))
        except UnknownValueError:
            unjudged.append(name)
    assert broken == ["rds-storage-encrypted"]
    assert unjudged == ["s3-bucket-ssl-requests-only"]
