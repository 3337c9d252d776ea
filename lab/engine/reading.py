"""What a program looks at without owning it: existing resources and other stacks' outputs."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable

from lab.engine.failure import StepFailedError
from lab.engine.journal import Journal
from lab.engine.operation import OperationRun
from lab.engine.plugin import PluginError
from lab.engine.providers import Providers
from lab.engine.registration import Reading
from pulumi_protocol import urns
from pulumi_protocol.checkpoint import ResourceState, now
from pulumi_protocol.events import Operation
from pulumi_protocol.values import UNKNOWN, Properties, contains_secret, contains_unknown, plain

ReadStack = Callable[[str, str], Properties | None]
"""(project, stack) → the stack's outputs; None when it was never deployed."""


class Reader:
    """Answers ``.get()`` and StackReferences."""

    def __init__(
        self, run: OperationRun, journal: Journal, providers: Providers, read_stack: ReadStack
    ) -> None:
        self._run = run
        self._journal = journal
        self._providers = providers
        self._read_stack = read_stack
        self._lock = threading.Lock()
        self._internal_provider: ResourceState | None = None

    def read(self, reading: Reading) -> ResourceState:
        """Returns the resource as it is; StepFailedError says why not."""
        self._run.masker.learn(reading.properties)
        if reading.type == urns.STACK_REFERENCE_TYPE:
            state = self._reference(reading)
        else:
            state = self._custom(reading)
        self._journal.confirm(state)
        self._run.emit(Operation.READ, state, "planned" if self._run.preview else "done")
        return state

    def _custom(self, reading: Reading) -> ResourceState:
        plugin = self._providers.serving(reading.provider, reading.urn, "it")
        goal = reading.state(reading.properties, reading.provider, now())
        if reading.id == UNKNOWN or contains_unknown(reading.properties):
            return goal.changed(id=UNKNOWN, outputs=reading.properties)
        old = self._journal.previous(reading.urn)
        try:
            id, inputs, outputs = plugin.read(
                reading.urn,
                reading.type,
                reading.id,
                old.inputs if old else {},
                reading.properties,
            )
        except PluginError as error:
            text = self._run.masker.text(str(error))
            raise StepFailedError(reading.urn, text, "reading") from None
        if not id:
            missing = f"there is no {reading.type} {reading.id!r}"
            raise StepFailedError(reading.urn, missing, "reading")
        goal = goal.changed(id=id, inputs=inputs)
        return goal.changed(outputs=self._run.marked(goal, outputs))

    def _reference(self, reading: Reading) -> ResourceState:
        name, project, stack = _stack_named(reading)
        outputs = self._read_stack(project, stack)
        if outputs is None:
            raise StepFailedError(
                reading.urn,
                f"unknown stack {name!r}: the project {project} was never deployed as {stack!r}",
                "reading the stack reference",
            )
        self._run.masker.learn(outputs)
        internal = self._internal()
        answer = {
            "name": name,
            "outputs": outputs,
            "secretOutputNames": sorted(
                key for key, value in outputs.items() if contains_secret(value)
            ),
        }
        provider = urns.reference(internal.urn, internal.id)
        return reading.state({"name": name}, provider, now()).changed(id=name, outputs=answer)

    def _internal(self) -> ResourceState:
        """The provider resource that Pulumi's format wants stack references to name."""
        project = self._run.project
        type = urns.INTERNAL_PROVIDER_TYPE
        urn = urns.make(project.stack, project.name, "", type, "default")
        with self._lock:
            if self._internal_provider is None:
                old = self._journal.previous(urn)
                moment = now()
                self._internal_provider = old or ResourceState(
                    urn, type, custom=True, id=str(uuid.uuid4()), created=moment, modified=moment
                )
                self._journal.confirm(self._internal_provider)
            return self._internal_provider


def _stack_named(reading: Reading) -> tuple[str, str, str]:
    """A StackReference's name (``organization/project/stack``), its project and its stack."""
    name = str(plain(reading.properties.get("name", reading.id)))
    if contains_unknown(name):
        raise StepFailedError(reading.urn, "the referenced stack's name isn't known", "reading")
    organization, _, rest = name.partition("/")
    project, _, stack = rest.partition("/")
    if organization != "organization" or not project or not stack or "/" in stack:
        raise StepFailedError(
            reading.urn,
            f"{name!r} is no `organization/project/stack`",
            "reading the stack reference",
        )
    return name, project, stack
