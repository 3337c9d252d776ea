"""What a drill has broken and must give back: written down before it is broken, so that neither
Ctrl-C nor a kill leaves a region lost that nobody knows of."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from lab import client
from lab.errors import LabError, LabInputError
from ops.cloud.answers import reason
from ops.cloud.clients import Clients
from ops.errors import OperatorError
from pulumi_protocol.files import private_directory, write_atomically
from tapstack.well_known import LIVE

NAME = "restore.json"


@dataclass(frozen=True)
class Undo:
    """One thing to give back. ``kind`` is region (the lab's), rule, handler, health-check or
    experiment."""

    kind: str
    region: str
    names: dict[str, Any] = field(default_factory=dict)

    @property
    def command(self) -> str:
        """What a person would run to the same effect."""
        given = self.names
        if self.kind == "region":
            return f"./inv lab.restore {self.region}"
        return {
            "rule": "aws events enable-rule --name {rule}",
            "handler": f"aws lambda update-alias --function-name {{function}} --name {LIVE} "
            "--function-version {version}",
            "health-check": "aws route53 update-health-check --health-check-id {id} --no-inverted",
            "experiment": "aws fis stop-experiment --id {id}",
        }[self.kind].format(**given) + f" --region {self.region}"  # fmt: skip


class Restoration:
    """The file, and how it is carried out. ``lab_state`` is None on AWS."""

    def __init__(self, directory: Path, clients: Clients, lab_state: Path | None) -> None:
        self._path = directory / "evidence" / NAME
        self._clients, self._lab_state = clients, lab_state

    def pending(self) -> list[Undo]:
        """What an earlier drill, or this one, has still to give back. Raises ``OperatorError`` for
        a file that can't be read: nothing is broken on top of what isn't known."""
        try:
            return [Undo(**one) for one in json.loads(self._path.read_text("utf-8"))]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, TypeError) as error:
            raise OperatorError(
                f"{self._path} can't be read ({error}): see with ./inv lab.status or in AWS what a "
                "drill left broken, give it back, then remove that file"
            ) from None

    def expect(self, undo: Undo) -> None:
        """Writes down what will have to be given back."""
        private_directory(self._path.parent)
        before = self.pending()
        self._keep(before if undo in before else [*before, undo])

    def run(self, report: Callable[[str], None]) -> None:
        """Gives everything back, the last first; what can't be given back stays written down, and
        its command is reported. Raises ``OperatorError`` then."""
        left: list[Undo] = []
        for undo in reversed(self.pending()):
            try:
                self._undo(undo)
            except (ClientError, BotoCoreError, LabError) as error:
                why = str(error) if isinstance(error, LabError) else reason(error)
                report(f"not given back ({why}): {undo.command}")
                left.insert(0, undo)
        self._keep(left)
        if left:
            raise OperatorError(
                f"{len(left)} of what the drill broke isn't given back: run ./inv drill --restore, "
                f"or {left[-1].command}"
            )

    def _keep(self, undos: list[Undo]) -> None:
        if undos:
            write_atomically(self._path, json.dumps([asdict(one) for one in undos]))
        else:
            self._path.unlink(missing_ok=True)

    def _undo(self, undo: Undo) -> None:
        names = undo.names
        match undo.kind:
            case "region":
                assert self._lab_state is not None  # noqa: S101 - made for the lab alone
                try:
                    client.restore(self._lab_state, undo.region)
                except LabInputError:
                    return  # it has lost nothing any more
            case "rule":
                self._clients.get("events", undo.region).enable_rule(Name=names["rule"])
            case "handler":
                functions = self._clients.get("lambda", undo.region)
                # First what serves: the alias goes back to the version that it led to.
                functions.update_alias(
                    FunctionName=names["function"], Name=LIVE, FunctionVersion=names["version"]
                )
                functions.update_function_configuration(
                    FunctionName=names["function"], Handler=names["handler"]
                )
            case "health-check":
                self._clients.get("route53", undo.region).update_health_check(
                    HealthCheckId=names["id"], Inverted=False
                )
            case _:
                self._clients.get("fis", undo.region).stop_experiment(id=names["id"])
