"""What holds for all four programs: names, tags, providers, secrets, contracts, configuration."""

import dataclasses
import json
import re
from typing import Any

import pytest
import yaml
from harness import (
    ACCOUNT,
    ROOT,
    SUFFIX,
    Registered,
    every_text,
    is_provider,
    program,
    run_program,
)

from tapstack import fields
from tapstack.app_settings import AppSettings
from tapstack.contracts import LAYERS, check
from tapstack.data_settings import DataSettings
from tapstack.global_settings import GlobalSettings
from tapstack.network_settings import NetworkSettings
from tapstack.well_known import SPARED_REGION_VARIABLE, provider_name

PROGRAMS = [layer for layer in LAYERS if (ROOT / layer / "__main__.py").exists()]
OWN_SETTINGS = {
    "network": NetworkSettings,
    "data": DataSettings,
    "app": AppSettings,
    "global": GlobalSettings,
}

every_program = pytest.mark.parametrize("layer", PROGRAMS)

NAME_INPUTS = (
    "name", "bucket", "identifier", "clusterIdentifier", "globalClusterIdentifier", "functionName",
    "dashboardName",
)  # fmt: skip
NAMED_BY_OTHERS = {
    # The inputs of these that look like a name are references to a resource named elsewhere.
    "aws:s3/", "aws:rds/clusterInstance", "aws:route53/record", "aws:route53/zone",
    "aws:cloudwatch/eventTarget", "aws:cloudwatch/eventBusPolicy", "aws:lambda/alias",
    "aws:lambda/eventSourceMapping", "aws:backup/restoreTestingSelection",
}  # fmt: skip


def physical_names(resource: Registered) -> list[str]:
    """The names that a program gives a resource, its ``Name`` tag among them."""
    keys: tuple[str, ...] = NAME_INPUTS
    if resource.type == "aws:s3/bucket:Bucket":
        keys = ("bucket",)
    elif resource.type == "aws:rds/clusterInstance:ClusterInstance":
        keys = ("identifier",)
    elif any(resource.type.startswith(prefix) for prefix in NAMED_BY_OTHERS):
        keys = ()
    elif resource.type == "aws:rds/cluster:Cluster":
        keys = ("clusterIdentifier",)
    # Parts of a resource that have a name of their own (a parameter inside a group) aren't here.
    names = [resource.inputs[key] for key in keys if key in resource.inputs]
    tag = (resource.inputs.get("tags") or {}).get("Name")
    return [*names, *([tag] if tag else [])]


def follows_the_form(name: str, region: str) -> bool:
    """``{service}-{purpose}-{region}-{suffix}``, or a form that AWS dictates (names.md)."""
    plain = rf"[a-z0-9]+(-[a-z0-9]+)*-{region}-{SUFFIX}"
    forms = (
        plain,
        rf"alias/{plain}",
        rf"/aws/lambda/{plain}",
        rf"/aws/rds/cluster/{plain}/postgresql",
        rf"/warm-standby/{region}/{SUFFIX}/(local|shared)/[a-z0-9-]+(/[a-z0-9-]+)?",
        # AWS Backup takes letters, digits and underscores.
        rf"restore_testing_{region}_{SUFFIX}".replace("-", "_"),
    )
    return any(re.fullmatch(form, name) for form in forms)


@every_program
def test_every_physical_name_has_service_purpose_region_and_suffix(layer: str) -> None:
    """R9.1: every name ends with its region and the environment suffix."""
    deployment = program(layer)
    wrong = [
        (resource.name, name)
        for resource in deployment.created()
        for name in physical_names(resource)
        if not follows_the_form(name, deployment.region_of(resource))
    ]
    assert wrong == []


NAMED_BY_TAG = {
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup", "aws:ec2/eip:Eip",
    "aws:ec2/flowLog:FlowLog", "aws:ec2/internetGateway:InternetGateway",
    "aws:ec2/natGateway:NatGateway", "aws:ec2/routeTable:RouteTable",
    "aws:ec2/securityGroup:SecurityGroup", "aws:ec2/subnet:Subnet", "aws:ec2/vpc:Vpc",
    "aws:ec2/vpcEndpoint:VpcEndpoint", "aws:ec2/vpcPeeringConnection:VpcPeeringConnection",
    "aws:ec2/vpcPeeringConnectionAccepter:VpcPeeringConnectionAccepter", "aws:kms/key:Key",
    "aws:route53/healthCheck:HealthCheck",
}  # fmt: skip
"""What people find in the console by its Name tag alone."""

PARTS_OF_OTHERS = {
    # Settings, attachments and entries of a thing that has a name; AWS knows none of their own.
    "aws:cloudwatch/eventBusPolicy:", "aws:cloudwatch/eventTarget:", "aws:ec2/route:",
    "aws:ec2/peeringConnectionOptions:", "aws:ec2/routeTableAssociation:",
    "aws:iam/rolePolicyAttachment:", "aws:lambda/permission:", "aws:lb/listener:",
    "aws:lb/targetGroupAttachment:", "aws:route53/record:", "aws:s3/bucketLifecycleConfiguration:",
    "aws:s3/bucketLogging:", "aws:s3/bucketOwnershipControls:", "aws:s3/bucketPolicy:",
    "aws:s3/bucketPublicAccessBlock:", "aws:s3/bucketReplicationConfig:",
    "aws:s3/bucketServerSideEncryptionConfiguration:", "aws:s3/bucketVersioning:",
    "aws:secretsmanager/secretVersion:", "aws:sns/topicPolicy:", "aws:sqs/queuePolicy:",
    "aws:backup/restoreTestingSelection:", "aws:lambda/alias:",
    "aws:lambda/eventSourceMapping:", "aws:sqs/redriveAllowPolicy:",
    "aws:vpc/securityGroupEgressRule:", "aws:vpc/securityGroupIngressRule:",
    # Named by the domain, and by alarmName.
    "aws:route53/zone:", "aws:cloudwatch/compositeAlarm:",
}  # fmt: skip


@every_program
def test_everything_has_a_name(layer: str) -> None:
    """R9.1: a physical name, or the Name tag where AWS has no other; a VPC without it is one of
    many in the console, and no test of the names' form would miss it."""
    for resource in program(layer).created():
        if resource.type in NAMED_BY_TAG:
            assert (resource.inputs.get("tags") or {}).get("Name"), resource.name
        elif f"{resource.type.rpartition(':')[0]}:" not in PARTS_OF_OTHERS:
            assert physical_names(resource), resource.name


RETENTIONS = {"network": 365, "data": 2192, "app": 30, "global": 30}


def test_every_log_group_expires_and_is_encrypted() -> None:
    """HIPAA cw-loggroup-retention-period-check, cloudwatch-log-group-encrypted: AWS's own default
    keeps logs for ever, under no key of ours; the databases' group is one of them. Trap 53: how
    long is configuration in each layer."""
    config = {
        "network:flowLogRetentionDays": 365, "app:logRetentionDays": 30,
        "data:logRetentionDays": 2192,
    }  # fmt: skip
    for layer in PROGRAMS:
        groups = run_program(layer, config=config).created("aws:cloudwatch/logGroup:LogGroup")
        assert bool(groups) is (layer in RETENTIONS)
        for group in groups:
            assert group.inputs["retentionInDays"] == RETENTIONS[layer], group.name
            assert group.inputs["kmsKeyId"], group.name


@every_program
def test_no_two_resources_of_a_type_share_a_physical_name(layer: str) -> None:
    """R9.1: names distinguish things, IAM's (one namespace for all regions) as well."""
    seen: dict[tuple[str, str], str] = {}
    for resource in program(layer).created():
        for name in physical_names(resource):
            other = seen.setdefault((resource.type, name), resource.name)
            assert other == resource.name, f"{resource.name} and {other} are both {name}"


@every_program
@pytest.mark.parametrize(("stack", "environment"), [("lab", "lab"), ("dev", "dev")])
def test_default_tags_reach_every_resource(layer: str, stack: str, environment: str) -> None:
    """R9.2, trap 40: under mocks the tags stand on the provider only, as a JSON string."""
    deployment = program(layer, stack)
    roles = {"us-east-1": "primary", "us-west-2": "secondary"}
    for resource in deployment.created():
        region = deployment.region_of(resource)
        assert deployment.default_tags(resource) == {
            "Environment": environment,
            "Region": region,
            "DR-Role": roles[region],
            "Project": "warm-standby",
            "EnvironmentSuffix": SUFFIX,
        }


@every_program
def test_no_resource_overrides_a_default_tag(layer: str) -> None:
    """R9.2: a resource's own tags never hide the tags that inventory and cost rely on."""
    for resource in program(layer).created():
        own = set(resource.inputs.get("tags") or {})
        assert not own & {"Environment", "Region", "DR-Role", "Project", "EnvironmentSuffix"}


@every_program
def test_every_resource_and_invoke_has_an_explicit_provider(layer: str) -> None:
    """Trap 32: none uses the default provider, whose region is whatever the machine says."""
    deployment = program(layer)
    providers = {
        resource.urn: resource for resource in deployment.resources if is_provider(resource.type)
    }
    assert {provider.inputs["region"] for provider in providers.values()} == {
        "us-east-1",
        "us-west-2",
    }
    for resource in deployment.created():
        assert resource.provider_urn in providers, resource.name
    for invoke in deployment.invokes:
        assert invoke.provider.rpartition("::")[0] in providers, invoke.token


@every_program
@pytest.mark.parametrize("stack", ["lab", "dev"])
def test_nothing_resists_a_destroy(layer: str, stack: str) -> None:
    """R9.3: no protect, no retain, no deletion protection in a shipped configuration."""
    flags = ("deletionProtection", "enableDeletionProtection")
    for resource in program(layer, stack).resources:
        assert not resource.protect, resource.name
        assert not resource.retain_on_delete, resource.name
        for flag in flags:
            assert resource.inputs.get(flag) in (None, False), resource.name


@every_program
def test_no_secret_leaves_the_stack(layer: str) -> None:
    """Trap 33: no export is secret, and none holds the value of a secret."""
    deployment = program(layer)
    assert deployment.secret_exports == frozenset()
    hidden = {
        text
        for resource in deployment.resources
        for key in resource.secret_inputs
        for text in every_text(resource.inputs.get(key))
        if resource.custom and not is_provider(resource.type) and "ssm/" not in resource.type
    }
    assert not hidden & set(every_text(deployment.exports))


@every_program
def test_exports_satisfy_the_contract(layer: str) -> None:
    """N4: what a layer exports is what its contract says, field by field."""
    check(LAYERS[layer].outputs, "a test", program(layer).exports)


@every_program
def test_stack_references_are_those_of_the_contracts(layer: str) -> None:
    """Trap 34: an order that's written but not wired is worse than none."""
    assert sorted(program(layer).stack_references) == sorted(LAYERS[layer].reads)


@every_program
def test_a_preview_with_undeployed_upstreams_shows_unknowns(layer: str) -> None:
    """N5: no StackReference is made, and the whole resource graph is there."""
    upstreams = LAYERS[layer].reads
    deployment = run_program(layer, preview=True, undeployed=upstreams)
    assert deployment.stack_references == []
    assert {(r.type, r.name) for r in deployment.created()} == {
        (r.type, r.name) for r in program(layer).created()
    }


@every_program
def test_a_name_collision_in_logical_names_is_impossible(layer: str) -> None:
    """Two resources of one type and name would make one URN; the engine refuses the second."""
    urns = [resource.urn for resource in program(layer).resources]
    assert len(urns) == len(set(urns))


@every_program
def test_components_register_outputs(layer: str) -> None:
    """R9.3: things are made by components, and each says when it's complete."""
    deployment = program(layer)
    components = [resource for resource in deployment.resources if not resource.custom]
    assert components
    assert {component.urn for component in components} == set(deployment.component_outputs)
    orphans = [
        resource.name
        for resource in deployment.created()
        if "::pulumi:pulumi:Stack::" in resource.parent
    ]
    assert orphans == []


@every_program
def test_no_inline_iam_policy(layer: str) -> None:
    """HIPAA iam-no-inline-policy-check: permissions are customer-managed policies, attached."""
    deployment = program(layer)
    assert deployment.created("aws:iam/rolePolicy:RolePolicy") == []
    for role in deployment.created("aws:iam/role:Role"):
        assert not role.inputs.get("inlinePolicies"), role.name


@every_program
def test_project_file_agrees_with_the_settings(layer: str) -> None:
    """One truth: ``Pulumi.yaml`` repeats each key's type, default and description of settings."""
    project = yaml.safe_load((ROOT / layer / "Pulumi.yaml").read_text())
    assert project["name"] == layer
    assert project["description"]
    assert project["runtime"] == {"name": "python", "options": {"virtualenv": "../.venv"}}
    assert project["stackConfigDir"] == ".."
    own = {
        key.removeprefix(f"{layer}:"): entry
        for key, entry in project["config"].items()
        if ":" not in key or key.startswith(f"{layer}:")
    }
    settings = OWN_SETTINGS[layer]
    declared = {fields.key_of(field.name): field for field in dataclasses.fields(settings)}
    assert set(own) == set(declared)
    for key, field in declared.items():
        entry = own[key]
        assert entry["description"] == field.metadata["help"], key
        default = _default(field)
        # Without a default the CLI asks every stack file for the key; an empty text is "not set".
        assert entry["default"] == default, key


@every_program
def test_project_file_gives_foreign_keys_no_default(layer: str) -> None:
    """Trap 37: a key of another namespace in ``config`` may only have ``value``."""
    project = yaml.safe_load((ROOT / layer / "Pulumi.yaml").read_text())
    for key, entry in project["config"].items():
        if ":" in key and not key.startswith(f"{layer}:"):
            assert set(entry) == {"value"}, key


def _default(field: Any) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    # A project file's types know no fractions: such a key is text there.
    return f"{field.default:g}" if isinstance(field.default, float) else field.default


@every_program
def test_what_tests_see_has_reached_the_engine(layer: str) -> None:
    """Trap 36: nothing that a test looks at is an Output it forgot to await; every value is what
    the engine was sent."""
    deployment = program(layer)
    values = [resource.inputs for resource in deployment.resources]
    assert json.loads(json.dumps(values)) == values
    assert len(deployment.created()) > 30


IDENTITY = "aws:index/getCallerIdentity:getCallerIdentity"


@every_program
@pytest.mark.parametrize(
    ("spared", "answering"),
    [("", "us-west-2"), ("us-east-1", "us-west-2"), ("us-west-2", "us-east-1")],
)
def test_no_program_asks_a_lost_region_for_anything(
    layer: str, spared: str, answering: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trap 66: a deployment to us-west-2 must work while us-east-1 is lost, a bare ``pulumi up`` as
    well; and the other way round where the run names the lost one. Both providers prove their
    credentials where somebody answers."""
    monkeypatch.setenv(SPARED_REGION_VARIABLE, spared)
    existing = {"global:hostedZoneId": "Z0123456789", "global:domain": "warm-standby.net"}
    zone = existing if layer == "global" else {}
    deployment = run_program(layer, config=zone)
    asked = [call.provider for call in deployment.invokes]
    assert all(provider_name(answering) in provider for provider in asked), asked
    providers = deployment.created("pulumi:providers:aws")
    assert {provider.inputs["stsRegion"] for provider in providers} == {answering}


@every_program
def test_a_configured_account_is_asked_of_nobody(layer: str) -> None:
    """Trap 66: where the configuration names the account, STS isn't needed for it."""
    named = run_program(layer, stack="dev", config={"TapStack:accountId": ACCOUNT})
    assert [call for call in named.invokes if call.token == IDENTITY] == []


RENAMED = {
    # component → what stacks that stand know it by
    "warmstandby:data:ReplicatedBucketPolicy": "warmstandby:data:ContentBucketPolicy",
    "warmstandby:app:NodeFunction": "warmstandby:app:VpcFunction",
    "warmstandby:app:FunctionSchedule": "warmstandby:app:OutboxSchedule",
}


@every_program
def test_a_renamed_component_keeps_what_stands(layer: str) -> None:
    """N7: its alias is the type that it had, so a deployment replaces nothing under it; no other
    component claims one."""
    components = [one for one in program(layer).resources if not one.custom]
    for resource in components:
        former = (RENAMED[resource.type],) if resource.type in RENAMED else ()
        assert resource.former_types == former, resource.urn


def test_every_renamed_component_is_declared() -> None:
    """N7: the table above names no type that no program makes."""
    declared = {resource.type for layer in PROGRAMS for resource in program(layer).resources}
    assert RENAMED.keys() <= declared
