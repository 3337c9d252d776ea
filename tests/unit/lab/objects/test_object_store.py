"""Replicas in the emulator's own store, where no API call could write them."""

from typing import Any

import pytest

from lab.emulator.buckets import owner_of
from lab.emulator.resource_policies import bucket_policy, key_arn, policy_of
from lab.objects import store

ACCOUNT, BUCKET = "000000000000", "bucket"
OLD, NEW = "2026-01-01T00:00:00.000Z", "2026-01-02T00:00:00.000Z"


@pytest.fixture
def s3(monkeypatch):
    """The emulator's store with one empty versioned bucket, nothing on disk."""
    from ministack.services import s3

    monkeypatch.setattr(s3, "_object_disk_path", lambda *_given: None)
    with store.account_scope(ACCOUNT):
        s3._buckets[BUCKET] = {"objects": {}, "region": "us-west-2"}
    yield s3
    with store.account_scope(ACCOUNT):
        del s3._buckets[BUCKET]
        for kept in (s3._object_versions, s3._object_tags):
            for key in [key for key in kept if key[0] == BUCKET]:
                del kept[key]


def version(version_id, modified=NEW, body=b"content", headers=None):
    """A version as the source bucket holds it."""
    record = {
        "content_type": "text/plain",
        "etag": '"e"',
        "last_modified": modified,
        "size": len(body),
        "metadata": {"m": "1"},
        "preserved_headers": headers or {},
    }
    return store.Version(record, version_id, body, {"tag": version_id})


def put(made, headers=None, storage_class=""):
    store.write_replica(ACCOUNT, BUCKET, "k", made, headers or {}, storage_class)


def read(version_id="") -> Any:
    return store.read(ACCOUNT, BUCKET, "k", version_id)


def test_a_replica_keeps_its_id_time_metadata_and_tags_under_the_destinations_key(s3):
    """R4.1: S3 user guide, "What does Amazon S3 replicate?"; the key is the destination's own."""
    encryption = {store.ENCRYPTION: "aws:kms", store.ENCRYPTION_KEY: "there"}
    source = {store.ENCRYPTION: "AES256", "cache-control": "no"}
    put(version("1", headers=source), encryption, "GLACIER")
    found = read()
    assert (found.version_id, found.body, found.tags) == ("1", b"content", {"tag": "1"})
    assert (found.status, found.encryption) == ("REPLICA", "aws:kms")
    assert found.record["storage_class"] == "GLACIER"
    assert found.record["metadata"] == {"m": "1"}
    assert found.record["preserved_headers"]["cache-control"] == "no"


def test_the_last_writer_wins_and_the_older_version_stays_readable_by_its_id(s3):
    """Trap 24b: in whatever order they arrive."""
    put(version("new", NEW, b"new"))
    put(version("old", OLD, b"old"))
    assert read().version_id == read("new").version_id == "new"
    assert (read("old").body, read("old").tags) == (b"old", {"tag": "old"})
    assert read("none") is None
    put(version("old", OLD, b"old"))
    with store.account_scope(ACCOUNT):
        assert [e["version_id"] for e in s3._object_versions[(BUCKET, "k")]] == ["old", "new"]


def test_a_status_is_that_of_one_version(s3):
    """R4.2: a newer version of the key is not marked for an older one's failure."""
    put(version("old", OLD))
    put(version("new", NEW))
    store.set_status(ACCOUNT, BUCKET, "k", "old", "FAILED")
    assert (read("old").status, read().status) == ("FAILED", "REPLICA")
    store.set_status(ACCOUNT, BUCKET, "k", "new", "PENDING")
    assert (read("old").status, read().status) == ("FAILED", "PENDING")
    store.set_status(ACCOUNT, "no-bucket", "k", "new", "PENDING")
    assert store.pending() == [(ACCOUNT, BUCKET, "k", "new")]


def test_a_delete_marker_hides_the_key_once(s3):
    """Trap 23: it isn't an object to read, and one that arrives twice is one."""
    put(version("1"))
    for _ in range(2):
        store.write_delete_marker(ACCOUNT, BUCKET, "k", "m")
    assert read() is None
    assert read("m") is None
    assert read("1").body == b"content"
    with store.account_scope(ACCOUNT):
        entries = s3._object_versions[(BUCKET, "k")]
    assert [(e["version_id"], e["is_latest"]) for e in entries] == [("1", False), ("m", True)]


def test_tags_are_copied_to_a_version_that_has_arrived_only(s3):
    """R4.1: else the object itself is replicated, tags and all."""
    assert not store.copy_tags(ACCOUNT, BUCKET, "k", "1", {"a": "b"})
    put(version("1"))
    assert store.copy_tags(ACCOUNT, BUCKET, "k", "1", {"a": "b"})
    assert read().tags == {"a": "b"}


def test_what_a_bucket_says_about_itself(s3, monkeypatch):
    """R4.1: owner, region, policy and default encryption, and none where there is none."""
    assert owner_of(BUCKET) == (ACCOUNT, "us-west-2")
    assert owner_of("no-bucket") is None
    assert bucket_policy(BUCKET, ACCOUNT) == {}
    with store.account_scope(ACCOUNT):
        s3._bucket_policies[BUCKET] = b"{}"
        assert bucket_policy(BUCKET, ACCOUNT) == "{}"
        del s3._bucket_policies[BUCKET]
    monkeypatch.setattr(s3, "_resolve_sse_write_headers", lambda *_given: ({"h": "v"}, None))
    assert store.default_encryption(BUCKET, ACCOUNT) == {"h": "v"}
    monkeypatch.setattr(s3, "_resolve_sse_write_headers", lambda *_given: (None, "refused"))
    assert store.default_encryption(BUCKET, ACCOUNT) == {}


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("id-1", True),
        ("arn:aws:kms:us-west-2:000000000000:key/id-1", True),
        ("alias/replica", True),
        ("arn:aws:kms:us-west-2:000000000000:alias/replica", True),
        ("alias/other", False),
        ("id-2", False),
    ],
)
def test_a_key_is_found_by_id_arn_or_alias_in_its_own_region(monkeypatch, name, found):
    """Trap 24: ReplicaKmsKeyID takes each of them; a key of another region is none."""
    from ministack.services import kms

    class Kept:
        def __init__(self, data):
            self._data = data

    home = "arn:aws:kms:us-west-2:000000000000"
    aliases = {(ACCOUNT, "us-west-2", f"{home}:alias/replica"): "id-1"}
    monkeypatch.setattr(kms, "_aliases", Kept(aliases))
    monkeypatch.setattr(kms, "_keys", Kept({(ACCOUNT, "us-west-2", "id-1"): {"Policy": "p"}}))
    arn = f"{home}:key/id-1"
    assert key_arn(name, "us-west-2") == (arn if found else "")
    assert key_arn(name, "us-east-1") == ""
    assert policy_of(arn) == "p"
