"""A drill's document as one self-contained page: no script, no outside file, readable on paper."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template, select_autoescape

from ops.report import picture
from tapstack.budget import OBJECTIVE_SECONDS

TEMPLATES = Path(__file__).parent / "templates"
NAMES = {
    "acknowledged": "acknowledged",
    "found": "found in every region that was read",
    "lost": "lost",
    "stale": "stale",
    "duplicated": "duplicated",
    "never_read": "never read",
    "phantoms": "there, and written by nobody",
    "indeterminate": "never answered",
    "indeterminate_found": "of these, there",
}


def page(document: Mapping[str, Any], fingerprint: str) -> str:
    """Returns the page of a document that is signed by the key of this fingerprint."""
    figures, by_second = document["figures"], document["by_second"]
    loss_at = figures["loss_at"]
    rows = [*by_second["read"], *by_second["write"]]
    seen = [one["at"] - loss_at for one in document["timeline"]]
    end = max([0.0, *seen, *(row[0] - loss_at + by_second["width"] for row in rows)])
    start = min([0.0, *(row[0] - loss_at for row in rows)])
    return _template().render(
        d=document,
        fingerprint=fingerprint,
        objective=OBJECTIVE_SECONDS,
        names=NAMES,
        said=said,
        headline=headline(document),
        lanes=picture.lanes(
            picture.bars(document["timeline"], loss_at, end), marks(document), start
        ),
        plots=[
            (
                title,
                picture.requests(by_second[kind], by_second["width"], loss_at, title),
            )
            for kind, title in (
                ("read", "Requests, by second"),
                ("write", "Writes, by second"),
            )
        ],
    )


def headline(document: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """(figure, its value, what it is held against), the first thing that is read."""
    budget = document["budget"]
    if document["clock"] != 1:
        note = f"at clock {document['clock']:g}: no RTO"
        figures = document["figures"]
        return [
            ("requests back after", said(figures["traffic"].get("honest")), note),
            ("writes back after", said(figures["writes"].get("honest")), note),
            ("lost", f"{document['rpo_seconds']:g} s", f"{document['rpo_rows']} rows"),
        ]
    return [
        (
            "traffic RTO",
            said(document["traffic_rto_seconds"]),
            f"Route 53's floor {document['floor_seconds']} s",
        ),
        (
            "write RTO, measured",
            said(document["write_rto_seconds"]),
            "the lab's promotion takes a moment" if document["where"] == "lab" else "as it was",
        ),
        (
            "write RTO with AWS's allowance",
            said(document["write_rto_with_allowance_seconds"]),
            f"budget {budget['write_rto_with_a_lost_run_seconds']} s",
        ),
        ("RPO", f"{document['rpo_seconds']:g} s", f"{document['rpo_rows']} rows lost"),
    ]


def marks(document: Mapping[str, Any]) -> list[tuple[float, str]]:
    """Moments with their names, in seconds after the loss."""
    figures = document["figures"]
    found = [
        (0.0, "loss"),
        (figures["detection"], "first sign to the controller"),
        (figures["dns_switch"], "DNS answers otherwise"),
        (figures["traffic"].get("honest"), "requests are back"),
        (figures["writes"].get("honest"), "writes are back"),
    ]
    return [(at, name) for at, name in found if at is not None]


def said(value: Any) -> str:
    """A figure with its unit, or that there is none."""
    return "never" if value is None else f"{value:.1f} s"


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(["html", "j2"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("drill.html.j2")
