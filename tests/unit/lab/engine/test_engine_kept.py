"""Processes that serve one operation after the other."""

from __future__ import annotations

import gc
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import psutil
import pytest
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc

from lab.engine.assets import as_given, rooted, with_hashes
from lab.engine.embedded import EmbeddedEngine
from lab.engine.kept import Kept
from lab.engine.runner import used_names
from pulumi_protocol.values import ARCHIVE, ASSET, SIGNATURE

FIXTURE = Path(__file__).parent / "fixture"
HEADER = "import pulumi\nfrom fake import Provider, Thing\n"


@pytest.fixture
def kept() -> Iterator[Kept]:
    """Processes of the test's own, all ended at its end."""
    made = Kept()
    yield made
    made.close()


def running(what: str) -> set[int]:
    """The processes below this one that run a file of that name."""
    found = set()
    for process in psutil.Process().children(recursive=True):
        try:
            if any(part.endswith(what) for part in process.cmdline()):
                found.add(process.pid)
        except psutil.Error:
            continue
    return found


def layer(folder: Path, name: str, kept: Kept, program: str, word: str = "hi") -> EmbeddedEngine:
    """An engine over a project of one program."""
    project = folder / name
    project.mkdir(exist_ok=True)
    cloud = folder / "cloud"
    cloud.mkdir(exist_ok=True)
    (project / "Pulumi.yaml").write_text(f"name: {name}\nruntime: python\n")
    (project / "Pulumi.lab.yaml").write_text(f"config: {{'aws:region': {word}}}\n")
    shutil.copy(FIXTURE / "fake.py", project)
    (project / "__main__.py").write_text(HEADER + program)
    return EmbeddedEngine(
        project_dir=project,
        stack="lab",
        state_dir=folder / "state",
        plugin=[sys.executable, str(FIXTURE / "plugin.py")],
        environment={"FAKE_CLOUD": str(cloud)},
        kept=kept,
    )


def thing(name: str, region: str = "east", more: str = "") -> str:
    return (
        f"one = Provider('{region}', '{region}')\n"
        f"Thing('{name}', pulumi.ResourceOptions(provider=one){more})\n"
    )


def test_layers_share_the_plugins_that_are_configured_alike(tmp_path: Path, kept: Kept) -> None:
    """Twice as fast: the second layer and the destruction start no process; a region more
    starts one, and other settings of the package share none."""
    others = running("program.py")
    assert layer(tmp_path, "one", kept, thing("a")).up(lambda _: None).created == 1
    first, runner = running("plugin.py"), running("program.py")
    assert len(runner - others) == 1
    two = layer(tmp_path, "two", kept, thing("b"))
    assert two.up(lambda _: None).created == 1
    assert running("plugin.py") == first
    assert running("program.py") == runner
    both = layer(tmp_path, "two", kept, thing("b") + thing("c", "west"))
    assert both.up(lambda _: None).created == 1
    assert len(running("plugin.py")) == max(len(first), 2)
    assert both.destroy(lambda _: None).deleted == 2
    apart = layer(tmp_path, "three", kept, thing("d"), word="ho")
    assert apart.up(lambda _: None).created == 1
    assert len(running("plugin.py") - first) >= 1


@pytest.mark.no_cover
def test_a_plugin_that_has_ended_is_not_handed_on(tmp_path: Path, kept: Kept) -> None:
    """N7: what was killed between two operations is started anew."""
    one = layer(tmp_path, "one", kept, thing("a"))
    one.up(lambda _: None)
    for pid in running("plugin.py"):
        psutil.Process(pid).kill()
        psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], timeout=5)
    assert one.destroy(lambda _: None).deleted == 1


def test_an_interrupted_operation_hands_on_no_plugin(tmp_path: Path, kept: Kept) -> None:
    """Ctrl-C: a plugin that was asked to end its waiting serves nobody else."""
    engine = layer(tmp_path, "one", kept, thing("a"))
    engine.up(lambda _: None)
    with pytest.raises(Exception, match="interrupted"):
        engine.refresh(lambda _: engine.interrupt())
    assert running("plugin.py") == set()


def test_everything_ends_with_its_owner() -> None:
    """N7: processes end when nobody holds them, and at the latest with this process."""
    others = running("program.py")
    made = Kept()
    made.runner({"PATH": os.environ["PATH"]})
    assert len(running("program.py") - others) == 1
    del made
    gc.collect()
    assert running("program.py") == others


def test_plugins_log_to_the_operation_that_began_last(kept: Kept) -> None:
    """A plugin that outlives its operation logs to the next one, and between two to nobody."""
    lines: list[tuple[str, str]] = []

    def engine(name: str) -> Any:
        return SimpleNamespace(
            Log=lambda request, _: (lines.append((name, request.message)), empty)[1]
        )

    from google.protobuf import empty_pb2

    empty = empty_pb2.Empty()
    addresses = {kept.logs_to(engine("first")), kept.logs_to(engine("second"))}
    assert len(addresses) == 1
    with grpc.insecure_channel(addresses.pop()) as channel:
        stub = engine_pb2_grpc.EngineStub(channel)
        stub.Log(engine_pb2.LogRequest(message="hello"), timeout=20)
    assert lines == [("second", "hello")]


@pytest.mark.no_cover
def test_relative_assets_count_from_the_project_whoever_reads_them(
    tmp_path: Path, kept: Kept
) -> None:
    """First light: a plugin started in one project's folder reads another's files, and the state
    has their paths as the program wrote them."""
    program = thing("a", more=", data=pulumi.FileAsset('note.txt')")
    for name in ("one", "two"):
        engine = layer(tmp_path, name, kept, program.replace("'a'", f"'{name}'"))
        (tmp_path / name / "note.txt").write_text(f"of {name}")
        assert engine.up(lambda _: None).created == 1
        (made,) = [item for item in engine.resources() if item["type"] == "fake:index:Thing"]
        assert made["inputs"]["data"]["path"] == made["outputs"]["data"]["path"] == "note.txt"


def test_paths_inside_archives_are_rooted_and_come_back_as_given(tmp_path: Path) -> None:
    """First light: nested assets and archives, too; what a plugin answers by content is what the
    program wrote."""
    (tmp_path / "a.txt").write_text("a")
    asset = {SIGNATURE: ASSET, "path": "a.txt"}
    given = with_hashes({"code": {SIGNATURE: ARCHIVE, "assets": {"a": asset}}}, tmp_path)
    sent = rooted(given, tmp_path)
    assert sent["code"]["assets"]["a"]["path"] == str(tmp_path / "a.txt")
    assert as_given(sent, given) == given
    other = {"data": {SIGNATURE: ASSET, "path": "/b", "hash": "x"}, "text": "b"}
    assert as_given(other, given) == other


def test_the_names_that_a_program_uses_of_packages_are_found(tmp_path: Path) -> None:
    """Twice as fast: they are what the runner imports ahead; texts that look so do no harm."""
    (tmp_path / "__main__.py").write_text(
        "import pulumi_aws as aws\nimport pulumi_random as random\n"
        "aws.ec2.Vpc('a')\naws.ec2.Vpc('b')\naws.Provider('p')\nrandom.x.Y()\n"
    )
    assert used_names(tmp_path) == [
        "pulumi",
        "pulumi_aws",
        "pulumi_aws.ec2.Vpc",
        "pulumi_random",
        "pulumi_random.x.Y",
    ]
