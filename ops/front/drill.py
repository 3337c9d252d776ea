"""``drill`` and ``drill.*``: outages on purpose, measured, and the evidence of them."""

from __future__ import annotations

from collections.abc import Sequence

from invoke.collection import Collection
from invoke.context import Context

from ops.front.command import command

DRILLS = "A drill's id, the beginning of it, or a file of it"


@command(
    scenario="What is broken; --list shows all",
    seed="Repeats a drill's schedule and moment; 0 for any",
    list="List the scenarios with what must happen in each",
    participants="NAME or NAME:ROLE; may be repeated",
    approved_by="Who approved it",
    finding="TEXT;OWNER;DUE of a new finding, or close:ID; may be repeated",
    stay="Leave the writer where it is then",
    template="Experiment of AWS FIS that takes the region",
    confirm="The stack's name: continues without asking; the lab never asks",
    rate="Requests in a second by this factor, on a machine that is slow or fast",
    kms_key="Key of KMS (ARN, alias/NAME or id) that signs the evidence; this user's own otherwise",
    restore="Give back what an interrupted drill left broken, and do no more",
)
def drill(
    _c: Context,
    scenario: str = "region-loss",
    seed: int = 0,
    list: bool = False,
    participants: Sequence[str] = (),
    approved_by: str = "",
    finding: Sequence[str] = (),
    stay: bool = False,
    template: str = "",
    confirm: str = "",
    kms_key: str = "",
    restore: bool = False,
    rate: float = 1.0,
    stack: str = "lab",
    engine: str | None = None,
    json: bool = False,
) -> None:
    """Break something on purpose under load, measure and judge, and leave evidence."""
    from ops.drill import command as drills

    if list:
        drills.show_list(json)
        return
    from functools import partial

    from ops import exits, session
    from ops.drill import scenario as scenarios
    from ops.report import drills as kept
    from ops.report import page

    scenarios.load(scenario)
    options = drills.Options(
        scenario,
        seed or None,
        participants,
        approved_by,
        finding,
        stay,
        json,
        template,
        confirm,
        restore,
        rate,
        kms_key,
    )
    driver = session.driver_for(stack, engine)
    before = kept.newest(driver.workspace.directory, stack)
    world = partial(session.acting_on, stack)
    exits.end_with(drills.run(driver, options, page.page, world, before))


@command("history", markdown="Print the README's table: of each scenario the newest that passed")
def history_(_c: Context, json: bool = False, markdown: bool = False) -> None:
    """List the recorded drills with what has become worse; exit code 5 if anything did."""
    from ops import exits, workspace
    from ops.report import figures, history

    directory = workspace.find().directory
    if markdown:
        figures.show(directory)
    else:
        exits.end_with(history.show(directory, json))


@command("compare", one=DRILLS, other=DRILLS)
def compare_(_c: Context, one: str, other: str, json: bool = False) -> None:
    """Show two drills side by side; other clocks are refused."""
    from ops import workspace
    from ops.report import compare

    compare.show(workspace.find().directory, one, other, json)


@command("verify", file="A file of the evidence", key="Public key (PEM) that is trusted; your own")
def verify_(_c: Context, file: str, key: str = "", json: bool = False) -> None:
    """Check that evidence is what was signed, by a trusted key; exit code 5 if it isn't."""
    from ops import exits
    from ops.report import verify

    exits.end_with(verify.show(file, key, json))


DRILL = Collection("drill", history_, compare_, verify_)
DRILL.add_task(drill, default=True)
