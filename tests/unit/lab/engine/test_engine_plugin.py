"""A plugin's calls in plain values."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.protobuf import any_pb2, empty_pb2
from pulumi.runtime.proto import provider_pb2, status_pb2

from lab.engine.decision import Difference
from lab.engine.plugin import (
    InitializationError,
    Plugin,
    PluginError,
    PluginGoneError,
    UncertainError,
)
from pulumi_protocol.structs import from_struct, to_struct
from pulumi_protocol.values import RESOURCE_REFERENCE, SIGNATURE

URN = "urn:pulumi:lab::shop::pulumi:providers:fake::east"


class Refused(grpc.RpcError):
    """A call's failure as gRPC gives it."""

    def __init__(self, code: grpc.StatusCode, text: str = "", *details: Any) -> None:
        self._code, self._text = code, text
        packed = []
        for detail in details:
            packed.append(any_pb2.Any())
            packed[-1].Pack(detail)
        status = status_pb2.Status(code=2, details=packed)
        self._metadata = [("other", b""), ("grpc-status-details-bin", status.SerializeToString())]

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return self._text

    def trailing_metadata(self) -> Any:
        return self._metadata


class Stub:
    """Answers calls from ``answers``, or raises what is there; notes the requests."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = {"Handshake": provider_pb2.ProviderHandshakeResponse(), **answers}
        self.asked: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        def call(request: Any, **_: Any) -> Any:
            self.asked.append(request)
            answer = self.answers[name]
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call


def connected(**answers: Any) -> tuple[Plugin, Stub]:
    stub = Stub(answers)
    return Plugin(stub, "127.0.0.1:1"), stub


def test_a_provider_that_cannot_compare_its_configuration() -> None:
    """An unimplemented DiffConfig: a change is a change, and replaces nothing."""
    made, _ = connected(DiffConfig=Refused(grpc.StatusCode.UNIMPLEMENTED))
    assert made.diff_config(URN, "1", {"a": 1}, {"a": 2}) == Difference(changes=True)
    assert made.diff_config(URN, "1", {"a": 1}, {"a": 1}) == Difference(changes=False)


def test_refused_inputs_are_listed() -> None:
    """Check names each property it refuses; an invoke's refusals are its message."""
    failures = [
        provider_pb2.CheckFailure(property="size", reason="too big"),
        provider_pb2.CheckFailure(reason="and no zone"),
    ]
    made, _ = connected(
        Check=provider_pb2.CheckResponse(failures=failures),
        Invoke=provider_pb2.InvokeResponse(failures=failures),
    )
    with pytest.raises(PluginError, match=r"^size: too big; and no zone$"):
        made.check(URN, "t", {}, {}, b"")
    with pytest.raises(PluginError, match=r"^too big; and no zone$"):
        made.invoke("fake:index:lookup", {}, preview=False)


@pytest.mark.parametrize("accepts", [True, False])
def test_references_go_to_plugins_that_take_them(accepts: bool) -> None:
    """A plugin that accepts resources gets the whole reference, another one the id."""
    reference = {SIGNATURE: RESOURCE_REFERENCE, "urn": "u", "id": "i"}
    made, stub = connected(
        Handshake=provider_pb2.ProviderHandshakeResponse(accept_resources=accepts),
        Create=provider_pb2.CreateResponse(id="1"),
    )
    made.create(URN, "t", {"a": reference}, timeout=0, preview=False)
    assert from_struct(stub.asked[-1].properties) == {"a": reference if accepts else "i"}


@pytest.mark.parametrize(
    ("failure", "kind", "message"),
    [
        (Refused(grpc.StatusCode.UNKNOWN, "no room"), PluginError, "no room"),
        (Refused(grpc.StatusCode.INTERNAL), PluginError, "INTERNAL"),
        (Refused(grpc.StatusCode.DATA_LOSS, "failed half-way"), UncertainError, "failed half-way"),
        (
            Refused(grpc.StatusCode.DATA_LOSS),
            UncertainError,
            "whether the call had its effect is unknown",
        ),
        (
            Refused(grpc.StatusCode.UNAVAILABLE, "socket closed"),
            PluginGoneError,
            "the plugin's process ended in the middle of the call",
        ),
        (
            Refused(grpc.StatusCode.UNKNOWN, "other details", provider_pb2.CheckFailure()),
            PluginError,
            "other details",
        ),
        (
            Refused(
                grpc.StatusCode.UNKNOWN,
                "init failed",
                provider_pb2.CheckFailure(),
                provider_pb2.ErrorResourceInitFailed(
                    id="1", properties=to_struct({"a": 1}), reasons=["one", "two"]
                ),
            ),
            InitializationError,
            "one; two",
        ),
    ],
    ids=[
        "message",
        "no message",
        "half-way",
        "half-way without a word",
        "gone",
        "other details",
        "half made",
    ],
)
def test_failures_are_distinguished(failure: Refused, kind: type[Exception], message: str) -> None:
    """The plugin's own words; an effect that is unknown; a process that ended; a resource that
    exists but isn't finished."""
    made, _ = connected(Create=failure)
    with pytest.raises(PluginError) as raised:
        made.create(URN, "t", {}, timeout=0, preview=False)
    assert (type(raised.value), str(raised.value)) == (kind, message)
    if isinstance(raised.value, InitializationError):
        assert (raised.value.id, raised.value.outputs) == ("1", {"a": 1})


def test_a_plugin_that_knows_no_cancelling_is_left_alone() -> None:
    """The interrupt reaches the other plugins too."""
    made, stub = connected(Cancel=Refused(grpc.StatusCode.UNIMPLEMENTED))
    made.cancel()
    assert stub.asked[-1] == empty_pb2.Empty()
