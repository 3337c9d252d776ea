"""One region's Aurora cluster of the global database, with its instances."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from maintenance_windows import Windows
from tapstack.contracts import RegionalNetwork
from tapstack.data_settings import DataSettings
from tapstack.policies import trust
from tapstack.regions import Region
from tapstack.well_known import DATABASE_PORT

ENGINE = aws.rds.EngineType.AURORA_POSTGRESQL
DATABASE_NAME = "app"
Parameter = aws.rds.ClusterParameterGroupParameterArgsDict
FORCED_TLS: Parameter = {"name": "rds.force_ssl", "value": "1", "apply_method": "immediate"}
LIBRARIES: Parameter = {
    "name": "shared_preload_libraries",
    "value": "pg_stat_statements,pg_cron,pgaudit",
    "apply_method": "pending-reboot",
}
"""The first is Aurora's default; the database's own heartbeat is a job of pg_cron."""
AUDIT: tuple[Parameter, ...] = (
    {"name": "log_connections", "value": "1", "apply_method": "immediate"},
    {"name": "log_disconnections", "value": "1", "apply_method": "immediate"},
    # Changes of roles, rights and schema by anyone; single tables by what the role may do.
    {"name": "pgaudit.log", "value": "ddl,role", "apply_method": "pending-reboot"},
    {"name": "pgaudit.role", "value": "rds_pgaudit", "apply_method": "pending-reboot"},
)
"""Who connected, and who read or changed a record (HIPAA §164.312(b); Aurora user guide, "Using
pgAudit to log database activity"). The migration grants the role. Statements are logged without
their parameters, which hold patients' data."""
LIFECYCLE = "open-source-rds-extended-support-disabled"
"""No RDS Extended Support (Aurora user guide, "Amazon RDS Extended Support with Amazon Aurora")."""

SLOW = pulumi.CustomTimeouts(create="120m", update="180m", delete="120m")
"""Upgrades of a global database take over an hour (tf-aws #45398); nothing is shorter than the
provider's own limits (cluster 120 min, instance 90), or we would give up before it does."""

SWAPPED_BY_A_FAILOVER = ["replication_source_identifier", "global_cluster_identifier"]
"""A role swap changes these behind Pulumi's back: the demoted cluster reports a source, and a
second ``up`` that reverts either one detaches or promotes a cluster (tf-aws #43214, PR #40921)."""

DECIDED_WHEN_IT_IS_MADE = ["database_name", "master_username", "master_password", "source_region"]
"""They follow the writer of the moment in which a member is made; where one stands already, a
change of them would replace it (trap 43)."""

UPGRADED_BY_THE_GLOBAL_CLUSTER = ["engine_version"]
"""An upgrade is the global cluster's; its members follow (pulumi-aws, rds.GlobalCluster)."""


CHOSEN_AT_CREATION = ["engine_lifecycle_support"]
"""Another choice would replace the cluster (pulumi-aws): for one that exists it is made by
``modify-db-cluster``, or never."""


@dataclass(frozen=True)
class MasterUser:
    """Only the writer is made with one: AWS refuses it for a member that follows ("Cannot specify
    password for cross region replication cluster")."""

    username: pulumi.Input[str]
    password: pulumi.Input[str]


@dataclass(frozen=True)
class RegionalClusterArgs:
    """One member of the global database."""

    region: Region
    network: RegionalNetwork
    key: aws.kms.Key
    settings: DataSettings
    windows: Windows
    account_id: pulumi.Input[str]
    global_cluster_id: pulumi.Input[str]
    master: MasterUser
    writing_region: pulumi.Output[str]
    """Whose cluster is made as the writer; an encrypted other one copies from there."""
    after: Sequence[pulumi.Resource] = ()
    """What the cluster waits for: the primary's instances, of the secondary."""


class RegionalCluster(pulumi.ComponentResource):
    """Cluster, parameter group, log group, monitoring role, instances."""

    cluster: aws.rds.Cluster
    endpoint: pulumi.Output[str]
    """Leads to this cluster's writer; of a secondary, to the writer it would get by promotion."""
    instances: list[aws.rds.ClusterInstance]
    subnet_group: pulumi.Output[str]
    """Name of the database subnets' group, for what is restored beside."""

    def __init__(
        self, name: str, args: RegionalClusterArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        region, settings = args.region, args.settings
        super().__init__("warmstandby:data:RegionalCluster", name, None, opts)
        here = pulumi.ResourceOptions(parent=self)
        major = settings.engine_version.split(".")[0]
        identifier = region.physical_name("aurora-cluster")

        subnets = aws.rds.SubnetGroup(
            f"aurora-subnets-{region.name}",
            name=region.physical_name("aurora-subnets"),
            description="Database subnets of three zones",
            subnet_ids=args.network.database_subnet_ids,
            opts=here,
        )
        self.subnet_group = subnets.name
        parameters = aws.rds.ClusterParameterGroup(
            f"aurora-parameters-{region.name}",
            # The major version is in the name: the group of the next one is made beside it.
            name=region.physical_name("aurora-parameters", major),
            family=f"{ENGINE.value}{major}",
            description="TLS for every connection",
            parameters=[FORCED_TLS, LIBRARIES, *AUDIT],
            opts=here,
        )
        # Made before the cluster writes to it, so that it's encrypted, expires, and is destroyed.
        logs = aws.cloudwatch.LogGroup(
            f"log-group-postgresql-{region.name}",
            name=f"/aws/rds/cluster/{identifier}/postgresql",
            retention_in_days=settings.log_retention_days,
            kms_key_id=args.key.arn,
            opts=here,
        )
        master, name_of_region = args.master, region.name

        def if_reader(value: pulumi.Input[str]) -> pulumi.Output[Any]:
            return pulumi.Output.all(args.writing_region, value).apply(
                lambda known: known[1] if known[0] != name_of_region else None
            )

        def if_writer(value: pulumi.Input[str]) -> pulumi.Output[Any]:
            return pulumi.Output.all(args.writing_region, value).apply(
                lambda known: known[1] if known[0] == name_of_region else None
            )

        self.cluster = aws.rds.Cluster(
            f"aurora-cluster-{region.name}",
            cluster_identifier=identifier,
            global_cluster_identifier=args.global_cluster_id,
            engine=ENGINE,
            engine_version=settings.engine_version,
            # Said, not left to the default, which is Extended Support and bills by the vCPU-hour
            # once a major's standard support is over: then AWS upgrades the cluster instead.
            engine_lifecycle_support=LIFECYCLE,
            database_name=if_writer(DATABASE_NAME),
            master_username=if_writer(master.username),
            master_password=if_writer(master.password),
            source_region=if_reader(args.writing_region),
            port=DATABASE_PORT,
            db_subnet_group_name=subnets.name,
            db_cluster_parameter_group_name=parameters.name,
            vpc_security_group_ids=[args.network.database_security_group_id],
            storage_encrypted=True,
            kms_key_id=args.key.arn,
            backup_retention_period=settings.backup_retention_days,
            preferred_backup_window=args.windows.backup,
            preferred_maintenance_window=args.windows.maintenance,
            copy_tags_to_snapshot=True,
            enabled_cloudwatch_logs_exports=["postgresql"],
            iam_database_authentication_enabled=False,
            serverlessv2_scaling_configuration={
                "min_capacity": settings.min_capacity,
                "max_capacity": settings.max_capacity,
            }
            if settings.serverless
            else None,
            apply_immediately=True,
            skip_final_snapshot=True,
            deletion_protection=settings.deletion_protection,
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[logs, *args.after],
                ignore_changes=[
                    *SWAPPED_BY_A_FAILOVER,
                    *DECIDED_WHEN_IT_IS_MADE,
                    *UPGRADED_BY_THE_GLOBAL_CLUSTER,
                    *CHOSEN_AT_CREATION,
                ],
                custom_timeouts=SLOW,
            ),
        )
        self.endpoint = self.cluster.reader_endpoint.apply(writer_endpoint)
        monitoring_role = _monitoring_role(self, args) if settings.monitoring_interval else None
        self.instances = [
            aws.rds.ClusterInstance(
                f"aurora-instance-{number}-{region.name}",
                identifier=region.physical_name("aurora-instance", str(number)),
                cluster_identifier=self.cluster.id,
                # No engine version: an instance has its cluster's.
                engine=ENGINE,
                instance_class=settings.instance_class,
                promotion_tier=number - 1,
                publicly_accessible=False,
                # Managed failover needs equal versions in both regions.
                auto_minor_version_upgrade=False,
                monitoring_interval=settings.monitoring_interval,
                monitoring_role_arn=monitoring_role,
                performance_insights_enabled=settings.performance_insights,
                performance_insights_kms_key_id=args.key.arn
                if settings.performance_insights
                else None,
                preferred_maintenance_window=args.windows.maintenance,
                copy_tags_to_snapshot=True,
                apply_immediately=True,
                opts=pulumi.ResourceOptions(
                    parent=self,
                    ignore_changes=UPGRADED_BY_THE_GLOBAL_CLUSTER,
                    custom_timeouts=SLOW,
                ),
            )
            for number in range(1, settings.instances_per_region + 1)
        ]
        self.register_outputs({"cluster_identifier": self.cluster.cluster_identifier})


def writer_endpoint(reader_endpoint: str) -> str:
    """A cluster's writer endpoint, the same before and after a role swap.

    It differs from the reader's by one label (Aurora user guide, "Amazon Aurora endpoint
    connections"). AWS leaves it out of its answer for a secondary (tf-aws #14219), so the
    resource's own output would come and go with the role.

    >>> writer_endpoint("a.cluster-ro-x.us-west-2.rds.amazonaws.com")
    'a.cluster-x.us-west-2.rds.amazonaws.com'
    """
    return reader_endpoint.replace(".cluster-ro-", ".cluster-", 1)


def _monitoring_role(parent: pulumi.Resource, args: RegionalClusterArgs) -> pulumi.Output[str]:
    """The role of enhanced monitoring; its ARN is known once it may write."""
    region = args.region
    here = pulumi.ResourceOptions(parent=parent)
    role = aws.iam.Role(
        f"role-rds-monitoring-{region.name}",
        name=region.physical_name("role", "rds-monitoring"),
        permissions_boundary=region.permissions_boundary,
        assume_role_policy=trust("monitoring.rds.amazonaws.com", args.account_id),
        opts=here,
    )
    attachment = aws.iam.RolePolicyAttachment(
        f"attachment-rds-monitoring-{region.name}",
        role=role.name,
        policy_arn="arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole",
        opts=here,
    )
    return pulumi.Output.all(role.arn, attachment.id).apply(lambda known: known[0])
