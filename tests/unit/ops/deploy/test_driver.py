"""The driver over a fake engine: order, refusals, resumption, outputs."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fake_engine import FakeEngine
from watched_driver import watched

from ops.deploy import driver as drivers
from ops.deploy.sequence import LayerResult, Outcome
from ops.errors import ExitCode, OperatorError
from pulumi_protocol.events import EngineError
from pulumi_protocol.lock import locked

LAYERS = ["network", "data", "app", "global"]


def test_up_deploys_in_order_and_writes_the_outputs(tmp_path: Path) -> None:
    """R8 and N7: upstream first; the flat file afterwards; the table shows what happened."""
    engine = FakeEngine()
    driver = watched(tmp_path, engine)
    results = driver.up(LAYERS)
    assert engine.calls == [("up", layer) for layer in LAYERS]
    assert drivers.exit_code(results) is ExitCode.OK
    written = json.loads((tmp_path / "cfn-outputs/flat-outputs.json").read_text())
    assert written["Stack"] == "lab"
    assert "network: + create aws:ec2/vpc:Vpc vpc-network" in driver.out
    assert "layer" in driver.out and "all" in driver.out


def test_a_deployment_announces_itself_while_it_runs(tmp_path: Path) -> None:
    """H16: data, app and global may look like a dead database; the network alone doesn't."""
    engine = FakeEngine()

    @contextmanager
    def announced(report: drivers.Report) -> Iterator[None]:
        report("held")
        engine.calls.append(("hold", ""))
        yield
        engine.calls.append(("release", ""))

    driver = watched(tmp_path, engine, announced=announced)
    driver.up(["network"])
    assert engine.calls == [("up", "network")]
    driver.up(["data"])
    assert engine.calls[1:] == [("hold", ""), ("up", "data"), ("release", "")]
    assert "held" in driver.err


def test_endpoints_are_printed_after_a_whole_deployment(tmp_path: Path) -> None:
    """R9.6: the endpoints and one curl a region, as they work."""
    engine = FakeEngine(*LAYERS)
    engine.state["app"]["secondary"]["load_balancer_dns_name"] = "two.elb"
    engine.up = lambda layer, _on_event: drivers.Summary(same=1)  # type: ignore[method-assign]
    driver = watched(tmp_path, engine, lab_endpoint="http://127.0.0.1:1")
    driver.up(LAYERS)
    assert "FailoverEndpoint  http://two.elb" in driver.out
    assert "us-west-2         curl -H 'Host: two.elb' http://127.0.0.1:1/health" in driver.out


def test_preview_names_to_programs_which_upstreams_were_never_deployed(tmp_path: Path) -> None:
    """N5: each layer hears of the undeployed ones among those that it reads."""
    engine = FakeEngine("network")
    driver = watched(tmp_path, engine)
    assert drivers.exit_code(driver.preview(LAYERS)) is ExitCode.OK
    assert engine.undeployed == {
        "network": frozenset(),
        "data": frozenset(),
        "app": frozenset({"data"}),
        "global": frozenset({"data", "app"}),
    }
    assert "3 changes; to make them: ./inv deploy-all" in driver.out
    assert not (tmp_path / "cfn-outputs").exists()


def test_preview_treats_an_upstream_deployed_in_part_as_unknown(tmp_path: Path) -> None:
    """N5, N7: after a half deployment of network, preview-all still shows all layers, because
    network's turn comes first; a preview of data alone says what is missing instead."""
    engine = FakeEngine("network")
    del engine.state["network"]["secondary"]["vpc_id"]
    watched(tmp_path, engine).preview(LAYERS)
    assert engine.undeployed["data"] == {"network"}
    watched(tmp_path, engine).preview(["data"])
    assert engine.undeployed["data"] == frozenset()


def test_an_upstream_of_another_version_stops_the_consumer_before_it_begins(tmp_path: Path) -> None:
    """N4: contracts are checked before deployment."""
    engine = FakeEngine("network")
    engine.state["network"]["contract_version"] = 2
    with pytest.raises(OperatorError, match=r"contract version 2, data reads version 1.*./inv up"):
        watched(tmp_path, engine).up(["data"])
    assert engine.calls == []


def test_preview_of_what_is_deployed_says_that_nothing_changes(tmp_path: Path) -> None:
    """First light: an unchanged system is said to be one."""
    driver = watched(tmp_path, FakeEngine(*LAYERS))
    driver.preview(LAYERS)
    assert "no changes" in driver.out


def test_preview_that_fails_doesn_t_promise_anything(tmp_path: Path) -> None:
    """N7: no command to make changes that could not be computed."""
    engine = FakeEngine()
    engine.fails["preview", "data"] = EngineError("data: no")
    driver = watched(tmp_path, engine)
    assert drivers.exit_code(driver.preview(LAYERS)) is ExitCode.FAILED
    assert "to make them" not in driver.out
    assert "data: no" in driver.err


def test_a_layer_before_its_upstream_is_refused_with_the_command(tmp_path: Path) -> None:
    """First light: one line with the cause and the command to run; nothing was touched."""
    engine = FakeEngine()
    with pytest.raises(OperatorError) as caught:
        watched(tmp_path, engine, "demo", default_engine=False).up(["data"])
    assert caught.value.code is ExitCode.BAD_INPUT
    assert str(caught.value) == (
        "data reads network, which isn't deployed on stack demo: run ./inv up --layer network "
        "--stack demo --engine embedded first, or ./inv deploy-all --stack demo --engine embedded "
        "for all layers"
    )
    assert engine.calls == []


def test_one_layer_goes_up_when_its_upstreams_stand(tmp_path: Path) -> None:
    """Owning teams deploy their own layer alone."""
    engine = FakeEngine("network")
    watched(tmp_path, engine).up(["data"])
    assert engine.calls == [("up", "data")]


@pytest.mark.parametrize("failing", LAYERS)
@pytest.mark.parametrize("verb", ["up", "destroy", "refresh"])
def test_a_failure_names_what_is_done_and_what_to_run(
    tmp_path: Path, failing: str, verb: str
) -> None:
    """N7: after a failure in any layer the message names the next command, and running it
    finishes the work."""
    engine = FakeEngine(*(() if verb == "up" else LAYERS))
    engine.fails[verb, failing] = EngineError(f"{failing}: it broke", ("vpc: it broke in a way",))
    driver = watched(tmp_path, engine)
    results = getattr(driver, verb)(LAYERS)
    assert drivers.exit_code(results) is ExitCode.FAILED
    task = {"up": "deploy-all", "destroy": "destroy-all", "refresh": "refresh-all"}[verb]
    assert f"to resume: ./inv {task}" in driver.err
    assert f"{failing}: it broke" in driver.err
    assert f"{failing}:   vpc: it broke in a way" in driver.err
    engine.fails.clear()
    again = watched(tmp_path, engine)
    assert drivers.exit_code(getattr(again, verb)(LAYERS)) is ExitCode.OK
    assert again.err == ""


def test_a_failure_of_one_layer_names_the_command_of_that_layer(tmp_path: Path) -> None:
    """N7: whoever ran ``up --layer data`` isn't advised to deploy everything."""
    engine = FakeEngine("network")
    engine.fails["up", "data"] = EngineError("data: no")
    driver = watched(tmp_path, engine)
    driver.up(["data"])
    assert "done: no layer; not done: data; to resume: ./inv up --layer data" in driver.err


def test_destroy_runs_backwards_and_may_be_repeated(tmp_path: Path) -> None:
    """R9.3: consumers first; a second time there is nothing to do and no fault."""
    engine = FakeEngine(*LAYERS)
    driver = watched(tmp_path, engine)
    assert drivers.exit_code(driver.destroy(LAYERS)) is ExitCode.OK
    assert engine.calls == [("destroy", layer) for layer in reversed(LAYERS)]
    assert drivers.exit_code(driver.destroy(LAYERS)) is ExitCode.OK
    assert json.loads((tmp_path / "cfn-outputs/flat-outputs.json").read_text()) == {"Stack": "lab"}


def test_destroy_survives_an_upstream_that_is_gone(tmp_path: Path) -> None:
    """Trap 34 (terragrunt #1230): with network and data gone, app and global still come down."""
    engine = FakeEngine("app", "global")
    assert drivers.exit_code(watched(tmp_path, engine).destroy(LAYERS)) is ExitCode.OK
    assert engine.state == {}


def test_a_layer_that_others_read_is_not_destroyed_alone(tmp_path: Path) -> None:
    """Trap 35: nothing else would show that data stands on this network."""
    engine = FakeEngine("network", "data")
    with pytest.raises(OperatorError, match="data is deployed on stack lab and reads network"):
        watched(tmp_path, engine).destroy(["network"])
    assert engine.calls == []
    watched(tmp_path, FakeEngine("network")).destroy(["network"])


def test_refresh_and_drift_are_distinguished(tmp_path: Path) -> None:
    """Drift changes no state; refresh does."""
    engine = FakeEngine(*LAYERS)
    watched(tmp_path, engine).refresh(LAYERS)
    watched(tmp_path, engine).refresh(LAYERS, preview=True)
    assert {verb for verb, _ in engine.calls} == {"refresh", "drift"}


def test_a_second_deployment_at_the_same_time_is_refused(tmp_path: Path) -> None:
    """First light: one line, exit code 4, nothing touched; a lock whose holder is gone is no
    lock."""
    engine = FakeEngine()
    driver = watched(tmp_path, engine)
    held, free = threading.Event(), threading.Event()

    def hold() -> None:
        with locked(driver.workspace.lab_state / "locks" / "lab.lock", "deploy-all"):
            held.set()
            free.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(10)
    with pytest.raises(OperatorError, match="another operation is under way") as caught:
        driver.up(LAYERS)
    assert caught.value.code is ExitCode.BUSY
    assert engine.calls == []
    free.set()
    holder.join()
    assert drivers.exit_code(driver.up(LAYERS)) is ExitCode.OK


def test_an_engine_s_fault_while_locked_is_the_engine_s(tmp_path: Path) -> None:
    """A fault of reading outputs isn't mistaken for a lock that someone else holds."""
    engine = FakeEngine()
    driver = watched(tmp_path, engine)
    engine.during = lambda _layer: setattr(engine, "outputs", broken)

    def broken(_layer: str) -> None:
        raise EngineError("the checkpoint can't be read")

    with pytest.raises(EngineError, match="can't be read"):
        driver.up(["network"])


def test_ctrl_c_interrupts_the_engine_and_the_third_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """N7: the first asks the engine to end in order; whoever insists leaves at once, as a kill
    would, and the next run resumes."""
    left: list[int] = []
    monkeypatch.setattr(drivers.os, "_exit", left.append)
    engine = FakeEngine()
    driver = watched(tmp_path, engine)
    driver._interrupt(1)
    driver._interrupt(2)
    assert engine.interruptions == 2
    assert left == []
    driver._interrupt(3)
    assert left == [ExitCode.INTERRUPTED]
    assert "the next run resumes" in driver.err


def test_an_interrupted_sequence_has_its_own_exit_code() -> None:
    """Pipelines distinguish an interruption from a failure."""
    results = [LayerResult("network", Outcome.INTERRUPTED), LayerResult("data", Outcome.FAILED)]
    assert drivers.exit_code(results) is ExitCode.INTERRUPTED


def test_outputs_are_printed_and_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """R8: as lines for people, as JSON for pipelines, and always into the file."""
    driver = watched(tmp_path, FakeEngine("network", "app"))
    driver.show_outputs(as_json=True)
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads(driver.workspace.flat_outputs.read_text())
    driver.show_outputs(as_json=False)
    assert "VpcPeeringConnectionId" in driver.out
    assert driver.err == ""


def test_outputs_of_nothing_name_the_command_that_deploys(tmp_path: Path) -> None:
    """N7: the next command."""
    driver = watched(tmp_path, FakeEngine())
    driver.show_outputs(as_json=False)
    assert "nothing is deployed: run ./inv deploy-all" in driver.err
