"""Reads changed paths from standard input, one a line; prints the layers whose preview they can
change, in the contracts' order, between spaces. Runs with ``.venv``'s Python."""

import sys
from collections.abc import Iterable

from tapstack.contracts import LAYERS

SHARED = ("tapstack/", "requirements.txt", "Pulumi.dev.yaml")
"""What all four programs read."""
APPLICATION = "lambda_src/"
"""What the layer that creates the functions packs into them."""


def changed(paths: Iterable[str]) -> list[str]:
    """The layers to preview."""
    touched = list(paths)
    found = []
    for layer in LAYERS:
        sources = (f"{layer}/", *SHARED, *((APPLICATION,) if layer == "app" else ()))
        if any(path.startswith(sources) for path in touched):
            found.append(layer)
    return found


if __name__ == "__main__":
    print(*changed(line.strip() for line in sys.stdin))
