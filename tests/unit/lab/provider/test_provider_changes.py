"""Settings added, changed and taken away in place, and what others changed behind our back."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import boto3
import pytest
from provider_cases.case import policy, trust
from provider_client import FailedCallError, ProviderClient, Resource

from lab.provider.archive import zipped
from lab.provider.attributes import typed
from pulumi_protocol.structs import from_struct
from pulumi_protocol.values import ARCHIVE, ASSET, SIGNATURE, secret


@pytest.fixture
def client(lab_endpoint: str) -> ProviderClient:
    return ProviderClient(lab_endpoint, tags={"EnvironmentSuffix": "changes"})


def aws(endpoint: str, service: str, region: str = "us-east-1") -> Any:
    return boto3.client(
        service,
        region_name=region,
        endpoint_url=endpoint,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


def seen(client: ProviderClient, resource: Resource) -> dict[str, Any]:
    """The inputs as a refresh finds them."""
    answer = client.read(resource)
    assert answer.id == resource.id
    return from_struct(answer.inputs)


def change(client: ProviderClient, resource: Resource, news: dict[str, Any]) -> None:
    """An update in place, after which nothing differs."""
    difference = client.diff(resource, news)
    assert difference.changes == 2
    assert not difference.replaces
    client.update(resource, news)
    assert client.diff(resource, news).changes == 1
    assert seen(client, resource) == resource.inputs


def test_a_bucket_with_versions_goes_only_when_it_may(
    client: ProviderClient, lab_endpoint: str
) -> None:
    """R4.1, R9.3: versions and delete markers go with ``forceDestroy``; without it AWS's refusal
    is reported and nothing is deleted."""
    s3 = aws(lab_endpoint, "s3")
    for name, force in (("kept-objects", False), ("doomed-objects", True)):
        bucket = client.create(
            "aws:s3/bucket:Bucket", name, {"bucket": name, "forceDestroy": force}
        )
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        for _ in range(2):
            s3.put_object(Bucket=name, Key="a", Body=b"a")
        s3.delete_object(Bucket=name, Key="a")
        if force:
            client.delete(bucket)
            assert client.read(bucket).id == ""
        else:
            with pytest.raises(FailedCallError, match="BucketNotEmpty"):
                client.delete(bucket)
            assert len(s3.list_object_versions(Bucket=name)["Versions"]) == 2


def test_a_bucket_of_another_region_is_not_taken_for_ours(
    client: ProviderClient, lab_endpoint: str
) -> None:
    """N7: names of buckets are global; what an interrupted creation left is looked for in the
    provider's own region."""
    west = ProviderClient(lab_endpoint, "us-west-2")
    bucket = west.create("aws:s3/bucket:Bucket", "elsewhere", {"bucket": "elsewhere"})
    assert west.read(bucket, by_name=True).id == "elsewhere"
    assert client.read(bucket, by_name=True).id == ""
    west.delete(bucket)


def test_a_gateway_follows_its_vpc(client: ProviderClient, lab_endpoint: str) -> None:
    """R7.1: another VPC is an update in place; a gateway someone detached shows as drift, is
    attached again, and goes although it is attached."""
    vpcs = [
        client.create("aws:ec2/vpc:Vpc", f"vpc-{n}", {"cidrBlock": f"10.{n}.0.0/16"}).id
        for n in (51, 52)
    ]
    token = "aws:ec2/internetGateway:InternetGateway"
    gateway = client.create(token, "moved", {"vpcId": vpcs[0]})
    change(client, gateway, {"vpcId": vpcs[1]})
    ec2 = aws(lab_endpoint, "ec2")
    ec2.detach_internet_gateway(InternetGatewayId=gateway.id, VpcId=vpcs[1])
    assert seen(client, gateway).get("vpcId") is None
    gateway.inputs["vpcId"] = vpcs[0]
    client.update(gateway, {"vpcId": vpcs[1]})
    assert seen(client, gateway)["vpcId"] == vpcs[1]
    client.delete(gateway)
    assert client.read(gateway).id == ""
    for vpc in vpcs:
        ec2.delete_vpc(VpcId=vpc)


def test_inline_rules_of_others_are_seen_and_taken_away(
    client: ProviderClient, lab_endpoint: str
) -> None:
    """R7.3: the VPC's own group is held at the rules declared, which are none; another one
    shows as drift with its port and source."""
    vpc = client.create("aws:ec2/vpc:Vpc", "rules", {"cidrBlock": "10.53.0.0/16"})
    token = "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup"
    declared = {"vpcId": vpc.id, "ingress": [], "egress": []}
    group = client.create(token, "default", declared)
    ec2 = aws(lab_endpoint, "ec2")
    ranges = [{"CidrIp": "192.0.2.0/24"}]
    rule = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": ranges}
    ec2.authorize_security_group_ingress(GroupId=group.id, IpPermissions=[rule])
    group.inputs = seen(client, group)
    assert group.inputs["ingress"] == [
        {
            "protocol": "tcp",
            "fromPort": 22,
            "toPort": 22,
            "cidrBlocks": ["192.0.2.0/24"],
        }
    ]
    client.update(group, declared)
    assert ec2.describe_security_groups(GroupIds=[group.id])["SecurityGroups"][0][
        "IpPermissions"
    ] == []  # fmt: skip


def test_keys_are_disabled_and_their_rotation_ended_in_place(client: ProviderClient) -> None:
    """Trap 4: a key is never replaced for a setting, for what it encrypted would be lost."""
    usual = {"description": "key", "enableKeyRotation": True, "tags": {"Name": "changed"}}
    key = client.create("aws:kms/key:Key", "changed", {**usual, "rotationPeriodInDays": 200})
    change(client, key, {**usual, "enableKeyRotation": False})
    change(client, key, {**usual, "enableKeyRotation": False, "isEnabled": False})
    change(client, key, {**usual, "enableKeyRotation": False, "isEnabled": True})
    assert client.read(key, by_name=True).id == key.id
    unnamed = Resource("aws:kms/key:Key", "unnamed")
    unnamed.inputs = client.checked(unnamed, {"description": "no name"})
    assert client.read(unnamed, by_name=True).id == ""
    client.delete(key)


def test_log_groups_lose_their_retention_and_key_in_place(
    client: ProviderClient, lab_endpoint: str
) -> None:
    """R2.4: what the program no longer says is taken away at AWS, too."""
    key = client.create("aws:kms/key:Key", "logs", {"description": "logs"})
    group = client.create(
        "aws:cloudwatch/logGroup:LogGroup", "changed", {"name": "/changed", "retentionInDays": 7}
    )
    logs = aws(lab_endpoint, "logs")
    change(client, group, {"name": "/changed", "retentionInDays": 14,
                           "kmsKeyId": key.outputs["arn"]})  # fmt: skip
    client.update(group, {"name": "/changed"})
    (found,) = logs.describe_log_groups(logGroupNamePrefix="/changed")["logGroups"]
    assert "retentionInDays" not in found
    assert not found.get("kmsKeyId")
    client.delete(group)


def test_roles_get_and_lose_a_boundary_and_let_go_of_policies(
    client: ProviderClient, lab_endpoint: str
) -> None:
    """R9.3: a boundary is put and taken in place; ``forceDetachPolicies`` lets a role go with what
    others attached to it."""
    iam = aws(lab_endpoint, "iam")
    made = iam.create_policy(PolicyName="boundary", PolicyDocument=policy())["Policy"]["Arn"]
    usual = {
        "name": "bounded",
        "assumeRolePolicy": trust("lambda.amazonaws.com"),
        "forceDetachPolicies": True,
    }
    role = client.create("aws:iam/role:Role", "bounded", usual)
    client.update(role, {**usual, "permissionsBoundary": made})
    boundary = iam.get_role(RoleName="bounded")["Role"]["PermissionsBoundary"]
    assert boundary["PermissionsBoundaryArn"] == made
    client.update(role, usual)
    assert "PermissionsBoundary" not in iam.get_role(RoleName="bounded")["Role"]
    iam.attach_role_policy(RoleName="bounded", PolicyArn=made)
    iam.put_role_policy(RoleName="bounded", PolicyName="inline", PolicyDocument=policy())
    client.delete(role)
    assert client.read(role).id == ""


def test_secrets_replicate_and_withdraw_in_place(client: ProviderClient, lab_endpoint: str) -> None:
    """Trap 30: replicas follow the declaration, a replica of others is drift, and a secret with
    replicas can be deleted; its policy comes and goes."""
    usual = {"name": "changed", "recoveryWindowInDays": 0}
    replicated = client.create("aws:secretsmanager/secret:Secret", "changed", usual)
    change(client, replicated, {**usual, "replicas": [{"region": "us-west-2"}]})
    manager = aws(lab_endpoint, "secretsmanager")
    client.update(replicated, {**usual, "replicas": []})
    assert not manager.describe_secret(SecretId="changed").get("ReplicationStatus")
    manager.replicate_secret_to_regions(
        SecretId="changed", AddReplicaRegions=[{"Region": "us-west-2"}]
    )
    assert seen(client, replicated)["replicas"] == [{"region": "us-west-2"}]
    document = policy(Principal={"AWS": "*"})
    change(client, replicated, {**usual, "replicas": [{"region": "us-west-2"}], "policy": document})
    client.update(replicated, {**usual, "replicas": [{"region": "us-west-2"}]})
    assert not manager.get_resource_policy(SecretId="changed").get("ResourcePolicy")
    client.delete(replicated)
    assert client.read(replicated).id == ""
    _, failures = client.check(replicated, {**usual, "recoveryWindowInDays": 3})
    assert failures == [("recoveryWindowInDays", "AWS takes 0, or 7 to 30 days, got 3")]


def test_functions_concurrency_and_logging_come_and_go(
    client: ProviderClient, lab_endpoint: str
) -> None:
    """R2.4: a reservation of others is drift; what is no longer declared is taken away."""
    role = client.create(
        "aws:iam/role:Role", "plain",
        {"name": "plain", "assumeRolePolicy": trust("lambda.amazonaws.com")},
    )  # fmt: skip
    asset = {SIGNATURE: ASSET, "hash": "a", "text": "def handler(e, c): return e"}
    usual = {
        "name": "changed",
        "role": role.outputs["arn"],
        "handler": "index.handler",
        "runtime": "python3.12",
        "code": {SIGNATURE: ARCHIVE, "hash": "a", "assets": {"index.py": asset}},
    }
    reserved = {**usual, "reservedConcurrentExecutions": 3}
    function = client.create("aws:lambda/function:Function", "changed", reserved)
    lambda_ = aws(lab_endpoint, "lambda")
    lambda_.put_function_concurrency(FunctionName="changed", ReservedConcurrentExecutions=9)
    assert seen(client, function)["reservedConcurrentExecutions"] == 9
    logging = {"loggingConfig": {"logFormat": "JSON", "logGroup": "/elsewhere"}}
    client.update(function, {**usual, **logging})
    found = lambda_.get_function_concurrency(FunctionName="changed")
    assert "ReservedConcurrentExecutions" not in found
    config = lambda_.get_function_configuration(FunctionName="changed")
    assert config["LoggingConfig"]["LogFormat"] == "JSON"
    client.update(function, usual)
    config = lambda_.get_function_configuration(FunctionName="changed")
    assert config["LoggingConfig"]["LogFormat"] == "Text"
    client.delete(function)


def test_clusters_leave_their_global_cluster_and_join_none_later(client: ProviderClient) -> None:
    """Trap 2: AWS takes a member out, but moves none into or between global clusters; deletion
    without a final snapshot's name is refused before anything is called."""
    token = "aws:rds/globalCluster:GlobalCluster"
    engine = {"engine": "aurora-postgresql", "engineVersion": "16.8"}
    everyone = client.create(token, "leave", {"globalClusterIdentifier": "leave", **engine})
    usual = {
        "clusterIdentifier": "leaving",
        **engine,
        "masterUsername": "master",
        "masterPassword": secret("not-a-password-1"),
        "skipFinalSnapshot": True,
    }
    member = {**usual, "globalClusterIdentifier": everyone.id}
    cluster = client.create("aws:rds/cluster:Cluster", "leaving", member)
    client.update(cluster, usual)
    for news, why in ((member, "added to"),):
        with pytest.raises(FailedCallError, match=f"cannot be {why} existing global clusters"):
            client.update(cluster, news)
    _, failures = client.check(cluster, {**usual, "skipFinalSnapshot": False})
    assert [name for name, _ in failures] == ["finalSnapshotIdentifier"]
    client.delete(everyone)
    client.delete(cluster)
    assert client.read(cluster).id == ""


def test_a_global_cluster_that_may_be_forced_lets_its_members_go(client: ProviderClient) -> None:
    """R9.3, trap 1: ``forceDestroy`` detaches members, readers before the writer."""
    engine = {"engine": "aurora-postgresql", "engineVersion": "16.8"}
    everyone = client.create(
        "aws:rds/globalCluster:GlobalCluster", "forced",
        {"globalClusterIdentifier": "forced", "forceDestroy": True, **engine},
    )  # fmt: skip
    cluster = client.create(
        "aws:rds/cluster:Cluster",
        "forced",
        {
            "clusterIdentifier": "forced",
            **engine,
            "masterUsername": "master",
            "masterPassword": secret("not-a-password-1"),
            "skipFinalSnapshot": True,
            "globalClusterIdentifier": everyone.id,
        },
    )
    client.delete(everyone)
    assert client.read(everyone).id == ""
    client.delete(cluster)


def test_a_record_is_read_by_its_id_alone(client: ProviderClient) -> None:
    """``.get()``: zone, name and type are in the id; texts are quoted as Route 53 keeps them."""
    zone = client.create("aws:route53/zone:Zone", "records", {"name": "records.test"})
    record = client.create(
        "aws:route53/record:Record", "text",
        {"zoneId": zone.id, "name": "a_b", "type": "TXT", "ttl": 60, "records": ["hello"]},
    )  # fmt: skip
    inputs = from_struct(client.read(record, bare=True).inputs)
    assert (inputs["type"], inputs["name"], inputs["ttl"]) == ("TXT", "a_b.records.test", 60)
    assert inputs["records"] == ['"hello"']
    client.delete(record)
    assert client.read(record).id == ""
    client.delete(zone)


def archive(**more: Any) -> dict[str, Any]:
    return {SIGNATURE: ARCHIVE, "hash": "h", **more}


def names(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        return {name: file.read(name) for name in file.namelist()}


def test_archives_of_every_form_become_one_zip(tmp_path: Path) -> None:
    """First light: a folder, a zip file, and both nested in a map of assets; the same content
    makes the same bytes."""
    folder = tmp_path / "folder"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner" / "a.txt").write_text("a")
    packed = tmp_path / "packed.zip"
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("inner/", "")
        file.writestr("b.txt", "b")
    assert zipped(archive(path=str(packed))) == packed.read_bytes()
    assert names(zipped(archive(path=str(folder)))) == {"inner/a.txt": b"a"}
    asset = {SIGNATURE: ASSET, "path": str(folder / "inner" / "a.txt")}
    nested = {"x": archive(path=str(folder)), "y": archive(path=str(packed)), "z": asset}
    whole = zipped(archive(assets=nested))
    assert names(whole) == {"x/inner/a.txt": b"a", "y/b.txt": b"b", "z": b"a"}
    assert zipped(archive(assets=nested)) == whole


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (archive(uri="https://example.org/a.zip"), "fetches no archive from https"),
        (archive(path="/no/such/place"), "no such file or folder"),
        (archive(assets={"a": {SIGNATURE: ASSET, "hash": "h"}}), "sent only its hash"),
    ],
)
def test_an_archive_that_can_t_be_packed_says_why(given: dict[str, Any], why: str) -> None:
    """First light: one line, and no empty function."""
    with pytest.raises(ValueError, match=why):
        zipped(given)


@pytest.mark.parametrize(
    ("found", "written", "answer"),
    [
        (None, 5, 5),
        ("5", 5, 5),
        ("6", 5, 6),
        ("true", False, True),
        ("false", True, False),
        (json.dumps({"a": 1}), '{"a":1}', '{"a":1}'),
        ("other", "text", "other"),
    ],
)
def test_attributes_come_back_as_their_inputs_have_them(
    found: Any, written: Any, answer: Any
) -> None:
    """Refresh: SNS and SQS answer texts; only another meaning is drift."""
    assert typed(found, written) == answer
    assert type(typed(found, written)) is type(answer)
