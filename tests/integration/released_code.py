"""The application's code in a working copy that a test changes, and which version serves where."""

from __future__ import annotations

from deployed_lab import REPOSITORY, Lab
from region_outage import EAST, WEST

ROLES = {"primary": EAST, "secondary": WEST}
LIST = "    list: async ({ query, deadline }) => {\n"


def versions(lab: Lab) -> dict[str, str]:
    """Region → the version that its alias leads to."""
    return {
        region: lab.client("lambda", region).get_alias(
            FunctionName=lab.outputs[f"app.{role}.function_name"], Name="live"
        )["FunctionVersion"]
        for role, region in ROLES.items()
    }


def change(lab: Lab, line: str) -> None:
    """Begins the answer of a read with a line, in the working copy of the application's sources."""
    source = lab.repository / "lambda_src" / "api" / "src" / "records.mjs"
    text = (REPOSITORY / source.relative_to(lab.repository)).read_text()
    assert LIST in text
    source.write_text(text.replace(LIST, f"{LIST}    {line}\n", 1))
