"""Releases: how a version says which one it is of, and what a rollback holds back."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapstack.app_settings import AppSettings
from tapstack.naming import called
from tapstack.releases import (
    MOST_WITHDRAWN,
    NOTHING,
    Held,
    described,
    held_in,
    held_parameter,
    held_path,
    release_in,
    release_of,
)

SETTINGS = AppSettings()


def test_a_release_is_the_code_with_its_settings() -> None:
    """Trap 65: other code or other settings of the function are another release; how long logs are
    kept is not its matter."""
    name = release_of("a" * 64, SETTINGS)
    assert name == release_of("a" * 64, replace(SETTINGS, log_retention_days=365))
    others = {
        release_of("b" * 64, SETTINGS),
        release_of("a" * 64, replace(SETTINGS, memory_mb=1024)),
        release_of("a" * 64, replace(SETTINGS, timeout_seconds=20)),
        release_of("a" * 64, replace(SETTINGS, architecture="x86_64")),
    }
    assert len(others | {name}) == 5


def test_a_description_names_its_release() -> None:
    """Trap 65: read back from what AWS lists of a version; a version from before names none."""
    assert release_in(described("The application", "0123456789ab")) == "0123456789ab"
    assert release_in("The application") == ""
    assert len(described("The application: records, events, health", "0" * 12)) <= 256


VERSIONS = st.dictionaries(
    st.sampled_from(["us-east-1", "us-west-2"]),
    st.dictionaries(st.sampled_from(["api", "probe"]), st.integers(1, 9999).map(str)),
)


RELEASE = st.text("0123456789abcdef", min_size=12, max_size=12)


@given(RELEASE, VERSIONS, st.lists(RELEASE, max_size=MOST_WITHDRAWN))
def test_what_is_held_back_is_read_as_it_was_written(
    release: str, versions: dict[str, dict[str, str]], withdrawn: list[str]
) -> None:
    """Trap 65: within a parameter's 4 KB; another release is never held."""
    held = Held(release, versions, tuple(withdrawn))
    assert held_in([held.text()]) == held
    assert len(held.text()) < 4096
    for region, each in versions.items():
        for purpose, version in each.items():
            assert held.version(release, region, purpose) == version
            assert held.version("another", region, purpose) == ""
    assert held.version(release, "nowhere", "api") == ""


@pytest.mark.parametrize("text", [NOTHING, "", "[]", "{}", '{"release": "a", "versions": [1]}'])
def test_nothing_is_held_where_the_parameter_says_nothing(text: str) -> None:
    """The first deployment's value, and one that somebody wrote by hand."""
    assert held_in([text]) == Held()
    assert held_in([]) == Held()
    assert Held().text() == NOTHING
    assert Held.parse(Held(withdrawn=("a",)).text()).version("", "us-east-1", "api") == ""
    many = Held(withdrawn=tuple(map(str, range(99))))
    assert Held.parse(many.text()).withdrawn == many.withdrawn[-MOST_WITHDRAWN:]


def test_the_parameter_is_the_regions_own() -> None:
    """NAMES: below ``local``, which is never synchronised; alone below its path."""
    assert held_path("us-east-1", "dev") == "/warm-standby/us-east-1/dev/local/release"
    assert held_parameter("us-east-1", "dev").startswith(f"{held_path('us-east-1', 'dev')}/")
    assert called("function-api-us-east-1-dev") == "function-api-us-east-1-dev:live"
