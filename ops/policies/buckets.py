"""HIPAA conformance pack: S3."""

from ops.policies.graph import Graph, Resource
from ops.policies.rule import Rule
from tapstack.well_known import ACCESS_LOG_BUCKET

AREA = "S3"
LOGS_STAY = "access logs stay in the region that wrote them; patient data is in none of them"
ALB_LOGS = "load balancers write access logs to SSE-S3 buckets only (trap 25)"


def _buckets(graph: Graph) -> list[Resource]:
    return graph.of("s3/bucket:Bucket")


def is_log_bucket(bucket: Resource) -> bool:
    """Whether a bucket takes access logs."""
    return ACCESS_LOG_BUCKET in bucket.name or ACCESS_LOG_BUCKET in str(bucket.get("bucket", ""))


def _lacking(graph: Graph, type_: str) -> list[tuple[Resource, list[Resource]]]:
    return [(bucket, graph.attached(type_, "bucket", bucket)) for bucket in _buckets(graph)]


def _unreplicated(graph: Graph) -> list[Resource]:
    found = _lacking(graph, "s3/bucketReplicationConfig:BucketReplicationConfig")
    return [
        bucket
        for bucket, configs in found
        if not any(
            rule.get("status") == "Enabled"
            for config in configs
            for rule in config.get("rules", [])
        )
    ]


def _unversioned(graph: Graph) -> list[Resource]:
    found = _lacking(graph, "s3/bucketVersioning:BucketVersioning")
    return [
        bucket
        for bucket, settings in found
        if not any(
            (item.get("versioningConfiguration") or {}).get("status") == "Enabled"
            for item in settings
        )
    ]


def _algorithms(graph: Graph) -> list[tuple[Resource, list[str]]]:
    type_ = "s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
    return [
        (
            bucket,
            [
                (rule.get("applyServerSideEncryptionByDefault") or {}).get("sseAlgorithm", "")
                for item in settings
                for rule in item.get("rules", [])
            ],
        )
        for bucket, settings in _lacking(graph, type_)
    ]


def _unencrypted(graph: Graph) -> list[Resource]:
    return [bucket for bucket, algorithms in _algorithms(graph) if not any(algorithms)]


def _without_key(graph: Graph) -> list[Resource]:
    return [
        bucket
        for bucket, algorithms in _algorithms(graph)
        if not any(algorithm.startswith("aws:kms") for algorithm in algorithms)
    ]


def _plain_requests(graph: Graph) -> list[Resource]:
    found = _lacking(graph, "s3/bucketPolicy:BucketPolicy")
    return [
        bucket
        for bucket, policies in found
        if not any(
            statement.get("Effect") == "Deny"
            and statement.get("Condition", {}).get("Bool", {}).get("aws:SecureTransport")
            in ("false", False)
            for policy in policies
            for statement in policy.statements()
        )
    ]


def _unlogged(graph: Graph) -> list[Resource]:
    found = _lacking(graph, "s3/bucketLogging:BucketLogging")
    return [bucket for bucket, settings in found if not settings]


def _public(graph: Graph) -> list[Resource]:
    switches = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    found = _lacking(graph, "s3/bucketPublicAccessBlock:BucketPublicAccessBlock")
    return [
        bucket
        for bucket, blocks in found
        if not any(all(block.get(switch) for switch in switches) for block in blocks)
    ]


def _with_acl(graph: Graph) -> list[Resource]:
    found = _lacking(graph, "s3/bucketOwnershipControls:BucketOwnershipControls")
    return [
        bucket
        for bucket, controls in found
        if not any(
            (control.get("rule") or {}).get("objectOwnership") == "BucketOwnerEnforced"
            for control in controls
        )
    ]


def _unlocked(graph: Graph) -> list[Resource]:
    return [bucket for bucket in _buckets(graph) if not bucket.get("objectLockEnabled")]


def _endless_versions(graph: Graph) -> list[Resource]:
    found = _lacking(graph, "s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration")
    return [
        bucket
        for bucket, settings in found
        if not any(
            rule.get("noncurrentVersionExpiration")
            for item in settings
            for rule in item.get("rules", [])
        )
    ]


def _silent(graph: Graph) -> list[Resource]:
    found = _lacking(graph, "s3/bucketNotification:BucketNotification")
    return [bucket for bucket, settings in found if not settings]


RULES = (
    Rule("s3-bucket-replication-enabled", AREA, _unreplicated, LOGS_STAY, is_log_bucket),
    Rule("s3-bucket-versioning-enabled", AREA, _unversioned),
    Rule("s3-bucket-server-side-encryption-enabled", AREA, _unencrypted),
    Rule("s3-default-encryption-kms", AREA, _without_key, ALB_LOGS, is_log_bucket),
    Rule("s3-bucket-ssl-requests-only", AREA, _plain_requests),
    Rule(
        "s3-bucket-logging-enabled",
        AREA,
        _unlogged,
        "a log bucket that logs into itself grows without end",
        is_log_bucket,
    ),
    Rule("s3-bucket-public-read-prohibited", AREA, _public),
    Rule("s3-bucket-public-write-prohibited", AREA, _public),
    Rule(
        "s3-account-level-public-access-blocks-periodic",
        AREA,
        None,
        "an account's setting, outside these stacks; every bucket here blocks public access itself",
    ),
    Rule("s3-bucket-acl-prohibited", AREA, _with_acl),
    Rule(
        "s3-bucket-default-lock-enabled",
        AREA,
        _unlocked,
        "a locked object can't be deleted, and everything must be destroyable (R9.3)",
    ),
    Rule("s3-version-lifecycle-policy-check", AREA, _endless_versions),
    Rule(
        "s3-event-notifications-enabled",
        AREA,
        _silent,
        "nothing here reacts to single objects; replication is watched by its metrics and alarms",
    ),
)
