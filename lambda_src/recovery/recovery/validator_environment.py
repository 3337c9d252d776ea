"""The validator's environment, read once; a variable that is missing is named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class ValidatorEnvironment:
    """Everything that one region's validator asks about; ``peer_`` is the other region's."""

    region: str
    peer: str
    suffix: str
    account: str
    table: str
    topic: str
    global_cluster: str
    cluster: str
    peer_cluster: str
    probe_function: str
    load_balancer: str
    peer_load_balancer: str
    server_name: str
    """The name on the load balancers' certificates; empty without HTTPS."""
    secrets: tuple[str, ...]
    """ARNs; the readiness token's first."""
    peer_secrets: tuple[str, ...]
    """The same secrets, in the same order."""
    name_servers: tuple[str, ...]
    witness: str
    bucket: str
    peer_bucket: str
    objects_arrive: bool
    """Whether objects are replicated into this region."""
    peer_bus: str
    marker_queue: str
    """URL of the queue in which marker events arrive."""
    vault: str
    alarms: tuple[str, ...]
    """Names of those that must notify."""
    controller_role: str
    switch_region: str

    @classmethod
    def of(cls, variables: Mapping[str, str]) -> ValidatorEnvironment:
        """Returns what ``os.environ`` says; raises KeyError naming the variable."""
        return cls(
            region=variables["AWS_REGION"],
            peer=variables["PEER_REGION"],
            suffix=variables["ENVIRONMENT_SUFFIX"],
            account=variables["ACCOUNT_ID"],
            table=variables["RECOVERY_TABLE"],
            topic=variables["TOPIC_ARN"],
            global_cluster=variables["GLOBAL_CLUSTER"],
            cluster=variables["CLUSTER"],
            peer_cluster=variables["PEER_CLUSTER"],
            probe_function=variables["PROBE_FUNCTION"],
            load_balancer=variables["LOAD_BALANCER"],
            peer_load_balancer=variables["PEER_LOAD_BALANCER"],
            server_name=variables.get("SERVER_NAME", ""),
            secrets=tuple(variables["SECRETS"].split(",")),
            peer_secrets=tuple(variables["PEER_SECRETS"].split(",")),
            name_servers=tuple(variables["NAME_SERVERS"].split(",")),
            witness=variables["WITNESS"],
            bucket=variables["BUCKET_NAME"],
            peer_bucket=variables["PEER_BUCKET_NAME"],
            objects_arrive=variables["OBJECTS_ARRIVE"] == "true",
            peer_bus=variables["PEER_EVENT_BUS_NAME"],
            marker_queue=variables["MARKER_QUEUE_URL"],
            vault=variables["BACKUP_VAULT"],
            alarms=tuple(variables["ALARMS"].split(",")),
            controller_role=variables["CONTROLLER_ROLE_ARN"],
            switch_region=variables["SWITCH_REGION"],
        )

    def cluster_arn(self, region: str) -> str:
        """The ARN of a region's member."""
        cluster = self.cluster if region == self.region else self.peer_cluster
        return f"arn:aws:rds:{region}:{self.account}:cluster:{cluster}"

    def shared_path(self, region: str) -> str:
        """Below it are a region's synchronised parameters."""
        return f"/warm-standby/{region}/{self.suffix}/shared"

    def calls(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """The calls of a promotion by the region's controller: action and resources."""
        region, account = self.region, self.account
        parameters = (
            (self.switch_region, "local/failover-switch"),
            (region, "shared/epoch"),
            (self.peer, "shared/epoch"),
        )
        return (
            (
                "rds:FailoverGlobalCluster",
                (
                    f"arn:aws:rds::{account}:global-cluster:{self.global_cluster}",
                    self.cluster_arn(region),
                    self.cluster_arn(self.peer),
                ),
            ),
            (
                "ssm:PutParameter",
                tuple(
                    f"arn:aws:ssm:{where}:{account}:parameter/warm-standby/{where}/{self.suffix}/{key}"
                    for where, key in parameters
                ),
            ),
            ("dynamodb:PutItem", (f"arn:aws:dynamodb:{region}:{account}:table/{self.table}",)),
            (
                "lambda:InvokeFunction",
                (f"arn:aws:lambda:{region}:{account}:function:{self.probe_function}",),
            ),
            ("sns:Publish", (self.topic,)),
        )
