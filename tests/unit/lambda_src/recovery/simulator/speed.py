"""Makes the simulator fast, and changes nothing else: a test compares both ways."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from recovery import codec, journal
from simulator.known import Known, used


def quick_replace(value: Any, **changes: Any) -> Any:
    """``dataclasses.replace`` for dataclasses without ``__post_init__``: a copied dict."""
    new = object.__new__(value.__class__)
    object.__setattr__(new, "__dict__", value.__dict__ | changes)
    return new


@contextmanager
def quick(known: Known | None = None) -> Iterator[None]:
    """Lets recovery and simulator use ``quick_replace``, and what is known of earlier timelines
    (``Known``, a new one without it); the journal, which nobody reads, stays empty."""
    modules = [
        module
        for name, module in sys.modules.items()
        if name.partition(".")[0] in {"recovery", "simulator"} and hasattr(module, "replace")
    ]
    for module in modules:
        module.replace = quick_replace  # type: ignore[attr-defined]
    journal.to_json = lambda _: {}  # type: ignore[attr-defined]
    try:
        with used(known or Known()):
            yield
    finally:
        journal.to_json = codec.to_json  # type: ignore[attr-defined]
        for module in modules:
            module.replace = dataclasses.replace  # type: ignore[attr-defined]
