"""Standard output and error that never stop the work: what can't be written is dropped.

A reader that goes away (``| head -3``, ``q`` in a pager) or a full disk must not end a deployment
half-way. From the first write that fails a stream goes nowhere, also for processes started later,
and the work continues to its end.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from ops.errors import ExitCode


class Sturdy:
    """A text stream whose writes don't fail."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.fault: OSError | None = None
        """Why nothing is written any more."""
        if reconfigure := getattr(stream, "reconfigure", None):
            # A terminal or file that lacks a character gets its escape.
            reconfigure(errors="backslashreplace")

    def write(self, text: str) -> int:
        """Writes what can be written; returns the length of all of it."""
        if self.fault is None:
            try:
                self._stream.write(text)
            except OSError as error:
                self._drop(error)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Writes each of the lines."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Writes what is buffered, where that can be written."""
        if self.fault is None:
            try:
                self._stream.flush()
            except OSError as error:
                self._drop(error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _drop(self, error: OSError) -> None:
        self.fault = error
        # What is buffered still must go somewhere when the interpreter ends.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)


@contextmanager
def sturdy() -> Iterator[Sturdy]:
    """Makes both streams sturdy for a while; answers standard output.

    Streams that the caller closed (``>&-``) are opened to nowhere first, so that no file or socket
    takes their place and is written to instead.
    """
    for descriptor, name in ((0, "stdin"), (1, "stdout"), (2, "stderr")):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number
        if getattr(sys, name) is None:
            setattr(sys, name, open(descriptor, "r" if name == "stdin" else "w"))  # noqa: PTH123, SIM115
    before = sys.stdout, sys.stderr
    out, err = Sturdy(sys.stdout), Sturdy(sys.stderr)
    sys.stdout, sys.stderr = out, err  # type: ignore[assignment]
    try:
        yield out
    finally:
        out.flush()
        err.flush()
        sys.stdout, sys.stderr = before


def code_after(output: Sturdy, code: int) -> int:
    """The task's exit code, once its output was written as far as that could be.

    A reader that went away wanted no more; anything else (a full disk) is a fault, said once.
    """
    if output.fault is None or isinstance(output.fault, BrokenPipeError):
        return code
    print(f"standard output can't be written: {output.fault.strerror}", file=sys.stderr)
    return code or ExitCode.FAILED
