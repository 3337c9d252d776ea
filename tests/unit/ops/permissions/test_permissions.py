"""The deploying, the reading and the operators' roles as documents (trap 54)."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest
from harness import ACCOUNT, LAYERS, SUFFIX, Deployment, program, run_program
from operators_calls import LOOKING, calls, reached

from lab.provider.registry import all_types
from ops import node, stack_file, workspace
from ops.cloud import account
from ops.cost.declared import Declared
from ops.errors import OperatorError
from ops.permissions import documents as made
from ops.permissions import show
from ops.permissions.documents import Place, Role, policies, size
from ops.permissions.table import Grant, table

REGIONS = ("us-east-1", "us-west-2")
PLACE = Place(
    ACCOUNT, SUFFIX, REGIONS,
    ("arn:aws:iam::aws:policy/service-role/AWSBackupServiceRolePolicyForBackup",), "state",
)  # fmt: skip
OPTIONS = {
    "app": {
        "app:certificateArns": {
            region: f"arn:aws:acm:{region}:{ACCOUNT}:certificate/one" for region in REGIONS
        },
    },
    "global": {"global:alarmEmail": "on-call@example.org"},
    "data": {"data:journalLockDays": 30},
    "network": {"network:vpcEndpoints": True, "network:natGateways": 0},
}
"""Configuration by layer that declares types which the default one doesn't."""
EXCUSED: tuple[tuple[str, str], ...] = (
    # (part of parliament's finding, why it isn't one)
    ("PutBucketPolicy", "who writes a bucket's policy can let in whom it wants: so it must be"),
    ("PutLifecycleConfiguration", "the same of rules that expire objects"),
    ("rds:DeleteDBCluster", "a final snapshot is never asked for (R1.2)"),
    ("elasticloadbalancing:", "the form for network load balancers; ours are application's"),
    ("route53:ChangeTagsForResource", "zones and health checks alike, each in its own statement"),
    ("arn:*:kms:*:*:key/*", "alias and key are both asked; the key's statement is that of its tag"),
    ("route53:UpdateHostedZoneFeatures", "newer than parliament (Route 53 API reference)"),
    ("fis:StartExperiment", "the template is known by its tag, in a statement of its own"),
)


BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/boundary"


@cache
def with_options(layer: str) -> Deployment:
    """A layer's program with every option and a boundary of its roles."""
    return run_program(layer, config={**OPTIONS[layer], "TapStack:permissionsBoundary": BOUNDARY})


@cache
def declared_types() -> set[str]:
    """What the four programs declare, with every option."""
    runs = [run(layer) for layer in LAYERS for run in (program, with_options)]
    return {resource.type for run in runs for resource in run.created()}


def of(role: Role) -> list[dict[str, Any]]:
    derived = [] if role in table().operators else table().of(declared_types())
    return policies(role, table(), derived, PLACE)


def statements(role: Role) -> list[dict[str, Any]]:
    return [statement for document in of(role) for statement in document["Statement"]]


@pytest.mark.parametrize("role", get_args(Role))
def test_every_declared_type_is_covered_within_aws_s_sizes(role: Role) -> None:
    """Trap 54: derived from the types that the programs declare; a managed policy holds 6,144
    characters, a role ten of them."""
    found = of(role)
    assert 1 <= len(found) <= made.MOST_POLICIES
    assert all(size(document) <= 6_144 for document in found)
    sids = [statement["Sid"] for statement in statements(role)]
    assert len(sids) == len(set(sids))


def test_the_table_names_types_that_exist() -> None:
    """Trap 54: a misspelt type would grant nothing, and nobody would notice."""
    assert set(table().types) <= set(all_types())


@pytest.mark.no_cover
@pytest.mark.parametrize("role", get_args(Role))
def test_parliament_finds_no_fault(role: Role) -> None:
    """Trap 54, R9.3: every action exists and takes the resources that it is limited to."""
    import parliament

    for document in of(role):
        for finding in parliament.analyze_policy_string(json.dumps(document)).findings:
            # A wildcard resource is judged below.
            details = finding.detail if isinstance(finding.detail, list) else [finding.detail]
            left = [one for one in details if not any(word in str(one) for word, _ in EXCUSED)]
            assert finding.issue == "RESOURCE_STAR" or left == [], finding


@pytest.mark.parametrize("role", get_args(Role))
def test_nothing_is_allowed_beyond_the_environment(role: Role) -> None:
    """R9.3: no wildcard action; whatever has no name of ours is limited to the two regions, and
    what AWS names by an id is changed only with the environment's tag."""
    for statement in statements(role):
        assert not [action for action in statement["Action"] if "*" in action]
        if statement["Resource"] != ["*"]:
            continue
        equal = statement["Condition"]["StringEquals"]
        assert equal["aws:RequestedRegion"] == list(REGIONS)
        deletes = [action for action in statement["Action"] if ":Delete" in action]
        if deletes:
            assert equal["aws:ResourceTag/EnvironmentSuffix"] == SUFFIX, deletes


def test_the_reading_role_changes_nothing() -> None:
    """Trap 54: previews and drift alone; what it may write is the state's lock."""
    changes = {
        action
        for statement in statements("read")
        for action in statement["Action"]
        if not action.partition(":")[2].startswith(("Get", "List", "Describe", "Query"))
    }
    assert changes == {"s3:PutObject", "s3:DeleteObject"}
    assert {s["Sid"] for s in statements("read")} & {"PassRoles", "AttachPolicies"} == set()


@pytest.mark.no_cover
def test_the_reading_role_has_what_looking_calls() -> None:
    """Trap 54: every question of the commands that only look, found in their code."""
    allowed = {action for statement in statements("read") for action in statement["Action"]}
    wanted = {
        (module, name): actions
        for module in reached(LOOKING)
        for name, actions in calls(module).items()
    }
    missing = {
        asked: actions
        for asked, actions in wanted.items()
        if not actions & allowed and asked[1].startswith(("get", "list", "describe", "head"))
    }
    assert ("ops.cloud.probes", "get_health_check_status") in wanted
    assert missing == {}


def test_roles_are_handed_and_filled_as_the_programs_do() -> None:
    """Trap 54: a role goes to the services that need one, and gets our policies or AWS's that are
    attached; anything else would be a way to more than this."""
    by_sid = {statement["Sid"]: statement for statement in statements("deploy")}
    passed = by_sid["PassRoles"]["Condition"]["StringEquals"]["iam:PassedToService"]
    assert {"lambda.amazonaws.com", "backup.amazonaws.com", "s3.amazonaws.com"} <= set(passed)
    attached = by_sid["AttachPolicies"]["Condition"]["ArnLike"]["iam:PolicyARN"]
    assert set(PLACE.attached) < set(attached)
    assert all(SUFFIX in arn for arn in set(attached) - set(PLACE.attached))
    services = by_sid["ServiceRoles"]["Condition"]["StringEquals"]["iam:AWSServiceName"]
    assert services == ["elasticloadbalancing.amazonaws.com", "rds.amazonaws.com"]


def test_with_a_boundary_no_role_is_made_or_filled_without_it() -> None:
    """Trap 54: who makes roles and writes their policies could otherwise give itself everything."""
    place = replace(PLACE, boundary=BOUNDARY)
    found = [
        statement
        for document in policies("deploy", table(), table().of(declared_types()), place)
        for statement in document["Statement"]
    ]
    made = [one for one in found if "iam:CreateRole" in one["Action"]]
    attached = [one for one in found if "iam:AttachRolePolicy" in one["Action"]]
    for (statement,) in (made, attached):
        wanted = {"iam:PermissionsBoundary": BOUNDARY}
        assert statement["Condition"]["StringEquals"] == wanted
    actions = {action for statement in found for action in statement["Action"]}
    assert "iam:DeleteRolePermissionsBoundary" not in actions
    (plain,) = [one for one in statements("deploy") if "iam:CreateRole" in one["Action"]]
    assert "Condition" not in plain


def test_every_role_has_the_boundary_that_is_configured() -> None:
    """Trap 54: all of them, or the deploying role couldn't make them."""
    for layer in LAYERS:
        roles = with_options(layer).created("aws:iam/role:Role")
        assert roles, layer
        assert {role.inputs.get("permissionsBoundary") for role in roles} == {BOUNDARY}
    for role in program("data").created("aws:iam/role:Role"):
        assert "permissionsBoundary" not in role.inputs


def test_the_hidden_actions_are_there() -> None:
    """Trap 54: what a deployment needs and nobody thinks of."""
    actions = {action for statement in statements("deploy") for action in statement["Action"]}
    assert {
        "backup-storage:MountCapsule", "kms:CreateGrant", "secretsmanager:GetRandomPassword",
        "route53:AssociateVPCWithHostedZone", "iam:ListInstanceProfilesForRole",
        "s3:ListBucketVersions",
    } <= actions  # fmt: skip


def test_a_type_without_actions_is_named() -> None:
    """Trap 54: left out silently it would stop a deployment halfway."""
    with pytest.raises(OperatorError, match=r"has no actions for aws:new/thing:Thing"):
        table().of(["aws:new/thing:Thing", "aws:ec2/vpc:Vpc"])


def test_what_needs_too_many_policies_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trap 54: AWS would refuse the eleventh, after ten were made."""
    monkeypatch.setattr(made, "MOST_POLICIES", 1)
    with pytest.raises(OperatorError, match=r"the deploy role would need \d policies"):
        of("deploy")


def test_nothing_asked_is_nothing_allowed() -> None:
    """A grant without hand-overs makes no statement of them, and no state bucket none of it."""
    alone = table()
    empty = replace(alone, deploying=(Grant(),), reading=())
    assert policies("deploy", empty, [], replace(PLACE, state_bucket="")) == []


# The task


@pytest.fixture
def dev(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The programs declare one attachment and one VPC; no Node.js, no account is asked twice."""
    asked: list[str] = []
    resources = [
        Declared("network", "aws:ec2/vpc:Vpc", "vpc", "us-east-1", {}),
        Declared("data", show.ATTACHMENT, "a", "us-east-1", {"policyArn": PLACE.attached[0]}),
        Declared("data", show.ATTACHMENT, "b", "us-east-1", {"policyArn": "unknown"}),
    ]
    monkeypatch.setattr(node, "ensure", lambda: None)
    monkeypatch.setattr(show, "declared", lambda *_: resources)
    monkeypatch.setattr(account, "current", lambda _: asked.append("sts") or "210987654321")
    monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://kept?region=us-west-2")
    return asked


def test_the_policies_are_printed(dev: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """NAMES: iam; the account is asked where none is configured."""
    show.show("dev", "deploy")
    printed = json.loads(capsys.readouterr().out)
    assert printed["role"] == "deploy"
    text = json.dumps(printed["policies"])
    assert dev == ["sts"]
    assert "arn:aws:iam::210987654321:role/role-*-us-east-1-synthj5p6r0e5" in text
    assert PLACE.attached[0] in text
    assert "arn:aws:s3:::kept/.pulumi/*" in text


def test_the_lab_s_account_is_known(dev: list[str]) -> None:
    """N1: the lab is asked nothing."""
    space = workspace.find()
    file = stack_file.load(space, "lab")
    assert "arn:aws:dynamodb:us-east-1:000000000000:table" in str(
        show.documents(space, file, "deploy")
    )
    assert dev == []


def test_an_operators_role_asks_no_program(
    dev: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Trap 54: its policies follow from the commands alone, and want no Node.js."""
    monkeypatch.setattr(show, "declared", lambda *_: pytest.fail("a program was run"))
    monkeypatch.setattr(node, "ensure", lambda: pytest.fail("Node.js was wanted"))
    show.show("lab", "operate")
    printed = json.loads(capsys.readouterr().out)
    assert "rds:FailoverGlobalCluster" in json.dumps(printed["policies"])


def test_each_policy_is_written_to_a_file_of_its_owner(
    dev: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """For ``aws iam create-policy --policy-document file://…``."""
    show.show("dev", "read", str(tmp_path / "new"))
    files = sorted((tmp_path / "new").iterdir())
    assert [file.name for file in files] == ["read-1.json"]
    assert stat.S_IMODE(files[0].stat().st_mode) == 0o600
    assert json.loads(files[0].read_text())["Version"] == "2012-10-17"
    assert "of 6144 characters" in capsys.readouterr().out
    with pytest.raises(OperatorError, match="can't be written"):
        show.show("dev", "read", str(files[0]))


def test_another_role_is_bad_input() -> None:
    """STYLE: what there is, and what may have been meant."""
    with pytest.raises(OperatorError, match="none of deploy, read, operate, drill, emergency; did"):
        show.show("dev", "reed")


@pytest.mark.parametrize(
    ("url", "bucket"), [("s3://b?region=us-west-2", "b"), ("file:///x", ""), ("", "")]
)
def test_the_state_s_bucket(tmp_path: Path, url: str, bucket: str) -> None:
    """Trap 54: where the state is a bucket, both roles read and lock it."""
    environment = {"PULUMI_BACKEND_URL": url, "PULUMI_HOME": str(tmp_path)}
    assert show.state_bucket(environment) == bucket
