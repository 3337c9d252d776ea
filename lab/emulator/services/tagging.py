"""Resource Groups Tagging API: every tagged resource of the region is listed, and no other.

Global resources are listed in us-east-1. IAM roles and Route 53 have their own tag operations; the
API lists hosted zones and health checks and IAM policies, but no roles (Resource Groups Tagging
API reference, "Services that support the Resource Groups Tagging API"). A key whose deletion is
scheduled, and a NAT gateway that was deleted, are no longer listed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lab.emulator.mending import Mending

Tagged = Iterator[tuple[str, list[dict[str, str]]]]

EC2_KINDS = {
    "vpc": ("vpc", "_vpcs"),
    "subnet": ("subnet", "_subnets"),
    "igw": ("internet-gateway", "_internet_gateways"),
    "rtb": ("route-table", "_route_tables"),
    "sg": ("security-group", "_security_groups"),
    "eipalloc": ("elastic-ip", "_addresses"),
    "nat": ("natgateway", "_nat_gateways"),
    "vpce": ("vpc-endpoint", "_vpc_endpoints"),
    "pcx": ("vpc-peering-connection", "_vpc_peering"),
    "fl": ("vpc-flow-log", "_flow_logs"),
    "eni": ("network-interface", "_network_interfaces"),
    "dopt": ("dhcp-options", "_dhcp_options"),
    "acl": ("network-acl", "_network_acls"),
    "pl": ("prefix-list", "_prefix_lists"),
}
"""Prefix of an id → (the kind in its ARN, the emulator's store)."""


def install(mending: Mending) -> None:
    """Mends the tagging API: its collectors are called in the request's scope."""
    from ministack.services import tagging

    tagging._COLLECTORS |= {
        "s3": _s3,
        "ec2": _ec2,
        "elasticloadbalancing": _elbv2,
        "rds": _rds,
        "secretsmanager": _secrets,
        "ssm": _parameters,
        "logs": _logs,
        "cloudwatch": _alarms,
        "route53": _route53,
        "iam": _iam,
        "kms": _kms,
        "events": _events,
        "backup": _backup,
    }


def _here() -> tuple[str, str]:
    from ministack.core.responses import get_account_id, get_region

    return get_account_id(), get_region()


def _pairs(tags: dict[str, str] | None) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in (tags or {}).items()]


def _s3() -> Tagged:
    from ministack.services import s3

    _, region = _here()
    for name, tags in s3._bucket_tags.items():
        if (s3._buckets.get(name) or {}).get("region", "us-east-1") == region:
            yield f"arn:aws:s3:::{name}", _pairs(tags)


def _ec2() -> Tagged:
    from ministack.services import ec2

    account, region = _here()
    rules = {
        ec2._sg_rule_id(group_id, direction == "IpPermissionsEgress", rule)
        for group_id, group in ec2._security_groups.items()
        for direction in ("IpPermissions", "IpPermissionsEgress")
        for rule in group[direction]
    }
    for name, tags in ec2._tags.items():
        prefix = name.partition("-")[0]
        if prefix == "sgr" and name in rules:
            yield f"arn:aws:ec2:{region}:{account}:security-group-rule/{name}", tags
        elif prefix in EC2_KINDS:
            kind, store = EC2_KINDS[prefix]
            record = getattr(ec2, store).get(name)
            if record is not None and record.get("State") != "deleted" and not _ended(record):
                yield f"arn:aws:ec2:{region}:{account}:{kind}/{name}", tags


def _ended(record: dict[str, Any]) -> bool:
    status = record.get("Status")
    return isinstance(status, dict) and status.get("Code") in ("deleted", "rejected", "expired")


def _elbv2() -> Tagged:
    from ministack.services import alb

    for store in (alb._lbs, alb._tgs, alb._listeners, alb._rules):
        for arn in store:
            yield arn, alb._tags.get(arn) or []


def _rds() -> Tagged:
    from ministack.services import rds

    account, region = _here()
    arns = {record["DBClusterArn"] for record in rds._clusters.values()}
    arns |= {record["DBInstanceArn"] for record in rds._instances.values()}
    for kind, store in (
        ("subgrp", rds._subnet_groups),
        ("cluster-pg", rds._db_cluster_param_groups),
        ("pg", rds._param_groups),
    ):
        arns |= {f"arn:aws:rds:{region}:{account}:{kind}:{name}" for name in store}
    if region == "us-east-1":
        arns |= {record["GlobalClusterArn"] for record in rds._global_clusters.values()}
    for arn in sorted(arns):
        yield arn, rds._tags.get(arn) or []


def _secrets() -> Tagged:
    from ministack.services import secretsmanager

    for secret in secretsmanager._secrets.values():
        if not secret.get("DeletedDate"):
            yield secret["ARN"], secret.get("Tags") or []


def _parameters() -> Tagged:
    from ministack.services import ssm

    known = {parameter["ARN"] for parameter in ssm._parameters.values()}
    for arn, tags in ssm._tags.items():
        if arn in known:
            yield arn, _pairs(tags)


def _logs() -> Tagged:
    from ministack.services import cloudwatch_logs

    for group in cloudwatch_logs._log_groups.values():
        yield group["arn"].removesuffix(":*"), _pairs(group.get("tags"))


def _alarms() -> Tagged:
    from ministack.services import cloudwatch

    for store in (cloudwatch._alarms, cloudwatch._composite_alarms):
        for alarm in store.values():
            yield alarm["AlarmArn"], _pairs(cloudwatch._resource_tags.get(alarm["AlarmArn"]))


def _route53() -> Tagged:
    from ministack.services import route53

    if _here()[1] != "us-east-1":
        return
    for (kind, name), tags in route53._tags.items():
        store = route53._health_checks if kind == "healthcheck" else route53._zones
        if name in store:
            yield f"arn:aws:route53:::{kind}/{name}", _pairs(tags)


def _iam() -> Tagged:
    from ministack.services import iam

    if _here()[1] == "us-east-1":
        for policy in iam._policies.values():
            if not policy.get("Arn", "").startswith("arn:aws:iam::aws:"):
                yield policy["Arn"], policy.get("Tags") or []


def _kms() -> Tagged:
    from ministack.services import kms

    account, region = _here()
    for name, key in kms._keys.items():
        if key.get("KeyState") != "PendingDeletion":
            tags = [{"Key": tag["TagKey"], "Value": tag["TagValue"]} for tag in key.get("Tags", [])]
            yield f"arn:aws:kms:{region}:{account}:key/{name}", tags


def _events() -> Tagged:
    from ministack.services import eventbridge

    known = {bus["Arn"] for bus in eventbridge._event_buses.values()}
    known |= {rule["Arn"] for rule in eventbridge._rules.values()}
    for arn, tags in eventbridge._tags.items():
        if arn in known:
            yield arn, _pairs(tags)


def _backup() -> Tagged:
    from ministack.services import backup

    account, region = _here()
    for name, vault in backup._vaults.items():
        arn = f"arn:aws:backup:{region}:{account}:backup-vault:{name}"
        yield arn, _pairs(vault.get("BackupVaultTags"))
    for name, plan in backup._plans.items():
        if not plan.get("DeletionDate"):
            arn = f"arn:aws:backup:{region}:{account}:backup-plan:{name}"
            yield arn, _pairs(plan.get("Tags") or plan.get("BackupPlanTags"))
