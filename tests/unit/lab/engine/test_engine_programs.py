"""Whole operations: real programs and a real plugin, each in its own process."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from lab.engine import embedded
from lab.engine.embedded import EmbeddedEngine
from pulumi_protocol.events import EngineError, Event, LogEvent, Operation, ResourceEvent, Summary

FIXTURE = Path(__file__).parent / "fixture"
HEADER = "import pulumi\nfrom fake import Group, Provider, Thing\n"


class Place:
    """A project with a program of the test's own, its state and its cloud."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cloud = folder / "cloud"
        self.cloud.mkdir()
        self.project = folder / "shop"
        self.project.mkdir()
        (self.project / "Pulumi.yaml").write_text("name: shop\nruntime: python\n")
        (self.project / "Pulumi.lab.yaml").write_text("config: {'shop:word': hello}\n")
        shutil.copy(FIXTURE / "fake.py", self.project)
        self.events: list[Event] = []

    def engine(self, program: str | None = None, **options: Any) -> EmbeddedEngine:
        if program is not None:
            (self.project / "__main__.py").write_text(HEADER + program)
        environment = {"FAKE_CLOUD": str(self.cloud), **options.pop("environment", {})}
        settings: dict[str, Any] = {
            "project_dir": self.project,
            "stack": "lab",
            "state_dir": self.folder / "state",
            "plugin": [sys.executable, str(FIXTURE / "plugin.py")],
            "environment": environment,
        }
        return EmbeddedEngine(**{**settings, **options})

    def up(self, program: str, **options: Any) -> Summary:
        self.events = []
        return self.engine(program, **options).up(self.events.append)

    def files(self) -> set[str]:
        return {path.stem for path in self.cloud.glob("*.json")}

    def logs(self, severity: str) -> list[str]:
        return [
            event.message
            for event in self.events
            if isinstance(event, LogEvent) and event.severity == severity
        ]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_life_of_a_stack(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Create, drift and refresh, repair, destroy, destroy again: each reports what it did; the
    outputs are None before and after; logs and prints arrive; no AWS variable gets through."""
    monkeypatch.setenv("AWS_PROFILE", "production")
    program = (
        "east = Provider('east', 'east')\n"
        "opts = pulumi.ResourceOptions(provider=east)\n"
        "a = Thing('a', opts, size=1)\n"
        "b = Thing('b', opts, after=a.arn)\n"
        "found = pulumi.runtime.invoke('fake:index:lookup', {'name': 'x'},\n"
        "    pulumi.InvokeOptions(provider=east)).value\n"
        "import os\n"
        "print('printed', os.environ.get('AWS_PROFILE'), os.environ['EXTRA'])\n"
        "pulumi.log.warn('careful', a)\n"
        "pulumi.export('word', pulumi.Config().require('word'))\n"
        "pulumi.export('region', found['region'])\n"
        "pulumi.export('arn', b.arn)\n"
    )
    engine = place.engine(program)
    assert engine.outputs() is None
    summary = engine.up(place.events.append, environment={"EXTRA": "extra"})
    assert (summary.created, summary.changed) == (2, 2)
    assert engine.outputs() == {"word": "hello", "region": "east", "arn": "arn:east:b:None"}
    assert "printed None extra" in place.logs("info")
    assert place.logs("warning") == ["careful"]
    assert "configure east 0" in (place.cloud / "calls.log").read_text()
    (place.cloud / "b.json").unlink()
    text = (place.cloud / "a.json").read_text()
    (place.cloud / "a.json").write_text(text.replace('"size": 1', '"size": 7'))
    place.events.clear()
    summary = engine.refresh(place.events.append)
    assert (summary.updated, summary.deleted, summary.same) == (1, 1, 0)
    [drift] = [event for event in place.events if getattr(event, "diff", ())]
    assert isinstance(drift, ResourceEvent) and drift.operation == Operation.REFRESH
    assert (drift.diff[0].path, drift.diff[0].old, drift.diff[0].new) == ("size", 1, 7)
    summary = engine.up(place.events.append, environment={"EXTRA": ""})
    assert (summary.created, summary.updated) == (1, 1)
    assert '"size": 1' in (place.cloud / "a.json").read_text()
    (place.project / "__main__.py").write_text("raise Exception('destroy runs no program')")
    assert engine.destroy(place.events.append).deleted == 2
    assert place.files() == set()
    assert engine.outputs() is None
    assert engine.destroy(place.events.append).deleted == 0


def test_a_failure_shows_no_coroutines_that_it_left_behind(place: Place) -> None:
    """A program that ends early, as by a provider's error, leaves coroutines that nobody awaits:
    their warnings are no news then. Other warnings are shown, and theirs of a program that ends
    well."""
    program = (
        "import asyncio, warnings\n"
        "async def left(): pass\n"
        "opts = pulumi.ResourceOptions(provider=Provider('east', 'east'))\n"
        "left()\n"
        "warnings.warn('mind the gap')\n"
        "warnings.warn('mind this', RuntimeWarning)\n"
        "Thing('c', opts, fault={fault})\n"
    )
    with pytest.raises(EngineError, match="no room for c"):
        place.up(program.format(fault="'create'"))
    failed = "\n".join(place.logs("info"))
    assert "mind the gap" in failed
    assert "mind this" in failed
    assert "never awaited" not in failed
    place.up(program.format(fault="None"))
    ended_well = "\n".join(place.logs("info"))
    assert "RuntimeWarning: coroutine 'left' was never awaited" in ended_well
    assert "mind the gap" in ended_well


def test_a_provider_error_is_one_line_and_the_rest_is_recorded(place: Place) -> None:
    """What failed is named with the plugin's message, secrets masked; what was under way is
    finished and recorded; nothing is deleted; the SDK's own complaint is left out."""
    good = "opts = pulumi.ResourceOptions(provider=Provider('east', 'east'))\nThing('a', opts)\n"
    place.up(good)
    bad = (
        "opts = pulumi.ResourceOptions(provider=Provider('east', 'east'))\n"
        "Thing('b', opts)\n"
        "Thing('c', opts, fault='create', password=pulumi.Output.secret('correct-horse'))\n"
    )
    with pytest.raises(EngineError) as raised:
        place.up(bad, environment={"FAKE_DELAY": "0.1"})
    message = "no room for c with password [secret]"
    assert str(raised.value) == f"shop: registering c failed: {message}"
    assert raised.value.details == (f"c: {message}",)
    assert place.logs("error") == []
    names = {one["urn"].rpartition("::")[2] for one in place.engine().resources()}
    assert {"a", "b"} <= names and "c" not in names
    assert place.files() == {"a", "b"}


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("x = {}['missing']\n", r"KeyError: 'missing' \(__main__.py:4\)"),
        ("pulumi.log.error('not good')\n", "the program failed: not good"),
        ("import sys\nsys.exit(3)\n", "it ended with exit code 3"),
        ("raise pulumi.RunError('stop here')\n", "the program failed: stop here"),
        ("this is no python\n", "SyntaxError: invalid syntax"),
    ],
)
def test_a_program_that_fails_deletes_nothing(place: Place, program: str, message: str) -> None:
    """However a program fails, the error is one line without a traceback, and what it didn't
    get to name stays."""
    state = place.folder / "state" / "shop"
    state.mkdir(parents=True)
    thing = "urn:pulumi:lab::shop::fake:index:Thing::a"
    resource = {"urn": thing, "type": "fake:index:Thing", "custom": True, "id": "id-a"}
    document = json.dumps({"version": 3, "deployment": {"resources": [resource]}})
    (state / "lab.json").write_text(document)
    with pytest.raises(EngineError, match=message) as raised:
        place.up("\n" + program)
    assert "\n" not in str(raised.value) and "Traceback" not in "".join(raised.value.details)
    assert thing in {one["urn"] for one in place.engine().resources()}


def test_an_interrupt_ends_in_order(place: Place) -> None:
    """SIGINT: the call in flight finishes and is recorded, nothing new begins, the error says how
    to resume, the handler is restored; the next run completes the work."""
    program = (
        "opts = pulumi.ResourceOptions(provider=Provider('east', 'east'))\n"
        "a = Thing('a', opts)\nb = Thing('b', opts, after=a.arn)\n"
    )
    before = signal.getsignal(signal.SIGINT)

    def on_event(event: Event) -> None:
        if isinstance(event, ResourceEvent) and (event.name, event.phase) == ("a", "started"):
            os.kill(os.getpid(), signal.SIGINT)

    engine = place.engine(program, environment={"FAKE_DELAY": "0.3"})
    with pytest.raises(EngineError, match="shop: interrupted; run the same command again"):
        engine.up(on_event)
    assert signal.getsignal(signal.SIGINT) is before
    assert place.files() == {"a"}
    assert "a" in {one["urn"].rpartition("::")[2] for one in engine.resources()}
    assert place.up(program).created == 1


def test_a_second_interrupt_does_not_wait(place: Place) -> None:
    """The second interrupt cuts off the call in flight, which stays on record; the next run finds
    out what became of it."""
    program = "Thing('a', pulumi.ResourceOptions(provider=Provider('east', 'east')))\n"
    engine = place.engine(program, environment={"FAKE_DELAY": "600"})

    def on_event(event: Event) -> None:
        if isinstance(event, ResourceEvent) and event.phase == "started":
            threading.Timer(0.2, engine.interrupt).start()
            threading.Timer(0.4, engine.interrupt).start()

    started = time.monotonic()
    with pytest.raises(EngineError, match="interrupted"):
        engine.up(on_event)
    assert time.monotonic() - started < 300
    assert place.up(program).created == 1
    assert place.files() == {"a"}


def test_what_the_engine_does_not_serve_is_refused(place: Place) -> None:
    """A stack whose guarded key differs, an unknown stack, a plugin that can't be started or
    names no port, hooks and transforms: one line each."""
    with pytest.raises(EngineError, match="shop:word 'hello', and the embedded engine serves"):
        place.engine("", required_config={"shop:word": "other"}).up(place.events.append)
    with pytest.raises(EngineError, match=r"Pulumi\.dev\.yaml is missing"):
        place.engine("", stack="dev").preview(place.events.append)
    with pytest.raises(EngineError, match="can't be started"):
        place.engine("", plugin=["/nowhere/plugin"]).preview(place.events.append)
    with pytest.raises(EngineError, match="does not support transforms"):
        place.up("pulumi.runtime.register_resource_transform(lambda args: None)\n")
    with pytest.raises(EngineError, match="before it named its port"):
        place.engine("Provider('east', 'east')\n", plugin=["false"]).preview(place.events.append)


def test_a_second_deploy_at_the_same_time_is_refused(place: Place) -> None:
    """One line that names the process; a preview is not locked out."""
    refusals: list[str] = []

    def on_event(event: Event) -> None:
        if isinstance(event, ResourceEvent) and event.phase == "started":
            with pytest.raises(EngineError) as raised:
                place.engine().up(lambda _: None)
            refusals.append(str(raised.value))
            assert place.engine().preview(lambda _: None).created == 1

    program = "Thing('a', pulumi.ResourceOptions(provider=Provider('east', 'east')))\n"
    place.engine(program).up(on_event)
    assert len(refusals) == 1
    assert f"another operation is under way (process {os.getpid()})" in refusals[0]


def test_plugins_answers_beyond_the_plain_ones(place: Place) -> None:
    """Over the wire: an initialisation error records the resource and the next run completes it;
    a plugin that dies in Create leaves a pending creation; a provider's changed region replaces
    what it serves."""

    def program(region: str, fault: str = "") -> str:
        given = f", fault='{fault}'" if fault else ""
        return (
            f"opts = pulumi.ResourceOptions(provider=Provider('east', '{region}'))\n"
            f"Thing('{fault or 'init'}'{given}, opts=opts)\n"
        )

    with pytest.raises(EngineError, match="registering init failed: not ready yet"):
        place.up(program("east", "init"))
    [made] = [one for one in place.engine().resources() if one["type"] == "fake:index:Thing"]
    assert (made["id"], made["initErrors"]) == ("id-init", ["not ready yet"])
    assert place.up(program("east")).updated == 1
    with pytest.raises(EngineError, match="registering die failed: the plugin's process ended"):
        place.up(program("east", "die"))
    (place.cloud / "calls.log").unlink()
    summary = place.up(program("east"))
    assert (summary.same, summary.changed) == (1, 0)
    assert "read die id=" in (place.cloud / "calls.log").read_text()
    assert place.engine(program("west")).preview(lambda _: None).replaced == 1


def test_drift_is_what_the_program_cares_for(place: Place) -> None:
    """Trap 2: after a failover a refresh finds nothing in what the program ignores, and neither
    what the cloud alone decides (an output) nor that is shown as drift; the next up changes
    nothing either. The state says what is ignored, as the CLI's does."""
    program = (
        "east = Provider('east', 'east')\n"
        "opts = pulumi.ResourceOptions(provider=east, ignore_changes=['size'])\n"
        "Thing('a', opts, size=1, tags={'k': 'blue'})\n"
    )
    place.up(program)
    engine = place.engine()
    (state,) = (one for one in engine.resources() if one["type"] == "fake:index:Thing")
    assert state["ignoreChanges"] == ["size"]
    path = place.cloud / "a.json"
    path.write_text(path.read_text().replace('"size": 1', '"size": 7'))
    seen = engine.refresh(place.events.append)
    assert (seen.updated, seen.same) == (0, 1)
    (state,) = (one for one in engine.resources() if one["type"] == "fake:index:Thing")
    assert state["inputs"]["size"] == 7
    assert place.up(program).changed == 0
    path.write_text(path.read_text().replace("blue", "red"))
    assert engine.refresh(place.events.append).updated == 1


def test_a_program_that_goes_on_after_a_failure_is_killed(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has a moment to end by itself; the error is the failure's, not the kill's."""
    monkeypatch.setattr(embedded, "FAREWELL", 0.1)
    program = (
        "import asyncio, os, pathlib, threading, time\n"
        "loop = asyncio.get_event_loop()\n"
        "calls = pathlib.Path(os.environ['FAKE_CLOUD'], 'calls.log')\n"
        "def hang():\n"
        "    while not calls.exists() or 'create a' not in calls.read_text():\n"
        "        time.sleep(0.01)\n"
        "    loop.call_soon_threadsafe(time.sleep, 60)\n"
        "threading.Thread(target=hang, daemon=True).start()\n"
        "Thing('a', pulumi.ResourceOptions(provider=Provider('east', 'east')), fault='create')\n"
    )
    started = time.monotonic()
    with pytest.raises(EngineError, match="registering a failed: no room for a"):
        place.up(program, environment={"FAKE_DELAY": "0.5"})
    assert time.monotonic() - started < 50
