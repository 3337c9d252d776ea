# ruff: noqa: E501 - the tables read best with a rule a line
"""N8: each rule passes over the real programs' graph, and fails over one that breaks it."""

import copy
import io
import json
import re
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from invoke.exceptions import Exit
from rich.console import Console

from ops.errors import OperatorError
from ops.policies import databases, table
from ops.policies.catalogue import HIPAA_RULES, RULES, verdicts
from ops.policies.graph import Graph, NotKnownError, Resource
from ops.policies.rule import Rule, judge

ROOT = Path(__file__).parents[4]
sys.path.insert(0, str(ROOT / "tests" / "unit" / "programs"))
from harness import LAYERS, program, run_program  # noqa: E402

CERTIFICATES = {
    region: f"arn:aws:acm:{region}:123456789012:certificate/abc"
    for region in ("us-east-1", "us-west-2")
}


def resources_of(*deployments: Any) -> list[Resource]:
    return [
        Resource(
            item.urn,
            item.type,
            {**item.inputs, **item.outputs, "id": item.id},
            item.property_dependencies,
            item.provider_urn,
        )
        for deployment in deployments
        for item in deployment.resources
        if item.custom
    ]


@pytest.fixture(scope="module")
def deployed() -> list[Resource]:
    """The four programs with their default configuration."""
    return resources_of(*(program(layer) for layer in LAYERS))


@pytest.fixture(scope="module")
def with_certificates() -> list[Resource]:
    """The app layer with HTTPS."""
    config = {"app:certificateArns": CERTIFICATES}
    return resources_of(run_program("app", config=config, stack="dev"))


def listed_in(path: Path) -> list[str]:
    rows = [line.split("|") for line in path.read_text().splitlines() if line.startswith("| ")]
    return [row[2].strip() for row in rows[1:]]


def test_no_rule_fails_over_the_real_programs(deployed):
    """N8: pass or a documented exception, for every rule; the exceptions say why."""
    found = verdicts(Graph(deployed))
    assert [(v.rule.id, v.offenders) for v in found if v.outcome == "fail"] == []
    assert all(bool(v.reason) == (v.outcome != "pass") for v in found)


def test_every_rule_of_the_conformance_pack_that_applies_is_there():
    """N8: none silently absent; docs/hipaa.md lists what the catalogue holds, in its order."""
    documented = listed_in(ROOT / "docs" / "hipaa.md")
    assert documented == [rule.id for rule in RULES]
    assert len({rule.id for rule in HIPAA_RULES}) == len(HIPAA_RULES) == 64


def find(rule_id: str) -> Rule:
    return next(rule for rule in RULES if rule.id == rule_id)


def made(type_: str, name: str = "made", /, **properties: Any) -> Resource:
    return Resource(
        f"urn:pulumi:lab::app::aws:{type_}::{name}", f"aws:{type_}", properties, {}, "p"
    )


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


ALLOW_ALL = policy({"Effect": "Allow", "Action": "*", "Resource": "*"})
DECRYPT_ALL = policy({"Effect": "Allow", "Action": ["kms:Decr*"], "Resource": ["*"]})
ANYWHERE = {"cidrIpv4": "0.0.0.0/0", "ipProtocol": "tcp"}
INGRESS = "vpc/securityGroupIngressRule:SecurityGroupIngressRule"

# rule → the type whose property is changed in every resource, and the value (None: taken away)
BROKEN_PROPERTIES = [
    ("elb-logging-enabled", "lb/loadBalancer:LoadBalancer", {"accessLogs": None}),
    ("rds-storage-encrypted", "rds/cluster:Cluster", {"storageEncrypted": False}),
    ("rds-instance-public-access-check", "rds/clusterInstance:ClusterInstance", {"publiclyAccessible": True}),
    ("rds-logging-enabled", "rds/cluster:Cluster", {"enabledCloudwatchLogsExports": []}),
    ("db-instance-backup-enabled", "rds/cluster:Cluster", {"backupRetentionPeriod": 1}),
    ("rds-in-backup-plan", "backup/selection:Selection", {"resources": ["arn:other"]}),
    ("aurora-resources-protected-by-backup-plan", "backup/selection:Selection", {"resources": []}),
    ("s3-bucket-replication-enabled", "s3/bucketReplicationConfig:BucketReplicationConfig", {"rules": []}),
    ("s3-bucket-versioning-enabled", "s3/bucketVersioning:BucketVersioning", {"versioningConfiguration": {"status": "Suspended"}}),
    ("s3-bucket-server-side-encryption-enabled", "s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration", {"rules": []}),
    ("s3-default-encryption-kms", "s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration", {"rules": []}),
    ("s3-bucket-ssl-requests-only", "s3/bucketPolicy:BucketPolicy", {"policy": policy()}),
    ("s3-bucket-public-read-prohibited", "s3/bucketPublicAccessBlock:BucketPublicAccessBlock", {"blockPublicPolicy": False}),
    ("s3-bucket-public-write-prohibited", "s3/bucketPublicAccessBlock:BucketPublicAccessBlock", {"blockPublicAcls": False}),
    ("s3-bucket-acl-prohibited", "s3/bucketOwnershipControls:BucketOwnershipControls", {"rule": {"objectOwnership": "ObjectWriter"}}),
    ("s3-version-lifecycle-policy-check", "s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration", {"rules": []}),
    ("s3-bucket-logging-enabled", "s3/bucketLogging:BucketLogging", {"bucket": "other"}),
    ("vpc-flow-logs-enabled", "ec2/flowLog:FlowLog", {"trafficType": "REJECT"}),
    ("vpc-default-security-group-closed", "ec2/defaultSecurityGroup:DefaultSecurityGroup", {"ingress": [{}]}),
    ("subnet-auto-assign-public-ip-disabled", "ec2/subnet:Subnet", {"mapPublicIpOnLaunch": True}),
    ("iam-policy-no-statements-with-admin-access", "iam/policy:Policy", {"policy": ALLOW_ALL}),
    ("iam-policy-no-statements-with-full-access", "iam/policy:Policy", {"policy": policy({"Effect": "Allow", "Action": "s3:*", "Resource": "a"})}),
    ("iam-no-inline-policy-check", "iam/role:Role", {"inlinePolicies": [{"name": "x"}]}),
    ("iam-customer-policy-blocked-kms-actions", "iam/policy:Policy", {"policy": DECRYPT_ALL}),
    ("kms-cmk-not-scheduled-for-deletion", "kms/key:Key", {"isEnabled": False}),
    ("secretsmanager-using-cmk", "secretsmanager/secret:Secret", {"replicas": [{"region": "us-west-2"}]}),
    ("sns-encrypted-kms", "sns/topic:Topic", {"kmsMasterKeyId": "alias/aws/sns"}),
    ("cloudwatch-alarm-action-check", "cloudwatch/metricAlarm:MetricAlarm", {"alarmActions": []}),
    ("lambda-function-public-access-prohibited", "lambda/permission:Permission", {"principal": "*"}),
    ("backup-plan-min-frequency-and-min-retention-check", "backup/plan:Plan", {"rules": [{"schedule": "cron(0 5 ? * SUN *)"}]}),
    ("dynamodb-pitr-enabled", "dynamodb/table:Table", {"pointInTimeRecovery": None}),
    ("dynamodb-throughput-limit-check", "dynamodb/table:Table", {"billingMode": "PROVISIONED"}),
    ("dynamodb-autoscaling-enabled", "dynamodb/table:Table", {"billingMode": "PROVISIONED"}),
    ("backup-recovery-point-encrypted", "backup/vault:Vault", {"kmsKeyArn": None}),
    ("R9.1 physical names", "lambda/function:Function", {"name": "api"}),
    ("R9.2 tags", "pulumi:providers:aws", {"defaultTags": None}),
    ("R9.3 destroyable", "s3/bucket:Bucket", {"forceDestroy": False}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("rule_id", "type_", "change"), BROKEN_PROPERTIES, ids=lambda x: str(x)[:45]
)
def test_a_broken_property_fails_its_rule(deployed, rule_id, type_, change):
    """N8, R9: the rule sees the real graph's own resources once they break it."""
    wanted = type_ if type_.startswith("pulumi:") else f"aws:{type_}"
    touched = 0
    broken = []
    for original in deployed:
        resource = original
        if resource.type == wanted:
            properties = {**copy.deepcopy(dict(resource.properties)), **change}
            references = {k: v for k, v in resource.references.items() if k not in change}
            resource = Resource(
                resource.urn, resource.type, properties, references, resource.provider
            )
            touched += 1
        broken.append(resource)
    assert touched
    assert judge(find(rule_id), Graph(deployed)).outcome in ("pass", "exception")
    assert judge(find(rule_id), Graph(broken)).outcome == "fail"


ADDED = [
    ("vpc-sg-open-only-to-authorized-ports", made(INGRESS, **ANYWHERE, fromPort=80, toPort=81)),
    ("restricted-ssh", made(INGRESS, cidrIpv6="::/0", ipProtocol="-1")),
    ("restricted-common-ports", made(INGRESS, **ANYWHERE, fromPort=3000, toPort=3400)),
    ("internet-gateway-authorized-vpc-only", made("ec2/internetGateway:InternetGateway", vpcId="x")),
    ("iam-no-inline-policy-check", made("iam/rolePolicy:RolePolicy")),
    ("iam-inline-policy-blocked-kms-actions", made("iam/rolePolicy:RolePolicy", policy=DECRYPT_ALL)),
    ("rds-multi-az-support", made("rds/instance:Instance", multiAz=False)),
    ("rds-snapshot-encrypted", made("rds/clusterSnapshotCopy:ClusterSnapshotCopy")),
    ("rds-snapshots-public-prohibited", made("rds/clusterSnapshot:ClusterSnapshot", sharedAccounts=["all"])),
    ("wafv2-logging-enabled", made("wafv2/webAcl:WebAcl", id="acl")),
    ("acm-certificate-expiration-check", made("lb/listener:Listener", protocol="HTTPS")),
    ("elb-predefined-security-policy-ssl-check", made("lb/listener:Listener", protocol="HTTPS", sslPolicy="ELBSecurityPolicy-2016-08")),
    ("lambda-function-public-access-prohibited", made("lambda/functionUrl:FunctionUrl", authorizationType="NONE")),
    ("trap 32 explicit providers", Resource("urn:x::y", "aws:sns/topic:Topic", {}, {}, "")),
]  # fmt: skip


@pytest.mark.parametrize(("rule_id", "addition"), ADDED, ids=lambda x: str(x)[:45])
def test_an_added_resource_fails_its_rule(deployed, rule_id, addition):
    """N8: what the programs don't have today is still judged once someone adds it."""
    without_alarms = [item for item in deployed if item.get("metricName") != "DaysToExpiry"]
    assert judge(find(rule_id), Graph(without_alarms)).outcome == "pass"
    assert judge(find(rule_id), Graph([*without_alarms, addition])).outcome == "fail"


EXCEPTIONS_THAT_END = [
    ("elb-deletion-protection-enabled", "lb/loadBalancer:LoadBalancer", {"enableDeletionProtection": True}),
    ("rds-cluster-deletion-protection-enabled", "rds/cluster:Cluster", {"deletionProtection": True}),
    ("rds-automatic-minor-version-upgrade-enabled", "rds/clusterInstance:ClusterInstance", {"autoMinorVersionUpgrade": True}),
    ("s3-bucket-default-lock-enabled", "s3/bucket:Bucket", {"objectLockEnabled": True}),
    ("no-unrestricted-route-to-igw", "ec2/route:Route", {"destinationCidrBlock": "10.9.0.0/16"}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("rule_id", "type_", "change"), EXCEPTIONS_THAT_END, ids=lambda x: str(x)[:45]
)
def test_an_exception_ends_when_its_reason_does(deployed, rule_id, type_, change):
    """N8: an exception is a verdict of the graph, not a hole in the table."""
    mended = [
        Resource(r.urn, r.type, {**r.properties, **change}, r.references, r.provider)
        if r.type == f"aws:{type_}"
        else r
        for r in deployed
    ]
    assert judge(find(rule_id), Graph(deployed)).outcome == "exception"
    assert judge(find(rule_id), Graph(mended)).outcome == "pass"


ATTACHED = [
    ("alb-waf-enabled", "lb/loadBalancer:LoadBalancer", "wafv2/webAclAssociation:WebAclAssociation", "resourceArn"),
    ("secretsmanager-rotation-enabled-check", "secretsmanager/secret:Secret", "secretsmanager/secretRotation:SecretRotation", "secretId"),
    ("s3-event-notifications-enabled", "s3/bucket:Bucket", "s3/bucketNotification:BucketNotification", "bucket"),
    ("backup-recovery-point-manual-deletion-disabled", "backup/vault:Vault", "backup/vaultPolicy:VaultPolicy", "backupVaultName"),
    ("rds-cluster-multi-az-enabled", "rds/cluster:Cluster", "rds/clusterInstance:ClusterInstance", "clusterIdentifier"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("rule_id", "target", "type_", "property_name"), ATTACHED, ids=lambda x: x[:40]
)
def test_an_exception_ends_when_what_lacks_is_attached(
    deployed, rule_id, target, type_, property_name
):
    """N8: found by reference, as the graph has it."""
    deny = policy({"Effect": "Deny", "Action": "backup:DeleteRecoveryPoint", "Resource": "*"})
    added = [
        Resource(
            f"{item.urn}-more", f"aws:{type_}", {"policy": deny}, {property_name: (item.urn,)}, "p"
        )
        for item in deployed
        if item.type == f"aws:{target}"
    ]
    assert judge(find(rule_id), Graph([*deployed, *added])).outcome == "pass"


def test_certificates_end_the_exceptions_of_plain_http(with_certificates):
    """N8, R2.2: with app:certificateArns the plain-HTTP rules pass, and TLS is modern."""
    graph = Graph(with_certificates)
    for rule_id in (
        "alb-http-to-https-redirection-check",
        "elbv2-acm-certificate-required",
        "elb-predefined-security-policy-ssl-check",
    ):
        assert judge(find(rule_id), graph).outcome == "pass", rule_id


def test_an_exception_covers_only_what_its_reason_names(deployed):
    """N8: an unreplicated data bucket isn't excused by the access logs' reason."""
    data = [
        item
        for item in deployed
        if item.type != "aws:s3/bucketReplicationConfig:BucketReplicationConfig"
    ]
    verdict = judge(find("s3-bucket-replication-enabled"), Graph(data))
    assert verdict.outcome == "fail"
    assert "access-logs" not in verdict.reason
    assert re.match(r"broken by bucket-\w+-us-east-1, ", verdict.reason)


def test_policies_that_cannot_be_read_have_no_statements():
    """N8: in a preview a policy may be unknown; that is no crash."""
    for text in (None, "not json", "[]", 7):
        assert made("iam/policy:Policy", policy=text).statements() == []
    single = json.dumps({"Statement": {"Effect": "Allow"}})
    assert made("iam/policy:Policy", policy=single).statements() == [{"Effect": "Allow"}]


class Unknown(dict[str, Any]):
    """Properties of which one isn't known before it is deployed."""

    def get(self, key: str, default: Any = None) -> Any:
        """As the policy pack's: reading it raises."""
        if key == "notResources":
            raise NotKnownError
        return super().get(key, default)


@pytest.mark.parametrize(("excluded", "in_plan"), [([], True), (["arn:c"], False), (None, True)])
def test_a_selection_that_leaves_out_what_it_names_protects_nothing(
    excluded: list[str] | None, in_plan: bool
) -> None:
    """Trap 45: the reading region's selection names its cluster and excludes it; the writer's
    counts, and in a preview what isn't known yet protects nothing."""
    cluster = Resource("urn:c", "aws:rds/cluster:Cluster", {"arn": "arn:c"})
    properties = {"resources": ["arn:c"], "notResources": excluded}
    selection = Resource("urn:s", "aws:backup/selection:Selection", properties)
    assert (databases._not_in_plan(Graph([cluster, selection])) == []) is in_plan
    hidden = replace(selection, properties=Unknown(properties))
    assert databases._not_in_plan(Graph([cluster, hidden])) == [cluster]


def test_a_graph_of_a_checkpoint():
    """N8: components and resources that wait for deletion aren't judged; ids and providers are."""
    graph = Graph.of_checkpoint(
        [
            {"urn": "urn:c", "type": "house:x:Component", "custom": False},
            {"urn": "urn:old", "type": "aws:sns/topic:Topic", "custom": True, "delete": True},
            {
                "urn": "urn:p::aws",
                "type": "pulumi:providers:aws",
                "custom": True,
                "inputs": {"region": "us-east-1"},
            },
            {
                "urn": "urn:new",
                "type": "aws:sns/topic:Topic",
                "custom": True,
                "id": "topic-id",
                "inputs": {"name": "a"},
                "outputs": {"name": "a", "arn": "arn"},
                "provider": "urn:p::aws::uuid",
                "propertyDependencies": {"kmsMasterKeyId": ["urn:key"], "name": None},
            },
        ]
    )
    (topic,) = graph.of("sns/topic:Topic")
    assert topic.get("id") == "topic-id"
    assert topic.references["kmsMasterKeyId"] == ("urn:key",)
    provider = graph.provider_of(topic)
    assert provider and provider.get("region") == "us-east-1"


def test_names_and_tags_of_what_is_no_string():
    """R9.1, R9.2: unknown names and provider tags as a map are read, not tripped over."""
    provider = Resource("urn:p", "pulumi:providers:aws", {"defaultTags": {"tags": {}}})
    topic = Resource("urn:t", "aws:sns/topic:Topic", {"name": None, "tags": "unknown"}, {}, "urn:p")
    graph = Graph([provider, topic])
    assert judge(find("R9.1 physical names"), graph).outcome == "pass"
    untagged = Resource("urn:u", "aws:sns/topic:Topic", {"tags": {}}, {}, "urn:p")
    assert judge(find("R9.2 tags"), Graph([provider, untagged])).outcome == "fail"


@dataclass
class FakeEngine:
    """An engine whose layers hold the given resources."""

    resources_of: dict[str, list[dict[str, Any]]]

    def outputs(self, layer: str) -> dict[str, Any] | None:
        return {} if layer in self.resources_of else None

    def resources(self, layer: str) -> list[dict[str, Any]]:
        return self.resources_of[layer]


@dataclass
class FakeDriver:
    """What ``./inv policy`` needs of a driver."""

    engine: FakeEngine
    console: Console
    graph: tuple[str, ...] = ("network", "data", "app", "global")
    flags: str = ""
    stack: str = "lab"


def checkpoint(*resources: Resource) -> dict[str, list[dict[str, Any]]]:
    items = [
        {
            "urn": item.urn,
            "type": item.type,
            "custom": True,
            "outputs": dict(item.properties),
            "provider": f"{item.provider}::uuid",
            "propertyDependencies": dict(item.references),
        }
        for item in resources
    ]
    return {"network": items, "data": [], "app": [], "global": []}


def shown(layers, **options) -> str:
    out = io.StringIO()
    driver = FakeDriver(FakeEngine(layers), Console(file=out, width=300))
    flags = {"as_json": False, "markdown": False, **options}
    table.show(driver, **flags)  # type: ignore[arg-type]
    return out.getvalue()


def test_the_table_counts_verdicts(deployed):
    """N8: ``./inv policy`` prints each rule and how many pass, are excepted, fail."""
    text = shown(checkpoint(*deployed))
    assert re.search(r"\d+ pass, \d+ exception, 0 fail", text)
    assert all(rule.id in text for rule in RULES)


def test_a_broken_rule_ends_with_its_own_exit_code(deployed):
    """N8: a pipeline sees code 5."""
    bad = made("sns/topic:Topic")
    with pytest.raises(Exit) as ended:
        shown(checkpoint(*deployed, bad))
    assert ended.value.code == 5


def test_json_and_markdown(deployed, capsys):
    """N8: for pipelines and for docs/hipaa.md, whose table is exactly this."""
    shown(checkpoint(*deployed), as_json=True)
    rows = json.loads(capsys.readouterr().out)
    assert [row["rule"] for row in rows] == [rule.id for rule in RULES]
    shown(checkpoint(*deployed), markdown=True)
    printed = capsys.readouterr().out.strip()
    assert printed in (ROOT / "docs" / "hipaa.md").read_text()


def test_a_stack_that_is_not_whole_is_refused():
    """N8: rules over half a stack would lie."""
    with pytest.raises(OperatorError, match=r"app, global isn't deployed in lab: .*deploy-all"):
        shown({"network": [], "data": []})
