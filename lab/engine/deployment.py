"""The steps that a running program asks for: registering, reading, invoking."""

from __future__ import annotations

import re
import secrets
import threading
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from pulumi.runtime.proto import resource_pb2

from lab.engine.assets import AssetError, with_hashes
from lab.engine.deletion import Deletion
from lab.engine.journal import Journal
from lab.engine.operation import (
    OperationRun,
    Plugins,
    ProviderSource,
    StepFailedError,
    check_endpoints,
    own_inputs,
    secretive,
)
from lab.engine.plugin import Difference, InitializationError, Plugin, PluginError
from pulumi_protocol.checkpoint import ResourceState, now
from pulumi_protocol.events import Operation, PropertyDiff
from pulumi_protocol.paths import differences, ignoring, matches, parse, property_diffs
from pulumi_protocol.structs import from_struct, to_struct
from pulumi_protocol.urns import (
    INTERNAL_PROVIDER_TYPE,
    PROVIDER_PREFIX,
    STACK_REFERENCE_TYPE,
    STACK_TYPE,
)
from pulumi_protocol.values import (
    UNKNOWN,
    Properties,
    contains_secret,
    contains_unknown,
    plain,
    secret,
)

_UNSUPPORTED_FIELDS = {
    "importId": "import_",
    "transforms": "transforms",
    "hooks": "hooks",
    "state_migrations": "state_migrations",
    "replace_with": "replace_with",
    "replacement_trigger": "replacement_trigger",
    "packageRef": "a parameterized package",
    "envVarMappings": "env_var_mappings",
    "remote": "a remote component",
}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}

ReadStack = Callable[[str, str], Properties | None]


class Deployment:
    """Carries out what the program registers, one call a resource, many at the same time."""

    def __init__(
        self,
        run: OperationRun,
        journal: Journal,
        plugins: Plugins,
        before: Sequence[ResourceState],
        read_stack: ReadStack,
    ) -> None:
        self._run = run
        self._journal = journal
        self._plugins = plugins
        self._before = {state.urn: state for state in before if not state.delete}
        self._read_stack = read_stack
        self._providers = ProviderSource(plugins, lambda: [*journal.all(), *before])
        self.deletion = Deletion(run, journal, self._providers)
        self._lock = threading.Lock()
        self._replacing = threading.Lock()
        self._seen: set[str] = set()
        self._not_yet_made: set[str] = set()
        self._to_recreate: set[str] = set()
        self._internal_provider: ResourceState | None = None
        self._stack: ResourceState | None = None

    # Registering

    def register(self, request: Any) -> Any:
        """Bring one resource to what the program wants; the answer of RegisterResource."""
        urn = self._urn(request.type, request.name, request.parent)
        self._refuse_unsupported(request, urn)
        with self._lock:
            if urn in self._seen:
                raise StepFailedError(urn, "a resource of this type and name is registered twice")
            self._seen.add(urn)
        try:
            inputs = with_hashes(from_struct(request.object), self._run.project.directory)
        except (AssetError, ValueError) as error:
            raise StepFailedError(urn, str(error)) from None
        self._run.masker.learn(secretive(request.type, inputs))
        self._follow_alias(request, urn)
        if not request.custom:
            state = self._component(request, urn, inputs)
        elif request.type.startswith(PROVIDER_PREFIX):
            state = self._provider(request, urn, inputs)
        else:
            state = self._custom(request, urn, inputs)
        return self._answer(request, state)

    def register_outputs(self, urn: str, outputs: Properties) -> None:
        """A component (or the stack) tells its outputs."""
        state = self._journal.current(urn)
        if state is None:
            raise StepFailedError(urn, "outputs of a resource that isn't registered")
        self._run.masker.learn(outputs)
        changed = state.changed(outputs=outputs, modified=now())
        if state.type == STACK_TYPE:
            # The SDK tells them even when the program has failed half-way.
            self._stack = changed
        else:
            self._journal.confirm(changed)

    def _answer(self, request: Any, state: ResourceState) -> Any:
        outputs = state.outputs
        if not request.acceptSecrets:
            outputs = plain(outputs)
        known = state.id != UNKNOWN
        return resource_pb2.RegisterResourceResponse(
            urn=state.urn, id=state.id if known else "", object=to_struct(outputs)
        )

    def _refuse_unsupported(self, request: Any, urn: str) -> None:
        for name, shown in _UNSUPPORTED_FIELDS.items():
            value = getattr(request, name)
            if name in ("hooks", "replacement_trigger"):
                value = request.HasField(name) and value.ByteSize()
            if value:
                raise StepFailedError(urn, f"the embedded engine does not support {shown}")
        if request.protect:
            raise StepFailedError(urn, "protect is refused: everything here must be destroyable")
        if request.retainOnDelete:
            raise StepFailedError(
                urn, "retain_on_delete is refused: everything here must be destroyable"
            )

    def _urn(self, type: str, name: str, parent: str) -> str:
        project = self._run.project
        chain = parent.split("::")[2] if parent else ""
        chain = "" if chain == STACK_TYPE else f"{chain}$" if chain else ""
        return f"urn:pulumi:{project.stack}::{project.name}::{chain}{type}::{name}"

    def _follow_alias(self, request: Any, urn: str) -> None:
        """Let a resource that is known under another URN continue under this one."""
        if self._journal.previous(urn) is not None:
            return
        for alias in self._aliases(request):
            old = self._journal.previous(alias)
            if old is not None:
                renamed = old.changed(urn=urn, type=request.type)
                self._journal.rename(alias, renamed)
                with self._lock:
                    self._before[urn] = renamed
                return

    def _aliases(self, request: Any) -> list[str]:
        urns = list(request.aliasURNs)
        project = self._run.project
        for alias in request.aliases:
            if alias.WhichOneof("alias") == "urn":
                urns.append(alias.urn)
                continue
            spec = alias.spec
            parent = "" if spec.noParent else spec.parentUrn or request.parent
            urn = self._urn(spec.type or request.type, spec.name or request.name, parent)
            head = f"urn:pulumi:{spec.stack or project.stack}::{spec.project or project.name}::"
            urns.append(head + urn.split("::", 2)[2])
        return urns

    def _goal(self, request: Any, urn: str, inputs: Properties) -> ResourceState:
        """The resource as the program wants it, before its id and outputs are known."""
        timeouts = {
            name: _seconds(text, urn)
            for name in ("create", "update", "delete", "read")
            if (text := getattr(request.customTimeouts, name))
        }
        moment = now()
        return ResourceState(
            urn=urn,
            type=request.type,
            custom=request.custom,
            inputs=inputs,
            parent=request.parent,
            provider=request.provider if request.custom else "",
            dependencies=tuple(sorted(set(request.dependencies))),
            property_dependencies={
                key: tuple(sorted(set(entry.urns)))
                for key, entry in sorted(request.propertyDependencies.items())
            },
            created=moment,
            modified=moment,
            deleted_with=request.deletedWith,
            ignore_changes=tuple(request.ignoreChanges),
            additional_secret_outputs=tuple(request.additionalSecretOutputs),
            custom_timeouts=timeouts,
        )

    def _component(self, request: Any, urn: str, inputs: Properties) -> ResourceState:
        goal = self._goal(request, urn, inputs)
        old = self._journal.previous(urn)
        if old is not None:
            goal = goal.changed(outputs=old.outputs, created=old.created)
        self._journal.confirm(goal)
        return goal

    # Providers

    def _provider(self, request: Any, urn: str, inputs: Properties) -> ResourceState:
        if request.version:
            inputs = {**inputs, "version": request.version}
        check_endpoints(urn, request.type, inputs)
        old = self._journal.previous(urn)
        try:
            plugin = self._plugins.connect()
            olds = own_inputs(old.inputs) if old else {}
            checked = plugin.check_config(urn, olds, inputs)
            replaced = (
                old is not None
                and plain(olds) != plain(checked)
                and bool(plugin.diff_config(urn, old.id, olds, checked).replaces)
            )
            id = self._provider_id(old, replaced=replaced)
            plugin.configure(urn, id, checked)
        except PluginError as error:
            raise StepFailedError(urn, str(error)) from None
        self._run.masker.learn(secretive(request.type, checked))
        kept = {key: value for key, value in (old.inputs if old else {}).items() if key[:2] == "__"}
        goal = self._goal(request, urn, {**checked, **kept})
        goal = goal.changed(id=id, outputs=checked, created=old.created if old else goal.created)
        if old is not None and replaced:
            self._journal.supersede(old, goal)
        else:
            self._journal.confirm(goal)
        self._plugins.put(f"{urn}::{id}", plugin)
        return goal

    def _provider_id(self, old: ResourceState | None, *, replaced: bool) -> str:
        if old is not None and not replaced:
            return old.id
        return UNKNOWN if self._run.preview else str(uuid.uuid4())

    def _plugin(self, reference: str, urn: str, what: str) -> Plugin:
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

    # Custom resources

    def _custom(self, request: Any, urn: str, inputs: Properties) -> ResourceState:
        plugin = self._plugin(request.provider, urn, "it")
        old = self._journal.previous(urn)
        try:
            if old is not None and request.ignoreChanges:
                inputs = ignoring(inputs, old.inputs, request.ignoreChanges)
            checked = self._check(plugin, request, urn, old.inputs if old else {}, inputs)
            goal = self._goal(request, urn, checked)
            if old is None:
                old = self._found_after_interruption(plugin, goal, known_id="")
                if old is not None:
                    self._journal.adopt(old)
            if old is None:
                # Deleted already, to make way for the replacement of something it needs.
                again = urn in self._to_recreate
                return self._create(plugin, goal, Operation.REPLACE if again else Operation.CREATE)
            return self._continue(plugin, request, goal, old, inputs)
        except (PluginError, ValueError) as error:
            raise StepFailedError(urn, self._run.masker.text(str(error))) from None

    def _check(
        self, plugin: Plugin, request: Any, urn: str, olds: Properties, news: Properties
    ) -> Properties:
        checked = plugin.check(urn, request.type, olds, news, secrets.token_bytes(32))
        checked = with_hashes(checked, self._run.project.directory)
        self._run.masker.learn(checked)
        return checked

    def _found_after_interruption(
        self, plugin: Plugin, goal: ResourceState, *, known_id: str
    ) -> ResourceState | None:
        """What a creation that an earlier run never saw the end of has left behind, if anything."""
        interrupted = self._journal.interrupted(goal.urn, "creating")
        if interrupted is None or contains_unknown(goal.inputs):
            return None
        # The inputs it was begun with name it best; these may have changed since.
        begun = interrupted.resource
        found, inputs, outputs = plugin.read(goal.urn, goal.type, "", begun.inputs, {})
        if not found or found == known_id:
            return None
        self._run.masker.learn(inputs, outputs)
        return goal.changed(
            id=found,
            inputs=inputs or begun.inputs,
            outputs=self._with_secrets(goal, outputs),
            init_errors=("its creation was interrupted",),
        )

    def _create(
        self,
        plugin: Plugin,
        goal: ResourceState,
        operation: Operation,
        *,
        old: ResourceState | None = None,
        diff: Sequence[PropertyDiff] = (),
    ) -> ResourceState:
        if self._run.preview:
            made = self._previewed(plugin, goal)
            self._run.tell(operation, made, "planned", diff=diff)
            with self._lock:
                self._not_yet_made.add(goal.urn)
            self._record(old, made)
            return made
        with self._run.telling(operation, goal, diff):
            return self._created(plugin, goal, old)

    def _previewed(self, plugin: Plugin, goal: ResourceState) -> ResourceState:
        if not plugin.supports_preview:
            return goal.changed(id=UNKNOWN, outputs=goal.inputs)
        _, outputs = plugin.create(
            goal.urn,
            goal.type,
            goal.inputs,
            timeout=goal.custom_timeouts.get("create", 0),
            preview=True,
        )
        return goal.changed(id=UNKNOWN, outputs=self._with_secrets(goal, outputs))

    def _created(
        self, plugin: Plugin, goal: ResourceState, old: ResourceState | None
    ) -> ResourceState:
        failure: InitializationError | None = None
        with self._run.slot(), self._journal.pending("creating", goal):
            try:
                id, outputs = plugin.create(
                    goal.urn,
                    goal.type,
                    goal.inputs,
                    timeout=goal.custom_timeouts.get("create", 0),
                    preview=False,
                )
            except InitializationError as error:
                failure, id, outputs = error, error.id, error.outputs
            made = goal.changed(
                id=id,
                outputs=self._with_secrets(goal, outputs),
                init_errors=self._reasons(failure),
                modified=now(),
            )
            self._record(old, made)
        self._journal.commit()
        if failure is not None:
            raise failure
        return made

    def _reasons(self, failure: InitializationError | None) -> tuple[str, ...]:
        if failure is None:
            return ()
        return tuple(self._run.masker.text(reason) for reason in failure.reasons) or (str(failure),)

    def _record(self, old: ResourceState | None, made: ResourceState) -> None:
        if old is None:
            self._journal.confirm(made)
        else:
            self._journal.supersede(old, made)

    def _with_secrets(self, goal: ResourceState, outputs: Properties) -> Properties:
        """Outputs that are named secret, or whose input is, marked as secrets."""
        named = {
            *goal.additional_secret_outputs,
            *(key for key, value in goal.inputs.items() if contains_secret(value)),
        }
        marked = {
            key: secret(value) if key in named and value != UNKNOWN else value
            for key, value in outputs.items()
        }
        self._run.masker.learn(marked)
        return marked

    def _continue(
        self,
        plugin: Plugin,
        request: Any,
        goal: ResourceState,
        old: ResourceState,
        inputs: Properties,
    ) -> ResourceState:
        """The resource exists: leave it, change it in place, or replace it."""
        difference = plugin.diff(
            goal.urn,
            goal.type,
            old.id,
            old_inputs=old.inputs,
            old_outputs=old.outputs,
            news=goal.inputs,
            ignore_changes=request.ignoreChanges,
        )
        replaces = self._forcing(difference, request, goal, old)
        half_deleted = self._journal.interrupted(goal.urn, "deleting") is not None
        if replaces or half_deleted or goal.urn in self._to_recreate:
            first = half_deleted or goal.urn in self._to_recreate
            if request.deleteBeforeReplaceDefined:
                first = first or request.deleteBeforeReplace
            else:
                first = first or difference.delete_before_replace or request.deleteBeforeReplace
            return self._replace(plugin, request, goal, old, inputs, replaces, first=first)
        half_updated = self._journal.interrupted(goal.urn, "updating") is not None
        if difference.changes or old.init_errors or half_updated:
            return self._update(plugin, request, goal, old)
        kept = goal.changed(id=old.id, outputs=old.outputs, created=old.created)
        kept = kept.changed(outputs=self._with_secrets(kept, old.outputs), modified=old.modified)
        self._journal.confirm(kept)
        self._run.tell(Operation.SAME, kept, "planned" if self._run.preview else "done")
        return kept

    def _forcing(
        self, difference: Difference, request: Any, goal: ResourceState, old: ResourceState
    ) -> tuple[str, ...]:
        """The properties whose change forces replacement; empty = none does."""
        forcing = set(difference.replaces)
        if difference.changes and request.replaceOnChanges:
            changed = [parse(path) for path in difference.paths] or [
                path for path, _, _ in differences(old.inputs, goal.inputs)
            ]
            for pattern in request.replaceOnChanges:
                wanted = parse(pattern)
                if any(matches(wanted, path) for path in changed):
                    forcing.add(pattern)
        if old.provider != goal.provider and self._other_place(old, goal):
            forcing.add("provider")
        return tuple(sorted(forcing))

    def _other_place(self, old: ResourceState, goal: ResourceState) -> bool:
        """Whether the provider changed in a way that puts the resource elsewhere (its region)."""
        before = self._before.get(old.provider_urn)
        after = self._journal.current(goal.provider_urn)
        if before is None or after is None:
            return True
        plugin = self._plugin(goal.provider, goal.urn, "it")
        olds, news = own_inputs(before.inputs), own_inputs(after.inputs)
        return bool(plugin.diff_config(after.urn, before.id, olds, news).replaces)

    def _update(
        self, plugin: Plugin, request: Any, goal: ResourceState, old: ResourceState
    ) -> ResourceState:
        diff = property_diffs(old.inputs, goal.inputs)
        goal = goal.changed(id=old.id, created=old.created)

        def call() -> Properties:
            return plugin.update(
                goal.urn,
                goal.type,
                old.id,
                old_inputs=old.inputs,
                old_outputs=old.outputs,
                news=goal.inputs,
                ignore_changes=request.ignoreChanges,
                timeout=goal.custom_timeouts.get("update", 0),
                preview=self._run.preview,
            )

        if self._run.preview:
            outputs = call() if plugin.supports_preview else {**old.outputs, **goal.inputs}
            made = goal.changed(outputs=self._with_secrets(goal, outputs))
            self._journal.confirm(made)
            self._run.tell(Operation.UPDATE, made, "planned", diff=diff)
            return made
        with self._run.telling(Operation.UPDATE, goal, diff):
            failure: InitializationError | None = None
            with self._run.slot(), self._journal.pending("updating", goal):
                try:
                    outputs = call()
                except InitializationError as error:
                    failure, outputs = error, error.outputs
                made = goal.changed(
                    outputs=self._with_secrets(goal, outputs),
                    init_errors=self._reasons(failure),
                    modified=now(),
                )
                self._journal.confirm(made)
            self._journal.commit()
            if failure is not None:
                raise failure
            return made

    # Replacing

    def _replace(
        self,
        plugin: Plugin,
        request: Any,
        goal: ResourceState,
        old: ResourceState,
        inputs: Properties,
        replaces: Sequence[str],
        *,
        first: bool,
    ) -> ResourceState:
        """Replace the resource: the old one deleted `first`, or at the end of the deployment."""
        # Nothing of the old one may live on in the new one's inputs.
        checked = self._check(plugin, request, goal.urn, {}, inputs)
        goal = self._goal(request, goal.urn, checked)
        diff = property_diffs(old.inputs, checked, replaces)
        if not first:
            found = self._found_after_interruption(plugin, goal, known_id=old.id)
            if found is not None:
                self._journal.supersede(old, found)
                return self._update(plugin, request, goal, found)
            return self._create(plugin, goal, Operation.REPLACE, old=old, diff=diff)
        with self._replacing:
            already_gone = self._journal.previous(goal.urn) is None
            if not already_gone:
                self._clear_the_way(old)
        made = self._create(plugin, goal, Operation.REPLACE, diff=diff)
        with self._lock:
            self._to_recreate.discard(goal.urn)
        return made

    def _clear_the_way(self, old: ResourceState) -> None:
        """Delete a resource, and before it those that its replacement will replace as well."""
        doomed = self._replaced_along(old)
        with self._lock:
            self._to_recreate.update(state.urn for state in doomed)
        if self._run.preview:
            return
        self.deletion.delete(doomed, lambda _: None)
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
            plugin = self._providers.of(state)
            news = {**state.inputs, **dict.fromkeys(properties & state.inputs.keys(), UNKNOWN)}
            difference = plugin.diff(
                state.urn,
                state.type,
                state.id,
                old_inputs=state.inputs,
                old_outputs=state.outputs,
                news=news,
                ignore_changes=(),
            )
            if difference.replaces:
                doomed.append(state)
                affected.add(state.urn)
        return doomed

    # Reading and invoking

    def read(self, request: Any) -> Any:
        """`.get()` and StackReference: the answer of ReadResource."""
        urn = self._urn(request.type, request.name, request.parent)
        with self._lock:
            if urn in self._seen:
                raise StepFailedError(urn, "a resource of this type and name is registered twice")
            self._seen.add(urn)
        properties = from_struct(request.properties)
        self._run.masker.learn(properties)
        if request.type == STACK_REFERENCE_TYPE:
            state = self._read_reference(request, urn, properties)
        else:
            state = self._read_custom(request, urn, properties)
        self._journal.confirm(state)
        self._run.tell(Operation.READ, state, "planned" if self._run.preview else "done")
        outputs = state.outputs if request.acceptSecrets else plain(state.outputs)
        known = state.id != UNKNOWN
        return resource_pb2.ReadResourceResponse(
            urn=urn, properties=to_struct(outputs), id=state.id if known else ""
        )

    def _read_custom(self, request: Any, urn: str, properties: Properties) -> ResourceState:
        plugin = self._plugin(request.provider, urn, "it")
        goal = self._read_goal(request, urn, properties, request.provider)
        if request.id == UNKNOWN or contains_unknown(properties):
            return goal.changed(id=UNKNOWN, outputs=properties)
        old = self._journal.previous(urn)
        try:
            id, inputs, outputs = plugin.read(
                urn, request.type, request.id, old.inputs if old else {}, properties
            )
        except PluginError as error:
            raise StepFailedError(urn, self._run.masker.text(str(error)), "reading") from None
        if not id:
            raise StepFailedError(urn, f"there is no {request.type} {request.id!r}", "reading")
        goal = goal.changed(id=id, inputs=inputs)
        return goal.changed(outputs=self._with_secrets(goal, outputs))

    def _read_reference(self, request: Any, urn: str, properties: Properties) -> ResourceState:
        name = str(plain(properties.get("name", request.id)))
        if name == UNKNOWN or contains_unknown(name):
            raise StepFailedError(urn, "the referenced stack's name isn't known", "reading")
        organization, _, rest = name.partition("/")
        project, _, stack = rest.partition("/")
        if organization != "organization" or not project or not stack or "/" in stack:
            raise StepFailedError(
                urn, f"{name!r} is no `organization/project/stack`", "reading the stack reference"
            )
        outputs = self._read_stack(project, stack)
        if outputs is None:
            raise StepFailedError(
                urn,
                f"unknown stack {name!r}: the project {project} was never deployed as {stack!r}",
                "reading the stack reference",
            )
        self._run.masker.learn(outputs)
        internal = self._internal()
        answer = {
            "name": name,
            "outputs": outputs,
            "secretOutputNames": sorted(
                key for key, value in outputs.items() if contains_secret(value)
            ),
        }
        reference = f"{internal.urn}::{internal.id}"
        goal = self._read_goal(request, urn, {"name": name}, reference)
        return goal.changed(id=name, outputs=answer)

    def _read_goal(
        self, request: Any, urn: str, inputs: Properties, provider: str
    ) -> ResourceState:
        return ResourceState(
            urn=urn,
            type=request.type,
            custom=True,
            inputs=inputs,
            parent=request.parent,
            provider=provider,
            dependencies=tuple(sorted(set(request.dependencies))),
            created=now(),
            modified=now(),
            external=True,
            additional_secret_outputs=tuple(request.additionalSecretOutputs),
        )

    def _internal(self) -> ResourceState:
        """The provider resource that Pulumi's format wants stack references to name."""
        project = self._run.project
        urn = f"urn:pulumi:{project.stack}::{project.name}::{INTERNAL_PROVIDER_TYPE}::default"
        with self._lock:
            if self._internal_provider is None:
                old = self._journal.previous(urn)
                moment = now()
                self._internal_provider = old or ResourceState(
                    urn,
                    INTERNAL_PROVIDER_TYPE,
                    custom=True,
                    id=str(uuid.uuid4()),
                    created=moment,
                    modified=moment,
                )
                self._journal.confirm(self._internal_provider)
            return self._internal_provider

    def invoke(self, request: Any) -> Any:
        """Call a provider's function: the answer of Invoke."""
        if request.tok == "pulumi:pulumi:getResource":
            return self._get_resource(request)
        arguments = from_struct(request.args)
        self._run.masker.learn(arguments)
        plugin = self._plugin(request.provider, request.tok, f"the invoke {request.tok}")
        if self._run.preview:
            with self._lock:
                waits = self._not_yet_made.intersection(request.dependsOn)
            if waits or contains_unknown(arguments):
                return resource_pb2.ResourceInvokeResponse(unknown=True)
        try:
            answer = plugin.invoke(request.tok, arguments, preview=self._run.preview)
        except PluginError as error:
            text = self._run.masker.text(str(error))
            raise StepFailedError(request.tok, text, "invoking") from None
        self._run.masker.learn(answer)
        return _invoke_answer(answer)

    def _get_resource(self, request: Any) -> Any:
        urn = str(from_struct(request.args).get("urn", ""))
        state = self._journal.current(urn)
        if state is None:
            raise StepFailedError(urn, "the program asks for a resource it hasn't registered")
        answer = {"urn": urn, "id": state.id if state.id != UNKNOWN else "", "state": state.outputs}
        return _invoke_answer(answer)

    # The end

    def finish(self) -> None:
        """The program has succeeded: delete what it no longer names and what was replaced."""
        if self._stack is not None:
            self._journal.confirm(self._stack)
        self.clear_interrupted()
        if self._run.stopped:
            return
        doomed = [*self._journal.leftovers(), *self._journal.doomed()]
        replaced = {id(state) for state in doomed if state.delete}

        def operation(state: ResourceState) -> Operation | None:
            return None if id(state) in replaced else Operation.DELETE

        if self._run.preview:
            for state in reversed(doomed):
                told = operation(state)
                if told is not None and state.managed:
                    self._run.tell(told, state, "planned")
            return
        self.deletion.delete(doomed, operation)

    def clear_interrupted(self) -> None:
        """Settle what earlier runs began and nobody has taken up: a creation may have happened."""
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
            self.deletion.delete_one(orphan, Operation.DELETE, frozenset())


def _invoke_answer(answer: Properties) -> Any:
    fields: dict[str, Any] = {"return": to_struct(answer)}  # a keyword of Python's
    return resource_pb2.ResourceInvokeResponse(**fields)


def _seconds(text: str, urn: str) -> float:
    """`1h30m`, `90s` or `500ms` as seconds."""
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise StepFailedError(urn, f"the custom timeout {text!r} is no duration such as 5m")
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)
