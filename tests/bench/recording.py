"""``./inv bench recording``: records a lost us-east-1 in two terminals, and draws it.

Everything that the picture shows was typed and printed in this run, at the lab's clock 1. The lines
are kept in ``docs/pictures/outage.jsonl``; a test draws them anew and compares.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from deployed_lab import REPOSITORY, Lab, free_port
from traffic import front_door_of

from lab import client
from ops.quality import recording
from ops.quality.themes import THEMES

PICTURES = REPOSITORY / "docs" / "pictures"
PORT = 45660
"""The lab's own, so that what is typed is what a reader types; another one where it is taken."""
READY_CLOCK = 20.0
"""The controllers are armed after some minutes of the lab's time."""
READY_SECONDS = 150.0
LOST_SECONDS = 330.0
"""For the promotion at clock 1."""
HOME, AWAY = "us-east-1", "us-west-2"

STATUS = "./inv status | grep -E '^(writes|writer|DNS|switch|alarms|next)'"
CLIENT = (
    "write() {",
    "  curl -sSm3 -H \"Idempotency-Key: $RANDOM$RANDOM\" --json \\",
    "    '{\"patientId\":\"p-1\",\"type\":\"note\",\"data\":{}}' \\",
    "    {door}/records 2>&1 |",
    "    jq -Rr '(fromjson? | .region // .error.code) // .'",
    "}",
    "while sleep 2; do echo \"$SECONDS s  $(write)\"; done",
)  # fmt: skip


class Recorder:
    """Two terminals: what is typed and printed in them, with its moment."""

    def __init__(self, lab: Lab) -> None:
        self._environment = {
            **lab.environment, "COLUMNS": str(recording.COLUMNS), "TERM": "dumb", "NO_COLOR": "1",
        }  # fmt: skip
        self._begun = time.monotonic()
        self._lock = threading.Lock()
        self.shown: list[recording.Shown] = []

    def show(self, pane: str, text: str, typed: bool = False) -> None:
        """Notes one line."""
        with self._lock:
            at = round(time.monotonic() - self._begun, 2)
            self.shown.append(recording.Shown(at, pane, text, typed))

    def latest(self, pane: str) -> str:
        """The last printed line of a terminal."""
        with self._lock:
            lines = [one.text for one in self.shown if one.pane == pane and not one.typed]
        return lines[-1] if lines else ""

    def begin(self, pane: str, *typed: str) -> subprocess.Popen[str]:
        """Types lines, and begins what they say."""
        for number, line in enumerate(typed):
            self.show(pane, ("> " if number else "$ ") + line, typed=True)
        process = subprocess.Popen(
            ["bash", "-c", "\n".join(typed)],
            cwd=REPOSITORY,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        threading.Thread(target=self._read, args=(pane, process), daemon=True).start()
        return process

    def run(self, *typed: str) -> None:
        """The same in the operator's terminal, to its end."""
        process = self.begin("operator", *typed)
        process.wait()
        time.sleep(1)  # what was printed last is read

    def _read(self, pane: str, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self.show(pane, line.rstrip())


def main() -> None:
    """Deploys, records and draws."""
    with tempfile.TemporaryDirectory(prefix="warm-standby-recording-") as directory:
        lab = Lab(Path(directory), PORT if free(PORT) else free_port())
        try:
            prepare(lab)
            shown = record(lab)
        finally:
            lab.stop()
    (PICTURES / "outage.jsonl").write_text(recording.dump(shown))
    for name, theme in THEMES.items():
        file = PICTURES / f"outage-{name}.svg"
        file.write_text(recording.draw(shown, theme, recording.SUMMARY))
        print(file.relative_to(REPOSITORY))


def free(port: int) -> bool:
    """Whether the lab's ports can be had."""
    for each in (port, port + 1, port + 2):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", each))
            except OSError:
                return False
    return True


def prepare(lab: Lab) -> None:
    """Deploys, and waits until recovery is ready; then the lab's time is real time."""
    answer = lab.inv("deploy-all")
    if answer.returncode:
        sys.exit(answer.stdout + answer.stderr)
    client.set_clock(lab.state_dir, READY_CLOCK)
    wait("recovery is ready", lambda: ready(lab), READY_SECONDS)
    client.set_clock(lab.state_dir, 1.0)


def ready(lab: Lab) -> bool:
    """Whether us-west-2 may promote by itself; else both regions are validated anew."""
    answer = lab.inv("recovery.status", "--json")
    if answer.returncode == 0:
        found = json.loads(answer.stdout)
        if found["effective_mode"]["mode"] == "automatic" and found["readiness"]["score"] == 1:
            return True
    for region in (HOME, AWAY):
        name = f"function-validate-{region}-{lab.stack_file.settings.suffix}"
        lab.client("lambda", region).invoke(FunctionName=name, InvocationType="Event")
    return False


def record(lab: Lab) -> list[recording.Shown]:
    """Loses us-east-1 under a client's writes, and looks on until they succeed again."""
    recorder = Recorder(lab)
    typed = [line.replace("{door}", front_door_of(lab)) for line in CLIENT]
    writes = recorder.begin("client", *typed)
    try:
        wait("writes succeed", lambda: recorder.latest("client").endswith(HOME), 30)
        recorder.run(STATUS)
        recorder.run(f"./inv lab.outage {HOME}")
        wait("the outage is felt", lambda: not recorder.latest("client").endswith(HOME), 30)
        wait("traffic moves", lambda: "writer" in recorder.latest("client"), LOST_SECONDS)
        recorder.run(STATUS)
        wait("writes succeed", lambda: recorder.latest("client").endswith(AWAY), LOST_SECONDS)
        recorder.run(STATUS)
    finally:
        os.killpg(writes.pid, signal.SIGTERM)
    return recorder.shown


def wait(what: str, seen: Callable[[], bool], seconds: float) -> None:
    """Waits until something is seen; ends the recording where it never is."""
    end = time.monotonic() + seconds
    while not seen():
        if time.monotonic() > end:
            sys.exit(f"{what}: not within {seconds:g} s")
        time.sleep(0.5)


if __name__ == "__main__":
    main()
