"""One layer's state as the CLI keeps it: exported, replaced, and what a killed deployment left."""

from __future__ import annotations

import json
import socket
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pulumi.automation import ConcurrentUpdateError, StackNotFoundError

from ops.engines.pulumi_cli import locks, pending
from ops.engines.pulumi_cli.command import Command
from ops.waiting import announced


@dataclass(frozen=True)
class Kept:
    """The state of ``stack`` in the folder ``project``. What the CLI refuses is a
    ``CommandError``."""

    command: Command
    stack: str
    project: str

    def exported(self, *flags: str) -> dict[str, Any] | None:
        """Returns the state, secrets encrypted; None where there is no stack."""
        try:
            answer = self._run("stack", "export", "--stack", self.stack, *flags)
        except StackNotFoundError:
            return None
        return json.loads(answer)

    def replace(self, deployment: Mapping[str, Any]) -> None:
        """Puts another state in its place."""
        # The Automation API's own import leaves its file behind when it fails.
        with tempfile.NamedTemporaryFile("w", prefix="warm-standby-", suffix=".json") as file:
            json.dump(deployment, file)
            file.flush()
            self._run("stack", "import", "--stack", self.stack, "--file", file.name)

    def resume(self, find: pending.Find) -> None:
        """Takes over what a killed deployment had made without hearing of it (trap 44)."""
        document = self.exported()
        if document is None or not pending.begun(document):
            return
        wanted = pending.creates(document)
        with announced(f"AWS to say what became of {len(wanted)} creations of a killed deployment"):
            found = pending.ids(wanted, document, find)
        self.replace(pending.settled(document, found))
        if found:
            targets = (f"--target={urn}" for urn in found)
            self._run("refresh", "--yes", "--skip-preview", "--stack", self.stack, *targets)

    def holding(self, act: Callable[[], None]) -> None:
        """Acts; once more where only a lock is in the way that a killed CLI left here."""
        try:
            act()
        except ConcurrentUpdateError as error:
            if not locks.abandoned(str(error), socket.gethostname(), locks.is_alive):
                raise
            self._run("cancel", "--yes", "--stack", self.stack)
            act()

    def _run(self, *arguments: str) -> str:
        return self.command.run([*arguments], self.project, {}).stdout
