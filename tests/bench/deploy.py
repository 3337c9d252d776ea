"""``./inv bench deploy``: seconds of deploying, deploying unchanged, and destroying; memory; what
the lab takes at rest.

Where Pulumi's CLI is on PATH, the same is done by it, on a lab of its own, and the times compared.
"""

from __future__ import annotations

import shutil

from bench import Measurements, at_rest_percent, lab_of_its_own, memory_mb, timed

OF_THE_CLI = {"deploy-all": 1 / 3, "deploy-all, unchanged": 1 / 4, "destroy-all": 1 / 4}
"""What the embedded engine may take of the CLI's time."""


def main() -> None:
    """The limits are those of the complete system on two cores."""
    found = Measurements("deploy")
    seconds: dict[str, float] = {}
    with lab_of_its_own() as lab:
        timed(lab, "lab.up")
        found.add("memory of the idle lab", memory_mb(lab), "MB", 250)
        timed(lab, "preview-all")  # bundles the application, which is part of the installation
        seconds["deploy-all"] = timed(lab, "deploy-all")
        found.add("deploy-all", seconds["deploy-all"], "s", 30)
        seconds["deploy-all, unchanged"] = timed(lab, "deploy-all")
        found.add("deploy-all, unchanged", seconds["deploy-all, unchanged"], "s", 15)
        found.add("memory of the whole lab, deployed", memory_mb(lab), "MB", 700)
        found.add("one core, taken by the deployed lab at rest", at_rest_percent(lab), "%", 15)
        seconds["destroy-all"] = timed(lab, "destroy-all")
        found.add("destroy-all", seconds["destroy-all"], "s", 20)
        found.hold("nothing is left", lab.inventory() == [])
    if shutil.which("pulumi"):
        compare(found, seconds)
    else:
        print("no pulumi on PATH: nothing to compare with")
    found.end()


def compare(found: Measurements, seconds: dict[str, float]) -> None:
    """Holds the embedded engine's times against those of Pulumi's CLI."""
    with lab_of_its_own() as lab:
        timed(lab, "lab.up")
        for what, part in OF_THE_CLI.items():
            taken = timed(lab, what.partition(",")[0], "--engine", "pulumi")
            found.add(f"{what} by Pulumi's CLI", taken, "s")
            found.add(f"{what}, part of the CLI's time", seconds[what] / taken, "", part)


if __name__ == "__main__":
    main()
