"""What ``./inv`` alone says: the tasks in groups, each group with an example."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

WHAT = (
    "Warm Standby: a health-care SaaS in two AWS regions, as code that anyone can deploy, "
    "break and measure."
)


@dataclass(frozen=True)
class Group:
    """Tasks that belong together, and one command line to begin with."""

    title: str
    example: str
    tasks: tuple[str, ...]


GROUPS = (
    Group("Deploy", "./inv deploy-all", (
        "deploy-all", "preview-all", "refresh-all", "destroy-all", "up", "preview", "refresh",
        "destroy", "app.rollback", "outputs",
    )),
    Group("Look", "./inv console", (
        "status", "console", "alarms", "inventory", "drift", "cost", "policy", "doctor", "restores",
    )),
    Group("Recover", "./inv failover --stack prod", (
        "failover", "failback", "recovery.status", "recovery.freeze", "recovery.thaw",
        "recovery.hold", "recovery.acknowledge", "recovery.reconcile", "events.redrive",
    )),
    Group("Keep", "./inv secrets.rotate --stack prod", (
        "secrets.rotate", "objects.replicate", "emergency.export", "emergency.open",
    )),
    Group("Drill", "./inv drill --scenario region-loss", (
        "drill", "drill.history", "drill.compare", "drill.verify",
    )),
    Group("Break the lab", "./inv lab.outage us-east-1", (
        "lab.outage", "lab.restore", "lab.fault", "lab.clock", "lab.status", "lab.up", "lab.down",
        "lab.mails", "lab.aws", "lab.env", "lab.types",
    )),
    Group("Begin on AWS", "./inv init dev --suffix dev1 --domain example.org", (
        "init", "setup", "iam", "state.move",
    )),
    Group("Change this repository", "./inv test --quick", (
        "test", "lint", "bench", "pins.check", "pins.write", "pins.audit",
    )),
)  # fmt: skip
"""Every task has its place in one of them."""

ENDS = (
    "./inv TASK --help    a task's flags, each explained",
    "./inv --list         all tasks in one list",
    "./inv --print-completion-script bash >> ~/.bashrc    completion by Tab (also zsh, fish)",
)


def text(lines: Mapping[str, str]) -> str:
    """The overview. ``lines``: task → what it does, one line; one without a group comes last."""
    placed = {name for group in GROUPS for name in group.tasks}
    others = tuple(name for name in lines if name not in placed)
    groups = [*GROUPS, *([Group("Other", "", others)] if others else [])]
    width = max((len(name) for name in lines), default=0)
    shown = [WHAT, ""]
    for group in groups:
        known = [name for name in group.tasks if name in lines]
        shown += [group.title + (f"    {group.example}" if group.example else "")]
        shown += [f"  {name:{width}}  {lines[name]}" for name in known]
        shown += [""]
    return "\n".join([*shown, *ENDS])


def version(repository: Path) -> str:
    """The system's own, of ``pyproject.toml``."""
    return tomllib.loads((repository / "pyproject.toml").read_text())["project"]["version"]
