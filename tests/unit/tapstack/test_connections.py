"""Connection arithmetic: AWS's formula and table, and the refusal of what doesn't fit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapstack.connections import (
    alarm_threshold,
    application_limit,
    check_connections,
    max_connections,
    memory_gib,
)
from tapstack.data_settings import DataSettings
from tapstack.errors import SettingsError
from tapstack.settings import Settings

BASE = {"TapStack:environmentSuffix": "test", "aws:region": "us-east-1"}


def of_class(instance_class: str) -> DataSettings:
    return DataSettings(instance_class=instance_class)


def serverless(least: float, most: float) -> DataSettings:
    return DataSettings(instance_class="db.serverless", min_capacity=least, max_capacity=most)


@pytest.mark.parametrize(
    ("instance_class", "gib"),
    [
        ("db.r6g.large", 16),
        ("db.r5.large", 16),
        ("db.r6i.xlarge", 32),
        ("db.r7g.16xlarge", 512),
        ("db.x2g.2xlarge", 128),
    ],
)
def test_memory_follows_family_and_size(instance_class: str, gib: float) -> None:
    """R6.2: "DB instance classes for Aurora" (Aurora user guide)."""
    assert memory_gib(instance_class) == gib


def test_an_unknown_class_has_no_memory() -> None:
    """R1.3: the settings refuse such a class first; the arithmetic never guesses."""
    with pytest.raises(SettingsError, match=r"db\.m5\.large has an unknown memory size"):
        memory_gib("db.m5.large")


@pytest.mark.parametrize(
    ("instance_class", "connections"),
    [("db.r6g.large", 1802), ("db.r6g.xlarge", 3604), ("db.r6g.2xlarge", 5000)],
)
def test_the_formula_of_max_connections(instance_class: str, connections: int) -> None:
    """R6.2: LEAST({DBInstanceClassMemory/9531392}, 5000)."""
    assert max_connections(of_class(instance_class)) == connections


@pytest.mark.parametrize(
    ("least", "most", "connections"),
    [
        (1, 1, 189),
        (1, 4, 823),
        (2, 8, 1669),
        (1, 16, 3360),
        (8, 16, 3360),
        (8, 32, 5000),
        (8, 256, 5000),
        (0.5, 16, 2000),
        (0.5, 8, 1669),
    ],
)
def test_serverless_follows_the_largest_capacity(
    least: float, most: float, connections: int
) -> None:
    """R6.2: AWS's table; at most 2,000 when the smallest capacity is 0.5 ACU."""
    assert max_connections(serverless(least, most)) == connections


HALVES = st.integers(2, 512).map(lambda count: count / 2)


@given(HALVES, HALVES)
def test_more_capacity_never_means_fewer_connections(one: float, other: float) -> None:
    """R6.2: the table is interpolated without a dip, and the application never gets them all."""
    low, high = sorted((one, other))
    assert max_connections(serverless(1, low)) <= max_connections(serverless(1, high))
    assert application_limit(serverless(1, low)) < max_connections(serverless(1, low))


def test_the_alarm_begins_at_four_fifths() -> None:
    """R6.2: connections near the maximum, computed from the class."""
    assert alarm_threshold(of_class("db.r6g.large")) == 1441


def test_a_peak_that_fits_is_accepted() -> None:
    """R2.4, trap 60: no reserved concurrency, so the arithmetic is the only guard; a function holds
    two connections, to writer and readers, which one instance may both be."""
    settings = Settings.of("dev", {**BASE, "app:expectedConcurrency": "798"})
    check_connections(settings.app, settings.data)


def test_a_peak_that_does_not_fit_is_refused() -> None:
    """R2.4: one line with both keys and both numbers."""
    with pytest.raises(
        SettingsError,
        match=r"app:expectedConcurrency 799 needs 1598 connections, 2 a function instance, and "
        r"db\.r6g\.large leaves 1596 of its 1802 to the application; choose a larger ",
    ):
        Settings.of("dev", {**BASE, "app:expectedConcurrency": "799"})


def test_a_serverless_peak_that_does_not_fit_names_the_capacity() -> None:
    """R2.4: 1 ACU has 189 connections, 145 of them for the application."""
    config = {
        **BASE,
        "data:instanceClass": "db.serverless",
        "data:minCapacity": "1",
        "data:maxCapacity": "1",
        "app:expectedConcurrency": "73",
    }
    with pytest.raises(SettingsError, match=r"1 ACU leaves 145 of its 189"):
        Settings.of("dev", config)


@pytest.mark.parametrize(("most", "connections"), [(20, 4205), (23.5, 4945)])
def test_values_between_the_published_ones_lie_on_a_line(most: float, connections: int) -> None:
    """R6.2: between 16 ACU (3,360) and the capacity at which the cap of 5,000 is reached."""
    assert max_connections(serverless(8, most)) == connections
