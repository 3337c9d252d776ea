"""HIPAA conformance pack: RDS and Aurora."""

from ops.policies.graph import Graph, NotKnownError, Resource
from ops.policies.rule import Rule

AREA = "RDS, Aurora"
LEAST_RETENTION_DAYS = 7
CLUSTER = "rds/cluster:Cluster"
INSTANCE = "rds/clusterInstance:ClusterInstance"


def _clusters(graph: Graph) -> list[Resource]:
    return graph.of(CLUSTER)


def _instances(graph: Graph) -> list[Resource]:
    return graph.of(INSTANCE, "rds/instance:Instance")


def _unencrypted(graph: Graph) -> list[Resource]:
    return [
        cluster
        for cluster in _clusters(graph)
        if not (cluster.get("storageEncrypted") and _has_key(cluster))
    ]


def _has_key(resource: Resource) -> bool:
    return bool(resource.get("kmsKeyId") or resource.references.get("kmsKeyId"))


def _unprotected(graph: Graph) -> list[Resource]:
    return [cluster for cluster in _clusters(graph) if not cluster.get("deletionProtection")]


def _single_instance(graph: Graph) -> list[Resource]:
    return [
        cluster
        for cluster in _clusters(graph)
        if len(graph.attached(INSTANCE, "clusterIdentifier", cluster)) < 2
    ]


def _single_zone(graph: Graph) -> list[Resource]:
    return [item for item in graph.of("rds/instance:Instance") if not item.get("multiAz")]


def _public(graph: Graph) -> list[Resource]:
    return [item for item in _instances(graph) if item.get("publiclyAccessible")]


def _unlogged(graph: Graph) -> list[Resource]:
    return [
        cluster
        for cluster in _clusters(graph)
        if "postgresql" not in cluster.get("enabledCloudwatchLogsExports", [])
    ]


def _unmonitored(graph: Graph) -> list[Resource]:
    return [item for item in _instances(graph) if not item.get("monitoringInterval")]


def _no_minor_upgrades(graph: Graph) -> list[Resource]:
    return [item for item in _instances(graph) if not item.get("autoMinorVersionUpgrade")]


def _few_backups(graph: Graph) -> list[Resource]:
    return [
        cluster
        for cluster in _clusters(graph)
        if int(cluster.get("backupRetentionPeriod", 0)) < LEAST_RETENTION_DAYS
    ]


def _not_in_plan(graph: Graph) -> list[Resource]:
    selections = graph.of("backup/selection:Selection")
    return [
        cluster
        for cluster in _clusters(graph)
        if not any(
            graph.names(selection, "resources", cluster) and not _leaves_out(selection)
            for selection in selections
        )
    ]


def _leaves_out(selection: Resource) -> bool:
    """Whether a selection excludes what it names: the cluster of the region that only reads, which
    in a preview may be yet to be made."""
    try:
        return bool(selection.get("notResources"))
    except NotKnownError:
        return True


def _plain_snapshots(graph: Graph) -> list[Resource]:
    return [
        snapshot
        for snapshot in graph.of("rds/clusterSnapshotCopy:ClusterSnapshotCopy")
        if not _has_key(snapshot)
    ]


def _public_snapshots(graph: Graph) -> list[Resource]:
    return [
        snapshot
        for snapshot in graph.of(
            "rds/clusterSnapshot:ClusterSnapshot",
            "rds/clusterSnapshotCopy:ClusterSnapshotCopy",
        )
        if "all" in snapshot.get("sharedAccounts", [])
    ]


def is_secondary(cluster: Resource) -> bool:
    """Whether a cluster was made as the secondary of a global database: it takes no user."""
    return "masterUsername" not in cluster.properties or bool(cluster.get("sourceRegion"))


REPLICATED = (
    "the writer's cluster is selected by its ARN and its backups are copied to the other region; "
    "the reader holds the same data, and selecting it too would make a second copy"
)

RULES = (
    Rule("rds-storage-encrypted", AREA, _unencrypted),
    Rule(
        "rds-cluster-deletion-protection-enabled",
        AREA,
        _unprotected,
        "everything is destroyable with no manual step (R9.3); data:deletionProtection turns it on",
    ),
    Rule(
        "rds-cluster-multi-az-enabled",
        AREA,
        _single_instance,
        "one instance a region is the least that keeps the promises, since the other region stands "
        "by; data:instancesPerRegion 2 or more puts them into several zones",
    ),
    Rule("rds-multi-az-support", AREA, _single_zone),
    Rule("rds-instance-public-access-check", AREA, _public),
    Rule("rds-logging-enabled", AREA, _unlogged),
    Rule(
        "rds-enhanced-monitoring-enabled",
        AREA,
        _unmonitored,
        "turned off by data:monitoringInterval 0",
    ),
    Rule(
        "rds-automatic-minor-version-upgrade-enabled",
        AREA,
        _no_minor_upgrades,
        "not available in a global database, whose failover needs equal versions (trap 8b)",
    ),
    Rule("db-instance-backup-enabled", AREA, _few_backups),
    Rule("rds-in-backup-plan", AREA, _not_in_plan, REPLICATED, is_secondary),
    Rule("aurora-resources-protected-by-backup-plan", AREA, _not_in_plan, REPLICATED, is_secondary),
    Rule("rds-snapshot-encrypted", AREA, _plain_snapshots),
    Rule("rds-snapshots-public-prohibited", AREA, _public_snapshots),
)
