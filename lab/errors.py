"""The lab's errors."""


class LabError(Exception):
    """One line for the person who can act: what failed, why, what to run next."""


class LabInputError(LabError):
    """What was asked of the lab makes no sense; nothing was touched."""
