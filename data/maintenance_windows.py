"""When each region's database is backed up and maintained: never both regions at once."""

from dataclasses import dataclass

MINUTES_OF_A_DAY = 24 * 60
SECONDARY_LATER = 6 * 60
"""Minutes that the secondary's windows come after the primary's."""
MAINTENANCE_LATER = 2 * 60
"""Minutes from the end of the backup window to the maintenance window, which must not overlap."""
MAINTENANCE_LENGTH = 30
MAINTENANCE_DAY = "sun"


@dataclass(frozen=True)
class Windows:
    """``hh:mm-hh:mm`` and ``ddd:hh:mm-ddd:hh:mm``, UTC."""

    backup: str
    maintenance: str


def windows_of(backup_window: str, *, is_primary: bool) -> Windows:
    """One region's windows from the primary's backup window.

    >>> windows_of("03:00-04:00", is_primary=False)
    Windows(backup='09:00-10:00', maintenance='sun:12:00-sun:12:30')
    """
    begin, end = (_minutes(text) for text in backup_window.split("-"))
    shift = 0 if is_primary else SECONDARY_LATER
    begin, end = begin + shift, end + shift
    maintenance = end + MAINTENANCE_LATER
    return Windows(
        backup=f"{_clock(begin)}-{_clock(end)}",
        maintenance=(
            f"{MAINTENANCE_DAY}:{_clock(maintenance)}-"
            f"{_day_of(maintenance)}:{_clock(maintenance + MAINTENANCE_LENGTH)}"
        ),
    )


def _minutes(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


def _clock(minutes: int) -> str:
    hours, rest = divmod(minutes % MINUTES_OF_A_DAY, 60)
    return f"{hours:02}:{rest:02}"


def _day_of(maintenance: int) -> str:
    """The day on which a maintenance window ends: the next one if it spans midnight."""
    begin = maintenance % MINUTES_OF_A_DAY
    return "mon" if begin + MAINTENANCE_LENGTH >= MINUTES_OF_A_DAY else MAINTENANCE_DAY
