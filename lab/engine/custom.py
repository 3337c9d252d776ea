"""Custom resources: checked and compared by their plugin, decided about, and acted upon."""

from __future__ import annotations

from lab.engine.decision import (
    UNDIFFERENT,
    Create,
    Decision,
    Difference,
    Goal,
    Interrupted,
    Replace,
    Update,
    decide,
)
from lab.engine.failure import StepFailedError
from lab.engine.interruption import Interruption
from lab.engine.journal import Journal
from lab.engine.ledger import Ledger
from lab.engine.operation import OperationRun
from lab.engine.plugin import PluginError
from lab.engine.providers import Providers
from lab.engine.registration import Registration
from lab.engine.replacing import Replacing
from lab.engine.steps import Steps, Work, checked
from pulumi_protocol.checkpoint import ResourceState
from pulumi_protocol.events import Operation


class CustomResources:
    """Brings each custom resource to what its registration says."""

    def __init__(
        self, run: OperationRun, journal: Journal, ledger: Ledger, providers: Providers
    ) -> None:
        self._run = run
        self._journal = journal
        self._ledger = ledger
        self._providers = providers
        self._interruption = Interruption(run, journal, providers.source)
        self._steps = Steps(run, journal, ledger)
        self._replacing = Replacing(run, journal, ledger, providers.source, self._steps)

    def register(self, registration: Registration) -> ResourceState:
        """Returns the resource as it is then; StepFailedError says why not."""
        plugin = self._providers.serving(registration.provider, registration.urn, "it")
        old = self._journal.previous(registration.urn)
        try:
            registration = registration.keeping(old)
            work = checked(self._run, registration, plugin, old.inputs if old else {})
            old = old or self._interruption.adopted(work)
            return self._act(work, self._decided(work, old))
        except (PluginError, ValueError) as error:
            raise StepFailedError(registration.urn, self._run.masker.text(str(error))) from None

    def _decided(self, work: Work, old: ResourceState | None) -> Decision:
        goal = Goal(
            work.goal.inputs,
            work.registration.replace_on_changes,
            work.registration.delete_before_replace,
        )
        difference = UNDIFFERENT if old is None else self._difference(work, old)
        interrupted = Interrupted(
            updating=self._journal.interrupted(work.urn, "updating") is not None,
            deleting=self._journal.interrupted(work.urn, "deleting") is not None,
            cleared=self._ledger.cleared(work.urn),
        )
        return decide(goal, old, difference, interrupted)

    def _difference(self, work: Work, old: ResourceState) -> Difference:
        difference = work.plugin.diff(
            work.urn,
            work.goal.type,
            old.id,
            old_inputs=old.inputs,
            old_outputs=old.outputs,
            news=work.goal.inputs,
            ignore_changes=work.registration.ignore_changes,
        )
        return difference.moved() if self._providers.moved(old, work.goal) else difference

    def _act(self, work: Work, decision: Decision) -> ResourceState:
        match decision:
            case Create(again):
                # Deleted already, to make way for the replacement of something it needs.
                return self._steps.create(work, Operation.REPLACE if again else Operation.CREATE)
            case Replace():
                return self._replacing.replace(work, decision)
            case Update(old):
                return self._steps.update(work, old)
        return self._steps.keep(work, decision.old)
