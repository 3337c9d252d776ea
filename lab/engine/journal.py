"""The record of a running operation: what is done, what is under way, and one writer for both."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.engine.plugin import UncertainError
from lab.engine.vault import Vault
from pulumi_protocol.checkpoint import Checkpoint, PendingOperation, ResourceState, render
from pulumi_protocol.files import back_up, private_directory, write_atomically


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
        known = {state.key for state in before.resources}
        # A deletion or update of what has left the state is over: only a creation of unknown end
        # may have made something that the state doesn't hold.
        self._pending = {
            operation.key: operation
            for operation in before.pending
            if operation.type == "creating" or operation.resource.key in known
        }
        self._path = path
        self._vault = vault
        self._changed = threading.Condition()
        # Of the state in memory; what is dropped at once is to be dropped from the file as well.
        self._version = int(len(self._pending) < len(before.pending))
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

    def interrupted(self, state: ResourceState, kind: str) -> bool:
        """Whether a call of this kind on this very resource began and nobody knows its end."""
        with self._changed:
            return PendingOperation(kind, state).key in self._pending

    def attempted(self, state: ResourceState) -> ResourceState | None:
        """What an update of this very resource was to make of it whose end nobody knows."""
        with self._changed:
            operation = self._pending.get(PendingOperation("updating", state).key)
            return operation.resource if operation is not None else None

    def interrupted_creations(self) -> list[ResourceState]:
        """Resources as they were to be made by calls whose end nobody knows."""
        with self._changed:
            pending = self._pending.values()
            return [operation.resource for operation in pending if operation.type == "creating"]

    # What happens

    def confirm(self, state: ResourceState) -> None:
        """The resource stands as given: new, changed or the same. Recorded with the next write.

        What was under way on it has ended with that, in the same write.
        """
        with self._changed:
            self._settle(state.urn)
            old = self._old.pop(state.urn, None)
            known = old or self._new.get(state.urn)
            if known is not None and known.same_as(state):
                # The same object keeps its place in the file: nothing to write.
                self._new[state.urn] = known
                return
            self._new[state.urn] = state
            self._version += 1

    def leave(self, state: ResourceState) -> None:
        """The resource stays as it was before this operation, with what was under way on it."""
        with self._changed:
            self._new[state.urn] = self._old.pop(state.urn)

    def replace(self, old: ResourceState, new: ResourceState) -> None:
        """The resource is known differently from now on; it keeps its place."""
        with self._changed:
            for known in (self._old, self._new):
                if known.get(old.urn) is old:
                    known[old.urn] = new
            self._doomed = [new if state is old else state for state in self._doomed]
            self._version += 1

    def rename(self, old_urn: str, state: ResourceState) -> None:
        """A resource is known under a new URN from now on (an alias), with what is under way."""
        with self._changed:
            if self._old.pop(old_urn, None) is None:
                return
            self._old[state.urn] = state
            for operation in [*self._pending.values()]:
                if operation.resource.key == (old_urn, state.id, False):
                    del self._pending[operation.key]
                    renamed = PendingOperation(operation.type, state)
                    self._pending[renamed.key] = renamed
            self._version += 1

    def adopt(self, begun: ResourceState, found: ResourceState | None) -> None:
        """Records how a creation that was interrupted has ended: ``found``, or nothing (None).

        A resource becomes known as if the creation's end had been recorded: the one that it
        replaces waits for its deletion.
        """
        with self._changed:
            del self._pending[PendingOperation("creating", begun).key]
            self._version += 1
            if found is not None:
                self._doom(self._old.get(found.urn))
                self._old[found.urn] = found

    def supersede(self, old: ResourceState, new: ResourceState) -> None:
        """A replacement stands; the old one waits for its deletion."""
        with self._changed:
            self._settle(old.urn)
            self._old.pop(old.urn, None)
            self._doom(old)
            self._new[new.urn] = new
            self._version += 1

    def revive(self, waiting: ResourceState) -> ResourceState:
        """A replaced resource that waits for its deletion is wanted again; in its place waits the
        one that replaced it, if there is one. Returns it as it is known from now on."""
        with self._changed:
            self._doomed.remove(waiting)
            self._settle(waiting.urn)
            self._doom(self._old.get(waiting.urn))
            revived = waiting.changed(delete=False)
            self._old[waiting.urn] = revived
            self._version += 1
            return revived

    def forget(self, state: ResourceState) -> None:
        """The resource is gone, and with it what was under way on it."""
        with self._changed:
            if state.delete:
                self._doomed = [one for one in self._doomed if one.key != state.key]
            else:
                self._old.pop(state.urn, None)
                self._new.pop(state.urn, None)
            for kind in ("updating", "deleting"):
                self._pending.pop(PendingOperation(kind, state).key, None)
            self._version += 1

    def _doom(self, state: ResourceState | None) -> None:
        if state is not None:
            self._doomed.append(state.changed(delete=True))

    def _settle(self, urn: str) -> None:
        """Nothing is under way any more on the resource that the program means by its URN."""
        for operation in [*self._pending.values()]:
            if operation.resource.urn == urn and not operation.resource.delete:
                del self._pending[operation.key]
                self._version += 1

    @contextmanager
    def pending(self, kind: str, state: ResourceState) -> Iterator[None]:
        """Records that a call begins, before it does; forgets it when the call has ended.

        The caller records the result inside the block (``confirm``, ``supersede``, ``forget``),
        which ends the operation in the same write. A call that raises is over too, as the plugin
        has said so itself; but where nobody knows (the plugin is gone, or AWS answered that it
        failed half-way), the operation stays on record for the next run to clear up; so does one
        whose earlier try nobody knows the end of.
        """
        operation = PendingOperation(kind, state)
        with self._changed:
            begun_before = operation.key in self._pending
            self._pending[operation.key] = operation
            self._version += 1
        self.commit()
        try:
            yield
        except UncertainError:
            raise
        except BaseException:
            if not begun_before:
                self._end(operation)
            raise

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
        backed_up = False
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closing or self._written < self._version)
                if self._written >= self._version:
                    return
                version = self._version
                checkpoint = Checkpoint(tuple(self._resources()), tuple(self._pending.values()))
            try:
                if not backed_up:
                    back_up(self._path)
                    backed_up = True
                write_atomically(self._path, render(checkpoint, self._vault.seal))
            except BaseException as error:
                with self._changed:
                    self._failure = error
                    self._changed.notify_all()
                return
            with self._changed:
                self._written = version
                self._changed.notify_all()
