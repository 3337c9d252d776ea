"""``./inv bench scale``: how time and memory of one layer grow with its resources.

Synthetic parameters, made and then deployed unchanged by the embedded engine: twice as many may
take little more than twice as long, and as much memory.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from bench import Measurements, Samples, lab_of_its_own, timed
from deployed_lab import REPOSITORY

from lab.engine.embedded import EmbeddedEngine
from ops.engines.embedded import PLUGIN

SIZES = (1000, 2000)
GROWTH = 2.2
"""What the larger size may take of the smaller one's time and memory."""

PROGRAM = """\
import json
import pulumi_aws as aws
import pulumi
endpoint = {endpoint!r}
names = ("ssm", "sts")
provider = aws.Provider(
    "east", region="us-east-1", access_key="test", secret_key="test",
    endpoints=[dict.fromkeys(names, endpoint)], skip_credentials_validation=True,
)
for number in range({size}):
    aws.ssm.Parameter(
        f"parameter-{{number}}", name=f"/scale/{size}/{{number}}", type="String", value=str(number),
        opts=pulumi.ResourceOptions(provider=provider),
    )
"""


def memory() -> float:
    """The memory of this process and all below it, in MB; shared pages count once."""
    total = 0
    this = psutil.Process()
    for process in (this, *this.children(recursive=True)):
        try:
            total += process.memory_full_info().pss
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return total / 1e6


def measure(size: int, endpoint: str) -> None:
    """Prints the figures of one size as JSON; a process of its own, so that its memory is too."""
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="warm-standby-scale-") as directory:
        project = Path(directory)
        (project / "Pulumi.yaml").write_text("name: scale\nruntime: python\n")
        (project / "Pulumi.lab.yaml").write_text("config: {}\n")
        (project / "__main__.py").write_text(PROGRAM.format(endpoint=endpoint, size=size))
        engine = EmbeddedEngine(
            project_dir=project,
            stack="lab",
            state_dir=project / "state",
            plugin=PLUGIN,
            environment={
                "PYTHONPATH": str(REPOSITORY),
                "WARM_STANDBY_LAB_ENDPOINT": endpoint,
            },
        )
        for what, made in (("created", size), ("unchanged", 0)):
            with Samples(memory) as samples:
                begun = time.monotonic()
                done = engine.up(lambda _: None)
                figures[f"{what}, s"] = time.monotonic() - begun
            if (done.created, done.changed) != (made, made):
                sys.exit(f"{size} parameters, {what}: {done}")
            figures[f"{what}, MB"] = max(samples.values)
    print(json.dumps(figures))


def main() -> None:
    """Measures both sizes in one lab, and holds the second against the first."""
    found = Measurements("scale")
    measured: list[dict[str, float]] = []
    with lab_of_its_own() as lab:
        timed(lab, "lab.up")
        for size in SIZES:
            answer = subprocess.run(
                [sys.executable, __file__, str(size), lab.endpoint],
                stdout=subprocess.PIPE,
                env=os.environ,
                check=False,
            )
            if answer.returncode:
                sys.exit(answer.returncode)
            measured.append(json.loads(answer.stdout))
            for what, value in measured[-1].items():
                name, _, unit = what.rpartition(", ")
                found.add(f"{size} parameters {name}", value, unit)
    small, large = measured
    for what, value in large.items():
        name, _, unit = what.rpartition(", ")
        kind = "time" if unit == "s" else "memory"
        found.add(f"{kind} {name}, {SIZES[1]} to {SIZES[0]}", value / small[what], "times", GROWTH)
    found.end()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure(int(sys.argv[1]), sys.argv[2])
    else:
        main()
