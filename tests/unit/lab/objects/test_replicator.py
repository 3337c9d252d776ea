"""A replication that breaks ends, and is counted."""

import asyncio

import pytest

from lab.clock import Clock
from lab.context import LabContext
from lab.facts import Replication
from lab.objects import replicator as replicators
from lab.objects import store
from lab.objects.replicator import Replicator
from lab.outage import Outages

CONFIGURATION = {
    "Role": "arn:aws:iam::000000000000:role/replication",
    "Rules": [{"ID": "all", "Status": "Enabled", "Destination": {"Bucket": "arn:aws:s3:::there"}}],
}


@pytest.fixture
def statuses(monkeypatch):
    """What is written as the object's status, one after the other."""
    written = []
    record = {"preserved_headers": {}}
    version = store.Version(record, "1", b"content", {})
    monkeypatch.setattr(replicators, "owner_of", lambda _name: ("000000000000", "us-east-1"))
    monkeypatch.setattr(store, "read", lambda *_given: version)
    monkeypatch.setattr(store, "set_status", lambda *given: written.append(given[-1]))
    return written


def run(tmp_path):
    observed = []
    lab = LabContext(tmp_path, 1, "http://127.0.0.1:1", Clock(), Outages(tmp_path))
    lab.observe(lambda event: observed.append((type(event), vars(event)["outcome"])))

    async def write():
        replicator = Replicator(lab)
        replicator.object_written("here", "key", "1", CONFIGURATION)
        assert replicator.backlog == 1
        async with asyncio.timeout(5):
            while replicator.backlog:
                await asyncio.sleep(0.01)
        return replicator.pending()

    return asyncio.run(write()), observed


def test_an_operation_that_breaks_is_failed_and_no_longer_pending(tmp_path, monkeypatch, statuses):
    """R4.1, R6.2: a backlog that never empties would be an alarm about nothing."""

    def broken(*_given):
        raise KeyError("there")

    monkeypatch.setattr(Replicator, "_replicate", broken)
    pending, observed = run(tmp_path)
    assert statuses == ["PENDING", "FAILED"]
    assert observed == [(Replication, "failed")]
    assert [(rule.operations, rule.failed) for rule in pending] == [(0, 1)]


def test_a_denied_operation_is_failed(tmp_path, monkeypatch, statuses):
    """R4.2: a missing permission shows as FAILED on the source."""

    def denied(*_given):
        raise replicators.Denied("no")

    monkeypatch.setattr(Replicator, "_replicate", denied)
    pending, observed = run(tmp_path)
    assert statuses == ["PENDING", "FAILED"]
    assert observed == [(Replication, "failed")]
    assert [(rule.operations, rule.failed) for rule in pending] == [(0, 1)]


def test_a_bucket_that_is_gone_fails_replication(tmp_path, monkeypatch, statuses):
    """R4.1: the destination was deleted under the configuration."""
    owners = {"here": ("000000000000", "us-east-1")}
    monkeypatch.setattr(replicators, "owner_of", owners.get)
    _, observed = run(tmp_path)
    assert statuses == ["PENDING", "FAILED"]
    assert observed == [(Replication, "failed")]


def test_a_configuration_that_goes_takes_its_metrics(tmp_path, statuses):
    """R6.2: a rule has metrics from the moment it is known until its configuration is deleted."""
    lab = LabContext(tmp_path, 1, "http://127.0.0.1:1", Clock(), Outages(tmp_path))
    replicator = Replicator(lab)
    replicator.know("us-east-1", "here", CONFIGURATION)
    assert [(rule.rule, rule.operations) for rule in replicator.pending()] == [("all", 0)]
    replicator.forget("here")
    assert replicator.pending() == []


def test_what_is_gone_before_it_is_looked_at_is_not_pending(tmp_path, monkeypatch, statuses):
    """R6.2: a bucket or version deleted meanwhile, and one that no rule is for."""
    lab = LabContext(tmp_path, 1, "http://127.0.0.1:1", Clock(), Outages(tmp_path))
    replicator = Replicator(lab)
    rule = {**CONFIGURATION["Rules"][0], "DeleteMarkerReplication": {"Status": "Disabled"}}
    unmarked = {**CONFIGURATION, "Rules": [{**rule, "Filter": {}}]}
    replicator.marker_written("here", "key", "m", unmarked)
    monkeypatch.setattr(
        store,
        "read",
        lambda *_given: store.Version(
            {"preserved_headers": {store.STATUS: "REPLICA"}}, "1", b"", {}
        ),
    )
    replicator.object_written("here", "key", "1", CONFIGURATION)
    monkeypatch.setattr(store, "read", lambda *_given: None)
    replicator.object_written("here", "key", "1", CONFIGURATION)
    monkeypatch.setattr(replicators, "owner_of", lambda _name: None)
    replicator.object_written("here", "key", "1", CONFIGURATION)
    replicator.marker_written("here", "key", "m", CONFIGURATION)
    assert (replicator.backlog, statuses) == (0, [])
