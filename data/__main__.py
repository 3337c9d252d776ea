"""The data layer: keys, global database, secrets, replicated buckets, parameters, backup."""

import pulumi

from access_log_bucket import AccessLogBucket, AccessLogBucketArgs
from backup_plan import BackupPlan, BackupPlanArgs
from batch_replication import BatchReplicationRole, BatchReplicationRoleArgs
from bucket_replication import (
    BucketReplication,
    BucketReplicationArgs,
    BucketSide,
    ReplicatedBucketPolicy,
    ReplicatedBucketPolicyArgs,
    ReplicationRole,
    ReplicationRoleArgs,
)
from database_secrets import DatabaseSecrets, DatabaseSecretsArgs
from global_database import GlobalDatabase, GlobalDatabaseArgs
from journal_bucket import JournalBucket, JournalBucketArgs
from keys import RegionalKey, RegionalKeyArgs
from parameters import RegionalParameters, RegionalParametersArgs
from readiness_token import ReadinessToken, ReadinessTokenArgs
from regional_cluster import DATABASE_NAME
from replicated_bucket import ReplicatedBucket, ReplicatedBucketArgs
from replicated_secret import replica_arn
from restore_testing import RestoreTesting, RestoreTestingArgs
from tapstack.contracts import DataOutputs, NetworkOutputs, RegionalData, export, read
from tapstack.events import event_bus_name
from tapstack.pair import Pair
from tapstack.regions import account_id, both_regions
from tapstack.settings import Settings
from tapstack.well_known import CONTENT_BUCKET, DATABASE_PORT, JOURNAL_BUCKET
from writer import writing_region

settings = Settings.of_program()
for warning in settings.warnings():
    pulumi.log.warn(warning)
regions = both_regions(settings)
network = read(NetworkOutputs, consumer="data")
account = account_id(settings, regions)

keys = Pair.of(
    RegionalKey(
        f"key-{region.name}",
        RegionalKeyArgs(
            region,
            peer,
            account,
            settings.data.vault_copy_account
            if settings.data.vault_copy_region == region.name
            else "",
        ),
        region.options(),
    ).key
    for region, peer in regions.zip(regions.swapped())
)
secrets = DatabaseSecrets(
    "database-secrets",
    DatabaseSecretsArgs(
        regions=regions, keys=keys, recovery_days=settings.data.secret_recovery_days
    ),
    regions.primary.options(),
)
readiness_token = ReadinessToken(
    "token-readiness",
    ReadinessTokenArgs(
        regions=regions, keys=keys, recovery_days=settings.data.secret_recovery_days
    ),
    regions.primary.options(),
)
writer = writing_region(regions)
database = GlobalDatabase(
    "global-database",
    GlobalDatabaseArgs(
        regions=regions,
        networks=network.both,
        keys=keys,
        secrets=secrets,
        settings=settings.data,
        account_id=account,
        writing_region=writer,
    ),
    regions.primary.options(),
)
backup = BackupPlan(
    "backup",
    BackupPlanArgs(
        regions=regions,
        keys=keys,
        cluster_arns=database.clusters.map(lambda cluster: cluster.cluster.arn),
        writer=writer,
        settings=settings.data,
    ),
    regions.primary.options(),
)
if settings.data.restore_testing:
    RestoreTesting(
        "restore-testing",
        RestoreTestingArgs(
            region=regions.secondary,
            backup=backup,
            vault=backup.vaults.secondary,
            network=network.secondary,
            subnet_group=database.clusters.secondary.subnet_group,
            window_days=settings.data.copy_retention_days,
        ),
        regions.secondary.options(),
    )

locks = settings.data.journal_lock_days
logged = (CONTENT_BUCKET, JOURNAL_BUCKET) if locks else (CONTENT_BUCKET,)
access_logs = regions.map(
    lambda region: AccessLogBucket(
        f"access-logs-{region.name}", AccessLogBucketArgs(region, account, logged), region.options()
    )
)
lists = {region.name: logs for region, logs in regions.zip(access_logs)}
sides = Pair.of(
    BucketSide(
        region,
        ReplicatedBucket(
            f"content-{region.name}",
            ReplicatedBucketArgs(region, key, logs.bucket, logs.policy),
            region.options(),
        ),
        key,
    )
    for region, key, logs in regions.zip(keys, access_logs)
)
directions = [(sides.primary, sides.secondary)]
if settings.data.bidirectional_replication:
    directions.append((sides.secondary, sides.primary))
writers = {
    destination.region.name: ReplicationRole(
        f"replication-role-{source.region.name}",
        ReplicationRoleArgs(source, destination),
        source.region.options(),
    )
    for source, destination in directions
}
policies = {
    side.region.name: ReplicatedBucketPolicy(
        f"content-policy-{side.region.name}",
        ReplicatedBucketPolicyArgs(side, writer=writers.get(side.region.name)),
        side.region.options(),
    ).policy
    for side in sides
}
for source, destination in directions:
    BucketReplication(
        f"replication-{source.region.name}",
        BucketReplicationArgs(
            source=source,
            destination=destination,
            role=writers[destination.region.name],
            wait_for=[policies[destination.region.name]],
        ),
        source.region.options(),
    )
    BatchReplicationRole(
        f"batch-replication-{source.region.name}",
        BatchReplicationRoleArgs(
            source.region, source.bucket.bucket, lists[source.region.name].bucket
        ),
        source.region.options(),
    )
if locks:
    journals = Pair.of(
        BucketSide(
            region,
            JournalBucket(
                f"journal-{region.name}",
                JournalBucketArgs(
                    region, key, logs.bucket, logs.policy, locks, settings.data.journal_lock_mode
                ),
                region.options(),
            ),
            key,
            JOURNAL_BUCKET,
        )
        for region, key, logs in regions.zip(keys, access_logs)
    )
    for source, destination in journals.zip(journals.swapped()):
        ReplicatedBucketPolicy(
            f"journal-policy-{source.region.name}",
            ReplicatedBucketPolicyArgs(source, writer=None),
            source.region.options(),
        )
        BucketReplication(
            f"journal-replication-{source.region.name}",
            BucketReplicationArgs(
                source=source,
                destination=destination,
                role=ReplicationRole(
                    f"journal-replication-role-{source.region.name}",
                    ReplicationRoleArgs(source, destination),
                    source.region.options(),
                ),
                wait_for=[],
            ),
            source.region.options(),
        )

outputs = Pair.of(
    RegionalData(
        cluster_identifier=cluster.cluster.cluster_identifier,
        cluster_endpoint=cluster.endpoint,
        reader_endpoint=cluster.cluster.reader_endpoint,
        bucket_name=side.bucket.bucket.bucket,
        bucket_arn=side.bucket.bucket.arn,
        access_log_bucket_name=logs.bucket.bucket,
        application_secret_arn=replica_arn(secrets.application.arn, side.region.name),
        readiness_token_secret_arn=replica_arn(readiness_token.secret.arn, side.region.name),
        key_arn=side.key.arn,
    )
    for side, cluster, logs in sides.zip(database.clusters, access_logs)
)
for region, own in regions.zip(outputs):
    RegionalParameters(
        f"parameters-{region.name}",
        RegionalParametersArgs(
            region=region,
            local={
                "role": region.role,
                "bucket": own.bucket_name,
                "bus": event_bus_name(region.name, region.suffix),
                "cluster-endpoint": own.cluster_endpoint,
                "reader-endpoint": own.reader_endpoint,
                "application-secret": own.application_secret_arn,
            },
            shared={
                "database-endpoint": database.global_cluster.endpoint,
                "database-port": str(DATABASE_PORT),
                "database-name": DATABASE_NAME,
            },
        ),
        region.options(),
    )
export(
    DataOutputs(
        primary=outputs.primary,
        secondary=outputs.secondary,
        global_cluster_id=database.global_cluster.id,
        global_writer_endpoint=database.global_cluster.endpoint,
        database_port=DATABASE_PORT,
        database_name=DATABASE_NAME,
        master_secret_arn=secrets.master.arn,
    )
)
