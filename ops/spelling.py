"""What may stand on the command line without a flag's name: optional values by their position, and
a whole command line of another program. Written out with names, as invoke's parser wants it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

BY_POSITION: Mapping[str, Sequence[str]] = {"lab.fault": ("--fault", "--value")}
"""Task → the flags that its bare words stand for, in their order."""
WHOLE: Mapping[str, str] = {"lab.aws": "--arguments"}
"""Task → the flag that takes all that follows, as one shell line."""


def spelled_out(tokens: Sequence[str]) -> list[str]:
    """The arguments of ``./inv`` with a flag before each bare word that stands for one."""
    spelled: list[str] = []
    wanting: list[str] = []
    for number, token in enumerate(tokens):
        if token in WHOLE:
            rest = shlex.join(tokens[number + 1 :])
            return [*spelled, token, *([f"{WHOLE[token]}={rest}"] if rest else [])]
        if wanting and not token.startswith("--"):
            spelled.append(f"{wanting.pop(0)}={token}")
            continue
        wanting = list(BY_POSITION.get(token, ()))
        spelled.append(token)
    return spelled
