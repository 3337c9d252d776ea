"""Taking an environment down: who is asked, what comes first, what is left."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from fake_engine import FakeEngine
from watched_driver import Watched, watched

from ops.cloud import account, inventory
from ops.cloud.inventory import Found
from ops.deploy.driver import exit_code
from ops.errors import ExitCode, OperatorError
from ops.stack_file import parse
from ops.teardown import destroy as teardown
from pulumi_protocol.events import EngineError

LAYERS = ["network", "data", "app", "global"]
DEV = parse("dev", "config: {TapStack:environmentSuffix: dev, aws:region: us-east-1}")
LEFT = Found("us-east-1", "rds", "arn:aws:rds:us-east-1:1:cluster-snapshot:rds:aurora-dev-1")


@pytest.fixture
def left(monkeypatch: pytest.MonkeyPatch) -> list[list[Found]]:
    """What each look at the account finds; the last answer repeats."""
    answers: list[list[Found]] = [[]]

    def take(_clients: Any, suffix: str) -> list[Found]:
        return answers.pop(0) if len(answers) > 1 else answers[0]

    monkeypatch.setattr(inventory, "take", take)
    return answers


def lab(tmp_path: Path, engine: FakeEngine) -> Watched:
    """A driver of the lab stack."""
    return watched(tmp_path, engine, lab_endpoint="http://127.0.0.1:1")


def dev(tmp_path: Path, engine: FakeEngine) -> Watched:
    """A driver of a stack in an account."""
    return dataclasses.replace(watched(tmp_path, engine), stack_file=DEV)


def terminal(monkeypatch: pytest.MonkeyPatch, answer: str) -> list[str]:
    """Somebody who answers at a terminal; what they were asked."""
    asked: list[str] = []

    def typed(question: str) -> str:
        asked.append(question)
        return answer

    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", typed)
    monkeypatch.setattr(account, "current", lambda _: "111122223333")
    return asked


def test_the_lab_never_asks(tmp_path: Path, left: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """names.md: nothing of the lab is worth a question; it ends by saying that nothing is left."""
    monkeypatch.setattr("builtins.input", lambda _: pytest.fail("asked"))
    engine = FakeEngine(*LAYERS)
    driver = lab(tmp_path, engine)
    assert exit_code(teardown.destroy(driver, LAYERS, "")) is ExitCode.OK
    assert engine.calls == [("destroy", layer) for layer in reversed(LAYERS)]
    assert "nothing of lab is left in us-east-1 and us-west-2" in driver.out


def test_elsewhere_the_name_must_be_typed(
    tmp_path: Path, left: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wrong window: the question names the account and what goes; a wrong name touches
    nothing."""
    asked = terminal(monkeypatch, "prod")
    engine = FakeEngine(*LAYERS)
    with pytest.raises(OperatorError, match="prod isn't dev: nothing was touched") as caught:
        teardown.destroy(dev(tmp_path, engine), LAYERS, "")
    assert caught.value.code is ExitCode.BAD_INPUT
    assert engine.calls == []
    assert "4 resources of stack dev in account 111122223333: network (1)" in asked[0]
    terminal(monkeypatch, "dev")
    teardown.destroy(dev(tmp_path, engine), LAYERS, "")
    assert engine.state == {}


def test_nobody_is_asked_about_another_account(
    tmp_path: Path, left: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The account is checked first (trap 41): a question would name the wrong account's number
    beside the right stack's resources."""
    asked = terminal(monkeypatch, "dev")

    def refuse() -> None:
        raise OperatorError("the credentials are for account 1")

    engine = FakeEngine(*LAYERS)
    driver = dataclasses.replace(dev(tmp_path, engine), permit=refuse)
    with pytest.raises(OperatorError, match="account 1"):
        teardown.destroy(driver, LAYERS, "")
    assert (asked, engine.calls) == ([], [])


def test_a_pipeline_says_the_name_as_a_flag(
    tmp_path: Path, left: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a terminal nothing waits for an answer that can't come."""
    monkeypatch.setattr("sys.stdin.isatty", lambda: False)
    engine = FakeEngine("network")
    with pytest.raises(OperatorError, match="add --confirm dev to destroy it"):
        teardown.destroy(dev(tmp_path, engine), ["network"], "")
    with pytest.raises(OperatorError, match="lab isn't dev"):
        teardown.destroy(dev(tmp_path, engine), ["network"], "lab")
    assert engine.calls == []
    teardown.destroy(dev(tmp_path, engine), ["network"], "dev")
    assert engine.calls == [("destroy", "network")]


def test_what_isn_t_there_needs_no_question(
    tmp_path: Path, left: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """N7: a destroy that is repeated ends well."""
    monkeypatch.setattr("sys.stdin.isatty", lambda: False)
    results = teardown.destroy(dev(tmp_path, FakeEngine()), LAYERS, "")
    assert exit_code(results) is ExitCode.OK


def test_what_is_left_is_listed_and_has_its_own_code(tmp_path: Path, left: Any) -> None:
    """R9.3: a snapshot that AWS made is reported, with the command that lists it again."""
    left[:] = [[LEFT]]
    driver = lab(tmp_path, FakeEngine(*LAYERS))
    with pytest.raises(OperatorError, match=r"1 things .* are left; ./inv inventory") as caught:
        teardown.destroy(driver, LAYERS, "")
    assert caught.value.code is ExitCode.DIFFERENCE
    assert LEFT.arn in driver.err


def test_aws_gets_time_to_forget(tmp_path: Path, left: Any) -> None:
    """The tagging API lists what is gone for a while: only what stays is reported."""
    left[:] = [[LEFT], [LEFT], []]
    waited: list[float] = []
    driver = dev(tmp_path, FakeEngine("network"))
    teardown.destroy(driver, LAYERS, "dev", waited.append)
    assert waited == [10, 10]
    assert "nothing of dev is left" in driver.out
    left[:] = [[LEFT]]
    with pytest.raises(OperatorError, match="are left"):
        teardown.destroy(dev(tmp_path, FakeEngine()), LAYERS, "dev", waited.append)
    assert sum(waited) == 20 + teardown.LISTED_SECONDS


def test_one_layer_or_a_failure_is_not_looked_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is left is then no surprise."""
    monkeypatch.setattr(inventory, "take", lambda *_: pytest.fail("asked"))
    teardown.destroy(lab(tmp_path, FakeEngine("global")), ["global"], "")
    engine = FakeEngine(*LAYERS)
    engine.fails["destroy", "app"] = EngineError("app: no")
    results = teardown.destroy(lab(tmp_path, engine), LAYERS, "")
    assert exit_code(results) is ExitCode.FAILED
    assert engine.state.keys() == {"network", "data", "app"}


def test_layers_are_prepared_before_they_are_destroyed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Traps 2 and 19: the demoted cluster before data, Lambda's interfaces before network, each
    reported; a layer that isn't deployed needs nothing."""
    order: list[str] = []
    monkeypatch.setattr(teardown, "detach_demoted", lambda *_: "detached one")
    monkeypatch.setattr(
        teardown, "wait_until_gone", lambda _c, _s, say, _p: (order.append("gone"), say("waits"))
    )
    engine = FakeEngine("network", "data", "app")
    engine.during = order.append
    prepared = teardown.preparations(None, DEV.settings)  # type: ignore[arg-type]
    driver = watched(tmp_path, engine, before_destroy=prepared)
    driver.destroy(LAYERS)
    assert order == ["global", "app", "data", "gone", "network"]
    assert "data: detached one" in driver.out
    assert "network: waits" in driver.out
    driver.destroy(LAYERS)
    assert order.count("gone") == 1
    monkeypatch.setattr(teardown, "detach_demoted", lambda *_: None)
    quiet = watched(tmp_path, FakeEngine("data"), before_destroy=prepared)
    quiet.destroy(["data"])
    assert "data: detached" not in quiet.out


def test_ctrl_c_ends_a_wait(tmp_path: Path) -> None:
    """N7: an interruption doesn't wait for Lambda; the next command is named."""
    engine = FakeEngine("network")

    def waits(_report: Any, pause: Any) -> None:
        driver._interrupt(1)
        pause(3600)

    driver = watched(tmp_path, engine, before_destroy={"network": waits})
    results = driver.destroy(["network"])
    assert exit_code(results) is ExitCode.FAILED
    assert engine.calls == []
    assert "network: interrupted while waiting" in driver.err
    assert "to resume: ./inv destroy --layer network" in driver.err


def test_a_pause_is_no_error(tmp_path: Path) -> None:
    """Without an interruption the wait leads to the destruction."""
    engine = FakeEngine("network")
    driver = watched(tmp_path, engine, before_destroy={"network": lambda _report, pause: pause(0)})
    driver.destroy(["network"])
    assert engine.state == {}


def test_nothing_moves_without_permission(tmp_path: Path) -> None:
    """R9.3: with credentials of another account nothing is deployed, refreshed or destroyed."""

    def refuse() -> None:
        raise OperatorError("another account", ExitCode.BAD_INPUT)

    engine = FakeEngine("network")
    driver = watched(tmp_path, engine, permit=refuse)
    for operation in (driver.up, driver.refresh, driver.destroy):
        with pytest.raises(OperatorError, match="another account"):
            operation(["network"])
    assert engine.calls == []
