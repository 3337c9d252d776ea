"""Other people's tools against the lab: AWS's own command line, bare boto3 and Pulumi, and what its
provider and its mailbox hold."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence

from lab import client
from lab.context import ACCOUNT_ID
from lab.provider.registry import all_types
from ops import bootstrap, lab, stack_file, workspace
from ops.engines.pulumi_cli import home
from ops.errors import ExitCode, bad_input
from ops.printing import make_console, print_json
from ops.quality import pins
from ops.workspace import Workspace
from pulumi_protocol.environment import isolated

HIDDEN = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_ROLE_ARN",
          "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
          "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CA_BUNDLE",
          "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")  # fmt: skip
"""What would lead AWS's tools elsewhere."""
ELSEWHERE = ("--endpoint-url", "--profile", "--no-sign-request")
"""Flags of AWS's command line that the lab takes itself."""


def aws_variables(address: str) -> dict[str, str]:
    """The variables by which every tool of AWS's reaches the lab alone: of a real account neither a
    profile nor a key nor an endpoint of a single service is read."""
    return {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": ACCOUNT_ID,
        "AWS_SECRET_ACCESS_KEY": "lab",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_PAGER": "",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }


def variables(space: Workspace, address: str) -> dict[str, str]:
    """Those, and what Pulumi's own command line needs for the lab's stacks."""
    alone = home.lab_environment(space, lab.environment(address))
    return {
        **{name: alone[name] for name in alone if name.startswith(("PULUMI_", "WARM_STANDBY_"))},
        "PYTHONPATH": alone["PYTHONPATH"],
        **aws_variables(address),
    }


def exports(values: Mapping[str, str], environment: Mapping[str, str] = os.environ) -> list[str]:
    """Lines for a shell: what leads elsewhere is unset, endpoints of single services as well."""
    others = {name for name in environment if name.startswith("AWS_ENDPOINT_URL_")}
    unset = sorted({*HIDDEN, *others} - values.keys())
    return [
        f"unset {' '.join(unset)}",
        *(f"export {name}={shlex.quote(value)}" for name, value in sorted(values.items())),
    ]


def env(stack: str) -> None:
    """Prints the exports, for ``eval "$(./inv lab.env)"``."""
    space = workspace.find()
    address = lab.endpoint(stack_file.load_lab(space, stack))
    home.prepare(space)
    for line in exports(variables(space, address)):
        print(line)


def aws(stack: str, arguments: str) -> ExitCode:
    """Runs AWS's command line with these arguments; its exit code."""
    words = shlex.split(arguments)
    check(words)
    space = workspace.find()
    address = lab.endpoint(stack_file.load_lab(space, stack))
    pins.require(space.repository, bootstrap.AWS)
    done = subprocess.run(
        [sys.executable, "-m", "awscli", *words],
        env=isolated() | aws_variables(address),
        check=False,
    )
    return ExitCode.OK if done.returncode == 0 else ExitCode.FAILED


def check(words: Sequence[str]) -> None:
    """Refuses what would lead to anything but the lab."""
    if not words:
        raise bad_input("lab.aws needs AWS's own arguments, such as: ./inv lab.aws s3 ls")
    for word in words:
        if word.partition("=")[0] in ELSEWHERE:
            raise bad_input(f"lab.aws reaches the lab alone: leave out {word.partition('=')[0]}")


def mails(confirm: bool, as_json: bool) -> None:
    """Shows SNS's mails; ``confirm`` first follows the links of those that ask for it."""
    found = client.mails(workspace.find().lab_state, confirm)
    if as_json:
        print_json(found)
        return
    console = make_console()
    for mail in found:
        console.print(f"{mail['at']}  {mail['to']}  {mail['topic'].rpartition(':')[2]}")
        console.print(f"  {mail['subject']}")
        for line in mail["body"].splitlines():
            console.print(f"  {line}")
    if not found:
        console.print("SNS has sent no mail")


def types(as_json: bool) -> None:
    """Lists the resource types that the lab's provider has."""
    names = sorted(all_types())
    if as_json:
        print_json(names)
        return
    console = make_console()
    for name in names:
        console.print(name)
