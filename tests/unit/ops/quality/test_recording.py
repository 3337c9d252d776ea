"""A recorded pair of terminals as an animated picture."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from ops.quality import recording
from ops.quality.recording import Shown
from ops.quality.themes import THEMES

RUN = (
    Shown(10.0, "client", "$ while sleep 2; do write; done", typed=True),
    Shown(12.0, "client", "2 s  201 us-east-1"),
    Shown(13.0, "operator", "$ ./inv lab.outage us-east-1", typed=True),
    Shown(14.0, "operator", ""),
    Shown(14.5, "operator", "us-east-1 <down>"),
    Shown(16.0, "client", "6 s  503 us-west-2"),
    Shown(310.0, "client", "300 s  201 us-west-2"),
)
SVG = "{http://www.w3.org/2000/svg}"


def test_a_recording_is_read_as_it_was_written() -> None:
    """Issue 22: a line each, by their time, whatever their order in the file."""
    assert recording.load(recording.dump(RUN)) == [*RUN]
    assert recording.load(recording.dump(reversed(RUN))) == [*RUN]


def test_a_line_breaks_as_a_terminal_breaks_it() -> None:
    """Nothing of a long line is lost, and an empty one stays."""
    long = "a" * recording.COLUMNS + "b" * 3
    made = recording.wrapped([Shown(1.0, "client", long), Shown(2.0, "client", "")])
    assert [(one.at, one.text) for one in made] == [
        (1.0, "a" * recording.COLUMNS), (1.0, "bbb"), (2.0, ""),
    ]  # fmt: skip


def test_lines_appear_in_their_order_and_at_one_pace() -> None:
    """Issue 22: sped up as a whole; time stands only while a command is read and typed."""
    pace, times = recording.schedule(RUN)
    assert times == sorted(times)
    assert times[0] == 0
    assert times[-1] == pytest.approx(recording.PLAY_SECONDS - recording.END_SECONDS)
    typing = recording.TYPING_SECONDS * len(RUN[2].text) + recording.READ_SECONDS
    assert times[6] - times[5] == pytest.approx((310 - 16) / pace)
    assert times[3] - times[1] == pytest.approx((14 - 12) / pace + typing)


def test_a_short_recording_is_not_slowed_down() -> None:
    """What took three seconds plays three seconds."""
    pace, times = recording.schedule((*RUN[1:2], Shown(15.0, "client", "5 s  us-east-1")))
    assert (pace, times) == (1.0, [0.0, 3.0])


def test_too_many_commands_are_refused() -> None:
    """A picture whose time goes into typing alone would play nothing."""
    typed = [Shown(float(n), "operator", "$ " + "x" * 70, typed=True) for n in range(40)]
    with pytest.raises(ValueError, match="type less"):
        recording.schedule(typed)


@pytest.mark.parametrize("theme", THEMES)
def test_the_picture_shows_every_line(theme: str) -> None:
    """Issue 22: whole XML, each line once, coloured by who answered, at its end where still."""
    drawn = ET.fromstring(recording.draw(RUN, THEMES[theme], "What it shows"))  # noqa: S314
    assert drawn.get("aria-label") == "What it shows"
    words = {text.text: text.get("class") for text in drawn.iter(f"{SVG}text")}
    assert {one.text for one in RUN if one.text} < set(words)
    assert [words[RUN[n].text] for n in (0, 1, 4, 5, 6)] == [
        "typed", "text", "text", "dead", "alive",
    ]  # fmt: skip
    last = drawn.find(f".//{SVG}g[@class='client']")
    assert last is not None
    assert last.get("transform") == f"translate(6 {(9 - 4) * recording.LINE})"


@pytest.mark.parametrize(
    ("line", "colour"),
    [
        ("  39.4 s  drill: outage us-east-1", "dead"),
        ("  40.4 s  health: us-east-1: unhealthy", "dead"),
        ("  55.0 s  no answer (ProtocolError)", "dead"),
        ("  92.5 s  dns: us-west-2", "alive"),
        (" 250.0 s  writer: us-west-2", "alive"),
        ("   0.0 s  health: us-west-2: healthy", "text"),
        ("   0.0 s  201 us-east-1", "text"),
    ],
)
def test_a_line_s_colour_is_what_it_says(line: str, colour: str) -> None:
    """Issue 22: lost and recovered are seen before they are read."""
    drawn = ET.fromstring(recording.draw([Shown(1.0, "client", line)], THEMES["dark"], "x"))  # noqa: S314
    (text,) = [one for one in drawn.iter(f"{SVG}text") if one.text == line]
    assert text.get("class") == colour


def test_the_picture_plays_for_its_time_and_only_where_motion_is_wanted() -> None:
    """Issue 22: forty seconds at most; who wants no motion sees the end."""
    text = recording.draw(RUN, THEMES["light"], "x")
    style = text.partition("<style>")[2].partition("</style>")[0]
    still, _, moving = style.partition("@media (prefers-reduced-motion: no-preference)")
    assert "animation" not in still
    assert set(re.findall(r"animation: \S+ (\S+)s step-end", moving)) == {"40"}
    assert all(float(each) <= 100 for each in re.findall(r"([\d.]+)% {", moving))
