"""The controller's environment, read once; a variable that is missing is named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from recovery.model import Mode, Settings
from recovery.observation import Switch


@dataclass(frozen=True)
class Environment:
    """Everything that one region's controller must know to act without the other region."""

    settings: Settings
    suffix: str
    table: str
    bucket: str
    journal_bucket: str
    """The locked one, or the same."""
    topic: str
    peer_topic: str
    bus: str
    global_cluster: str
    cluster: str
    cluster_arn: str
    peer_cluster: str
    probe_function: str
    load_balancer: str
    peer_load_balancer: str
    server_name: str
    """The name on the load balancers' certificates; empty without HTTPS."""
    readiness_token_secret: str
    name_servers: tuple[str, ...]
    witness: str
    switch_parameter: str
    switch_region: str
    epoch_parameter: str
    peer_epoch_parameter: str

    @classmethod
    def of(cls, variables: Mapping[str, str]) -> Environment:
        """Returns what ``os.environ`` says; raises KeyError naming the variable."""
        return cls(
            settings=Settings(
                region=variables["AWS_REGION"],
                peer=variables["PEER_REGION"],
                switch=Switch(variables["SWITCH_POSITION"]),
                environment=variables["ENVIRONMENT"],
                mode=Mode(variables["RECOVERY_MODE"]),
                lag_limit_seconds=int(variables["LAG_LIMIT_SECONDS"]),
                instances=int(variables["PEER_INSTANCES"]),
                accepted_by=variables.get("ACCEPTED_BY", ""),
            ),
            suffix=variables["ENVIRONMENT_SUFFIX"],
            table=variables["RECOVERY_TABLE"],
            bucket=variables["BUCKET_NAME"],
            journal_bucket=variables.get("JOURNAL_BUCKET", variables["BUCKET_NAME"]),
            topic=variables["TOPIC_ARN"],
            peer_topic=variables["PEER_TOPIC_ARN"],
            bus=variables["EVENT_BUS_NAME"],
            global_cluster=variables["GLOBAL_CLUSTER"],
            cluster=variables["CLUSTER"],
            cluster_arn=variables["CLUSTER_ARN"],
            peer_cluster=variables["PEER_CLUSTER"],
            probe_function=variables["PROBE_FUNCTION"],
            load_balancer=variables["LOAD_BALANCER"],
            peer_load_balancer=variables["PEER_LOAD_BALANCER"],
            server_name=variables.get("SERVER_NAME", ""),
            readiness_token_secret=variables["READINESS_TOKEN_SECRET_ARN"],
            name_servers=tuple(variables["NAME_SERVERS"].split(",")),
            witness=variables["WITNESS"],
            switch_parameter=variables["FAILOVER_SWITCH_PARAMETER"],
            switch_region=variables["SWITCH_REGION"],
            epoch_parameter=variables["EPOCH_PARAMETER"],
            peer_epoch_parameter=variables["PEER_EPOCH_PARAMETER"],
        )
