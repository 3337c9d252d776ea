"""A rule, and the verdict it gives of a resource graph."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ops.policies.graph import Graph, Resource

Check = Callable[[Graph], list[Resource]]
"""Answers the resources that break the rule."""


@dataclass(frozen=True)
class Rule:
    """One rule. ``exception`` is the documented reason for which it may be broken."""

    id: str
    area: str
    check: Check | None
    """None: outside these stacks, always an exception."""
    exception: str = ""
    exempt: Callable[[Resource], bool] = lambda _: True
    """Which offenders the exception covers."""
    whole_stack: bool = False
    """Looks at several layers at once, so it can't be judged in a deployment of one."""


@dataclass(frozen=True)
class Verdict:
    """What a rule says of a graph."""

    rule: Rule
    outcome: Literal["pass", "exception", "fail"]
    offenders: tuple[str, ...] = ()
    """Logical names."""

    @property
    def reason(self) -> str:
        """Why it isn't a pass."""
        if self.outcome == "pass":
            return ""
        if self.outcome == "exception":
            return self.rule.exception
        return "broken by " + ", ".join(self.offenders)


def judge(rule: Rule, graph: Graph) -> Verdict:
    """The verdict; an offender that the exception doesn't cover makes it a failure."""
    if rule.check is None:
        return Verdict(rule, "exception")
    offenders = rule.check(graph)
    uncovered = [item for item in offenders if not (rule.exception and rule.exempt(item))]
    if uncovered:
        return Verdict(rule, "fail", tuple(sorted(item.name for item in uncovered)))
    if offenders:
        return Verdict(rule, "exception", tuple(sorted(item.name for item in offenders)))
    return Verdict(rule, "pass")
