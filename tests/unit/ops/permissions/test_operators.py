"""The operators' roles, held against the calls that their commands' code makes (trap 54)."""

from __future__ import annotations

import ast
import inspect
from dataclasses import replace
from typing import Any

import pytest
from harness import ACCOUNT, SUFFIX
from operators_calls import FRONT, OWN_NAMES, calls, names_in, reached

from lab.emulator.iam_actions import action_of, resource_of
from lab.emulator.policies import Access, allows
from ops.drill import scenario
from ops.drill.scenario import Action
from ops.front import drill, looking, recovery, upkeep
from ops.permissions.documents import Place, Role, policies
from ops.permissions.table import Grant, table
from tapstack.naming import (
    epoch_parameter,
    failover_switch_parameter,
    parameter_path,
    physical_name,
)
from tapstack.releases import held_parameter, passed_parameter
from tapstack.well_known import (
    ATTACHMENTS_PREFIX,
    BATCH_REPLICATION,
    METRIC_NAMESPACE,
    MIGRATE_FUNCTION,
    PROBE_FUNCTION,
    READINESS_TOKEN,
    RECOVERY,
    VALIDATE,
)

REGIONS = ("us-east-1", "us-west-2")
PLACE = Place(ACCOUNT, SUFFIX, REGIONS, (), "state")
ROLES: tuple[Role, ...] = ("operate", "drill")
ALL: tuple[Role, ...] = (*ROLES, "emergency")
LAB_ACTIONS = {
    Action.BAD_DEPLOY,
    Action.STOP_CONTROLLER,
    Action.START_CONTROLLER,
    Action.SWITCHOVER,
}


def granted(grant: Grant) -> set[str]:
    """All that a module's entry names."""
    named = {*grant.read_any, *grant.tagged}
    return named.union(*grant.also.values())


def statements(role: Role) -> dict[str, dict[str, Any]]:
    """Sid → statement of the printed policies."""
    found = policies(role, table(), [], PLACE)
    return {one["Sid"]: one for document in found for one in document["Statement"]}


def test_the_roles_are_those_of_the_commands() -> None:
    """Trap 54: an entry for a role that doesn't exist would be nobody's."""
    assert set(table().operators) == set(ALL) == set(FRONT)


@pytest.mark.parametrize("role", ALL)
def test_each_module_that_calls_is_in_the_role_and_no_other(role: Role) -> None:
    """Trap 54: what a command of the role reaches and calls AWS has its entry; a module that no
    command reaches any more, or that calls nothing, has none."""
    calling = {module for module in reached(FRONT[role]) if calls(module)}
    assert set(table().operators[role]) == calling


@pytest.mark.parametrize("module", sorted({m for r in ALL for m in table().operators[r]}))
def test_an_entry_has_the_module_s_calls_and_nothing_else(module: str) -> None:
    """Trap 54: each call of the code is allowed, and what is allowed is called, is implied by a
    call, or happens in a lab alone."""
    (grant, *others) = [of[module] for of in table().operators.values() if module in of]
    assert all(other == grant for other in others)
    allowed = granted(grant) | set(table().lab_alone.get(module, ()))
    wanted = calls(module)
    missing = [name for name, actions in wanted.items() if not actions & allowed]
    assert missing == []
    called = set[str]().union(*wanted.values())
    assert allowed - called <= set(table().implied)
    assert not granted(grant) & set(table().lab_alone.get(module, ()))


def test_what_is_implied_is_used() -> None:
    """Trap 54: an action that no entry needs any more goes from the list of reasons, too."""
    every = {
        a for of in table().operators.values() for grant in of.values() for a in granted(grant)
    }
    assert set(table().implied) <= every


def test_no_scenario_for_aws_needs_what_is_the_lab_s_alone() -> None:
    """Trap 54: the drill's role lacks the calls of faults that are played in a lab only."""
    on_aws = [scenario.load(name) for name in scenario.names()]
    used = {step.action for one in on_aws if one.on_aws for step in one.steps}
    assert used and not used & LAB_ACTIONS


@pytest.mark.parametrize(("module", "name"), OWN_NAMES)
def test_a_name_that_is_no_call_is_still_there(module: str, name: str) -> None:
    """The list of what looks like a call of AWS and isn't one doesn't hide a later call."""
    assert name in names_in(module)


def test_every_command_that_changes_something_in_an_emergency_is_one_of_the_roles() -> None:
    """Trap 54: a new task of these files is given to a role, or named here as nobody's."""
    nobody_s = {
        "ops.front.upkeep": {"init", "setup", "state_move"},
        "ops.front.looking": {"doctor", "drift", "cost", "policy", "iam"},
        "ops.front.drill": {"history_", "compare_", "verify_"},
    }
    for module in (recovery, upkeep, looking, drill):
        tree = ast.parse(inspect.getsource(module))
        tasks = {
            node.name
            for node in tree.body
            if isinstance(node, ast.FunctionDef) and node.decorator_list
        }
        given = {name for of in FRONT.values() for name in of.get(module.__name__, ())}
        assert tasks - given == nobody_s.get(module.__name__, set()), module.__name__


def test_names_are_those_that_the_programs_make() -> None:
    """Trap 54: a role for names that nothing has allows nothing."""
    arns = {
        arn.split(":", 5)[5]
        for role in ROLES
        for one in statements(role).values()
        for arn in one["Resource"]
        if arn != "*"
    }
    standby, primary = REGIONS[1], REGIONS[0]
    for region in REGIONS:
        for purpose in (RECOVERY, VALIDATE, PROBE_FUNCTION):
            assert f"function:{physical_name('function', purpose, region, SUFFIX)}" in arns
        bucket = physical_name("bucket", "content", region, SUFFIX)
        assert f"table/{physical_name('table', RECOVERY, region, SUFFIX)}" in arns
        assert f"role/{physical_name('role', BATCH_REPLICATION, region, SUFFIX)}" in arns
        assert f"parameter{epoch_parameter(region, SUFFIX)}" in arns
        assert f"parameter{held_parameter(region, SUFFIX)}" in arns
        assert f"parameter{parameter_path(region, SUFFIX, 'shared', '*')}" in arns
        assert {bucket, f"{bucket}/{ATTACHMENTS_PREFIX}*"} <= arns
        assert f"{bucket}/recovery/journal/{region}/*" in arns
    assert f"function:{physical_name('function', MIGRATE_FUNCTION, primary, SUFFIX)}" in arns
    assert f"parameter{passed_parameter(standby, SUFFIX)}" in arns
    assert f"parameter{failover_switch_parameter(standby, SUFFIX)}" in arns
    for purpose in (READINESS_TOKEN, "application", "master"):
        assert f"secret:{physical_name('secret', purpose, primary, SUFFIX)}-*" in arns


def test_the_guards_are_narrow() -> None:
    """R9.3: nothing of the recovery table is deleted but an approval, no foreign metric is
    written, one role is handed on, to one service, and operators only read the state."""
    found = statements("operate")
    approvals = found["OnApproval"]["Condition"]["ForAllValues:StringLike"]
    assert approvals == {"dynamodb:LeadingKeys": ["approval", "approval#*"]}
    assert not {"dynamodb:DeleteItem", "dynamodb:PutItem"} & {*found["OnRecoveryTable"]["Action"]}
    metrics = found["OnOwnMetrics"]["Condition"]["StringEquals"]
    assert metrics["cloudwatch:namespace"] == METRIC_NAMESPACE
    passed = found["PassBatchRole"]
    assert passed["Condition"]["StringEquals"]["iam:PassedToService"] == [
        "batchoperations.s3.amazonaws.com"
    ]
    assert all("role-batch-replication-" in arn for arn in passed["Resource"])
    assert found["State"]["Action"] == ["s3:GetObject"]
    actions = {action for one in found.values() for action in one["Action"]}
    assert not {a for a in actions if a.startswith("iam:") and not a.startswith("iam:List")} - {
        "iam:PassRole"
    }


def test_who_opens_the_emergency_export_reads_it_alone() -> None:
    """R9.3, HIPAA emergency mode: patients' records are for who opens it, and no other role of
    operators reads it."""
    exports = f"bucket-content-us-east-1-{SUFFIX}/emergency/*"
    for role in ALL:
        reads = [one for one in statements(role).values() if "s3:GetObject" in one["Action"]]
        opened = any(exports in arn for one in reads for arn in one["Resource"])
        assert opened is (role == "emergency"), role
    actions = {action for one in statements("emergency").values() for action in one["Action"]}
    assert not [action for action in actions if ":Put" in action or ":Delete" in action]


def test_a_drill_rotates_nothing_and_an_operator_breaks_nothing() -> None:
    """R9.3: each role has what its own commands call."""
    by_role = {
        role: {action for one in statements(role).values() for action in one["Action"]}
        for role in ROLES
    }
    breaking = {"fis:StartExperiment", "route53:UpdateHealthCheck"}
    rotating = {"secretsmanager:PutSecretValue", "rds:ModifyDBCluster"}
    assert breaking <= by_role["drill"] - by_role["operate"]
    assert rotating <= by_role["operate"] - by_role["drill"]


# As the lab asks, which is as AWS does: with the names that the commands give.

TABLE = {"TableName": "table-recovery-us-west-2-lab"}
GLOBAL = {"GlobalClusterIdentifier": "aurora-global-us-east-1-lab"}
LOST = "lost-tail-us-west-2-lab"
WORKED: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("lambda", "GetFunctionConfiguration", {"FunctionName": "function-recovery-us-west-2-lab"}),
    ("lambda", "Invoke", {"FunctionName": "function-probe-us-west-2-lab:live"}),
    ("dynamodb", "GetItem", {**TABLE, "Key": {"kind": {"S": "state"}}}),
    ("dynamodb", "PutItem", {**TABLE, "Item": {"kind": {"S": "state"}}}),
    ("dynamodb", "Query", TABLE),
    ("rds", "DescribeGlobalClusters", GLOBAL),
    ("rds", "FailoverGlobalCluster", GLOBAL),
    ("rds", "SwitchoverGlobalCluster", GLOBAL),
    ("rds", "CopyDBClusterSnapshot", {"SourceDBClusterSnapshotIdentifier": "rds:unplanned"}),
    ("rds", "RestoreDBClusterFromSnapshot", {"DBClusterIdentifier": f"aurora-cluster-{LOST}"}),
    ("rds", "CreateDBInstance", {"DBInstanceIdentifier": f"aurora-instance-{LOST}"}),
    ("rds", "DeleteDBCluster", {"DBClusterIdentifier": f"aurora-cluster-{LOST}"}),
    ("ssm", "PutParameter", {"Name": "/warm-standby/us-west-2/lab/local/failover-switch"}),
    ("ssm", "PutParameter", {"Name": "/warm-standby/us-west-2/lab/shared/epoch"}),
    ("secretsmanager", "GetSecretValue", {"SecretId": "secret-readiness-token-us-east-1-lab"}),
    ("sns", "Publish", {"TopicArn": f"arn:aws:sns:us-west-2:{ACCOUNT}:topic-alarms-us-west-2-lab"}),
    ("events", "PutEvents", {"Entries": []}),
    ("cloudwatch", "PutMetricData", {"Namespace": METRIC_NAMESPACE}),
    ("s3", "PutObject", {"Bucket": "bucket-journal-us-west-2-lab",
                         "Key": "recovery/journal/us-west-2/000000000001.json"}),
    ("s3", "ListObjectVersions", {"Bucket": "bucket-content-us-west-2-lab"}),
)  # fmt: skip
"""Calls of a failover, a reconciliation and a failback: service, operation, parameters."""
BEYOND: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("rds", "DeleteDBCluster", {"DBClusterIdentifier": "aurora-cluster-us-west-2-lab"}),
    ("dynamodb", "DeleteItem", {**TABLE, "Key": {"kind": {"S": "journal"}}}),
    ("dynamodb", "PutItem", {**TABLE, "Item": {"kind": {"S": "approval#AROAX:bela"}}}),
    ("dynamodb", "DeleteTable", TABLE),
    ("ssm", "PutParameter", {"Name": "/warm-standby/us-west-2/lab/shared/database-endpoint"}),
    ("secretsmanager", "DeleteSecret", {"SecretId": "secret-master-us-east-1-lab"}),
    ("s3", "GetObject", {"Bucket": "bucket-journal-us-west-2-lab", "Key": "recovery/journal/x"}),
    ("s3", "PutObject", {"Bucket": "bucket-content-us-west-2-lab", "Key": "attachments/1"}),
    ("cloudwatch", "PutMetricData", {"Namespace": "Theirs"}),
    ("iam", "CreateRole", {"RoleName": "role-more-us-west-2-lab"}),
)  # fmt: skip
"""What nobody needs for that."""


def allowed(role: Role, service: str, operation: str, parameters: dict[str, Any]) -> bool:
    """What the role's policies say of a call in us-west-2."""
    found = policies(role, table(), [], replace(PLACE, suffix="lab"))
    action = action_of(service, operation)
    resource = resource_of(service, "us-west-2", ACCOUNT, parameters)
    context: dict[str, str | list[str]] = {"aws:RequestedRegion": "us-west-2"}
    if "Namespace" in parameters:
        context["cloudwatch:namespace"] = parameters["Namespace"]
    item = parameters.get("Key") or parameters.get("Item")
    if item and service == "dynamodb":
        context |= {"dynamodb:LeadingKeys": [item["kind"]["S"]], "aws:userid": "AROAX:anna"}
    if not resource:  # AWS's to name: the action decides
        for document in found:
            for statement in document["Statement"]:
                statement["Resource"] = ["*"]
    return allows(found, Access(action, resource, context=context), identity=True)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("service", "operation", "parameters"), WORKED)
def test_a_promotion_and_the_way_back_are_allowed(
    role: Role, service: str, operation: str, parameters: dict[str, Any]
) -> None:
    """Trap 54: each call on the things that it names, by the policies alone."""
    assert allowed(role, service, operation, parameters)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("service", "operation", "parameters"), BEYOND)
def test_what_lies_beyond_is_denied(
    role: Role, service: str, operation: str, parameters: dict[str, Any]
) -> None:
    """R9.3: no database, journal, secret or content is deleted or overwritten, no role is made."""
    assert not allowed(role, service, operation, parameters)
