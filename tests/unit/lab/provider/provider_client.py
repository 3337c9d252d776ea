"""An engine's side of the provider's protocol, for tests: requests as the engine makes them."""

from __future__ import annotations

import json
from typing import Any

import grpc
from pulumi.runtime.proto import provider_pb2

from lab.provider.registry import resource_type
from lab.provider.resource import ResourceType
from lab.provider.service import AwsProvider
from pulumi_protocol.structs import from_struct, to_struct
from pulumi_protocol.values import secret

PREFIX = "urn:pulumi:lab::project::"


class FailedCallError(Exception):
    """A call that ended in a gRPC error; ``metadata`` is its trailing metadata."""

    def __init__(self, code: grpc.StatusCode, details: str, metadata: Any) -> None:
        super().__init__(details)
        self.code, self.details, self.metadata = code, details, metadata


class Context:
    """What gRPC gives to a servicer, as far as the plugin uses it."""

    def __init__(self) -> None:
        self.metadata: Any = ()

    def set_trailing_metadata(self, metadata: Any) -> None:
        self.metadata = metadata

    def abort(self, code: grpc.StatusCode, details: str) -> None:
        raise FailedCallError(code, details, self.metadata)


class Resource:
    """One resource as the engine keeps it."""

    def __init__(self, token: str, name: str) -> None:
        self.token, self.name = token, name
        self.urn = f"{PREFIX}{token}::{name}"
        self.id = ""
        self.inputs: dict[str, Any] = {}
        self.outputs: dict[str, Any] = {}


class ProviderClient:
    """Drives a servicer through the calls that an engine makes."""

    def __init__(
        self, endpoint: str, region: str = "us-east-1", tags: dict[str, str] | None = None
    ) -> None:
        self.servicer = AwsProvider()
        args: dict[str, Any] = {
            "region": region,
            "accessKey": secret("test"),
            "secretKey": secret("test"),
            "endpoints": json.dumps([{"ec2": endpoint, "s3": endpoint}]),
            "defaultTags": json.dumps({"tags": tags or {}}),
            "skipRegionValidation": "true",
        }
        request = provider_pb2.ConfigureRequest(args=to_struct(args))
        self.servicer.Configure(request, Context())

    @staticmethod
    def kind(token: str) -> ResourceType:
        return resource_type(token)

    def check(
        self, resource: Resource, news: dict[str, Any]
    ) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        """(checked inputs, failures)"""
        answer = self.servicer.Check(
            provider_pb2.CheckRequest(
                urn=resource.urn,
                type=resource.token,
                name=resource.name,
                olds=to_struct(resource.inputs),
                news=to_struct(news),
                randomSeed=b"seed",
            ),
            Context(),
        )
        failures = [(item.property, item.reason) for item in answer.failures]
        return from_struct(answer.inputs), failures

    def checked(self, resource: Resource, news: dict[str, Any]) -> dict[str, Any]:
        inputs, failures = self.check(resource, news)
        assert not failures, failures
        return inputs

    def create(self, token: str, name: str, news: dict[str, Any]) -> Resource:
        resource = Resource(token, name)
        inputs = self.checked(resource, news)
        answer = self.servicer.Create(
            provider_pb2.CreateRequest(
                urn=resource.urn, type=token, name=name, properties=to_struct(inputs)
            ),
            Context(),
        )
        resource.id = answer.id
        resource.inputs, resource.outputs = inputs, from_struct(answer.properties)
        assert resource.id, token
        return resource

    def diff(
        self, resource: Resource, news: dict[str, Any], ignore: list[str] | None = None
    ) -> Any:
        inputs = self.checked(resource, news)
        return self.servicer.Diff(
            provider_pb2.DiffRequest(
                id=resource.id,
                urn=resource.urn,
                type=resource.token,
                olds=to_struct(resource.outputs),
                old_inputs=to_struct(resource.inputs),
                news=to_struct(inputs),
                ignoreChanges=ignore or [],
            ),
            Context(),
        )

    def update(self, resource: Resource, news: dict[str, Any]) -> None:
        inputs = self.checked(resource, news)
        answer = self.servicer.Update(
            provider_pb2.UpdateRequest(
                id=resource.id,
                urn=resource.urn,
                type=resource.token,
                olds=to_struct(resource.outputs),
                old_inputs=to_struct(resource.inputs),
                news=to_struct(inputs),
            ),
            Context(),
        )
        resource.inputs, resource.outputs = inputs, from_struct(answer.properties)

    def read(self, resource: Resource, *, by_name: bool = False, bare: bool = False) -> Any:
        """Reads for refresh; ``by_name``: as after an interruption; ``bare``: as ``.get()``."""
        return self.servicer.Read(
            provider_pb2.ReadRequest(
                id="" if by_name else resource.id,
                urn=resource.urn,
                type=resource.token,
                inputs=to_struct({} if bare else resource.inputs),
                properties=to_struct({} if by_name or bare else resource.outputs),
            ),
            Context(),
        )

    def delete(self, resource: Resource) -> None:
        self.servicer.Delete(
            provider_pb2.DeleteRequest(
                id=resource.id,
                urn=resource.urn,
                type=resource.token,
                properties=to_struct(resource.outputs),
                old_inputs=to_struct(resource.inputs),
                timeout=3,
            ),
            Context(),
        )

    def invoke(self, token: str, args: dict[str, Any]) -> dict[str, Any]:
        answer = self.servicer.Invoke(
            provider_pb2.InvokeRequest(tok=token, args=to_struct(args)), Context()
        )
        assert not answer.failures, answer.failures
        return from_struct(getattr(answer, "return"))
