"""Replacing a resource: a new one first, or the old one and all that must go with it first."""

from __future__ import annotations

import threading

from lab.engine.decision import Replace
from lab.engine.deletion import Deletion
from lab.engine.failure import StepFailedError
from lab.engine.journal import Journal
from lab.engine.ledger import Ledger
from lab.engine.operation import OperationRun
from lab.engine.providers import Providers
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
        providers: Providers,
        steps: Steps,
    ) -> None:
        self._run = run
        self._journal = journal
        self._ledger = ledger
        self._providers = providers
        self._steps = steps
        self._deletion = Deletion(run, journal, providers.source)
        self._clearing = threading.Lock()

    def create(self, work: Work, *, again: bool) -> ResourceState:
        """Creates what isn't there; ``again``: it was deleted to make way for another's
        replacement."""
        revived = self._revived(work)
        if revived is not None:
            return self._steps.update(work, revived)
        self._make_room(work)
        made = self._steps.create(work, Operation.REPLACE if again else Operation.CREATE)
        self._ledger.replaced(work.urn)
        return made

    def replace(self, work: Work, decision: Replace) -> ResourceState:
        """Returns the new resource; the old one is deleted before, or waits for the end."""
        # Nothing of the old one may live on in the new one's inputs.
        work = checked(self._run, work.registration, work.plugin, {})
        revived = self._revived(work)
        if revived is not None:
            return self._steps.update(work, revived)
        diff = property_diffs(decision.old.inputs, work.goal.inputs, decision.forcing)
        if not decision.delete_first:
            self._make_room(work)
            return self._steps.create(work, Operation.REPLACE, old=decision.old, diff=diff)
        # One at a time: what one takes along may be what the other is about to replace.
        with self._clearing:
            if self._journal.previous(work.urn) is not None:
                self._clear_the_way(decision.old)
        self._make_room(work)
        made = self._steps.create(work, Operation.REPLACE, diff=diff)
        self._ledger.replaced(work.urn)
        return made

    def _revived(self, work: Work) -> ResourceState | None:
        """What an earlier run had replaced and not yet deleted, where it serves the goal again."""
        for waiting in self._journal.doomed():
            if waiting.urn != work.urn or self._journal.interrupted(waiting, "deleting"):
                continue
            if self._providers.moved(waiting, work.goal):
                continue
            difference = work.plugin.diff(
                work.urn,
                work.goal.type,
                waiting.id,
                old_inputs=waiting.inputs,
                old_outputs=waiting.outputs,
                news=work.goal.inputs,
                ignore_changes=work.registration.ignore_changes,
            )
            if not difference.replaces:
                return self._journal.revive(waiting)
        return None

    def _make_room(self, work: Work) -> None:
        """Deletes what waits for its deletion under the name that the new resource needs."""
        waiting = [state for state in self._journal.doomed() if state.type == work.goal.type]
        if self._run.preview or not waiting:
            return
        id, _, _ = work.plugin.read(work.urn, work.goal.type, "", work.goal.inputs, {})
        for state in waiting:
            if id and state.id == id:
                with self._clearing:
                    self._clear_the_way(state)

    def _clear_the_way(self, old: ResourceState) -> None:
        """Deletes a resource, and before it those that its replacement will replace as well."""
        doomed = self._replaced_along(old)
        for state in doomed:
            if self._run.spares(state.provider):
                raise StepFailedError(
                    old.urn,
                    f"its replacement takes {state.name} along, which this run leaves alone",
                    "replacing",
                )
        self._ledger.clear(state.urn for state in doomed if not state.delete)
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
        difference = self._providers.source.of(state).diff(
            state.urn,
            state.type,
            state.id,
            old_inputs=state.inputs,
            old_outputs=state.outputs,
            news=news,
            ignore_changes=(),
        )
        return bool(difference.replaces)
