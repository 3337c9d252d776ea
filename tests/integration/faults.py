"""Ways to break a deployment on purpose through AWS's APIs, each with the check that sees it."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from application_client import post_record, receipts, until
from deployed_lab import Lab
from deployed_reads import dead_letters
from region_outage import EAST, WEST
from traffic import sent_to

from lab import client


@dataclass(frozen=True)
class Fault:
    """``check`` is true over a deployment that works."""

    check: Callable[[], bool]
    break_it: Callable[[], Any]
    repair: Callable[[], Any]


def no_secondary_record(lab: Lab) -> Fault:
    """With us-east-1's functions stopped, DNS must answer us-west-2."""
    route53 = lab.client("route53")
    zone = lab.outputs["global.zone_id"]
    listed = route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    record = next(item for item in listed if item.get("Failover") == "SECONDARY")

    def change(action: str) -> None:
        changes = [{"Action": action, "ResourceRecordSet": record}]
        route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})

    def fails_over() -> bool:
        if not until(lambda: sent_to(lab) == EAST, 20):
            return False
        client.outage(lab.state_dir, EAST, "compute")
        try:
            return bool(until(lambda: sent_to(lab) == WEST, 25))
        finally:
            client.restore(lab.state_dir, EAST)

    return Fault(fails_over, lambda: change("DELETE"), lambda: change("CREATE"))


def wrong_health_path(lab: Lab) -> Fault:
    """A healthy us-east-1 must be answered."""
    route53 = lab.client("route53")
    checks = route53.list_health_checks()["HealthChecks"]
    host = lab.outputs["app.primary.load_balancer_dns_name"]
    check_id = next(
        check["Id"]
        for check in checks
        if check["HealthCheckConfig"].get("FullyQualifiedDomainName") == host
    )

    def path(text: str) -> None:
        route53.update_health_check(HealthCheckId=check_id, ResourcePath=text)

    def stays_home() -> bool:
        if not until(lambda: sent_to(lab) == EAST, 20):
            return False
        # Three probes take under five seconds at the lab's clock, on a machine with time for it.
        return not until(lambda: sent_to(lab) != EAST, 15)

    return Fault(stays_home, lambda: path("/no-such-path"), lambda: path("/health"))


def replication_role_without_permission(lab: Lab) -> Fault:
    """An object put in us-east-1 must be in us-west-2, its status COMPLETED."""
    iam, source = lab.client("iam"), lab.client("s3")
    replication = source.get_bucket_replication(Bucket=lab.outputs["PrimaryBucketName"])
    role = replication["ReplicationConfiguration"]["Role"].rpartition("/")[2]
    attached = iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    arn = attached[0]["PolicyArn"]
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    document = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
    document = document if isinstance(document, dict) else json.loads(document)
    reading = "s3:GetObjectVersionForReplication"
    less = {
        **document,
        "Statement": [
            statement for statement in document["Statement"] if reading not in statement["Action"]
        ],
    }
    assert len(less["Statement"]) < len(document["Statement"])

    def write(policy: dict[str, Any]) -> None:
        made = iam.create_policy_version(
            PolicyArn=arn, PolicyDocument=json.dumps(policy), SetAsDefault=True
        )
        assert made["PolicyVersion"]["IsDefaultVersion"]

    def replicates() -> bool:
        key = f"attachments/{uuid.uuid4()}"
        bucket = lab.outputs["PrimaryBucketName"]
        source.put_object(Bucket=bucket, Key=key, Body=b"x")
        ended = ("COMPLETED", "FAILED")

        def status() -> str:
            return source.head_object(Bucket=bucket, Key=key).get("ReplicationStatus", "")

        until(lambda: status() in ended, 10)
        return status() == "COMPLETED"

    return Fault(replicates, lambda: write(less), lambda: write(document))


def _crosses_once(lab: Lab) -> Callable[[], bool]:
    def check() -> bool:
        before = dead_letters(lab)
        key = post_record(lab, "primary").json["eventId"]
        until(lambda: len(receipts(lab, key)) == 2, 8)
        time.sleep(0.5)
        return sorted(receipts(lab, key)) == [EAST, WEST] and dead_letters(lab) == before

    return check


def forwarding_without_role(lab: Lab) -> Fault:
    """An event must be received once in each region. AWS refuses a target without a role, so the
    role loses its permission."""
    iam, events = lab.client("iam"), lab.client("events")
    targets = events.list_targets_by_rule(
        Rule=f"rule-forward-{EAST}-lab", EventBusName=lab.outputs["global.primary.bus_name"]
    )["Targets"]
    role = targets[0]["RoleArn"].rpartition("/")[2]
    arn = iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"][0]["PolicyArn"]
    return Fault(
        _crosses_once(lab),
        lambda: iam.detach_role_policy(RoleName=role, PolicyArn=arn),
        lambda: iam.attach_role_policy(RoleName=role, PolicyArn=arn),
    )


def forwarding_without_region_filter(lab: Lab) -> Fault:
    """Trap 27: a received event that matches the return rule lands in its dead-letter queue."""
    events, bus = lab.client("events", WEST), lab.outputs["global.secondary.bus_name"]
    rule = f"rule-forward-{WEST}-lab"
    pattern = events.describe_rule(Name=rule, EventBusName=bus)["EventPattern"]
    open_pattern = {key: value for key, value in json.loads(pattern).items() if key != "region"}

    def put(text: str) -> None:
        events.put_rule(Name=rule, EventBusName=bus, EventPattern=text, State="ENABLED")

    return Fault(_crosses_once(lab), lambda: put(json.dumps(open_pattern)), lambda: put(pattern))


def missing_peering_route(lab: Lab) -> Fault:
    """us-west-2's functions must reach the writer in us-east-1."""
    ec2 = lab.client("ec2", WEST)
    tables = lab.outputs["network.secondary.private_route_table_ids"]
    way = {
        "DestinationCidrBlock": lab.outputs["network.primary.vpc_cidr"],
        "VpcPeeringConnectionId": lab.outputs["VpcPeeringConnectionId"],
    }

    def fresh_functions() -> None:
        # Connections that are open outlive a route, on AWS too.
        client.outage(lab.state_dir, WEST, "compute")
        client.restore(lab.state_dir, WEST)

    def remove() -> None:
        for table in tables:
            ec2.delete_route(RouteTableId=table, DestinationCidrBlock=way["DestinationCidrBlock"])
        fresh_functions()

    def create() -> None:
        for table in tables:
            ec2.create_route(RouteTableId=table, **way)
        fresh_functions()

    def writes() -> bool:
        return post_record(lab, "secondary").status == 201

    return Fault(writes, remove, create)


FAULTS: dict[str, Callable[[Lab], Fault]] = {
    "no secondary record": no_secondary_record,
    "wrong health path": wrong_health_path,
    "replication role without a permission": replication_role_without_permission,
    "forwarding without a role": forwarding_without_role,
    "forwarding without its region filter": forwarding_without_region_filter,
    "missing peering route": missing_peering_route,
}
