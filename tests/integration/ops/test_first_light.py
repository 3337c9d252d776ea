"""The system as deployed in the lab, read through the flat outputs."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from datetime import UTC, datetime

import pytest
from deployed_lab import Lab, table

REGIONS = (("primary", "us-east-1"), ("secondary", "us-west-2"))


@pytest.mark.parametrize(("role", "region"), REGIONS)
def test_health_answers_from_each_region_with_its_own_name(
    deployed: Lab, role: str, region: str
) -> None:
    """R2.3: 200, JSON with status, the region itself, and an ISO-8601 time of now."""
    answer = deployed.request(deployed.outputs[f"app.{role}.load_balancer_dns_name"])
    assert answer.status == 200
    assert answer.json["status"] == "healthy"
    assert answer.json["region"] == region
    stamp = datetime.fromisoformat(answer.json["timestamp"])
    assert abs((datetime.now(UTC) - stamp).total_seconds()) < 60


def test_unknown_paths_answer_404_as_json(deployed: Lab) -> None:
    """R2.4: the function, not the load balancer, answers what it doesn't know."""
    answer = deployed.request(
        deployed.outputs["app.primary.load_balancer_dns_name"], "/no/such/path"
    )
    assert answer.status == 404
    assert isinstance(answer.json, dict)


def test_a_second_deployment_changes_nothing_and_prints_commands_that_work(deployed: Lab) -> None:
    """N7: what is deployed is what the programs say, resource by resource. R9.6: the curls that
    deploy-all prints answer 200 as printed, each with its own region."""
    shown = deployed.inv("deploy-all")
    assert shown.returncode == 0, shown.stderr
    rows = table(shown.stdout)
    assert list(rows) == ["network", "data", "app", "global", "all"]
    for layer, row in rows.items():
        assert {row[key] for key in ("created", "updated", "replaced", "deleted")} == {"0"}, layer
        assert int(row["same"]) > 0
    curls = re.findall(r"(us-\w+-\d)\s+(curl .*)", shown.stdout)
    assert [region for region, _ in curls] == [region for _, region in REGIONS]
    if shutil.which("curl") is None:
        pytest.skip("no curl on PATH: what deploy-all prints wasn't run as printed")
    for region, command in curls:
        answer = subprocess.run(
            [*shlex.split(command), "-s", "--noproxy", "*", "-w", "%{http_code}"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert answer.stdout.endswith("200")
        assert f'"region":"{region}"' in answer.stdout.replace(" ", "")


def test_outputs_have_the_agreed_keys(deployed: Lab) -> None:
    """R8: the flat file holds every named output, and every field of every contract."""
    from tapstack.contracts import LAYERS, field_paths

    outputs = deployed.outputs
    for name, layer in LAYERS.items():
        for path in field_paths(layer.outputs):
            assert ".".join((name, *path)) in outputs
    assert outputs["Stack"] == "lab"
    assert outputs["PrimaryEndpoint"] == f"http://{outputs['global.fqdn']}"
    host = outputs["app.secondary.load_balancer_dns_name"]
    assert outputs["FailoverEndpoint"] == f"http://{host}"
    assert "us-west-2" in host
    assert len(outputs["NameServers"]) >= 4
    assert outputs["VpcPeeringConnectionId"].startswith("pcx-")
    for key in ("GlobalClusterId", "PrimaryBucketName", "SecondaryBucketName", "DashboardUrl"):
        assert outputs[key]


def test_the_global_cluster_writes_in_the_primary_region(deployed: Lab) -> None:
    """R1.1: one global cluster, its writer in us-east-1 and a reader in us-west-2."""
    for region in ("us-east-1", "us-west-2"):
        answer = deployed.client("rds", region).describe_global_clusters(
            GlobalClusterIdentifier=deployed.outputs["GlobalClusterId"]
        )
        members = answer["GlobalClusters"][0]["GlobalClusterMembers"]
        writers = {m["DBClusterArn"].split(":")[3]: m["IsWriter"] for m in members}
        assert writers == {"us-east-1": True, "us-west-2": False}


def test_the_inventory_knows_every_layer(deployed: Lab) -> None:
    """R9.2: what we made carries the tags that distinguish one environment from another."""
    services = {(thing.service, thing.region) for thing in deployed.inventory()}
    for region in ("us-east-1", "us-west-2"):
        for service in ("ec2", "rds", "s3", "lambda", "elasticloadbalancing"):
            assert (service, region) in services
    assert ("iam", "global") in services
    assert ("route53", "global") in services
