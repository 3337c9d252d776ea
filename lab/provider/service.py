"""The plugin's gRPC service: Pulumi's ResourceProvider over the declared types.

Source: Pulumi's ``provider.proto``.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import grpc
from google.protobuf import any_pb2, empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2

from lab.provider import decisions, diff, invokes, lifecycle
from lab.provider.aws import (
    ENDPOINT_VARIABLE,
    Aws,
    explain,
    may_have_happened,
    require_local,
    was_retried,
)
from lab.provider.decisions import Difference
from lab.provider.lifecycle import UnfinishedError
from lab.provider.registry import UnknownTypeError, resource_type
from lab.provider.resource import ResourceType
from pulumi_protocol.structs import from_struct, to_struct
from pulumi_protocol.values import UNKNOWN, contains_unknown, plain_without_nulls

VERSION = "7.51.1"
"""The pulumi-aws whose types this plugin stands in for."""

PROVIDER_INPUTS = frozenset(
    {
        "region", "accessKey", "secretKey", "token", "endpoints", "defaultTags", "version",
        "allowedAccountIds", "forbiddenAccountIds", "profile", "maxRetries", "retryMode",
        "skipCredentialsValidation", "skipMetadataApiCheck", "skipRegionValidation",
        "skipRequestingAccountId", "stsRegion", "s3UsePathStyle", "insecure",
        "useDualstackEndpoint", "useFipsEndpoint", "pluginDownloadURL",
    }
)  # fmt: skip

Method = TypeVar("Method", bound=Callable[..., Any])


def _reports(verb: str) -> Callable[[Method], Method]:
    """Answers failures of a call as one line: verb, type, physical name, region, reason.

    The status ``DATA_LOSS`` says, as it does to Pulumi's engine, that what became of the resource
    is unknown.
    """

    def decorate(method: Method) -> Method:
        @functools.wraps(method)
        def wrapper(self: AwsProvider, request: Any, context: grpc.ServicerContext) -> Any:
            try:
                return method(self, request, context)
            except UnfinishedError as error:
                line = self._unfinished(verb, request, context, error)
            except Exception as error:
                line = self._line(verb, request, explain(error))
                # What a deletion's retry may meet is that nothing is left, which is success.
                if may_have_happened(error) or (verb != "deleting" and was_retried(error)):
                    return context.abort(grpc.StatusCode.DATA_LOSS, line)
            return context.abort(grpc.StatusCode.UNKNOWN, line)

        return wrapper  # type: ignore[return-value]

    return decorate


class AwsProvider(provider_pb2_grpc.ResourceProviderServicer):
    """One provider resource: one region, one set of default tags."""

    def __init__(self) -> None:
        self.aws: Aws | None = None

    # -- the provider itself -----------------------------------------------------------------------

    def Handshake(self, request: Any, context: Any) -> Any:  # noqa: N802
        return provider_pb2.ProviderHandshakeResponse(
            accept_secrets=True, accept_resources=False, accept_outputs=False
        )

    def GetPluginInfo(self, request: Any, context: Any) -> Any:  # noqa: N802
        return plugin_pb2.PluginInfo(version=VERSION)

    def Cancel(self, request: Any, context: Any) -> Any:  # noqa: N802
        if self.aws is not None:
            self.aws.cancelled.set()
        return empty_pb2.Empty()

    def CheckConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        news = from_struct(request.news)
        failures = [
            provider_pb2.CheckFailure(property=key, reason=reason)
            for key, reason in check_config(plain_without_nulls(news))
        ]
        return provider_pb2.CheckResponse(inputs=request.news, failures=failures)

    def DiffConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        old = from_struct(request.old_inputs) or from_struct(request.olds)
        new = from_struct(request.news)
        found = [item for item in diff.changes(old, new) if item[0] != "version"]
        replaces = ["region"] if any(key == "region" for key, _, _ in found) else []
        return _diff_response(Difference(tuple(found), tuple(replaces)))

    def Configure(self, request: Any, context: Any) -> Any:  # noqa: N802
        args = plain_without_nulls(from_struct(request.args))
        problems = check_config(args)
        if problems:
            context.abort(
                grpc.StatusCode.INVALID_ARGUMENT, "; ".join(reason for _, reason in problems)
            )
        if not contains_unknown({key: args.get(key) for key in ("region", "endpoints")}):
            self.aws = configured(args)
        return provider_pb2.ConfigureResponse(
            acceptSecrets=True, supportsPreview=True, acceptResources=False, acceptOutputs=False
        )

    # -- resources ---------------------------------------------------------------------------------

    @_reports("checking")
    def Check(self, request: Any, context: Any) -> Any:  # noqa: N802
        news, olds = from_struct(request.news), from_struct(request.olds)
        news = {key: value for key, value in news.items() if value is not None}
        try:
            kind = _kind(request)
        except UnknownTypeError as error:
            failure = provider_pb2.CheckFailure(property="", reason=str(error))
            return provider_pb2.CheckResponse(failures=[failure])
        news = decisions.with_name(kind, news, olds, request.urn, request.randomSeed)
        aws = self.aws
        problems: list[tuple[str, str]] = []
        if aws is not None:
            news, problems = decisions.with_defaults(kind, news, aws.region, aws.default_tags)
            problems += decisions.failures(kind, news, olds, aws.region)
        failures = [
            provider_pb2.CheckFailure(property=key, reason=reason) for key, reason in problems
        ]
        return provider_pb2.CheckResponse(inputs=to_struct(news), failures=failures)

    @_reports("comparing")
    def Diff(self, request: Any, context: Any) -> Any:  # noqa: N802
        kind = _kind(request)
        old = from_struct(request.old_inputs) or from_struct(request.olds)
        new = from_struct(request.news)
        found = decisions.difference(kind, old, new, list(request.ignoreChanges))
        if found.changes:
            self._aws()  # what forces replacement is known of a configured provider alone
        return _diff_response(found)

    @_reports("creating")
    def Create(self, request: Any, context: Any) -> Any:  # noqa: N802
        kind = _kind(request)
        inputs = from_struct(request.properties)
        if request.preview:
            outputs = decisions.previewed(kind, inputs, None)
            return provider_pb2.CreateResponse(id="", properties=to_struct(outputs))
        ident, outputs = lifecycle.create(kind, self._aws(), inputs)
        return provider_pb2.CreateResponse(id=ident, properties=to_struct(outputs))

    @_reports("reading")
    def Read(self, request: Any, context: Any) -> Any:  # noqa: N802
        kind, aws = _kind(request), self._aws()
        inputs = from_struct(request.inputs)
        old = from_struct(request.properties)
        ident = request.id or kind.look_up(aws, inputs)
        if not ident:
            return provider_pb2.ReadResponse(id="")
        found = lifecycle.read(kind, aws, ident, inputs, old)
        if found is None:
            return provider_pb2.ReadResponse(id="")
        fresh, outputs = found
        return provider_pb2.ReadResponse(
            id=ident, properties=to_struct(outputs), inputs=to_struct(fresh)
        )

    @_reports("updating")
    def Update(self, request: Any, context: Any) -> Any:  # noqa: N802
        kind = _kind(request)
        old, new = from_struct(request.olds), from_struct(request.news)
        old_inputs = from_struct(request.old_inputs) or old
        if request.preview:
            outputs = decisions.previewed(kind, new, old)
            return provider_pb2.UpdateResponse(properties=to_struct(outputs))
        for path in request.ignoreChanges:
            if path in old_inputs:
                new[path] = old_inputs[path]
        outputs = lifecycle.update(kind, self._aws(), request.id, old, old_inputs, new)
        return provider_pb2.UpdateResponse(properties=to_struct(outputs))

    @_reports("deleting")
    def Delete(self, request: Any, context: Any) -> Any:  # noqa: N802
        kind = _kind(request)
        old, inputs = from_struct(request.properties), from_struct(request.old_inputs)
        lifecycle.delete(kind, self._aws(), request.id, old, inputs, request.timeout)
        return empty_pb2.Empty()

    def Invoke(self, request: Any, context: Any) -> Any:  # noqa: N802
        args = plain_without_nulls(from_struct(request.args))
        function = invokes.FUNCTIONS.get(request.tok)
        if function is None:
            reason = f"function {request.tok} is not supported by the lab's provider"
            return provider_pb2.InvokeResponse(failures=[provider_pb2.CheckFailure(reason=reason)])
        try:
            answer = function(self._aws(), args)
        except Exception as error:
            line = f"invoking {request.tok}: {explain(error)}"
            return context.abort(grpc.StatusCode.UNKNOWN, line)
        response = provider_pb2.InvokeResponse()
        getattr(response, "return").CopyFrom(to_struct(answer))
        return response

    # -- helpers -----------------------------------------------------------------------------------

    def _aws(self) -> Aws:
        if self.aws is None:
            raise RuntimeError("the provider isn't configured yet: its region is unknown")
        return self.aws

    def _line(self, verb: str, request: Any, reason: str) -> str:
        name = ""
        for field in ("news", "properties", "inputs", "old_inputs"):
            struct = getattr(request, field, None)
            if struct is not None and not name:
                try:
                    name = _kind(request).label(from_struct(struct))
                except UnknownTypeError:
                    break
        region = self.aws.region if self.aws else "an unknown region"
        subject = " ".join(part for part in (_token(request), name or request.urn) if part)
        return f"{verb} {subject} in {region}: {reason}"

    def _unfinished(
        self, verb: str, request: Any, context: grpc.ServicerContext, error: UnfinishedError
    ) -> str:
        """Puts what exists into the answer's metadata; returns the line that says why."""
        line = self._line(verb, request, error.reason)
        inputs = request.news if hasattr(request, "news") else request.properties
        detail = provider_pb2.ErrorResourceInitFailed(
            id=error.ident,
            properties=to_struct(error.outputs),
            reasons=[line],
            inputs=inputs,
        )
        packed = any_pb2.Any()
        packed.Pack(detail)
        status = status_pb2.Status(
            code=grpc.StatusCode.UNKNOWN.value[0], message=line, details=[packed]
        )
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        return line


def _token(request: Any) -> str:
    """Returns the type of a request's resource: from its URN where the field isn't set."""
    return getattr(request, "type", "") or request.urn.split("::")[-2].rsplit("$", 1)[-1]


def _kind(request: Any) -> ResourceType:
    return resource_type(_token(request))


def _diff_response(found: Difference) -> Any:
    detailed = {
        path: provider_pb2.PropertyDiff(
            kind=kind + (diff.REPLACING if key in found.replaces else 0),  # type: ignore[arg-type]
            inputDiff=True,
        )
        for key, path, kind in found.changes
    }
    has_changed = bool(found.changes)
    return provider_pb2.DiffResponse(
        changes=(
            provider_pb2.DiffResponse.DIFF_SOME
            if has_changed
            else provider_pb2.DiffResponse.DIFF_NONE
        ),
        diffs=sorted({key for key, _, _ in found.changes}),
        replaces=found.replaces,
        deleteBeforeReplace=found.deletes_first,
        detailedDiff=detailed,
        hasDetailedDiff=True,
    )


def check_config(args: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Returns what is wrong with a provider's arguments: (property, reason)."""
    failures = [
        (key, f"provider argument {key!r} is not supported by the lab's provider")
        for key in args
        if key not in PROVIDER_INPUTS and not key.startswith("__")
    ]
    if not args.get("region"):
        failures.append(("region", "the provider needs a region"))
    if args.get("profile"):
        failures.append(("profile", "the lab's provider uses no AWS profile"))
    raw = args.get("endpoints")
    override = os.environ.get(ENDPOINT_VARIABLE)
    if raw == UNKNOWN:
        return failures
    urls = list(_endpoints(raw).values())
    if override:
        urls.append(override)
    if not urls:
        failures.append(
            (
                "endpoints",
                "no endpoint: the lab's provider never calls AWS; "
                f"set {ENDPOINT_VARIABLE} or the provider's endpoints to the lab's address",
            )
        )
    for url in urls:
        try:
            require_local(url)
        except ValueError as error:
            failures.append(("endpoints", str(error)))
    return failures


def _parsed(value: Any) -> Any:
    """Returns a provider argument that Pulumi sends as JSON in a string."""
    if isinstance(value, str) and value[:1] in "[{":
        return json.loads(value)
    return value


def _endpoints(value: Any) -> dict[str, str]:
    found: dict[str, str] = {}
    parsed = _parsed(value) or []
    for entry in parsed if isinstance(parsed, list) else [parsed]:
        found |= {key: url for key, url in entry.items() if url}
    return found


def configured(args: Mapping[str, Any]) -> Aws:
    """Returns the state of a configured provider."""
    tags = _parsed(args.get("defaultTags")) or {}
    return Aws(
        region=str(args["region"]),
        endpoints=_endpoints(args.get("endpoints")),
        access_key=args.get("accessKey") or "test",
        secret_key=args.get("secretKey") or "test",
        token=args.get("token"),
        default_tags={str(k): str(v) for k, v in (tags.get("tags") or {}).items()},
    )
