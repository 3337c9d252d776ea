"""IAM decides what the deployed functions call: nothing they need is missing, and nothing that is
taken away goes unnoticed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from application_client import ask, post_record, receipts, until
from broken_readiness import now
from deployed_lab import Lab
from lab_copies import a_deployed_lab
from recovery_state import Controller
from region_outage import EAST, WEST

from lab import client


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A deployed lab whose policies are taken apart and put together again."""
    with a_deployed_lab(tmp_path_factory.mktemp("permissions")) as made:
        yield made


def refused(lab: Lab) -> list[str]:
    """What IAM has refused functions so far: ``ACTION on ARN by ROLE``."""
    return [line for line in client.access(lab.state_dir)["refused"] if " by " in line]


def test_functions_need_nothing_that_their_roles_lack(lab: Lab) -> None:
    """R9.3, issue 16.6: a record with its event, both regions' receipts, a validation, a run of
    each recovery function: no call of theirs is refused."""
    key = post_record(lab, "primary").json["eventId"]
    assert until(lambda: len(receipts(lab, key)) == 2, 60), receipts(lab, key)
    assert ask(lab, "secondary", "/failover-switch").status == 404
    before = Controller(lab, WEST).state.last_minute or 0
    for region in (EAST, WEST):
        for name in ("recovery", "parameters", "validate"):
            event = {"source": "aws.events", "time": moment(lab)}
            run = f"function-{name}-{region}-lab"
            answer = lab.client("lambda", region).invoke(
                FunctionName=run, Payload=json.dumps(event).encode()
            )
            assert "FunctionError" not in answer, (run, answer["Payload"].read())
    assert until(lambda: (Controller(lab, WEST).state.last_minute or 0) >= before, 90)
    assert refused(lab) == []


def moment(lab: Lab) -> str:
    """The lab's time, as a scheduled event says it."""
    return datetime.fromtimestamp(now(lab), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True)
class Taken:
    """A statement that is taken from a function's role, what the function is called with, and what
    is refused then."""

    function: str
    region: str
    statement: str
    action: str
    payload: dict[str, Any] | None = None
    """None: its load balancer is asked for the switch"""


TAKEN = (
    Taken("api", WEST, "FailoverSwitch", "ssm:GetParameter"),
    Taken("probe", WEST, "ApplicationSecret", "secretsmanager:GetSecretValue", {}),
    Taken("migrate", EAST, "Key", "kms:Decrypt", {"action": "migrate"}),
    Taken("recovery", WEST, "Probe", "lambda:InvokeFunction", {}),
    Taken("validate", WEST, "Quotas", "lambda:GetAccountSettings", {}),
    Taken("parameters", EAST, "Read", "ssm:GetParametersByPath", {}),
    Taken("failover-test", WEST, "OwnSwitch", "ssm:PutParameter", {}),
)
"""Of each kind of function."""


@contextmanager
def without(lab: Lab, taken: Taken) -> Iterator[None]:
    """The role's policy without one statement."""
    iam = lab.client("iam")
    (attached,) = [
        policy
        for policy in iam.list_attached_role_policies(
            RoleName=f"role-{taken.function}-{taken.region}-lab"
        )["AttachedPolicies"]
        if policy["PolicyName"].startswith("policy-")
    ]
    arn = attached["PolicyArn"]
    before = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    held = iam.get_policy_version(PolicyArn=arn, VersionId=before)["PolicyVersion"]["Document"]
    document = json.loads(held) if isinstance(held, str) else held
    kept = [one for one in document["Statement"] if one.get("Sid") != taken.statement]
    assert len(kept) == len(document["Statement"]) - 1, taken

    def becomes(statements: list[Any], instead_of: str) -> str:
        """Gives the policy these statements; the version's id. A policy has five at most."""
        made = iam.create_policy_version(
            PolicyArn=arn,
            PolicyDocument=json.dumps({**document, "Statement": statements}),
            SetAsDefault=True,
        )["PolicyVersion"]["VersionId"]
        iam.delete_policy_version(PolicyArn=arn, VersionId=instead_of)
        return made

    cut = becomes(kept, before)
    try:
        yield
    finally:
        becomes(document["Statement"], cut)


@pytest.mark.parametrize("taken", TAKEN, ids=lambda taken: f"{taken.function}-{taken.statement}")
def test_what_is_taken_from_a_role_is_refused(lab: Lab, taken: Taken) -> None:
    """Issue 16.6: a statement that is missing is AccessDenied for the function's own call, as on
    AWS; the published version behind the alias may hold a secret already, the function itself is
    started anew."""
    role = f"role-{taken.function}-{taken.region}-lab"
    already = Counter(refused(lab))

    def is_refused() -> bool:
        if taken.payload is None:
            ask(lab, "secondary", "/failover-switch")
        else:
            lab.client("lambda", taken.region).invoke(
                FunctionName=f"function-{taken.function}-{taken.region}-lab",
                Payload=json.dumps(taken.payload).encode(),
            )
        new = Counter(refused(lab)) - already
        return any(line.startswith(f"{taken.action} on ") and line.endswith(role) for line in new)

    with without(lab, taken):
        assert until(is_refused, 60), refused(lab)
