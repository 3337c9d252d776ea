"""What all steps of one running operation share: events, secrets, failures, limits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from time import monotonic

from lab.engine.failure import StepFailedError
from lab.engine.project import Project
from lab.engine.provider_inputs import secretive
from pulumi_protocol.checkpoint import ResourceState
from pulumi_protocol.events import (
    Event,
    LogEvent,
    Operation,
    Phase,
    PropertyDiff,
    ResourceEvent,
    Severity,
    Summary,
)
from pulumi_protocol.masking import Masker
from pulumi_protocol.urns import name_of, referred
from pulumi_protocol.values import UNKNOWN, Properties, contains_secret, secret


class OperationRun:
    """One preview, up, refresh or destroy while it runs. Thread-safe."""

    def __init__(
        self,
        project: Project,
        on_event: Callable[[Event], None],
        *,
        preview: bool,
        parallel: int,
        spared: Collection[str] = (),
    ) -> None:
        """``spared``: names of providers whose resources this run leaves alone."""
        self.project = project
        self.preview = preview
        self.parallel = parallel
        self.masker = Masker()
        self.failures: list[StepFailedError] = []
        self.program_errors: list[str] = []
        self.interrupted = threading.Event()
        self.hurry: Callable[[], None] = _nothing
        self._spared = frozenset(spared)
        self._on_event = on_event
        self._event_lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(parallel)
        self._counts: dict[Operation, int] = dict.fromkeys(Operation, 0)
        self._started = monotonic()

    @property
    def stopped(self) -> bool:
        """Whether nothing new may begin."""
        return bool(self.failures) or self.interrupted.is_set()

    def spares(self, reference: str) -> bool:
        """Whether the resources of a provider (``urn::id``) are left alone: no call is made for
        them, and they stay in the state as they are."""
        return name_of(referred(reference)) in self._spared

    def learn(self, state: ResourceState) -> None:
        """Remembers the secrets of a resource, so that no message shows them."""
        self.masker.learn(secretive(state.type, state.inputs))
        self.masker.learn(secretive(state.type, state.outputs))

    def marked(self, goal: ResourceState, outputs: Properties) -> Properties:
        """Outputs that are named secret, or whose input is, marked as secrets and remembered."""
        named = {
            *goal.additional_secret_outputs,
            *(key for key, value in goal.inputs.items() if contains_secret(value)),
        }
        secrets = {
            key: secret(value) if key in named and value != UNKNOWN else value
            for key, value in outputs.items()
        }
        self.masker.learn(secrets)
        return secrets

    def fail(self, failure: StepFailedError) -> None:
        """Remembers a failure; what is under way may finish."""
        with self._event_lock:
            self.failures.append(failure)

    def interrupt(self) -> None:
        """Begins nothing new, lets calls in flight finish; the second time, doesn't wait for them.

        A call that is cut off stays on record as pending, and the next run clears it up.
        """
        if self.interrupted.is_set():
            # Not here: a signal may arrive while this very thread holds a lock.
            threading.Thread(target=self.hurry, daemon=True).start()
        self.interrupted.set()

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Holds one of the places for calls that change something."""
        with self._slots:
            yield

    def summary(self) -> Summary:
        """What was done (or planned) so far."""
        counts = self._counts
        return Summary.of(counts, monotonic() - self._started)

    def log(self, severity: Severity, message: str, urn: str = "") -> None:
        """Passes a line on, without secrets."""
        if message:
            self._send(LogEvent(severity, urn, self.masker.text(message)))

    def emit(
        self,
        operation: Operation,
        state: ResourceState,
        phase: Phase,
        *,
        seconds: float = 0,
        message: str = "",
        diff: Sequence[PropertyDiff] = (),
    ) -> None:
        """Emits the event of a step, without secrets; counts it when it is planned or done."""
        shown = tuple(
            replace(change, old=self.masker.value(change.old), new=self.masker.value(change.new))
            for change in diff
        )
        event = ResourceEvent(
            operation,
            state.urn,
            state.type,
            state.name,
            phase,
            round(seconds, 3),
            self.masker.text(message),
            shown,
        )
        if phase in ("planned", "done") and state.managed:
            with self._event_lock:
                self._counts[operation] += 1
        self._send(event)

    def count(self, operation: Operation) -> None:
        """Counts a step whose event has another operation."""
        with self._event_lock:
            self._counts[operation] += 1

    def _send(self, event: Event) -> None:
        with self._event_lock:
            self._on_event(event)

    @contextmanager
    def reporting(
        self, operation: Operation, state: ResourceState, diff: Sequence[PropertyDiff] = ()
    ) -> Iterator[None]:
        """Reports "started", then "done" or "failed" with the seconds between."""
        started = monotonic()
        self.emit(operation, state, "started", diff=diff)
        try:
            yield
        except Exception as error:
            text = str(error) or type(error).__name__
            self.emit(
                operation, state, "failed", seconds=monotonic() - started, message=text, diff=diff
            )
            raise
        self.emit(operation, state, "done", seconds=monotonic() - started, diff=diff)


def _nothing() -> None:
    """Before there are plugins, nothing can be hurried."""
