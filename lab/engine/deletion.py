"""Deleting resources in the reverse of the order in which they need each other, in parallel."""

from __future__ import annotations

import queue
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from lab.engine.failure import StepFailedError
from lab.engine.journal import Journal
from lab.engine.operation import OperationRun
from lab.engine.plugin import PluginError
from lab.engine.plugins import ProviderSource
from pulumi_protocol.checkpoint import ResourceState
from pulumi_protocol.events import Operation


class Deletion:
    """Deletes resources: each when nothing that needs it is left."""

    def __init__(self, run: OperationRun, journal: Journal, providers: ProviderSource) -> None:
        self._run = run
        self._journal = journal
        self._providers = providers

    def delete(
        self,
        states: Sequence[ResourceState],
        operation: Callable[[ResourceState], Operation | None],
    ) -> None:
        """Deletes them all; after a failure what is under way finishes and nothing new begins.

        ``operation`` says as what each deletion is reported and counted; None: not at all.
        Failures are left with the run.
        """
        waiting = {id(state): state for state in states}
        users: dict[int, set[int]] = {id(state): set() for state in states}
        by_urn: dict[str, list[int]] = {}
        for state in states:
            by_urn.setdefault(state.urn, []).append(id(state))
        for state in states:
            for urn in state.needs:
                for needed in by_urn.get(urn, ()):
                    users[needed].add(id(state))
        together = frozenset(state.urn for state in states)
        ended: queue.Queue[tuple[ResourceState, bool]] = queue.Queue()
        running = 0
        with ThreadPoolExecutor(max_workers=self._run.parallel) as pool:
            while waiting or running:
                ready = [key for key in waiting if not users[key]] if not self._run.stopped else []
                for key in ready:
                    state = waiting.pop(key)
                    pool.submit(self._one, state, operation(state), together, ended)
                    running += 1
                if not running:
                    break
                state, gone = ended.get()
                running -= 1
                if gone:
                    for others in users.values():
                        others.discard(id(state))
        if waiting and not self._run.stopped:
            names = ", ".join(sorted(state.name for state in waiting.values()))
            state = next(iter(waiting.values()))
            self._run.fail(StepFailedError(state.urn, f"they need each other: {names}", "deleting"))

    def _one(
        self,
        state: ResourceState,
        operation: Operation | None,
        together: frozenset[str],
        ended: queue.Queue[tuple[ResourceState, bool]],
    ) -> None:
        gone = False
        try:
            self.delete_one(state, operation, together)
            gone = True
        except StepFailedError as failure:
            self._run.fail(failure)
        except Exception as error:
            self._run.fail(StepFailedError(state.urn, f"{type(error).__name__}: {error}"))
        finally:
            ended.put((state, gone))

    def delete_one(
        self, state: ResourceState, operation: Operation | None, together: frozenset[str]
    ) -> None:
        """Deletes one resource and records it. StepFailedError says why not."""
        # What goes with another resource, and what no plugin has made, is only forgotten.
        called = state.managed and state.deleted_with not in together
        try:
            if operation is not None and state.managed:
                with self._run.reporting(operation, state):
                    self._delete(state, called=called)
            else:
                self._delete(state, called=called)
        except PluginError as error:
            message = self._run.masker.text(str(error))
            raise StepFailedError(state.urn, message, "deleting") from None

    def _delete(self, state: ResourceState, *, called: bool) -> None:
        if called:
            plugin = self._providers.of(state)
            with self._run.slot(), self._journal.pending("deleting", state):
                plugin.delete(
                    state.urn,
                    state.type,
                    state.id,
                    state.inputs,
                    state.outputs,
                    timeout=state.custom_timeouts.get("delete", 0),
                )
                self._journal.forget(state)
        else:
            self._journal.forget(state)
        for kind in ("deleting", "updating"):
            interrupted = self._journal.interrupted(state.urn, kind)
            if interrupted is not None and interrupted.resource.delete == state.delete:
                self._journal.resolve(interrupted)
        if state.managed:
            self._journal.commit()
