"""Seeded random timelines: any loss, up to five faults at any moments, any mode."""

from __future__ import annotations

import random
from dataclasses import replace

from recovery.model import Mode
from simulator.faults import DISASTERS, FAULTS
from simulator.play import SETTLED, Played, Timeline, play

NAMES = [fault.name for fault in FAULTS]
MODES = (Mode.AUTOMATIC, Mode.AUTOMATIC, Mode.AUTOMATIC, Mode.NOTIFY, Mode.OBSERVE)


def timeline(seed: int) -> Timeline:
    """Returns the timeline of a seed, always the same one."""
    chance = random.Random(seed)
    names = chance.sample(NAMES, chance.randint(0, 5))
    faults = tuple((name, chance.randint(-8, 12)) for name in names)
    settings = replace(SETTLED, mode=chance.choice(MODES), instances=chance.choice((1, 2, 2)))
    return Timeline(chance.choice(DISASTERS), faults, settings)


def harms(seed: int) -> list[str]:
    """What a seed's timeline does wrong, over the truth."""
    return play(timeline(seed)).wrong


def again(seed: int) -> Played:
    """The same with a log, to look into."""
    return play(timeline(seed), log=True)
