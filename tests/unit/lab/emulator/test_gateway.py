"""The AWS APIs' front: signatures, hooks, outages and the emulator's own start."""

from __future__ import annotations

import asyncio
import threading
import time
from urllib.parse import urlsplit

import pytest
from emulator_world import EAST, WEST, World, refused

from lab.api import ApiRequest, ApiResponse, CallNext
from lab.emulator import backend
from lab.outage import Mode, OutageKind


def signed(service: str, region: str = EAST) -> dict[str, str]:
    """Headers of a request that is signed for a service."""
    credential = f"test/20260101/{region}/{service}/aws4_request"
    return {"authorization": f"AWS4-HMAC-SHA256 Credential={credential}"}


def test_a_presigned_address_is_a_call_of_its_region(world: World) -> None:
    """R2.1: the query carries the signature; the outage of the region reaches it."""
    s3 = world.aws("s3")
    s3.create_bucket(Bucket="presigned")
    s3.put_object(Bucket="presigned", Key="k", Body=b"content")
    url = urlsplit(s3.generate_presigned_url("get_object", {"Bucket": "presigned", "Key": "k"}))
    path = f"{url.path}?{url.query}"
    old = world.request("GET", path.replace("X-Amz-Credential", "X-Amz-Other"))
    assert old is not None
    # botocore signs S3's addresses in SigV2 by default: this one is SigV4's.
    four = "/presigned/k?X-Amz-Credential=test%2F20260101%2Fus-east-1%2Fs3%2Faws4_request"
    answer = world.request("GET", four)
    assert answer is not None
    assert (answer[0], answer[2]) == (200, b"content")
    world.lab.outages.begin(EAST, {OutageKind.API})
    try:
        lost = world.request("GET", four)
        refused("ServiceUnavailable", world.aws("sqs").list_queues)
        world.aws("sqs", WEST).list_queues()
        other = world.request("POST", "/", signed("sqs") | {"smithy-protocol": "rpc-v2-cbor"})
    finally:
        world.lab.outages.end(EAST)
    assert lost is not None
    assert lost[0] == 503
    assert other is not None
    assert (other[0], other[1]["content-type"]) == (503, "text/plain")
    assert EAST.encode() in other[2]


def test_an_api_that_hangs_is_never_answered_and_a_slow_one_late(world: World) -> None:
    """Issue 16.1: silent as long as it hangs, and dropped then; 3 lab seconds late."""
    outages, clock = world.lab.outages, world.lab.clock
    outages.begin(EAST, {OutageKind.API}, Mode.HANG)
    ended = threading.Timer(0.3, outages.end, [EAST])
    ended.start()
    began = time.monotonic()
    assert world.request("POST", "/", signed("sqs")) is None
    assert time.monotonic() - began >= 0.3
    clock.factor = 20
    outages.begin(EAST, {OutageKind.API}, Mode.SLOW)
    try:
        began = time.monotonic()
        world.aws("sqs").list_queues()
        assert time.monotonic() - began >= 3 / 20
    finally:
        outages.end(EAST)
        clock.factor = 1


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (signed("no-such-service"), b""),
        (signed("events") | {"x-amz-target": "AWSEvents.PutPermission"}, b"{"),
        (signed("sqs") | {"smithy-protocol": "rpc-v2-cbor"}, b""),
    ],
    ids=["service", "body", "dialect"],
)
def test_what_cannot_be_read_is_the_emulators_to_answer(
    world: World, headers: dict[str, str], body: bytes
) -> None:
    """The front never breaks on a request; whoever sent it gets the emulator's answer."""
    answer = world.request("POST", "/", headers, body)
    assert answer is not None
    assert answer[0] >= 400


def test_hooks_change_answers_and_refuse(world: World) -> None:
    """N1: a part's hook answers with another result, or with an error of AWS's."""
    seen = []

    async def other(request: ApiRequest, call_next: CallNext) -> ApiResponse:
        response = await call_next(request)
        seen.append(response.result)
        response.result = {"QueueUrls": ["http://other"]}
        return response

    async def failing(_request: ApiRequest, _call_next: CallNext) -> ApiResponse:
        return ApiResponse(error_code="OverLimit", error_message="no")

    sqs = world.aws("sqs")
    for hook in (other, failing):
        world.lab.on_api("sqs", ["ListQueues"], hook)
        try:
            if hook is other:
                assert sqs.list_queues()["QueueUrls"] == ["http://other"]
            else:
                refused("OverLimit", sqs.list_queues)
        finally:
            world.lab.remove_hook(hook)
    assert len(seen) == 1


def test_only_http_is_answered_and_compute_is_stopped(world: World) -> None:
    """Other kinds of connections have no answer; a lost region's functions end."""
    sent: list[object] = []

    async def send(message: object) -> None:
        sent.append(message)

    world.run(world.application({"type": "websocket"}, None, send))
    assert sent == []
    stopped = []
    functions = world.emulator.functions
    stop = functions.stop_region
    functions.stop_region = stopped.append  # type: ignore[method-assign]
    world.lab.outages.begin(WEST, {OutageKind.COMPUTE})
    try:
        for region in (EAST, WEST):
            world.emulator.outage(region)
    finally:
        world.lab.outages.end(WEST)
        functions.stop_region = stop  # type: ignore[method-assign]
    assert stopped == [WEST]


def test_an_emulator_that_ends_at_its_start_is_reported(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """N3: the lab's start fails with what happened, in place of waiting for ever."""
    from ministack import app

    async def ends(*_given: object) -> None:
        return

    async def breaks(*_given: object) -> None:
        raise OSError("no port")

    async def start() -> None:
        async with asyncio.timeout(5):
            await backend.Lifespan().startup()

    for fault, said in ((ends, "ended during its startup"), (breaks, "no port")):
        monkeypatch.setattr(app, "app", fault)
        with pytest.raises((RuntimeError, OSError), match=said):
            world.run(start())
