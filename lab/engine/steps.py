"""The small steps: checking, keeping, creating and updating one custom resource."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from lab.engine.assets import with_hashes
from lab.engine.journal import Journal
from lab.engine.ledger import Ledger
from lab.engine.operation import OperationRun
from lab.engine.plugin import InitializationError, Plugin
from lab.engine.registration import Registration
from pulumi_protocol.checkpoint import ResourceState, now
from pulumi_protocol.events import Operation, PropertyDiff
from pulumi_protocol.paths import property_diffs
from pulumi_protocol.values import UNKNOWN, Properties


@dataclass(frozen=True)
class Work:
    """One custom resource under way: what was asked, who serves it, what it shall become."""

    registration: Registration
    plugin: Plugin
    goal: ResourceState

    @property
    def urn(self) -> str:
        """The resource's URN."""
        return self.goal.urn


def checked(
    run: OperationRun, registration: Registration, plugin: Plugin, olds: Properties
) -> Work:
    """The work with the inputs as the plugin completes them; ``olds`` are the inputs before."""
    inputs = plugin.check(
        registration.urn, registration.type, olds, registration.inputs, secrets.token_bytes(32)
    )
    inputs = with_hashes(inputs, run.project.directory)
    run.masker.learn(inputs)
    return Work(registration, plugin, registration.state(inputs, now()))


class Steps:
    """Carries out what was decided about one resource, and records it."""

    def __init__(self, run: OperationRun, journal: Journal, ledger: Ledger) -> None:
        self._run = run
        self._journal = journal
        self._ledger = ledger

    def keep(self, work: Work, old: ResourceState) -> ResourceState:
        """The resource stays; what the engine alone knows of it (dependencies) may be new."""
        kept = work.goal.changed(id=old.id, created=old.created, modified=old.modified)
        kept = kept.changed(outputs=self._run.marked(kept, old.outputs))
        self._journal.confirm(kept)
        self._run.emit(Operation.SAME, kept, "planned" if self._run.preview else "done")
        return kept

    def create(
        self,
        work: Work,
        operation: Operation,
        *,
        old: ResourceState | None = None,
        diff: Sequence[PropertyDiff] = (),
    ) -> ResourceState:
        """Creates it; ``old`` is what it replaces, to be deleted at the end of the deployment."""
        if self._run.preview:
            made = self._planned(work)
            self._run.emit(operation, made, "planned", diff=diff)
            self._ledger.plan(work.urn)
            self._record(old, made)
            return made
        with self._run.reporting(operation, work.goal, diff):
            return self._created(work, old)

    def update(self, work: Work, old: ResourceState) -> ResourceState:
        """Changes it in place."""
        diff = property_diffs(old.inputs, work.goal.inputs)
        goal = work.goal.changed(id=old.id, created=old.created)
        if self._run.preview:
            wanted = {**old.outputs, **goal.inputs}
            outputs = self._call_update(work, old) if work.plugin.supports_preview else wanted
            made = goal.changed(outputs=self._run.marked(goal, outputs))
            self._journal.confirm(made)
            self._run.emit(Operation.UPDATE, made, "planned", diff=diff)
            return made
        with self._run.reporting(Operation.UPDATE, goal, diff):
            return self._updated(work, goal, old)

    def _planned(self, work: Work) -> ResourceState:
        if not work.plugin.supports_preview:
            return work.goal.changed(id=UNKNOWN, outputs=work.goal.inputs)
        _, outputs = self._call_create(work)
        return work.goal.changed(id=UNKNOWN, outputs=self._run.marked(work.goal, outputs))

    def _created(self, work: Work, old: ResourceState | None) -> ResourceState:
        failure: InitializationError | None = None
        with self._run.slot(), self._journal.pending("creating", work.goal):
            try:
                id, outputs = self._call_create(work)
            except InitializationError as error:
                failure, id, outputs = error, error.id, error.outputs
            made = work.goal.changed(
                id=id,
                outputs=self._run.marked(work.goal, outputs),
                init_errors=self._reasons(failure),
                modified=now(),
            )
            self._record(old, made)
        self._journal.commit()
        if failure is not None:
            raise failure
        return made

    def _updated(self, work: Work, goal: ResourceState, old: ResourceState) -> ResourceState:
        failure: InitializationError | None = None
        attempted = self._journal.attempted(old)
        with self._run.slot(), self._journal.pending("updating", goal):
            try:
                if attempted is not None and attempted.inputs != goal.inputs:
                    # It is as that update was to make it, or as before: away from either.
                    self._call_update(work, old.changed(inputs=attempted.inputs))
                outputs = self._call_update(work, old)
            except InitializationError as error:
                failure, outputs = error, error.outputs
            made = goal.changed(
                outputs=self._run.marked(goal, outputs),
                init_errors=self._reasons(failure),
                modified=now(),
            )
            self._journal.confirm(made)
        self._journal.commit()
        if failure is not None:
            raise failure
        return made

    def _call_create(self, work: Work) -> tuple[str, Properties]:
        return work.plugin.create(
            work.urn,
            work.goal.type,
            work.goal.inputs,
            timeout=work.goal.custom_timeouts.get("create", 0),
            preview=self._run.preview,
        )

    def _call_update(self, work: Work, old: ResourceState) -> Properties:
        return work.plugin.update(
            work.urn,
            work.goal.type,
            old.id,
            old_inputs=old.inputs,
            old_outputs=old.outputs,
            news=work.goal.inputs,
            ignore_changes=work.registration.ignore_changes,
            timeout=work.goal.custom_timeouts.get("update", 0),
            preview=self._run.preview,
        )

    def _record(self, old: ResourceState | None, made: ResourceState) -> None:
        if old is None:
            self._journal.confirm(made)
        else:
            self._journal.supersede(old, made)

    def _reasons(self, failure: InitializationError | None) -> tuple[str, ...]:
        if failure is None:
            return ()
        return tuple(self._run.masker.text(reason) for reason in failure.reasons) or (str(failure),)
