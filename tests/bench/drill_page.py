"""``./inv bench drill_page``: the pictures of a drill's page in docs/, and the README's row of it.

The drill is played for them, in a lab of its own at clock 1, so it takes a quarter of an hour; one
that didn't pass isn't shown.
"""

from __future__ import annotations

import json
import sys

from bench import deployed_lab
from browser import Page, chromium, missing
from deployed_lab import REPOSITORY, Lab

from ops.report import drills

PICTURES = REPOSITORY / "docs" / "pictures"
SIZES = {"wide": (1000, 1500), "narrow": (390, 1300)}
"""Pixels of the page's upper part: verdict, figures, both regions' course."""
SECONDS = 3600


def main() -> None:
    """Plays the drill and takes its page: light and dark, wide and narrow."""
    if needed := missing():
        sys.exit(f"Chromium isn't here: {needed}")
    PICTURES.mkdir(exist_ok=True)
    with deployed_lab() as lab:
        document = played(lab)
        page = drills.folder(lab.directory) / f"{document['id']}.html"
        with chromium() as driver:
            driver.get(page.as_uri())
            Page(driver).pictures(PICTURES, "drill", SIZES)
        print(lab.inv("drill.history", "--markdown").stdout)


def played(lab: Lab) -> dict[str, object]:
    """The document of a region's loss that passed."""
    answer = lab.inv("drill", "--json", timeout=SECONDS)
    document = json.loads(answer.stdout) if answer.stdout else {}
    if document.get("verdict") != "passed":
        sys.exit(f"the drill didn't pass: {document.get('reasons', answer.stderr)}")
    return document


if __name__ == "__main__":
    main()
