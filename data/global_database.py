"""The Aurora global database: one global cluster, a member cluster in each region."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from database_secrets import DatabaseSecrets
from maintenance_windows import windows_of
from regional_cluster import (
    CHOSEN_AT_CREATION,
    DATABASE_NAME,
    ENGINE,
    LIFECYCLE,
    SLOW,
    MasterUser,
    RegionalCluster,
    RegionalClusterArgs,
)
from tapstack.contracts import RegionalNetwork
from tapstack.data_settings import DataSettings
from tapstack.pair import Pair
from tapstack.regions import Region


@dataclass(frozen=True)
class GlobalDatabaseArgs:
    """Both regions, their networks and keys, and the master user."""

    regions: Pair[Region]
    networks: Pair[RegionalNetwork]
    keys: Pair[aws.kms.Key]
    secrets: DatabaseSecrets
    settings: DataSettings
    account_id: pulumi.Input[str]
    writing_region: pulumi.Output[str]
    """The name of the region whose member is made as the writer."""


class GlobalDatabase(pulumi.ComponentResource):
    """The primary cluster, then the secondary.

    AWS deletes secondary instances, secondary cluster, primary instances, primary cluster, global
    cluster in this order only, so the secondary cluster depends on the primary *instances*
    (tf-aws #26236).
    """

    global_cluster: aws.rds.GlobalCluster
    clusters: Pair[RegionalCluster]

    def __init__(
        self, name: str, args: GlobalDatabaseArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        regions, settings = args.regions, args.settings
        super().__init__("warmstandby:data:GlobalDatabase", name, None, opts)
        self.global_cluster = aws.rds.GlobalCluster(
            "aurora-global",
            global_cluster_identifier=regions.primary.physical_name("aurora-global"),
            engine=ENGINE.value,
            engine_version=settings.engine_version,
            database_name=DATABASE_NAME,
            engine_lifecycle_support=LIFECYCLE,
            storage_encrypted=True,
            deletion_protection=settings.deletion_protection,
            # Removes a member that a role swap left behind, so that a destroy can finish.
            force_destroy=True,
            opts=pulumi.ResourceOptions(
                parent=self, custom_timeouts=SLOW, ignore_changes=CHOSEN_AT_CREATION
            ),
        )

        master = MasterUser(args.secrets.master_username, args.secrets.master_password)

        def member(
            region: Region,
            network: RegionalNetwork,
            key: aws.kms.Key,
            after: Sequence[pulumi.Resource] = (),
        ) -> RegionalCluster:
            return RegionalCluster(
                f"aurora-{region.name}",
                RegionalClusterArgs(
                    region=region,
                    network=network,
                    key=key,
                    settings=settings,
                    windows=windows_of(
                        settings.preferred_backup_window, is_primary=region.is_primary
                    ),
                    account_id=args.account_id,
                    global_cluster_id=self.global_cluster.id,
                    master=master,
                    writing_region=args.writing_region,
                    after=after,
                ),
                region.options(),
            )

        places = regions.zip(args.networks, args.keys)
        primary = member(*places.primary)
        secondary = member(*places.secondary, primary.instances)
        self.clusters = Pair(primary, secondary)
        self.register_outputs({"global_cluster_id": self.global_cluster.id})
