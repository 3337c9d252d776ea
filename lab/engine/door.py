"""The door of the engine: each request of a program's is read once, each answer written here."""

from __future__ import annotations

import re
from typing import Any

from pulumi.runtime.proto import resource_pb2

from lab.engine.aliases import AliasSpec
from lab.engine.assets import AssetError, with_hashes
from lab.engine.deployment import Deployment
from lab.engine.failure import StepFailedError
from lab.engine.project import Project
from lab.engine.registration import Invocation, Reading, Registration
from pulumi_protocol import urns
from pulumi_protocol.structs import from_struct, to_struct
from pulumi_protocol.values import UNKNOWN, Properties, plain

_UNSUPPORTED_FIELDS = {
    "importId": "import_",
    "transforms": "transforms",
    "hooks": "hooks",
    "state_migrations": "state_migrations",
    "replace_with": "replace_with",
    "replacement_trigger": "replacement_trigger",
    "packageRef": "a parameterized package",
    "envVarMappings": "env_var_mappings",
    "remote": "a remote component",
}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_GET_RESOURCE = "pulumi:pulumi:getResource"


class Door:
    """Takes the protobuf requests of one program to its deployment and brings the answers."""

    def __init__(self, project: Project, deployment: Deployment) -> None:
        self._project = project
        self._deployment = deployment

    def register(self, request: Any) -> Any:
        """RegisterResource."""
        asked = registration(request, self._project)
        state = self._deployment.register(asked)
        if state is None:
            return resource_pb2.RegisterResourceResponse(urn=asked.urn, unknown=True)
        return resource_pb2.RegisterResourceResponse(
            urn=state.urn,
            id=_known(state.id),
            object=_outputs(state.outputs, secrets=request.acceptSecrets),
        )

    def register_outputs(self, request: Any) -> None:
        """RegisterResourceOutputs."""
        self._deployment.register_outputs(request.urn, from_struct(request.outputs))

    def read(self, request: Any) -> Any:
        """ReadResource."""
        state = self._deployment.read(reading(request, self._project))
        return resource_pb2.ReadResourceResponse(
            urn=state.urn,
            id=_known(state.id),
            properties=_outputs(state.outputs, secrets=request.acceptSecrets),
        )

    def invoke(self, request: Any) -> Any:
        """Invokes; the answer says ``unknown`` where what it depends on isn't made yet."""
        arguments = from_struct(request.args)
        if request.tok == _GET_RESOURCE:
            state = self._deployment.registered(str(arguments.get("urn", "")))
            return _returned({"urn": state.urn, "id": _known(state.id), "state": state.outputs})
        call = Invocation(request.tok, arguments, request.provider, tuple(request.dependsOn))
        answer = self._deployment.invoke(call)
        if answer is None:
            return resource_pb2.ResourceInvokeResponse(unknown=True)
        return _returned(answer)


def registration(request: Any, project: Project) -> Registration:
    """A RegisterResourceRequest in typed values; StepFailedError names what isn't supported."""
    urn = urns.make(project.stack, project.name, request.parent, request.type, request.name)
    _refuse_unsupported(request, urn)
    try:
        inputs = with_hashes(from_struct(request.object), project.directory)
    except (AssetError, ValueError) as error:
        raise StepFailedError(urn, str(error)) from None
    said = request.deleteBeforeReplaceDefined or request.deleteBeforeReplace
    return Registration(
        urn=urn,
        type=request.type,
        custom=request.custom,
        inputs=inputs,
        parent=request.parent,
        provider=request.provider,
        version=request.version,
        dependencies=_sorted(request.dependencies),
        property_dependencies={
            key: _sorted(entry.urns) for key, entry in sorted(request.propertyDependencies.items())
        },
        deleted_with=request.deletedWith,
        aliases=_aliases(request, project),
        ignore_changes=tuple(request.ignoreChanges),
        replace_on_changes=tuple(request.replaceOnChanges),
        delete_before_replace=request.deleteBeforeReplace if said else None,
        additional_secret_outputs=tuple(request.additionalSecretOutputs),
        custom_timeouts={
            name: _seconds(text, urn)
            for name in ("create", "update", "delete", "read")
            if (text := getattr(request.customTimeouts, name))
        },
    )


def reading(request: Any, project: Project) -> Reading:
    """A ReadResourceRequest in typed values."""
    return Reading(
        urn=urns.make(project.stack, project.name, request.parent, request.type, request.name),
        type=request.type,
        id=request.id,
        properties=from_struct(request.properties),
        parent=request.parent,
        provider=request.provider,
        dependencies=_sorted(request.dependencies),
        additional_secret_outputs=tuple(request.additionalSecretOutputs),
    )


def _refuse_unsupported(request: Any, urn: str) -> None:
    for name, shown in _UNSUPPORTED_FIELDS.items():
        value = getattr(request, name)
        if name in ("hooks", "replacement_trigger"):
            value = request.HasField(name) and value.ByteSize()
        if value:
            raise StepFailedError(urn, f"the embedded engine does not support {shown}")
    if request.protect:
        raise StepFailedError(urn, "protect is refused: everything here must be destroyable")
    if request.retainOnDelete:
        raise StepFailedError(
            urn, "retain_on_delete is refused: everything here must be destroyable"
        )


def _aliases(request: Any, project: Project) -> tuple[str, ...]:
    """The URNs that the request gives outright, then those of its specifications."""
    found = list(request.aliasURNs)
    for alias in request.aliases:
        if alias.WhichOneof("alias") == "urn":
            found.append(alias.urn)
            continue
        spec = AliasSpec(
            alias.spec.stack,
            alias.spec.project,
            alias.spec.type,
            alias.spec.name,
            alias.spec.parentUrn,
            alias.spec.noParent,
        )
        place = (project.stack, project.name, request.parent, request.type, request.name)
        found.append(spec.urn(*place))
    return tuple(found)


def _sorted(listed: Any) -> tuple[str, ...]:
    return tuple(sorted(set(listed)))


def _known(id: str) -> str:
    """The id for an answer: the SDK takes an empty one alone as not known yet."""
    return "" if id == UNKNOWN else id


def _outputs(outputs: Properties, *, secrets: bool) -> Any:
    return to_struct(outputs if secrets else plain(outputs))


def _returned(answer: Properties) -> Any:
    fields: dict[str, Any] = {"return": to_struct(answer)}  # a keyword of Python's
    return resource_pb2.ResourceInvokeResponse(**fields)


def _seconds(text: str, urn: str) -> float:
    """``1h30m``, ``90s`` or ``500ms`` as seconds."""
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise StepFailedError(urn, f"the custom timeout {text!r} is no duration such as 5m")
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)
