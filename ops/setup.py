"""Installing Pulumi's own CLI, for stacks beyond the lab; the lab needs none."""

from __future__ import annotations

import subprocess

from pulumi.automation import PulumiCommand

from ops.engines.pulumi_cli import command
from ops.errors import ExitCode, OperatorError
from ops.waiting import announced


def setup() -> list[str]:
    """Finds or installs the CLI; answers the lines to print."""
    try:
        found = command.find()
        return [f"Pulumi's CLI {command.version_of(found)} is here: {found}"]
    except OperatorError:
        pass  # none, or too old: install the one that belongs to the SDK
    executable = command.installed()
    version = command.sdk_version()
    try:
        # Pulumi's installation script, which takes the release from get.pulumi.com.
        with announced(f"get.pulumi.com to hand out Pulumi's CLI {version}"):
            PulumiCommand.install(root=str(executable.parent.parent), version=version)
    except (OSError, subprocess.CalledProcessError) as error:
        output = getattr(error, "output", b"") or b""
        lines = output.decode(errors="replace").split("\n") if isinstance(output, bytes) else []
        said = next((line.strip() for line in reversed(lines) if line.strip()), str(error))
        raise OperatorError(
            f"Pulumi's CLI {version} can't be installed ({' '.join(said.split())}): check the "
            "network and HTTPS_PROXY and run ./inv setup again, or see "
            "https://www.pulumi.com/docs/install",
            ExitCode.ENVIRONMENT,
        ) from None
    return [
        f"installed Pulumi's CLI {command.version_of(executable)}: {executable}",
        f'it is found there; for `pulumi` itself: export PATH="{executable.parent}:$PATH"',
    ]
