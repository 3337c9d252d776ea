"""Calls of providers' functions."""

from __future__ import annotations

from lab.engine.failure import StepFailedError
from lab.engine.ledger import Ledger
from lab.engine.operation import OperationRun
from lab.engine.plugin import PluginError
from lab.engine.providers import Providers
from lab.engine.registration import Invocation
from pulumi_protocol.urns import name_of, referred
from pulumi_protocol.values import Properties, contains_unknown


def invoke(
    call: Invocation, run: OperationRun, providers: Providers, ledger: Ledger
) -> Properties | None:
    """Returns the function's answer; None in a preview that knows too little to ask."""
    run.masker.learn(call.arguments)
    if run.spares(call.provider):
        region = name_of(referred(call.provider))
        raise StepFailedError(
            call.token, f"the program asks {region}, which this run leaves alone", "invoking"
        )
    plugin = providers.serving(call.provider, call.token, f"the invoke {call.token}")
    waits = ledger.any_planned(call.depends_on) or contains_unknown(call.arguments)
    if run.preview and waits:
        return None
    try:
        answer = plugin.invoke(call.token, call.arguments, preview=run.preview)
    except PluginError as error:
        raise StepFailedError(call.token, run.masker.text(str(error)), "invoking") from None
    run.masker.learn(answer)
    return answer
