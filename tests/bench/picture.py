"""``./inv bench picture``: draws the README's picture, both regions and what follows when one dies.

Its seconds are the budget's, by the lab's stack file.
"""

from __future__ import annotations

from html import escape

from deployed_lab import REPOSITORY

from ops import stack_file, workspace
from ops.quality.themes import THEMES, Theme
from tapstack.budget import Budget

PICTURES = REPOSITORY / "docs" / "pictures"
WIDTH, HEIGHT = 680, 400


def main() -> None:
    """Writes one file for each theme."""
    budget = stack_file.load(workspace.find(), "lab").settings.budget
    PICTURES.mkdir(exist_ok=True)
    for name, theme in THEMES.items():
        file = PICTURES / f"regions-{name}.svg"
        file.write_text(draw(theme, budget))
        print(file.relative_to(REPOSITORY))


def draw(theme: Theme, budget: Budget) -> str:
    """The picture as SVG."""
    decision = budget.traffic[0].seconds
    east, west = 24, 384
    parts = [
        box(theme, 250, 14, 180, 34, theme.text),
        text(theme.text, 340, 36, "clients → Route 53", anchor="middle", bold=True),
        arrow(theme.dead, 285, 48, 165, 84, dashed=True),
        arrow(theme.alive, 395, 48, 515, 84),
        *region(theme, east, "us-east-1 serves … and dies", theme.dead, "writer"),
        *region(theme, west, "us-west-2 stands by warm", theme.alive, "reader → writer"),
        arrow(theme.faint, 298, 202, 382, 202),
        text(theme.faint, 340, 194, "replicates", anchor="middle"),
        line(theme.dead, east + 6, 92, east + 266, 220),
        line(theme.dead, east + 6, 220, east + 266, 92),
    ]
    steps = (
        (f"{decision} s", "Route 53's checks fail: DNS answers us-west-2, nobody had to act"),
        (f"{budget.traffic_rto} s", "the last cached answer has expired: all clients are there"),
        (f"{budget.write_rto} s", "the controller has proven the loss, promoted, and writes again"),
        ("later", "a person brings the writer home: ./inv failback, without loss"),
    )
    for number, (when, what) in enumerate(steps):
        y = 270 + 32 * number
        parts += [
            text(theme.alive, 96, y, f"≤ {when}" if when != "later" else when, anchor="end",
                 bold=True),
            text(theme.text, 112, y, what),
        ]  # fmt: skip
    said = (
        "Two AWS regions. us-east-1 serves, us-west-2 stands by with a replicated database. When "
        f"us-east-1 dies DNS answers us-west-2 within {decision} s, all clients are there within "
        f"{budget.traffic_rto} s, and writes succeed within {budget.write_rto} s."
    )
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
            f'font-family="system-ui, sans-serif" font-size="15" aria-label="{escape(said)}">',
            f'<rect width="{WIDTH}" height="{HEIGHT}" rx="10" fill="{theme.ground}"/>',
            *parts,
            "</svg>\n",
        ]
    )


def region(theme: Theme, x: int, title: str, colour: str, role: str) -> list[str]:
    """One region: load balancer, functions, database."""
    return [
        box(theme, x, 86, 272, 140, colour),
        text(colour, x + 14, 110, title, bold=True),
        box(theme, x + 14, 124, 116, 34, theme.faint),
        text(theme.text, x + 72, 146, "load balancer", anchor="middle"),
        box(theme, x + 142, 124, 116, 34, theme.faint),
        text(theme.text, x + 200, 146, "functions", anchor="middle"),
        box(theme, x + 14, 178, 244, 36, theme.faint),
        text(theme.text, x + 136, 201, f"Aurora: {role}", anchor="middle"),
    ]


def box(theme: Theme, x: int, y: int, width: int, height: int, edge: str) -> str:
    """A rounded box."""
    return (
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="6" fill="{theme.box}" '
        f'stroke="{edge}" stroke-width="1.5"/>'
    )


def text(
    colour: str, x: int, y: int, words: str, *, anchor: str = "start", bold: bool = False
) -> str:
    """One line of words."""
    weight = ' font-weight="600"' if bold else ""
    style = f'fill="{colour}" text-anchor="{anchor}"{weight}'
    return f'<text x="{x}" y="{y}" {style}>{escape(words)}</text>'


def line(colour: str, x: int, y: int, to_x: int, to_y: int) -> str:
    """Half of a cross."""
    return (
        f'<line x1="{x}" y1="{y}" x2="{to_x}" y2="{to_y}" stroke="{colour}" stroke-width="3" '
        'opacity="0.55"/>'
    )


def arrow(colour: str, x: int, y: int, to_x: int, to_y: int, *, dashed: bool = False) -> str:
    """A line with a point at its end."""
    dash = ' stroke-dasharray="6 5"' if dashed else ""
    return (
        f'<line x1="{x}" y1="{y}" x2="{to_x}" y2="{to_y}" stroke="{colour}" '
        f'stroke-width="2"{dash}/>'
        f'<circle cx="{to_x}" cy="{to_y}" r="4" fill="{colour}"/>'
    )


if __name__ == "__main__":
    main()
