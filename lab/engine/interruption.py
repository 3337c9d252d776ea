"""What earlier runs began to create and never saw the end of is looked for, and known again."""

from __future__ import annotations

from lab.engine.failure import StepFailedError
from lab.engine.journal import Journal
from lab.engine.operation import OperationRun
from lab.engine.plugin import PluginError
from lab.engine.plugins import ProviderSource
from pulumi_protocol.checkpoint import ResourceState

_REASON = "its creation was interrupted"


def settle(run: OperationRun, journal: Journal, providers: ProviderSource) -> None:
    """Looks for what each creation of unknown end may have made, before anything else is done.

    What is found is recorded as if the creation's end had been, so that everything after it
    (updating, replacing, deleting in order) treats it as any other half-made resource. A failure
    stays with the run, and what it concerns on record.
    """
    for begun in journal.interrupted_creations():
        if run.spares(begun.provider):
            continue
        try:
            journal.adopt(begun, _found(begun, run, journal, providers))
        except PluginError as error:
            run.fail(StepFailedError(begun.urn, run.masker.text(str(error)), "looking for"))
            return
        except StepFailedError as failure:
            run.fail(failure)
            return


def _found(
    begun: ResourceState, run: OperationRun, journal: Journal, providers: ProviderSource
) -> ResourceState | None:
    if not begun.managed:
        return None
    # By the inputs it was begun with: they name it, whatever the program says now.
    id, inputs, outputs = providers.of(begun).read(begun.urn, begun.type, "", begun.inputs, {})
    # By type, not by URN: under a new URN the same physical name may be in use again.
    known = {one.id for one in journal.all() if one.type == begun.type}
    if not id or id in known:
        return None
    run.masker.learn(inputs, outputs)
    return begun.changed(
        id=id,
        inputs=inputs or begun.inputs,
        outputs=run.marked(begun, outputs),
        init_errors=(_REASON,),
    )
