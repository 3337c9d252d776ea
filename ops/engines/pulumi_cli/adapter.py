"""Pulumi's CLI behind the operators' interface, through Pulumi's Automation API.

What users have on AWS, over any backend (Pulumi Cloud, S3, a directory): the CLI takes it from
PULUMI_BACKEND_URL, the project or the last login, and with it the organization. Stacks are made on
first use, with the secrets provider that the stack file names.
"""

from __future__ import annotations

import shlex
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from pulumi import automation
from pulumi.automation import CommandError, ConcurrentUpdateError, StackNotFoundError, UpdateSummary

from lab.provider.aws import ENDPOINT_VARIABLE
from ops.cloud.clients import Clients
from ops.engines.engine import OnEvent, Options
from ops.engines.pulumi_cli import command, home, pending, sparing
from ops.engines.pulumi_cli.command import Command
from ops.engines.pulumi_cli.events import Fault, Translator, one_line
from ops.engines.pulumi_cli.kept import Kept
from ops.stack_file import StackFile, secrets_provider
from ops.workspace import Workspace
from pulumi_protocol.events import EngineError, Summary
from pulumi_protocol.masking import masked
from pulumi_protocol.urns import STACK_TYPE
from tapstack.well_known import provider_name

LAST_EVENT_SECONDS = 5.0
"""How long the last events may lag behind the CLI's end."""

Operate = Callable[[automation.Stack, Translator], Any]


class PulumiCli:
    """An engine that runs Pulumi's CLI in each of the stack's four projects."""

    name = "pulumi"

    def __init__(
        self,
        workspace: Workspace,
        stack_file: StackFile,
        command: Command,
        options: Options = Options(),  # noqa: B008 - frozen
        backend: Mapping[str, str] | None = None,
        find: pending.Find | None = None,
    ) -> None:
        """``backend`` holds the variables that printed ``pulumi`` commands need besides; ``find``
        finds what a killed deployment had begun to make (None: nothing is looked for)."""
        self._workspace = workspace
        self._stack_file = stack_file
        self._command = command
        self._options = options
        self._backend = dict(backend or {})
        self._find = find
        self._making = threading.Lock()

    # Operations

    def preview(self, layer: str, on_event: OnEvent, undeployed: frozenset[str]) -> Summary:
        """What ``up`` would do. Makes the stack, empty, when there is none."""
        variables = self._options.variables(undeployed)
        translator = self._translator(on_event, layer, planned=True)

        def operate(stack: automation.Stack, events: Translator) -> None:
            common = self._common(layer, stack)
            stack.preview(on_event=events.take, refresh=self._options.refresh, **common)

        self._run(layer, translator, operate, variables=variables)
        return translator.summary()

    def up(self, layer: str, on_event: OnEvent) -> Summary:
        """Makes the cloud what the program says."""
        translator = self._translator(on_event, layer, planned=False)

        def operate(stack: automation.Stack, events: Translator) -> None:
            common = self._common(layer, stack)
            stack.up(on_event=events.take, refresh=self._options.refresh, **common)

        variables = self._options.variables()
        self._run(layer, translator, operate, variables=variables, resumes=True)
        return translator.summary()

    def refresh(self, layer: str, on_event: OnEvent, preview: bool = False) -> Summary:
        """Reads every resource anew; a preview leaves the state as it is."""
        translator = self._translator(on_event, layer, planned=preview)

        def operate(stack: automation.Stack, events: Translator) -> None:
            run = stack.preview_refresh if preview else stack.refresh
            run(on_event=events.take, **self._common(layer))

        self._run(layer, translator, operate, make=False, resumes=not preview)
        return translator.summary(refresh=True)

    def destroy(self, layer: str, on_event: OnEvent) -> Summary:
        """Removes all that the layer made, and then the stack; never the shared stack file (trap
        39). In an environment ``prod`` the empty stack stays, and with it its history."""
        translator = self._translator(on_event, layer, planned=False)

        def operate(stack: automation.Stack, events: Translator) -> None:
            stack.destroy(on_event=events.take, **self._common(layer))
            if not self._options.targets and self._stack_file.settings.environment != "prod":
                stack.workspace.remove_stack(stack.name, preserve_config=True)

        self._run(layer, translator, operate, make=False, resumes=True)
        return translator.summary()

    def _translator(self, on_event: OnEvent, layer: str, *, planned: bool) -> Translator:
        return Translator(
            on_event, layer, planned=planned, interrupted=lambda: self._command.interrupted
        )

    def interrupt(self) -> None:
        """The first time lets the calls under way end; the next ends the CLI at once."""
        self._command.interrupt()

    # State

    def outputs(self, layer: str) -> dict[str, Any] | None:
        """A layer's outputs, secrets masked; None when nothing is deployed."""
        for resource in self.resources(layer):
            if resource["type"] == STACK_TYPE:
                return resource.get("outputs") or {}
        return None

    def resources(self, layer: str) -> list[dict[str, Any]]:
        """The resources in the layer's state, secrets masked."""
        document = self._exported(layer)
        found = (document or {}).get("deployment", {}).get("resources") or []
        return [masked(resource) for resource in found]

    def export(self, layer: str) -> dict[str, Any] | None:
        """The layer's state, secrets readable, as an engine's ``import_state`` takes it; None when
        nothing is deployed."""
        document = self._exported(layer, "--show-secrets")
        return document if document and document["deployment"].get("resources") else None

    def import_state(self, layer: str, deployment: dict[str, Any]) -> None:
        """Replaces the layer's state; the CLI encrypts its secrets."""
        kept = self._kept(layer)
        try:
            try:
                kept.replace(deployment)
            except StackNotFoundError:
                self._make(layer)
                kept.replace(deployment)
        except CommandError as error:
            raise self._failure(layer, error, "importing the state") from None

    def forget(self, layer: str) -> None:
        """Drops the layer's state, and nothing in the cloud."""
        try:
            self._automation(layer).remove_stack(self._stack, force=True, preserve_config=True)
        except StackNotFoundError:
            return
        except CommandError as error:
            raise self._failure(layer, error, "removing the stack") from None

    # Inside

    @property
    def _stack(self) -> str:
        return self._stack_file.stack

    def _common(self, layer: str, planning: automation.Stack | None = None) -> dict[str, Any]:
        """What every operation is asked for; ``planning`` is the stack of one that may make new
        resources, which are targets too."""
        target = list(self._options.targets)
        if spared := self._options.spared_region:
            planned = sparing.Planned()
            if planning is not None:
                planning.preview(on_event=planned.take, color="never", suppress_outputs=True)
                planned.ended.wait(LAST_EVENT_SECONDS)
            target = sparing.targets(self.resources(layer), planned.new, provider_name(spared))
        return {
            "parallel": self._options.parallel,
            "target": target or None,
            "color": "never",
            "suppress_outputs": True,
            "suppress_progress": True,
        }

    def _run(
        self,
        layer: str,
        events: Translator,
        operate: Operate,
        *,
        variables: Mapping[str, str] | None = None,
        make: bool = True,
        resumes: bool = False,
    ) -> None:
        """Runs the operation on the layer's stack; without one it is made, or nothing is done.
        ``resumes``: after what a killed deployment had begun is taken over."""

        kept = self._kept(layer)

        def act() -> None:
            if resumes and self._find:
                kept.resume(self._find)
            operate(stack, events)

        stack = _Stack(self._stack, self._automation(layer, variables))
        try:
            if self._command.interrupted:
                raise EngineError(_interrupted(layer))
            try:
                kept.holding(act)
            except StackNotFoundError:
                if not make:
                    return
                self._make(layer)
                if self._command.interrupted:
                    raise EngineError(_interrupted(layer)) from None
                operate(stack, events)
        except CommandError as error:
            events.ended.wait(LAST_EVENT_SECONDS if events.faults else 0)
            raise self._failure(layer, error, "", events.faults) from None
        events.ended.wait(LAST_EVENT_SECONDS)
        if events.faults:
            # An error that a program logs fails it, though the CLI ends with 0.
            raise self._failed(layer, events.faults)

    def _automation(
        self, layer: str, variables: Mapping[str, str] | None = None
    ) -> automation.LocalWorkspace:
        return automation.LocalWorkspace(
            work_dir=str(self._workspace.project(layer)),
            env_vars=variables,
            pulumi_command=self._command,
        )

    def _make(self, layer: str) -> None:
        """Makes the layer's stack, and doesn't select it: that is the operator's to do."""
        arguments = ["stack", "init", self._stack, "--no-select"]
        if provider := secrets_provider(self._workspace.stack_file(self._stack)):
            arguments += ["--secrets-provider", provider]
        with self._making:  # it may write the secrets' salt into the file that all layers share
            try:
                self._command.run(arguments, str(self._workspace.project(layer)), {})
            except automation.StackAlreadyExistsError:
                return

    def _kept(self, layer: str) -> Kept:
        return Kept(self._command, self._stack, str(self._workspace.project(layer)))

    def _exported(self, layer: str, *flags: str) -> dict[str, Any] | None:
        try:
            return self._kept(layer).exported(*flags)
        except CommandError as error:
            raise self._failure(layer, error, "reading the state") from None

    # Faults

    def _failure(
        self, layer: str, error: CommandError, doing: str, faults: list[Fault] | None = None
    ) -> EngineError:
        """A failed command as one line, with what the CLI said below it."""
        if self._command.interrupted:
            return EngineError(_interrupted(layer), tuple(fault.line for fault in faults or ()))
        said = _said(error)
        if isinstance(error, ConcurrentUpdateError):
            return EngineError(
                f"{layer}: another operation holds stack {self._stack}: wait for it to end; if it "
                f"was killed, {self._cancel(layer)} frees the stack",
                tuple(said),
            )
        if faults:
            return self._failed(layer, faults)
        text = " ".join(said)
        for sign, remedy in _REMEDIES.items():
            if sign in text:
                return EngineError(f"{layer}: {remedy}", tuple(said))
        line = next(iter(said), "the CLI ended without a word")
        return EngineError(f"{layer}: {doing or 'pulumi'} failed: {line}", tuple(said))

    @staticmethod
    def _failed(layer: str, faults: list[Fault]) -> EngineError:
        first = next((fault for fault in faults if fault.name), faults[0])
        what = first.line if first.name else f"the program failed: {first.message}"
        return EngineError(f"{layer}: {what}", tuple(fault.line for fault in faults))

    def _cancel(self, layer: str) -> str:
        variables = [f"{name}={shlex.quote(value)}" for name, value in self._backend.items()]
        project = shlex.quote(str(self._workspace.project(layer)))
        return " ".join([*variables, f"pulumi cancel --cwd {project} --stack {self._stack} --yes"])


class _Stack(automation.Stack):
    """A stack without the further commands that the Automation API runs before and after each
    operation (select, outputs twice, history): nothing here uses what they answer."""

    def __init__(self, name: str, workspace: automation.Workspace) -> None:
        self.name = name
        self.workspace = workspace

    def outputs(self) -> automation.OutputMap:
        """None; ``PulumiCli.outputs`` reads them."""
        return {}

    def info(self, show_secrets: bool = True) -> UpdateSummary:
        """Nothing known; the operation's events say it all."""
        return UpdateSummary("", datetime.now(UTC), "", {}, {}, "")


_REMEDIES = {
    "passphrase must be set": "the stack's secrets need its passphrase: set "
    "PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE, then run this again",
    "incorrect passphrase": "PULUMI_CONFIG_PASSPHRASE isn't the passphrase that the stack was made "
    "with: set the right one, then run this again",
    "PULUMI_ACCESS_TOKEN": "no backend is chosen: set PULUMI_BACKEND_URL (s3://bucket, file://dir) "
    "or run `pulumi login`, then run this again",
    "pulumi login": "no backend is chosen: set PULUMI_BACKEND_URL (s3://bucket, file://dir) "
    "or run `pulumi login`, then run this again",
}
"""What the CLI says when something is missing → what to do."""


def make(
    workspace: Workspace,
    stack_file: StackFile,
    environment: Mapping[str, str],
    options: Options = Options(),  # noqa: B008 - frozen
) -> PulumiCli:
    """The engine for a stack; ``environment`` holds what programs and plugins need besides."""
    executable = command.find()
    if not stack_file.settings.is_lab:
        variables = {**home.operator_environment(workspace), **environment}
        return PulumiCli(
            workspace,
            stack_file,
            Command(executable, variables),
            options,
            find=pending.finder(lambda: Clients(stack_file)),
        )
    home.prepare(workspace)
    variables = home.lab_environment(workspace, environment)
    shown = ("PULUMI_HOME", "PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE")
    return PulumiCli(
        workspace,
        stack_file,
        Command(executable, variables),
        options,
        {name: variables[name] for name in shown},
        pending.finder(lambda: Clients(stack_file, variables[ENDPOINT_VARIABLE])),
    )


def _interrupted(layer: str) -> str:
    return f"{layer}: interrupted; run the same command again to resume"


def _said(error: CommandError) -> list[str]:
    """The errors that the CLI printed, one line each."""
    _, _, text = str(error).partition("\n stderr: ")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [one_line(line, "") for line in lines if line.startswith("error:")]
    return errors or [one_line(line, "") for line in lines]
