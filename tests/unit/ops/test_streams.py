"""Output that can't be written never stops the work."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops import streams
from ops.streams import Sturdy, code_after


@pytest.fixture
def closed_pipe() -> Iterator[Sturdy]:
    """A stream whose reader went away, as behind ``| head``."""
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w", buffering=1) as stream:  # noqa: PTH123
        yield Sturdy(stream)


def test_a_reader_that_goes_away_stops_nothing(closed_pipe: Sturdy) -> None:
    """Every line of the work is written or dropped; none raises; the code is the work's."""
    for _ in range(3):
        assert closed_pipe.write("line\n") == 5
    closed_pipe.writelines(["more\n"])
    closed_pipe.flush()
    assert isinstance(closed_pipe.fault, BrokenPipeError)
    assert code_after(closed_pipe, 0) == 0
    assert code_after(closed_pipe, 5) == 5


def test_a_process_started_later_can_write(closed_pipe: Sturdy) -> None:
    """Benchmarks and linters inherit the stream: they continue as well."""
    closed_pipe.write("line\n")
    script = "import sys; sys.stdout.write('x' * 100000); sys.stdout.flush()"
    subprocess.run([sys.executable, "-c", script], stdout=closed_pipe.fileno(), check=True)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_a_fault_once_the_work_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    """A pipeline mustn't take half a file for the whole; the work itself isn't stopped."""
    with open("/dev/full", "w") as stream:  # noqa: PTH123
        output = Sturdy(stream)
        output.write("x" * 100_000)
        output.flush()
        assert code_after(output, 0) == 1
        assert code_after(output, 5) == 5
    said = capsys.readouterr().err.splitlines()
    assert said == ["standard output can't be written: No space left on device"] * 2


def test_what_a_terminal_can_t_show_is_escaped(tmp_path: Path) -> None:
    """A locale without arrows, or bytes that were no text, end in no traceback."""
    with (tmp_path / "out").open("w", encoding="ascii") as stream:
        output = Sturdy(stream)
        output.write("a → b \udc80")
        output.flush()
        assert (output.encoding, output.fault) == ("ascii", None)
    assert (tmp_path / "out").read_text() == r"a \u2192 b \udc80"


def test_both_streams_are_sturdy_for_a_while() -> None:
    """What was there before is there again."""
    before = sys.stdout, sys.stderr
    with streams.sturdy() as output:
        assert sys.stdout is output
        assert isinstance(sys.stderr, Sturdy)
    assert (sys.stdout, sys.stderr) == before


def test_closed_streams_take_no_file_s_place() -> None:
    """``>&-``: the next file opened would be standard output, and be written to."""
    script = (
        "import os, sys\n"
        "from ops import streams\n"
        "with streams.sturdy():\n"
        "    print('x'); print('y', file=sys.stderr); assert sys.stdin.read() == ''\n"
        "    with open(sys.argv[1], 'w') as file: assert file.fileno() > 2\n"
    )
    code = 'exec "$0" -c "$1" "$2" <&- >&- 2>&-'
    place = os.devnull
    shell = ["sh", "-c", code, sys.executable, script, place]
    assert subprocess.run(shell, check=False).returncode == 0


def test_a_stream_that_can_t_be_reconfigured_is_written_to_as_it_is() -> None:
    """A buffer in memory shows every character."""
    stream = io.StringIO()
    Sturdy(stream).write("a → b")
    assert stream.getvalue() == "a → b"
