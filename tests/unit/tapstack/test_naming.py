"""Physical names."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapstack.errors import NameTooLongError, SettingsError
from tapstack.naming import (
    RULES,
    alias_of,
    called,
    epoch_parameter,
    failover_switch_parameter,
    log_group_of,
    parameter_path,
    physical_name,
    restore_testing_name,
    shared_parameters_path,
)

suffixes = st.from_regex(r"[a-z0-9]{1,8}(-[a-z0-9]{1,8}){0,2}", fullmatch=True)
purposes = st.sampled_from(["", "app", "private-a", "default"])
regions = st.sampled_from(["us-east-1", "us-west-2"])


@given(st.sampled_from(sorted(RULES)), purposes, regions, suffixes)
def test_a_name_has_all_parts_in_order_or_is_refused(
    service: str, purpose: str, region: str, suffix: str
) -> None:
    """R9.1: service, purpose, region, suffix; never longer than the service allows."""
    limit = RULES[service].limit
    try:
        name = physical_name(service, purpose, region, suffix)
    except NameTooLongError as error:
        parts = [part for part in (service, purpose, region, suffix) if part]
        assert len("-".join(parts)) > limit
        assert str(limit) in str(error)
        return
    assert name == "-".join(part for part in (service, purpose, region, suffix) if part)
    assert len(name) <= limit
    assert re.fullmatch(f"({RULES[service].characters})+", name)


LIMITS = {
    # Longest name, a character that it may have, one that it may not; each API's reference.
    "alb": (32, "-", "_"),
    "tg": (32, "-", "_"),
    "aurora-global": (63, "-", "_"),
    "aurora-cluster": (63, "-", "_"),
    "aurora-instance": (63, "-", "_"),
    "aurora-subnets": (255, "_", "/"),
    "aurora-parameters": (255, "-", "_"),
    "alarm": (255, "-", "_"),
    "archive": (48, ".", "/"),
    "backup-plan": (50, ".", "/"),
    "backup-selection": (50, ".", "/"),
    "backup-vault": (50, "_", "."),
    "bucket": (63, "-", "A"),
    "bus": (256, ".", "/"),
    "dashboard": (255, "_", "."),
    "log-group": (512, "/", ":"),
    "function": (64, "_", "."),
    "key": (250, "/", "."),
    "policy": (128, "@", "/"),
    "queue": (80, "_", "."),
    "restore-testing": (50, "-", "_"),
    "role": (64, "@", "/"),
    "rule": (64, ".", "/"),
    "schedule": (64, ".", "/"),
    "secret": (512, "/", ":"),
    "securitygroup": (255, ":", "'"),
    "table": (255, "_", "/"),
    "topic": (256, "_", "."),
    "vpc": (256, "@", "'"),  # anything else: the value of a tag
}


def test_every_rule_is_in_the_table() -> None:
    """R9.1: a new service's limit is written down twice, from its API reference."""
    assert set(LIMITS) == {*RULES, "vpc"}


@pytest.mark.parametrize("service", LIMITS)
def test_a_services_limits(service: str) -> None:
    """R9.1: a name of exactly the limit is taken, one longer refused with the longest suffix; its
    characters are those of the API reference."""
    limit, allowed, refused = LIMITS[service]
    room = limit - len(f"{service}-p-us-east-1-")
    assert len(physical_name(service, "p", "us-east-1", "a" * room)) == limit
    with pytest.raises(
        NameTooLongError, match=rf"at most {limit}; the longest .* fits has {room}$"
    ):
        physical_name(service, "p", "us-east-1", "a" * (room + 1))
    assert allowed in physical_name(service, f"p{allowed}p", "us-east-1", "x")
    with pytest.raises(SettingsError, match="has characters that"):
        physical_name(service, f"p{refused}p", "us-east-1", "x")


def test_no_suffix_fits_where_the_stem_is_too_long() -> None:
    """The longest suffix that fits is never a negative number."""
    with pytest.raises(NameTooLongError, match=r"fits has 0$"):
        physical_name("alb", "a" * 40, "us-east-1", "x")


@given(purposes, purposes, regions, regions, suffixes)
def test_regions_and_purposes_distinguish_names(
    one: str, other: str, region: str, elsewhere: str, suffix: str
) -> None:
    """R9.1: the region is in every name, since IAM and S3 have one namespace for all regions."""
    same = (one, region) == (other, elsewhere)
    names = (
        physical_name("role", one, region, suffix),
        physical_name("role", other, elsewhere, suffix),
    )
    assert (names[0] == names[1]) is same


def test_the_clients_example() -> None:
    """R9.1: the name that the client wrote."""
    assert (
        physical_name("aurora-cluster", "", "us-east-1", "synthj5p6r0e5")
        == "aurora-cluster-us-east-1-synthj5p6r0e5"
    )


def test_an_overlong_suffix_is_refused_with_the_longest_that_fits() -> None:
    """Trap 17: load balancer names have 32 characters; ``alb-app-us-east-1-`` leaves 14."""
    assert len(physical_name("alb", "app", "us-east-1", "a" * 14)) == 32
    with pytest.raises(NameTooLongError, match=r"has 33 characters.*at most 32.*fits has 14"):
        physical_name("alb", "app", "us-east-1", "a" * 15)


def test_characters_that_a_service_refuses_are_refused_here() -> None:
    """Bucket names are lower case; the name is shown."""
    with pytest.raises(SettingsError, match="bucket-Upper-us-east-1-x has characters"):
        physical_name("bucket", "Upper", "us-east-1", "x")


def test_forms_that_aws_dictates() -> None:
    """R9.1: parameter paths, log groups of functions and aliases have AWS's form."""
    assert parameter_path("us-west-2", "lab", "local", "failover-switch") == (
        "/warm-standby/us-west-2/lab/local/failover-switch"
    )
    assert failover_switch_parameter("us-west-2", "lab") == (
        "/warm-standby/us-west-2/lab/local/failover-switch"
    )
    assert log_group_of("function-api-us-east-1-lab") == "/aws/lambda/function-api-us-east-1-lab"
    assert alias_of("key-data-us-east-1-lab") == "alias/key-data-us-east-1-lab"


def test_a_restore_testing_plan_has_no_dashes() -> None:
    """R10: AWS Backup takes letters, digits and underscores in that one name."""
    assert restore_testing_name("us-west-2", "dev-1") == "restore_testing_us_west_2_dev_1"


def test_parameters_and_functions_by_their_paths() -> None:
    """R9.1: what is read by path, and what is called by its alias."""
    assert shared_parameters_path("us-east-1", "lab") == "/warm-standby/us-east-1/lab/shared"
    assert epoch_parameter("us-east-1", "lab").startswith("/warm-standby/us-east-1/lab/shared/")
    assert epoch_parameter("us-east-1", "lab").count("/") == 5
    assert called("function-api-us-east-1-lab") == "function-api-us-east-1-lab:live"
