"""``./inv recovery.status``: what the controller that guards sees, may do, and last decided."""

from __future__ import annotations

import json
from typing import Any

from ops.cloud.clients import Clients
from ops.printing import flat_lines, make_console, print_json
from ops.recovery.items import Item, Items, minute_of
from ops.stack_file import StackFile
from ops.waiting import announced
from ops.workspace import Workspace
from recovery.codec import to_json
from recovery.mode import effective_mode, validation_is_fresh
from recovery.model import WATCHES, Mode, Settings, Stage, State
from recovery.observation import Ready, Switch, Value, Witness

LATEST = 10
WITNESSED = {Witness.PRIMARY: Value.ALIVE, Witness.SECONDARY: Value.DEAD}


def show(_workspace: Workspace, file: StackFile, clients: Clients, as_json: bool) -> None:
    """Prints the document of docs/names.md, or its lines."""
    items = Items.of(clients, file)
    with announced(f"the recovery items of {' and '.join(clients.regions)}"):
        both = items.read()
        document = as_document(both, file, clients, items)
    if as_json:
        print_json(document)
        return
    console = make_console()
    for line in flat_lines({key: _cell(value) for key, value in document.items()}):
        console.print(line)


def as_document(
    both: tuple[Item, Item], file: StackFile, clients: Clients, items: Items
) -> dict[str, Any]:
    """What is known of the controller that guards, and of regions that don't answer."""
    item = guarding(both)
    state = item.state
    assert state is not None  # noqa: S101 - the one that guards is known
    settings = settings_of(file, item.region)
    minute = minute_of(both)
    effective = effective_mode(state, settings, minute)
    kept = state.validation
    fresh = kept is not None and validation_is_fresh(state, minute)
    return {
        "region": item.region,
        "mode": settings.mode.value,
        "effective_mode": {"mode": effective.mode.value, "reasons": list(effective.reasons)},
        "state": state.stage.value,
        "epoch": state.epoch,
        "writer": writer(state, settings),
        "signals": signals(state),
        "lag_ms": state.reader.lag_seconds * 1000 if state.reader else None,
        "hold": to_json(state.hold),
        "freeze": to_json(state.freeze),
        "readiness": {
            "score": int(fresh and kept is not None and kept.ready),
            "reasons": list(kept.reasons) if fresh and kept else ["no validation of a day"],
            "notes": list(kept.notes) if fresh and kept else [],
        },
        "last_decision": state.reason,
        "journal": _latest(items, item.region),
        "unknown": {other.region: other.unknown for other in both if other.state is None},
    }


def guarding(both: tuple[Item, Item]) -> Item:
    """The item to show: the armed one, else one in an incident, else the standby's, of those that
    are known."""

    def rank(item: Item) -> tuple[bool, bool, bool, bool]:
        state = item.state
        if state is None:
            return (False, False, False, False)
        busy = state.stage not in WATCHES or state.incident is not None
        return (True, state.armed, busy, item is both[1])

    return max(both, key=rank)


def settings_of(file: StackFile, region: str) -> Settings:
    """The controller's configuration, as ``global`` gives it to the function."""
    chosen = file.settings
    primary, standby = chosen.primary_region, chosen.standby_region
    return Settings(
        region=region,
        peer=standby if region == primary else primary,
        switch=Switch.RELEASED if region == primary else Switch.ENGAGED,
        environment=chosen.environment,
        mode=Mode(chosen.global_.recovery_mode),
        lag_limit_seconds=chosen.global_.recovery_lag_limit_seconds,
        instances=chosen.data.instances_per_region,
        accepted_by=chosen.global_.accepted_by,
    )


def writer(state: State, settings: Settings) -> str | None:
    """The region that writes, as the controller last saw it."""
    promoted = state.incident is not None and state.incident.promoted
    if promoted and state.stage is not Stage.FAILING_BACK:
        return settings.region
    seen = state.global_seen
    if seen is None:
        return None
    return settings.region if seen.own_writer else settings.peer


def signals(state: State) -> dict[str, str]:
    """What the last counted run saw; a run counts only where the own region sees itself."""
    unknown = {streak.signal for streak in state.unknown}
    seen = state.history[-1] if state.history else None
    if seen is None or state.stage is Stage.BLIND:
        return {}
    own = {
        name: Value.UNKNOWN if name in unknown else Value.ALIVE
        for name in ("own_reader", "own_cluster", "describe_global")
    }
    ready = Value.UNKNOWN if seen.ready is Ready.NO_ANSWER else seen.ready.signal.value
    found = {
        "own_load_balancer": Value.ALIVE,
        **own,
        "peer_application": seen.application,
        "peer_ready": ready,
        "witness": WITNESSED.get(seen.witness, Value.UNKNOWN),
        "writer_sql": seen.writer,
        "replicated_change": seen.change,
    }
    return {name: value.value for name, value in found.items()}


def _latest(items: Items, region: str) -> list[dict[str, Any]]:
    """The journal's newest entries, the last one first."""
    found = items.dynamodb(region).query(
        TableName=items.table(region),
        KeyConditionExpression="kind = :journal",
        ExpressionAttributeValues={":journal": {"S": "journal"}},
        ScanIndexForward=False,
        Limit=LATEST,
    )["Items"]
    entries = [json.loads(entry["entry"]["S"]) for entry in found]
    return [{**entry, "body": json.loads(entry["body"])} for entry in entries]


def _cell(value: Any) -> str:
    """A value as one line."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {_cell(inner)}" for key, inner in value.items()) or "none"
    if isinstance(value, list):
        if value and isinstance(value[0], dict):
            return f"{len(value)} entries, the last one {value[0]['number']} ({value[0]['kind']})"
        return "; ".join(map(str, value)) or "none"
    return "none" if value in (None, "") else str(value)
