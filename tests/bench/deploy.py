"""`./inv bench deploy`: seconds of deploying, deploying unchanged, and destroying; memory."""

from __future__ import annotations

from bench import Measurements, lab_of_its_own, memory_mb, timed


def main() -> None:
    """The limits are those of the complete system on two cores."""
    found = Measurements("deploy")
    with lab_of_its_own() as lab:
        timed(lab, "lab.up")
        found.add("memory of the idle lab", memory_mb(lab), "MB", 250)
        timed(lab, "preview-all")  # bundles the application, which is part of the installation
        found.add("deploy-all", timed(lab, "deploy-all"), "s", 30)
        found.add("deploy-all, unchanged", timed(lab, "deploy-all"), "s", 15)
        found.add("memory of the whole lab, deployed", memory_mb(lab), "MB", 700)
        found.add("destroy-all", timed(lab, "destroy-all"), "s", 20)
        found.hold("nothing is left", lab.inventory() == [])
    found.end()


main()
