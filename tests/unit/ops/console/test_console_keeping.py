"""What the console keeps: the timeline over a restart, its processes' output, what was read."""

from __future__ import annotations

import json
import os
import stat
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from fake_engine import FakeEngine

from ops.console import drills, runs, timeline
from ops.console.drills import Drill, Drills
from ops.console.facts import Layer
from ops.console.model import Cell, Tone
from ops.console.outputs import Outputs
from ops.console.runs import Runs
from ops.console.timeline import HOUR_SECONDS, Moment, Piece, Timeline, changes, ribbon
from ops.errors import ExitCode, OperatorError
from ops.report.drills import Recorded
from ops.workspace import Workspace
from pulumi_protocol.events import EngineError

NOW = 1_800_000_000.0
GOOD, BAD = Cell("x", "yes", Tone.GOOD), Cell("x", "no", Tone.BAD, "why")


def moment(at: float, now: str = "yes", what: str = "x", before: str = "") -> Moment:
    return Moment(at, what, before, now, Tone.GOOD)


def test_only_what_differs_is_a_change() -> None:
    """Issue 21: a first sight, another text or another tone; what isn't asked yet is none."""
    assert changes({}, {"x": GOOD}, NOW) == [Moment(NOW, "x", "", "yes", Tone.GOOD)]
    known = {"x": moment(NOW)}
    assert changes(known, {"x": GOOD}, NOW) == []
    assert changes(known, {"x": BAD}, NOW + 1) == [
        Moment(NOW + 1, "x", "yes", "no", Tone.BAD, "why")
    ]
    assert changes(known, {"x": Cell("x", "unknown (not asked yet)")}, NOW) == []


def test_the_timeline_survives_a_restart(tmp_path: Path) -> None:
    """Issue 21: kept 0600; a line that a kill cut short, or that is no moment, is left out; a
    change that came while no console ran is one."""
    first = Timeline(tmp_path / "made" / "t.jsonl")
    assert first.see({"x": GOOD}, NOW)
    assert not first.see({"x": GOOD}, NOW + 1)
    assert stat.S_IMODE(first.file.stat().st_mode) == 0o600
    with first.file.open("a") as file:
        file.write('{"at": 1}\n[]\n{"at": 1, "wh')
    second = Timeline(first.file)
    second.load(NOW + 5)
    assert second.see({"x": BAD}, NOW + 6)
    assert [(one.before, one.now) for one in second.shown()] == [("yes", "no")]
    nothing = Timeline(tmp_path / "none")
    nothing.load(NOW)
    assert nothing.moments == []


def test_an_hour_is_kept_and_how_it_began(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Issue 21: bounded in time and in lines; how each thing was when the hour began stays."""
    monkeypatch.setattr(timeline, "MOST", 5)
    kept = Timeline(tmp_path / "t.jsonl")
    kept.add(moment(NOW, "first", "other"))
    for number in range(30):
        kept.add(moment(NOW + HOUR_SECONDS + number, str(number), before="y"))
        assert len(kept.file.read_text().splitlines()) <= 10
    assert len(kept.moments) == 5
    assert kept.known["other"].now == "first"
    again = Timeline(kept.file)
    again.load(NOW + HOUR_SECONDS + 30)
    assert again.known == kept.known
    assert [one.now for one in again.shown()] == [str(number) for number in range(29, 24, -1)]


def test_a_ribbon_shows_the_hour() -> None:
    """Issue 21: how long it was how; nothing before it was first seen, nothing of what was before
    the hour."""
    begin = int(NOW) - HOUR_SECONDS
    moments = [
        moment(begin - 100, "a"), moment(begin - 50, "b"), moment(begin + 600, "c"),
        moment(begin + 600, "z", "y"),
    ]  # fmt: skip
    assert ribbon("x", moments, int(NOW)).pieces == (
        Piece(0, 600, Tone.GOOD, "b"), Piece(600, 3000, Tone.GOOD, "c"),
    )  # fmt: skip
    assert ribbon("none", moments, int(NOW)).pieces == ()


def test_drills_are_read_when_their_files_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Issue 21: as ``ops.report`` reads them, with the evidence that is there; what isn't whole is
    said to be unreadable; unchanged files aren't read again."""
    document = {
        "verdict": "passed", "scenario": "region-loss", "where": "lab", "clock": 1.0,
        "traffic_rto_seconds": 120.0, "write_rto_seconds": None, "rpo_seconds": 2.0,
    }  # fmt: skip
    made = Drills(tmp_path)
    assert made.read() == ()
    folder = tmp_path / "evidence" / "drills"
    folder.mkdir(parents=True)
    for name in ("a.json", "a.html", "b.json"):
        (folder / name).write_text("{")
    reads: list[Path] = []

    def recorded(directory: Path) -> list[Recorded]:
        reads.append(directory)
        return [Recorded(folder / "b.json", {}, "cut"), Recorded(folder / "a.json", document)]

    monkeypatch.setattr(drills, "recorded", recorded)
    expected = (
        Drill("b", "unreadable", "", "", 1.0, None, None, None, ("json",)),
        Drill("a", "passed", "region-loss", "lab", 1.0, 120.0, None, 2.0, ("json", "html")),
    )
    assert made.read() == made.read() == expected
    assert reads == [tmp_path]
    os.utime(folder / "a.json", (1, 1))
    made.read()
    assert len(reads) == 2


@pytest.mark.parametrize(
    ("name", "kind", "found"),
    [
        ("a", "html", True),
        ("a", "json", False),
        ("a", "sig", False),
        ("../a", "html", False),
        ("", "html", False),
    ],
)
def test_evidence_is_found_by_name_alone(tmp_path: Path, name: str, kind: str, found: bool) -> None:
    """Issue 21: no path leads out of the folder."""
    folder = tmp_path / "evidence" / "drills"
    folder.mkdir(parents=True)
    (folder / "a.html").write_text("<p>")
    (folder / "a.sig").write_text("x")
    assert (drills.evidence(tmp_path, name, kind) is not None) == found


def running(tmp_path: Path) -> Runs:
    """Runs whose ``./inv`` is a script."""
    package = tmp_path / "ops"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "program.py").write_text(
        "import os, sys, time\nprint('began', *sys.argv[1:], flush=True)\n"
        "while sys.argv[1] == 'wait' and not os.path.exists('go'): time.sleep(0.02)\n"
        "print('\\x1b[31mended', flush=True)\nsys.exit(int(sys.argv[-1]))\n"
    )
    return Runs(tmp_path / "console", dict(os.environ), tmp_path)


def ended(made: Runs) -> runs.Run:
    """The newest run, once it has ended."""
    deadline = time.monotonic() + 60
    while made.shown()[0].code is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return made.shown()[0]


def test_one_order_works_at_a_time(tmp_path: Path) -> None:
    """Issue 21: a second one is refused as busy; what an ended one printed is shown as it is,
    control characters as escapes; its file is 0600."""
    made = running(tmp_path)
    assert made.shown() == ()
    made.start(["wait", "3"])
    with pytest.raises(OperatorError, match=r"^\./inv wait 3 still works") as caught:
        made.start(["other", "0"])
    assert caught.value.code is ExitCode.BUSY
    (tmp_path / "go").touch()
    first = ended(made)
    assert (first.command, first.code) == ("./inv wait 3", 3)
    assert first.lines == ("began wait 3", "\\x1b[31mended")
    made.start(["other", "0"])
    assert ended(made).code == 0
    assert [one.command for one in made.shown()] == ["./inv other 0", "./inv wait 3"]
    for file in made.folder.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        file.unlink()
    assert made.shown()[0].lines == ()
    assert sys.executable


class Engine(FakeEngine):
    """Counts how often it is asked, and may fail."""

    asked = 0
    fault: Exception | None = None

    def outputs(self, layer: str) -> dict[str, Any] | None:
        self.asked += 1
        if self.fault:
            raise self.fault
        return super().outputs(layer)


def written(space: Workspace, name: str = "network") -> Path:
    file = space.checkpoints / name / "lab.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    return file


def test_outputs_are_read_when_the_state_has_changed(tmp_path: Path) -> None:
    """Issue 21: an unchanged local state is read once, for the CPU; another engine's always."""
    space = Workspace(tmp_path, tmp_path)
    engine = Engine("network")
    made = Outputs(space, "lab", engine)
    assert made.layers()[:2] == (Layer("network", True, 1), Layer("data", False, None))
    made.layers()
    assert engine.asked == 8
    file = written(space)
    made.layers()
    made.layers()
    assert engine.asked == 12
    os.utime(file, (1, 1))
    made.layers()
    assert engine.asked == 16
    assert made.flat["Stack"] == "lab"


@pytest.mark.parametrize("engine", [None, Engine("network")])
def test_without_a_state_the_last_deployment_s_outputs_do(
    tmp_path: Path, engine: Engine | None
) -> None:
    """Issue 21: at night the backend may be lost with its region; another stack's file won't do."""
    space = Workspace(tmp_path, tmp_path)
    if engine:
        engine.fault = EngineError("the backend doesn't answer")
    made = Outputs(space, "lab", engine)
    why = "the backend doesn't answer" if engine else "no engine is installed here"
    for text in (None, "{", "[]", '{"Stack": "dev"}'):
        if text is not None:
            space.flat_outputs.parent.mkdir(exist_ok=True)
            space.flat_outputs.write_text(text)
        with pytest.raises(OperatorError, match=why):
            made.layers()
    space.flat_outputs.write_text(json.dumps({"Stack": "lab", "app.primary.x": 1}))
    found = {layer.name: layer.deployed for layer in made.layers()}
    assert found == {"network": False, "data": False, "app": True, "global": False}
    assert made.flat["app.primary.x"] == 1
