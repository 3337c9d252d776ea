"""A page of docs/runbooks, walked: its commands as they stand there, performed in a lab.

``./inv`` runs as an operator runs it; a command of AWS's own command line becomes the call of the
same API, by botocore's models of operations and parameters, so that a wrong name of either fails.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jmespath
from botocore import xform_name
from botocore.session import get_session
from deployed_lab import REPOSITORY, Lab

PAGES = REPOSITORY / "docs" / "runbooks"
WAIT = {"Delay": 1, "MaxAttempts": 60}
"""Of a waiter: the lab's states change in seconds."""


def blocks(page: str, section: str, language: str = "") -> list[str]:
    """One section's blocks of a language."""
    text = (PAGES / page).read_text().partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    assert text, f"{page} has no section {section}"
    # Every fence opens or closes one.
    parts = re.split(r"^```(\w*)\n", text, flags=re.MULTILINE)
    found = [body for kind, body in zip(parts[1::4], parts[2::4], strict=True) if kind == language]
    assert found, f"{page}, {section} has no such block"
    return found


def run_sql(connection: Any, block: str, folder: Path) -> list[Any]:
    """Performs a block as ``psql`` would: its statements, and ``\\copy`` of a table to a file or
    from one, in ``folder``. Returns what each query answers first."""
    lines = [line for line in block.splitlines() if not line.startswith("--")]
    statements = re.split(r"(?<=;)\n|\n(?=\\copy)|(?<=')\n", "\n".join(lines))
    found = []
    for statement in filter(None, map(str.strip, statements)):
        if copied := re.fullmatch(r"\\copy (\S+) (TO|FROM) '(\S+)'", statement):
            table, way, name = copied.groups()
            _copy(connection, table, way, folder / name)
            continue
        answer = connection.execute(statement)
        if statement.startswith("SELECT"):
            found.append(answer.fetchone()[0])
    return found


def _copy(connection: Any, table: str, way: str, file: Path) -> None:
    with connection.cursor() as cursor:
        if way == "TO":
            with cursor.copy(f"COPY {table} TO STDOUT") as copy, file.open("wb") as target:
                target.writelines(copy)
        else:
            with cursor.copy(f"COPY {table} FROM STDIN") as copy:
                copy.write(file.read_bytes())


def commands(page: str, section: str) -> list[str]:
    """The commands of one section's blocks without a language, in their order, each on one line."""
    lines = "".join(blocks(page, section)).replace("\\\n", " ").splitlines()
    found = [" ".join(line.partition(" #")[0].split()) for line in lines]
    return [line for line in found if line]


@dataclass
class Walk:
    """Performs commands in a lab; ``values`` are the page's words in capitals."""

    lab: Lab
    values: dict[str, str] = field(default_factory=dict)
    folder: Path = Path()
    """Where commands write that name a folder."""

    def __post_init__(self) -> None:
        suffix = self.lab.stack_file.settings.suffix
        self.values = {"ENV": "lab", "SUFFIX": suffix, "ACCOUNT": "000000000000", **self.values}

    def section(self, page: str, section: str) -> Iterator[tuple[str, Any]]:
        """Performs a section, command by command; each with its answer, so that a test may look
        between two of them, and give what a later one needs as a value."""
        for line in commands(page, section):
            filled = self.filled(line)
            yield filled, self.perform(filled)

    def filled(self, line: str) -> str:
        """The command with this lab's values."""
        return re.sub(r"[A-Z]{3,}", lambda word: self.values.get(word[0], word[0]), line)

    def perform(self, line: str) -> Any:
        """Performs one; of ``./inv`` what it printed, of ``aws`` its answer. Raises AssertionError
        where it fails."""
        first, *words = shlex.split(line)
        if first == "./inv":
            done = self.lab.inv(*words)
            assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
            return done.stdout
        assert first == "aws", f"no command that can be walked: {line}"
        if words[0] == "s3":
            return self._s3(words[1:])
        return self._api(words)

    def _s3(self, words: list[str]) -> list[str]:
        """``s3 ls`` and ``s3 cp --recursive``: the names below a prefix, for ``cp`` written to a
        folder."""
        verb, source, *rest = words
        bucket, _, prefix = source.removeprefix("s3://").partition("/")
        s3 = self.lab.client("s3", rest[rest.index("--region") + 1])
        listed = s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
        names = [entry["Key"].removeprefix(prefix) for entry in listed]
        if verb == "cp":
            assert "--recursive" in rest
            for name in names:
                target = self.folder / rest[0] / name
                target.parent.mkdir(parents=True, exist_ok=True)
                body = s3.get_object(Bucket=bucket, Key=prefix + name)["Body"].read()
                target.write_bytes(body)
        return names

    def _api(self, words: list[str]) -> Any:
        service, operation, *rest = words
        waits = operation == "wait"
        if waits:
            operation, *rest = rest
        given = _options(rest)
        client = self.lab.client(service, given.pop("region", ["us-east-1"])[0])
        query = given.pop("query", None)
        waiters = get_session().get_waiter_model(service) if waits else None
        known = waiters.waiter_names if waiters else client.meta.service_model.operation_names
        named = {xform_name(one, "-"): one for one in known}
        assert operation in named, (
            f"{service} has no {'waiter' if waits else 'operation'} {operation}"
        )
        name = waiters.get_waiter(named[operation]).operation if waiters else named[operation]
        parameters = _parameters(client.meta.service_model.operation_model(name), given)
        if waits:
            client.get_waiter(xform_name(named[operation])).wait(**parameters, WaiterConfig=WAIT)
            return None
        answer = getattr(client, xform_name(name))(**parameters)
        return jmespath.search(query[0], answer) if query else answer


def _options(words: list[str]) -> dict[str, list[str]]:
    """``--name value …`` → name → its values."""
    found: dict[str, list[str]] = {}
    name = ""
    for word in words:
        if word.startswith("--"):
            name = word.removeprefix("--")
            found[name] = []
        else:
            found[name].append(word)
    return found


def _parameters(model: Any, given: dict[str, list[str]]) -> dict[str, Any]:
    """The options as the operation's parameters. Raises AssertionError for one that it lacks."""
    members = {xform_name(member, "-"): member for member in model.input_shape.members}
    parameters: dict[str, Any] = {}
    for option, values in given.items():
        off = option.removeprefix("no-") in members and option not in members
        name = members.get(option.removeprefix("no-") if off else option)
        assert name, f"{model.name} has no parameter --{option}"
        shape = model.input_shape.members[name]
        if shape.type_name == "boolean":
            parameters[name] = not off
        elif shape.type_name == "list" and not values[0].startswith("["):
            parameters[name] = values
        else:
            (text,) = values
            parsed = shape.type_name in ("structure", "map", "list", "integer", "long")
            parameters[name] = json.loads(text) if parsed else text
    return parameters
