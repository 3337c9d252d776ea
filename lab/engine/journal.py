"""The record of a running operation: what is done, what is under way, and one writer for both."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.engine.plugin import PluginGoneError
from lab.engine.vault import Vault
from pulumi_protocol.checkpoint import Checkpoint, PendingOperation, ResourceState, render
from pulumi_protocol.files import private_directory, write_atomically


class Journal:
    """Keeps the checkpoint of one operation current; thread-safe.

    A step counts as recorded when a write that began after it has ended. One thread writes, always
    the latest state, so that many steps that end together share one write. In a preview nothing
    is written (``path`` None).
    """

    def __init__(self, before: Checkpoint, path: Path | None, vault: Vault) -> None:
        self._old = {state.urn: state for state in before.resources if not state.delete}
        self._doomed = [state for state in before.resources if state.delete]
        self._new: dict[str, ResourceState] = {}
        self._pending = {operation.key: operation for operation in before.pending}
        self._path = path
        self._vault = vault
        self._changed = threading.Condition()
        self._version = 0  # of the state in memory
        self._written = 0  # the newest version known to be on disk
        self._failure: BaseException | None = None
        self._closing = False
        self._writer: threading.Thread | None = None

    # What is known

    def previous(self, urn: str) -> ResourceState | None:
        """The state from before this operation, unless it was dealt with already."""
        with self._changed:
            return self._old.get(urn)

    def current(self, urn: str) -> ResourceState | None:
        """The state this operation has made or confirmed."""
        with self._changed:
            return self._new.get(urn)

    def leftovers(self) -> list[ResourceState]:
        """Old states that this operation hasn't confirmed."""
        with self._changed:
            return list(self._old.values())

    def doomed(self) -> list[ResourceState]:
        """Replaced resources that still wait for their deletion."""
        with self._changed:
            return list(self._doomed)

    def all(self) -> list[ResourceState]:
        """Every resource, in checkpoint order."""
        with self._changed:
            return self._resources()

    def interrupted(self, urn: str, kind: str) -> PendingOperation | None:
        """An operation of this kind that an earlier run began on the resource and never ended."""
        with self._changed:
            for operation in self._pending.values():
                if operation.resource.urn == urn and operation.type == kind:
                    return operation
            return None

    def all_interrupted(self) -> list[PendingOperation]:
        """Everything that was begun and never ended."""
        with self._changed:
            return list(self._pending.values())

    # What happens

    def confirm(self, state: ResourceState) -> None:
        """The resource stands as given: new, changed or the same. Recorded with the next write."""
        with self._changed:
            old = self._old.pop(state.urn, None)
            known = old or self._new.get(state.urn)
            if known is not None and known.same_as(state):
                # The same object keeps its place in the file: nothing to write.
                self._new[state.urn] = known
                return
            self._new[state.urn] = state
            self._version += 1

    def replace(self, old: ResourceState, new: ResourceState) -> None:
        """The resource is known differently from now on; it keeps its place."""
        with self._changed:
            for known in (self._old, self._new):
                if known.get(old.urn) is old:
                    known[old.urn] = new
            self._doomed = [new if state is old else state for state in self._doomed]
            self._version += 1

    def rename(self, old_urn: str, state: ResourceState) -> None:
        """A resource is known under a new URN from now on (an alias)."""
        with self._changed:
            if self._old.pop(old_urn, None) is not None:
                self._old[state.urn] = state
                self._version += 1

    def adopt(self, state: ResourceState) -> None:
        """A resource that an interrupted run had made becomes a known one."""
        with self._changed:
            self._old[state.urn] = state
            self._pending = {
                key: operation
                for key, operation in self._pending.items()
                if not (operation.resource.urn == state.urn and operation.type == "creating")
            }
            self._version += 1

    def supersede(self, old: ResourceState, new: ResourceState) -> None:
        """A replacement stands; the old one waits for its deletion."""
        with self._changed:
            self._old.pop(old.urn, None)
            self._doomed.append(old.changed(delete=True))
            self._new[new.urn] = new
            self._version += 1

    def forget(self, state: ResourceState) -> None:
        """The resource is gone."""
        with self._changed:
            if state.delete:
                self._doomed = [
                    one for one in self._doomed if (one.urn, one.id) != (state.urn, state.id)
                ]
            else:
                self._old.pop(state.urn, None)
                self._new.pop(state.urn, None)
            self._version += 1

    def resolve(self, operation: PendingOperation) -> None:
        """An interrupted operation of an earlier run has been cleared up."""
        with self._changed:
            if self._pending.pop(operation.key, None) is not None:
                self._version += 1

    @contextmanager
    def pending(self, kind: str, state: ResourceState) -> Iterator[None]:
        """Records that a call begins, before it does; forgets it when the call has ended.

        The caller records the result inside the block, so that both land in one write. A call
        that raises is over too, as the plugin has said so itself; but when the plugin is gone
        nobody knows, and the operation stays on record for the next run to clear up.
        """
        operation = PendingOperation(kind, state)
        with self._changed:
            self._pending[operation.key] = operation
            self._version += 1
        self.commit()
        try:
            yield
        except PluginGoneError:
            raise
        except BaseException:
            self._end(operation)
            raise
        self._end(operation)

    def _end(self, operation: PendingOperation) -> None:
        with self._changed:
            self._pending.pop(operation.key, None)
            self._version += 1

    # Writing

    def commit(self) -> None:
        """Returns when everything up to now is on disk."""
        if self._path is None:
            return
        with self._changed:
            wanted = self._version
            if self._writer is None:
                private_directory(self._path.parent)
                self._writer = threading.Thread(target=self._write, name="checkpoint", daemon=True)
                self._writer.start()
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._written >= wanted or self._failure is not None)
            if self._failure is not None:
                raise self._failure

    def close(self) -> None:
        """Writes what is left and stops the writer."""
        if self._path is not None and (self._writer is not None or self._version):
            self.commit()
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._writer is not None:
            self._writer.join()

    def _resources(self) -> list[ResourceState]:
        return [*self._new.values(), *self._old.values(), *self._doomed]

    def _write(self) -> None:
        assert self._path is not None  # noqa: S101 - the writer is started for a path only
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closing or self._written < self._version)
                if self._written >= self._version:
                    return
                version = self._version
                checkpoint = Checkpoint(tuple(self._resources()), tuple(self._pending.values()))
            try:
                write_atomically(self._path, render(checkpoint, self._vault.seal))
            except BaseException as error:
                with self._changed:
                    self._failure = error
                    self._changed.notify_all()
                return
            with self._changed:
                self._written = version
                self._changed.notify_all()
