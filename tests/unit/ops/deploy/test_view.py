"""What operators see."""

from __future__ import annotations

import io

from fake_engine import event
from rich.console import Console

from ops.deploy import view
from ops.deploy.sequence import LayerResult, Outcome
from pulumi_protocol.events import (
    EngineError,
    LogEvent,
    Operation,
    PropertyDiff,
    ResourceEvent,
    Summary,
)


def console(terminal: bool = False) -> Console:
    """A console that can be read."""
    return Console(
        file=io.StringIO(), width=120, force_terminal=terminal, highlight=False, soft_wrap=True
    )


def text(of: Console) -> str:
    """What a console printed."""
    return of.file.getvalue()  # type: ignore[attr-defined]


def changed(operation: Operation, *diff: PropertyDiff) -> ResourceEvent:
    """A planned change."""
    return ResourceEvent(operation, "urn", "aws:s3/bucket:Bucket", "objects", "planned", diff=diff)


def test_a_change_shows_each_property_s_old_and_new_value() -> None:
    """R9.6: the preview says exactly what would change."""
    diff = (
        PropertyDiff("tags.Team", None, "data"),
        PropertyDiff("bucket", "a", "b" * 80, replaces=True),
    )
    assert view.change_lines(changed(Operation.REPLACE, *diff)) == [
        "± replace aws:s3/bucket:Bucket objects",
        "    tags.Team: (absent) → data",
        f"    bucket: a → {'b' * 60}… (forces replacement)",
    ]


def test_created_and_deleted_resources_are_one_line_each() -> None:
    """A new resource's two hundred inputs would bury the rest."""
    diff = (PropertyDiff("bucket", None, "b"),)
    assert len(view.change_lines(changed(Operation.CREATE, *diff))) == 1
    assert len(view.change_lines(changed(Operation.DELETE, *diff))) == 1


def test_unchanged_resources_are_not_listed() -> None:
    """An unchanged deployment prints a table and no list."""
    assert view.change_lines(changed(Operation.SAME)) == []
    assert view.change_lines(changed(Operation.REFRESH)) == []


def test_an_error_is_one_line_with_what_each_resource_said_below() -> None:
    """STYLE: one line for the person who can act; details that repeat it are left out."""
    error = EngineError("data: creating x failed: no\n such y", ("x: no such z", "no such y"))
    assert view.error_lines(error) == [
        "data: creating x failed: no such y",
        "  x: no such z",
    ]
    assert view.error_lines(KeyError()) == ["KeyError"]


def test_the_table_counts_what_was_done_and_what_was_not() -> None:
    """First light: layer, created, updated, same, deleted, seconds."""
    results = [
        LayerResult("network", Outcome.DONE, Summary(created=2, same=3), 1.25),
        LayerResult("data", Outcome.FAILED, seconds=2.0),
        LayerResult("app", Outcome.NOT_STARTED),
    ]
    printed = console()
    printed.print(view.results_table(results, planned=False))
    lines = [line.split() for line in text(printed).splitlines()]
    assert lines[0] == ["layer", "created", "updated", "replaced", "same", "deleted", "seconds"]
    assert lines[1] == ["network", "2", "0", "0", "3", "0", "1.2"]
    assert lines[2] == ["data", "2.0", "failed"]
    assert lines[3] == ["app", "0.0", "not", "started"]
    assert lines[4] == ["all", "2", "0", "0", "3", "0", "3.2"]


def test_the_table_of_one_layer_has_no_total() -> None:
    """A preview's headings are in the future."""
    printed = console()
    printed.print(view.results_table([LayerResult("data", Outcome.DONE)], planned=True))
    assert "all" not in text(printed)
    assert text(printed).split()[:3] == ["layer", "create", "update"]


def test_without_a_terminal_progress_is_plain_lines() -> None:
    """First light: pipelines read lines, without control characters."""
    printed = console()
    with view.View(printed, "deploy lab") as shown:
        shown.begin("network")
        shown.event("network", event("network", "started"))
        shown.event("network", event("network", "done"))
        shown.event("network", event("network", "done", Operation.SAME))
        shown.event("network", LogEvent("warning", "", "mind\nthis"))
        shown.event("network", LogEvent("error", "", "comes again as the result"))
        shown.finished(LayerResult("network", Outcome.DONE, seconds=1.0))
        shown.finished(LayerResult("data", Outcome.DONE, seconds=1.0))
    assert text(printed).splitlines() == [
        "deploy lab",
        "network: started",
        "network: + create aws:ec2/vpc:Vpc vpc-network",
        "network: mind",
        "network: this",
        "network: done in 1.0 s: 1 create, 1 same",
        "data: started",
        "data: done in 1.0 s: nothing to do",
    ]


def test_on_a_terminal_progress_moves_in_place() -> None:
    """First light: one moving line a layer; planned changes and logs above it."""
    printed = console(terminal=True)
    with view.View(printed, "deploy lab") as shown:
        shown.begin("network")
        shown.event("network", event("network", "started"))
        shown.event("network", event("network", "done"))
        shown.event("network", event("network", "planned"))
        shown.finished(LayerResult("network", Outcome.DONE, seconds=1.0))
        shown.event("data", event("data", "started"))
        shown.finished(LayerResult("data", Outcome.FAILED, seconds=1.0))
    shown = text(printed)
    assert shown.count("create aws:ec2/vpc:Vpc vpc-network") == 1
    assert "✓  network" in shown
    assert "✗  data" in shown


def test_a_layer_s_line_counts_and_names_what_is_under_way() -> None:
    """R9.6: progress while it works."""
    progress = view.LayerProgress(0.0)
    assert progress.line() == ""
    progress.take(event("a", "started"))
    assert progress.line() == "create vpc-a"
    progress.take(event("b", "started"))
    progress.take(event("c", "done"))
    progress.take(event("d", "failed"))
    assert progress.line() == "1 create; create vpc-a and 1 more"
