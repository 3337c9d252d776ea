"""One deployment of a program: what it registers, reads and calls, and the tidying at its end."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from lab.engine.aliases import Aliases
from lab.engine.custom import CustomResources
from lab.engine.deletion import Deletion
from lab.engine.failure import StepFailedError
from lab.engine.interruption import settle
from lab.engine.invoking import invoke
from lab.engine.journal import Journal
from lab.engine.ledger import Ledger
from lab.engine.operation import OperationRun
from lab.engine.plugins import Plugins
from lab.engine.provider_inputs import secretive
from lab.engine.providers import Providers
from lab.engine.reading import Reader, ReadStack
from lab.engine.registration import Invocation, Reading, Registration
from pulumi_protocol.checkpoint import ResourceState, now
from pulumi_protocol.events import Operation
from pulumi_protocol.urns import STACK_TYPE
from pulumi_protocol.values import Properties, contains_unknown


class Deployment:
    """Carries out what the program registers, one call a resource, many at the same time."""

    def __init__(
        self,
        run: OperationRun,
        journal: Journal,
        plugins: Plugins,
        before: Sequence[ResourceState],
        read_stack: ReadStack,
    ) -> None:
        self._run = run
        self._journal = journal
        self._ledger = Ledger()
        self._providers = Providers(run, journal, plugins, before)
        self._custom = CustomResources(run, journal, self._ledger, self._providers)
        self._reader = Reader(run, journal, self._providers, read_stack)
        self._renaming = threading.Lock()
        self._aliases = Aliases(journal)
        self._stack: ResourceState | None = None

    def begin(self) -> None:
        """Looks for what a killed run has created, before the program asks for anything."""
        settle(self._run, self._journal, self._providers.source)

    def register(self, registration: Registration) -> ResourceState | None:
        """Brings one resource to what the program wants; None: it is new, and its provider is left
        alone. StepFailedError says why not."""
        self._ledger.claim(registration.urn)
        self._run.masker.learn(secretive(registration.type, registration.inputs))
        with self._renaming:
            renamed = self._aliases.follow(registration)
            if renamed is not None:
                self._providers.renamed(renamed)
        if not registration.custom:
            return self._component(registration)
        if registration.is_provider:
            return self._providers.register(registration)
        return self._custom.register(registration)

    def register_outputs(self, urn: str, outputs: Properties) -> None:
        """Takes the outputs of a component, or of the stack."""
        state = self._journal.current(urn)
        if state is None:
            raise StepFailedError(urn, "outputs of a resource that isn't registered")
        self._run.masker.learn(outputs)
        if not self._run.preview:
            outputs = _known_or_as_before(outputs, state.outputs)
        changed = state.changed(outputs=outputs, modified=now())
        if state.type == STACK_TYPE:
            # The SDK sends them even when the program has failed half-way.
            self._stack = changed
        else:
            self._journal.confirm(changed)

    def read(self, reading: Reading) -> ResourceState:
        """Looks at a resource that the program doesn't own."""
        self._ledger.claim(reading.urn)
        return self._reader.read(reading)

    def invoke(self, call: Invocation) -> Properties | None:
        """Calls a provider's function; None: a preview knows too little to call it."""
        return invoke(call, self._run, self._providers, self._ledger)

    def registered(self, urn: str) -> ResourceState:
        """A resource that this program has registered."""
        state = self._journal.current(urn)
        if state is None:
            raise StepFailedError(urn, "the program asks for a resource it hasn't registered")
        return state

    def finish(self) -> None:
        """The program has succeeded: deletes what it no longer names and what was replaced."""
        if self._stack is not None:
            self._journal.confirm(self._stack)
        doomed = self._unwanted()
        if self._run.preview:
            for state in reversed(doomed):
                if state.managed and not state.delete:
                    self._run.emit(Operation.DELETE, state, "planned")
            return
        Deletion(self._run, self._journal, self._providers.source).delete(
            doomed, lambda state: None if state.delete else Operation.DELETE
        )

    def _unwanted(self) -> list[ResourceState]:
        """What the program no longer names and what was replaced, save what is left alone: that
        and all that it needs stay."""
        found = [*self._journal.leftovers(), *self._journal.doomed()]
        left = [state for state in found if self._run.spares(state.provider)]
        needed: set[str] = set()
        while left:
            needed |= {urn for state in left for urn in (state.urn, *state.needs)}
            found = [state for state in found if state not in left]
            left = [state for state in found if state.urn in needed and not state.delete]
        return found

    def _component(self, registration: Registration) -> ResourceState:
        goal = registration.state(registration.inputs, now())
        old = self._journal.previous(registration.urn)
        if old is not None:
            goal = goal.changed(outputs=old.outputs, created=old.created)
        self._journal.confirm(goal)
        return goal


def _known_or_as_before(outputs: Properties, before: Properties) -> Properties:
    """The outputs; what a resource that was passed over leaves unknown is said as before."""
    unknown = {key for key, value in outputs.items() if contains_unknown(value)}
    kept = {key: before[key] for key in unknown if key in before}
    return {key: value for key, value in outputs.items() if key not in unknown} | kept
