"""What AWS's APIs of a lab say of the deployed system, in the words of its tests."""

from __future__ import annotations

from typing import Any

from deployed_lab import Lab

REGIONS = ("us-east-1", "us-west-2")
QUEUES = ("queue-forward-dead-letters", "queue-consume-dead-letters", "queue-failed-events")


def dead_letters(lab: Lab) -> dict[str, int]:
    """Queue → messages, of every queue whose depth must stay 0."""
    depths = {}
    for region in REGIONS:
        client = lab.client("sqs", region)
        for queue in QUEUES:
            name = f"{queue}-{region}-lab"
            url = client.get_queue_url(QueueName=name)["QueueUrl"]
            attributes = client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
            depths[name] = int(attributes["Attributes"]["ApproximateNumberOfMessages"])
    return depths


def health_checks(lab: Lab) -> dict[str, tuple[str, dict[str, Any]]]:
    """Purpose (of the Name tag) → id and configuration, of this environment's checks."""
    client = lab.client("route53")
    found = {}
    for check in client.list_health_checks()["HealthChecks"]:
        tags = client.list_tags_for_resource(ResourceType="healthcheck", ResourceId=check["Id"])
        named = {tag["Key"]: tag["Value"] for tag in tags["ResourceTagSet"]["Tags"]}
        found[named["Name"].rpartition("-lab")[0]] = (check["Id"], check["HealthCheckConfig"])
    return found


def records(lab: Lab) -> dict[tuple[str, str], dict[str, Any]]:
    """(name, set identifier) → record, of type A."""
    answer = lab.client("route53").list_resource_record_sets(
        HostedZoneId=lab.outputs["global.zone_id"]
    )
    return {
        (record["Name"].rstrip("."), record.get("SetIdentifier", "")): record
        for record in answer["ResourceRecordSets"]
        if record["Type"] == "A"
    }
