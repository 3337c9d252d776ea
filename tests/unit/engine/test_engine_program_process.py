"""The program's process."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from stage import operation

from lab.engine import program, program_process
from lab.engine.embedded import EmbeddedEngine


def test_a_program_that_ends_before_it_is_told_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its end is noticed by its exit code, not by a broken pipe."""
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\nexit 7\n")
    script.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(script))
    with program_process.ProgramProcess.started(
        operation(tmp_path), {"PATH": "/usr/bin:/bin"}
    ) as made:
        assert made.ended.wait(10)
        made.configure("127.0.0.1:1", 1)
        assert made.exit_code == 7


def test_a_program_whose_engine_is_gone_at_its_start_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard input that ends without settings: exit code 1, and nothing was run."""
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO()))
    assert program.main() == 1


def test_an_engine_that_does_nothing_cannot_be_interrupted(tmp_path: Path) -> None:
    """An interrupt between two operations holds for neither."""
    (tmp_path / "Pulumi.yaml").write_text("name: shop\nruntime: python\n")
    (tmp_path / "Pulumi.lab.yaml").write_text("config: {}\n")
    engine = EmbeddedEngine(
        project_dir=tmp_path, stack="lab", state_dir=tmp_path / "state", plugin=["false"]
    )
    engine.interrupt()
    assert engine.refresh(lambda _: None).changed == 0
