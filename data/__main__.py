"""The data layer: keys, global database, secrets, replicated buckets, parameters, backup."""

import pulumi
import pulumi_aws as aws

from access_log_bucket import AccessLogBucket, AccessLogBucketArgs
from backup_plan import BackupPlan, BackupPlanArgs
from bucket_replication import (
    BucketReplication,
    BucketReplicationArgs,
    BucketSide,
    ContentBucketPolicy,
    ContentBucketPolicyArgs,
    ReplicationRole,
    ReplicationRoleArgs,
)
from database_secrets import DatabaseSecrets, DatabaseSecretsArgs, replica_arn
from global_database import GlobalDatabase, GlobalDatabaseArgs
from keys import RegionalKey, RegionalKeyArgs
from parameters import RegionalParameters, RegionalParametersArgs
from regional_cluster import DATABASE_NAME, DATABASE_PORT
from replicated_bucket import ReplicatedBucket, ReplicatedBucketArgs
from tapstack.contracts import DataOutputs, NetworkOutputs, RegionalData, export, read
from tapstack.events import event_bus_name
from tapstack.regions import Pair, both_regions
from tapstack.settings import Settings


def main() -> None:
    """Declares the layer."""
    settings = Settings.of_program()
    for warning in settings.warnings():
        pulumi.log.warn(warning)
    regions = both_regions(settings)
    network = read(NetworkOutputs, consumer="data")
    networks = Pair(network.primary, network.secondary)
    account_id = aws.get_caller_identity_output(
        opts=pulumi.InvokeOutputOptions(provider=regions.primary.provider)
    ).account_id

    keys = Pair.of(
        RegionalKey(RegionalKeyArgs(region, peer, account_id)).key
        for region, peer in zip(regions, regions.swapped(), strict=True)
    )
    secrets = DatabaseSecrets(
        DatabaseSecretsArgs(
            regions=regions, keys=keys, recovery_days=settings.data.secret_recovery_days
        )
    )
    database = GlobalDatabase(
        GlobalDatabaseArgs(
            regions=regions,
            networks=networks,
            keys=keys,
            secrets=secrets,
            settings=settings.data,
            account_id=account_id,
        )
    )
    BackupPlan(
        BackupPlanArgs(
            regions=regions,
            keys=keys,
            cluster_arn=database.clusters.primary.cluster.arn,
        )
    )

    access_logs = regions.map(
        lambda region: AccessLogBucket(AccessLogBucketArgs(region, account_id))
    )
    sides = Pair.of(
        BucketSide(
            region,
            ReplicatedBucket(ReplicatedBucketArgs(region, key, logs.bucket, logs.policy)),
            key,
        )
        for region, key, logs in zip(regions, keys, access_logs, strict=True)
    )
    directions = [(sides.primary, sides.secondary)]
    if settings.data.bidirectional_replication:
        directions.append((sides.secondary, sides.primary))
    roles = {
        destination.region.name: ReplicationRole(ReplicationRoleArgs(source, destination))
        for source, destination in directions
    }
    policies = {
        side.region.name: ContentBucketPolicy(
            ContentBucketPolicyArgs(side, writer=roles.get(side.region.name))
        ).policy
        for side in sides
    }
    for source, destination in directions:
        BucketReplication(
            BucketReplicationArgs(
                source=source,
                destination=destination,
                role=roles[destination.region.name],
                wait_for=[policies[destination.region.name]],
            )
        )

    secret_arns = Pair(
        secrets.application.arn,
        replica_arn(secrets.application.arn, regions.secondary.name),
    )
    shared = {
        "database-endpoint": database.global_cluster.endpoint,
        "database-port": str(DATABASE_PORT),
        "database-name": DATABASE_NAME,
    }
    outputs = []
    for region, side, cluster, logs, key, secret_arn in zip(
        regions, sides, database.clusters, access_logs, keys, secret_arns, strict=True
    ):
        RegionalParameters(
            RegionalParametersArgs(
                region=region,
                local={
                    "role": region.role,
                    "bucket": side.bucket.bucket.bucket,
                    "bus": event_bus_name(region.name, region.suffix),
                    "cluster-endpoint": cluster.endpoint,
                    "reader-endpoint": cluster.cluster.reader_endpoint,
                    "application-secret": secret_arn,
                },
                shared=shared,
            )
        )
        outputs.append(
            RegionalData(
                cluster_identifier=cluster.cluster.cluster_identifier,
                cluster_endpoint=cluster.endpoint,
                reader_endpoint=cluster.cluster.reader_endpoint,
                bucket_name=side.bucket.bucket.bucket,
                bucket_arn=side.bucket.bucket.arn,
                access_log_bucket_name=logs.bucket.bucket,
                application_secret_arn=secret_arn,
                key_arn=key.arn,
            )
        )
    export(
        DataOutputs(
            primary=outputs[0],
            secondary=outputs[1],
            global_cluster_id=database.global_cluster.id,
            global_writer_endpoint=database.global_cluster.endpoint,
            database_port=DATABASE_PORT,
            master_secret_arn=secrets.master.arn,
        )
    )


main()
