"""Every gap of the emulator that is mended, in one table: its module's ``install`` closes it."""

from __future__ import annotations

from types import ModuleType

from lab.emulator.mending import Mending
from lab.emulator.services import (
    acm,
    backup,
    cloudwatch,
    dynamodb,
    ec2,
    ec2_dependencies,
    ec2_endpoints,
    ec2_peering,
    elbv2,
    events,
    events_put,
    iam,
    kms,
    lab_time,
    lambda_mappings,
    lambda_names,
    lambda_runtime,
    lambda_settings,
    lambda_versions,
    logs,
    rds,
    restore_testing,
    route53,
    s3,
    s3_files,
    s3_locks,
    scheduler,
    secretsmanager,
    sns,
    sqs,
    ssm,
    tagging,
)

MENDS: dict[ModuleType, str] = {
    acm: "certificates deleted while in use",
    ec2_endpoints: "fields of endpoints dropped",
    ec2_peering: "peering options and CIDR blocks dropped",
    ec2: "tags of addresses and flow logs, fields of flow logs and NAT gateways, filters dropped",
    ec2_dependencies: "groups, subnets, gateways and VPCs deleted while in use",
    elbv2: "rule conditions and forward configurations dropped, one zone id for all regions, "
    "invented zones, always healthy targets",
    rds: "log exports, capacity, endpoints and roles of clusters; refusals of AWS",
    s3_files: "keys renamed or lost at a restart; objects answered with 200 on a full disk",
    s3: "replication configurations cut down; versioning's order not held",
    s3_locks: "only the newest version of a key locked, until a restart; no marker over it",
    secretsmanager: "replicas at creation ignored, never removed alone, never released; labels "
    "beside the current one dropped",
    route53: "health checks' regions, children and inversion; status; reserved zones",
    events: "bus policies replaced by Principal *; buses and rules deleted while in use; archives "
    "that grow for ever",
    scheduler: "schedules taken whatever their role, zone and limits",
    events_put: "entries taken that AWS refuses",
    cloudwatch: "metric math and tags dropped; alarms evaluated without dimensions",
    lab_time: "the machine's time, whatever the lab's clock says",
    dynamodb: "tables outside us-east-1 take no new partition key after a restart",
    iam: "every simulated call allowed",
    kms: "multi-Region keys are plain ones, without replicas",
    logs: "resource policies unknown; a group's key dropped",
    backup: "access policies and locks of vaults, settings of the region unknown",
    restore_testing: "restore testing of backups unknown",
    sqs: "attributes can't be taken away; visibility on the machine's clock, nothing expires",
    sns: "tags at creation dropped; e-mail subscriptions confirmed at once",
    ssm: "changes of parameters raise no event",
    tagging: "most tagged resources not listed",
    lambda_settings: "settings of functions dropped on read-back",
    lambda_mappings: "event source mappings polled on the machine's clock, by any role; malformed "
    "answers taken for success",
    lambda_names: "names of any form",
    lambda_versions: "the function itself named as its last version; the same version published "
    "again; one policy for the function and all its aliases; aliases of no version",
    lambda_runtime: "one worker a function, AWS SDK stubbed, handler errors reshaped, "
    "no retry on the clock, Pending for ever after a kill",
}
"""Module → what the emulator does otherwise than AWS."""


def install(mending: Mending) -> None:
    """Puts every mend in place, in the table's order."""
    for module in MENDS:
        module.install(mending)
