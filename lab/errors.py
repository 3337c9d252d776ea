"""The lab's errors."""


class LabError(Exception):
    """One line for the person who can act: what failed, why, what to run next."""
