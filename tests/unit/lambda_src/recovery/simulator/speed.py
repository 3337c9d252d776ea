"""Makes the simulator fast, and changes nothing else: a test compares both ways."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from recovery import codec, journal


def quick_replace(value: Any, **changes: Any) -> Any:
    """``dataclasses.replace`` for frozen dataclasses without ``__post_init__``: a copied dict."""
    new = object.__new__(type(value))
    new.__dict__.update(value.__dict__, **changes)
    return new


@contextmanager
def quick() -> Iterator[None]:
    """Lets recovery and simulator use ``quick_replace``; the unread journal stays empty."""
    modules = [
        module
        for name, module in sys.modules.items()
        if name.partition(".")[0] in {"recovery", "simulator"} and hasattr(module, "replace")
    ]
    for module in modules:
        module.replace = quick_replace  # type: ignore[attr-defined]
    journal.to_json = lambda _: {}  # type: ignore[attr-defined]
    try:
        yield
    finally:
        journal.to_json = codec.to_json  # type: ignore[attr-defined]
        for module in modules:
            module.replace = dataclasses.replace  # type: ignore[attr-defined]
