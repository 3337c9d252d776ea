"""``./inv alarms``: what is red in both regions, since when, and what the runbook says."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ops import runbook
from ops.cloud import alarms
from ops.cloud.alarms import Alarm, RegionAlarms
from ops.cloud.clients import Clients
from ops.printing import make_console, print_json, rows_table
from ops.runbook import Line
from ops.stack_file import StackFile
from ops.waiting import announced
from ops.workspace import Workspace

STATES = {alarms.RED: "red", alarms.NO_DATA: "no data"}


def show(workspace: Workspace, file: StackFile, clients: Clients, as_json: bool) -> None:
    """Prints the alarms that are red, those without data, and regions that don't answer."""
    suffix = file.settings.suffix
    with announced(f"the alarms of {' and '.join(clients.regions)}"):
        found = alarms.alarms(clients, suffix)
    lines = runbook.read(workspace.repository, file.stack, suffix)
    if as_json:
        print_json([_as_dict(region, lines) for region in found])
        return
    console = make_console()
    for region in found:
        if region.unknown:
            console.print(f"{region.region}: not known ({region.unknown})")
    # What is red comes first: no data is mostly a thing that was never measured yet.
    shown = sorted(
        (alarm for region in found for alarm in region.alarms),
        key=lambda alarm: (not alarm.is_red, alarm.since),
    )
    if not shown:
        console.print("no alarm is red")
        return
    headings = ("alarm", "region", "state", "since", "means", "do")
    console.print(rows_table(headings, (_row(alarm, lines) for alarm in shown)))


def _row(alarm: Alarm, lines: dict[str, Line]) -> tuple[str, ...]:
    line = lines.get(alarm.purpose) or Line(alarm.description, "")
    since = f"{alarm.since:%Y-%m-%d %H:%M:%S %Z}".strip()
    do = line.do.replace("<region>", alarm.region)
    return (alarm.purpose, alarm.region, STATES[alarm.state], since, line.means, do)


def _as_dict(region: RegionAlarms, lines: dict[str, Line]) -> dict[str, Any]:
    return {
        "region": region.region,
        "unknown": region.unknown,
        "alarms": [
            {
                **asdict(alarm),
                "state": STATES[alarm.state],
                "since": alarm.since.isoformat(),
                "runbook": asdict(lines[alarm.purpose]) if alarm.purpose in lines else None,
            }
            for alarm in region.alarms
        ],
    }
