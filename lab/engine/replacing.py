"""Replacing a resource: a new one first, or the old one and all that must go with it first."""

from __future__ import annotations

import threading

from lab.engine.decision import Replace
from lab.engine.deletion import Deletion
from lab.engine.failure import StepFailedError
from lab.engine.interruption import Interruption
from lab.engine.journal import Journal
from lab.engine.ledger import Ledger
from lab.engine.operation import OperationRun
from lab.engine.plugins import ProviderSource
from lab.engine.steps import Steps, Work, checked
from pulumi_protocol.checkpoint import ResourceState
from pulumi_protocol.events import Operation
from pulumi_protocol.paths import property_diffs
from pulumi_protocol.values import UNKNOWN


class Replacing:
    """Carries out the decision ``Replace``."""

    def __init__(
        self,
        run: OperationRun,
        journal: Journal,
        ledger: Ledger,
        providers: ProviderSource,
        steps: Steps,
    ) -> None:
        self._run = run
        self._journal = journal
        self._ledger = ledger
        self._providers = providers
        self._steps = steps
        self._deletion = Deletion(run, journal, providers)
        self._interruption = Interruption(run, journal, providers)
        self._clearing = threading.Lock()

    def replace(self, work: Work, decision: Replace) -> ResourceState:
        """Returns the new resource; the old one is deleted before, or waits for the end."""
        # Nothing of the old one may live on in the new one's inputs.
        work = checked(self._run, work.registration, work.plugin, {})
        if decision.delete_first:
            return self._after_deletion(work, decision)
        return self._before_deletion(work, decision)

    def _before_deletion(self, work: Work, decision: Replace) -> ResourceState:
        old = decision.old
        found = self._interruption.found(work, known_id=old.id)
        if found is not None:
            self._journal.supersede(old, found)
            return self._steps.update(work, found)
        diff = property_diffs(old.inputs, work.goal.inputs, decision.forcing)
        return self._steps.create(work, Operation.REPLACE, old=old, diff=diff)

    def _after_deletion(self, work: Work, decision: Replace) -> ResourceState:
        # One at a time: what one takes along may be what the other is about to replace.
        with self._clearing:
            if self._journal.previous(work.urn) is not None:
                self._clear_the_way(decision.old)
        diff = property_diffs(decision.old.inputs, work.goal.inputs, decision.forcing)
        made = self._steps.create(work, Operation.REPLACE, diff=diff)
        self._ledger.replaced(work.urn)
        return made

    def _clear_the_way(self, old: ResourceState) -> None:
        """Deletes a resource, and before it those that its replacement will replace as well."""
        doomed = self._replaced_along(old)
        self._ledger.clear(state.urn for state in doomed)
        if self._run.preview:
            return
        self._deletion.delete(doomed, lambda _: None)
        if self._run.stopped:
            raise StepFailedError(old.urn, "it could not be deleted to be replaced", "replacing")

    def _replaced_along(self, old: ResourceState) -> list[ResourceState]:
        """The resource and every other one that is replaced when its properties are new."""
        doomed = [old]
        affected = {old.urn}
        for state in self._journal.leftovers():
            properties = {
                key
                for key, urns in state.property_dependencies.items()
                if affected.intersection(urns)
            }
            if state.urn in affected or not state.managed or not properties:
                continue
            if self._replaced_by_news_of(state, properties):
                doomed.append(state)
                affected.add(state.urn)
        return doomed

    def _replaced_by_news_of(self, state: ResourceState, properties: set[str]) -> bool:
        news = {**state.inputs, **dict.fromkeys(properties & state.inputs.keys(), UNKNOWN)}
        difference = self._providers.of(state).diff(
            state.urn,
            state.type,
            state.id,
            old_inputs=state.inputs,
            old_outputs=state.outputs,
            news=news,
            ignore_changes=(),
        )
        return bool(difference.replaces)
