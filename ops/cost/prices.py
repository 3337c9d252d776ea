"""The dated unit prices and assumptions of ``ops/cost/prices.toml``."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ops.errors import bad_input

FILE = Path(__file__).with_suffix(".toml")
SIZES = {"large": 1, "xlarge": 2}


@dataclass(frozen=True)
class PriceBook:
    """US dollars, on demand."""

    as_of: str
    """``2026-06``"""
    hours: float
    """Hours of a month."""
    price: dict[str, float]
    aurora_large: dict[str, float]
    """Family (``db.r6g``) → price an hour of its size large."""
    burstable: dict[str, float]
    assumption: dict[str, float]

    def aurora_hour(self, instance_class: str) -> float:
        """Price an hour of a database class; sizes are multiples of large."""
        family, _, size = instance_class.rpartition(".")
        match = re.fullmatch(r"(\d*)(large|xlarge)", size)
        if family not in self.aurora_large or not match:
            raise bad_input(
                f"{instance_class} has no price: add its family to [aurora-large-hour] in "
                f"ops/cost/prices.toml (it has {', '.join(sorted(self.aurora_large))})"
            )
        return self.aurora_large[family] * SIZES[match[2]] * int(match[1] or 1)


@cache
def price_book(path: Path = FILE) -> PriceBook:
    """Reads the file."""
    found = tomllib.loads(path.read_text(encoding="utf-8"))
    return PriceBook(
        as_of=found["as_of"],
        hours=found["hours_a_month"],
        price=found["price"],
        aurora_large=found["aurora-large-hour"],
        burstable=found["burstable-hour"],
        assumption=found["assumption"],
    )
