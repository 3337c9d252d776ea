"""The CLI's events as those of ``pulumi_protocol.events``, so that both engines look the same."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from pulumi.automation import (
    DiagnosticEvent,
    DiffKind,
    EngineEvent,
    OpType,
    PolicyEvent,
    StepEventMetadata,
    StepEventStateMetadata,
)

from ops.engines.engine import OnEvent
from pulumi_protocol.events import (
    LogEvent,
    Operation,
    Phase,
    PropertyDiff,
    ResourceEvent,
    Severity,
    Summary,
)
from pulumi_protocol.masking import MASK, masked
from pulumi_protocol.paths import parse, property_diffs
from pulumi_protocol.urns import STACK_REFERENCE_TYPE, is_provider_type, name_of

_OPERATIONS = {
    OpType.SAME: Operation.SAME,
    OpType.CREATE: Operation.CREATE,
    OpType.UPDATE: Operation.UPDATE,
    OpType.DELETE: Operation.DELETE,
    # Of a replacement's three steps this one makes the new resource; it stands for all of them.
    OpType.CREATE_REPLACEMENT: Operation.REPLACE,
    OpType.READ: Operation.READ,
    OpType.READ_REPLACEMENT: Operation.READ,
}
"""What is reported; steps that aren't here are parts of one that is."""

_REPLACING = (DiffKind.ADD_REPLACE, DiffKind.DELETE_REPLACE, DiffKind.UPDATE_REPLACE)
_COLOUR = re.compile(r"<\{%.*?%\}>|\x1b\[[0-9;]*[A-Za-z]")
_TRACEBACK = "Traceback (most recent call last)"
_FRAME = re.compile(r'^\s*File "(?P<path>[^"]+)", line (?P<line>\d+)', re.MULTILINE)
_GENERIC = re.compile(r"^(update|preview|destroy|refresh|deletion) (failed|canceled|cancelled)")


@dataclass(frozen=True)
class Fault:
    """An error that the CLI reported; ``name`` is empty when it concerns no one resource."""

    name: str
    message: str

    @property
    def line(self) -> str:
        """``resource name: what the provider said``"""
        return f"{self.name}: {self.message}" if self.name else self.message


class Translator:
    """Takes the events of one operation of one layer, passes them on and counts. Thread-safe.

    ``interrupted`` returns whether the operator pressed Ctrl-C: the CLI then ends the program by a
    signal, and the traceback that it prints is nobody's fault.
    """

    def __init__(
        self,
        on_event: OnEvent,
        project: str,
        *,
        planned: bool,
        interrupted: Callable[[], bool] = lambda: False,
    ) -> None:
        self._on_event = on_event
        self._interrupted = interrupted
        self._project = project
        self._planned = planned
        self._lock = threading.Lock()
        self._begun = time.monotonic()
        self._started: dict[str, float] = {}
        self._refreshing: set[str] = set()
        self._counts: dict[Operation, int] = dict.fromkeys(Operation, 0)
        self._refreshed: dict[Operation, int] = dict.fromkeys(Operation, 0)
        self._messages: dict[str, str] = {}
        self.faults: list[Fault] = []
        self._program_ends = False
        """A resource failed, so the CLI interrupts the program."""
        self.ended = threading.Event()

    def take(self, event: EngineEvent) -> None:
        """One event of the CLI's."""
        with self._lock:
            if event.resource_pre_event:
                self._begin(event.resource_pre_event.metadata)
            elif event.res_outputs_event:
                self._finish(event.res_outputs_event.metadata)
            elif event.res_op_failed_event:
                self._fail(event.res_op_failed_event.metadata)
            elif event.diagnostic_event:
                self._log(event.diagnostic_event)
            elif event.policy_event:
                self._policy(event.policy_event)
            elif event.stdout_event:
                self._on_event(LogEvent("info", "", cleaned(event.stdout_event.message)))
            elif event.cancel_event:
                self.ended.set()

    def summary(self, *, refresh: bool = False) -> Summary:
        """What was done or planned; of a ``refresh``, what had drifted (updated) or was gone."""
        counts = self._refreshed if refresh else self._counts
        return Summary.of(counts, time.monotonic() - self._begun)

    # Steps

    def _begin(self, step: StepEventMetadata) -> None:
        if step.op == OpType.REFRESH:
            self._refreshing.add(step.urn)
            return
        operation = _OPERATIONS.get(step.op)
        if operation is None or not _is_reported(step, operation):
            return
        if self._planned:
            self._emit(step, operation, "planned", diff=_diff(step))
            self._count(step, operation)
        elif operation not in (Operation.SAME, Operation.READ):
            self._started[step.urn] = time.monotonic()
            self._emit(step, operation, "started", diff=_diff(step))

    def _finish(self, step: StepEventMetadata) -> None:
        if step.urn in self._refreshing:
            self._refreshing.discard(step.urn)
            self._refresh(step)
            return
        operation = _OPERATIONS.get(step.op)
        if operation is None or self._planned or not _is_reported(step, operation):
            return
        self._emit(step, operation, "done", seconds=self._seconds(step.urn), diff=_diff(step))
        self._count(step, operation)

    def _fail(self, step: StepEventMetadata) -> None:
        operation = _OPERATIONS.get(step.op, Operation.DELETE)
        if step.urn in self._refreshing:
            self._refreshing.discard(step.urn)
            operation = Operation.REFRESH
        message = self._messages.get(step.urn, "")
        seconds = self._seconds(step.urn)
        self._emit(step, operation, "failed", seconds=seconds, message=message)

    def _refresh(self, step: StepEventMetadata) -> None:
        if not _managed(step):
            return
        if step.op == OpType.DELETE:
            self._emit(step, Operation.DELETE, "done", message="it is gone")
            self._refreshed[Operation.DELETE] += 1
            return
        diff = _drift(step) if step.op != OpType.SAME else ()
        drifted = step.op == OpType.UPDATE or bool(diff)
        self._emit(step, Operation.REFRESH, "done", diff=diff)
        self._refreshed[Operation.UPDATE if drifted else Operation.SAME] += 1

    def _count(self, step: StepEventMetadata, operation: Operation) -> None:
        if _managed(step):
            self._counts[operation] += 1

    def _seconds(self, urn: str) -> float:
        started = self._started.pop(urn, None)
        return round(time.monotonic() - started, 3) if started is not None else 0

    def _emit(
        self,
        step: StepEventMetadata,
        operation: Operation,
        phase: Phase,
        *,
        seconds: float = 0,
        message: str = "",
        diff: Sequence[PropertyDiff] = (),
    ) -> None:
        name = name_of(step.urn)
        self._on_event(
            ResourceEvent(
                operation, step.urn, step.type, name, phase, seconds, message, tuple(diff)
            )
        )

    # Words

    def _log(self, event: DiagnosticEvent) -> None:
        severity: Severity = "warning" if event.severity == "warning" else "info"
        message = cleaned(event.message)
        if event.severity == "debug" or event.ephemeral or not message:
            return
        urn = event.urn or ""
        if event.severity == "error":
            severity = "error"
            message = one_line(message, self._project)
            self._messages[urn] = message
            if _GENERIC.match(message):
                self._program_ends = True
            else:
                self.faults.append(Fault(_subject(urn), message))
        elif severity == "info" and (self._program_ends or self._interrupted()):
            return  # the traceback of a program that was interrupted
        self._on_event(LogEvent(severity, urn, message))

    def _policy(self, event: PolicyEvent) -> None:
        message = f"{event.policy_pack_name}: {event.policy_name}: {cleaned(event.message)}"
        urn = event.resource_urn or ""
        if event.enforcement_level == "mandatory":
            self.faults.append(Fault(_subject(urn), " ".join(message.split())))
            self._on_event(LogEvent("error", urn, message))
        else:
            self._on_event(LogEvent("warning", urn, message))


def cleaned(message: str) -> str:
    """A message without colours and surrounding space."""
    return _COLOUR.sub("", message).strip()


def one_line(message: str, project: str) -> str:
    """An error as one line; of a Python traceback what was raised, and where in the project."""
    if _TRACEBACK not in message:
        return " ".join(message.removeprefix("error:").split())
    raised = [line for line in message.splitlines() if line and not line[0].isspace()][-1]
    kind, colon, text = raised.partition(": ")
    raised = kind.rpartition(".")[2] + colon + text
    frames = [
        f"{PurePath(found['path']).name}:{found['line']}"
        for found in _FRAME.finditer(message)
        if project in PurePath(found["path"]).parts[:-1]
        and "site-packages" not in PurePath(found["path"]).parts
    ]
    return raised + (f" ({frames[-1]})" if frames else "")


def _subject(urn: str) -> str:
    return "" if "::pulumi:pulumi:Stack::" in urn else name_of(urn)


def _state(step: StepEventMetadata) -> StepEventStateMetadata | None:
    return step.new or step.old


def _managed(step: StepEventMetadata) -> bool:
    """Whether a plugin makes, changes and deletes it: what a summary counts."""
    state = _state(step)
    custom = state is not None and bool(state.custom)
    reading = step.op in (OpType.READ, OpType.READ_REPLACEMENT)
    special = is_provider_type(step.type) or step.type == STACK_REFERENCE_TYPE
    return custom and not special and not reading


def _is_reported(step: StepEventMetadata, operation: Operation) -> bool:
    return operation is Operation.READ or _managed(step)


def _diff(step: StepEventMetadata) -> tuple[PropertyDiff, ...]:
    """What changes in the inputs, secrets masked, and what the provider alone has noticed."""
    if step.op not in (OpType.UPDATE, OpType.CREATE_REPLACEMENT) or not (step.old and step.new):
        return ()
    old, new = _shown(step.old.inputs), _shown(step.new.inputs)
    detailed = step.detailed_diff or {}
    forcing = [path for path, change in detailed.items() if change.diff_kind in _REPLACING]
    changes = property_diffs(old, new, [*(step.keys or ()), *forcing])
    # Secrets look alike on both sides, and a provider may compare with what it has read.
    seen = {change.path for change in changes}
    return changes + tuple(
        PropertyDiff(
            path,
            _at(old if change.input_diff else _shown(step.old.outputs), path),
            _at(new, path),
            path in forcing,
        )
        for path, change in detailed.items()
        if not any(one == path or one.startswith((f"{path}.", f"{path}[")) for one in seen)
    )


def _at(properties: Any, path: str) -> Any:
    """The value at a path such as ``tags.Name``; None where there is none."""
    for key in parse(path):
        if properties == MASK:
            return MASK
        try:
            properties = properties[key]
        except (KeyError, IndexError, TypeError):
            return None
    return properties


def _drift(step: StepEventMetadata) -> tuple[PropertyDiff, ...]:
    """What differs from what was deployed; what AWS alone decides is news, and no drift."""
    if not (step.old and step.new):
        return ()
    return property_diffs(_shown(step.old.inputs), _shown(step.new.inputs))


def _shown(properties: Mapping[str, Any] | None) -> dict[str, Any]:
    return masked(dict(properties or {}))
