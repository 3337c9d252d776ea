"""What a command that moves the writer asks, reports and prints."""

from __future__ import annotations

import sys
from typing import Any

from ops.errors import ExitCode, OperatorError, bad_input
from ops.printing import flat_lines, make_console, print_json
from ops.recovery import failback, failover, switchover, two_people
from ops.recovery import reconcile as tail
from ops.recovery.place import World

FORCED = "failover --force"


def fail_over(
    world: World, *, planned: bool, force: bool, reason: str, yes: bool, as_json: bool
) -> None:
    """``./inv failover``: by a promotion, or ``planned`` by a switchover to the standby region."""
    if force and not reason.strip():
        raise bad_input("failover --force: a reason is needed: --reason '...'")
    if reason and not force:
        raise bad_input("failover --reason: it goes with --force")
    if planned and force:
        raise bad_input("failover --planned: a switchover can't be forced")
    talk = _Talk(yes=yes, as_json=as_json)
    if planned:
        region = world.clients.regions[1]
        done = switchover.run(world, region, confirm=talk.confirm, report=talk.report)
        talk.end(done.as_dict(), f"{region} writes, epoch {done.epoch}")
        return
    if force and (asked_by := two_people.agreed(world.clients, world.file, FORCED, reason)):
        reason = f"{reason} (asked for by {asked_by})"
    promoted = failover.run(world, reason=reason, confirm=talk.confirm, report=talk.report)
    talk.end(promoted.as_dict(), f"{promoted.region} writes, epoch {promoted.epoch}")


def fail_back(world: World, *, yes: bool, as_json: bool) -> None:
    """``./inv failback``."""
    talk = _Talk(yes=yes, as_json=as_json)
    done = failback.run(world, confirm=talk.confirm, report=talk.report)
    talk.end(done.as_dict(), f"{done.region} writes, epoch {done.epoch}")


def reconcile(world: World, *, replay: bool, accept: str, as_json: bool) -> None:
    """``./inv recovery.reconcile``: exit code 5 where something is left to decide."""
    if replay and accept:
        raise bad_input("recovery.reconcile: --replay or --accept, not both")
    talk = _Talk(yes=True, as_json=as_json)
    if accept:
        found = tail.accept(world, accept, report=talk.report)
    else:
        found = tail.compare(world, replay=replay, report=talk.report)
    for record in () if as_json else found.records:
        talk.report(f"{record['fate']:10} {record['id']} of {record['created_at']}")
    for key in () if as_json else found.missing_objects:
        talk.report(f"no object  {key}")
    for key in () if as_json else found.objects_without_records:
        talk.report(f"no record  names object {key}")
    for key in () if as_json else found.orphaned:
        talk.report(f"no record  of event {key}")
    if found.unlisted and not as_json:
        talk.report(f"unlisted   the old volume's records: {found.unlisted}")
    counts = ", ".join(f"{count} {name}" for name, count in found.counts.items())
    line = f"the lost tail of {found.region}'s promotion is {found.tail}"
    talk.end(found.as_dict(), f"{line}: {counts}" if counts else line)
    if found.tail == "open":
        raise OperatorError(
            "something is left to decide: --replay writes what was lost, --accept REASON takes the "
            "rest as lost",
            ExitCode.DIFFERENCE,
        )


class _Talk:
    """Lines for a person on standard output; with ``--json`` only the document is there."""

    def __init__(self, *, yes: bool, as_json: bool) -> None:
        self._yes, self._json = yes, as_json
        self._console = make_console(stderr=as_json)

    def report(self, line: str) -> None:
        """Prints one line at once."""
        self._console.print(line)

    def confirm(self, word: str) -> bool:
        """Whether the word was typed, or ``--yes`` given."""
        if self._yes:
            return True
        if self._json or not sys.stdin.isatty():
            raise bad_input("nobody is here to be asked: add --yes; nothing was touched")
        return input(f"Type {word} to continue: ").strip() == word

    def end(self, document: dict[str, Any], line: str) -> None:
        """Prints what was done."""
        if self._json:
            print_json(document)
            return
        seconds = {key: value for key, value in document.items() if key.endswith("seconds")}
        for text in (*flat_lines(seconds), line):
            self._console.print(text)
