"""``./inv cost``: the estimate as tables, as JSON, and as docs/cost.md."""

from __future__ import annotations

import json
from collections.abc import Iterable

from rich.console import Group, RenderableType

from ops import node, workspace
from ops.cost.estimate import Estimate, estimates, references, ways_out
from ops.cost.prices import PriceBook, price_book
from ops.printing import make_console, rows_table
from ops.stack_file import StackFile, load
from ops.waiting import announced


def as_json(made: list[Estimate], book: PriceBook) -> str:
    """For a pipeline."""
    return json.dumps(
        {
            "as_of": book.as_of,
            "currency": "USD",
            "estimates": [
                {
                    "title": one.title,
                    "monthly": round(one.total, 2),
                    "difference": one.difference(made[0]),
                    "groups": {name: round(cost, 2) for name, cost in one.by_group().items()},
                    "charges": [
                        {**charge.__dict__, "monthly": round(charge.monthly, 2)}
                        for charge in one.charges
                    ],
                }
                for one in made
            ],
            "references": [
                {**entry.__dict__, "ours": round(entry.ours, 2)} for entry in references(book)
            ],
            "assumptions": book.assumption,
        },
        indent=2,
    )


Table = tuple[str, list[str], list[list[str]]]
"""Title, headings, rows."""


def tables(made: list[Estimate], book: PriceBook) -> list[Table]:
    """The report's tables."""
    groups = _rows(made)
    result: list[Table] = [
        (
            f"US dollars a month, both regions, list prices of {book.as_of}",
            ["", *(one.title for one in made)],
            groups,
        )
    ]
    if len(made) == 1:
        result.append(_declared_table(made[0]))
    result.append(
        (
            "The client's figures",
            ["", "client", "list price", "why they differ"],
            [
                [entry.what, f"~{entry.client:.0f}", f"{entry.ours:.2f}", entry.reason]
                for entry in references(book)
            ],
        )
    )
    result.append(
        (
            "Ways out of the VPCs, without traffic",
            ["", "US dollars"],
            [[what, f"{cost:.2f}"] for what, cost in ways_out(book)],
        )
    )
    result.append(
        (
            "Assumptions (ops/cost/prices.toml)",
            ["", "a month"],
            [[name.replace("_", " "), f"{value:g}"] for name, value in book.assumption.items()],
        )
    )
    return result


def _rows(made: list[Estimate]) -> list[list[str]]:
    names = dict.fromkeys(name for one in made for name in one.by_group())
    rows = [[name, *(f"{one.by_group().get(name, 0):.2f}" for one in made)] for name in names]
    rows.append(["total", *(f"{one.total:.2f}" for one in made)])
    if len(made) > 1:
        differences = (f"{one.difference(made[0]):+.2f}" for one in made[1:])
        rows.append(["difference", "", *differences])
    return rows


def _declared_table(one: Estimate) -> Table:
    return "What is declared", ["", "quantity", "US dollars"], _lines(one)


def _lines(one: Estimate) -> list[list[str]]:
    """Equal charges of both regions together, those of use marked as assumed."""
    sums: dict[tuple[str, str, str, bool], tuple[float, float]] = {}
    for charge in one.charges:
        key = (charge.group, charge.what, charge.unit, charge.assumed)
        quantity, monthly = sums.get(key, (0, 0))
        sums[key] = (quantity + charge.quantity, monthly + charge.monthly)
    return [
        [
            f"{group}: {what}{' (assumed)' * assumed}",
            f"{quantity:,.10g} {unit}",
            f"{monthly:.2f}",
        ]
        for (group, what, unit, assumed), (quantity, monthly) in sorted(sums.items())
    ]


def cost_report(stack_file: StackFile, compare: str | None) -> tuple[RenderableType, str]:
    """The report for people, and as JSON."""
    book = price_book()
    made = estimates(stack_file, compare)
    shown: list[RenderableType] = []
    for title, headings, rows in tables(made, book):
        shown += [title, rows_table(headings, rows), ""]
    return Group(*shown), as_json(made, book)


DOCUMENTED = (
    "natGateways=0+vpcEndpoints=true,natGateways=3,instanceClass=db.r5.large,"
    "instanceClass=db.serverless,instanceClass=db.serverless+minCapacity=0.5,copyRetentionDays=7"
)
"""What docs/cost.md sets side by side: ways to save, and the client's references."""


def document(stack_file: StackFile) -> str:
    """docs/cost.md: one configuration's report, with the comparisons that people ask for."""
    book = price_book()
    made = estimates(stack_file, DOCUMENTED)
    lines = [
        "# What a month costs",
        "",
        f"Written by `./inv cost --stack {stack_file.stack} --markdown > docs/cost.md`, from what "
        "the four programs declare and the dated prices of `ops/cost/prices.toml`; change the "
        "assumptions there. Other stacks and other changes: `./inv cost --stack NAME --compare "
        "natGateways=1,instanceClass=db.serverless` (a comma separates changes, a plus joins the "
        "keys of one).",
        "",
        "Taxes, support and the traffic of users aren't in it.",
        "",
    ]
    for title, headings, rows in [*tables(made, book), _declared_table(made[0])]:
        lines += [f"## {title}", "", _row(headings), _row(["---"] * len(headings))]
        lines += [*(_row(row) for row in rows), ""]
    return "\n".join(lines).rstrip() + "\n"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def show(stack: str, compare: str | None = None, *, json: bool, markdown: bool) -> None:
    """Prints the report of one stack; with ``markdown`` the text of docs/cost.md."""
    stack_file = load(workspace.find(), stack)
    node.ensure()
    what = "the four programs to declare what they would create"
    if markdown:
        with announced(what):
            text = document(stack_file)
        print(text, end="")
        return
    with announced(what):
        shown, text = cost_report(stack_file, compare)
    if json:
        print(text)
    else:
        make_console().print(shown)
