"""The roles of the two regions, as outputs and tags name them, in the order of ``regions``."""

from __future__ import annotations

from collections.abc import Sequence

ROLES = ("primary", "secondary")


def role_of(region: str, regions: Sequence[str]) -> str:
    """``primary`` or ``secondary``; ValueError where ``region`` is none of the two ``regions``."""
    return ROLES[regions.index(region)]
