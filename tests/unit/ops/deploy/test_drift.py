"""``./inv drift``: looks, changes nothing, and has an exit code of its own."""

import json

import pytest
from fake_engine import FakeEngine
from invoke.exceptions import Exit
from watched_driver import watched

from ops import recorded_drift
from ops.deploy import drift
from pulumi_protocol.events import EngineError, Summary


@pytest.fixture
def drifted(tmp_path, monkeypatch):
    """A driver over two deployed layers, and a way to say what a refresh finds."""
    engine = FakeEngine("network", "data")
    driver = watched(tmp_path, engine)

    def finds(layer: str, summary: Summary) -> None:
        found[layer] = summary

    found: dict[str, Summary] = {}
    original = engine.refresh

    def refresh(layer, on_event, preview=False):
        return found.get(layer) or original(layer, on_event, preview)

    monkeypatch.setattr(engine, "refresh", refresh)
    return driver, finds


def test_without_drift_only_deployed_layers_are_looked_at(drifted):
    """names.md: drift; nothing is refreshed for real."""
    driver, _ = drifted
    drift.show(driver, False)
    found = recorded_drift.read(driver.workspace, driver.stack)
    assert found is not None
    assert found.changed == {"network": 0, "data": 0}
    assert driver.engine.calls == [("drift", "network"), ("drift", "data")]
    assert "no drift" in driver.out


def test_drift_ends_with_its_own_code_and_names_the_next_commands(drifted):
    """For pipelines: a nightly run goes by the exit code."""
    driver, finds = drifted
    finds("data", Summary(updated=2))
    with pytest.raises(Exit) as ended:
        drift.show(driver, False)
    assert ended.value.code == 5
    assert "./inv preview-all" in driver.err


def test_json_stands_alone_on_standard_output(drifted, capsys):
    """For a pipeline: the table goes to standard error."""
    driver, finds = drifted
    finds("data", Summary(deleted=1))
    standard = driver.console.file
    with pytest.raises(Exit):
        drift.show(driver, True)
    assert json.loads(capsys.readouterr().out)["changed"] == {"network": 0, "data": 1}
    assert standard.getvalue() == ""


def test_a_failed_look_is_no_drift(drifted):
    """N7: code 1, as for any failed operation."""
    driver, _ = drifted
    driver.engine.fails["drift", "network"] = EngineError("network: no")
    with pytest.raises(Exit) as ended:
        drift.show(driver, False)
    assert ended.value.code == 1
    assert recorded_drift.read(driver.workspace, driver.stack) is None


def test_nothing_deployed(tmp_path):
    """N5: no layer, no drift."""
    driver = watched(tmp_path, FakeEngine())
    drift.show(driver, False)
    assert "nothing is deployed" in driver.out


@pytest.mark.parametrize("text", ["", "[]", '{"at": 1}', '{"at": 1, "changed": [1]}'])
def test_a_record_that_is_not_whole_is_none(tmp_path, text):
    """Issue 21: the console then says that nobody looked, and doesn't end."""
    space = watched(tmp_path, FakeEngine()).workspace
    recorded_drift.write(space, "lab", {"data": 2}, now=lambda: 5.0)
    assert recorded_drift.read(space, "lab") == recorded_drift.RecordedDrift(5.0, {"data": 2})
    (space.lab_state / "drift" / "lab.json").write_text(text)
    assert recorded_drift.read(space, "lab") is None
