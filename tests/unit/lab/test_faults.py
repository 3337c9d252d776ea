"""Faults that are asked for: what may be asked, what is kept, what answers with errors."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lab.call import Answer
from lab.emulator.faulty import Faulty
from lab.errors import LabInputError
from lab.faults import Fault, Faults


def test_faults_are_kept_and_end_together(tmp_path: Path) -> None:
    """Issue 16.2: over restarts, with their seconds and the lab time at which they began."""
    faults = Faults(tmp_path, lambda: 7.0)
    faults.set("promotion-delay", "90")
    faults.set("snapshot-fails")
    faults.set("instance-loss", "us-east-1")
    again = Faults(tmp_path)
    assert again.as_dict() == {
        "instance-loss": "us-east-1",
        "promotion-delay": 90.0,
        "snapshot-fails": True,
    }
    assert again.seconds(Fault.PROMOTION_DELAY) == 90
    assert again.since(Fault.PROMOTION_DELAY) == 7
    again.set("snapshot-fails", "off")
    assert not again.is_on(Fault.SNAPSHOT_FAILS)
    assert again.clear()
    assert not again.clear()
    assert Faults(tmp_path).as_dict() == {}
    assert (again.value(Fault.INSTANCE_LOSS), again.seconds(Fault.REPLICATION_LAG)) == (False, 0)
    assert again.since(Fault.REPLICATION_LAG) == 0


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("gremlins", None, "choose one of promotion-delay, fence-timeout, describe-stale"),
        ("promotion-delay", None, "takes seconds above 0 and up to 86400, or off; got no value"),
        ("replication-lag", "soon", "got 'soon'"),
        ("replication-lag", "-1", "got '-1'"),
        ("replication-lag", "nan", "got 'nan'"),
        ("promotion-delay", "1e9", "got '1e9'"),
        ("fence-timeout", "5", "fence-timeout is on or off; got '5'"),
        ("instance-loss", "mars", "takes a region, us-east-1 or us-west-2, or off; got 'mars'"),
        ("low-concurrency", "10", "takes a region, us-east-1 or us-west-2, or off; got '10'"),
        ("fence-timeout", "off", "the fault fence-timeout isn't on"),
    ],
)
def test_bad_input_is_one_line_and_changes_nothing(
    tmp_path: Path, name: str, value: str | None, message: str
) -> None:
    """Issue 16: unknown names and values out of range name what there is."""
    faults = Faults(tmp_path)
    faults.set("describe-stale", "on")
    with pytest.raises(LabInputError, match=message) as caught:
        faults.set(name, value)
    assert "\n" not in str(caught.value)
    assert faults.as_dict() == {"describe-stale": True}


@pytest.mark.parametrize(
    ("fault", "service", "operation", "code"),
    [
        ("state-unreadable", "dynamodb", "GetItem", b"InternalServerError"),
        ("state-unreadable", "dynamodb", "UpdateItem", b"InternalServerError"),
        ("state-unreadable", "dynamodb", "DescribeTable", b""),
        ("state-unreadable", "rds", "DescribeDBClusters", b""),
        ("describe-throttled", "rds", "DescribeGlobalClusters", b"Throttling"),
        ("describe-throttled", "rds", "FailoverGlobalCluster", b""),
        ("describe-stale", "rds", "DescribeGlobalClusters", b""),
    ],
)
@pytest.mark.parametrize("internal", [False, True])
def test_a_faulty_service_answers_with_its_error(
    tmp_path: Path, fault: str, service: str, operation: str, code: bytes, internal: bool
) -> None:
    """H12, H25: throttled reads of RDS, unreadable items of DynamoDB, with AWS's own codes; what
    the lab itself asks is answered."""
    from lab.emulator.protocol.operations import Operation, service_model

    faults = Faults(tmp_path)
    faults.set(fault)
    model = service_model(service).operation_model(operation)
    exchange: Any = SimpleNamespace(
        service=service,
        internal=internal,
        operation=Operation(model, "query" if service == "rds" else "json"),
    )
    passed = Answer(200, [], b"passed")

    async def proceed(_exchange: Any) -> Answer:
        return passed

    lab: Any = SimpleNamespace(faults=faults)
    answer = asyncio.run(Faulty(lab).answer(exchange, proceed))
    assert answer is not None
    if code and not internal:
        assert answer.status in (400, 500)
        assert code in answer.body
    else:
        assert answer is passed
