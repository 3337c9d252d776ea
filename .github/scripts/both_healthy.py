"""Reads ``./inv status --json`` from standard input; fails unless both regions serve.

Every layer must be deployed, both load balancers must answer ``/health`` with 200 healthy, and
exactly one region's database must write. Runs with any Python 3, before and without ``.venv``.
"""

import json
import sys


def faults(status: dict) -> list[str]:
    """What isn't as it should be, one line each."""
    found = [f"{x['layer']} isn't deployed" for x in status["layers"] if not x["deployed"]]
    for region in status["regions"]:
        if region["health"] != "200 healthy":
            found.append(f"{region['region']}: /health: {region['health']}")
    writers = [x["region"] for x in status["regions"] if x["database"].startswith("writer")]
    if len(writers) != 1:
        databases = ", ".join(f"{x['region']}: {x['database']}" for x in status["regions"])
        found.append(f"{len(writers)} databases write instead of one ({databases})")
    return found


if __name__ == "__main__":
    text = sys.stdin.read()
    if not text.strip():
        sys.exit("no status to judge: see above")
    lines = faults(json.loads(text))
    if lines:
        sys.exit("\n".join(lines))
    print("both regions are healthy, and one database writes")
