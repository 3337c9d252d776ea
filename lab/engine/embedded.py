"""The embedded engine's front door: one object for one stack of one project."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import grpc
from pulumi.runtime.proto import engine_pb2_grpc, resource_pb2_grpc

from lab.engine import project as projects
from lab.engine.deletion import Deletion
from lab.engine.deployment import Deployment
from lab.engine.door import Door
from lab.engine.exporting import exported, imported
from lab.engine.interruption import settle
from lab.engine.journal import Journal
from lab.engine.kept import Kept
from lab.engine.monitor import Engine, Monitor
from lab.engine.operation import OperationRun
from lab.engine.plugin import CHANNEL_OPTIONS
from lab.engine.plugins import Plugins, ProviderSource
from lab.engine.program_process import FAREWELL, ProgramProcess
from lab.engine.project import Project
from lab.engine.refreshing import Refresh
from lab.engine.vault import Vault, read
from pulumi_protocol.checkpoint import Checkpoint, render
from pulumi_protocol.environment import isolated
from pulumi_protocol.events import EngineError, Event, Operation, Summary
from pulumi_protocol.files import back_up, backup_of, private_directory, write_atomically
from pulumi_protocol.lock import locked
from pulumi_protocol.masking import masked
from pulumi_protocol.urns import STACK_TYPE
from pulumi_protocol.values import Properties, plain

# Plugin processes to start for a stack that was never deployed: one for each of two regions.
_USUAL_PROVIDERS = 2

OnEvent = Callable[[Event], None]


class EmbeddedEngine:
    """Deploys one Pulumi project to one stack without Pulumi's CLI. For local test stacks.

    ``plugin`` is the provider plugin's command; the engine's address is added as its last argument.
    The state is ``state_dir/{project}/{stack}.json``. ``required_config`` guards: a key that is
    configured with another value than given here makes every operation fail before it begins.
    ``spared``: names of provider resources; what they make is left alone by every operation but
    ``destroy``.
    ``kept`` hands processes on from one operation to the next; without it each starts its own.
    Operations raise EngineError (one line, with ``details``), and call ``on_event`` from several
    threads, one call at a time.
    """

    def __init__(
        self,
        *,
        project_dir: Path,
        stack: str,
        state_dir: Path,
        plugin: Sequence[str],
        environment: Mapping[str, str] | None = None,
        parallel: int = 32,
        required_config: Mapping[str, str] | None = None,
        spared: Sequence[str] = (),
        kept: Kept | None = None,
    ) -> None:
        self._directory = project_dir.resolve()
        self._stack = stack
        self._state_dir = state_dir.resolve()
        self._plugin = tuple(plugin)
        self._environment = dict(environment or {})
        self._parallel = parallel
        self._required_config = dict(required_config or {})
        self._spared = tuple(spared)
        self._kept = kept
        self._vault = Vault(self._state_dir)
        self._running: OperationRun | None = None

    # Operations

    def preview(
        self, on_event: OnEvent, *, environment: Mapping[str, str] | None = None
    ) -> Summary:
        """What an ``up`` would do. Changes nothing, writes nothing, locks nobody out."""
        project = self._load()
        run = self._run(project, on_event, preview=True)
        before = self._checkpoint(project) or Checkpoint()
        journal = Journal(before, None, self._vault)
        self._deploy(run, journal, before, environment)
        return run.summary()

    def up(self, on_event: OnEvent, *, environment: Mapping[str, str] | None = None) -> Summary:
        """Runs the program and brings the stack to what it says."""
        project = self._load()
        with self._locked(project):
            run = self._run(project, on_event)
            before = self._checkpoint(project) or Checkpoint()
            journal = Journal(before, self._path(project.name, self._stack), self._vault)
            try:
                self._deploy(run, journal, before, environment)
            finally:
                journal.close()
            return run.summary()

    def refresh(self, on_event: OnEvent) -> Summary:
        """Reads every resource anew; what has drifted or gone changes the state, nothing else."""
        project = self._load()
        with self._locked(project):
            run = self._run(project, on_event)
            before = self._checkpoint(project)
            if before is None:
                return run.summary()
            with self._without_program(run, before) as (journal, providers):
                settle(run, journal, providers)
                Refresh(run, journal, providers).refresh(journal.all())
            self._raise_failures(run, "refresh")
            return run.summary()

    def destroy(self, on_event: OnEvent) -> Summary:
        """Deletes every resource and then the state. The program isn't run."""
        project = self._load()
        with self._locked(project):
            run = OperationRun(project, on_event, preview=False, parallel=self._parallel)
            before = self._checkpoint(project)
            if before is None:
                return run.summary()
            with self._without_program(run, before) as (journal, providers):
                settle(run, journal, providers)
                if not run.stopped:
                    Deletion(run, journal, providers).delete(
                        journal.all(), lambda state: None if state.delete else Operation.DELETE
                    )
            self._raise_failures(run, "destroy")
            path = self._path(project.name, self._stack)
            backup_of(path).unlink(missing_ok=True)
            path.unlink(missing_ok=True)
            return run.summary()

    def interrupt(self) -> None:
        """Ends the running operation: calls in flight finish and are recorded, nothing new begins.

        What an interrupt signal does, for callers that run an operation in another thread.
        """
        run = self._running
        if run is not None:
            run.interrupt()

    # State

    def outputs(self, *, show_secrets: bool = False) -> dict[str, Any] | None:
        """The stack's outputs; None when it was never deployed. Secrets read "[secret]"."""
        values = self._stack_outputs(projects.project_name(self._directory), self._stack)
        if values is None:
            return None
        return plain(values) if show_secrets else masked(values)

    def resources(self) -> list[dict[str, Any]]:
        """The checkpoint's resources in their checkpoint form; secrets read "[secret]"."""
        checkpoint = self._checkpoint_of(projects.project_name(self._directory), self._stack)
        if checkpoint is None:
            return []
        return [masked(state.to_json()) for state in checkpoint.resources]

    def export(self) -> dict[str, Any]:
        """The state as ``pulumi stack import`` takes it: see ``exporting.exported``."""
        project = self._load()
        return exported(self._checkpoint(project) or Checkpoint(), project.encryption_salt)

    def import_state(self, deployment: dict[str, Any]) -> None:
        """Replaces the state by a deployment (``pulumi stack export --show-secrets``)."""
        project = self._load()
        with self._locked(project):
            checkpoint = imported(deployment, self._vault, project.stack_urn)
            path = self._path(project.name, self._stack)
            private_directory(path.parent)
            back_up(path)
            write_atomically(path, render(checkpoint, self._vault.seal))

    # Preparing

    def _run(self, project: Project, on_event: OnEvent, *, preview: bool = False) -> OperationRun:
        return OperationRun(
            project, on_event, preview=preview, parallel=self._parallel, spared=self._spared
        )

    def _load(self) -> Project:
        project = projects.load(self._directory, self._stack)
        for key, wanted in self._required_config.items():
            found = project.config.get(key, wanted)
            if found != wanted:
                raise EngineError(
                    f"{project.name}: stack {self._stack!r} has {key} {found!r}, and the embedded "
                    f"engine serves {wanted!r} alone; use --engine pulumi for it"
                )
        return project

    def _path(self, project: str, stack: str) -> Path:
        return self._state_dir / project / f"{stack}.json"

    def _locked(self, project: Project) -> Any:
        path = self._path(project.name, self._stack).with_suffix(".lock")
        return locked(path, f"{project.name}: stack {self._stack!r}")

    def _checkpoint(self, project: Project) -> Checkpoint | None:
        return self._checkpoint_of(project.name, project.stack)

    def _checkpoint_of(self, project: str, stack: str) -> Checkpoint | None:
        return read(self._path(project, stack), self._vault)

    def _stack_outputs(self, project: str, stack: str) -> Properties | None:
        """The outputs of a stack in the state directory; None when it was never deployed."""
        checkpoint = self._checkpoint_of(project, stack)
        for state in checkpoint.resources if checkpoint else ():
            if state.type == STACK_TYPE:
                return state.outputs
        return None

    # Running

    def _deploy(
        self,
        run: OperationRun,
        journal: Journal,
        before: Checkpoint,
        environment: Mapping[str, str] | None,
    ) -> None:
        doing = "preview" if run.preview else "up"
        variables = isolated(self._environment, environment)
        for state in before.resources:
            run.learn(state)
        with ExitStack() as stack:
            stack.enter_context(self._interruptible(run))
            own = isolated(self._environment)
            kept = self._kept or stack.enter_context(closing(Kept()))
            runner = kept.runner(own)
            program = stack.enter_context(ProgramProcess.started(run, runner, variables))
            server, address = _server(self._parallel)
            stack.callback(lambda: server.stop(grace=None).wait())
            plugins = Plugins(run, self._plugin, self._logs(run, address), own, self._kept)
            run.hurry = plugins.kill
            stack.callback(plugins.stop)
            known = sum(state.is_provider and bool(state.inputs) for state in before.resources)
            plugins.start_ahead(known if before.resources else _USUAL_PROVIDERS)
            deployment = Deployment(run, journal, plugins, before.resources, self._stack_outputs)
            monitor = Monitor(run, Door(run.project, deployment), self._parallel)
            resource_pb2_grpc.add_ResourceMonitorServicer_to_server(monitor, server)
            engine_pb2_grpc.add_EngineServicer_to_server(Engine(run), server)
            server.start()
            deployment.begin()
            self._raise_failures(run, doing)
            program.configure(address, self._parallel)
            succeeded = self._wait(run, monitor, program, plugins)
            self._raise_failures(run, doing, program if not succeeded else None)
            deployment.finish()
            self._raise_failures(run, doing)

    def _logs(self, run: OperationRun, address: str) -> str:
        """The engine's address for plugins, which must hold as long as they do."""
        return self._kept.logs_to(Engine(run)) if self._kept else address

    def _wait(
        self, run: OperationRun, monitor: Monitor, program: ProgramProcess, plugins: Plugins
    ) -> bool:
        """Waits for the program's end; whether it was a good one."""
        while not monitor.program_ended.is_set() and not program.ended.is_set():
            if run.stopped:
                if run.interrupted.is_set():
                    plugins.cancel()
                monitor.wait_until_idle()
                if not program.ended.wait(FAREWELL):
                    program.kill()
                break
            program.changed.wait(0.05)
        monitor.wait_until_idle()
        return monitor.program_ended.is_set() and not run.stopped

    @contextmanager
    def _without_program(
        self, run: OperationRun, before: Checkpoint
    ) -> Iterator[tuple[Journal, ProviderSource]]:
        """The journal and plugins for an operation that works from the state alone."""
        for state in before.resources:
            run.learn(state)
        journal = Journal(before, self._path(run.project.name, self._stack), self._vault)
        variables = isolated(self._environment)
        with ExitStack() as stack:
            stack.enter_context(self._interruptible(run))
            server, address = _server(self._parallel)
            engine_pb2_grpc.add_EngineServicer_to_server(Engine(run), server)
            server.start()
            stack.callback(lambda: server.stop(grace=None).wait())
            plugins = Plugins(run, self._plugin, self._logs(run, address), variables, self._kept)
            run.hurry = plugins.kill
            stack.callback(plugins.stop)
            stack.callback(journal.close)
            plugins.start_ahead(
                sum(state.is_provider and bool(state.inputs) for state in before.resources)
            )
            yield journal, ProviderSource(plugins, lambda: before.resources)

    @contextmanager
    def _interruptible(self, run: OperationRun) -> Iterator[None]:
        """An interrupt signal ends the operation in order; a second one ends it at once.

        Each step is recorded before the next begins, so even a kill leaves a usable state.
        """
        self._running = run
        here = threading.current_thread() is threading.main_thread()
        handler = signal.getsignal(signal.SIGINT) if here else None
        if here:
            signal.signal(signal.SIGINT, lambda *_: run.interrupt())
        try:
            yield
        finally:
            self._running = None
            if here:
                signal.signal(signal.SIGINT, handler)

    def _raise_failures(
        self, run: OperationRun, doing: str, program: ProgramProcess | None = None
    ) -> None:
        """EngineError if anything went wrong so far; ``program`` is one that ended early."""
        name = run.project.name
        details = tuple(f"{_name(one.urn)}: {one}" for one in run.failures)
        if run.interrupted.is_set():
            raise EngineError(f"{name}: interrupted; run the same command again to resume", details)
        if run.failures:
            first = run.failures[0]
            subject = f"{first.doing} {_name(first.urn)}" if first.urn else doing
            line = " ".join(str(first).split())
            raise EngineError(f"{name}: {subject} failed: {line}", details)
        if program is not None or run.program_errors:
            errors = tuple(run.program_errors)
            code = program.exit_code if program else 0
            line = " ".join(errors[0].split()) if errors else f"it ended with exit code {code}"
            raise EngineError(f"{name}: the program failed: {line}", errors)


def _name(urn: str) -> str:
    return urn.rpartition("::")[2] or "engine"


def _server(parallel: int) -> tuple[grpc.Server, str]:
    """A gRPC server on a free port of this machine, not yet serving, and its address."""
    # Each call of the program's holds a thread; so many that none waits for another's end.
    pool = ThreadPoolExecutor(max_workers=4 * parallel + 16, thread_name_prefix="monitor")
    server = grpc.server(pool, options=CHANNEL_OPTIONS)
    port = server.add_insecure_port("127.0.0.1:0")
    return server, f"127.0.0.1:{port}"
