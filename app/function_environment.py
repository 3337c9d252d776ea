"""The environment of the functions: everything they need to start, without the other region."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi

from tapstack.contracts import RegionalData
from tapstack.events import SOURCE, event_bus_name
from tapstack.naming import epoch_parameter, failover_switch_parameter
from tapstack.regions import Region

CERTIFICATE_AUTHORITIES = "/var/runtime/ca-cert.pem"
"""Where the Node.js runtimes keep Amazon's authorities, RDS's among them ("Building Lambda
functions with Node.js", Loading certificates). The application reads the file when it first
connects to the database; as ``NODE_EXTRA_CA_CERTS`` Node.js would load it at every cold start."""


@dataclass(frozen=True)
class Database:
    """The global database, and where its writer is, whichever region holds it."""

    writer_endpoint: pulumi.Input[str]
    port: pulumi.Input[int]
    name: pulumi.Input[str]
    server_names: Sequence[pulumi.Input[str]]
    """The clusters' own endpoints, in both regions: what the writer's certificate may name."""


def common(region: Region, database: Database, data: RegionalData) -> dict[str, pulumi.Input[str]]:
    """What the service and the migration both need."""
    return {
        "REGION_ROLE": region.role,
        "ENVIRONMENT_SUFFIX": region.suffix,
        "LOG_LEVEL": "info",
        "DATABASE_CERTIFICATE_AUTHORITIES": CERTIFICATE_AUTHORITIES,
        "DATABASE_WRITER_ENDPOINT": database.writer_endpoint,
        "DATABASE_CLUSTER_ENDPOINT": data.cluster_endpoint,
        "DATABASE_READER_ENDPOINT": data.reader_endpoint,
        "DATABASE_PORT": pulumi.Output.from_input(database.port).apply(str),
        "DATABASE_NAME": database.name,
        "DATABASE_SERVER_NAMES": pulumi.Output.all(*database.server_names).apply(",".join),
    }


def epochs(region: Region, peer: Region) -> dict[str, pulumi.Input[str]]:
    """Where each region keeps the newest epoch that it knows."""
    return {
        "EPOCH_PARAMETER": epoch_parameter(region.name, region.suffix),
        "PEER_EPOCH_PARAMETER": epoch_parameter(peer.name, peer.suffix),
        "PEER_REGION": peer.name,
    }


def service(
    region: Region, database: Database, data: RegionalData, peer: Region, peer_data: RegionalData
) -> Mapping[str, pulumi.Input[str]]:
    """The service's environment: the same keys in both regions, but for the switch.

    Only the standby serves ``/failover-switch``; without the key the function answers 404.
    """
    switch = (
        {}
        if region.is_primary
        else {"FAILOVER_SWITCH_PARAMETER": failover_switch_parameter(region.name, region.suffix)}
    )
    return {
        **common(region, database, data),
        **switch,
        "EVENT_BUS_NAME": event_bus_name(region.name, region.suffix),
        "EVENT_SOURCE": SOURCE,
        "DATABASE_SECRET_ARN": data.application_secret_arn,
        "BUCKET_NAME": data.bucket_name,
        "READINESS_TOKEN_SECRET_ARN": data.readiness_token_secret_arn,
        **epochs(region, peer),
        "DATABASE_PEER_READER_ENDPOINT": peer_data.reader_endpoint,
    }


def probe(
    region: Region, database: Database, data: RegionalData, peer: Region
) -> Mapping[str, pulumi.Input[str]]:
    """The probe's environment: the database, as the service sees it, and nothing else."""
    return {
        **common(region, database, data),
        "DATABASE_SECRET_ARN": data.application_secret_arn,
        "PEER_REGION": peer.name,
    }


def emergency(
    region: Region, database: Database, data: RegionalData, days: int
) -> Mapping[str, pulumi.Input[str]]:
    """The emergency export's environment: the database, the bucket that it writes into, and of
    which patients: those with a record in so many days."""
    return {
        **common(region, database, data),
        "DATABASE_SECRET_ARN": data.application_secret_arn,
        "BUCKET_NAME": data.bucket_name,
        "EMERGENCY_DAYS": str(days),
    }


def gate(load_balancer: pulumi.Input[str], server_name: str) -> Mapping[str, pulumi.Input[str]]:
    """The gate's environment: whom it asks; ``server_name`` is empty without a certificate."""
    return {"LOG_LEVEL": "info", "GATE_HOST": load_balancer, "GATE_SERVER_NAME": server_name}


def migration(
    region: Region,
    peer: Region,
    database: Database,
    data: RegionalData,
    master_secret_arn: pulumi.Input[str],
) -> Mapping[str, pulumi.Input[str]]:
    """The migration's environment: it connects as master and makes the application's user."""
    return {
        **common(region, database, data),
        **epochs(region, peer),
        "MASTER_SECRET_ARN": master_secret_arn,
        "APPLICATION_SECRET_ARN": data.application_secret_arn,
    }
