"""The pipelines' own logic, executed: shell around ``./inv`` on AWS with a stand-in for it, and the
scripts that write comments and issues with a stand-in for GitHub."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from workflow_files import REPOSITORY, SHELL, Step, steps

from ops import node

GITHUB_SCRIPT = """
const [script, answers] = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
const calls = [];
const method = (group, name) => async (given) => {
  calls.push([`${group}.${name}`, given]);
  return { data: {} };
};
const rest = new Proxy({}, {
  get: (_, group) => new Proxy({}, { get: (__, name) => method(group, name) }),
});
const github = { rest, paginate: async () => answers };
const context = {
  repo: { owner: "o", repo: "r" }, issue: { number: 7 }, runId: 1, serverUrl: "https://github",
};
const Body = Object.getPrototypeOf(async () => {}).constructor;
new Body("github", "context", "require", script)(github, context, require)
  .then(() => console.log(JSON.stringify(calls)));
"""
"""What actions/github-script does with a script, over a GitHub that notes what it is asked."""


@dataclass
class Ran:
    """A step that ran."""

    code: int
    calls: list[str]
    """What ``./inv`` was asked."""
    outputs: str
    """What it wrote to GITHUB_OUTPUT."""
    said: str


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Ran]:
    """Runs a step's script as GitHub does, with an ``./inv`` that prints and ends as asked."""
    for name in (".github", ".venv"):
        (tmp_path / name).symlink_to(REPOSITORY / name)
    calls, outputs, bin_ = (tmp_path / name for name in ("calls", "outputs", "bin"))
    bin_.mkdir()
    (bin_ / "sleep").write_text("#!/bin/sh\n")
    inv = tmp_path / "inv"
    inv.write_text(f'#!/bin/sh\necho "$@" >> {calls}\nprintf %s "$PRINTED"\nexit "$CODE"\n')
    for file in (inv, bin_ / "sleep"):
        file.chmod(0o755)

    def one(step: Step, printed: str = "", code: int = 0, **variables: str) -> Ran:
        calls.write_text("")
        outputs.write_text("")
        answer = subprocess.run(
            [*SHELL, step.script],
            cwd=tmp_path,
            env={
                "PATH": f"{bin_}:{os.environ['PATH']}",
                "PRINTED": printed,
                "CODE": str(code),
                "GITHUB_OUTPUT": str(outputs),
                "GITHUB_RUN_ID": "1",
                "GITHUB_SHA": "abc",
                "RUNNER_TEMP": str(tmp_path),
                **variables,
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        said = answer.stdout + answer.stderr
        return Ran(answer.returncode, calls.read_text().splitlines(), outputs.read_text(), said)

    return one


def named(workflow: str, job: str, name: str) -> Step:
    """The step of that name."""
    (found,) = (step for step in steps(workflow, job) if step.body.get("name") == name)
    return found


def written(step: Step, answers: list[dict[str, Any]], **variables: str) -> list[Any]:
    """What a github-script step asks of GitHub, which lists ``answers``: [method, arguments]."""
    node.ensure()
    answer = subprocess.run(
        ["node", "-e", GITHUB_SCRIPT],
        input=json.dumps([step.body["with"]["script"], answers]),
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout)


@pytest.mark.parametrize(
    ("layers", "command"),
    [
        ("data", "preview --layer data --stack dev"),
        ("network data", "preview-all --stack dev"),
    ],
)
def test_the_preview_is_of_what_changed(run: Callable[..., Ran], layers: str, command: str) -> None:
    """Several layers are previewed together, so that a new export is unknown and not missing."""
    ran = run(named("pull-request.yml", "preview", "Preview them"), "3 changes", LAYERS=layers)
    assert ran.code == 0
    assert ran.calls == [command]
    assert ran.outputs.splitlines()[1:-1] == ["3 changes"]


def test_a_preview_that_fails_is_reported_and_fails(run: Callable[..., Ran]) -> None:
    """The comment says why; the job is red."""
    step = named("pull-request.yml", "preview", "Preview them")
    ran = run(step, "data: refused\n" * 9000, 1, LAYERS="data")
    assert ran.code == 1
    assert "data: refused" in ran.outputs
    assert len(ran.outputs) < 60_000, "a comment holds 65,536 characters"


@pytest.mark.parametrize("code", [0, 1, 5])
def test_the_drift_run_ends_as_drift_ends(run: Callable[..., Ran], code: int) -> None:
    """5 is drift, anything else but 0 found nothing out; each fails the night's run."""
    ran = run(named("drift.yml", "drift", "Look for drift"), "{}", code, STACK="dev")
    assert ran.code == code
    assert ran.calls == ["drift --stack dev --json"]
    assert ran.outputs == f"code={code}\n"


def test_what_is_left_after_a_teardown_fails_it(run: Callable[..., Ran]) -> None:
    """An empty inventory ends at once; AWS's late lists are waited for, then it is a failure."""
    step = named("ephemeral.yml", "teardown", "Look whether anything is left")
    gone = run(step, "[]\n", STACK="pr7")
    assert (gone.code, gone.calls) == (0, ["inventory --stack pr7 --json"])
    left = run(step, '[{"arn": "arn:aws:rds:…"}]', STACK="pr7")
    assert left.code == 1
    assert len(left.calls) > 5
    assert "arn:aws:rds" in left.said
    unknown = run(step, "", 3, STACK="pr7")
    assert unknown.code == 3


@pytest.mark.parametrize(
    ("workflow", "job"), [("deploy.yml", "verify"), ("ephemeral.yml", "deploy")]
)
def test_a_deployment_that_isnt_healthy_fails(
    run: Callable[..., Ran], workflow: str, job: str
) -> None:
    """Regions are asked again while a new name may not resolve yet, and not for ever."""
    regions = [
        {"region": "us-east-1", "health": "200 healthy", "database": "writer, available"},
        {"region": "us-west-2", "health": "200 healthy", "database": "reader, available"},
    ]
    step = named(workflow, job, "Probe both regions")
    well = run(step, json.dumps({"layers": [], "regions": regions}), STACK="pr7")
    assert (well.code, well.calls) == (0, ["status --stack pr7 --json"])
    regions[1]["health"] = "answers 503"
    ill = run(step, json.dumps({"layers": [], "regions": regions}), STACK="pr7")
    assert ill.code == 1
    assert "us-west-2: /health: answers 503" in ill.said
    assert run(step, "", 3, STACK="pr7").code == 1


def test_the_preview_is_one_comment() -> None:
    """The bot's own comment is updated; nobody else's is touched, and a report can't end its
    block of code."""
    (step,) = steps("pull-request.yml", "comment")
    given = {"LAYERS": "data", "REPORT": "a ``` b", "RESULT": "success"}
    ((method, made),) = written(step, [], **given)
    assert method == "issues.createComment"
    assert made["issue_number"] == 7
    assert made["body"].count("```") == 2
    answers = [
        {"id": 1, "user": {"type": "User"}, "body": made["body"]},
        {"id": 2, "user": {"type": "Bot"}, "body": "of another bot"},
        {"id": 3, "user": {"type": "Bot"}, "body": made["body"]},
    ]
    ((method, updated),) = written(step, answers, **given)
    assert (method, updated["comment_id"]) == ("issues.updateComment", 3)


def test_drift_is_one_issue_a_stack(tmp_path: Path) -> None:
    """Opened by the first night, updated by the next, closed when the drift is gone."""
    step = named("drift.yml", "drift", "Open, update or close the issue")
    (tmp_path / "drift.json").write_text('{"changed": {"data": 1}}')
    (tmp_path / "drift.txt").write_text("drift: look at it")
    given = {"STACK": "dev", "RUNNER_TEMP": str(tmp_path)}
    other = {"number": 4, "title": "Drift of stack prod"}
    ((method, made),) = written(step, [other], CODE="5", **given)
    assert (method, made["title"]) == ("issues.create", "Drift of stack dev")
    assert '"data": 1' in made["body"]
    known = [other, {"number": 5, "title": made["title"]}]
    ((method, updated),) = written(step, known, CODE="5", **given)
    assert (method, updated["issue_number"]) == ("issues.update", 5)
    methods = [
        (name, asked.get("state")) for name, asked in written(step, known, CODE="0", **given)
    ]
    assert methods == [("issues.createComment", None), ("issues.update", "closed")]
    assert written(step, [other], CODE="0", **given) == []


@pytest.mark.parametrize(
    ("workflow", "place"), [("drill.yml", "in the lab"), ("drill-stack.yml", "of stack dev")]
)
def test_a_failed_drill_is_one_issue_a_scenario(tmp_path: Path, workflow: str, place: str) -> None:
    """Issue 20.7: opened on failure or regression, updated, and closed by the drill that passes."""
    step = named(workflow, "drill", "Open, update or close the issue")
    assert step.body["env"]["PLACE"].replace("${{ matrix.stack }}", "dev") == place
    (tmp_path / "drill.txt").write_text("region-loss: ``` FAILED")
    given = {
        "SCENARIO": "region-loss", "RUNNER_TEMP": str(tmp_path), "PLACE": place,
        "GITHUB_WORKSPACE": str(REPOSITORY),
    }  # fmt: skip
    other = {"number": 4, "title": "Drill application-only in the lab"}
    ((method, made),) = written(step, [other], CODE="5", **given)
    assert (method, made["title"]) == ("issues.create", f"Drill region-loss {place}")
    assert "region-loss: ''' FAILED" in made["body"]
    known = [other, {"number": 5, "title": made["title"]}]
    ((method, updated),) = written(step, known, CODE="5", **given)
    assert (method, updated["issue_number"]) == ("issues.update", 5)
    assert [name for name, _ in written(step, known, CODE="0", **given)] == [
        "issues.createComment", "issues.update",
    ]  # fmt: skip
    assert written(step, [other], CODE="0", **given) == []


@pytest.mark.parametrize("code", [0, 1, 5])
def test_a_stacks_drill_ends_as_the_drill_ends(run: Callable[..., Ran], code: int) -> None:
    """5 failed or is void, anything else but 0 couldn't be run; the stack's name is confirmed."""
    step = named("drill-stack.yml", "drill", "Drill")
    given = {"STACK": "dev", "SCENARIO": "application-only", "ACTOR": "me", "KMS_KEY": "alias/e"}
    ran = run(step, "said", code, TEMPLATE="", **given)
    assert (ran.code, ran.outputs) == (code, f"code={code}\n")
    (call,) = ran.calls
    assert call.startswith("drill --stack dev --confirm dev --scenario application-only --template")
    assert call.endswith("--kms-key alias/e --participants me:started it")


def test_a_stack_that_got_worse_fails(run: Callable[..., Ran]) -> None:
    """Issue 20.7: a regression is a failure, though the drill itself passed."""
    step = named("drill-stack.yml", "drill", "Compare with those before")
    ran = run(step, "worse", 5)
    assert (ran.code, ran.outputs, ran.calls) == (5, "code=5\n", ["drill.history"])
