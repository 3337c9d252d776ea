"""Deploying, previewing, refreshing and destroying layers, as the tasks offer it."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

from rich.console import Console

from ops.deploy import gate, outputs, sequence, transient
from ops.deploy.sequence import Graph, LayerResult, Outcome
from ops.deploy.view import View, error_lines, results_table
from ops.engines.engine import Engine, OnEvent
from ops.errors import ExitCode, OperatorError, bad_input
from ops.printing import flat_lines, make_console, print_json
from ops.stack_file import StackFile
from ops.workspace import Workspace
from pulumi_protocol.events import EngineError, Summary
from pulumi_protocol.lock import locked
from tapstack import contracts
from tapstack.errors import ContractError

Report = Callable[[str], None]
"""Prints a line for the operator."""
Pause = Callable[[float], None]
"""Waits so many seconds; an interruption ends it by an :class:`EngineError`."""
Prepare = Callable[[Report, Pause], None]
Work = Callable[[str, OnEvent], Summary]
"""Moves the layer of that name, and reports its events."""

NEVER = "isn't deployed"
DATA = "data"
"""The layer of the database."""
RECOVERED = frozenset({DATA, "app", "global"})
"""Layers whose deployment may look to a recovery controller like a dead database."""
ZONED = frozenset({"network", DATA})
"""Layers that put things into zones: subnets, and the database's instances."""
LEAVE_AT = 3
"""The Ctrl-C that ends this process at once; state stays usable, as after a kill."""


@dataclass
class Driver:
    """One stack, the engine that moves it, and the operator who watches."""

    workspace: Workspace
    stack_file: StackFile
    engine: Engine
    default_engine: bool = True
    """Whether the stack's own engine was taken; if not, printed commands name it."""
    lab_endpoint: str | None = None
    before_destroy: Mapping[str, Prepare] = field(default_factory=dict)
    """What a layer's destruction needs done outside Pulumi first."""
    permit: Callable[[], None] = lambda: None
    """Raises when what is deployed mustn't be touched from here."""
    ready: Callable[[], None] = lambda: None
    """Raises where what the layers with zones and the database need isn't offered."""
    announced: Callable[[Report], AbstractContextManager[None]] = lambda _report: nullcontext()
    """Announces a deployment to the recovery controllers while it runs."""
    missing_members: Callable[[], Sequence[str]] = tuple
    """The regions that the global database has lost its member in."""
    graph: Graph = field(default_factory=sequence.contract_graph)
    console: Console = field(default_factory=make_console)
    errors: Console = field(default_factory=lambda: make_console(stderr=True))
    _interrupted: threading.Event = field(default_factory=threading.Event)

    @property
    def stack(self) -> str:
        """The stack's name."""
        return self.stack_file.stack

    @cached_property
    def flags(self) -> str:
        """What printed commands need so that they mean this stack and engine."""
        stack = "" if self.stack == "lab" else f" --stack {self.stack}"
        return stack + ("" if self.default_engine else f" --engine {self.engine.name}")

    # Operations over layers

    def preview(self, layers: Sequence[str]) -> list[LayerResult]:
        """What ``up`` would do, layer by layer.

        Upstreams that were never deployed are unknown to the layers that read them (N5), and so
        are those whose outputs aren't complete yet but whose own turn is in the same run: their
        deployment would come first.
        """

        def work(layer: str, on_event: OnEvent) -> Summary:
            missing = {
                upstream
                for upstream in self.graph[layer]
                if (fault := self._fault(upstream, layer)) is not None
                and (upstream in layers or fault == NEVER)
            }
            return self.engine.preview(layer, on_event, frozenset(missing))

        results = self._run("preview", layers, work, planned=True)
        changed = sum(result.summary.changed for result in results)
        if all(result.outcome is Outcome.DONE for result in results):
            self.console.print(
                f"{changed} changes; to make them: ./inv {self._again('deploy-all', layers)}"
                if changed
                else "no changes: what is deployed is what the programs say"
            )
        return results

    def up(self, layers: Sequence[str]) -> list[LayerResult]:
        """Deploys the layers, upstream first; the upstreams left out must be deployed."""
        self.permit()
        self._check_upstreams(layers)
        if not ZONED.isdisjoint(layers):
            self.ready()
        with self._alone("deploy-all"), self._announced(layers):
            results = self._run("deploy", layers, self._patiently(self._up))
            found = self._outputs_after(results)
        self._explain(results, "deploy-all", layers)
        if all(result.outcome is Outcome.DONE for result in results):
            self._check_members(layers)
            self.show_endpoints(found)
        return results

    def refresh(self, layers: Sequence[str], *, preview: bool = False) -> list[LayerResult]:
        """Takes into the state what changed in the cloud behind its back (``preview``: says so)."""

        def work(layer: str, on_event: OnEvent) -> Summary:
            return self.engine.refresh(layer, on_event, preview)

        if preview:
            return self._run("drift", layers, work, planned=True)
        self.permit()
        with self._alone("refresh-all"):
            results = self._run("refresh", layers, work)
        self._explain(results, "refresh-all", layers)
        return results

    def destroy(self, layers: Sequence[str]) -> list[LayerResult]:
        """Takes the layers down, consumers first; an upstream that is gone doesn't matter."""

        def work(layer: str, on_event: OnEvent) -> Summary:
            prepare = self.before_destroy.get(layer)
            if prepare and self.engine.resources(layer):
                prepare(lambda line: self.console.print(f"{layer}: {line}"), pause)
            return self.engine.destroy(layer, on_event)

        def pause(seconds: float) -> None:
            if self._interrupted.wait(seconds):
                raise EngineError("interrupted while waiting")

        self.permit()
        self._check_consumers(layers)
        with self._alone("destroy-all"):
            results = self._run("destroy", layers, self._patiently(work), reverse=True)
            self._outputs_after(results)
        self._explain(results, "destroy-all", layers)
        return results

    # Outputs

    def outputs(self) -> dict[str, Any]:
        """All layers' outputs, flat."""
        return outputs.flat(self.stack, {name: self.engine.outputs(name) for name in self.graph})

    def write_outputs(self) -> dict[str, Any]:
        """Writes ``cfn-outputs/flat-outputs.json`` from what is deployed now."""
        found = self.outputs()
        outputs.write(self.workspace.flat_outputs, found)
        return found

    def _outputs_after(self, results: Sequence[LayerResult]) -> dict[str, Any]:
        """Writes the file after a run; what keeps a state from being read may have failed the run,
        and was said then."""
        try:
            return self.write_outputs()
        except EngineError:
            if all(result.outcome is Outcome.DONE for result in results):
                raise
            return {}

    def show_outputs(self, as_json: bool) -> None:
        """Prints all layers' outputs, and writes the file."""
        found = self.write_outputs()
        if as_json:
            print_json(found)
            return
        for line in flat_lines(found):
            self.console.print(line)
        if len(found) == 1:
            self.errors.print(f"nothing is deployed: run ./inv deploy-all{self.flags}")

    def show_endpoints(self, found: dict[str, Any]) -> None:
        """The endpoints, and one command a region that asks for its health."""
        commands = outputs.health_commands(found, self.lab_endpoint)
        for key in ("PrimaryEndpoint", "FailoverEndpoint"):
            if key in found:
                self.console.print(f"{key:17} {found[key]}")
        for region, command in commands.items():
            self.console.print(f"{region:17} {command}")

    # Inside

    def _run(
        self,
        verb: str,
        layers: Sequence[str],
        work: Work,
        *,
        planned: bool = False,
        reverse: bool = False,
    ) -> list[LayerResult]:
        title = f"{verb} {self.stack} with the {self.engine.name} engine"
        with View(self.console, title) as view:

            def turn(layer: str) -> Summary:
                view.begin(layer)
                return work(layer, partial(view.event, layer))

            results = sequence.run(
                self.graph,
                layers,
                turn,
                reverse=reverse,
                interrupt=self._interrupt,
                finished=view.finished,
            )
        self.console.print(results_table(results, planned=planned))
        for result in results:
            if result.error is not None:
                for line in self._said(result.error):
                    text = line.removeprefix(f"{result.layer}: ")
                    self.errors.print(f"{result.layer}: {text}")
        return results

    def _said(self, error: BaseException) -> list[str]:
        """An error's lines, or the one that matters when the gate held the new code."""
        lines = error_lines(error)
        settings = self.stack_file.settings
        held = gate.held_by(lines, settings.primary_region, settings.standby_region, self.flags)
        return [held] if held else lines

    def _up(self, layer: str, on_event: OnEvent) -> Summary:
        """Deploys one layer; the state of a database that lost a member is read anew first."""
        if layer == DATA and self.engine.resources(layer) and (lost := self.missing_members()):
            self.console.print(
                f"{layer}: the global database has no member in {' and '.join(lost)}: reading the "
                "state anew"
            )
            self.engine.refresh(layer, on_event)
        return self.engine.up(layer, on_event)

    def _check_members(self, layers: Sequence[str]) -> None:
        """Membership is looked at, not believed (trap 43)."""
        lost = self.missing_members() if DATA in layers else ()
        if lost:
            where = " and ".join(lost)
            raise OperatorError(
                f"{DATA}: the global database has no member in {where} after the deployment: a "
                "cluster that stands alone can't join again, so delete it with its instances and "
                f"run ./inv up --layer {DATA}{self.flags}",
                ExitCode.DIFFERENCE,
            )

    def _patiently(self, work: Work) -> Work:
        return transient.patiently(work, self._interrupted.wait, self.errors.print)

    def _interrupt(self, times: int) -> None:
        if times >= LEAVE_AT:
            self.errors.print("left at once; the next run resumes from what was recorded")
            sys.stderr.flush()
            os._exit(ExitCode.INTERRUPTED)
        self.errors.print("interrupted: waiting for the calls under way (Ctrl-C twice more leaves)")
        self._interrupted.set()
        self.engine.interrupt()

    def _check_upstreams(self, layers: Sequence[str]) -> None:
        """Holds what is deployed of the layers left out against the contracts (N4)."""
        for layer in layers:
            for upstream in self.graph[layer]:
                fault = None if upstream in layers else self._fault(upstream, layer)
                if fault is not None:
                    raise bad_input(
                        f"{layer} reads {upstream}, which {fault} on stack {self.stack}: "
                        f"run ./inv up --layer {upstream}{self.flags} first, or ./inv "
                        f"deploy-all{self.flags} for all layers"
                    )

    def _fault(self, upstream: str, consumer: str) -> str | None:
        """Why ``consumer`` couldn't read ``upstream`` as it is deployed now; None: it could."""
        found = self.engine.outputs(upstream)
        if found is None:
            return NEVER
        try:
            contracts.check(contracts.LAYERS[upstream].outputs, consumer, found)
        except ContractError as error:
            what = str(error).partition(";")[0].removeprefix(f"{upstream} ")
            return f"is deployed only in part or in another version ({what})"
        return None

    def _check_consumers(self, layers: Sequence[str]) -> None:
        for layer in layers:
            for consumer in sequence.consumers(self.graph, layer):
                if consumer not in layers and self.engine.resources(consumer):
                    raise bad_input(
                        f"{consumer} is deployed on stack {self.stack} and reads {layer}: run "
                        f"./inv destroy --layer {consumer}{self.flags} first, or ./inv "
                        f"destroy-all{self.flags} for all layers"
                    )

    def _announced(self, layers: Sequence[str]) -> AbstractContextManager[None]:
        if RECOVERED.isdisjoint(layers):
            return nullcontext()
        return self.announced(self.errors.print)

    @contextmanager
    def _alone(self, doing: str) -> Iterator[None]:
        held = False
        try:
            with locked(self.workspace.stack_lock(self.stack), f"{doing} of stack {self.stack}"):
                held = True
                yield
        except EngineError as error:
            if held:
                raise
            raise OperatorError(str(error), ExitCode.BUSY) from None

    def _again(self, task: str, layers: Sequence[str]) -> str:
        if len(layers) == 1:
            return f"{task.removesuffix('-all').replace('deploy', 'up')} --layer {layers[0]}" + (
                self.flags
            )
        return task + self.flags

    def _explain(self, results: Sequence[LayerResult], task: str, layers: Sequence[str]) -> None:
        """After a failure or Ctrl-C: what is done, what isn't, and the command that resumes."""
        left = [result.layer for result in results if result.outcome is not Outcome.DONE]
        if not left:
            return
        done = [result.layer for result in results if result.outcome is Outcome.DONE]
        self.errors.print(
            f"done: {', '.join(done) or 'no layer'}; not done: {', '.join(left)}; "
            f"to resume: ./inv {self._again(task, layers)}",
            markup=False,
        )


def exit_code(results: Sequence[LayerResult]) -> ExitCode:
    """The exit code of a sequence."""
    outcomes = {result.outcome for result in results}
    if Outcome.INTERRUPTED in outcomes:
        return ExitCode.INTERRUPTED
    return ExitCode.OK if outcomes <= {Outcome.DONE} else ExitCode.FAILED
