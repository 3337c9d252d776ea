"""Provider plugins: the handshake, and their calls in plain Python values."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import any_pb2, empty_pb2
from pulumi.runtime.proto import provider_pb2, status_pb2

from lab.engine.assets import as_given, rooted
from lab.engine.decision import Difference
from pulumi_protocol.structs import from_struct, to_struct
from pulumi_protocol.urns import type_of
from pulumi_protocol.values import Properties, plain, references_as_ids, without_asset_contents

CHANNEL_OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.enable_http_proxy", 0),
)


class PluginError(Exception):
    """A plugin's call failed; the text is the plugin's own message."""


class UncertainError(PluginError):
    """The call failed, and may have had its effect all the same."""


class PluginGoneError(UncertainError):
    """The plugin's process ended in the middle of a call."""


class UnimplementedError(PluginError):
    """The plugin doesn't know this call."""


class InitializationError(PluginError):
    """The resource exists but isn't finished: ``id``, all ``outputs``, and the ``reasons`` why."""

    def __init__(self, id: str, outputs: Properties, reasons: tuple[str, ...]) -> None:
        super().__init__("; ".join(reasons) or "the resource was created but isn't ready")
        self.id = id
        self.outputs = outputs
        self.reasons = reasons


class Plugin:
    """A connected plugin. Values in and out are plain Python; failures raise PluginError."""

    def __init__(self, stub: Any, engine_address: str) -> None:
        self._stub = stub
        self._accept_secrets = False
        self._accept_resources = False
        self.supports_preview = False
        self.directory = Path()
        """The folder of the project it serves, from which relative paths of assets count."""
        self.configuration: str | None = None
        """The inputs it was configured with, as JSON; None before that."""
        answer = self._call(
            stub.Handshake,
            provider_pb2.ProviderHandshakeRequest(
                engine_address=engine_address,
                configure_with_urn=True,
                supports_views=False,
                invoke_with_preview=True,
            ),
            wait_for_ready=True,
        )
        self._accept_secrets = answer.accept_secrets
        self._accept_resources = answer.accept_resources

    # Configuration

    def check_config(self, urn: str, olds: Properties, news: Properties) -> Properties:
        """The provider's inputs, checked."""
        return self._check(self._stub.CheckConfig, urn, "", olds, news)

    def diff_config(
        self, urn: str, id: str, old_inputs: Properties, news: Properties
    ) -> Difference:
        """What a change of the provider's inputs means."""
        request = provider_pb2.DiffRequest(
            id=id,
            urn=urn,
            olds=self._struct(old_inputs),
            news=self._struct(news),
            old_inputs=self._struct(old_inputs),
        )
        try:
            return _difference(self._call(self._stub.DiffConfig, request))
        except UnimplementedError:
            return Difference(changes=old_inputs != news)

    def configure(self, urn: str, id: str, inputs: Properties) -> None:
        """Gives the process its one configuration."""
        kind = type_of(urn)
        package = kind.rpartition(":")[2]
        bare = plain(inputs)
        answer = self._call(
            self._stub.Configure,
            provider_pb2.ConfigureRequest(
                variables={
                    f"{package}:config:{key}": value
                    for key, value in bare.items()
                    if isinstance(value, str) and key != "version"
                },
                args=to_struct(inputs if self._accept_secrets else bare),
                acceptSecrets=True,
                acceptResources=True,
                sends_old_inputs=True,
                sends_old_inputs_to_delete=True,
                id=id,
                urn=urn,
                name=urn.rpartition("::")[2],
                type=kind,
            ),
        )
        self._accept_secrets = self._accept_secrets or answer.acceptSecrets
        self._accept_resources = self._accept_resources or answer.acceptResources
        self.supports_preview = answer.supportsPreview
        self.configuration = configuration_of(inputs)

    # Resources

    def check(
        self, urn: str, type: str, olds: Properties, news: Properties, seed: bytes
    ) -> Properties:
        """The inputs as the plugin completes them; CheckFailed lists what it refuses."""
        return self._check(self._stub.Check, urn, type, olds, news, seed)

    def _check(
        self,
        method: Any,
        urn: str,
        type: str,
        olds: Properties,
        news: Properties,
        seed: bytes = b"",
    ) -> Properties:
        answer = self._call(
            method,
            provider_pb2.CheckRequest(
                urn=urn,
                type=type,
                name=urn.rpartition("::")[2],
                olds=self._struct(olds),
                news=self._struct(news),
                randomSeed=seed,
            ),
        )
        if answer.failures:
            reasons = (
                f"{failure.property}: {failure.reason}" if failure.property else failure.reason
                for failure in answer.failures
            )
            raise PluginError("; ".join(reasons))
        return from_struct(answer.inputs)

    def diff(
        self,
        urn: str,
        type: str,
        id: str,
        *,
        old_inputs: Properties,
        old_outputs: Properties,
        news: Properties,
        ignore_changes: Sequence[str],
    ) -> Difference:
        """Whether the new inputs mean nothing, an update or a replacement."""
        return _difference(
            self._call(
                self._stub.Diff,
                provider_pb2.DiffRequest(
                    id=id,
                    urn=urn,
                    type=type,
                    name=urn.rpartition("::")[2],
                    olds=self._struct(without_asset_contents(old_outputs)),
                    news=self._struct(without_asset_contents(news)),
                    old_inputs=self._struct(without_asset_contents(old_inputs)),
                    ignoreChanges=ignore_changes,
                ),
            )
        )

    def create(
        self, urn: str, type: str, inputs: Properties, *, timeout: float, preview: bool
    ) -> tuple[str, Properties]:
        """Creates the resource (or pretends to): its id, empty in a preview, and its outputs."""
        answer = self._call(
            self._stub.Create,
            provider_pb2.CreateRequest(
                urn=urn,
                type=type,
                name=urn.rpartition("::")[2],
                properties=self._struct(rooted(inputs, self.directory)),
                timeout=timeout,
                preview=preview,
            ),
        )
        return answer.id, as_given(from_struct(answer.properties), inputs)

    def update(
        self,
        urn: str,
        type: str,
        id: str,
        *,
        old_inputs: Properties,
        old_outputs: Properties,
        news: Properties,
        ignore_changes: Sequence[str],
        timeout: float,
        preview: bool,
    ) -> Properties:
        """Changes the resource in place (or pretends to): its outputs."""
        answer = self._call(
            self._stub.Update,
            provider_pb2.UpdateRequest(
                id=id,
                urn=urn,
                type=type,
                name=urn.rpartition("::")[2],
                olds=self._struct(without_asset_contents(old_outputs)),
                news=self._struct(rooted(news, self.directory)),
                old_inputs=self._struct(without_asset_contents(old_inputs)),
                ignoreChanges=ignore_changes,
                timeout=timeout,
                preview=preview,
            ),
        )
        return as_given(from_struct(answer.properties), news)

    def read(
        self, urn: str, type: str, id: str, inputs: Properties, outputs: Properties
    ) -> tuple[str, Properties, Properties]:
        """The resource as it is: id (empty when it is gone), inputs, outputs.

        With an empty ``id`` the plugin looks for a resource of the name that ``inputs`` give it:
        the question whether an interrupted creation had happened.
        """
        answer = self._call(
            self._stub.Read,
            provider_pb2.ReadRequest(
                id=id,
                urn=urn,
                type=type,
                name=urn.rpartition("::")[2],
                inputs=self._struct(inputs),
                properties=self._struct(outputs),
            ),
        )
        return answer.id, from_struct(answer.inputs), from_struct(answer.properties)

    def delete(
        self,
        urn: str,
        type: str,
        id: str,
        inputs: Properties,
        outputs: Properties,
        *,
        timeout: float,
    ) -> None:
        """Deletes the resource; one that is gone already counts as deleted."""
        self._call(
            self._stub.Delete,
            provider_pb2.DeleteRequest(
                id=id,
                urn=urn,
                type=type,
                name=urn.rpartition("::")[2],
                properties=self._struct(outputs),
                old_inputs=self._struct(inputs),
                timeout=timeout,
            ),
        )

    def invoke(self, token: str, arguments: Properties, *, preview: bool) -> Properties:
        """Calls a function of the provider's."""
        answer = self._call(
            self._stub.Invoke,
            provider_pb2.InvokeRequest(
                tok=token, args=to_struct(plain(arguments)), preview=preview
            ),
        )
        if answer.failures:
            raise PluginError("; ".join(failure.reason for failure in answer.failures))
        return from_struct(getattr(answer, "return"))

    def cancel(self) -> None:
        """Asks the plugin to end its waiting."""
        with contextlib.suppress(PluginError):
            self._call(self._stub.Cancel, empty_pb2.Empty())

    # The wire

    def _struct(self, value: Properties) -> Any:
        if not self._accept_resources:
            value = references_as_ids(value)
        return to_struct(value if self._accept_secrets else plain(value))

    @staticmethod
    def _call(method: Any, request: Any, **options: Any) -> Any:
        try:
            return method(request, **options)
        except grpc.RpcError as error:
            raise _failure(error) from None


def configuration_of(inputs: Properties) -> str:
    """Returns what two providers must have in common to be served by one process."""
    return json.dumps(plain(inputs), sort_keys=True)


def _difference(answer: Any) -> Difference:
    changed = answer.changes == provider_pb2.DiffResponse.DIFF_SOME
    unsaid = answer.changes == provider_pb2.DiffResponse.DIFF_UNKNOWN
    detailed = dict(answer.detailedDiff)
    forcing = {
        path
        for path, change in detailed.items()
        if change.kind
        in (
            provider_pb2.PropertyDiff.ADD_REPLACE,
            provider_pb2.PropertyDiff.DELETE_REPLACE,
            provider_pb2.PropertyDiff.UPDATE_REPLACE,
        )
    }
    replaces = tuple(sorted({*answer.replaces, *forcing}))
    paths = tuple(sorted({*answer.diffs, *detailed, *replaces}))
    return Difference(
        changed or bool(replaces) or (unsaid and bool(paths)),
        replaces,
        answer.deleteBeforeReplace,
        paths,
    )


def _failure(error: Any) -> Exception:
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            status = status_pb2.Status.FromString(value)
            for detail in status.details:
                if failed := _initialization_failure(detail):
                    return failed
    if error.code() == grpc.StatusCode.UNIMPLEMENTED:
        return UnimplementedError(error.details() or "the plugin doesn't implement the call")
    if error.code() == grpc.StatusCode.UNAVAILABLE:
        return PluginGoneError("the plugin's process ended in the middle of the call")
    if error.code() == grpc.StatusCode.DATA_LOSS:
        return UncertainError(error.details() or "whether the call had its effect is unknown")
    return PluginError(error.details() or error.code().name)


def _initialization_failure(detail: any_pb2.Any) -> InitializationError | None:
    if not detail.type_url.endswith("pulumirpc.ErrorResourceInitFailed"):
        return None
    failed = provider_pb2.ErrorResourceInitFailed.FromString(detail.value)
    return InitializationError(failed.id, from_struct(failed.properties), tuple(failed.reasons))
