"""Refreshing: asking the plugins what the resources are really like."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from lab.engine.failure import StepFailedError
from lab.engine.journal import Journal
from lab.engine.operation import OperationRun
from lab.engine.plugin import PluginError
from lab.engine.plugins import ProviderSource
from pulumi_protocol.checkpoint import ResourceState, now
from pulumi_protocol.events import Operation
from pulumi_protocol.paths import ignoring, property_diffs
from pulumi_protocol.urns import STACK_REFERENCE_TYPE
from pulumi_protocol.values import contains_secret, secret


class Refresh:
    """Reads every resource and records what has changed or gone."""

    def __init__(self, run: OperationRun, journal: Journal, providers: ProviderSource) -> None:
        self._run = run
        self._journal = journal
        self._providers = providers

    def refresh(self, states: Sequence[ResourceState]) -> None:
        """Reads all of them, in parallel. Failures are left with the run."""
        read = [
            state
            for state in states
            if state.custom
            and not state.is_provider
            and state.type != STACK_REFERENCE_TYPE
            and not self._run.spares(state.provider)
        ]
        with ThreadPoolExecutor(max_workers=self._run.parallel) as pool:
            list(pool.map(self._one, read))
        gone = {state.urn for state in read} - {state.urn for state in self._journal.all()}
        if gone:
            self._cut_references(gone)
        self._journal.commit()

    def _one(self, state: ResourceState) -> None:
        if self._run.stopped:
            return
        try:
            self._read(state)
        except StepFailedError as failure:
            self._run.fail(failure)
        except PluginError as error:
            message = self._run.masker.text(str(error))
            self._run.emit(Operation.REFRESH, state, "failed", message=message)
            self._run.fail(StepFailedError(state.urn, message, "reading"))

    def _read(self, state: ResourceState) -> None:
        plugin = self._providers.of(state)
        with self._run.slot():
            id, inputs, outputs = plugin.read(
                state.urn, state.type, state.id, state.inputs, state.outputs
            )
        if not id:
            self._journal.forget(state)
            self._run.emit(Operation.DELETE, state, "done", message="it is gone")
            return
        hidden = {
            *state.additional_secret_outputs,
            *(key for key, value in state.inputs.items() if contains_secret(value)),
            *(key for key, value in state.outputs.items() if contains_secret(value)),
        }
        inputs = {key: secret(value) if key in hidden else value for key, value in inputs.items()}
        outputs = {key: secret(value) if key in hidden else value for key, value in outputs.items()}
        self._run.masker.learn(inputs, outputs)
        fresh = state.changed(id=id, inputs=inputs or state.inputs, outputs=outputs)
        if fresh.same_as(state):
            self._run.emit(Operation.REFRESH, state, "done")
            if state.managed:
                self._run.count(Operation.SAME)
            return
        fresh = fresh.changed(modified=now())
        self._journal.replace(state, fresh)
        # As with the CLI: what AWS alone decides (members, status) is news, and no drift; nor is
        # what the program leaves to others.
        cared_for = ignoring(fresh.inputs, state.inputs, state.ignore_changes)
        diff = property_diffs(state.inputs, cared_for)
        self._run.emit(Operation.REFRESH, fresh, "done", diff=diff)
        if state.managed and diff:
            self._run.count(Operation.UPDATE)
        elif state.managed:
            self._run.count(Operation.SAME)

    def _cut_references(self, gone: set[str]) -> None:
        """What is gone can't be named by others any more: the state would not be importable."""
        for state in self._journal.all():
            if not state.needs & gone:
                continue
            kept = replace(
                state,
                dependencies=tuple(urn for urn in state.dependencies if urn not in gone),
                property_dependencies={
                    key: tuple(urn for urn in urns if urn not in gone)
                    for key, urns in state.property_dependencies.items()
                },
                deleted_with="" if state.deleted_with in gone else state.deleted_with,
                _cache=[],
            )
            self._journal.replace(state, kept)
