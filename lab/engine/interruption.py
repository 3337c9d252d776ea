"""What earlier runs began and never saw the end of: found again, taken up or swept away."""

from __future__ import annotations

from lab.engine.deletion import Deletion
from lab.engine.failure import StepFailedError
from lab.engine.journal import Journal
from lab.engine.operation import OperationRun
from lab.engine.plugin import PluginError
from lab.engine.plugins import ProviderSource
from lab.engine.steps import Work
from pulumi_protocol.checkpoint import ResourceState
from pulumi_protocol.events import Operation
from pulumi_protocol.values import contains_unknown


class Interruption:
    """Clears up after runs that were killed in the middle of a plugin's call."""

    def __init__(self, run: OperationRun, journal: Journal, providers: ProviderSource) -> None:
        self._run = run
        self._journal = journal
        self._providers = providers

    def adopted(self, work: Work) -> ResourceState | None:
        """The resource that a creation of unknown end has left behind, known from now on."""
        found = self.found(work)
        if found is not None:
            self._journal.adopt(found)
        return found

    def found(self, work: Work, *, known_id: str = "") -> ResourceState | None:
        """What a creation of unknown end has left behind, unless it is ``known_id``; or None."""
        interrupted = self._journal.interrupted(work.urn, "creating")
        if interrupted is None or contains_unknown(work.goal.inputs):
            return None
        # The inputs it was begun with name it best; these may have changed since.
        begun = interrupted.resource
        id, inputs, outputs = work.plugin.read(work.urn, work.goal.type, "", begun.inputs, {})
        if not id or id == known_id:
            return None
        self._run.masker.learn(inputs, outputs)
        return work.goal.changed(
            id=id,
            inputs=inputs or begun.inputs,
            outputs=self._run.marked(work.goal, outputs),
            init_errors=("its creation was interrupted",),
        )

    def settle(self) -> None:
        """Settles what nobody has taken up: a creation may have happened. Failures stay with the
        run, and what they concern on record."""
        if self._run.preview:
            return
        for pending in self._journal.all_interrupted():
            state = pending.resource
            if pending.type == "creating" and state.managed:
                try:
                    self._sweep(state)
                except PluginError as error:
                    text = self._run.masker.text(str(error))
                    self._run.fail(StepFailedError(state.urn, text, "looking for"))
                    return
                except StepFailedError as failure:
                    self._run.fail(failure)
                    return
            elif pending.type == "deleting":
                continue  # still in the state: deleted again with the rest
            self._journal.resolve(pending)

    def _sweep(self, state: ResourceState) -> None:
        plugin = self._providers.of(state)
        found, inputs, outputs = plugin.read(state.urn, state.type, "", state.inputs, {})
        # By type, not by URN: under a new URN the same physical name may be in use again.
        known = {one.id for one in self._journal.all() if one.type == state.type}
        if found and found not in known:
            orphan = state.changed(id=found, inputs=inputs or state.inputs, outputs=outputs)
            deletion = Deletion(self._run, self._journal, self._providers)
            deletion.delete_one(orphan, Operation.DELETE, frozenset())
