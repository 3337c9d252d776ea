"""The system after its database's roles were swapped behind Pulumi's back."""

from __future__ import annotations

import time

import pytest
from deployed_lab import Lab, table

WAIT_SECONDS = 60


def writer_region(lab: Lab) -> str:
    """Where the global database's writer is."""
    found = lab.client("rds", "us-west-2").describe_global_clusters(
        GlobalClusterIdentifier=lab.outputs["GlobalClusterId"]
    )["GlobalClusters"][0]
    (writer,) = [m["DBClusterArn"] for m in found["GlobalClusterMembers"] if m["IsWriter"]]
    return writer.split(":")[3]


def swap_roles(lab: Lab, call: str) -> None:
    """Makes us-west-2 the writer by the RDS API, planned or not, and waits for it."""
    rds = lab.client("rds", "us-west-2")
    planned = call == "switchover_global_cluster"
    target = rds.describe_db_clusters(
        DBClusterIdentifier=lab.outputs["data.secondary.cluster_identifier"]
    )["DBClusters"][0]["DBClusterArn"]
    more = {} if planned else {"AllowDataLoss": True}
    # The planned call is made where the writer is, the other one where it shall be.
    getattr(lab.client("rds", "us-east-1") if planned else rds, call)(
        GlobalClusterIdentifier=lab.outputs["GlobalClusterId"],
        TargetDbClusterIdentifier=target,
        **more,
    )
    until = time.monotonic() + WAIT_SECONDS
    while writer_region(lab) != "us-west-2":
        assert time.monotonic() < until, f"{call} didn't end within {WAIT_SECONDS} s"
        time.sleep(0.2)


def replicates(lab: Lab, source: str, destination: str) -> None:
    """Writes an object on one side and waits for its replica on the other, under that key."""
    regions = {"primary": "us-east-1", "secondary": "us-west-2"}
    name = f"from-{source}"
    lab.client("s3", regions[source]).put_object(
        Bucket=lab.outputs[f"data.{source}.bucket_name"], Key=name, Body=b"x"
    )
    s3 = lab.client("s3", regions[destination])
    until = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            found = s3.head_object(Bucket=lab.outputs[f"data.{destination}.bucket_name"], Key=name)
            break
        except s3.exceptions.ClientError:
            assert time.monotonic() < until, f"{name} didn't arrive within {WAIT_SECONDS} s"
            time.sleep(0.2)
    assert found["ReplicationStatus"] == "REPLICA"
    assert found["SSEKMSKeyId"] == lab.outputs[f"data.{destination}.key_arn"]


def inv(lab: Lab, *arguments: str) -> str:
    """Runs a command that must succeed."""
    answer = lab.inv(*arguments)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout


@pytest.mark.parametrize(
    "call",
    ["switchover_global_cluster", pytest.param("failover_global_cluster", marks=pytest.mark.long)],
)
def test_after_a_role_swap_nothing_changes_and_destroy_completes(own_lab: Lab, call: str) -> None:
    """N13, traps 1, 2 and 7: refresh, preview and deploy of all layers change nothing after a
    switchover and after a failover; destroy detaches the demoted member and completes, leaving
    nothing tagged. Traps 24 and 24b: what is written in us-west-2 meanwhile comes home, under the
    deployed roles, bucket policies and keys, and objects don't stop the destroy."""
    lab = own_lab
    outputs = lab.outputs
    swap_roles(lab, call)

    assert "no changes" in inv(lab, "preview-all")
    inv(lab, "refresh-all")
    done = table(inv(lab, "deploy-all"))["all"]
    assert (done["created"], done["updated"], done["replaced"], done["deleted"]) == (
        "0", "0", "0", "0",
    )  # fmt: skip
    assert lab.outputs == outputs
    assert writer_region(lab) == "us-west-2"

    replicates(lab, "secondary", "primary")
    replicates(lab, "primary", "secondary")
    shown = inv(lab, "destroy-all")
    assert "detached the demoted cluster in us-east-1" in shown
    assert lab.inventory() == []
