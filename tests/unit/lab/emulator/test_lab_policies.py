"""The evaluator of IAM policies, against the IAM user guide's evaluation logic."""

from __future__ import annotations

from typing import Any

import pytest

from lab.emulator.policies import Access, allows, denies

ROLE = "arn:aws:iam::111122223333:role/replication"
OBJECT = "arn:aws:s3:::bucket/key"


def policy(**statement: Any) -> dict[str, Any]:
    """A document of one statement that allows ReplicateObject to the role by default."""
    whole = {
        "Effect": "Allow",
        "Principal": {"AWS": ROLE},
        "Action": "s3:ReplicateObject",
        "Resource": "arn:aws:s3:::bucket/*",
    }
    return {"Version": "2012-10-17", "Statement": [whole | statement]}


REPLICATE = Access("s3:ReplicateObject", OBJECT, principal=ROLE)


@pytest.mark.parametrize(
    ("document", "allowed"),
    [
        (policy(), True),
        (policy(Action="s3:replicate*"), True),
        (policy(Action=["s3:GetObject"]), False),
        (policy(Resource="arn:aws:s3:::other/*"), False),
        (policy(Principal={"AWS": "arn:aws:iam::111122223333:root"}), True),
        (policy(Principal={"AWS": "111122223333"}), True),
        (policy(Principal={"AWS": "arn:aws:iam::999999999999:root"}), False),
        (policy(Principal="*"), True),
        (policy(Principal={"Service": "s3.amazonaws.com"}), False),
        (policy(Condition={"Bool": {"aws:SecureTransport": "true"}}), False),
        (policy(Condition={"BoolIfExists": {"aws:SecureTransport": "true"}}), True),
        (policy(Condition={"StringNotEquals": {"aws:SourceAccount": "1"}}), True),
        (policy(Condition={"UnheardOf": {"aws:SourceAccount": "1"}}), False),
        ({}, False),
    ],
)
def test_one_statement_allows_what_it_names_and_nothing_else(
    document: dict[str, Any], allowed: bool
) -> None:
    """R4.2: principal, action, resource and condition must all hold."""
    assert allows([document], REPLICATE) is allowed


def test_a_deny_ends_every_allow() -> None:
    """The evaluation logic: an explicit Deny wins."""
    refused = policy(Effect="Deny", Principal="*")
    assert not allows([policy(), refused], REPLICATE)
    assert denies([policy(), refused], REPLICATE)
    assert not denies([policy()], REPLICATE)


def test_a_deny_with_a_condition_holds_only_where_the_condition_does() -> None:
    """DenyInsecureTransport must not stop S3's own replication over TLS."""
    insecure = policy(
        Effect="Deny", Principal="*", Condition={"Bool": {"aws:SecureTransport": "false"}}
    )
    over_tls = Access(
        REPLICATE.action, OBJECT, principal=ROLE, context={"aws:SecureTransport": "true"}
    )
    in_clear = Access(
        REPLICATE.action, OBJECT, principal=ROLE, context={"aws:SecureTransport": "false"}
    )
    assert allows([policy(), insecure], over_tls)
    assert not allows([policy(), insecure], in_clear)


def test_an_allow_to_the_account_is_no_direct_one() -> None:
    """A key policy that trusts the account leaves the decision to the role's policies."""
    account = policy(Principal={"AWS": "arn:aws:iam::111122223333:root"})
    assert allows([account], REPLICATE)
    assert not allows([account], REPLICATE, direct=True)
    assert allows([policy()], REPLICATE, direct=True)


def test_identity_policies_name_no_principal() -> None:
    """A role's own policies hold for the role."""
    document = {"Statement": {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}}
    assert allows([document], REPLICATE, identity=True)
    assert not allows([document], Access("iam:PassRole", "*"), identity=True)


@pytest.mark.parametrize(
    ("condition", "allowed"),
    [
        ({"ArnLike": {"AWS:SourceArn": "arn:aws:events:us-east-1:*:rule/bus/*"}}, True),
        ({"ArnEquals": {"aws:SourceArn": "arn:aws:events:us-east-1:1:rule/other"}}, False),
        ({"StringLike": {"aws:SourceAccount": "1*"}}, True),
        ({"NumericLessThan": {"aws:MultiFactorAuthAge": "10"}}, False),
        ({"Null": {"aws:MultiFactorAuthAge": "true"}}, True),
        ({"ForAnyValue:StringEquals": {"aws:TagKeys": ["a", "b"]}}, True),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["a"]}}, False),
        ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, True),
        ({"StringEquals": {"aws:SourceAccount": "${AWS:SourceAccount}"}}, True),
        ({"StringEquals": {"aws:SourceAccount": "x${aws:SourceAccount}"}}, False),
        ({"StringEquals": {"aws:SourceAccount": "${aws:userid}"}}, False),
        ({"StringEquals": {"aws:SourceAccount": "${aws:TagKeys}"}}, False),
    ],
)
def test_conditions_hold_as_the_operators_say(condition: dict[str, Any], allowed: bool) -> None:
    """IAM JSON policy elements: condition operators, keys in any case."""
    access = Access(
        "s3:ReplicateObject",
        OBJECT,
        service="events.amazonaws.com",
        context={
            "aws:SourceArn": "arn:aws:events:us-east-1:1:rule/bus/forward",
            "aws:SourceAccount": "1",
            "aws:TagKeys": ["a", "c"],
            "aws:SourceIp": "10.1.2.3",
        },
    )
    document = policy(Principal={"Service": "events.amazonaws.com"}, Condition=condition)
    assert allows([document], access) is allowed


@pytest.mark.parametrize(
    ("document", "allowed"),
    [
        (policy(Principal={"CanonicalUser": "1"}), False),
        (policy(Principal="nobody"), False),
        ({"Statement": [{"Effect": "Allow", "NotPrincipal": {"AWS": ROLE}, "Action": "*"}]}, False),
        ({"Statement": [{"Effect": "Allow", "Principal": "*", "NotAction": "s3:*"}]}, False),
        (
            {"Statement": [{"Effect": "Allow", "Principal": "*", "NotAction": "sqs:*"}]},
            True,
        ),
        (
            {
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": "*",
                        "Action": "*",
                        "NotResource": "arn:aws:s3:::bucket/*",
                    }
                ]
            },
            False,
        ),
        (policy(Condition={"Null": {"aws:SourceArn": "true"}}), True),
        (policy(Condition={"Null": {"aws:SourceArn": "false"}}), False),
        (policy(Condition={"StringEqualsIfExists": {"aws:SourceArn": "a"}}), True),
        (policy(Condition={"StringEquals": {"aws:SourceArn": "a"}}), False),
        (policy(Condition={"StringNotEquals": {"aws:SourceArn": "a"}}), True),
    ],
    ids=[
        "canonical-user",
        "no-principal",
        "not-principal",
        "not-action",
        "other-not-action",
        "not-resource",
        "absent",
        "present",
        "if-exists",
        "without-a-key",
        "negated-without-a-key",
    ],
)
def test_rarer_forms_of_statements(document: dict[str, Any], allowed: bool) -> None:
    """NotPrincipal, NotAction, NotResource, and conditions on what the request has not."""
    assert allows([document], REPLICATE) is allowed


@pytest.mark.parametrize("effect", ["Allow", "Deny"])
def test_an_unknown_operator_never_allows(effect: str) -> None:
    """An Allow is never given on a misreading; a Deny applies."""
    condition = {"DateGreaterThanYesterday": {"aws:CurrentTime": "x"}}
    access = Access("s3:ReplicateObject", OBJECT, principal=ROLE, context={"aws:CurrentTime": "y"})
    document = policy(Effect=effect, Condition=condition)
    assert not allows([policy(), document] if effect == "Deny" else [document], access)
