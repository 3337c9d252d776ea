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
from pulumi_protocol.urns import name_of, referred


class CustomResources:
    """Brings each custom resource to what its registration says."""

    def __init__(
        self, run: OperationRun, journal: Journal, ledger: Ledger, providers: Providers
    ) -> None:
        self._run = run
        self._journal = journal
        self._ledger = ledger
        self._providers = providers
        self._steps = Steps(run, journal, ledger)
        self._replacing = Replacing(run, journal, ledger, providers, self._steps)

    def register(self, registration: Registration) -> ResourceState | None:
        """Returns the resource as it is then, None for a new one of a provider that is left
        alone; StepFailedError says why not."""
        if self._run.spares(registration.provider):
            return self._leave(registration)
        for urn in self._ledger.passed(registration.dependencies):
            raise StepFailedError(
                registration.urn,
                f"it needs {name_of(urn)}, which is new and isn't made in a run that leaves its "
                "provider alone",
            )
        plugin = self._providers.serving(registration.provider, registration.urn, "it")
        old = self._journal.previous(registration.urn)
        try:
            registration = registration.keeping(old)
            work = checked(self._run, registration, plugin, old.inputs if old else {})
            return self._act(work, self._decided(work, old))
        except (PluginError, ValueError) as error:
            raise StepFailedError(registration.urn, self._run.masker.text(str(error))) from None

    def _leave(self, registration: Registration) -> ResourceState | None:
        old = self._journal.previous(registration.urn)
        if old is None:
            provider = name_of(referred(registration.provider))
            message = f"new, and not made: {provider} is left alone"
            self._run.log("warning", message, registration.urn)
            self._ledger.pass_over(registration.urn)
            return None
        self._journal.leave(old)
        self._run.emit(Operation.SAME, old, "planned" if self._run.preview else "done")
        return old

    def _decided(self, work: Work, old: ResourceState | None) -> Decision:
        goal = Goal(
            work.goal.inputs,
            work.registration.replace_on_changes,
            work.registration.delete_before_replace,
        )
        difference = UNDIFFERENT if old is None else self._difference(work, old)
        interrupted = Interrupted(
            updating=old is not None and self._journal.interrupted(old, "updating"),
            deleting=old is not None and self._journal.interrupted(old, "deleting"),
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
                return self._replacing.create(work, again=again)
            case Replace():
                return self._replacing.replace(work, decision)
            case Update(old):
                return self._steps.update(work, old)
        return self._steps.keep(work, decision.old)
