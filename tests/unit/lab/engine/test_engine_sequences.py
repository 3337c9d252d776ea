"""Random sequences of deploy, edit, kill, refresh and destroy over a real plugin process."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import drawn_sequences as sequences
import pytest
from drawn_sequences import Action, Draw, Driver, Thing

SEEDS = range(12)
A = Thing("ba", "ba-0", 0, 0)


@pytest.fixture(scope="module")
def drivers() -> Iterator[list[Driver]]:
    made = [Driver(), Driver()]
    yield made
    for driver in made:
        driver.close()


def test_every_sequence_converges(drivers: list[Driver]) -> None:
    """N7: whatever was killed, edited, refreshed or destroyed before, ``up`` converges in at most
    two runs (cloud, state and program agree), and ``destroy`` then leaves nothing. Twelve
    sequences; ``./inv bench sequences`` plays hundreds."""

    def half(index: int) -> list[str]:
        failed = []
        for seed in SEEDS[index::2]:
            actions = Draw(seed).sequence()
            if wrong := sequences.play(drivers[index], actions):
                failed.append(sequences.report(seed, actions, wrong))
        return failed

    with ThreadPoolExecutor(2) as pool:
        failed = [text for texts in pool.map(half, (0, 1)) for text in texts]
    assert not failed, "\n".join(failed)


ORPHAN = Thing("bb", "bb-0", 0, 0, after="ba")
RENAMED = Thing("ba", "ba-1", 0, 0)
RESIZED = Thing("ba", "ba-0", 0, 1)
ZONED = Thing("za", "za-0", 0, 0)
INSIDE = Thing("zb", "zb-0", 0, 0, within="za")


@pytest.mark.parametrize(
    "actions",
    [
        (
            Action("up", (A,)),
            Action("destroy", (A,), kill="1:after"),
            Action("refresh", (A,)),
            Action("up", (A,)),
        ),
        (Action("up", (A, ORPHAN), kill="2:after"), Action("up", (RENAMED,))),
        (Action("up", (A, ORPHAN), kill="2:after"), Action("destroy", (A,))),
        (
            Action("up", (ZONED, INSIDE), kill="2:after"),
            Action("up", (Thing("za", "za-0", 1, 0), INSIDE)),
        ),
        (
            Action("up", (A, ORPHAN)),
            Action("up", (RENAMED, ORPHAN), kill="1:after"),
            Action("up", (A, ORPHAN)),
        ),
        (
            Action("up", (A, ORPHAN)),
            Action("up", (RENAMED, ORPHAN), kill="2:before"),
            Action("up", (A, ORPHAN)),
        ),
        (
            Action("up", (ZONED, INSIDE)),
            Action("up", (Thing("za", "za-1", 0, 0), INSIDE), kill="2:before"),
            Action("up", (Thing("za", "za-0", 1, 0), INSIDE)),
        ),
        (
            Action("up", (A, ORPHAN)),
            Action("up", (RENAMED, ORPHAN), kill="2:before"),
            Action("destroy", (RENAMED,), kill="2:after"),
            Action("up", (A,)),
        ),
        (
            Action("up", (A,)),
            Action("destroy", (A,), kill="1:after"),
            Action("destroy", (A,), kill="1:fails"),
            Action("up", (A,)),
        ),
        (Action("up", (A, ORPHAN), kill="1:unsure-after"), Action("up", (A, ORPHAN))),
        (
            Action("up", (A,)),
            Action("up", (RESIZED,), kill="1:unsure-after"),
            Action("up", (A,)),
        ),
        (
            Action("up", (A,)),
            Action("destroy", (A,), kill="1:unsure-after"),
            Action("up", (A,)),
        ),
    ],
    ids=[
        "a deletion that a refresh has seen the end of",
        "an orphan uses what is renamed",
        "an orphan uses what is destroyed",
        "an orphan uses what must be deleted first",
        "a rename half done and reverted",
        "a rename done and reverted before its users moved",
        "a rename reverted into another zone",
        "a destroyed replacement whose old one waits",
        "a deletion tried again in vain",
        "a creation that failed half-way",
        "an edit taken back whose update failed half-way",
        "a deletion that failed half-way",
    ],
)
def test_sequences_that_once_stuck(drivers: list[Driver], actions: tuple[Action, ...]) -> None:
    """Each was found stuck, apart from its cloud, or deleting without a cause, before interrupted
    work was settled first."""
    assert sequences.play(drivers[0], actions) == ""


def test_the_check_notices_what_a_sequence_leaves(
    drivers: list[Driver], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sequence whose engine forgets what it had begun is reported with its smallest form."""
    act = sequences._act

    def forgetful(driver: Driver, place: sequences.Path, action: Action) -> tuple[int, str]:
        answer = act(driver, place, action)
        state = sequences._state_file(place)
        if answer[0] == -sequences.SIGKILL:
            state.unlink(missing_ok=True)
        return answer

    monkeypatch.setattr(sequences, "_act", forgetful)
    killed = Action("up", (A,), kill="1:after")
    wrong = sequences.play(drivers[0], (Action("refresh", (A,)), killed))
    assert "ba-0 exists already" in wrong
    assert sequences.smallest(drivers[0], (Action("refresh", (A,)), killed), 60) == (killed,)
    assert sequences.report(7, (killed,), "stuck").splitlines() == [
        "seed 7: stuck",
        "  up       1:after         ba=ba-0/0/0",
    ]
