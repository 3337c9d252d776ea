"""Property paths: their text, what they match and ignore, and differences found by them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pulumi_protocol import paths
from pulumi_protocol.events import PropertyDiff
from pulumi_protocol.values import ASSET, SIGNATURE, secret

settings.register_profile(
    "protocol", max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
protocol = settings.get_profile("protocol")
KEYS = st.text('abcxyz_ .[]"\\', min_size=1, max_size=4)


@protocol
@given(st.lists(KEYS | st.integers(0, 9), min_size=1, max_size=4))
def test_paths_are_read_as_they_are_written(path: list[str | int]) -> None:
    """Any key, with dots, brackets, quotes or spaces, survives the text form."""
    assert paths.parse(paths.text(tuple(path))) == tuple(path)


def test_forms_of_paths() -> None:
    """The forms programs write, the star, and what is no path."""
    assert paths.parse('tags["a.b"]') == ("tags", "a.b")
    assert paths.parse("a.b[0].c") == ("a", "b", 0, "c")
    assert paths.parse("rules[*].port") == ("rules", "*", "port")
    for text in ("", "a[", "a]b", "[x]"):
        with pytest.raises(ValueError, match="path"):
            paths.parse(text)


FLAT = st.dictionaries(st.sampled_from("abc"), st.integers(0, 3) | st.none(), max_size=3)
NESTED = st.dictionaries(st.sampled_from("abc"), FLAT | st.lists(FLAT, max_size=2), max_size=3)


@protocol
@given(NESTED, NESTED, st.sampled_from(["a", "a.b", "a[0].b", "a[*].b", "*", "b.*"]))
def test_ignoring_changes_only_what_it_names(
    new: dict[str, Any], old: dict[str, Any], pattern: str
) -> None:
    """Differences elsewhere stay, ignoring twice is ignoring once, ignoring all that differs in
    maps gives the old inputs."""
    kept = paths.ignoring(new, old, [pattern])
    wanted = paths.parse(pattern)
    for path, before, after in paths.differences(new, kept):
        assert paths.matches(wanted, path), (path, before, after)
    assert paths.ignoring(kept, old, [pattern]) == kept
    assert paths.ignoring(new, old, ["*"]) == old
    assert paths.ignoring(old, old, [pattern]) == old


@pytest.mark.parametrize(
    ("pattern", "new", "old", "wanted"),
    [
        ("a[1]", [1, 2, 3], [7, 8], [1, 8, 3]),
        ("a[2]", [1, 2, 3], [7, 8], [1, 2, 3]),
        ("a[1]", [1], [7, 8], [1]),
        ("a.x", secret({"x": 1}), {"x": 2}, secret({"x": 2})),
        ("a[1].x", [{}, {"x": 1}], [{}, {"x": 2}], [{}, {"x": 2}]),
        ("a[*]", [1, 2, 3], [7, 8], [7, 8, 3]),
        ("a[*].x", [{"x": 1}], [{"x": 2}], [{"x": 2}]),
        ("a[*]", 1, [7], 1),
        ("a.x", {"x": 1}, secret({"x": 2}), {"x": 2}),
    ],
)
def test_ignoring_in_lists(pattern: str, new: Any, old: Any, wanted: Any) -> None:
    """An item that both sides have is kept, whole or in part; one that only one side has stays as
    the program says. Where the old value alone was secret, its content counts."""
    assert paths.ignoring({"a": new}, {"a": old}, [pattern]) == {"a": wanted}


def test_ignoring_inside_secrets() -> None:
    """A path into a secret value works on what is inside, and the value stays secret."""
    new, old = {"a": secret({"x": 1, "y": 1})}, {"a": secret({"x": 0, "y": 0})}
    assert paths.ignoring(new, old, ["a.x"]) == {"a": secret({"x": 0, "y": 1})}


@protocol
@given(NESTED, NESTED)
def test_no_difference_means_equal(old: dict[str, Any], new: dict[str, Any]) -> None:
    """Differences are found exactly when there are any (null and absent are distinct)."""
    assert (not list(paths.differences(old, new))) == (old == new)


def test_differences_hide_secrets_and_engines_own_keys() -> None:
    """A value that becomes secret is shown as one on both sides; ``__`` keys don't count; assets
    differ by hash."""
    one, two = ({SIGNATURE: ASSET, "text": text, "hash": text} for text in "12")
    old = {"p": "old", "__internal": {}, "data": one, "same": secret("x")}
    new = {"p": secret("new"), "data": two, "same": "x", "kept": one}
    old["kept"] = dict(one)
    found = list(paths.differences(old, new))
    assert found == [(("data",), "1", "2"), (("p",), secret("old"), secret("new"))]


def test_property_diffs_say_which_change_forces_a_replacement() -> None:
    """Paths as Pulumi writes them; a change at or below a forcing path replaces, others don't."""
    old = {"rules": [{"port": 1}], "tags": {"a b": "x"}}
    new = {"rules": [{"port": 2}], "tags": {"a b": "y"}}
    assert paths.property_diffs(old, new, ["rules"]) == (
        PropertyDiff("rules[0].port", 1, 2, replaces=True),
        PropertyDiff('tags["a b"]', "x", "y"),
    )


def test_an_asset_is_one_value() -> None:
    """A path into an asset names nothing: its hash and its content go together."""
    new, old = ({"a": {SIGNATURE: ASSET, "text": text, "hash": text}} for text in "12")
    assert paths.ignoring(new, old, ["a.text"]) == new
    assert paths.ignoring(new, old, ["a"]) == old


def test_a_boolean_is_no_number() -> None:
    """Python takes True for 1; AWS doesn't."""
    assert list(paths.differences({"a": 1}, {"a": True})) == [(("a",), 1, True)]
    assert list(paths.differences({"a": True}, {"a": True})) == []
