"""The pipelines of ``.github/workflows``, as the tests look at them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from inv_commands import in_shell, parse

REPOSITORY = Path(__file__).resolve().parents[1]
FOLDER = REPOSITORY / ".github" / "workflows"
FILES = sorted(FOLDER.glob("*.y*ml"))
SHELL = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c"]
"""How GitHub runs a step whose shell is ``bash``, but for the script's file."""

NOT_EXECUTED = {
    "lint": "the pipeline that runs the tests runs it beside them",
    "test": "it would run itself",
    "bench": "it runs this test, among others",
    "setup": "it downloads Pulumi's CLI",
    "pins.check": "it asks the package index for every wheel",
    "drill.drill": "it takes a quarter of an hour; `./inv bench drills` plays it",
    "drill.history": "it reads what the drill of the step has left",
    "init": "it writes the stack file of an environment on AWS, into the working copy",
}
"""Commands of no stack that the integration test doesn't execute, and why."""


@dataclass(frozen=True)
class Step:
    """One step of a job."""

    workflow: str
    job: str
    number: int
    body: dict[str, Any]

    @property
    def script(self) -> str:
        """What it runs in the shell."""
        return self.body.get("run", "")

    @property
    def uses(self) -> str:
        """The action without its version, such as ``actions/checkout``."""
        return self.body.get("uses", "").partition("@")[0]

    @property
    def commands(self) -> list[list[str]]:
        """The ``./inv`` commands of its script."""
        return in_shell(self.script)

    @property
    def on_lab(self) -> bool:
        """Whether one of its commands works on the lab."""
        parsed = [found for words in self.commands if (found := parse(words))]
        return any(
            found.arguments.get("stack") == "lab" or found.task.startswith("lab.")
            for found in parsed
        )

    @property
    def left_out(self) -> bool:
        """Whether one of its commands isn't executed in a test."""
        parsed = [parse(words) for words in self.commands]
        return any(found is not None and found.task in NOT_EXECUTED for found in parsed)

    def __str__(self) -> str:
        return f"{self.workflow}: {self.job}: {self.body.get('name') or self.number}"


@cache
def load(name: str) -> dict[str, Any]:
    """A workflow; its triggers are under ``on`` (which YAML 1.1 reads as true)."""
    document = yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))
    document["on"] = document.pop(True)
    return document


def jobs(name: str) -> dict[str, dict[str, Any]]:
    """A workflow's jobs."""
    return load(name)["jobs"]


def steps(name: str, job: str | None = None) -> Iterator[Step]:
    """A workflow's steps, or those of one job, in order."""
    for key, body in jobs(name).items():
        if job in (None, key):
            for number, step in enumerate(body.get("steps", [])):
                yield Step(name, key, number, step)


def all_steps() -> list[Step]:
    """Every step of every workflow."""
    return [step for file in FILES for step in steps(file.name)]


def lab_steps() -> list[Step]:
    """The steps that work on the lab, in order: an integration test executes them, save those with
    a command of ``NOT_EXECUTED``."""
    return [step for step in all_steps() if step.on_lab and not step.left_out]
