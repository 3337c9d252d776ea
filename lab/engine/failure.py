"""The failure of one resource's step."""

from __future__ import annotations


class StepFailedError(Exception):
    """One resource could not be dealt with; the text is for people and holds no secret."""

    def __init__(self, urn: str, message: str, doing: str = "registering") -> None:
        super().__init__(message)
        self.urn = urn
        self.doing = doing
