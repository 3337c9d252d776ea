"""Whether a function reaches the database: the deployed network decides."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from lab.database.deployed_network import Snapshot
from lab.database.reachability import Interface, RegionNetwork, obstacle
from lab.database.topology import Cluster

EAST, WEST = "us-east-1", "us-west-2"
TCP = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432}
ALL = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}


def region(prefix: str, peer: str) -> dict[str, Any]:
    """One region, complete: function and database subnets, routes to the peer, both groups."""
    return {
        "subnets": {
            f"{prefix}-f": {"VpcId": prefix, "CidrBlock": f"{prefix}.1.0/24"},
            f"{prefix}-d": {"VpcId": prefix, "CidrBlock": f"{prefix}.2.0/24"},
        },
        "route_tables": [
            {
                "RouteTableId": f"table-{name}",
                "VpcId": prefix,
                "Associations": [{"SubnetId": f"{prefix}-{name}"}],
                "Routes": [
                    {"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "nat"},
                    {"DestinationCidrBlock": f"{prefix}.0.0/16", "GatewayId": "local"},
                    {
                        "DestinationCidrBlock": f"{peer}.0.0/16",
                        "VpcPeeringConnectionId": "pcx",
                        "State": "active",
                    },
                ],
            }
            for name in ("f", "d")
        ],
        "security_groups": {
            f"{prefix}-function": {"VpcId": prefix, "IpPermissionsEgress": [ALL]},
            f"{prefix}-database": {
                "VpcId": prefix,
                "IpPermissions": [
                    {**TCP, "UserIdGroupPairs": [{"GroupId": f"{prefix}-function"}]},
                    {**TCP, "IpRanges": [{"CidrIp": f"{peer}.1.0/24"}]},
                ],
            },
        },
        "peerings": {
            "pcx": {
                "Status": {"Code": "active"},
                "RequesterVpcInfo": {"VpcId": "10.0"},
                "AccepterVpcInfo": {"VpcId": "10.1"},
            }
        },
    }


def networks() -> dict[str, dict[str, Any]]:
    """Both regions, complete."""
    return {EAST: region("10.0", "10.1"), WEST: region("10.1", "10.0")}


def built(made: dict[str, dict[str, Any]]) -> dict[str, RegionNetwork]:
    """As the decision takes them."""
    return {name: RegionNetwork(**copy.deepcopy(parts)) for name, parts in made.items()}


def functions_of(name: str) -> Interface:
    """A function's interface."""
    prefix = "10.0" if name == EAST else "10.1"
    return Interface(name, (f"{prefix}-f",), (f"{prefix}-function",))


def database_of(name: str) -> Interface:
    """The database's interface."""
    prefix = "10.0" if name == EAST else "10.1"
    return Interface(name, (f"{prefix}-d",), (f"{prefix}-database",))


@pytest.mark.parametrize("source", [EAST, WEST])
@pytest.mark.parametrize("target", [EAST, WEST])
def test_a_complete_network_lets_everyone_reach_the_writer(source: str, target: str) -> None:
    """R7.2: both ways, since writers move."""
    assert not obstacle(functions_of(source), database_of(target), 5432, built(networks()))


BROKEN = [
    ("no route there", lambda m: m[WEST]["route_tables"][0]["Routes"].pop(), "over no peering"),
    ("no route back", lambda m: m[EAST]["route_tables"][1]["Routes"].pop(), "over no peering"),
    ("no route table", lambda m: m[WEST]["route_tables"].pop(0), "has no route table"),
    (
        "no route at all",
        lambda m: m[WEST]["route_tables"][0].update(Routes=[]),
        "has no route to 10.0.2.0/24",
    ),
    (
        "a black hole",
        lambda m: m[WEST]["route_tables"][0]["Routes"][2].update(State="blackhole"),
        "is blackhole",
    ),
    (
        "not accepted",
        lambda m: m[WEST]["peerings"]["pcx"].update(Status={"Code": "pending-acceptance"}),
        "is pending-acceptance",
    ),
    ("no peering", lambda m: m[WEST]["peerings"].clear(), "is unknown"),
    (
        "a peering elsewhere",
        lambda m: m[WEST]["peerings"]["pcx"].update(AccepterVpcInfo={"VpcId": "10.9"}),
        "doesn't join",
    ),
    (
        "no rule for the peer",
        lambda m: m[EAST]["security_groups"]["10.0-database"]["IpPermissions"].pop(),
        "no ingress rule for TCP 5432 from 10.1.1.0/24",
    ),
    (
        "a rule by group across regions",
        lambda m: m[EAST]["security_groups"]["10.0-database"].update(
            IpPermissions=[{**TCP, "UserIdGroupPairs": [{"GroupId": "10.1-function"}]}]
        ),
        "no ingress rule",
    ),
    (
        "a rule for another port",
        lambda m: m[EAST]["security_groups"]["10.0-database"]["IpPermissions"][1].update(
            FromPort=80, ToPort=443
        ),
        "no ingress rule",
    ),
    (
        "no way out",
        lambda m: m[WEST]["security_groups"]["10.1-function"].update(IpPermissionsEgress=[]),
        "no egress rule for TCP 5432 to 10.0.2.0/24",
    ),
    ("a lost subnet", lambda m: m[EAST]["subnets"].pop("10.0-d"), "doesn't exist"),
]


@pytest.mark.parametrize(("what", "spoil", "reason"), BROKEN, ids=[row[0] for row in BROKEN])
def test_each_missing_piece_closes_the_way_and_is_named(what: str, spoil: Any, reason: str) -> None:
    """Traps 8 and 21: a deployment without one piece doesn't reach the other region's writer."""
    made = networks()
    spoil(made)
    assert reason in obstacle(functions_of(WEST), database_of(EAST), 5432, built(made)), what


def test_the_longest_prefix_decides() -> None:
    """A narrower route to elsewhere beats the peer's, as in AWS."""
    made = networks()
    made[WEST]["route_tables"][0]["Routes"].append(
        {"DestinationCidrBlock": "10.0.2.0/24", "NatGatewayId": "nat"}
    )
    assert "over no peering" in obstacle(functions_of(WEST), database_of(EAST), 5432, built(made))


def test_the_main_route_table_counts_where_none_is_associated() -> None:
    """A subnet without a table of its own uses the VPC's main one."""
    made = networks()
    for table in made[WEST]["route_tables"]:
        table["Associations"] = [{"Main": True}]
    assert not obstacle(functions_of(WEST), database_of(EAST), 5432, built(made))


def test_a_function_outside_any_vpc_reaches_nothing() -> None:
    """Trap 20's other side: the database has private addresses only."""
    outside = Interface(EAST, (), ())
    assert "no VPC" in obstacle(outside, database_of(EAST), 5432, built(networks()))


def snapshot(**more: Any) -> tuple[Snapshot, Cluster]:
    """The complete network with the database in us-east-1."""
    cluster = Cluster("arn", EAST, "0", "c", "f")
    taken = Snapshot(0, built(networks()), clusters={"arn": database_of(EAST)}, **more)
    return taken, cluster


def test_a_client_stands_where_the_regions_functions_stand() -> None:
    """Without a function's name any VPC function of the region may be the source; functions
    outside decide nothing."""
    inside = {(WEST, "api"): functions_of(WEST), (WEST, "out"): Interface(WEST, (), ())}
    taken, cluster = snapshot(functions=inside)
    assert not taken.obstacle(WEST, None, cluster)
    assert not taken.obstacle(WEST, "api", cluster)
    assert "no VPC" in taken.obstacle(WEST, "out", cluster)
    assert "isn't deployed" in taken.obstacle(WEST, "gone", cluster)


def test_without_functions_a_client_may_stand_anywhere_in_the_region() -> None:
    """Before the application is deployed, with every group of the VPC."""
    taken, cluster = snapshot()
    assert not taken.obstacle(EAST, None, cluster)
    assert not taken.obstacle(WEST, None, cluster)


def test_a_cluster_that_is_not_deployed_is_not_reached() -> None:
    """A stale name leads nowhere."""
    taken, _ = snapshot()
    gone = Cluster("other", EAST, "0", "c", "f")
    assert "isn't deployed" in taken.obstacle(EAST, None, gone)
