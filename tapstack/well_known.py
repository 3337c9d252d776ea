"""Names that layers, code and operators agree on instead of passing them along (docs/names.md).

What one layer makes and another uses has its name here, or is a field of a contract
(:mod:`tapstack.contracts`). The Node.js application can't import this module: a test compares.
"""

PROJECT = "warm-standby"
"""The ``Project`` tag, the first part of parameters' paths, of event sources and of the default
domain."""

SUFFIX_TAG = "EnvironmentSuffix"
"""The tag, and the dimension of our own metrics, that distinguishes environments of an account."""

SNAPSHOT_TAG = "Snapshot"
"""Of a cluster that is restored for a while: the ARN of the snapshot whose volume it holds."""

METRIC_NAMESPACE = "WarmStandby"
"""Our own metrics, with the dimension :data:`SUFFIX_TAG`."""

HEALTH_PATH = "/health"
"""What load balancers, Route 53 and operators ask: 200 while the function runs."""

READY_PATH = "/ready"
"""What operators and the recovery controller ask, with the header :data:`TOKEN_HEADER`: could this
region serve, and does it reach its writer?"""

TOKEN_HEADER = "x-readiness-token"  # noqa: S105 - the header's name
"""Carries the readiness token."""

READINESS_TOKEN = "readiness-token"  # noqa: S105 - a purpose
"""Purpose of the secret with that token, in each region under the primary's name."""

DEPLOYED_LABEL = "DEPLOYED"
"""Staging label of the secret's version that the state holds. A version without a label may be
deleted by AWS: the next deployment would then write a new password over the current one."""

ALTERNATE_SUFFIX = "_b"
"""Ends the name of the application's second database user: rotations go from one to the other."""

FAILOVER_SWITCH_PATH = "/failover-switch"
"""What Route 53 asks of the standby: 200 while the switch is engaged, else 404."""

FAILOVER_SWITCH = "failover-switch"
"""Key of the switch's parameter; the standby region has it, under ``local``."""

SWITCH_ENGAGED = "engaged"
"""The switch's value while the standby writes, and traffic stays there."""

SWITCH_RELEASED = "released"
"""The switch's value while traffic may go to the primary."""

EPOCH = "epoch"
"""Key of the parameter with the newest epoch that a region knows, under ``shared``."""

FIRST_EPOCH = "1"
"""Its value before the first promotion, as the database's own (``recovery.epoch``)."""

DATABASE_PORT = 5432
"""PostgreSQL's: security groups open it before there is a database."""

API_FUNCTION = "api"
"""Purpose of the function that serves requests and consumes events."""

CONTENT_BUCKET = "content"
"""Purpose of the replicated bucket."""

JOURNAL_BUCKET = "journal"
"""Purpose of the locked buckets in their names."""

ATTACHMENTS_PREFIX = "attachments/"
"""Where the application puts files in the content bucket, and nowhere else."""

EMERGENCY_FUNCTION = "emergency"
"""Purpose of the function that writes the nightly emergency export, and of its schedule."""

EMERGENCY_PREFIX = "emergency/"
"""Where emergency exports are in the content bucket, below it those of each region."""

EMERGENCY_KEPT_DAYS = 7
"""Days that an emergency export is kept: each holds whole records, and an old one is of no use but
as a second chance."""

EMERGENCY_EXPORT = "EmergencyExport"
"""Metric: 1 for each emergency export that a region made whole."""

BATCH_REPLICATION = "batch-replication"
"""Purpose of the role of S3 Batch Replication's jobs."""

BATCH_PREFIX = "batch-replication/"
"""Where such a job's lists and reports go, in the bucket of access logs."""

ACCESS_LOG_BUCKET = "access-logs"
"""Purpose of the bucket that receives access logs."""

MIGRATE_FUNCTION = "migrate"
"""Purpose of the function that makes the database's users and schema, in rotations as well."""

PROBE_FUNCTION = "probe"
"""Purpose of the function that asks the database from inside the VPC."""

LIVE = "live"
"""The alias by which the application's functions are called: load balancers, queues, schedules and
the recovery controller name it (:mod:`tapstack.releases`)."""

GATE_FUNCTION = "gate"
"""Purpose of the function that asks the standby before the primary region gets new code."""

RECOVERY = "recovery"
"""Purpose of the recovery controller's function, table and rule."""

VALIDATE = "validate"
"""Purpose of the function that proves every five minutes that a failover would work."""

SYNCHRONISE = "parameters"
"""Purpose of the function that carries shared parameters to the other region."""

FAILOVER_TEST = "failover-test"
"""Purpose of the function that tries a failover's parts."""

PARAMETER_LAG = "ParameterLag"
"""Metric: how long the oldest difference between both regions' shared parameters waits, in
seconds."""

FAILOVER_READINESS = "FailoverReadiness"
"""Metric: 1 while a region's validator finds everything ready, else 0."""

CONTROLLER_HEARTBEAT = "ControllerHeartbeat"
"""Metric: 1 for each run of a region's recovery controller."""

WITNESS, WITNESS_STANDBY = "witness", "witness-standby"
"""First labels of the TXT records below the clients' name by which Route 53's checkers say whether
us-east-1's, and us-west-2's, load balancer is healthy."""

FAILED_EVENTS = "failed-events"
"""Purpose of the queue with events that the function failed on, and of its alarm."""

FORWARD_DEAD_LETTERS = "forward-dead-letters"
"""Purpose of the queue with events that didn't reach the other region, and of its alarm."""

CONSUME = "consume"
"""Purpose of the queue in which events wait for the function, and of the rule that fills it."""

CONSUME_DEAD_LETTERS = "consume-dead-letters"
"""Purpose of the queue with events that didn't reach the function, and of its alarm."""


def emergency_prefix(region: str) -> str:
    """Where a region puts its exports, each in a folder named by its time."""
    return f"{EMERGENCY_PREFIX}{region}/"


def replication_rule_id(destination: str) -> str:
    """Id of the S3 replication rule into a region, which the rule's metrics carry as ``RuleId``."""
    return f"to-{destination}"


SPARED_REGION_VARIABLE = "WARM_STANDBY_SPARED_REGION"
"""Names the region that a deployment leaves alone, because it is lost: a program then asks nothing
of it (docs/names.md)."""


def provider_name(region: str) -> str:
    """The resource name of a region's provider in each program."""
    return f"aws-{region}"
