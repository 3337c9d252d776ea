"""Provider resources: registering them, and the plugin that serves a reference."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from lab.engine.failure import StepFailedError
from lab.engine.journal import Journal
from lab.engine.operation import OperationRun
from lab.engine.plugin import Plugin, PluginError
from lab.engine.plugins import Plugins, ProviderSource
from lab.engine.provider_inputs import check_endpoints, own_inputs, secretive
from lab.engine.registration import Registration
from pulumi_protocol.checkpoint import ResourceState, now
from pulumi_protocol.values import UNKNOWN, Properties, plain


class Providers:
    """The providers of one deployment, each served by a plugin process of its own."""

    def __init__(
        self,
        run: OperationRun,
        journal: Journal,
        plugins: Plugins,
        before: Sequence[ResourceState],
    ) -> None:
        self._run = run
        self._journal = journal
        self._plugins = plugins
        self._before = {state.urn: state for state in before if not state.delete}
        self.source = ProviderSource(plugins, lambda: [*journal.all(), *before])

    def register(self, registration: Registration) -> ResourceState:
        """Checks and configures a provider; a change that moves it gives it a new id."""
        urn, inputs = registration.urn, registration.inputs
        if registration.version:
            inputs = {**inputs, "version": registration.version}
        check_endpoints(urn, registration.type, inputs)
        old = self._journal.previous(urn)
        try:
            plugin = self._plugins.connect()
            olds = own_inputs(old.inputs) if old else {}
            checked = plugin.check_config(urn, olds, inputs)
            replaced = old is not None and _replaced(plugin, old, checked)
            id = old.id if old is not None and not replaced else self._new_id()
            self._plugins.configure(urn, id, checked)
        except PluginError as error:
            raise StepFailedError(urn, str(error)) from None
        self._run.masker.learn(secretive(registration.type, checked))
        kept = {key: value for key, value in (old.inputs if old else {}).items() if key[:2] == "__"}
        goal = registration.state({**checked, **kept}, now())
        goal = goal.changed(id=id, outputs=checked, created=old.created if old else goal.created)
        if old is not None and replaced:
            self._journal.supersede(old, goal)
        else:
            self._journal.confirm(goal)
        return goal

    def serving(self, reference: str, urn: str, what: str) -> Plugin:
        """The plugin of a provider reference; StepFailedError names ``what`` has none."""
        if not reference:
            raise StepFailedError(
                urn,
                f"{what} has no explicit provider, and default providers are refused: "
                "they would serve whatever region the environment names",
            )
        plugin = self._plugins.get(reference)
        if plugin is None:
            raise StepFailedError(urn, f"the provider {reference} isn't registered")
        return plugin

    def moved(self, old: ResourceState, goal: ResourceState) -> bool:
        """Whether the provider changed in a way that puts the resource elsewhere (its region)."""
        if old.provider == goal.provider:
            return False
        before = self._before.get(old.provider_urn)
        after = self._journal.current(goal.provider_urn)
        if before is None or after is None:
            return True
        plugin = self.serving(goal.provider, goal.urn, "it")
        olds, news = own_inputs(before.inputs), own_inputs(after.inputs)
        return bool(plugin.diff_config(after.urn, before.id, olds, news).replaces)

    def renamed(self, state: ResourceState) -> None:
        """A resource from before is known under another URN now; it may be a provider."""
        self._before[state.urn] = state

    def _new_id(self) -> str:
        return UNKNOWN if self._run.preview else str(uuid.uuid4())


def _replaced(plugin: Plugin, old: ResourceState, checked: Properties) -> bool:
    olds = own_inputs(old.inputs)
    changed = plain(olds) != plain(checked)
    return changed and bool(plugin.diff_config(old.urn, old.id, olds, checked).replaces)
