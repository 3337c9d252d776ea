"""Objects on disk: any key survives a restart of the lab, and none leaves its folder."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest
from emulator_world import ACCOUNT, World, refused

from lab.emulator.services import s3_files
from lab.emulator.services.s3_files import ObjectFiles


def restart(world: World, bucket: str) -> None:
    """Forgets a bucket's objects as the process's end does, and loads them as its start does."""
    from ministack.services import s3

    s3._buckets._data[ACCOUNT, bucket]["objects"].clear()
    for key in [key for key in s3._object_versions._data if key[1][0] == bucket]:
        del s3._object_versions._data[key]
    ObjectFiles(world.lab.state_dir / "object-files").load(s3)


def contents(world: World, bucket: str) -> dict[str, bytes]:
    """Key → content of all objects."""
    s3 = world.aws("s3")
    listed = s3.list_objects_v2(Bucket=bucket).get("Contents", [])
    return {
        item["Key"]: s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read() for item in listed
    }


KEYS = (
    "plain",
    "folder/",
    "folder/file",
    "folder",
    "/leading",
    "a//b",
    "a/./b",
    "./c",
    "a/b/../../d",
    "file.meta.json",
    "x" * 1024,
    "n" * 300 + "/" + "m" * 300,
    "ä ö/\N{SNOWMAN}",
    "line\nbreak",
    ".hidden.draft",
)


@pytest.mark.parametrize("versioning", [False, True])
def test_every_key_survives_a_restart(world: World, versioning: bool) -> None:
    """Keys with empty, ``.`` or leading-slash elements, and long ones, were renamed or
    lost; a key and another one below it lay in each other's way."""
    bucket, s3 = f"keys-{versioning}".lower(), world.aws("s3")
    s3.create_bucket(Bucket=bucket)
    if versioning:
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for key in KEYS:
        s3.put_object(Bucket=bucket, Key=key, Body=f"{key}\n".encode(), Metadata={"m": "1"})
    held = contents(world, bucket)
    assert held == {key: f"{key}\n".encode() for key in KEYS}
    before = s3.head_object(Bucket=bucket, Key="plain")
    restart(world, bucket)
    assert contents(world, bucket) == held
    after = s3.head_object(Bucket=bucket, Key="plain")
    for name in ("ETag", "ContentLength", "Metadata", "LastModified"):
        assert after[name] == before[name]
    assert after.get("VersionId") == before.get("VersionId")


def test_what_became_current_again_survives_a_restart(world: World) -> None:
    """An object whose delete marker was removed was lost; one that is hidden stays so,
    and of a removed version nothing comes back."""
    s3 = world.aws("s3")
    s3.create_bucket(Bucket="again")
    s3.put_bucket_versioning(Bucket="again", VersioningConfiguration={"Status": "Enabled"})
    for key in ("back", "hidden", "older"):
        s3.put_object(Bucket="again", Key=key, Body=b"first")
    marker = s3.delete_object(Bucket="again", Key="back")["VersionId"]
    s3.delete_object(Bucket="again", Key="back", VersionId=marker)
    s3.delete_objects(Bucket="again", Delete={"Objects": [{"Key": "hidden"}]})
    newer = s3.put_object(Bucket="again", Key="older", Body=b"second")["VersionId"]
    s3.delete_objects(Bucket="again", Delete={"Objects": [{"Key": "older", "VersionId": newer}]})
    restart(world, "again")
    assert contents(world, "again") == {"back": b"first", "older": b"first"}
    overwritten = s3.get_object(Bucket="again", Key="back")["VersionId"]
    s3.put_object(Bucket="again", Key="back", Body=b"other")
    old = s3.get_object(Bucket="again", Key="back", VersionId=overwritten)
    assert old["Body"].read() == b"first"


@pytest.mark.parametrize(
    ("key", "code", "message"),
    [
        ("../up", "InvalidURI", "Couldn't parse the specified URI."),
        ("a/./b/../../../../x", "InvalidURI", "Couldn't parse the specified URI."),
        ("k" * 1025, "KeyTooLongError", "Your key is too long"),
        ("\N{SNOWMAN}" * 342, "KeyTooLongError", "Your key is too long"),
    ],
    ids=["up", "out", "long", "long in UTF-8"],
)
def test_a_key_that_s3_refuses_is_refused(world: World, key: str, code: str, message: str) -> None:
    """S3 user guide, "Naming Amazon S3 objects": at most 1,024 bytes, and never more
    elements up than down."""
    s3 = world.aws("s3")
    s3.create_bucket(Bucket="refusing")
    s3.put_object(Bucket="refusing", Key="source", Body=b"c")
    assert refused(code, s3.put_object, Bucket="refusing", Key=key, Body=b"c") == message
    source = {"Bucket": "refusing", "Key": "source"}
    refused(code, s3.copy_object, Bucket="refusing", Key=key, CopySource=source)
    refused(code, s3.create_multipart_upload, Bucket="refusing", Key=key)
    files = [path for path in world.lab.state_dir.rglob("*") if path.is_file()]
    assert not [path for path in files if path.name in ("x", "up")]
    assert all(path.stat().st_mode & 0o077 == 0 for path in files if "object-files" in path.parts)


def test_an_object_that_was_not_written_is_not_there(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk PutObject is answered with 500 and the cause; what was current
    stays current, and with space again the next one counts."""
    s3 = world.aws("s3")
    for bucket in ("full", "full-versioned"):
        s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(Bucket="full-versioned", VersioningConfiguration={"Status": "Enabled"})
    for bucket in ("full", "full-versioned"):
        s3.put_object(Bucket=bucket, Key="k", Body=b"old")

    def full(_path: Path, _content: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as without_space:
        without_space.setattr(s3_files, "write_atomically", full)
        for bucket in ("full", "full-versioned"):
            for key in ("k", "new"):
                said = refused("InternalError", s3.put_object, Bucket=bucket, Key=key, Body=b"n")
                assert f"could not save {bucket}/{key}: No space left" in said
            assert contents(world, bucket) == {"k": b"old"}
            listed = s3.list_object_versions(Bucket=bucket)["Versions"]
            assert [(item["Key"], item["IsLatest"]) for item in listed] == [("k", True)]
    for bucket in ("full", "full-versioned"):
        s3.put_object(Bucket=bucket, Key="k", Body=b"new")
        restart(world, bucket)
        assert contents(world, bucket) == {"k": b"new"}


def test_files_of_an_older_lab_are_taken_over(world: World, tmp_path: Path) -> None:
    """R1.3: what was deployed before stays; a bucket that is gone leaves no file behind."""
    from ministack.services import s3 as emulated

    s3 = world.aws("s3")
    s3.create_bucket(Bucket="older")
    s3.put_object(Bucket="older", Key="a/b", Body=b"content")
    record = emulated._buckets._data[ACCOUNT, "older"]["objects"]["a/b"]
    old = Path(emulated.DATA_DIR, ACCOUNT, "older", "a", "b")
    old.parent.mkdir(parents=True, exist_ok=True)
    old.write_bytes(b"as it was")
    files = ObjectFiles(tmp_path)
    files.adopt(emulated)
    assert files.path(ACCOUNT, "older", "a/b").read_bytes().endswith(b"\nas it was")
    left = tmp_path / ACCOUNT / "no-bucket" / "f"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"{}")
    files.load(emulated)
    assert not left.exists()
    assert record["etag"]


def test_every_part_but_the_last_has_five_mebibytes(world: World) -> None:
    """S3 API reference, CompleteMultipartUpload, EntityTooSmall."""
    s3 = world.aws("s3")
    s3.create_bucket(Bucket="parts")
    upload = {"Bucket": "parts", "Key": "k"}
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]

    def part(number: int, body: bytes) -> dict[str, Any]:
        answer = s3.upload_part(**upload, PartNumber=number, Body=body)
        return {"PartNumber": number, "ETag": answer["ETag"]}

    least = 5 * 1024 * 1024
    small, last = part(1, b"x" * (least - 1)), part(2, b"y")
    said = refused(
        "EntityTooSmall",
        s3.complete_multipart_upload,
        **upload,
        MultipartUpload={"Parts": [small, last]},
    )
    assert said == "Your proposed upload is smaller than the minimum allowed size"
    enough = part(1, b"x" * least)
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [enough, last]})
    assert contents(world, "parts") == {"k": b"x" * least + b"y"}
