"""There and back: one region lost, then the other, each recovered by the other's controller."""

from __future__ import annotations

from dataclasses import replace

from simulator.play import SETTLED, sides
from simulator.ports import Side
from simulator.truth import EAST, WEST, Truth, other

from recovery import commands
from recovery.act import Run, run
from recovery.model import Stage, Tail
from recovery.observation import Switch

SETTINGS = {
    WEST: SETTLED,
    EAST: replace(SETTLED, region=EAST, peer=WEST, switch=Switch.RELEASED),
}


def minutes(truth: Truth, both: dict[str, Side], number: int) -> None:
    """Lets both controllers run once a minute where their region computes."""
    for _ in range(number):
        for region, side in both.items():
            if truth.computes(region):
                run(side.ports(), SETTINGS[region], Run(f"{region} {truth.minute}", truth.minute))
        truth.advance(60)


def lose(truth: Truth, both: dict[str, Side], region: str) -> None:
    """Loses a region for a quarter of an hour; it comes back as a resynchronising member."""
    truth.on.add(f"{region} lost")
    minutes(truth, both, 15)
    assert truth.writer == other(region)
    truth.on.remove(f"{region} lost")
    minutes(truth, both, 6)
    assert not both[region].state.armed
    truth.rejoin()
    minutes(truth, both, 6)
    assert both[region].state.stage is Stage.UNPROTECTED
    assert both[other(region)].state.stage is Stage.READY


def acknowledge(both: dict[str, Side]) -> None:
    """As the command does it: both items, to the larger epoch."""
    epoch = max(side.state.epoch for side in both.values())
    for side in both.values():
        seen = commands.acknowledge(side.state, epoch)
        side.state = replace(seen, version=side.state.version + 1)


def test_each_region_is_recovered_by_the_other_one() -> None:
    """The mirrored controller does the same once a person has acknowledged, not before."""
    truth = Truth()
    both = sides(truth, json=True)
    minutes(truth, both, 5)
    assert (both[WEST].state.armed, both[EAST].state.armed) == (True, False)
    lose(truth, both, EAST)
    assert (both[WEST].state.epoch, truth.epoch[EAST], truth.switch) == (2, 2, "engaged")
    acknowledge(both)
    minutes(truth, both, 5)
    assert (both[WEST].state.armed, both[EAST].state.armed) == (False, True)
    lose(truth, both, WEST)
    assert (both[EAST].state.epoch, truth.epoch[WEST], truth.switch) == (3, 3, "released")
    assert [region for _, region in truth.accepted] == [WEST, EAST]
    assert truth.wrong == []


def test_a_second_promotion_is_paged_however_soon_it_comes() -> None:
    """H34: people hear of each promotion and of what each waits for, also where both are the same
    region's within an hour; a page of an incident that goes on isn't repeated."""
    truth = Truth()
    both = sides(truth)
    minutes(truth, both, 5)
    for region in (EAST, WEST, EAST):
        lose(truth, both, region)
        acknowledge(both)
        minutes(truth, both, 5)
    pages = [key for _, key in both[WEST].pages]
    for key in ("promoting", "promoted", "acknowledge"):
        assert pages.count(key) == 2, key


def test_without_an_acknowledgement_the_survivor_is_lost_for_good() -> None:
    """H8, H34: the second loss is a person's, who was paged daily; nothing flaps by itself."""
    truth = Truth()
    both = sides(truth)
    minutes(truth, both, 5)
    lose(truth, both, EAST)
    truth.on.add(f"{WEST} lost")
    minutes(truth, both, 20)
    assert [region for _, region in truth.accepted] == [WEST]
    assert any(key.startswith("held:") for _, key in both[EAST].pages)


def test_a_planned_failback_returns_both_controllers_to_their_posts() -> None:
    """H21 and after: the switchover is the command's; us-west-2 watches again in epoch 3."""
    truth = Truth()
    both = sides(truth)
    minutes(truth, both, 5)
    lose(truth, both, EAST)
    both[WEST].state = commands.reconciled(both[WEST].state, Tail.RECONCILED)
    acknowledge(both)
    minutes(truth, both, 5)
    for side in both.values():
        held = commands.hold(side.state, truth.minute, 30, "failback")
        side.state = replace(held, version=held.version + 1)
    both[WEST].state = commands.fail_back(both[WEST].state)
    minutes(truth, both, 2)
    truth.writer, truth.epoch[EAST] = EAST, 3
    both[EAST].state = replace(both[EAST].state, epoch=3, armed=False)
    minutes(truth, both, 5)
    assert (both[WEST].state.stage, both[WEST].state.epoch) == (Stage.WATCHING, 3)
    assert (both[WEST].state.armed, both[EAST].state.armed) == (True, False)
    assert [region for _, region in truth.accepted] == [WEST]
    assert truth.wrong == []
