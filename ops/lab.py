"""The lab as operators use it: started when a lab stack needs it, found by its address."""

from __future__ import annotations

import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from lab import client
from lab.errors import LabError
from ops.errors import ExitCode, OperatorError, bad_input
from ops.stack_file import StackFile
from ops.workspace import Workspace

ENDPOINT_VARIABLE = "WARM_STANDBY_LAB_ENDPOINT"
"""The lab's address, over what configuration and checkpoint say."""


def endpoint(stack_file: StackFile, environment: Mapping[str, str] = os.environ) -> str:
    """The lab's address for this stack; refused when it isn't on this machine."""
    address = environment.get(ENDPOINT_VARIABLE) or stack_file.settings.stack.endpoint
    if urlsplit(address).hostname not in ("127.0.0.1", "localhost"):
        raise bad_input(
            f"{ENDPOINT_VARIABLE} is {address}: the lab is on this machine only, such as "
            f"http://127.0.0.1:{client.DEFAULT_PORT}"
        )
    return address.rstrip("/")


def start(workspace: Workspace, stack_file: StackFile, clock: float | None = None) -> client.Status:
    """The running lab of this workspace, started if need be."""
    port = urlsplit(endpoint(stack_file)).port
    try:
        return client.start(workspace.lab_state, port=port, clock=clock)
    except LabError as error:
        code = ExitCode.BUSY if "port" in str(error) else ExitCode.FAILED
        raise OperatorError(str(error), code) from None
