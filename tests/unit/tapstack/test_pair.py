"""Pairs of things in both regions."""

import pytest

from tapstack.pair import Pair


def test_a_pair_goes_primary_first() -> None:
    """The primary is made first everywhere; swapping gives each region its peer."""
    pair = Pair("east", "west")
    assert list(pair) == ["east", "west"]
    assert list(pair.swapped()) == ["west", "east"]
    assert pair.map(len) == Pair(4, 4)


def test_zip_joins_each_regions_things() -> None:
    """What belongs to one region comes together: no index, and none with the other region's."""
    regions = Pair("east", "west")
    assert regions.zip(Pair(1, 2)) == Pair(("east", 1), ("west", 2))
    assert regions.zip(regions.swapped(), Pair(1, 2), Pair(True, False)) == Pair(
        ("east", "west", 1, True), ("west", "east", 2, False)
    )
    assert list(regions.zip(Pair(1, 2))) == [("east", 1), ("west", 2)]


def test_a_pair_is_made_of_exactly_two() -> None:
    """A third region, or only one, is a mistake in the program."""
    assert Pair.of(name.upper() for name in Pair("east", "west")) == Pair("EAST", "WEST")
    for wrong in (["east"], ["east", "west", "north"]):
        with pytest.raises(ValueError, match="values to unpack"):
            Pair.of(wrong)
