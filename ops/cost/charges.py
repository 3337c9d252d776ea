"""What each declared resource costs a month: a pure function of the resource and the price book.

Every type that the programs declare is either priced here or listed as free of charge; an unknown
type is an error, so that nothing new is priced at zero by oversight.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from ops.cost.declared import Declared
from ops.cost.prices import PriceBook
from ops.errors import OperatorError
from tapstack.data_settings import SERVERLESS
from tapstack.well_known import EMERGENCY_FUNCTION, EMERGENCY_KEPT_DAYS


@dataclass(frozen=True)
class Charge:
    """One line of an estimate."""

    group: str
    """What people look for: ``NAT``, ``Aurora instances`` …"""
    region: str
    what: str
    quantity: float
    unit: str
    monthly: float
    """US dollars"""
    assumed: bool
    """Whether the quantity is an assumption on use, not what is declared."""


@dataclass(frozen=True)
class Context:
    """What pricing one resource may need beside it."""

    book: PriceBook
    min_capacity: float
    """Least ACU of a serverless instance: the floor of its price."""
    resources: tuple[Declared, ...] = ()
    """All that is declared, where one resource's price needs another's inputs."""

    def beside(self, resource: Declared, type_: str) -> Declared:
        """The resource of a type in the same region."""
        return next(
            one for one in self.resources if one.type == type_ and one.region == resource.region
        )

    def hours(self, key: str, count: float = 1) -> float:
        """The monthly price of something billed by the hour."""
        return self.book.price[key] * self.book.hours * count


REQUEST_HANDLER = "index.handler"
"""The entry point of the function that serves requests (``lambda_src/api``)."""
EMERGENCY_HANDLER = "index.emergency"
RECOVERY_HANDLERS = "recovery."
VALIDATOR_HANDLER = "recovery.validator.handler"
VALIDATOR_CALLS = {
    "secrets": ("secret.million-calls", 6),
    "keys": ("kms.million-requests", 10),
    "alarms and metric": ("cloudwatch.million-requests", 2),
    "marker object and its replica": ("s3.million-puts", 2),
}
"""What one run of the readiness validator asks of services that bill each call."""

Pricer = Callable[[Declared, Context], Iterator[Charge]]


def charges(resources: Iterable[Declared], book: PriceBook, min_capacity: float) -> list[Charge]:
    """All charges of a month, those of the declared resources in their order.

    Raises :class:`OperatorError` for a type or a database class without a price.
    """
    known = tuple(resources)
    context = Context(book, min_capacity, known)
    found: list[Charge] = []
    for resource in known:
        if resource.type in FREE:
            continue
        if resource.type not in PRICED:
            raise OperatorError(
                f"{resource.type} has no price: add it to ops/cost/charges.py, priced or as free "
                "of charge"
            )
        found.extend(PRICED[resource.type](resource, context))
    return found


def _declared(
    resource: Declared, group: str, what: str, quantity: float, unit: str, monthly: float
) -> Charge:
    return Charge(group, resource.region, what, quantity, unit, monthly, assumed=False)


def _used(
    resource: Declared, context: Context, group: str, what: str, key: str, quantity: float
) -> Charge:
    monthly = context.book.price[key] * quantity
    return Charge(group, resource.region, what, quantity, _unit(key), monthly, assumed=True)


def _unit(key: str) -> str:
    """What a price is for: ``aurora.million-io`` is for a million, ``s3.gb`` for a GB."""
    name = key.partition(".")[2]
    endings = {"gb-second": "GB-second", "lcu-hour": "LCU-hour", "gb": "GB", "metric": "metric"}
    return next((unit for ending, unit in endings.items() if name.endswith(ending)), "million")


def _nat_gateway(resource: Declared, context: Context) -> Iterator[Charge]:
    yield _declared(resource, "NAT", "gateway", 1, "gateway", context.hours("nat-gateway.hour"))
    gb = context.book.assumption["nat_gb"]
    yield _used(resource, context, "NAT", "data processed", "nat-gateway.gb", gb)


def _address(resource: Declared, context: Context) -> Iterator[Charge]:
    yield _declared(
        resource, "NAT", "public IPv4 address", 1, "address", context.hours("public-ipv4.hour")
    )


def _endpoint(resource: Declared, context: Context) -> Iterator[Charge]:
    if resource.inputs["vpcEndpointType"] == "Gateway":
        return
    zones = len(resource.inputs["subnetIds"])
    yield _declared(
        resource,
        "Interface endpoints",
        resource.inputs["serviceName"].rpartition(".")[2],
        zones,
        "zone",
        context.hours("interface-endpoint.hour", zones),
    )
    gb = context.book.assumption["endpoint_gb"]
    key = "interface-endpoint.gb"
    yield _used(resource, context, "Interface endpoints", "data processed", key, gb)


def _load_balancer(resource: Declared, context: Context) -> Iterator[Charge]:
    group, assumption = "Load balancers", context.book.assumption
    monthly = context.hours("load-balancer.hour")
    yield _declared(resource, group, "load balancer", 1, "load balancer", monthly)
    zones = assumption["load_balancer_zones"]
    yield _declared(
        resource,
        group,
        "public IPv4 addresses",
        zones,
        "address",
        context.hours("public-ipv4.hour", zones),
    )
    lcu = assumption["load_balancer_lcu"]
    hours = lcu * context.book.hours
    yield _used(resource, context, group, "capacity units", "load-balancer.lcu-hour", hours)


def _instance(resource: Declared, context: Context) -> Iterator[Charge]:
    group, instance_class = "Aurora instances", resource.inputs["instanceClass"]
    if instance_class == SERVERLESS:
        capacity = context.min_capacity
        yield _declared(
            resource,
            group,
            "serverless at its least capacity",
            capacity,
            "ACU",
            context.hours("aurora.acu-hour", capacity),
        )
    else:
        monthly = context.book.aurora_hour(instance_class) * context.book.hours
        yield _declared(resource, group, instance_class, 1, "instance", monthly)
    if resource.inputs.get("monitoringInterval"):
        gb = context.book.assumption["monitoring_gb"] * 60 / resource.inputs["monitoringInterval"]
        yield _used(resource, context, "Logs", "enhanced monitoring", "cloudwatch.logs-gb", gb)


def _cluster(resource: Declared, context: Context) -> Iterator[Charge]:
    group, assumption = "Aurora storage", context.book.assumption
    gb, io = assumption["database_gb"], assumption["database_million_io"]
    yield _used(resource, context, group, "storage", "aurora.storage-gb", gb)
    yield _used(resource, context, group, "input and output", "aurora.million-io", io)


def _global_cluster(resource: Declared, context: Context) -> Iterator[Charge]:
    group, assumption = "Aurora storage", context.book.assumption
    writes = assumption["replicated_million_writes"]
    key = "aurora.million-replicated-writes"
    yield _used(resource, context, group, "replicated writes", key, writes)
    gb = assumption["database_gb_changed"]
    yield _used(resource, context, group, "to the other region", "region-transfer.gb", gb)


def _replication(resource: Declared, context: Context) -> Iterator[Charge]:
    (rule,) = resource.inputs["rules"]
    if "replicationTime" not in rule["destination"]:
        return  # the journal's: some kilobytes a decision
    # A bucket that is replicated holds the content; the others hold access logs.
    yield _used(resource, context, "S3", "storage", "s3.gb", context.book.assumption["content_gb"])
    gb = context.book.assumption["content_gb_changed"]
    # What returns during a failover is what went out before, so one direction counts.
    if resource.region == "us-east-1":
        yield _used(resource, context, "S3", "to the other region", "region-transfer.gb", gb)
        key = "s3.replication-time-control-gb"
        yield _used(resource, context, "S3", "replication time control", key, gb)


DAYS_A_MONTH = 30


def _backups(resource: Declared, context: Context) -> Iterator[Charge]:
    """A daily snapshot and its copies, each of the whole database (Aurora user guide,
    "Understanding Amazon Aurora backup storage usage"). Snapshots within the cluster's own
    retention cost nothing; copies always do, and cross whole as well."""
    if resource.inputs.get("notResources"):
        return  # the other region's cluster is the one that is backed up
    gb = context.book.assumption["database_gb"]
    free = context.beside(resource, "aws:rds/cluster:Cluster").inputs["backupRetentionPeriod"]
    for rule in context.beside(resource, "aws:backup/plan:Plan").inputs["rules"]:
        kept = max(rule["lifecycle"]["deleteAfter"] - free, 0)
        key = "aurora.backup-gb"
        yield _used(resource, context, "Backup", "snapshots", key, gb * kept)
        for copy in rule["copyActions"]:
            days = copy["lifecycle"]["deleteAfter"]
            yield _used(resource, context, "Backup", "copies", key, gb * days)
        # Of the copies one leaves the region; another account's vault is in it.
        crossing = gb * DAYS_A_MONTH
        key = "region-transfer.gb"
        yield _used(resource, context, "Backup", "to the other region", key, crossing)


def _restore_test(resource: Declared, context: Context) -> Iterator[Charge]:
    yield _used(resource, context, "Backup", "restore tests", "backup.restore-test", 1)


def _key(resource: Declared, context: Context) -> Iterator[Charge]:
    yield _declared(resource, "Keys and secrets", "key", 1, "key", context.book.price["kms.key"])


def _secret(resource: Declared, context: Context) -> Iterator[Charge]:
    copies = 1 + len(resource.inputs.get("replicas") or [])
    monthly = context.book.price["secret.month"] * copies
    yield _declared(resource, "Keys and secrets", "secret and replica", copies, "secret", monthly)


def _zone(resource: Declared, context: Context) -> Iterator[Charge]:
    yield _declared(resource, "Route 53", "zone", 1, "zone", context.book.price["route53.zone"])


def _health_check(resource: Declared, context: Context) -> Iterator[Charge]:
    inputs, price = resource.inputs, context.book.price
    yield _declared(resource, "Route 53", "health check", 1, "check", price["route53.health-check"])
    options = sum(
        (
            inputs.get("requestInterval") == 10,
            bool(inputs.get("measureLatency")),
            bool(inputs.get("searchString")),
            "HTTPS" in inputs["type"],
        )
    )
    if options:
        monthly = price["route53.health-check-option"] * options
        yield _declared(resource, "Route 53", "health check options", options, "option", monthly)


def _alarm(resource: Declared, context: Context) -> Iterator[Charge]:
    queries = resource.inputs.get("metricQueries") or []
    metrics = sum("metric" in query for query in queries) or 1
    monthly = context.book.price["cloudwatch.alarm-metric"] * metrics
    yield _declared(resource, "Monitoring", "alarm", metrics, "metric", monthly)


def _composite_alarm(resource: Declared, context: Context) -> Iterator[Charge]:
    monthly = context.book.price["cloudwatch.composite-alarm"]
    yield _declared(resource, "Monitoring", "composite alarm", 1, "alarm", monthly)


def _dashboard(resource: Declared, context: Context) -> Iterator[Charge]:
    monthly = context.book.price["cloudwatch.dashboard"]
    yield _declared(resource, "Monitoring", "dashboard", 1, "dashboard", monthly)
    count = context.book.assumption["custom_metrics"]
    yield _used(
        resource, context, "Monitoring", "custom metrics", "cloudwatch.custom-metric", count
    )


def _log_group(resource: Declared, context: Context) -> Iterator[Charge]:
    # The global layer's functions log a few lines a run, the nightly export one a night.
    kind = "recovery_log_gb" if resource.layer == "global" else "log_gb"
    if f"-{EMERGENCY_FUNCTION}-" in str(resource.inputs.get("name")):
        kind = "emergency_log_gb"
    gb = context.book.assumption[kind]
    yield _used(resource, context, "Logs", "ingestion", "cloudwatch.logs-gb", gb)


def _function(resource: Declared, context: Context) -> Iterator[Charge]:
    # All others run once a deployment, or, the probe, for a moment each minute.
    kinds = {
        REQUEST_HANDLER: ("", "request_millions", "request_milliseconds"),
        RECOVERY_HANDLERS: ("recovery's ", "recovery_millions", "recovery_milliseconds"),
    }
    handler = str(resource.inputs["handler"])
    if handler == EMERGENCY_HANDLER:
        yield from _emergency_export(resource, context)
    kind = next((kinds[known] for known in kinds if handler.startswith(known)), None)
    if kind is None:
        return
    whose, often, long = kind
    assumption = context.book.assumption
    millions = assumption[often]
    yield _used(
        resource, context, "Lambda", f"{whose}requests", "lambda.million-requests", millions
    )
    seconds = millions * 1_000_000 * assumption[long] / 1000
    gb_seconds = seconds * resource.inputs["memorySize"] / 1024
    (architecture,) = resource.inputs["architectures"]
    key = f"lambda.{architecture}-gb-second"
    yield _used(resource, context, "Lambda", f"{whose}duration", key, gb_seconds)
    if handler == VALIDATOR_HANDLER:
        runs = assumption["validation_millions"]
        for what, (price, calls) in VALIDATOR_CALLS.items():
            yield _used(resource, context, "Readiness", f"{what} asked", price, runs * calls)


def _emergency_export(resource: Declared, context: Context) -> Iterator[Charge]:
    """A region's nightly exports: kept in both regions' buckets, since replication carries them."""
    gb, group = context.book.assumption["emergency_gb"], "Emergency export"
    yield _used(resource, context, group, "storage", "s3.gb", 2 * gb * EMERGENCY_KEPT_DAYS)
    carried = gb * DAYS_A_MONTH
    yield _used(resource, context, group, "to the other region", "region-transfer.gb", carried)
    timed = "s3.replication-time-control-gb"
    yield _used(resource, context, group, "replication time control", timed, carried)


def _bus(resource: Declared, context: Context) -> Iterator[Charge]:
    millions = context.book.assumption["events_millions"]
    yield _used(resource, context, "Events", "events", "eventbridge.million-events", millions)


PRICED: dict[str, Pricer] = {
    "aws:backup/restoreTestingPlan:RestoreTestingPlan": _restore_test,
    "aws:backup/selection:Selection": _backups,
    "aws:cloudwatch/compositeAlarm:CompositeAlarm": _composite_alarm,
    "aws:cloudwatch/dashboard:Dashboard": _dashboard,
    "aws:cloudwatch/eventBus:EventBus": _bus,
    "aws:cloudwatch/logGroup:LogGroup": _log_group,
    "aws:cloudwatch/metricAlarm:MetricAlarm": _alarm,
    "aws:ec2/eip:Eip": _address,
    "aws:ec2/natGateway:NatGateway": _nat_gateway,
    "aws:ec2/vpcEndpoint:VpcEndpoint": _endpoint,
    "aws:kms/key:Key": _key,
    "aws:lambda/function:Function": _function,
    "aws:lb/loadBalancer:LoadBalancer": _load_balancer,
    "aws:rds/cluster:Cluster": _cluster,
    "aws:rds/clusterInstance:ClusterInstance": _instance,
    "aws:rds/globalCluster:GlobalCluster": _global_cluster,
    "aws:route53/healthCheck:HealthCheck": _health_check,
    "aws:route53/zone:Zone": _zone,
    "aws:s3/bucketReplicationConfig:BucketReplicationConfig": _replication,
    "aws:secretsmanager/secret:Secret": _secret,
}

FREE = frozenset(
    {
        # No charge at all: settings of something priced above, or of the account.
        "aws:backup/plan:Plan",
        "aws:backup/restoreTestingSelection:RestoreTestingSelection",
        "aws:backup/vault:Vault",
        "aws:cloudwatch/eventBusPolicy:EventBusPolicy",
        "aws:cloudwatch/eventRule:EventRule",
        "aws:cloudwatch/eventTarget:EventTarget",
        "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup",
        "aws:ec2/flowLog:FlowLog",
        "aws:ec2/internetGateway:InternetGateway",
        "aws:ec2/peeringConnectionOptions:PeeringConnectionOptions",
        "aws:ec2/route:Route",
        "aws:ec2/routeTable:RouteTable",
        "aws:ec2/routeTableAssociation:RouteTableAssociation",
        "aws:ec2/securityGroup:SecurityGroup",
        "aws:ec2/subnet:Subnet",
        "aws:ec2/vpc:Vpc",
        "aws:ec2/vpcPeeringConnection:VpcPeeringConnection",
        "aws:ec2/vpcPeeringConnectionAccepter:VpcPeeringConnectionAccepter",
        "aws:iam/policy:Policy",
        "aws:iam/role:Role",
        "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
        "aws:kms/alias:Alias",
        "aws:lambda/alias:Alias",
        "aws:lambda/eventSourceMapping:EventSourceMapping",
        "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig",
        "aws:lambda/invocation:Invocation",
        "aws:lambda/permission:Permission",
        "aws:lb/listener:Listener",
        "aws:lb/listenerRule:ListenerRule",
        "aws:lb/targetGroup:TargetGroup",
        "aws:lb/targetGroupAttachment:TargetGroupAttachment",
        "aws:rds/clusterParameterGroup:ClusterParameterGroup",
        "aws:rds/subnetGroup:SubnetGroup",
        "aws:route53/record:Record",
        "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        "aws:s3/bucketLogging:BucketLogging",
        "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration",
        "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
        "aws:s3/bucketPolicy:BucketPolicy",
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        "aws:s3/bucketVersioning:BucketVersioning",
        "aws:secretsmanager/secretVersion:SecretVersion",
        "aws:sns/topicPolicy:TopicPolicy",
        "aws:sns/topicSubscription:TopicSubscription",
        "aws:sqs/queuePolicy:QueuePolicy",
        "aws:sqs/redriveAllowPolicy:RedriveAllowPolicy",
        "aws:ssm/parameter:Parameter",
        "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
        # Without a replication, that is of access logs only: small beside the content.
        "aws:s3/bucket:Bucket",
        # Cents at the assumed load, within AWS's free allowances.
        "aws:cloudwatch/eventArchive:EventArchive",
        "aws:dynamodb/table:Table",
        "aws:scheduler/schedule:Schedule",
        "aws:sns/topic:Topic",
        "aws:sqs/queue:Queue",
    }
)
"""Free of charge, or cents."""
