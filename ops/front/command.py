"""What every task has in common: the meaning of its flags, and how its faults end."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from invoke.tasks import Task, task

REGION = "us-east-1 or us-west-2"
FLAGS = {
    "stack": "Environment: the name in Pulumi.<stack>.yaml (lab needs no account)",
    "engine": "embedded (default for lab) or pulumi (Pulumi's CLI, default for all others)",
    "layer": "network, data, app or global",
    "refresh": "Read every resource anew first",
    "target": "URN of a resource to touch alone; may be repeated (engine pulumi)",
    "parallel": "Resources moved at a time",
    "confirm": "The stack's name: destroys it without asking; the lab never asks",
    "yes": "Don't ask",
    "json": "Print JSON instead of a table",
}
"""What a flag means in every task that has it."""
REPEATED = ("target", "participants", "finding")
"""Flags that may be given several times."""


def command(name: str | None = None, /, **flags: str) -> Callable[[Callable[..., None]], Task[Any]]:
    """Makes a function a task, named after it or ``name``.

    ``FLAGS`` explains the flags that mean the same in every task, ``flags`` those of this one: a
    flag that neither explains is a ``KeyError``. A fault ends the task in one line and an exit
    code.
    """

    def made(body: Callable[..., None]) -> Task[Any]:
        _, *parameters = inspect.signature(body).parameters
        explained = {**FLAGS, **flags}
        return task(
            name=name,
            iterable=[flag for flag in parameters if flag in REPEATED],
            help={flag.rstrip("_"): explained[flag.rstrip("_")] for flag in parameters},
        )(_reported(body))

    return made


def _reported(body: Callable[..., None]) -> Callable[..., None]:
    """The body as ``ops.exits.reported`` makes it, which is imported when the task runs."""

    @functools.wraps(body)
    def run(*arguments: Any, **options: Any) -> None:
        from ops import exits

        exits.reported(body)(*arguments, **options)

    # Invoke takes a flag's kind from its default: of a tuple's it would make single letters.
    signature = inspect.signature(body)
    run.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[
            one.replace(default=[]) if name in REPEATED else one
            for name, one in signature.parameters.items()
        ]
    )
    return run
