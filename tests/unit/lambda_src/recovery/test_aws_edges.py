"""The recovery table and the failover call against botocore's own shapes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import ReadTimeoutError
from botocore.stub import Stubber

from recovery.codec import to_json
from recovery.failover_call import fail_over, meaning
from recovery.journal import broken, link
from recovery.model import Answer, Stage, State
from recovery.ports import ConflictError, UnavailableError
from recovery.stored import STATE_KEY, JournalTable, StateTable

TABLE = "table-recovery-us-west-2-lab"
GET = {"TableName": TABLE, "Key": STATE_KEY, "ConsistentRead": True}


def client(service: str) -> BaseClient:
    """A client that reaches nothing, with its retries off."""
    return boto3.client(
        service, region_name="us-west-2", aws_access_key_id="x", aws_secret_access_key="x",
        config=Config(retries={"total_max_attempts": 1}),
    )  # fmt: skip


@pytest.fixture
def dynamodb() -> Iterator[tuple[Any, Stubber]]:
    """A stubbed client; every expected call must have been made."""
    made = client("dynamodb")
    with Stubber(made) as stub:
        yield made, stub
        stub.assert_no_pending_responses()


def item(state: State) -> dict[str, Any]:
    """A state as stored."""
    body = json.dumps(to_json(state), sort_keys=True)
    return {**STATE_KEY, "version": {"N": str(state.version)}, "body": {"S": body}}


def test_a_table_without_an_item_begins_with_a_new_state(dynamodb: tuple[Any, Stubber]) -> None:
    """The first version is written only where nothing stands."""
    made, stub = dynamodb
    stub.add_response("get_item", {}, GET)
    state = StateTable(made, TABLE).load()
    assert state == State()
    first = replace(state, version=1)
    stub.add_response(
        "put_item", {},
        {
            "TableName": TABLE, "Item": item(first),
            "ConditionExpression": "attribute_not_exists(kind)",
        },
    )  # fmt: skip
    StateTable(made, TABLE).save(first)


def test_a_state_is_read_consistently_and_written_over_its_own_version(
    dynamodb: tuple[Any, Stubber],
) -> None:
    """recovery.md 3, "Stored": version-conditioned."""
    made, stub = dynamodb
    state = State(version=7, stage=Stage.HELD)
    stub.add_response("get_item", {"Item": item(state)}, GET)
    assert StateTable(made, TABLE).load() == state
    stub.add_response(
        "put_item", {},
        {
            "TableName": TABLE, "Item": item(state), "ConditionExpression": "version = :before",
            "ExpressionAttributeValues": {":before": {"N": "6"}},
        },
    )  # fmt: skip
    StateTable(made, TABLE).save(state)


def test_a_lost_race_is_a_conflict_and_everything_else_unavailable(
    dynamodb: tuple[Any, Stubber],
) -> None:
    """H9, H25: distinguished, each with AWS's own word."""
    made, stub = dynamodb
    table = StateTable(made, TABLE)
    stub.add_client_error("put_item", "ConditionalCheckFailedException")
    with pytest.raises(ConflictError):
        table.save(State(version=2))
    stub.add_client_error("put_item", "ThrottlingException")
    with pytest.raises(UnavailableError, match=f"{TABLE}: ThrottlingException"):
        table.save(State(version=2))
    stub.add_client_error("get_item", "ResourceNotFoundException")
    with pytest.raises(UnavailableError, match=f"{TABLE}: ResourceNotFoundException"):
        table.load()


@pytest.mark.parametrize("body", ['{"later":1}', "{", "[]"])
def test_an_item_of_another_release_is_not_acted_on(
    dynamodb: tuple[Any, Stubber], body: str
) -> None:
    """What isn't understood stops the run, and pages."""
    made, stub = dynamodb
    stub.add_response("get_item", {"Item": {**STATE_KEY, "body": {"S": body}}}, GET)
    with pytest.raises(UnavailableError, match="holds no state of ours"):
        StateTable(made, TABLE).load()


def test_journal_entries_follow_each_other_and_are_copied(
    dynamodb: tuple[Any, Stubber],
) -> None:
    """Append-only: the next number, only where it is free, then the bucket."""
    made, stub = dynamodb
    bucket = client("s3")
    asked = {
        "TableName": TABLE, "KeyConditionExpression": "kind = :journal",
        "ExpressionAttributeValues": {":journal": {"S": "journal"}}, "ScanIndexForward": False,
        "Limit": 1, "ConsistentRead": True,
    }  # fmt: skip
    first = link(None, 5, "decision", {"a": 1})
    second = link(first, 6, "outcome", {"b": 2})
    assert broken([first, second]) == ""
    journal = JournalTable(made, TABLE, bucket, "bucket", "us-west-2")  # type: ignore[arg-type]
    with Stubber(bucket) as copies:
        for before, entry, minute, kind, body in (
            ([], first, 5, "decision", {"a": 1}),
            ([{"entry": {"S": json.dumps(asdict(first))}}], second, 6, "outcome", {"b": 2}),
        ):
            text = json.dumps(asdict(entry), sort_keys=True)
            stub.add_response("query", {"Items": before}, asked)
            stub.add_response(
                "put_item", {},
                {
                    "TableName": TABLE, "ConditionExpression": "attribute_not_exists(kind)",
                    "Item": {
                        "kind": {"S": "journal"}, "number": {"N": str(entry.number)},
                        "entry": {"S": text},
                    },
                },
            )  # fmt: skip
            copies.add_response(
                "put_object", {},
                {
                    "Bucket": "bucket",
                    "Key": f"recovery/journal/us-west-2/{entry.number:012}.json",
                    "Body": text.encode(), "ContentType": "application/json",
                },
            )  # fmt: skip
            journal.append(minute, kind, body)
        copies.assert_no_pending_responses()
    stub.add_client_error("query", "InternalServerError")
    with pytest.raises(UnavailableError, match="InternalServerError"):
        journal.append(7, "decision", {})


ARN = "arn:aws:rds:us-west-2:123456789012:cluster:aurora-us-west-2-lab"
CALL = {
    "GlobalClusterIdentifier": "global-lab",
    "TargetDbClusterIdentifier": ARN,
    "AllowDataLoss": True,
}


def test_the_call_names_the_target_by_its_arn_and_allows_data_loss() -> None:
    """recovery.md 1.1 and H23: the unplanned call, once; its request id is kept."""
    made = client("rds")
    with Stubber(made) as stub:
        stub.add_response(
            "failover_global_cluster", {"ResponseMetadata": {"RequestId": "id-1"}}, CALL
        )
        called = fail_over(made, "global-lab", ARN)  # type: ignore[arg-type]
        stub.assert_no_pending_responses()
    assert called.answer is Answer.ACCEPTED
    assert called.detail == "id-1"


@pytest.mark.parametrize(
    ("code", "status", "answer"),
    [
        ("InvalidGlobalClusterStateFault", 400, Answer.REFUSED),
        ("AccessDenied", 403, Answer.REFUSED),
        ("GlobalClusterNotFoundFault", 404, Answer.REFUSED),
        ("Throttling", 400, Answer.THROTTLED),
        ("ThrottlingException", 400, Answer.THROTTLED),
        ("InternalFailure", 500, Answer.UNCLEAR),
        ("ServiceUnavailable", 503, Answer.UNCLEAR),
    ],
)
def test_only_a_refusal_of_aws_proves_that_nothing_began(
    code: str, status: int, answer: Answer
) -> None:
    """H11: an InternalFailure may have been accepted."""
    made = client("rds")
    with Stubber(made) as stub:
        stub.add_client_error("failover_global_cluster", code, http_status_code=status)
        called = fail_over(made, "global-lab", ARN)  # type: ignore[arg-type]
    assert (called.answer, called.detail) == (answer, code)


def test_a_time_out_leaves_it_open() -> None:
    """H11: no answer is no refusal, nor is an answer without a status."""
    assert meaning(ReadTimeoutError(endpoint_url="x")) is Answer.UNCLEAR
    unsaid = Exception()
    unsaid.response = {"Error": {"Code": "Odd"}}  # type: ignore[attr-defined]
    assert meaning(unsaid) is Answer.UNCLEAR
