"""New code goes to the standby first: versions, aliases, the gate between the regions (trap 65).

The program is run as every engine runs it, so what holds here holds a bare ``pulumi up`` as well.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import computed_outputs
import pytest
from harness import ACCOUNT, SUFFIX, Deployment, Registered, program, run_program

from tapstack.releases import Held, release_in

REGIONS = ("us-east-1", "us-west-2")
FUNCTION = "aws:lambda/function:Function"
ALIAS = "aws:lambda/alias:Alias"
INVOCATION = "aws:lambda/invocation:Invocation"
BY_PATH = "aws:ssm/getParametersByPath:getParametersByPath"
PURPOSES = ("api", "probe")
both_regions = pytest.mark.parametrize("region", REGIONS)
both_functions = pytest.mark.parametrize("purpose", PURPOSES)


def function(deployment: Deployment, purpose: str, region: str) -> Registered:
    return deployment.one(FUNCTION, f"function-{purpose}-{region}")


def alias(deployment: Deployment, purpose: str, region: str) -> Registered:
    return deployment.one(ALIAS, f"live-{purpose}-{region}")


def gate(deployment: Deployment) -> list[Registered]:
    """The two calls that must succeed."""
    return [deployment.one(INVOCATION, f"{what}-gate-us-west-2") for what in ("serves", "probes")]


@both_regions
@both_functions
def test_a_version_is_published_and_its_alias_is_called(purpose: str, region: str) -> None:
    """Trap 65: each deployment's code has a number of its own, and says of which release it is."""
    deployment = program("app")
    made = function(deployment, purpose, region)
    assert made.inputs["publish"] is True
    assert re.fullmatch(r"[0-9a-f]{12}", release_in(made.inputs["description"]))
    live = alias(deployment, purpose, region)
    assert live.inputs["name"] == "live"
    assert live.inputs["functionName"] == made.inputs["name"]
    assert live.inputs["functionVersion"] == made.outputs["version"]


def test_one_release_is_in_both_regions() -> None:
    """Trap 65: a rollback finds the version of the same release in each; other settings of the
    function are another release."""
    releases = {
        release_in(function(deployment, purpose, region).inputs["description"])
        for deployment in (program("app"), run_program("app"))
        for purpose in PURPOSES
        for region in REGIONS
    }
    assert len(releases) == 1
    other = run_program("app", config={"app:memoryMb": "1024"})
    assert release_in(function(other, "api", "us-east-1").inputs["description"]) not in releases


@both_regions
def test_whoever_calls_the_application_calls_its_alias(region: str) -> None:
    """Trap 65: the load balancer with a permission for the alias, the failure settings of its
    events, and what other layers are given."""
    deployment = program("app")
    live = alias(deployment, "api", region).outputs["arn"]
    permission = deployment.one("aws:lambda/permission:Permission", region=region).inputs
    assert permission["function"] == f"function-api-{region}-{SUFFIX}"
    assert permission["qualifier"] == "live"
    target = deployment.one("aws:lb/targetGroupAttachment:TargetGroupAttachment", region=region)
    assert target.inputs["targetId"] == live
    assert target.delete_before_replace
    role = "primary" if region == "us-east-1" else "secondary"
    exported = deployment.exports[role]
    assert exported["function_arn"] == live
    assert exported["probe_function_arn"] == alias(deployment, "probe", region).outputs["arn"]
    assert exported["probe_function_name"] == f"function-probe-{region}-{SUFFIX}"


def test_the_standby_is_asked_before_the_primary_changes() -> None:
    """N14, trap 65: nothing of us-east-1's that serves changes before us-west-2 has served the same
    release through its load balancer, and the controller's probe has run there."""
    deployment = program("app")
    serves, probes = gate(deployment)
    for call in (serves, probes):
        for purpose in PURPOSES:
            assert deployment.reaches(call, alias(deployment, purpose, "us-west-2"))
            assert deployment.reaches(function(deployment, purpose, "us-east-1"), call)
        for type_ in ("lb/listener:Listener", "lb/targetGroupAttachment:TargetGroupAttachment"):
            assert deployment.reaches(call, deployment.one(f"aws:{type_}", region="us-west-2"))
        assert not deployment.reaches(function(deployment, "api", "us-west-2"), call)


def test_the_gate_asks_for_the_version_that_the_alias_leads_to() -> None:
    """Trap 65: a new version is a new question; the probe is called as the controller calls it."""
    deployment = program("app")
    serves, probes = gate(deployment)
    version = alias(deployment, "api", "us-west-2").inputs["functionVersion"]
    assert json.loads(serves.inputs["input"]) == {"version": version}
    asked = function(deployment, "gate", "us-west-2").inputs
    assert serves.inputs["functionName"] == asked["name"] == f"function-gate-us-west-2-{SUFFIX}"
    assert probes.inputs["functionName"] == f"function-probe-us-west-2-{SUFFIX}"
    assert probes.inputs["qualifier"] == "live"
    assert probes.inputs["triggers"] == {"version": version}


def test_what_passed_is_written_down_behind_the_gate() -> None:
    """Trap 65: a version that the gate stopped is no way back, also while us-east-1 is lost."""
    deployment = program("app")
    passed = deployment.one("aws:ssm/parameter:Parameter", "passed-gate-us-west-2")
    assert passed.inputs["name"] == f"/warm-standby/us-west-2/{SUFFIX}/local/passed-version"
    assert passed.inputs["value"] == alias(deployment, "api", "us-west-2").inputs["functionVersion"]
    assert deployment.region_of(passed) == "us-west-2"
    for call in gate(deployment):
        assert deployment.reaches(passed, call)


def test_the_gate_stands_outside_the_vpc_and_may_do_nothing() -> None:
    """Trap 65, R9.3: it asks as a client does, and has its log, traces and key alone."""
    deployment = program("app")
    asked = function(deployment, "gate", "us-west-2").inputs
    assert "vpcConfig" not in asked
    assert asked["handler"] == "index.gate"
    assert asked["publish"] is False
    assert asked["timeout"] == 100
    variables = asked["environment"]["variables"]
    balancer = deployment.one("aws:lb/loadBalancer:LoadBalancer", region="us-west-2")
    assert variables == {
        "GATE_HOST": balancer.outputs["dnsName"],
        "GATE_SERVER_NAME": "",
        "LOG_LEVEL": "info",
    }
    policy = deployment.one("aws:iam/policy:Policy", "role-gate-us-west-2").inputs["policy"]
    assert {entry["Sid"] for entry in json.loads(policy)["Statement"]} == {"Logs", "Traces", "Key"}


def test_with_certificates_the_gate_asks_by_the_clients_name() -> None:
    """Trap 65: a load balancer's own name is on no certificate."""
    certificates = {
        region: f"arn:aws:acm:{region}:{ACCOUNT}:certificate/0a1b2c3d-0000-4000-8000-000000000000"
        for region in REGIONS
    }
    deployment = run_program("app", config={"app:certificateArns": certificates})
    variables = function(deployment, "gate", "us-west-2").inputs["environment"]["variables"]
    assert variables["GATE_SERVER_NAME"] == f"app.warm-standby-{SUFFIX}.net"


Answers = Callable[[str], None]


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Answers:
    """Lets the parameter of what is held back have a value."""

    def answers(value: str) -> None:
        monkeypatch.setitem(
            computed_outputs._INVOKES, BY_PATH, lambda given, _region: {**given, "values": [value]}
        )

    return answers


def versions(deployment: Deployment) -> dict[str, str]:
    return {
        f"{purpose} {region}": alias(deployment, purpose, region).inputs["functionVersion"]
        for purpose in PURPOSES
        for region in REGIONS
    }


def test_a_release_that_was_rolled_back_stays_so(held: Answers) -> None:
    """Trap 65: while the code is the one that was put back, each alias leads to the version that
    serves in its place, and the gate asks for that one."""
    release = release_in(function(program("app"), "api", "us-east-1").inputs["description"])
    kept = {"us-east-1": {"api": "3", "probe": "4"}, "us-west-2": {"api": "5", "probe": "6"}}
    held(Held(release, kept).text())
    deployment = run_program("app")
    assert versions(deployment) == {
        "api us-east-1": "3", "probe us-east-1": "4", "api us-west-2": "5", "probe us-west-2": "6",
    }  # fmt: skip
    assert json.loads(gate(deployment)[0].inputs["input"]) == {"version": "5"}
    assert not alias(deployment, "api", "us-east-1").secret_inputs


@pytest.mark.parametrize("value", ["none", Held("0" * 12, {"us-east-1": {"api": "3"}}).text()])
def test_other_code_than_what_was_rolled_back_is_deployed(held: Answers, value: str) -> None:
    """Trap 65: a mended release goes its way, and so does one that nothing is known of."""
    held(value)
    assert set(versions(run_program("app")).values()) == {"1"}


def test_what_is_held_back_is_asked_of_the_region_that_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Trap 66: the standby, or us-east-1 where the standby is left alone; each region keeps it."""

    def asked(deployment: Deployment) -> list[tuple[Any, str]]:
        return [
            (one.arguments["path"], one.provider.split("::")[-2])
            for one in deployment.invokes
            if one.token == BY_PATH
        ]

    path = f"/warm-standby/{{}}/{SUFFIX}/local/release"
    assert asked(program("app")) == [(path.format("us-west-2"), "aws-us-west-2")]
    monkeypatch.setenv("WARM_STANDBY_SPARED_REGION", "us-west-2")
    assert asked(run_program("app")) == [(path.format("us-east-1"), "aws-us-east-1")]
    for region in REGIONS:
        parameter = program("app").one("aws:ssm/parameter:Parameter", f"release-held-{region}")
        assert parameter.inputs["name"] == f"{path.format(region)}/held"
        assert parameter.inputs["value"] == "none"
        assert parameter.ignore_changes == ("value",)
