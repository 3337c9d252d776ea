"""A driver over a fake engine whose streams can be read, for tests of what uses drivers."""

from __future__ import annotations

import io
from pathlib import Path

from fake_engine import FakeEngine

from ops.deploy.driver import Driver
from ops.printing import make_console
from ops.stack_file import StackFile, parse
from ops.workspace import Workspace

LAB = (
    "config: {TapStack:environmentSuffix: lab, TapStack:environment: lab, "
    "TapStack:endpoint: 'http://127.0.0.1:1', aws:region: us-east-1}"
)


def stack_file(stack: str = "lab") -> StackFile:
    """The lab's configuration under any name."""
    return parse(stack, LAB)


class Watched(Driver):
    """A driver whose two streams can be read."""

    @property
    def out(self) -> str:
        """What was printed for the operator."""
        return self.console.file.getvalue()  # type: ignore[attr-defined]

    @property
    def err(self) -> str:
        """What went wrong."""
        return self.errors.file.getvalue()  # type: ignore[attr-defined]


def watched(tmp_path: Path, engine: FakeEngine, stack: str = "lab", **more: object) -> Watched:
    """A driver over a fake engine and a temporary workspace."""
    return Watched(
        Workspace(tmp_path, tmp_path),
        stack_file(stack),
        engine,
        console=make_console(file=io.StringIO()),
        errors=make_console(file=io.StringIO()),
        **more,  # type: ignore[arg-type]
    )
