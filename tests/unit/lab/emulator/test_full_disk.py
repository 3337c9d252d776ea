"""What the AWS APIs answer while nothing can be written."""

from __future__ import annotations

import asyncio
import errno
import importlib
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest
from emulator_world import EAST, World, refused
from ministack.core import persistence

from lab.api import ApiRequest, ApiResponse, CallNext
from lab.emulator import saving


def queues(world: World) -> set[str]:
    """The names of all queues."""
    urls = world.aws("sqs").list_queues().get("QueueUrls", [])
    return {url.rpartition("/")[2] for url in urls}


def listed(client: Any, listing: str) -> int:
    """How many there are of what a call lists."""
    answer = getattr(client, listing)()
    return sum(len(found) for found in answer.values() if isinstance(found, list))


@pytest.mark.parametrize("fault", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_change_counts_only_when_it_was_written(
    world: World, monkeypatch: pytest.MonkeyPatch, fault: int
) -> None:
    """On a full disk a change is answered with 500 and the cause, the next ones before
    they are made; reading continues; with space again the lab resumes by itself, and everything
    that it holds is on disk."""
    sqs = world.aws("sqs")
    before, lost, later = (f"{name}-{fault}" for name in ("before", "lost", "later"))
    url = sqs.create_queue(QueueName=before)["QueueUrl"]
    write = saving.write_atomically

    def full(_path: Path, _text: str) -> None:
        raise OSError(fault, "it can't be written")

    monkeypatch.setattr(saving, "write_atomically", full)
    said = refused("InternalFailure", sqs.create_queue, QueueName=lost)
    assert "the lab could not save sqs: it can't be written" in said
    refused("InternalFailure", sqs.create_queue, QueueName=later)
    refused("InternalFailure", sqs.send_message, QueueUrl=url, MessageBody="m")
    refused("InternalFailure", world.aws("sns").create_topic, Name="t")
    assert before in queues(world)
    assert later not in queues(world)
    answer = world.request(
        "POST",
        "/",
        {
            "authorization": f"AWS4-HMAC-SHA256 Credential=test/20260101/{EAST}/sqs/aws4_request",
            "smithy-protocol": "rpc-v2-cbor",
        },
    )
    assert answer is not None
    assert (answer[0], b"could not save" in answer[2]) == (500, True)
    monkeypatch.setattr(saving, "write_atomically", write)
    sqs.create_queue(QueueName=later)
    stored: Any = json.loads((world.lab.state_dir / "emulator" / "sqs.json").read_text())
    assert later in json.dumps(stored)
    sqs.send_message(QueueUrl=url, MessageBody="m")


@pytest.mark.parametrize(
    ("service", "create", "parameters", "listing"),
    [
        ("iam", "create_policy",
         {"PolicyName": "no-room", "PolicyDocument": '{"Version": "2012-10-17", "Statement": []}'},
         "list_policies"),
        ("ec2", "create_vpc", {"CidrBlock": "10.9.0.0/16"}, "describe_vpcs"),
        ("kms", "create_key", {"Description": "no-room"}, "list_keys"),
        ("sns", "create_topic", {"Name": "no-room"}, "list_topics"),
    ],
)  # fmt: skip
def test_what_there_is_no_room_for_is_not_made(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    service: str,
    create: str,
    parameters: dict[str, Any],
    listing: str,
) -> None:
    """What is answered with 500 because nothing can be written isn't made, of the first change on:
    with space again the same call makes it, once."""
    client = world.aws(service)

    def full(*_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    before = listed(client, listing)
    monkeypatch.setattr(saving, "write_private", full)
    monkeypatch.setattr(saving, "write_atomically", full)
    for _ in range(2):
        said = refused("InternalFailure", getattr(client, create), **parameters)
        # Of this store, or of another that a save within the second met first.
        assert re.fullmatch(r"the lab could not save \S+: Read-only file system", said)
    assert listed(client, listing) == before
    monkeypatch.undo()
    getattr(client, create)(**parameters)
    assert listed(client, listing) == before + 1
    assert not (world.lab.state_dir / "emulator" / ".room").exists()


@pytest.mark.parametrize(
    ("service", "create", "parameters", "listing"),
    [
        ("iam", "create_policy",
         {"PolicyName": "retried", "PolicyDocument": '{"Version": "2012-10-17", "Statement": []}'},
         "list_policies"),
        ("ec2", "create_vpc", {"CidrBlock": "10.9.0.0/16"}, "describe_vpcs"),
    ],
)  # fmt: skip
def test_a_retried_change_is_made_once(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    service: str,
    create: str,
    parameters: dict[str, Any],
    listing: str,
) -> None:
    """A change whose save failed after it was made is answered with 500; the SDK's retry of the
    same call neither makes it again nor meets what it has made, and gets its answer."""
    client, write, failed = world.aws(service), saving.write_atomically, []

    def full_once(path: Path, text: str) -> None:
        if path.name == f"{service}.json" and not failed:
            failed.append(path)
            raise OSError(errno.ENOSPC, "No space left on device")
        write(path, text)

    before = listed(client, listing)
    # The change's own save is the first, not the one within a second of an earlier change.
    monkeypatch.setattr(saving, "AWAITED_SHARE", 1.0)
    world.run(asyncio.sleep(saving.DEBOUNCE_SECONDS))
    monkeypatch.setattr(saving, "write_atomically", full_once)
    answer = getattr(client, create)(**parameters)
    assert answer["ResponseMetadata"]["RetryAttempts"] == 1
    assert (listed(client, listing), len(failed)) == (before + 1, 1)


def test_answers_that_nobody_asks_for_again_are_forgotten(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A caller that gives up leaves its answer behind: the oldest go."""
    sqs, saver = world.aws("sqs"), world.emulator.saver

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(saving, "KEPT_ANSWERS", 2)
    for number in range(4):
        with monkeypatch.context() as disk:
            disk.setattr(saving, "write_atomically", full)
            refused("InternalFailure", sqs.create_queue, QueueName=f"given-up-{number}")
        sqs.list_queues()
        sqs.create_queue(QueueName="room-again")
    assert len(saver._unsaved) == 2


def test_a_part_s_file_counts_too(world: World) -> None:
    """A part keeps files of its own; its call is answered with the cause."""

    async def full(_request: ApiRequest, _call_next: CallNext) -> ApiResponse:
        raise OSError(errno.ENOSPC, "No space left on device")

    world.lab.on_api("sqs", ["ListQueues"], full)
    try:
        said = refused("InternalFailure", world.aws("sqs").list_queues)
    finally:
        world.lab.remove_hook(full)
    assert said == "the lab could not save what ListQueues changes: No space left on device"


def test_code_without_space_fails_its_call_and_works_later(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A function's code is unpacked at its first call; the caller reads why it isn't,
    and with space again it runs."""
    functions = world.aws("lambda")
    world.function("unpacked-later")

    def full(*_given: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "extractall", full)
    answer = functions.invoke(FunctionName="unpacked-later", Payload=b"{}")
    said = json.loads(answer["Payload"].read())["errorMessage"]
    assert said == "The code could not be unpacked: No space left on device"
    monkeypatch.undo()
    answer = functions.invoke(FunctionName="unpacked-later", Payload=b'{"a": 1}')
    assert json.loads(answer["Payload"].read()) == {"a": 1}


def test_what_is_saved_behind_an_answer_is_tried_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Messages and metrics are saved within a second; a save that failed is repeated
    until there is space."""
    attempts: list[str] = []
    write = saving.write_atomically

    def full_at_first(path: Path, text: str) -> None:
        attempts.append(path.name)
        if attempts.count("sqs.json") == 1 and path.name == "sqs.json":
            raise OSError(errno.ENOSPC, "No space left on device")
        write(path, text)

    saver = world.emulator.saver
    sqs = world.aws("sqs")
    url = sqs.create_queue(QueueName="tried-again")["QueueUrl"]
    monkeypatch.setattr(saving, "write_atomically", full_at_first)
    monkeypatch.setattr(saving, "DEBOUNCE_SECONDS", 0.05)
    monkeypatch.setattr(saving, "LARGEST_SHARE", 1.0)

    async def settle() -> None:
        async with asyncio.timeout(10):
            while saver._failed or attempts.count("sqs.json") < 2:
                await asyncio.sleep(0.05)

    sqs.send_message(QueueUrl=url, MessageBody="kept")
    world.run(settle())
    assert "kept" in (world.lab.state_dir / "emulator" / "sqs.json").read_text()


@pytest.mark.parametrize("module", sorted(saving.UNEDITED))
def test_a_store_that_grows_is_written_without_a_copy(world: World, module: str) -> None:
    """What is written is what the emulator's own ``get_state`` gives, which edits nothing of it;
    the emulator copies as before afterwards."""
    world.aws("events").create_archive(
        ArchiveName=f"kept-{module.replace('_', '-')}",
        EventSourceArn=f"arn:aws:events:{EAST}:000000000000:event-bus/default",
    )
    world.aws("logs").create_log_group(logGroupName=f"/kept/{module}")
    store = importlib.import_module(f"ministack.services.{module}")
    copying, before = store.copy, store.get_state()
    saver = saving.Saver(world.lab.state_dir / "uncopied")
    key, text = saver._state(module)
    assert text is not None
    assert key == module
    assert store.copy is copying
    wanted = json.dumps(before, default=persistence._json_default)
    assert json.dumps(json.loads(text)["payload"]) == wanted
    assert json.dumps(store.get_state(), default=persistence._json_default) == wanted
