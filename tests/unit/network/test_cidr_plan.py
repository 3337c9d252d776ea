"""The subnet plan: a pure function, held by its properties."""

from ipaddress import IPv4Network
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cidr_plan import ANYWHERE, plan_subnets
from tapstack.errors import SettingsError

vpcs = st.integers(0, 255).map(lambda second: f"10.{second}.0.0/16")
zone_counts = st.integers(1, 4)


@given(vpcs, zone_counts)
def test_subnets_are_disjoint_and_inside_the_vpc(vpc: str, zones: int) -> None:
    """R7.1: no address belongs to two subnets, and none lies outside."""
    plan = plan_subnets(vpc, zones)
    subnets = [IPv4Network(text) for text in (*plan.private, *plan.public, *plan.database)]
    assert len(subnets) == 3 * zones
    assert all(subnet.subnet_of(IPv4Network(vpc)) for subnet in subnets)
    assert not any(one.overlaps(other) for one, other in combinations(subnets, 2))


@given(vpcs, st.integers(1, 3))
def test_adding_a_zone_renumbers_nothing(vpc: str, zones: int) -> None:
    """R7.1: the plan of more zones begins with the plan of fewer."""
    fewer, more = plan_subnets(vpc, zones), plan_subnets(vpc, zones + 1)
    assert more.private[:zones] == fewer.private
    assert more.public[:zones] == fewer.public
    assert more.database[:zones] == fewer.database


@given(vpcs, vpcs, zone_counts)
def test_disjoint_vpcs_have_disjoint_subnets(one: str, other: str, zones: int) -> None:
    """R7.1: what routes across the peering never has two meanings."""
    if one == other:
        return
    pairs = (
        (IPv4Network(here), IPv4Network(there))
        for here in plan_subnets(one, zones).private
        for there in plan_subnets(other, zones).database
    )
    assert not any(here.overlaps(there) for here, there in pairs)


def test_the_plan_of_the_primary_region() -> None:
    """R7.1: three zones of 10.0.0.0/16, written out once for people."""
    plan = plan_subnets("10.0.0.0/16", 3)
    assert plan.private == ("10.0.0.0/20", "10.0.16.0/20", "10.0.32.0/20")
    assert plan.public == ("10.0.64.0/20", "10.0.80.0/20", "10.0.96.0/20")
    assert plan.database == ("10.0.128.0/20", "10.0.144.0/20", "10.0.160.0/20")


@pytest.mark.parametrize("zones", [0, 5])
def test_too_many_or_no_zones_are_refused(zones: int) -> None:
    """A tier holds four /20 subnets; the message says how many were asked for."""
    with pytest.raises(SettingsError, match=rf"1 to 4 zones \(got {zones}\)"):
        plan_subnets("10.0.0.0/16", zones)


def test_another_size_is_refused() -> None:
    """The plan divides a /16 and nothing else."""
    with pytest.raises(SettingsError, match="needs a /16"):
        plan_subnets("10.0.0.0/20", 3)


def test_anywhere_is_every_address() -> None:
    """R7.1: the way to the internet is taken by whatever has no nearer route."""
    assert IPv4Network(ANYWHERE).num_addresses == 2**32
