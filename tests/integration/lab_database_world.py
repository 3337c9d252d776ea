"""A global database in a lab of its own, made by API calls: what the data and network layers
deploy, as small as the database's behaviour needs it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import psycopg
from botocore.config import Config

from lab import client as lab_client
from lab.database import network
from lab.outage import REGIONS

EAST, WEST = REGIONS
MASTER, PASSWORD, DATABASE = "clinic", "a-Password-of-32-characters-000", "app"
VERSION = "16.8"
CIDRS = {EAST: "10.0", WEST: "10.1"}


def until(condition: Callable[[], Any], seconds: float = 30.0, what: str = "") -> Any:
    """Waits for ``condition``; its value. Fails after ``seconds``."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds:g} s: {what or condition}")


@dataclass
class World:
    """The lab, and what was made in it."""

    state_dir: Path
    endpoint: str = ""
    clock: float = 1.0
    """Lab seconds in a real one."""
    ids: dict[str, dict[str, Any]] = field(default_factory=dict)
    peering: str = ""
    global_id: str = "aurora-global-us-east-1-t"
    readers: dict[str, str] = field(default_factory=dict)
    clients: dict[tuple[str, str, str], Any] = field(default_factory=dict, repr=False)

    def start(self) -> None:
        """Starts the lab; it finds again what it held."""
        self.endpoint = lab_client.start(self.state_dir, 0, self.clock).endpoint

    def aws(self, service: str, region: str) -> Any:
        """A client as programs have it, made once."""
        key = service, region, self.endpoint
        if key not in self.clients:
            self.clients[key] = self._client(service, region)
        return self.clients[key]

    def _client(self, service: str, region: str) -> Any:
        return boto3.client(
            service,  # pyright: ignore[reportArgumentType, reportCallIssue]
            region_name=region,
            endpoint_url=self.endpoint,
            aws_access_key_id="000000000000",
            aws_secret_access_key="lab",
            config=Config(retries={"max_attempts": 1, "mode": "standard"}),
        )

    def cluster_id(self, region: str) -> str:
        """The cluster's identifier."""
        return f"aurora-cluster-{region}-t"

    def arn(self, region: str) -> str:
        """The cluster's ARN."""
        return f"arn:aws:rds:{region}:000000000000:cluster:{self.cluster_id(region)}"

    def build_network(self) -> None:
        """Two peered VPCs with function and database subnets, routes both ways, two groups."""
        for region, prefix in CIDRS.items():
            ec2 = self.aws("ec2", region)
            vpc = ec2.create_vpc(CidrBlock=f"{prefix}.0.0/16")["Vpc"]["VpcId"]
            made: dict[str, Any] = {"vpc": vpc}
            for name, third in (("function", 1), ("database", 2)):
                subnets = [
                    ec2.create_subnet(
                        VpcId=vpc,
                        CidrBlock=f"{prefix}.{third}{zone}.0/24",
                        AvailabilityZone=f"{region}{'ab'[zone]}",
                    )["Subnet"]["SubnetId"]
                    for zone in (0, 1)
                ]
                table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
                for subnet in subnets:
                    ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
                group = ec2.create_security_group(
                    GroupName=f"securitygroup-{name}-{region}", Description=name, VpcId=vpc
                )["GroupId"]
                made[name] = {"subnets": subnets, "table": table, "group": group}
            self.ids[region] = made
        for region in REGIONS:
            self.aws("ec2", region).authorize_security_group_ingress(
                GroupId=self.ids[region]["database"]["group"],
                IpPermissions=[self.from_functions(region), self.from_peer(region)],
            )
        self.peering = self.aws("ec2", EAST).create_vpc_peering_connection(
            VpcId=self.ids[EAST]["vpc"], PeerVpcId=self.ids[WEST]["vpc"], PeerRegion=WEST
        )["VpcPeeringConnection"]["VpcPeeringConnectionId"]
        self.aws("ec2", WEST).accept_vpc_peering_connection(VpcPeeringConnectionId=self.peering)
        for region in REGIONS:
            for name in ("function", "database"):
                self.aws("ec2", region).create_route(**self.route(region, name))

    def from_functions(self, region: str) -> dict[str, Any]:
        """The database's rule for its own region's functions."""
        group = self.ids[region]["function"]["group"]
        port = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432}
        return {**port, "UserIdGroupPairs": [{"GroupId": group}]}

    def from_peer(self, region: str) -> dict[str, Any]:
        """The database's rule for the other region."""
        port = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432}
        return {**port, "IpRanges": [{"CidrIp": f"{CIDRS[other(region)]}.0.0/16"}]}

    def route(self, region: str, name: str) -> dict[str, str]:
        """The route to the other region."""
        return {
            "RouteTableId": self.ids[region][name]["table"],
            "DestinationCidrBlock": f"{CIDRS[other(region)]}.0.0/16",
            "VpcPeeringConnectionId": self.peering,
        }

    def begin(self) -> None:
        """A lab with a global database, its writer in us-east-1, and a table ``records`` in it."""
        self.start()
        self.build_network()
        self.build_database()
        with self.connect(self.global_endpoint) as connection:
            connection.execute("CREATE TABLE records (id bigint PRIMARY KEY)")
        for region in REGIONS:
            self.reader_endpoint(region)

    def build_database(self, *, instances: bool = True) -> None:
        """The global cluster with a primary in us-east-1 and a secondary in us-west-2."""
        self.aws("rds", EAST).create_global_cluster(
            GlobalClusterIdentifier=self.global_id,
            Engine="aurora-postgresql",
            EngineVersion=VERSION,
        )
        for region in REGIONS:
            rds = self.aws("rds", region)
            rds.create_db_subnet_group(
                DBSubnetGroupName=f"subnets-{region}",
                DBSubnetGroupDescription="t",
                SubnetIds=self.ids[region]["database"]["subnets"],
            )
            rds.create_db_cluster_parameter_group(
                DBClusterParameterGroupName=f"parameters-{region}",
                DBParameterGroupFamily="aurora-postgresql16",
                Description="t",
            )
            rds.modify_db_cluster_parameter_group(
                DBClusterParameterGroupName=f"parameters-{region}",
                Parameters=[
                    {
                        "ParameterName": "rds.force_ssl",
                        "ParameterValue": "1",
                        "ApplyMethod": "immediate",
                    }
                ],
            )
            self.create_cluster(region)
            if instances:
                self.create_instance(region)

    def create_cluster(self, region: str, **more: Any) -> dict[str, Any]:
        """One member."""
        master = {
            "MasterUsername": MASTER,
            "MasterUserPassword": PASSWORD,
            "DatabaseName": DATABASE,
        }
        return self.aws("rds", region).create_db_cluster(
            DBClusterIdentifier=self.cluster_id(region),
            Engine="aurora-postgresql",
            EngineVersion=VERSION,
            GlobalClusterIdentifier=self.global_id,
            DBSubnetGroupName=f"subnets-{region}",
            DBClusterParameterGroupName=f"parameters-{region}",
            VpcSecurityGroupIds=[self.ids[region]["database"]["group"]],
            **(master if region == EAST else {}),
            **more,
        )["DBCluster"]

    def create_instance(self, region: str, instance_class: str = "db.r6g.large") -> None:
        """Its instance; returns when it is available."""
        rds = self.aws("rds", region)
        name = f"aurora-instance-1-{region}-t"
        rds.create_db_instance(
            DBInstanceIdentifier=name,
            DBClusterIdentifier=self.cluster_id(region),
            Engine="aurora-postgresql",
            DBInstanceClass=instance_class,
        )

        def available() -> bool:
            found = rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]
            return found["DBInstanceStatus"] == "available"

        until(available, what=f"instance of {region} available")

    def described(self) -> dict[str, Any]:
        """The global cluster as RDS describes it, asked in us-west-2."""
        rds = self.aws("rds", WEST)
        return rds.describe_global_clusters(GlobalClusterIdentifier=self.global_id)[
            "GlobalClusters"
        ][0]

    def writer(self) -> str:
        """The region that writes, by ``describe_global_clusters``."""
        members = self.described()["GlobalClusterMembers"]
        (arn,) = [member["DBClusterArn"] for member in members if member["IsWriter"]]
        return arn.split(":")[3]

    @property
    def global_endpoint(self) -> str:
        """The global writer endpoint."""
        return self.described()["Endpoint"]

    def reader_endpoint(self, region: str) -> str:
        """The cluster's reader endpoint, asked once: a lost region answers no API call."""
        if region not in self.readers:
            found = self.aws("rds", region).describe_db_clusters(
                DBClusterIdentifier=self.cluster_id(region)
            )
            self.readers[region] = found["DBClusters"][0]["ReaderEndpoint"]
        return self.readers[region]

    @contextmanager
    def connect(
        self, host: str, source: str = EAST, **more: Any
    ) -> Iterator[psycopg.Connection[Any]]:
        """A connection as a client in ``source`` makes it, in autocommit."""
        hostaddr, port = network.address(self.state_dir, source, host)
        given = {
            "sslmode": "verify-full",
            "sslrootcert": str(network.certificate_authority(self.state_dir)),
            "connect_timeout": 10,
            "user": MASTER,
            "password": PASSWORD,
            "dbname": DATABASE,
        } | more
        with psycopg.connect(
            host=host, hostaddr=hostaddr, port=port, autocommit=True, **given
        ) as connection:
            yield connection

    def count(self, region: str) -> int:
        """Rows of table ``records`` at the region's reader endpoint; -1 where it can't be read."""
        try:
            with self.connect(self.reader_endpoint(region), region) as connection:
                row = connection.execute("SELECT count(*) FROM records").fetchone()
                return row[0] if row else -1
        except psycopg.Error:
            return -1

    def database_detail(self) -> str:
        """The part's line in the status."""
        return lab_client.status(self.state_dir).parts["database"]["detail"]


def other(region: str) -> str:
    """The other region."""
    return WEST if region == EAST else EAST
