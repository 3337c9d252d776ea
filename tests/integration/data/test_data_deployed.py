"""The data layer, read back from the lab's APIs in both regions."""

from __future__ import annotations

import json
from typing import Any

import pytest
from deployed_lab import Lab

SIDES = (("primary", "us-east-1"), ("secondary", "us-west-2"))
PEERS = {"us-east-1": "us-west-2", "us-west-2": "us-east-1"}
each_side = pytest.mark.parametrize(("side", "region"), SIDES)


def data(lab: Lab, side: str, field: str) -> Any:
    """One field of the data layer's contract."""
    return lab.outputs[f"data.{side}.{field}"]


def test_the_global_database_has_a_writer_in_us_east_1(deployed: Lab) -> None:
    """R1.1: one global cluster, two members, the primary's writing."""
    rds = deployed.client("rds", "us-east-1")
    identifier = deployed.outputs["GlobalClusterId"]
    (found,) = rds.describe_global_clusters(GlobalClusterIdentifier=identifier)["GlobalClusters"]
    assert found["Engine"] == "aurora-postgresql"
    assert found["StorageEncrypted"] is True
    writers = {
        member["DBClusterArn"].split(":")[3]: member["IsWriter"]
        for member in found["GlobalClusterMembers"]
    }
    assert writers == {"us-east-1": True, "us-west-2": False}
    assert found["Endpoint"] == deployed.outputs["data.global_writer_endpoint"]


@each_side
def test_clusters_are_backed_up_encrypted_and_deletable(
    deployed: Lab, side: str, region: str
) -> None:
    """R1.2: 7 days of point-in-time recovery in both, own key, no deletion protection."""
    rds = deployed.client("rds", region)
    identifier = data(deployed, side, "cluster_identifier")
    assert identifier == f"aurora-cluster-{region}-lab"
    (cluster,) = rds.describe_db_clusters(DBClusterIdentifier=identifier)["DBClusters"]
    assert cluster["BackupRetentionPeriod"] == 7
    assert cluster["StorageEncrypted"] is True
    assert cluster["KmsKeyId"] == data(deployed, side, "key_arn")
    assert cluster["DeletionProtection"] is False
    assert cluster["DBClusterParameterGroup"] == f"aurora-parameters-16-{region}-lab"
    assert len(cluster["DBClusterMembers"]) == 2
    for instance in cluster["DBClusterMembers"]:
        (found,) = rds.describe_db_instances(DBInstanceIdentifier=instance["DBInstanceIdentifier"])[
            "DBInstances"
        ]
        assert found["DBInstanceClass"] == "db.r6g.large"
        assert found["PubliclyAccessible"] is False
        assert found["AutoMinorVersionUpgrade"] is False
        assert found["MonitoringInterval"] == 60
        assert found["MonitoringRoleArn"].endswith(f":role/role-rds-monitoring-{region}-lab")
        assert found["PerformanceInsightsEnabled"] is False


@each_side
def test_clusters_log_and_are_maintained_apart(deployed: Lab, side: str, region: str) -> None:
    """R1.2: PostgreSQL's log goes to an encrypted group that expires; the two regions are never
    backed up or maintained at the same time."""
    clusters = {
        place: deployed.client("rds", place).describe_db_clusters(
            DBClusterIdentifier=f"aurora-cluster-{place}-lab"
        )["DBClusters"][0]
        for place in PEERS
    }
    assert clusters[region]["EnabledCloudwatchLogsExports"] == ["postgresql"]
    for window in ("PreferredBackupWindow", "PreferredMaintenanceWindow"):
        assert len({cluster[window] for cluster in clusters.values()}) == 2
    name = f"/aws/rds/cluster/aurora-cluster-{region}-lab/postgresql"
    (group,) = deployed.client("logs", region).describe_log_groups(logGroupNamePrefix=name)[
        "logGroups"
    ]
    assert group["kmsKeyId"] == data(deployed, side, "key_arn")
    assert group["retentionInDays"] == 90


@each_side
def test_connections_need_tls(deployed: Lab, side: str, region: str) -> None:
    """R1: rds.force_ssl is 1 in both regions."""
    parameters = deployed.client("rds", region).describe_db_cluster_parameters(
        DBClusterParameterGroupName=f"aurora-parameters-16-{region}-lab", Source="user"
    )["Parameters"]
    values = {entry["ParameterName"]: entry["ParameterValue"] for entry in parameters}
    assert values["rds.force_ssl"] == "1"


def test_the_master_password_is_the_secrets(deployed: Lab) -> None:
    """Trap 3: one password, kept in the secret, in no output and in no checkpoint."""
    secrets = deployed.client("secretsmanager", "us-east-1")
    master = secrets.get_secret_value(SecretId=deployed.outputs["data.master_secret_arn"])
    entry = json.loads(master["SecretString"])
    assert entry["username"] == "postgres_admin"
    assert len(entry["password"]) == 40
    assert entry["password"] not in json.dumps(deployed.outputs)
    for path in deployed.workspace.checkpoints.rglob("*.json"):
        assert entry["password"] not in path.read_text()


@pytest.mark.parametrize("purpose", ["master", "application"])
def test_secrets_have_a_readable_replica(deployed: Lab, purpose: str) -> None:
    """R1: what is written in us-east-1 is read in us-west-2, by the exported ARN."""
    primary = deployed.client("secretsmanager", "us-east-1")
    name = f"secret-{purpose}-us-east-1-lab"
    (status,) = primary.describe_secret(SecretId=name)["ReplicationStatus"]
    assert status["Region"] == "us-west-2"
    standby = deployed.client("secretsmanager", "us-west-2")
    here = primary.get_secret_value(SecretId=name)["SecretString"]
    there = standby.get_secret_value(SecretId=name)
    assert there["SecretString"] == here
    if purpose == "application":
        assert there["ARN"] == data(deployed, "secondary", "application_secret_arn")
        assert json.loads(here)["username"] == "application"


@each_side
def test_keys_rotate(deployed: Lab, side: str, region: str) -> None:
    """R9.3: rotation on, and an alias that leads to the exported key."""
    kms = deployed.client("kms", region)
    arn = data(deployed, side, "key_arn")
    assert kms.get_key_rotation_status(KeyId=arn)["KeyRotationEnabled"] is True
    described = kms.describe_key(KeyId=f"alias/key-data-{region}-lab")["KeyMetadata"]
    assert described["Arn"] == arn
    policy = json.loads(kms.get_key_policy(KeyId=arn, PolicyName="default")["Policy"])
    own_name = {
        statement["Principal"]["Service"]: statement["Action"]
        for statement in policy["Statement"]
        if "Service" in statement["Principal"]
    }
    assert set(own_name) == {
        "cloudwatch.amazonaws.com", "events.amazonaws.com", f"logs.{region}.amazonaws.com",
    }  # fmt: skip


@each_side
def test_buckets_are_closed_versioned_and_encrypted(deployed: Lab, side: str, region: str) -> None:
    """R4.1: versions, our key, no public access, ownership enforced, lifecycle rules."""
    s3 = deployed.client("s3", region)
    bucket = data(deployed, side, "bucket_name")
    assert bucket == f"bucket-content-{region}-lab"
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    (rule,) = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    default = rule["ApplyServerSideEncryptionByDefault"]
    assert default["SSEAlgorithm"] == "aws:kms"
    assert default["KMSMasterKeyID"] == data(deployed, side, "key_arn")
    block = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert set(block.values()) == {True}
    (owner,) = s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"]
    assert owner["ObjectOwnership"] == "BucketOwnerEnforced"
    rules = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    kept = {
        rule["Filter"]["Prefix"]: rule["NoncurrentVersionExpiration"]["NoncurrentDays"]
        for rule in rules
    }
    assert kept == {"": 90, "emergency/": 1}
    logs = data(deployed, side, "access_log_bucket_name")
    logging = s3.get_bucket_logging(Bucket=bucket)["LoggingEnabled"]
    assert (logging["TargetBucket"], logging["TargetPrefix"]) == (logs, "s3/content/")
    policy = json.loads(s3.get_bucket_policy(Bucket=logs)["Policy"])["Statement"]
    writers = {
        entry["Principal"]["Service"]: entry["Resource"].partition(f"{logs}/")[2]
        for entry in policy
        if entry["Effect"] == "Allow"
    }
    assert writers == {
        "logdelivery.elasticloadbalancing.amazonaws.com": "AWSLogs/000000000000/*",
        "logging.s3.amazonaws.com": "s3/content/*",
    }
    (rule,) = s3.get_bucket_encryption(Bucket=logs)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"


@each_side
def test_replication_goes_both_ways_on_time(deployed: Lab, side: str, region: str) -> None:
    """R4.1, traps 23 to 24b: V2 filter, delete markers, RTC with metrics, the other side's key."""
    s3 = deployed.client("s3", region)
    peer_side = "secondary" if side == "primary" else "primary"
    configuration = s3.get_bucket_replication(Bucket=data(deployed, side, "bucket_name"))
    (rule,) = configuration["ReplicationConfiguration"]["Rules"]
    assert rule["Status"] == "Enabled"
    assert rule["DeleteMarkerReplication"]["Status"] == "Enabled"
    assert "Filter" in rule
    criteria = rule["SourceSelectionCriteria"]
    assert criteria["SseKmsEncryptedObjects"]["Status"] == "Enabled"
    assert criteria["ReplicaModifications"]["Status"] == "Enabled"
    destination = rule["Destination"]
    assert destination["Bucket"] == data(deployed, peer_side, "bucket_arn")
    assert destination["ReplicationTime"]["Time"]["Minutes"] == 15
    assert destination["Metrics"]["Status"] == "Enabled"
    key = destination["EncryptionConfiguration"]["ReplicaKmsKeyID"]
    assert key == data(deployed, peer_side, "key_arn")


@each_side
def test_the_destination_policy_is_what_the_client_wrote(
    deployed: Lab, side: str, region: str
) -> None:
    """R4.2: the other region's replication role, four actions; and TLS for everyone."""
    bucket = data(deployed, side, "bucket_name")
    text = deployed.client("s3", region).get_bucket_policy(Bucket=bucket)["Policy"]
    statements = {entry["Sid"]: entry for entry in json.loads(text)["Statement"]}
    assert set(statements) == {"Replication", "DenyInsecureTransport"}
    replication = statements["Replication"]
    role = replication["Principal"]["AWS"]
    assert role.endswith(f":role/role-replication-{PEERS[region]}-lab")
    assert replication["Action"] == [
        "s3:ReplicateObject",
        "s3:ReplicateDelete",
        "s3:ReplicateTags",
        "s3:GetObjectVersionForReplication",
    ]


@each_side
def test_an_application_can_start_from_its_regions_parameters(
    deployed: Lab, side: str, region: str
) -> None:
    """names.md: local and shared parameters; each region reads its own."""
    ssm = deployed.client("ssm", region)

    def value(path: str) -> str:
        name = f"/warm-standby/{region}/lab/{path}"
        return ssm.get_parameter(Name=name)["Parameter"]["Value"]

    assert value("local/role") == side
    assert value("local/bucket") == data(deployed, side, "bucket_name")
    assert value("local/bus") == f"bus-app-{region}-lab"
    assert value("local/cluster-endpoint") == data(deployed, side, "cluster_endpoint")
    assert value("local/application-secret") == data(deployed, side, "application_secret_arn")
    assert value("shared/database-endpoint") == deployed.outputs["data.global_writer_endpoint"]
    assert value("shared/database-port") == "5432"
    if region == "us-west-2":
        assert value("local/failover-switch") == "released"


def test_one_backup_plan_copies_to_the_other_region(deployed: Lab) -> None:
    """R10, trap 31: one plan, one copy, the primary cluster by ARN."""
    backup = deployed.client("backup", "us-east-1")
    plans = [
        plan
        for plan in backup.list_backup_plans()["BackupPlansList"]
        if plan["BackupPlanName"] == "backup-plan-us-east-1-lab"
    ]
    assert len(plans) == 1
    plan = backup.get_backup_plan(BackupPlanId=plans[0]["BackupPlanId"])["BackupPlan"]
    (rule,) = plan["Rules"]
    (copy,) = rule["CopyActions"]
    assert copy["DestinationBackupVaultArn"].endswith(":backup-vault:backup-vault-us-west-2-lab")
    assert rule["Lifecycle"]["DeleteAfterDays"] == 35
    (entry,) = backup.list_backup_selections(BackupPlanId=plans[0]["BackupPlanId"])[
        "BackupSelectionsList"
    ]
    selection = backup.get_backup_selection(
        BackupPlanId=plans[0]["BackupPlanId"], SelectionId=entry["SelectionId"]
    )["BackupSelection"]
    (resource,) = selection["Resources"]
    assert resource.endswith(f":cluster:{data(deployed, 'primary', 'cluster_identifier')}")
