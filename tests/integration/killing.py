"""Killing the driver of a deployment in the middle, and looking for what it left behind."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter

import psutil
from deployed_lab import Lab

STEPS = (" + create ", " - delete ", " ~ update ")
ENDED_SECONDS = 10


def kill_at(lab: Lab, task: str, moment: int) -> int:
    """Runs a task and kills its process (SIGKILL) once ``moment`` steps were shown.

    Answers how many were shown; fewer than ``moment`` means that it ended before.
    """
    process = lab.start(task)
    assert process.stdout is not None
    shown = 0
    for line in process.stdout:
        shown += any(step in line for step in STEPS)
        if shown >= moment:
            os.kill(process.pid, signal.SIGKILL)
            break
    process.stdout.close()
    process.wait(timeout=ENDED_SECONDS)
    return shown


def left_behind(lab: Lab) -> list[str]:
    """Drivers, programs and plugins of this lab's workspace that still run after a short while."""
    end = time.monotonic() + ENDED_SECONDS
    while (found := _running(lab)) and time.monotonic() < end:
        time.sleep(0.1)
    return found


def _running(lab: Lab) -> list[str]:
    found = []
    for process in psutil.process_iter():
        try:
            command = " ".join(process.cmdline())
            if not any(mark in command for mark in ("lab.provider", "engine/program", "invoke")):
                continue
            if process.environ().get("WARM_STANDBY_WORKSPACE") == str(lab.directory):
                found.append(f"{process.pid} {command}")
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return found


def census(lab: Lab) -> Counter[tuple[str, str]]:
    """How many tagged resources each service of each region holds, over AWS's APIs."""
    return Counter((found.region, found.service) for found in lab.inventory())
