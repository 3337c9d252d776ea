"""The data program: keys, global database, secrets, buckets, parameters, backup."""

import json
from itertools import pairwise
from typing import Any

import pytest
from harness import SUFFIX, Deployment, Registered, every_text, program, run_program

from tapstack.errors import SettingsError
from tapstack.events import event_bus_name

REGIONS = ("us-east-1", "us-west-2")
PEERS = {"us-east-1": "us-west-2", "us-west-2": "us-east-1"}
CLUSTER = "aws:rds/cluster:Cluster"
INSTANCE = "aws:rds/clusterInstance:ClusterInstance"
GLOBAL = "aws:rds/globalCluster:GlobalCluster"
SECRET = "aws:secretsmanager/secret:Secret"
VERSION = "aws:secretsmanager/secretVersion:SecretVersion"
KEY = "aws:kms/key:Key"
BUCKET = "aws:s3/bucket:Bucket"
REPLICATION = "aws:s3/bucketReplicationConfig:BucketReplicationConfig"
BUCKET_POLICY = "aws:s3/bucketPolicy:BucketPolicy"
VERSIONING = "aws:s3/bucketVersioning:BucketVersioning"
PARAMETER = "aws:ssm/parameter:Parameter"

every_region = pytest.mark.parametrize("region", REGIONS)


@pytest.fixture(scope="module")
def data() -> Deployment:
    """The program with its default configuration."""
    return program("data")


@pytest.fixture(scope="module")
def varied() -> Deployment:
    """The program with every opt-in at once: one run serves many tests."""
    return run_program(
        "data",
        config={
            "data:engineVersion": "15.10",
            "data:instancesPerRegion": 3,
            "data:preferredBackupWindow": "22:30-23:30",
            "data:deletionProtection": True,
            "data:monitoringInterval": 0,
            "data:performanceInsights": True,
            "data:secretRecoveryDays": 7,
            "data:bidirectionalReplication": False,
        },
    )


def cluster_of(data: Deployment, region: str) -> Registered:
    """The region's cluster."""
    return data.one(CLUSTER, region=region)


def statements(resource: Registered, key: str = "policy") -> dict[str, dict[str, Any]]:
    """A policy's statements by Sid (by position where there is none)."""
    return {
        statement.get("Sid", str(index)): statement
        for index, statement in enumerate(json.loads(resource.inputs[key])["Statement"])
    }


# -- Aurora Global Database ------------------------------------------------------------------------


@pytest.mark.no_cover
def test_delete_order_follows_from_the_dependencies(data: Deployment) -> None:
    """Trap 1: secondary instances → secondary cluster → primary instances → primary cluster →
    global cluster. A destroy goes against the dependencies, so each of these depends on the next;
    the secondary cluster on the primary *instances*."""
    chain = [
        data.one(INSTANCE, region="us-west-2"),
        cluster_of(data, "us-west-2"),
        data.one(INSTANCE, region="us-east-1"),
        cluster_of(data, "us-east-1"),
        data.one(GLOBAL),
    ]
    for earlier, later in pairwise(chain):
        assert later.urn in earlier.dependencies, f"{earlier.name} doesn't wait for {later.name}"


PROVIDER_MINUTES = {
    # terraform-provider-aws, internal/service/rds: each resource's own time limits.
    "aws:rds/cluster:Cluster": {"create": 120, "update": 120, "delete": 120},
    "aws:rds/clusterInstance:ClusterInstance": {"create": 90, "update": 90, "delete": 90},
    "aws:rds/globalCluster:GlobalCluster": {"create": 30, "update": 90, "delete": 30},
}


@pytest.mark.parametrize("type_", PROVIDER_MINUTES)
def test_no_time_limit_is_shorter_than_the_provider_s(data: Deployment, type_: str) -> None:
    """Traps 6, 48: we would give up on what AWS still makes, and orphan it; upgrades take over an
    hour."""
    for resource in data.created(type_):
        for operation, least in PROVIDER_MINUTES[type_].items():
            given = resource.custom_timeouts[operation]
            assert given.endswith("m"), given
            assert int(given[:-1]) >= least, f"{resource.name} {operation}"
        assert int(resource.custom_timeouts["update"][:-1]) >= 120


@every_region
def test_a_role_swap_changes_nothing(data: Deployment, region: str) -> None:
    """Trap 2: what AWS changes when roles swap is ignored by both clusters, and the version, which
    the global cluster owns, by all members."""
    assert set(cluster_of(data, region).ignore_changes) == {
        "replicationSourceIdentifier",
        "globalClusterIdentifier",
        "engineVersion",
        # Decided when a member is made (trap 43).
        "databaseName",
        "masterUsername",
        "masterPassword",
        "sourceRegion",
        "engineLifecycleSupport",
    }
    assert data.one(INSTANCE, region=region).ignore_changes == ("engineVersion",)


def test_only_the_primary_has_user_password_and_database(data: Deployment) -> None:
    """Trap 3: AWS refuses them for the secondary; a managed password for both."""
    primary, secondary = (cluster_of(data, region) for region in REGIONS)
    assert primary.inputs["databaseName"] == "app"
    assert primary.inputs["masterUsername"] == "postgres_admin"
    for key in ("databaseName", "masterUsername", "masterPassword"):
        assert secondary.inputs.get(key) is None
    for cluster in (primary, secondary):
        assert "manageMasterUserPassword" not in cluster.inputs
        assert "masterPasswordWo" not in cluster.inputs


def test_the_cluster_reads_its_password_back_from_the_secret(data: Deployment) -> None:
    """Trap 3: get_random_password answers anew each run, so the secret is written once and the
    cluster depends on what the secret holds."""
    version = data.one(VERSION, "secret-version-master")
    assert version.ignore_changes == ("secretString", "versionStages")
    assert "secretString" in version.secret_inputs
    primary = cluster_of(data, "us-east-1")
    assert version.urn in primary.property_dependencies["masterPassword"]
    assert "masterPassword" in primary.secret_inputs
    kept = json.loads(version.inputs["secretString"])
    assert primary.inputs["masterPassword"] == kept["password"]


@pytest.mark.no_cover
def test_an_interruption_between_secret_and_cluster_leaves_them_equal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Trap 3: the second run draws another password; the secret keeps the first (ignored change),
    and the cluster made in the second run has the first as well."""
    import computed_outputs

    passwords = iter(f"password-of-draw-{number}" for number in range(10))
    monkeypatch.setitem(
        computed_outputs._INVOKES,
        "aws:secretsmanager/getRandomPassword:getRandomPassword",
        lambda arguments, region: {"randomPassword": next(passwords), "id": "x"},
    )
    first = run_program("data")
    interrupted = Deployment("data", False, [r for r in first.resources if r.type != CLUSTER])
    second = run_program("data", previous=interrupted)
    drawn = [
        json.loads(run.one(VERSION, "secret-version-master").inputs["secretString"])["password"]
        for run in (first, second)
    ]
    assert drawn[0] != drawn[1]
    assert cluster_of(second, "us-east-1").inputs["masterPassword"] == drawn[0]


@every_region
def test_every_cluster_is_encrypted_with_its_regions_key(data: Deployment, region: str) -> None:
    """Trap 4: an encrypted secondary needs a key of its own region."""
    cluster = cluster_of(data, region)
    assert cluster.inputs["storageEncrypted"] is True
    assert cluster.inputs["kmsKeyId"] == data.one(KEY, region=region).outputs["arn"]
    assert data.one(GLOBAL).inputs["storageEncrypted"] is True


def test_the_secondary_says_where_it_copies_from(data: Deployment) -> None:
    """Trap 4: an encrypted copy across regions names its source region; the primary has none."""
    assert cluster_of(data, "us-west-2").inputs["sourceRegion"] == "us-east-1"
    assert "sourceRegion" not in cluster_of(data, "us-east-1").inputs


def test_the_version_is_the_same_everywhere(varied: Deployment) -> None:
    """Trap 6: one place says the version; instances take their cluster's."""
    data = varied
    holders = [data.one(GLOBAL), *data.created(CLUSTER)]
    assert {holder.inputs["engineVersion"] for holder in holders} == {"15.10"}
    assert all("engineVersion" not in instance.inputs for instance in data.created(INSTANCE))
    groups = data.created("aws:rds/clusterParameterGroup:ClusterParameterGroup")
    assert {group.inputs["family"] for group in groups} == {"aurora-postgresql15"}


def test_slow_operations_have_time(data: Deployment) -> None:
    """Trap 6: an upgrade of a global database takes over an hour."""
    for resource in (data.one(GLOBAL), *data.created(CLUSTER), *data.created(INSTANCE)):
        assert resource.custom_timeouts == {"create": "120m", "update": "180m", "delete": "120m"}


def test_applications_get_the_global_writer_endpoint(data: Deployment) -> None:
    """Trap 8: the endpoint that follows the writer, not one region's cluster."""
    endpoint = data.one(GLOBAL).outputs["endpoint"]
    assert data.exports["global_writer_endpoint"] == endpoint
    for region in REGIONS:
        parameter = data.one(PARAMETER, f"parameter-shared-database-endpoint-{region}")
        assert parameter.inputs["value"] == endpoint


@every_region
def test_global_database_rules(data: Deployment, region: str) -> None:
    """Trap 8b: no automatic minor upgrades, at least one instance a region, the same backup
    retention in the secondary (whose default is one day), no rds.global_db_rpo. Trap 53: who
    connects and who reads is logged."""
    instances = data.created(INSTANCE, region)
    assert len(instances) == 1
    assert not any(instance.inputs["autoMinorVersionUpgrade"] for instance in instances)
    assert cluster_of(data, region).inputs["backupRetentionPeriod"] == 7
    group = data.one("aws:rds/clusterParameterGroup:ClusterParameterGroup", region=region)
    assert group.inputs["parameters"] == [
        {"name": "rds.force_ssl", "value": "1", "applyMethod": "immediate"},
        # The database's own heartbeat is a job of pg_cron (recovery.md 2).
        {
            "name": "shared_preload_libraries",
            "value": "pg_stat_statements,pg_cron,pgaudit",
            "applyMethod": "pending-reboot",
        },
        {"name": "log_connections", "value": "1", "applyMethod": "immediate"},
        {"name": "log_disconnections", "value": "1", "applyMethod": "immediate"},
        {"name": "pgaudit.log", "value": "ddl,role", "applyMethod": "pending-reboot"},
        {"name": "pgaudit.role", "value": "rds_pgaudit", "applyMethod": "pending-reboot"},
    ]


def test_client_settings_of_backup_and_deletion(data: Deployment) -> None:
    """R1.2: skip_final_snapshot true, deletion protection false; a swapped role can't block."""
    for cluster in data.created(CLUSTER):
        assert cluster.inputs["skipFinalSnapshot"] is True
        assert cluster.inputs["deletionProtection"] is False
    assert data.one(GLOBAL).inputs["forceDestroy"] is True


def test_deletion_protection_is_opt_in(varied: Deployment) -> None:
    """R1.2, R9.3: one key protects the global cluster and both members; nothing shipped sets it."""
    protected = [varied.one(GLOBAL), *varied.created(CLUSTER)]
    assert [resource.inputs["deletionProtection"] for resource in protected] == [True] * 3


def test_windows_are_apart_in_the_two_regions(varied: Deployment) -> None:
    """R1.2: never are both regions backed up or maintained at once."""
    assert cluster_of(varied, "us-east-1").inputs["preferredBackupWindow"] == "22:30-23:30"
    for key in ("preferredBackupWindow", "preferredMaintenanceWindow"):
        one, other = (cluster_of(varied, region).inputs[key] for region in REGIONS)
        assert one != other


def test_instances_as_many_as_configured(varied: Deployment) -> None:
    """R1.3: the number of instances is the same in both regions, promotion in their order."""
    for region in REGIONS:
        instances = varied.created(INSTANCE, region)
        assert [instance.inputs["promotionTier"] for instance in instances] == [0, 1, 2]
        assert {instance.inputs["instanceClass"] for instance in instances} == {"db.r6g.large"}
        assert not any(instance.inputs["publiclyAccessible"] for instance in instances)


@pytest.mark.no_cover
def test_serverless_scales_between_its_capacities() -> None:
    """R1.3: db.serverless with min and max ACU on both clusters, and a warning below 8 ACU."""
    data = run_program(
        "data",
        config={
            "data:instanceClass": "db.serverless",
            "data:minCapacity": "4",
            "data:maxCapacity": "32",
        },
    )
    for region in REGIONS:
        scaling = cluster_of(data, region).inputs["serverlessv2ScalingConfiguration"]
        assert scaling == {"minCapacity": 4, "maxCapacity": 32}
    assert {i.inputs["instanceClass"] for i in data.created(INSTANCE)} == {"db.serverless"}
    assert any("advises at least 8" in text for text in data.warnings())


def test_fixed_classes_have_no_serverless_scaling(data: Deployment) -> None:
    """R1.3: a scaling block on a provisioned class would be drift for ever."""
    for region in REGIONS:
        assert "serverlessv2ScalingConfiguration" not in cluster_of(data, region).inputs


@every_region
def test_enhanced_monitoring_waits_for_its_permission(data: Deployment, region: str) -> None:
    """R9.3: RDS tries the role at once, so instances depend on the attachment."""
    instance = data.one(INSTANCE, region=region)
    attachment = data.one(
        "aws:iam/rolePolicyAttachment:RolePolicyAttachment", f"attachment-rds-monitoring-{region}"
    )
    assert instance.inputs["monitoringInterval"] == 60
    assert data.reaches(instance, attachment)


def test_monitoring_can_be_off_and_insights_on(varied: Deployment) -> None:
    """R1: enhanced monitoring and Performance Insights are configuration."""
    data = varied
    for region in REGIONS:
        instance = data.created(INSTANCE, region)[0]
        assert "monitoringRoleArn" not in instance.inputs
        assert instance.inputs["performanceInsightsEnabled"] is True
        assert (
            instance.inputs["performanceInsightsKmsKeyId"]
            == data.one(KEY, region=region).outputs["arn"]
        )
    assert [r.name for r in data.created("aws:iam/role:Role") if "monitoring" in r.name] == []


@every_region
def test_database_logs_are_ours(data: Deployment, region: str) -> None:
    """R9.3, HIPAA rds-logging-enabled: the group exists before Aurora would make one without
    retention, that no destroy removes."""
    cluster = cluster_of(data, region)
    group = data.one("aws:cloudwatch/logGroup:LogGroup", region=region)
    assert cluster.inputs["enabledCloudwatchLogsExports"] == ["postgresql"]
    identifier = cluster.inputs["clusterIdentifier"]
    assert group.inputs["name"] == f"/aws/rds/cluster/{identifier}/postgresql"
    assert group.inputs["kmsKeyId"] == data.one(KEY, region=region).outputs["arn"]
    assert group.urn in cluster.dependencies


@every_region
def test_databases_stand_in_the_networks_database_subnets(data: Deployment, region: str) -> None:
    """R7.1: the subnets and the group that the network layer exports for databases."""
    subnets = data.one("aws:rds/subnetGroup:SubnetGroup", region=region)
    assert all("database-subnet" in name.replace("_", "-") for name in subnets.inputs["subnetIds"])
    assert cluster_of(data, region).inputs["dbSubnetGroupName"] == subnets.inputs["name"]
    (group,) = cluster_of(data, region).inputs["vpcSecurityGroupIds"]
    assert "database" in group


@every_region
def test_the_cluster_endpoint_outlasts_a_role_swap(data: Deployment, region: str) -> None:
    """Trap 2, tf-aws #14219: AWS gives a secondary no writer endpoint, so it is derived from the
    reader's, which each role has."""
    role = "primary" if region == "us-east-1" else "secondary"
    outputs = cluster_of(data, region).outputs
    assert data.exports[role]["cluster_endpoint"] == outputs["endpoint"]
    assert data.exports[role]["reader_endpoint"] == outputs["readerEndpoint"]


# -- Keys and secrets ------------------------------------------------------------------------------


@every_region
def test_keys_rotate_and_name_the_services_that_use_them(data: Deployment, region: str) -> None:
    """R9.3, trap 29: CloudWatch and EventBridge publish in their own name, each under the condition
    that AWS supports for it; the rest act for a caller; logs for the functions' and the database's
    groups only."""
    key = data.one(KEY, region=region)
    assert key.inputs["enableKeyRotation"] is True
    policy = statements(key)
    assert set(policy) == {
        "AccountAdministers", "UsedThroughServices", "UsedForAlarms", "UsedForEventsToTopics",
        "UsedForEventsToQueues", "LogsServiceEncrypts",
    }  # fmt: skip
    alarms = policy["UsedForAlarms"]
    assert alarms["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert alarms["Condition"] == {"StringEquals": {"aws:SourceAccount": "123456789012"}}
    through = policy["UsedThroughServices"]["Condition"]["StringEquals"]["kms:ViaService"]
    assert {service.partition(".")[2] for service in through} == {
        "us-east-1.amazonaws.com", "us-west-2.amazonaws.com",
    }  # fmt: skip
    groups = policy["LogsServiceEncrypts"]["Condition"]["ArnLike"]
    assert groups["kms:EncryptionContext:aws:logs:arn"] == [
        f"arn:aws:logs:{region}:123456789012:log-group:/aws/lambda/*-{region}-{SUFFIX}",
        f"arn:aws:logs:{region}:123456789012:log-group:/aws/rds/cluster/*-{region}-{SUFFIX}/*",
    ]
    alias = data.one("aws:kms/alias:Alias", region=region)
    assert alias.inputs["targetKeyId"] == key.id
    assert (
        data.exports["primary" if region == "us-east-1" else "secondary"]["key_arn"]
        == (key.outputs["arn"])
    )


@every_region
def test_events_use_the_key_without_a_source_condition(data: Deployment, region: str) -> None:
    """Trap 29: ``aws:SourceAccount`` and ``aws:SourceArn`` in a key's policy aren't supported for
    EventBridge and encrypted topics (SNS developer guide, key management): the events vanish. What
    is encrypted limits the use instead: topics and queues of this environment."""
    policy = statements(data.one(KEY, region=region))
    conditions = {}
    for statement in policy.values():
        if statement["Principal"] == {"Service": "events.amazonaws.com"}:
            assert statement["Action"] == ["kms:Decrypt", "kms:GenerateDataKey*"]
            conditions.update(statement["Condition"].pop("ArnLike"))
            assert statement["Condition"] == {}
    here = f"{region}:123456789012"
    assert conditions == {
        "kms:EncryptionContext:aws:sns:topicArn": f"arn:aws:sns:{here}:topic-*-{region}-{SUFFIX}",
        "kms:EncryptionContext:aws:sqs:arn": f"arn:aws:sqs:{here}:queue-*-{region}-{SUFFIX}",
    }


@every_region
def test_the_account_governs_the_key_but_uses_it_through_services_only(
    data: Deployment, region: str
) -> None:
    """R9.3: no IAM policy of the account can decrypt directly, and nobody is locked out: the
    policy itself can be changed, and the key deleted."""
    administers = statements(data.one(KEY, region=region))["AccountAdministers"]
    assert administers["Principal"] == {"AWS": "arn:aws:iam::123456789012:root"}
    granted = set(administers["Action"])
    assert {"kms:PutKeyPolicy", "kms:ScheduleKeyDeletion", "kms:DescribeKey"} <= granted
    assert not {action for action in granted if "*" in action}
    use = ("Encrypt", "Decrypt", "ReEncrypt", "GenerateDataKey", "CreateGrant", "Sign")
    assert not {action for action in granted if action.partition(":")[2].startswith(use)}


@pytest.mark.parametrize(
    ("purpose", "username"), [("master", "postgres_admin"), ("application", "application")]
)
def test_secrets_are_replicated_under_each_regions_key(
    data: Deployment, purpose: str, username: str
) -> None:
    """R1, trap 30: our keys on both sides, and a recovery window of 0, which else blocks the next
    deployment under the same name."""
    keys = {region: data.one(KEY, region=region).outputs["arn"] for region in REGIONS}
    secret = data.one(SECRET, f"secret-{purpose}")
    assert data.region_of(secret) == "us-east-1"
    assert secret.inputs["kmsKeyId"] == keys["us-east-1"]
    assert secret.inputs["recoveryWindowInDays"] == 0
    assert secret.inputs["replicas"] == [{"region": "us-west-2", "kmsKeyId": keys["us-west-2"]}]
    version = data.one(VERSION, f"secret-version-{purpose}")
    assert json.loads(version.inputs["secretString"])["username"] == username
    assert "secretString" in version.additional_secret_outputs


def test_a_recovery_window_is_opt_in(varied: Deployment) -> None:
    """R9.3, trap 30: only a configuration that asks for it keeps deleted secrets."""
    assert {s.inputs["recoveryWindowInDays"] for s in varied.created(SECRET)} == {7}


def test_exports_carry_arns_and_no_password(data: Deployment) -> None:
    """Trap 33: the contract holds the secrets' ARNs, the secondary's being the replica's."""
    primary = data.exports["primary"]["application_secret_arn"]
    assert data.exports["secondary"]["application_secret_arn"] == primary.replace(
        ":us-east-1:", ":us-west-2:"
    )
    assert data.exports["master_secret_arn"] == data.one(SECRET, "secret-master").outputs["arn"]
    password = json.loads(data.one(VERSION, "secret-version-master").inputs["secretString"])
    assert not any(password["password"] in text for text in every_text(data.exports))


def test_no_component_registers_a_password(data: Deployment) -> None:
    """Trap 33: what components register is shown by tools, so no password is there either."""
    password = json.loads(data.one(VERSION, "secret-version-master").inputs["secretString"])
    assert not any(
        password["password"] in text
        for outputs in data.component_outputs.values()
        for text in every_text(outputs)
    )


# -- Buckets ---------------------------------------------------------------------------------------


@every_region
@pytest.mark.parametrize("purpose", ["content", "access-logs"])
def test_every_bucket_is_closed_versioned_and_destroyable(
    data: Deployment, region: str, purpose: str
) -> None:
    """R4.1: force_destroy, versions, no public access, no ACLs, TLS only, uploads that end."""
    bucket = data.one(BUCKET, f"bucket-{purpose}-{region}")
    assert bucket.inputs["forceDestroy"] is True

    def of(type_: str) -> dict[str, Any]:
        return next(r.inputs for r in data.created(type_) if r.inputs["bucket"] == bucket.id)

    assert of(VERSIONING)["versioningConfiguration"] == {"status": "Enabled"}
    blocks = of("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock")
    assert {value for key, value in blocks.items() if key != "bucket"} == {True}
    ownership = of("aws:s3/bucketOwnershipControls:BucketOwnershipControls")
    assert ownership["rule"] == {"objectOwnership": "BucketOwnerEnforced"}
    deny = statements(data.one(BUCKET_POLICY, f"bucket-policy-{purpose}-{region}"))[
        "DenyInsecureTransport"
    ]
    assert deny["Effect"] == "Deny"
    assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert deny["Resource"] == [bucket.outputs["arn"], f"{bucket.outputs['arn']}/*"]
    lifecycle = of("aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration")
    rule = lifecycle["rules"][0]
    assert rule["filter"] == {"prefix": ""}
    assert rule["abortIncompleteMultipartUpload"]["daysAfterInitiation"] >= 1


@every_region
def test_content_is_encrypted_with_our_key(data: Deployment, region: str) -> None:
    """R4, HIPAA s3-default-encryption-kms."""
    encryption = data.one(
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        f"encryption-content-{region}",
    )
    (rule,) = encryption.inputs["rules"]
    assert rule["applyServerSideEncryptionByDefault"] == {
        "sseAlgorithm": "aws:kms",
        "kmsMasterKeyId": data.one(KEY, region=region).outputs["arn"],
    }


@every_region
def test_load_balancer_logs_go_to_an_sse_s3_bucket(data: Deployment, region: str) -> None:
    """Trap 25: load balancers can't write to a bucket with a customer key."""
    encryption = data.one(
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        f"encryption-access-logs-{region}",
    )
    (rule,) = encryption.inputs["rules"]
    assert rule["applyServerSideEncryptionByDefault"] == {"sseAlgorithm": "AES256"}
    policy = statements(data.one(BUCKET_POLICY, f"bucket-policy-access-logs-{region}"))
    bucket = data.one(BUCKET, f"bucket-access-logs-{region}").outputs["arn"]
    assert policy["LoadBalancerLogs"] == {
        "Sid": "LoadBalancerLogs",
        "Effect": "Allow",
        "Principal": {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"},
        "Action": "s3:PutObject",
        "Resource": f"{bucket}/AWSLogs/123456789012/*",
    }
    logging = data.one("aws:s3/bucketLogging:BucketLogging", region=region)
    content = data.one(BUCKET, f"bucket-content-{region}")
    assert policy["ServerAccessLogs"] == {
        "Sid": "ServerAccessLogs",
        "Effect": "Allow",
        "Principal": {"Service": "logging.s3.amazonaws.com"},
        "Action": "s3:PutObject",
        "Resource": f"{bucket}/{logging.inputs['targetPrefix']}*",
        "Condition": {
            "StringEquals": {"aws:SourceAccount": "123456789012"},
            "ArnLike": {"aws:SourceArn": content.outputs["arn"]},
        },
    }
    policy_resource = data.one(BUCKET_POLICY, f"bucket-policy-access-logs-{region}")
    assert policy_resource.urn in logging.dependencies


@every_region
def test_replication_waits_for_versions_on_both_sides(data: Deployment, region: str) -> None:
    """Trap 22: versions before replication; a destroy removes replication before versions."""
    replication = data.one(REPLICATION, region=region)
    for place in REGIONS:
        versioning = data.one(VERSIONING, f"versioning-content-{place}")
        assert versioning.urn in replication.dependencies


@every_region
def test_replication_is_on_time_and_complete(data: Deployment, region: str) -> None:
    """R4.1, traps 23 and 24b: V2 filter, delete markers, 15 minutes with metrics, replica changes;
    no tag filter, which delete markers don't allow."""
    replication = data.one(REPLICATION, region=region)
    (rule,) = replication.inputs["rules"]
    assert rule["status"] == "Enabled"
    assert rule["filter"] == {"prefix": ""}
    assert "prefix" not in rule
    assert rule["deleteMarkerReplication"] == {"status": "Enabled"}
    assert rule["sourceSelectionCriteria"]["replicaModifications"] == {"status": "Enabled"}
    destination = rule["destination"]
    peer_bucket = data.one(BUCKET, f"bucket-content-{PEERS[region]}")
    assert destination["bucket"] == peer_bucket.outputs["arn"]
    assert destination["replicationTime"] == {"status": "Enabled", "time": {"minutes": 15}}
    assert destination["metrics"] == {"status": "Enabled", "eventThreshold": {"minutes": 15}}


@every_region
def test_encrypted_objects_replicate_under_the_other_regions_key(
    data: Deployment, region: str
) -> None:
    """Trap 24: selection of SSE-KMS objects, the replica's key, Decrypt here and Encrypt there."""
    (rule,) = data.one(REPLICATION, region=region).inputs["rules"]
    assert rule["sourceSelectionCriteria"]["sseKmsEncryptedObjects"] == {"status": "Enabled"}
    keys = {place: data.one(KEY, region=place).outputs["arn"] for place in REGIONS}
    assert rule["destination"]["encryptionConfiguration"] == {
        "replicaKmsKeyId": keys[PEERS[region]]
    }
    policy = data.one("aws:iam/policy:Policy", f"policy-replication-{region}")
    by_resource = {
        s["Resource"]: s for s in statements(policy).values() if "kms:" in str(s["Action"])
    }
    assert by_resource[keys[region]]["Action"] == ["kms:Decrypt"]
    assert "kms:Encrypt" in by_resource[keys[PEERS[region]]]["Action"]
    for resource, statement in by_resource.items():
        place = resource.split(":")[3]
        via = statement["Condition"]["StringEquals"]["kms:ViaService"]
        assert via == f"s3.{place}.amazonaws.com"
        bucket = data.one(BUCKET, f"bucket-content-{place}").outputs["arn"]
        assert statement["Condition"]["StringLike"] == {
            "kms:EncryptionContext:aws:s3:arn": [bucket, f"{bucket}/*"]
        }


@every_region
def test_the_destination_policy_is_what_the_client_wrote(data: Deployment, region: str) -> None:
    """R4.2: principal = the replication role of the other region; exactly these four actions."""
    policy = statements(data.one(BUCKET_POLICY, f"bucket-policy-content-{region}"))
    assert set(policy) == {"Replication", "DenyInsecureTransport"}
    role = data.one("aws:iam/role:Role", f"role-replication-{PEERS[region]}")
    bucket = data.one(BUCKET, f"bucket-content-{region}")
    assert policy["Replication"] == {
        "Sid": "Replication",
        "Effect": "Allow",
        "Principal": {"AWS": role.outputs["arn"]},
        "Action": [
            "s3:ReplicateObject",
            "s3:ReplicateDelete",
            "s3:ReplicateTags",
            "s3:GetObjectVersionForReplication",
        ],
        "Resource": f"{bucket.outputs['arn']}/*",
    }
    incoming = data.one(REPLICATION, region=PEERS[region])
    allowed = data.one(BUCKET_POLICY, f"bucket-policy-content-{region}")
    assert allowed.urn in incoming.dependencies


@every_region
def test_the_replication_role_touches_two_buckets_and_two_keys(
    data: Deployment, region: str
) -> None:
    """R9.3: reads its own bucket, writes the other one, no wildcard resource."""
    policy = data.one("aws:iam/policy:Policy", f"policy-replication-{region}")
    for statement in statements(policy).values():
        assert statement["Resource"] != "*"
        assert not any("*" in action for action in statement["Action"])
    role = data.one("aws:iam/role:Role", f"role-replication-{region}")
    (trusted,) = statements(role, "assumeRolePolicy").values()
    assert trusted["Principal"] == {"Service": "s3.amazonaws.com"}


def test_one_way_replication_is_a_choice(varied: Deployment) -> None:
    """R4.1: without bidirectionalReplication only us-east-1 replicates, and only us-west-2's
    policy names a role."""
    data = varied
    assert data.region_of(data.one(REPLICATION)) == "us-east-1"
    east = statements(data.one(BUCKET_POLICY, "bucket-policy-content-us-east-1"))
    west = statements(data.one(BUCKET_POLICY, "bucket-policy-content-us-west-2"))
    assert set(east) == {"DenyInsecureTransport"}
    assert set(west) == {"Replication", "DenyInsecureTransport"}


def test_lifecycle_rules_are_equal_on_both_sides(data: Deployment) -> None:
    """Trap 24b: replication carries objects, not what a lifecycle rule does to them."""
    kind = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
    one, other = (data.one(kind, f"lifecycle-content-{region}") for region in REGIONS)
    assert one.inputs["rules"] == other.inputs["rules"]
    rule, exports = one.inputs["rules"]
    assert rule["noncurrentVersionExpiration"]["noncurrentDays"] == 90
    assert rule["transitions"][0]["storageClass"] == "INTELLIGENT_TIERING"
    # Each holds whole records: none is kept longer than it is of use, nor its versions.
    assert exports["filter"] == {"prefix": "emergency/"}
    assert exports["expiration"] == {"days": 7}
    assert exports["noncurrentVersionExpiration"] == {"noncurrentDays": 1}


# -- Parameters and backup -------------------------------------------------------------------------


@every_region
def test_each_region_has_what_an_application_needs_to_start(data: Deployment, region: str) -> None:
    """names.md: role, bucket and bus are local; the database's address is shared."""
    found = {
        p.inputs["name"].removeprefix(f"/warm-standby/{region}/{SUFFIX}/"): p.inputs["value"]
        for p in data.created(PARAMETER, region)
    }
    switch = {"local/failover-switch"} if region == "us-west-2" else set()
    assert set(found) == switch | {
        "local/role", "local/bucket", "local/bus", "local/cluster-endpoint",
        "local/reader-endpoint", "local/application-secret",
        "shared/database-endpoint", "shared/database-port", "shared/database-name",
        "shared/epoch",
    }  # fmt: skip
    assert found["local/role"] == ("primary" if region == "us-east-1" else "secondary")
    assert found["local/bus"] == event_bus_name(region, SUFFIX)
    assert found["local/bucket"] == f"bucket-content-{region}-{SUFFIX}"
    assert f":{region}:" in found["local/application-secret"]
    assert found["shared/database-port"] == "5432"
    assert found["shared/epoch"] == "1"


def test_no_deploy_releases_the_failover_switch(data: Deployment) -> None:
    """Trap 12: the switch starts released and its value is nobody's but failover and failback's."""
    switch = data.one(PARAMETER, "parameter-local-failover-switch-us-west-2")
    assert switch.inputs["value"] == "released"
    assert switch.ignore_changes == ("value",)


def test_a_declared_parameter_is_the_same_in_both_regions_and_ignored_nowhere(
    data: Deployment,
) -> None:
    """R10, issue 19.3: what is declared reaches both regions by the deployment, so that the
    synchronisation never carries another value over it. What recovery writes, the switch and the
    epochs, no deploy touches anywhere."""
    shared: dict[str, set[str]] = {}
    for parameter in data.created(PARAMETER):
        name = parameter.inputs["name"]
        kept = name.endswith(("/failover-switch", "/epoch"))
        assert parameter.ignore_changes == (("value",) if kept else ())
        if "/shared/" in name:
            shared.setdefault(name.rpartition("/")[2], set()).add(parameter.inputs["value"])
    assert len(shared) == 4
    assert all(len(values) == 1 for values in shared.values())


VAULT, PLAN = "aws:backup/vault:Vault", "aws:backup/plan:Plan"
SELECTION = "aws:backup/selection:Selection"
OUTSIDE = "arn:aws:backup:us-east-1:999999999999:backup-vault:locked"


@pytest.mark.parametrize(("region", "peer"), [REGIONS, REGIONS[::-1]])
def test_each_region_has_a_plan_that_copies_to_the_other(
    data: Deployment, region: str, peer: str
) -> None:
    """R10, traps 31 and 45: daily, 35 days, copied; with the other writer the selection alone
    changes. Vaults with recovery points can be destroyed."""
    vaults = {name: data.one(VAULT, region=name) for name in REGIONS}
    (rule,) = data.one(PLAN, region=region).inputs["rules"]
    assert rule["targetVaultName"] == vaults[region].inputs["name"]
    assert rule["schedule"].startswith("cron(")
    assert rule["lifecycle"] == {"deleteAfter": 35}
    assert rule["copyActions"] == [
        {"destinationVaultArn": vaults[peer].outputs["arn"], "lifecycle": {"deleteAfter": 35}}
    ]
    assert vaults[region].inputs["forceDestroy"] is True
    assert vaults[region].inputs["kmsKeyArn"] == data.one(KEY, region=region).outputs["arn"]


def test_the_writer_alone_is_selected(data: Deployment) -> None:
    """Trap 45: one copy, not two; by ARN."""
    for region in REGIONS:
        selection = data.one(SELECTION, region=region).inputs
        arn = cluster_of(data, region).outputs["arn"]
        assert selection["resources"] == [arn]
        assert selection["notResources"] == ([] if region == "us-east-1" else [arn])
        assert "selectionTags" not in selection


def test_who_backs_up_can_t_restore(data: Deployment) -> None:
    """Trap 45: a role that may restore exists, and is another one than the daily plan's."""
    attached = {
        attachment.inputs["role"]: attachment.inputs["policyArn"].rpartition("/")[2]
        for attachment in data.created("aws:iam/rolePolicyAttachment:RolePolicyAttachment")
        if "Backup" in str(attachment.inputs["policyArn"])
    }
    assert attached == {
        f"role-backup-us-east-1-{SUFFIX}": "AWSBackupServiceRolePolicyForBackup",
        f"role-restore-us-east-1-{SUFFIX}": "AWSBackupServiceRolePolicyForRestores",
    }


def test_the_newest_copy_is_restored_once_a_month(data: Deployment) -> None:
    """Trap 45: where copies lie, into the database's own subnets and group, by the restoring
    role."""
    plan = data.one("aws:backup/restoreTestingPlan:RestoreTestingPlan")
    assert data.region_of(plan) == "us-west-2"
    assert plan.inputs["name"] == f"restore_testing_us_west_2_{SUFFIX}"
    assert plan.inputs["scheduleExpression"] == "cron(0 12 1 * ? *)"
    chosen = plan.inputs["recoveryPointSelection"]
    assert chosen["includeVaults"] == [data.one(VAULT, region="us-west-2").outputs["arn"]]
    assert chosen["algorithm"] == "LATEST_WITHIN_WINDOW"
    selection = data.one("aws:backup/restoreTestingSelection:RestoreTestingSelection")
    assert selection.inputs["protectedResourceType"] == "Aurora"
    assert selection.inputs["iamRoleArn"].endswith(f"role/role-restore-us-east-1-{SUFFIX}")
    group = data.one("aws:rds/subnetGroup:SubnetGroup", region="us-west-2")
    assert selection.inputs["restoreMetadataOverrides"] == {
        "dbSubnetGroupName": group.inputs["name"],
        "vpcSecurityGroupIds": '["database-security-group-id-us-west-2"]',
    }


def test_retention_tests_and_another_account_are_configuration() -> None:
    """Trap 45: both regions share one account's fate; the other account's vault is copied to from
    the region that it is in, and may read with that region's key alone."""
    varied = run_program(
        "data",
        config={
            "data:snapshotRetentionDays": 40, "data:copyRetentionDays": 7,
            "data:vaultCopyArn": OUTSIDE, "data:restoreTesting": False,
        },
    )  # fmt: skip
    copies = {}
    for region in REGIONS:
        (rule,) = varied.one(PLAN, region=region).inputs["rules"]
        assert rule["lifecycle"] == {"deleteAfter": 40}
        assert {copy["lifecycle"]["deleteAfter"] for copy in rule["copyActions"]} == {7}
        copies[region] = [copy["destinationVaultArn"] for copy in rule["copyActions"]]
    assert (copies["us-east-1"][1:], copies["us-west-2"][1:]) == ([OUTSIDE], [])
    assert "ReadForCopies" in varied.one(KEY, region="us-east-1").inputs["policy"]
    assert "ReadForCopies" not in varied.one(KEY, region="us-west-2").inputs["policy"]
    assert varied.created("aws:backup/restoreTestingPlan:RestoreTestingPlan") == []


@pytest.mark.parametrize("region", REGIONS)
def test_extended_support_is_declined_and_stays_as_it_is(data: Deployment, region: str) -> None:
    """Trap 55: said, not left to AWS's default, which bills by the hour; and no replacement of a
    cluster that was made otherwise."""
    for resource in (cluster_of(data, region), data.one("aws:rds/globalCluster:GlobalCluster")):
        wanted = "open-source-rds-extended-support-disabled"
        assert resource.inputs["engineLifecycleSupport"] == wanted
        assert "engineLifecycleSupport" in resource.ignore_changes


@every_region
def test_what_was_never_replicated_has_a_role_that_sends_it(data: Deployment, region: str) -> None:
    """Trap 56: for objects of before and for those that S3 gave up on; it starts replications of
    this bucket and writes lists, and may read no object of it."""
    role = data.one("aws:iam/role:Role", f"role-batch-replication-{region}")
    (trusted,) = json.loads(role.inputs["assumeRolePolicy"])["Statement"]
    assert trusted["Principal"] == {"Service": "batchoperations.s3.amazonaws.com"}
    policy = data.one("aws:iam/policy:Policy", f"policy-batch-replication-{region}")
    allowed = {
        entry["Sid"]: (set(entry["Action"]), entry["Resource"])
        for entry in json.loads(policy.inputs["policy"])["Statement"]
    }
    content = f"arn:aws:s3:::bucket-content-{region}-{SUFFIX}"
    lists = f"arn:aws:s3:::bucket-access-logs-{region}-{SUFFIX}/batch-replication/*"
    assert allowed == {
        "Start": ({"s3:InitiateReplication"}, [f"{content}/*"]),
        "List": (
            {"s3:GetReplicationConfiguration", "s3:PutInventoryConfiguration"}, [content]
        ),
        "Lists": ({"s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"}, [lists]),
    }  # fmt: skip


# -- Configuration ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"data:instanceClass": "db.t4g.medium"},
            "can't be burstable: AWS refuses it in a global database",
        ),
        ({"data:instanceClass": "db.huge"}, "must be db.serverless, or a size of a memory-"),
        ({"data:instanceClass": "db.r4.large"}, r"must be .*family \(r5, r6g, .*got db.r4.large"),
        ({"data:instanceClass": "db.r6g.7xlarge"}, "must be db.serverless, or a size of"),
        ({"data:instanceClass": "db.m6g.large"}, "must be db.serverless, or a size of"),
        ({"data:engineVersion": "14.5"}, "must be 14.6 or newer"),
        ({"data:engineVersion": "15.1"}, "no Aurora PostgreSQL version that supports Global"),
        ({"data:engineVersion": "99.1"}, "no Aurora PostgreSQL version that supports Global"),
        ({"data:engineVersion": "sixteen"}, "must be major.minor"),
        ({"data:backupRetentionDays": 0}, "must be between 1 and 35"),
        ({"data:snapshotRetentionDays": 6}, "must be between 7 and 3650"),
        (
            {"data:vaultCopyArn": "arn:aws:backup:eu-west-1:1:x"},
            "must be the ARN of a backup vault",
        ),
        ({"data:preferredBackupWindow": "25:00-26:00"}, "must be hh:mm-hh:mm in UTC"),
        ({"data:preferredBackupWindow": "03:00-03:10"}, "must be 30 minutes to 4 hours"),
        ({"data:secretRecoveryDays": 3}, "must be 0, or 7 to 30"),
        ({"data:journalLockDays": 5000}, "must be 0, or 1 to 3650"),
        ({"data:journalLockMode": "FOREVER"}, "must be GOVERNANCE or COMPLIANCE"),
        (
            {
                "data:instanceClass": "db.serverless",
                "data:minCapacity": "16",
                "data:maxCapacity": "8",
            },
            "is above data:maxCapacity",
        ),
        (
            {"data:instanceClass": "db.serverless", "data:minCapacity": "0"},
            "pauses the database, which a global database can't do",
        ),
        (
            {
                "data:instanceClass": "db.serverless",
                "data:engineVersion": "15.4",
                "data:maxCapacity": "192",
            },
            "192 is more than the 128 ACU of Aurora PostgreSQL 15.4: use 15.5 or newer",
        ),
        (
            {"data:instanceClass": "db.serverless", "data:minCapacity": "8.3"},
            "must be a multiple of 0.5 ACU",
        ),
    ],
)
def test_bad_configuration_is_refused_before_any_resource(
    config: dict[str, Any], message: str
) -> None:
    """R1.3, trap 5: one line says which key, why, and what works instead."""
    with pytest.raises(SettingsError, match=message) as raised:
        run_program("data", config=config)
    assert "\n" not in str(raised.value)


def test_the_readiness_token_is_one_secret_for_both_regions(data: Deployment) -> None:
    """Trap 64: a random text of its own, written once, whose replica each region reads."""
    secret = data.one("aws:secretsmanager/secret:Secret", "secret-readiness-token")
    assert secret.inputs["name"] == f"secret-readiness-token-us-east-1-{SUFFIX}"
    assert [replica["region"] for replica in secret.inputs["replicas"]] == ["us-west-2"]
    version = data.one(
        "aws:secretsmanager/secretVersion:SecretVersion", "secret-version-readiness-token"
    )
    assert "secretString" in version.secret_inputs
    assert version.ignore_changes == ("secretString", "versionStages")
    for role, region in (("primary", "us-east-1"), ("secondary", "us-west-2")):
        assert f":{region}:" in data.exports[role]["readiness_token_secret_arn"]
