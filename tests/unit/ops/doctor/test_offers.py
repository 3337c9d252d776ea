"""Zones that are places for what the programs put there (trap 51)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import pytest
from fake_clients import FakeClients
from fake_engine import FakeEngine
from watched_driver import stack_file, watched

from ops.cloud.clients import Clients
from ops.doctor import offers
from ops.doctor.finding import State
from ops.doctor.offers import Zones, judge
from ops.errors import OperatorError

EAST = ("us-east-1a", "us-east-1b", "us-east-1c")
IDS = {f"us-east-1{letter}": f"use1-az{number}" for number, letter in enumerate("abcdef", 4)}


def zones(**changes: Any) -> Zones:
    given = {
        "region": "us-east-1", "key": "TapStack:primaryZones", "wanted": EAST, "ids": IDS,
        "ordered": frozenset(IDS), "database": "db.r6g.large with Aurora PostgreSQL 16.8",
    }  # fmt: skip
    return Zones(**{**given, **changes})


@pytest.mark.parametrize(
    ("changes", "states", "said"),
    [
        ({}, ["ok", "ok"], "us-east-1a (use1-az4)"),
        ({"ids": {"us-east-1a": "use1-az4"}}, ["missing", "ok"], "us-east-1b, us-east-1c aren't"),
        (
            {"ids": {**IDS, "us-east-1b": "use1-az3"}},
            ["missing", "ok"],
            "us-east-1b is use1-az3, without functions in a VPC",
        ),
        ({"ordered": frozenset()}, ["ok", "missing"], "can't be ordered"),
        (
            {"ordered": frozenset(EAST[:2])},
            ["ok", "missing"],
            "db.r6g.large with Aurora PostgreSQL 16.8 isn't offered in us-east-1c",
        ),
    ],
)
def test_a_zone_is_known_by_its_id_and_its_offers(
    changes: Mapping[str, Any], states: list[str], said: str
) -> None:
    """Trap 51: the same name is another place in another account."""
    found = list(judge(zones(**changes)))
    assert [finding.state.value for finding in found] == states
    assert said in " ".join(finding.detail for finding in found)
    for finding in found:
        assert bool(finding.remedy) is (finding.state is State.MISSING)


def test_what_is_advised_has_the_services() -> None:
    """Trap 51: the remedy mustn't name the zone that is refused."""
    (found, _) = judge(zones(ids={**IDS, "us-east-1b": "use1-az3"}))
    assert found.remedy == (
        "choose three of us-east-1a, us-east-1c, us-east-1d, us-east-1e, us-east-1f for "
        "TapStack:primaryZones"
    )


def clients(unserved: str = "") -> Clients:
    """Both regions with four zones; one of them may be without functions."""

    def answers(region: str) -> dict[str, Any]:
        names = [f"{region}{letter}" for letter in "abcd"]
        listed = [
            {
                "ZoneName": name,
                "ZoneId": "use1-az3" if name == unserved else f"id-{name}",
                "State": "available",
            }
            for name in names
        ]
        option = {"AvailabilityZones": [{"Name": name} for name in names]}
        return {
            "describe_availability_zones": {"AvailabilityZones": listed},
            "describe_orderable_db_instance_options": {"OrderableDBInstanceOptions": [option]},
        }

    table = {
        (service, region): answers(region)
        for service in ("ec2", "rds")
        for region in FakeClients.regions
    }
    return cast(Clients, FakeClients(table))


def test_a_deployment_is_refused_before_anything_is_made() -> None:
    """Trap 51: as bad input, with the key to change."""
    settings = stack_file("dev").settings
    offers.check(clients(), settings)
    with pytest.raises(OperatorError, match="TapStack:primaryZones") as caught:
        offers.check(clients("us-east-1b"), settings)
    assert caught.value.code == 2


def test_layers_with_zones_ask_first(tmp_path: Any) -> None:
    """Trap 51: network and data; the others put nothing into zones."""
    asked: list[str] = []
    driver = watched(tmp_path, FakeEngine("network", "data", "app", "global"))
    driver.ready = lambda: asked.append("asked")
    driver.up(["app"])
    assert asked == []
    driver.up(["data"])
    assert asked == ["asked"]
