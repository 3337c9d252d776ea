"""The pipelines: they run commands that exist, in the right order, with no more rights than they
need. What they do on the lab is executed by tests/integration/test_workflow_commands.py."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from inv_commands import fault, parse
from workflow_files import (
    FILES,
    FOLDER,
    NOT_EXECUTED,
    REPOSITORY,
    Step,
    all_steps,
    jobs,
    lab_steps,
    load,
    steps,
)

from ops.deploy import sequence
from ops.errors import ExitCode

RUNBOOK = (REPOSITORY / "docs" / "operating.md").read_text()
NAMES = [file.name for file in FILES]
ORDER = sequence.order(sequence.contract_graph())
CREDENTIALS = "aws-actions/configure-aws-credentials"
WRITERS = {
    ("pull-request.yml", "comment"): "pull-requests",
    ("drift.yml", "drift"): "issues",
    ("drill.yml", "drill"): "issues",
    ("drill-stack.yml", "drill"): "issues",
}
"""The jobs that may write to the repository's pages, and to which."""


def all_jobs() -> list[tuple[str, str, dict[str, Any]]]:
    """Every job as (workflow, name, body)."""
    return [(name, job, body) for name in NAMES for job, body in jobs(name).items()]


def called(body: dict[str, Any]) -> str | None:
    """The workflow of this repository that a job calls."""
    uses = body.get("uses", "")
    return Path(uses).name if uses.startswith("./") else None


def assumes_role(name: str, job: str, body: dict[str, Any]) -> bool:
    """Whether a job, or the workflow that it calls, configures AWS credentials."""
    if other := called(body):
        return any(assumes_role(other, key, inner) for key, inner in jobs(other).items())
    return any(step.uses == CREDENTIALS for step in steps(name, job))


def ancestors(name: str, job: str) -> set[str]:
    """The jobs that end before this one begins."""
    needs = jobs(name)[job].get("needs", [])
    direct = {needs} if isinstance(needs, str) else set(needs)
    return direct.union(*(ancestors(name, other) for other in direct))


def deployments() -> dict[str, str]:
    """layer → the job of deploy.yml that deploys it."""
    return {
        body["with"]["layer"]: job
        for job, body in jobs("deploy.yml").items()
        if called(body) == "deploy-layer.yml"
    }


def test_the_pipelines_are_there() -> None:
    """Pull request, deployment, drift and environments of pull requests."""
    assert {"pull-request.yml", "deploy.yml", "drift.yml", "ephemeral.yml"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_workflow_parses_and_says_when_it_runs(name: str) -> None:
    """Every file is a workflow with triggers and jobs; GitHub ignores one that isn't silently."""
    document = load(name)
    assert document["on"]
    assert document["jobs"]
    # pipefail: `./inv … | tee` must fail when ./inv does.
    assert document["defaults"]["run"]["shell"] == "bash"


@pytest.mark.parametrize("step", all_steps(), ids=str)
def test_every_command_names_a_task_and_flags_that_exist(step: Step) -> None:
    """A renamed task or flag must break here, not in the night's run."""
    assert [found for words in step.commands if (found := fault(words))] == []
    # None is written in a way that the test can't see.
    assert step.script.count("./inv") == len(step.commands)
    assert not re.search(r"\b(invoke|inv) [a-z]", step.script.replace("./inv", ""))


@pytest.mark.parametrize("step", all_steps(), ids=str)
def test_layers_and_stacks_are_named_rightly(step: Step) -> None:
    """A layer that doesn't exist is refused, and what is confirmed is the stack itself."""
    for words in step.commands:
        found = parse(words)
        assert found is not None
        for flag, value in pairwise(words):
            if flag == "--layer" and not value.startswith("$"):
                assert value in ORDER
        if "--confirm" in words:
            assert words[words.index("--confirm") + 1] == words[words.index("--stack") + 1]
        if found.task.startswith("destroy") and "--stack" in words:
            assert "--confirm" in words, "nobody is there to be asked"


def test_every_command_is_executed_on_aws_only_or_left_out_for_a_reason() -> None:
    """What works on the lab is what the integration test runs; the rest names a stack on AWS, or
    has its reason in NOT_EXECUTED."""
    executed = {str(step) for step in lab_steps()}
    assert executed
    for step in all_steps():
        for words in step.commands:
            found = parse(words)
            assert found is not None
            on_aws = "--stack" in words
            assert str(step) in executed or on_aws or found.task in NOT_EXECUTED
            # A step is for one of the two.
            assert not (str(step) in executed and on_aws)


def test_actions_are_pinned() -> None:
    """By the commit, because a tag can be moved; the version stands beside it."""
    pinned = re.compile(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
    seen = 0
    for file in FILES:
        for line in file.read_text().splitlines():
            uses = line.strip().removeprefix("- ")
            if not uses.startswith("uses:"):
                continue
            value = uses.removeprefix("uses:").strip()
            if value.startswith("./"):
                assert (FOLDER.parents[1] / value).is_file()
                continue
            assert pinned.fullmatch(value), f"{file.name}: {value}"
            seen += 1
    assert seen == sum(bool(step.uses) for step in all_steps())


def test_one_version_of_an_action() -> None:
    """Two pins of one action drift apart."""
    found: dict[str, set[str]] = {}
    for step in all_steps():
        if step.uses:
            found.setdefault(step.uses, set()).add(step.body["uses"])
    assert {name: pins for name, pins in found.items() if len(pins) != 1} == {}


@pytest.mark.parametrize("name", NAMES)
def test_a_workflow_has_no_rights_of_its_own(name: str) -> None:
    """Rights are each job's; without the line the token could write."""
    assert load(name)["permissions"] in ({}, {"contents": "read"})


@pytest.mark.parametrize(("name", "job", "body"), all_jobs(), ids=lambda value: str(value)[:20])
def test_a_job_has_the_rights_it_needs(name: str, job: str, body: dict[str, Any]) -> None:
    """OIDC's token for the jobs that configure credentials only; no right to write but the two
    jobs' that notify people."""
    rights = dict(body["permissions"])
    assert (rights.pop("id-token", None) == "write") is assumes_role(name, job, body)
    if page := WRITERS.get((name, job)):
        assert rights.pop(page) == "write"
    assert rights in ({}, {"contents": "read"})


@pytest.mark.parametrize("step", all_steps(), ids=str)
def test_no_expression_becomes_part_of_a_script(step: Step) -> None:
    """Script injection: text of a pull request reaches a shell or a script in variables only."""
    assert "${{" not in step.script
    assert "${{" not in step.body.get("with", {}).get("script", "")


@pytest.mark.parametrize("step", all_steps(), ids=str)
def test_credentials_come_by_oidc_and_stay_out_of_the_checkout(step: Step) -> None:
    """No long-lived key anywhere, and no token left in .git for the code that runs later."""
    given = step.body.get("with", {})
    if step.uses == CREDENTIALS:
        assert re.fullmatch(r"\$\{\{ vars\.AWS_\w+_ROLE_ARN \}\}", given["role-to-assume"])
        assert not {"aws-access-key-id", "aws-secret-access-key"} & set(given)
    if step.uses == "actions/checkout":
        assert given["persist-credentials"] is False


def test_what_touches_aws_is_off_until_a_role_is_named() -> None:
    """A fork or a fresh clone runs lint, tests and the lab, and nothing else."""
    for name, job, body in all_jobs():
        if not assumes_role(name, job, body) or "workflow_call" in load(name)["on"]:
            continue
        chain = [jobs(name)[other] for other in (job, *ancestors(name, job))]
        assert any(re.search(r"vars\.AWS_\w+_ROLE_ARN != ''", one.get("if", "")) for one in chain)


def test_forks_get_no_role() -> None:
    """A pull request of another repository never starts a job that assumes a role."""
    for name, job, body in all_jobs():
        if not assumes_role(name, job, body):
            continue
        if {"pull_request", "pull_request_target"} & set(load(name)["on"]):
            own = "github.event.pull_request.head.repo.full_name == github.repository"
            assert own in " ".join(body["if"].split())


def test_a_pull_requests_code_never_runs_with_its_targets_rights() -> None:
    """``pull_request_target`` has the base's secrets: its jobs check the base out, which is what a
    checkout without ``ref`` does, and no other job runs for it."""
    for name in NAMES:
        if "pull_request_target" not in load(name)["on"]:
            continue
        for job, body in jobs(name).items():
            events = set(re.findall(r"github\.event_name == '(\w+)'", body["if"]))
            assert events, f"{job} would run for every event"
            assert not {"pull_request", "pull_request_target"} <= events
            if "pull_request_target" in events:
                checkouts = [step for step in steps(name, job) if step.uses == "actions/checkout"]
                assert all(
                    {"ref", "repository"}.isdisjoint(step.body["with"]) for step in checkouts
                )


def test_layers_are_deployed_in_the_contracts_order() -> None:
    """Each layer's job waits for the layers that it reads."""
    found = deployments()
    assert set(found) == set(ORDER)
    for layer, reads in sequence.contract_graph().items():
        waits = ancestors("deploy.yml", found[layer])
        assert {found[upstream] for upstream in reads} <= waits
    depth = {layer: len(ancestors("deploy.yml", job)) for layer, job in found.items()}
    assert sorted(ORDER, key=depth.__getitem__) == ORDER


def test_doctor_comes_before_and_status_after_a_deployment() -> None:
    """What is missing is found before anything is touched, what is unhealthy right after."""
    for job in deployments().values():
        before = [
            step for other in ancestors("deploy.yml", job) for step in steps("deploy.yml", other)
        ]
        assert "doctor" in tasks_of(before)
    last = {
        job
        for job in jobs("deploy.yml")
        if set(deployments().values()) <= ancestors("deploy.yml", job)
    }
    assert "status" in tasks_of([step for job in last for step in steps("deploy.yml", job)])
    ephemeral = tasks_of(list(steps("ephemeral.yml", "deploy")))
    middle = ephemeral.index("deploy-all")
    assert "doctor" in ephemeral[:middle]
    assert "status" in ephemeral[middle:]


def tasks_of(several: list[Step]) -> list[str]:
    """The tasks that steps run, in order."""
    return [found.task for step in several for words in step.commands if (found := parse(words))]


def test_teardown_tries_every_layer_consumers_first() -> None:
    """One layer that fails, or a job that is cancelled, leaves no other layer untried; and what is
    left is looked for whatever happened."""
    found = [step for step in steps("ephemeral.yml", "teardown") if "destroy" in tasks_of([step])]
    layers = [words[words.index("--layer") + 1] for step in found for words in step.commands]
    assert layers == ORDER[::-1]
    rest = list(steps("ephemeral.yml", "teardown"))[found[0].number :]
    assert [str(step) for step in rest if step.body.get("if") != "always()"] == []
    assert set(tasks_of(rest[-1:])) == {"inventory"}


def test_the_lab_is_taken_down_whatever_happened() -> None:
    """The pipeline leaves no lab behind on a machine that isn't thrown away."""
    found = [step for step in lab_steps() if {"destroy-all", "lab.down"} & set(tasks_of([step]))]
    assert found
    assert all(step.body["if"] == "always()" for step in found)


def test_nothing_that_deploys_is_cancelled_or_overtaken() -> None:
    """A cancelled deployment leaves a lock and half a layer; two at a time leave a quarrel."""
    for name, job, body in all_jobs():
        groups = [one["concurrency"] for one in (load(name), body) if "concurrency" in one]
        assert all(group["cancel-in-progress"] is False for group in groups)
        if assumes_role(name, job, body):
            assert groups, f"{name}: {job} has no concurrency group"


def test_concurrency_groups_are_the_stacks() -> None:
    """Deployment and teardown of one environment wait for each other; a called workflow has
    another group than its caller, for which it would wait forever."""
    ephemeral = jobs("ephemeral.yml")
    group = ephemeral["deploy"]["concurrency"]["group"]
    assert group == ephemeral["teardown"]["concurrency"]["group"]
    assert group == f"stack-{ephemeral['teardown']['env']['STACK']}"
    caller = load("deploy.yml")["concurrency"]["group"]
    assert caller.startswith("stack-${{ inputs.stack")
    inner = jobs("deploy-layer.yml")["up"]["concurrency"]["group"]
    assert inner == "stack-${{ inputs.stack }}-${{ inputs.layer }}"


def test_what_touches_aws_runs_in_an_environment() -> None:
    """The roles' trust policies name the repository and the environment (docs/operating.md)."""
    for name, job, body in all_jobs():
        if assumes_role(name, job, body) and called(body) is None:
            assert body["environment"]


def test_teardown_waits_for_nobody() -> None:
    """An environment with reviewers would hold the teardown back until somebody comes."""
    ephemeral = jobs("ephemeral.yml")
    assert ephemeral["teardown"]["environment"] != ephemeral["deploy"]["environment"]


def test_the_runbook_names_everything_that_has_to_be_set() -> None:
    """Variables, secrets and environments of the workflows, and no others."""
    text = " ".join(file.read_text() for file in FILES)
    for kind in ("vars", "secrets"):
        used = set(re.findall(rf"\b{kind}\.(\w+)", text))
        assert used
        assert {name for name in used if f"| `{name}` |" not in RUNBOOK} == set()
    guarded = {body.get("environment", "") for _, _, body in all_jobs()}
    assert {"ephemeral", "ephemeral-teardown", "read-dev"} <= guarded
    for environment in guarded:
        if environment and "${{" not in environment:
            assert f"`{environment}`" in RUNBOOK
            assert f"environment:{environment}`" in RUNBOOK


def test_the_runbooks_trust_policy_is_narrow() -> None:
    """A role trusts one repository and one environment, not every workflow on GitHub."""
    (document,) = re.findall(r"```json\n(.*?)```", RUNBOOK, re.DOTALL)
    (statement,) = json.loads(document)["Statement"]
    assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
    wanted = statement["Condition"]["StringEquals"]
    issuer = "token.actions.githubusercontent.com"
    assert set(wanted) == {f"{issuer}:aud", f"{issuer}:sub"}
    assert re.fullmatch(r"repo:OWNER/REPOSITORY:environment:[a-z-]+", wanted[f"{issuer}:sub"])


def test_the_runbook_has_every_exit_code() -> None:
    """N7: a pipeline distinguishes drift from failure by them."""
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", RUNBOOK, re.MULTILINE)} == set(
        ExitCode
    )


def test_steps_refer_to_what_exists() -> None:
    """Jobs in ``needs``, and inputs that the called workflow declares."""
    for name, job, body in all_jobs():
        assert ancestors(name, job) <= set(jobs(name))
        if other := called(body):
            wanted = load(other)["on"]["workflow_call"]
            assert set(body["with"]) == set(wanted["inputs"])
            assert set(body.get("secrets", {})) <= set(wanted["secrets"])


def test_files_are_plain_yaml() -> None:
    """No key twice, of which YAML keeps the last one silently."""
    for file in FILES:
        node = yaml.compose(file.read_text())
        assert node is not None
        assert _doubles(node) == [], file.name


def _doubles(node: yaml.Node) -> list[str]:
    if isinstance(node, yaml.SequenceNode):
        return [found for child in node.value for found in _doubles(child)]
    if not isinstance(node, yaml.MappingNode):
        return []
    keys = [key.value for key, _ in node.value]
    inner = [found for _, child in node.value for found in _doubles(child)]
    return sorted({key for key in keys if keys.count(key) > 1}) + inner
