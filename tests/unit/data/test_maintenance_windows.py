"""Backup and maintenance windows of the two regions."""

import re

from hypothesis import given
from hypothesis import strategies as st

from maintenance_windows import Windows, windows_of

DAY = 24 * 60
begins = st.integers(0, DAY - 1)
lengths = st.integers(30, 240)


def clock(minutes: int) -> str:
    """``hh:mm``."""
    return f"{minutes % DAY // 60:02}:{minutes % 60:02}"


def minutes_of(window: str) -> set[int]:
    """The minutes of the day that a window covers."""
    begin, end = (
        int(hour) * 60 + int(minute) for hour, minute in re.findall(r"(\d\d):(\d\d)", window)
    )
    return {(begin + offset) % DAY for offset in range((end - begin) % DAY)}


@given(begins, lengths)
def test_no_window_of_one_region_meets_one_of_the_other(begin: int, length: int) -> None:
    """R1.2: neither both backups nor both maintenances at once, nor the two kinds in one region
    (AWS refuses that)."""
    text = f"{clock(begin)}-{clock(begin + length)}"
    primary = windows_of(text, is_primary=True)
    secondary = windows_of(text, is_primary=False)
    assert primary.backup == text
    assert not minutes_of(primary.backup) & minutes_of(secondary.backup)
    assert not minutes_of(primary.maintenance) & minutes_of(secondary.maintenance)
    for windows in (primary, secondary):
        assert len(minutes_of(windows.backup)) == length
        assert len(minutes_of(windows.maintenance)) == 30
        assert not minutes_of(windows.backup) & minutes_of(windows.maintenance)


def test_a_window_over_midnight_ends_on_the_next_day() -> None:
    """AWS takes ``sun:23:45-mon:00:15`` and refuses a window that ends before it begins."""
    assert windows_of("20:45-21:45", is_primary=True) == Windows(
        backup="20:45-21:45", maintenance="sun:23:45-mon:00:15"
    )


def test_the_secondary_comes_six_hours_later() -> None:
    """R1.2: whoever works in one region at night finds the other one at rest."""
    assert windows_of("20:45-21:45", is_primary=False) == Windows(
        backup="02:45-03:45", maintenance="sun:05:45-sun:06:15"
    )


def test_a_window_that_ends_at_midnight_ends_on_the_next_day() -> None:
    """AWS writes that minute as the next day's first."""
    assert windows_of("20:30-21:30", is_primary=True).maintenance == "sun:23:30-mon:00:00"
