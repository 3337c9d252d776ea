"""The history's file: what is written can be read, and what isn't of its form is named."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from drill_histories import recovered_course, written
from hypothesis import given, settings
from hypothesis import strategies as st

from ops.drill.history import (
    Found,
    HistoryError,
    Kind,
    Operation,
    Outcome,
    Reading,
    Recorder,
    Seen,
    What,
    as_line,
    parse,
)

TEXTS = st.text(max_size=8)
TIMES = st.floats(0, 1e6, allow_nan=False)
ENTRIES = st.one_of(
    st.builds(
        Operation, st.sampled_from(Kind), TEXTS, st.integers(-1, 9), st.integers(1, 4), TIMES,
        TIMES, TIMES, st.sampled_from(Outcome), st.integers(0, 599), TEXTS, TEXTS, TEXTS,
    ),
    st.builds(Seen, TIMES, TEXTS, TEXTS),
    st.builds(Found, TEXTS, st.sampled_from(What), TEXTS, st.integers(-1, 9), TEXTS),
    st.builds(Reading, TEXTS, st.sampled_from(What), st.booleans(), TEXTS),
)  # fmt: skip


@settings(deadline=None)
@given(st.lists(ENTRIES, max_size=6))
def test_what_is_written_is_read(entries: list[Any]) -> None:
    """Any history comes back as it was, types included."""
    history = parse(as_line(entry) for entry in entries)
    assert sorted(map(as_line, history.entries())) == sorted(map(as_line, entries))
    assert all(isinstance(one.outcome, Outcome) for one in history.operations)


@pytest.mark.parametrize(
    "line", ["", "{", "[]", "{}", '{"line":"other"}', '{"line":"seen","at":1}',
             '{"line":"seen","at":1,"source":"x","what":"y","more":1}',
             as_line(written(1)).replace('"write"', '"wrote"')],
)  # fmt: skip
def test_a_line_of_another_form_is_named(line: str) -> None:
    """Truncated or foreign files are one line, with the number of the wrong one."""
    with pytest.raises(HistoryError, match="line 2 isn't of a drill's history"):
        parse([as_line(written(1)), line])


def test_a_recorder_writes_what_it_keeps(tmp_path: Path) -> None:
    """The file is its owner's alone, complete after the end, and never written over."""
    path = tmp_path / "drills" / "x.jsonl"
    recorder = Recorder(path)
    for entry in recovered_course().entries()[:50]:
        recorder.add(entry)
    recorder.flush()
    assert len(path.read_text().splitlines()) == 50
    recorder.close()
    recorder.close()
    recorder.add(Seen(1.0, "drill", "too late"))
    assert len(parse(path.read_text().splitlines()).entries()) == 50
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        Recorder(path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_noted_and_stops_nothing(tmp_path: Path) -> None:
    """Issue 20, bad input: the drill continues to its end, and its history says that it lacks."""
    recorder = Recorder(tmp_path / "x.jsonl")
    real, recorder._file = recorder._file, open("/dev/full", "w")  # noqa: SIM115, PTH123
    assert real is not None
    real.close()
    recorder.add(Seen(1.0, "drill", "begins"))
    recorder.flush()
    recorder.add(Seen(2.0, "drill", "continues"))
    assert recorder.fault == f"the history can't be written: {os.strerror(28)}"
    assert len(recorder.history.seen) == 2


def test_a_file_that_closes_after_its_fault_is_left(tmp_path: Path) -> None:
    """Only what was lost is reported."""

    class Broken:
        def write(self, _text: str) -> None:
            raise OSError(28, "No space left on device")

        def close(self) -> None:
            return None

    recorder = Recorder(tmp_path / "x.jsonl")
    assert recorder._file is not None
    recorder._file.close()
    recorder._file = Broken()  # type: ignore[assignment]
    recorder.add(Seen(1.0, "drill", "begins"))
    assert "No space left" in recorder.fault
