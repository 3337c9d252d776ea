"""The environment that programs and plugins of the engine run in."""

from __future__ import annotations

import os
from collections.abc import Mapping

_PROXIES = {"http_proxy", "https_proxy", "all_proxy", "ftp_proxy", "no_proxy", "grpc_proxy"}


def isolated(*additions: Mapping[str, str] | None) -> dict[str, str]:
    """This process's environment without AWS's own variables and proxies, plus ``additions``.

    No profile, credential, endpoint or instance metadata of the user's machine can reach a
    program or plugin: the engine serves the lab, and the lab calls nothing beyond this machine.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith(("AWS_", "PULUMI_")) and name.lower() not in _PROXIES
    }
    for addition in additions:
        kept.update(addition or {})
    return kept | {
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }
