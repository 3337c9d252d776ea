"""Which region has lost what, and how it shows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab.errors import LabInputError
from lab.outage import EVERYTHING, FLAP_SECONDS, Mode, OutageKind, Outages, parse_kinds, parse_mode

EAST, WEST = "us-east-1", "us-west-2"
SERVING = {OutageKind.API, OutageKind.COMPUTE, OutageKind.DATABASE}


def test_outages_outlive_the_process(tmp_path: Path) -> None:
    """Issue 16.1: an outage and its mode are kept over restarts, add up, and end as a whole."""
    outages = Outages(tmp_path)
    assert outages.begin(EAST, {OutageKind.API}) == {OutageKind.API}
    outages.begin(EAST, {OutageKind.DATABASE}, Mode.HANG)
    again = Outages(tmp_path)
    assert again.as_dict() == {EAST: ["api", "database (hang)"]}
    assert again.has_lost(EAST, OutageKind.DATABASE)
    assert again.lost(EAST) == {OutageKind.API, OutageKind.DATABASE}
    again.end(EAST)
    assert Outages(tmp_path).as_dict() == {}


def test_a_state_of_an_older_lab_is_read(tmp_path: Path) -> None:
    """Issue 16.1: it kept names alone, and ``network`` for what is two things by now."""
    stored = {EAST: ["api", "network"]}
    (tmp_path / "outages.json").write_text(json.dumps(stored))
    outages = Outages(tmp_path)
    assert outages.as_dict() == {EAST: ["api", "peering", "replication"]}
    assert outages.mode(EAST, OutageKind.PEERING) is Mode.DOWN


def test_what_flaps_is_down_and_back_by_turns(tmp_path: Path) -> None:
    """Issue 16.1: by lab time, down first; the outage itself lasts until it is restored."""
    now = 1000.0
    outages = Outages(tmp_path, lambda: now)
    outages.begin(EAST, {OutageKind.API}, Mode.FLAP)
    seen = []
    for _ in range(4):
        seen.append(outages.shown()[EAST, OutageKind.API])
        now += FLAP_SECONDS
    assert seen == [Mode.DOWN, None, Mode.DOWN, None]
    assert outages.has_outage(EAST)
    assert not outages.has_outage(WEST)


def test_what_is_slow_still_answers(tmp_path: Path) -> None:
    """Issue 16.1: slow is no loss; down outweighs it between two regions."""
    outages = Outages(tmp_path)
    outages.begin(EAST, {OutageKind.PEERING}, Mode.SLOW)
    assert not outages.has_lost(EAST, OutageKind.PEERING)
    assert outages.between(WEST, EAST, OutageKind.PEERING) is Mode.SLOW
    outages.begin(WEST, {OutageKind.PEERING}, Mode.DOWN)
    assert outages.between(WEST, EAST, OutageKind.PEERING) is Mode.DOWN
    assert outages.between(WEST, EAST, OutageKind.REPLICATION) is None


def test_a_region_loses_the_rest_of_it_after_a_part(tmp_path: Path) -> None:
    """H15: the peering is cut first, and the region dies an hour later; each keeps its mode."""
    outages = Outages(tmp_path)
    outages.begin(EAST, {OutageKind.PEERING}, Mode.HANG)
    assert outages.begin(EAST, EVERYTHING) == EVERYTHING
    assert outages.mode(EAST, OutageKind.PEERING) is Mode.HANG
    assert outages.mode(EAST, OutageKind.API) is Mode.DOWN


def test_the_same_part_is_not_lost_twice(tmp_path: Path) -> None:
    """Issue 16: one line that names the command, and nothing is changed."""
    outages = Outages(tmp_path)
    outages.begin(EAST, {OutageKind.API}, Mode.SLOW)
    with pytest.raises(LabInputError, match=r"has lost its api already: \./inv lab\.restore us-e"):
        outages.begin(EAST, {OutageKind.API})
    assert outages.mode(EAST, OutageKind.API) is Mode.SLOW
    outages.begin(EAST, EVERYTHING)
    with pytest.raises(LabInputError, match="has lost everything already"):
        outages.begin(EAST, EVERYTHING)


def test_both_regions_are_not_lost_as_a_whole(tmp_path: Path) -> None:
    """Issue 16: nothing would be left; parts of both may be lost (H5)."""
    outages = Outages(tmp_path)
    outages.begin(EAST, EVERYTHING)
    with pytest.raises(LabInputError, match="us-west-2 can't be lost as well as us-east-1"):
        outages.begin(WEST, EVERYTHING)
    outages.begin(WEST, {OutageKind.COMPUTE})
    outages.begin(WEST, {OutageKind.DATABASE})
    with pytest.raises(LabInputError, match="nothing would be left"):
        outages.begin(WEST, {OutageKind.API})
    assert outages.lost(WEST) == {OutageKind.COMPUTE, OutageKind.DATABASE}


def test_outages_know_regions_parts_and_modes(tmp_path: Path) -> None:
    """Bad input is one line that names what there is; ``network`` names the peering."""
    assert parse_kinds(None) == EVERYTHING
    assert parse_kinds("peering") == {OutageKind.PEERING}
    assert parse_mode("flap") is Mode.FLAP
    with pytest.raises(LabInputError, match="api, compute, database, peering, replication"):
        parse_kinds("moon")
    with pytest.raises(LabInputError, match="down, slow, hang, flap"):
        parse_mode("explode")
    with pytest.raises(LabInputError, match="choose peering"):
        parse_kinds("network")
    for call in (
        lambda: Outages(tmp_path).begin("mars", EVERYTHING),
        lambda: Outages(tmp_path).end("mars"),
    ):
        with pytest.raises(LabInputError, match="us-east-1 and us-west-2"):
            call()
