"""``./inv policy``: every rule's verdict over what is deployed."""

from __future__ import annotations

from collections.abc import Sequence

from ops.deploy.driver import Driver
from ops.errors import ExitCode, OperatorError
from ops.exits import end_with
from ops.policies.catalogue import verdicts
from ops.policies.graph import Graph
from ops.policies.rule import Verdict
from ops.printing import print_json, rows_table


def show(driver: Driver, *, as_json: bool, markdown: bool) -> None:
    """Prints the table (or JSON, or the table of docs/hipaa.md); a broken rule is exit code 5."""
    missing = [layer for layer in driver.graph if driver.engine.outputs(layer) is None]
    if missing:
        raise OperatorError(
            f"{', '.join(missing)} isn't deployed in {driver.stack}: the rules look at the whole "
            f"stack; run: ./inv deploy-all{driver.flags}",
            ExitCode.BAD_INPUT,
        )
    resources = [item for layer in driver.graph for item in driver.engine.resources(layer)]
    found = verdicts(Graph.of_checkpoint(resources))
    if as_json:
        print_json([as_dict(verdict) for verdict in found])
    elif markdown:
        print(markdown_table(found))
    else:
        rows = ((v.rule.area, v.rule.id, v.outcome, v.reason) for v in found)
        driver.console.print(rows_table(("area", "rule", "verdict", "reason"), rows))
        counts = dict.fromkeys(("pass", "exception", "fail"), 0)
        for verdict in found:
            counts[verdict.outcome] += 1
        driver.console.print(", ".join(f"{count} {name}" for name, count in counts.items()))
    if any(verdict.outcome == "fail" for verdict in found):
        end_with(ExitCode.DIFFERENCE)


def as_dict(verdict: Verdict) -> dict[str, object]:
    """A verdict for a pipeline."""
    return {
        "rule": verdict.rule.id,
        "area": verdict.rule.area,
        "verdict": verdict.outcome,
        "reason": verdict.reason,
        "resources": list(verdict.offenders),
    }


def markdown_table(found: Sequence[Verdict]) -> str:
    """The table that docs/hipaa.md shows."""
    lines = ["| area | rule | verdict | reason |", "|---|---|---|---|"]
    for verdict in found:
        lines.append(
            f"| {verdict.rule.area} | {verdict.rule.id} | {verdict.outcome} | {verdict.reason} |"
        )
    return "\n".join(lines)
