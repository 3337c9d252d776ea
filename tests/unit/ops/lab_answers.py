"""What the lab answers when it is asked how it is."""

from __future__ import annotations

from lab.client import Status

RUNNING = Status(
    endpoint="http://127.0.0.1:1",
    pid=7,
    state_dir="/lab",
    regions={"us-east-1": "down", "us-west-2": "up"},
    parts={
        "dns": {"healthy": True, "detail": "12 records"},
        "database": {"healthy": False, "detail": ""},
    },
    dns="127.0.0.1:53",
    front_door="http://127.0.0.1:2",
    clock=10.0,
    outages={"us-east-1": ["api", "compute"]},
)
STOPPED = Status("", 0, "/lab", {}, {}, "", "", 1.0)
