"""``./inv bench museum``: what the real controllers decide in published incidents.

Plays each incident of ``ops/drill/museum`` in the recovery simulator and writes docs/museum.md;
a decision that isn't the one that the incident's file argues for makes it miss.
"""

from __future__ import annotations

import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [
    str(REPOSITORY),
    str(REPOSITORY / "lambda_src" / "recovery"),
    str(REPOSITORY / "tests" / "unit" / "lambda_src" / "recovery"),
]

from museum_page import page, shown  # noqa: E402

from ops.drill import incident  # noqa: E402

PAGE = REPOSITORY / "docs" / "museum.md"


def main() -> int:
    """Returns 5 where a decision isn't the one that is right."""
    incidents = [incident.load(name) for name in incident.names()]
    missed = 0
    for one in map(shown, incidents):
        wanted = (one.incident.right, one.incident.traffic)
        right = (one.decision, one.traffic) == wanted and not one.wrong
        missed += not right
        print(f"{one.incident.name:28} {one.decision:8} {one.traffic:6} {'' if right else wanted}")
    PAGE.write_text(page(incidents))
    print(f"museum: {len(incidents)} incidents, {missed} missed; {PAGE.relative_to(REPOSITORY)}")
    return 5 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
