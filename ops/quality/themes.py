"""The colours of the pictures that commands draw, light and dark."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Theme:
    """Colours of one picture, as CSS writes them."""

    ground: str
    text: str
    faint: str
    box: str
    dead: str
    alive: str


THEMES = {
    "light": Theme("#ffffff", "#1a1d23", "#565d6b", "#f4f5f7", "#b3151f", "#14693a"),
    "dark": Theme("#0d1117", "#e8eaee", "#a4abb8", "#1b1f26", "#ff8d91", "#62d394"),
}
