"""Jobs of Batch Replication: what is refused, and what the counts say."""

import asyncio

import pytest

from lab.api import ApiRefusal, ApiRequest
from lab.clock import Clock
from lab.context import LabContext
from lab.objects import batch as batches
from lab.objects import store
from lab.objects.batch import Batch
from lab.outage import Outages

ROLE = "arn:aws:iam::000000000000:role/batch"
GIVEN = {
    "Operation": {"S3ReplicateObject": {}},
    "RoleArn": ROLE,
    "Priority": 10,
    "ManifestGenerator": {
        "S3JobManifestGenerator": {
            "SourceBucket": "arn:aws:s3:::here",
            "Filter": {"ObjectReplicationStatuses": ["NONE", "FAILED"]},
            "ManifestOutputLocation": {"Bucket": "arn:aws:s3:::lists", "ManifestPrefix": "batch"},
        }
    },
}


@pytest.fixture
def sent(monkeypatch, tmp_path):
    """A bucket with an object of each status; what a job sends is replicated at once, but one."""
    statuses = {"new": "", "failed": "FAILED", "done": "COMPLETED", "copy": "REPLICA"}
    monkeypatch.setattr(batches, "owner_of", {"here": ("1", "us-east-1")}.get)
    monkeypatch.setattr(batches, "trusts", lambda role, service: service == batches.SERVICE)
    monkeypatch.setattr(batches, "role_allows", lambda *_: True)
    monkeypatch.setattr(
        store, "current_versions", lambda *_: [(key, "v", value) for key, value in statuses.items()]
    )

    def read(_account, _bucket, key, _version):
        if key not in statuses:
            return None
        return store.Version({"preserved_headers": {store.STATUS: statuses[key]}}, "v", b"", {})

    monkeypatch.setattr(store, "read", read)
    return statuses


def ask(batch, operation, region="us-east-1", **parameters):
    request = ApiRequest("s3control", operation, region, parameters)
    return asyncio.run(batch.answer(request, None)).result


def made(tmp_path, send=lambda *_: None):
    return Batch(LabContext(tmp_path, 1, "http://127.0.0.1:1", Clock(), Outages(tmp_path)), send)


def test_a_job_sends_what_has_one_of_the_statuses(tmp_path, sent):
    """Trap 56: never replicated and given up on; what is there or came from there isn't sent."""
    keys = []
    batch = made(tmp_path, lambda bucket, key, version: keys.append((bucket, key, version)))
    job = ask(batch, "CreateJob", **GIVEN)["JobId"]
    assert keys == [("here", "new", "v"), ("here", "failed", "v")]
    sent["new"] = "PENDING"
    shown = ask(batch, "DescribeJob", JobId=job)["Job"]
    assert (shown["Status"], shown["ProgressSummary"]["TotalNumberOfTasks"]) == ("Active", 2)
    sent["new"] = "COMPLETED"
    shown = ask(batch, "DescribeJob", JobId=job)["Job"]
    assert shown["Status"] == "Complete"
    assert shown["ProgressSummary"] == {
        "TotalNumberOfTasks": 2, "NumberOfTasksSucceeded": 1, "NumberOfTasksFailed": 1,
    }  # fmt: skip
    del sent["failed"]
    assert (
        ask(batch, "DescribeJob", JobId=job)["Job"]["ProgressSummary"]["NumberOfTasksFailed"] == 0
    )
    assert [one["JobId"] for one in ask(batch, "ListJobs")["Jobs"]] == [job]


def test_without_a_filter_only_what_was_never_replicated_is_sent(tmp_path, sent):
    """S3's default."""
    keys = []
    batch = made(tmp_path, lambda _bucket, key, _version: keys.append(key))
    generator = {"S3JobManifestGenerator": {"SourceBucket": "arn:aws:s3:::here"}}
    ask(batch, "CreateJob", **{**GIVEN, "ManifestGenerator": generator})
    assert keys == ["new"]


@pytest.mark.parametrize(
    ("name", "answer", "said"),
    [
        ("trusts", False, f"S3 Batch Operations can't assume {ROLE}"),
        ("role_allows", False, "may not s3:InitiateReplication, s3:GetReplicationConfiguration"),
    ],
)
def test_a_job_fails_without_its_role_s_rights(tmp_path, monkeypatch, sent, name, answer, said):
    """Trap 56: the role is held to what is deployed; nothing is sent."""
    monkeypatch.setattr(batches, name, lambda *_: answer)
    batch = made(tmp_path, lambda *_: pytest.fail("nothing may be sent"))
    job = ask(batch, "CreateJob", **GIVEN)["JobId"]
    shown = ask(batch, "DescribeJob", JobId=job)["Job"]
    assert shown["Status"] == "Failed"
    assert said in shown["FailureReasons"][0]["FailureReason"]


@pytest.mark.parametrize(
    ("given", "region", "code"),
    [
        (
            {**GIVEN, "Operation": {"S3PutObjectTagging": {}}},
            "us-east-1",
            "InvalidRequestException",
        ),
        ({**GIVEN, "ManifestGenerator": {}}, "us-east-1", "InvalidRequestException"),
        (GIVEN, "us-west-2", "InvalidRequestException"),
    ],
)
def test_what_the_lab_can_t_run_is_refused(tmp_path, sent, given, region, code):
    """N1: named, never silently done otherwise."""
    with pytest.raises(ApiRefusal) as caught:
        ask(made(tmp_path), "CreateJob", region, **given)
    assert caught.value.code == code


def test_a_job_that_isn_t_there(tmp_path, sent):
    """As S3 says it."""
    with pytest.raises(ApiRefusal) as caught:
        ask(made(tmp_path), "DescribeJob", JobId="none")
    assert caught.value.status == 404
