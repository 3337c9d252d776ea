"""The inventory over AWS's APIs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest
from fake_clients import FakeClients, refusal, tags
from invoke.context import Context
from lab_answers import RUNNING
from watched_driver import LAB

from lab import client
from ops import session
from ops.cloud import inventory
from ops.cloud.clients import Clients
from ops.errors import OperatorError
from ops.front import looking
from ops.workspace import Workspace

EMPTY: dict[tuple[str, str], dict[str, Any]] = {
    ("resourcegroupstaggingapi", ""): {"get_resources": {"ResourceTagMappingList": []}},
    ("ec2", ""): {call[0]: {call[1]: []} for call in inventory._EC2_CALLS},
    ("rds", ""): {
        "describe_global_clusters": {"GlobalClusters": []},
        "describe_db_clusters": {"DBClusters": []},
        "describe_db_instances": {"DBInstances": []},
        "describe_db_cluster_snapshots": {"DBClusterSnapshots": []},
        "describe_db_cluster_automated_backups": {"DBClusterAutomatedBackups": []},
    },
    ("iam", ""): {"list_roles": {"Roles": []}, "list_policies": {"Policies": []}},
    ("route53", ""): {
        "list_health_checks": {"HealthChecks": []},
        "list_hosted_zones": {"HostedZones": []},
    },
}


def taken(table: dict[tuple[str, str], dict[str, Any]]) -> list[tuple[str, str, str]]:
    """The inventory of suffix ``dev`` over what the table answers."""
    merged = {key: {**EMPTY.get(key, {}), **table.get(key, {})} for key in {*EMPTY, *table}}
    found = inventory.take(cast(Clients, FakeClients(merged)), "dev")
    return [(thing.region, thing.service, thing.arn) for thing in found]


def test_an_empty_account_has_nothing() -> None:
    """R9.3: what destroy-all must leave behind."""
    assert taken({}) == []


def test_both_regions_are_asked_and_each_thing_is_listed_once() -> None:
    """R9.2: the tagging API and EC2's own know the same network under two accounts' spelling."""
    arn = "arn:aws:ec2:us-west-2:000000000000:vpc/vpc-1"
    entry = {"ResourceARN": arn, "Tags": tags("dev")}
    bucket = {"ResourceARN": "arn:aws:s3:::bucket-dev", "Tags": tags("dev")}
    stale = {"ResourceARN": "arn:aws:sqs:us-west-2:1:gone"}
    table = {
        ("resourcegroupstaggingapi", "us-west-2"): {
            "get_resources": {"ResourceTagMappingList": [entry, bucket, stale]}
        },
        ("ec2", "us-west-2"): {"describe_vpcs": {"Vpcs": [{"VpcId": "vpc-1"}]}},
    }
    found = taken(table)
    assert [(region, service) for region, service, _ in found] == [
        ("us-west-2", "ec2"),
        ("us-west-2", "s3"),
    ]


def test_what_is_being_deleted_is_gone() -> None:
    """AWS lists deleted gateways and peerings for an hour: nobody has to clean them up."""
    table = {
        ("ec2", "us-east-1"): {
            "describe_nat_gateways": {
                "NatGateways": [
                    {"NatGatewayId": "nat-1", "State": "deleted"},
                    {"NatGatewayId": "nat-2", "State": "available"},
                ]
            },
            "describe_vpc_peering_connections": {
                "VpcPeeringConnections": [
                    {"VpcPeeringConnectionId": "pcx-1", "Status": {"Code": "deleted"}},
                    {"VpcPeeringConnectionId": "pcx-2", "Status": {"Code": "active"}},
                ]
            },
        }
    }
    assert [arn.rpartition("/")[2] for _, _, arn in taken(table)] == ["nat-2", "pcx-2"]


def test_databases_and_their_snapshots_are_asked_of_rds() -> None:
    """R9.3: snapshots that AWS made are listed too; another environment's cluster isn't."""
    table = {
        ("rds", "us-east-1"): {
            "describe_db_clusters": {
                "DBClusters": [
                    {"DBClusterArn": "arn:aws:rds:us-east-1:1:cluster:a", "TagList": tags("dev")},
                    {"DBClusterArn": "arn:aws:rds:us-east-1:1:cluster:b", "TagList": tags("dev2")},
                ]
            },
            "describe_db_cluster_snapshots": {
                "DBClusterSnapshots": [
                    {
                        "DBClusterSnapshotArn": "arn:aws:rds:us-east-1:1:cluster-snapshot:s",
                        "TagList": tags("dev"),
                    }
                ]
            },
        }
    }
    assert [arn.split(":", 5)[-1] for _, _, arn in taken(table)] == [
        "cluster-snapshot:s",
        "cluster:a",
    ]


def test_backups_that_outlive_their_cluster_are_found_by_its_name() -> None:
    """R9.3: RDS keeps automated backups of a deleted cluster without tags; active ones belong to a
    cluster that is listed itself."""
    asked: list[str] = []

    def backups(DBClusterIdentifier: str) -> dict[str, Any]:  # noqa: N803 - AWS's name
        asked.append(DBClusterIdentifier)
        arn = "arn:aws:rds:us-west-2:1:cluster-auto-backup"
        return {
            "DBClusterAutomatedBackups": [
                {"DBClusterAutomatedBackupArn": f"{arn}:one", "Status": "retained"},
                {"DBClusterAutomatedBackupArn": f"{arn}:two", "Status": "active"},
            ]
        }

    found = taken({("rds", "us-west-2"): {"describe_db_cluster_automated_backups": backups}})
    assert asked == ["aurora-cluster-us-west-2-dev"]
    assert [arn.rpartition(":")[2] for _, _, arn in found] == ["one"]


def test_keys_that_wait_for_their_deletion_are_gone() -> None:
    """R9.3: a key can't be deleted at once; nobody has to clean it up."""
    arns = {
        state: f"arn:aws:kms:us-east-1:1:key/{state}" for state in ("Enabled", "PendingDeletion")
    }
    states = {arn: state for state, arn in arns.items()}
    entries = [{"ResourceARN": arn, "Tags": tags("dev")} for arn in arns.values()]
    table = {
        ("resourcegroupstaggingapi", "us-east-1"): {
            "get_resources": {"ResourceTagMappingList": entries}
        },
        ("kms", "us-east-1"): {
            "describe_key": lambda KeyId: {"KeyMetadata": {"KeyState": states[KeyId]}}  # noqa: N803
        },
    }
    assert [arn for _, _, arn in taken(table)] == [arns["Enabled"]]


def test_roles_policies_health_checks_and_zones_are_global() -> None:
    """What the tagging API doesn't list in both regions."""

    def role_tags(RoleName: str) -> dict[str, Any]:  # noqa: N803 - AWS's name
        assert RoleName != "service"
        return {"Tags": tags("dev") if RoleName == "ours" else tags("dev", "other")}

    def zone_tags(ResourceType: str, ResourceId: str) -> dict[str, Any]:  # noqa: N803
        ours = ResourceType == "healthcheck" or ResourceId == "Z1"
        return {"ResourceTagSet": {"Tags": tags("dev") if ours else []}}

    table = {
        ("iam", ""): {
            "list_roles": {
                "Roles": [
                    {"RoleName": "ours", "Path": "/", "Arn": "arn:aws:iam::1:role/ours"},
                    {"RoleName": "theirs", "Path": "/", "Arn": "arn:aws:iam::1:role/theirs"},
                    {"RoleName": "service", "Path": "/aws-service-role/x/", "Arn": "x"},
                ]
            },
            "list_role_tags": role_tags,
            "list_policies": {
                "Policies": [
                    {"Arn": "arn:aws:iam::1:policy/p"},
                    {"Arn": "arn:aws:iam::1:policy/q"},
                ]
            },
            "list_policy_tags": lambda PolicyArn: {  # noqa: N803
                "Tags": tags("dev") if PolicyArn.endswith("p") else []
            },
        },
        ("route53", ""): {
            "list_health_checks": {"HealthChecks": [{"Id": "h1"}]},
            "list_hosted_zones": {
                "HostedZones": [{"Id": "/hostedzone/Z1"}, {"Id": "/hostedzone/Z2"}]
            },
            "list_tags_for_resource": zone_tags,
        },
    }
    assert taken(table) == [
        ("global", "iam", "arn:aws:iam::1:policy/p"),
        ("global", "iam", "arn:aws:iam::1:role/ours"),
        ("global", "route53", "arn:aws:route53:::healthcheck/h1"),
        ("global", "route53", "arn:aws:route53:::hostedzone/Z1"),
    ]


def test_arns_of_any_form_find_their_service_and_region() -> None:
    """The tagging API may list global things in us-east-1."""
    assert inventory._of_arn("arn:aws:iam::1:role/r", "us-east-1").region == "global"
    assert inventory._of_arn("odd", "us-east-1").service == ""


def test_an_api_that_refuses_makes_the_inventory_incomplete_in_one_line() -> None:
    """An inventory that silently left something out would call a failed destroy clean."""
    with pytest.raises(OperatorError, match=r"incomplete: .*AccessDenied.*\./inv inventory"):
        taken({("iam", ""): {"list_roles": refusal()}})


def test_found_things_print_as_json() -> None:
    """``inventory --json``."""
    assert inventory.Found("us-east-1", "s3", "arn").as_dict() == {
        "region": "us-east-1",
        "service": "s3",
        "arn": "arn",
    }


@pytest.mark.parametrize("stack", ["lab", "dev"])
def test_the_inventory_is_a_table_or_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], stack: str
) -> None:
    """``inventory`` asks the lab that runs, or the account."""
    asked: list[str | None] = []
    space = Workspace(tmp_path, tmp_path)
    (tmp_path / "Pulumi.lab.yaml").write_text(LAB)
    (tmp_path / "Pulumi.dev.yaml").write_text(
        "config: {TapStack:environmentSuffix: dev, aws:region: us-east-1}"
    )
    monkeypatch.setattr(session.workspace, "find", lambda: space)
    monkeypatch.setattr(client, "start", lambda *_, **__: RUNNING)
    monkeypatch.setattr(session, "Clients", lambda _file, endpoint: asked.append(endpoint))
    found = [inventory.Found("us-east-1", "s3", "arn:aws:s3:::b")]
    monkeypatch.setattr(inventory, "take", lambda _clients, suffix: found)
    looking.inventory(Context(), stack, json=True)
    assert json.loads(capsys.readouterr().out)[0]["arn"] == "arn:aws:s3:::b"
    looking.inventory(Context(), stack)
    printed = capsys.readouterr().out
    assert "arn:aws:s3:::b" in printed
    assert f"1 resources of {stack}" in printed
    assert asked == [RUNNING.endpoint if stack == "lab" else None] * 2
