"""Where Pulumi keeps the state: whether it can be reached, and whether the outage takes it away.

State in the region that is lost means that nobody can deploy while it is lost (trap 10).
"""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from ops.cloud.clients import Clients
from ops.doctor.finding import Finding, advice, missing, ok
from ops.stack_file import secrets_provider

WHAT = "state backend"
SECRETS = "secrets in the state"
PASSPHRASE_FILE = "PULUMI_CONFIG_PASSPHRASE_FILE"  # noqa: S105 - a variable
TIMEOUT_SECONDS = 10


def examine(clients: Clients, environment: Mapping[str, str] = os.environ) -> Finding:
    """The backend that Pulumi's CLI would use now."""
    url = chosen(environment)
    if not url:
        return missing(
            WHAT,
            "none is chosen",
            f"set PULUMI_BACKEND_URL to a bucket in {clients.regions[1]} (s3://…), or pulumi login",
        )
    parts = urlsplit(url)
    if parts.scheme == "s3":
        return _bucket(parts.netloc, clients)
    if parts.scheme == "file":
        return advice(
            WHAT,
            f"{url}: on this machine only",
            f"for anything that others rely on use a bucket in {clients.regions[1]}",
        )
    if parts.scheme in ("http", "https"):
        return _service(url)
    return advice(WHAT, f"{url} can't be examined here", "make sure that it outlives us-east-1")


def encryption(stack_file: Path, environment: Mapping[str, str] = os.environ) -> Finding:
    """What encrypts the secrets in the state: a key, the service, or a passphrase."""
    provider = secrets_provider(stack_file)
    if provider not in (None, "passphrase"):
        return ok(SECRETS, str(provider))
    if urlsplit(chosen(environment)).scheme in ("http", "https") and provider is None:
        return ok(SECRETS, "encrypted by the backend's service")
    if environment.get("PULUMI_CONFIG_PASSPHRASE") or environment.get(PASSPHRASE_FILE):
        return ok(SECRETS, "encrypted with a passphrase")
    return missing(
        SECRETS,
        "nothing would encrypt them but an empty passphrase",
        f"set PULUMI_CONFIG_PASSPHRASE or {PASSPHRASE_FILE}, or put secretsprovider: awskms://… "
        f"into {stack_file.name} before the first deployment",
    )


def chosen(environment: Mapping[str, str]) -> str:
    """``PULUMI_BACKEND_URL``, else the last login; empty when there is neither."""
    if url := environment.get("PULUMI_BACKEND_URL"):
        return url
    home = Path(environment.get("PULUMI_HOME") or Path.home() / ".pulumi")
    try:
        return str(json.loads((home / "credentials.json").read_text("utf-8")).get("current") or "")
    except (OSError, ValueError, AttributeError):
        return "https://api.pulumi.com" if environment.get("PULUMI_ACCESS_TOKEN") else ""


def _bucket(name: str, clients: Clients) -> Finding:
    primary, standby = clients.regions
    try:
        answer = clients.get("s3", standby).get_bucket_location(Bucket=name)
    except (ClientError, BotoCoreError) as error:
        return missing(
            WHAT,
            f"bucket {name} can't be reached: {' '.join(str(error).split())}",
            f"make it in {standby}, or mend the credentials",
        )
    # Buckets of us-east-1 have no location constraint.
    region = answer.get("LocationConstraint") or "us-east-1"
    if region == primary:
        return advice(
            WHAT,
            f"bucket {name} is in {primary}: nobody can deploy while that region is lost",
            f"keep the state in {standby}",
        )
    return ok(WHAT, f"bucket {name} in {region}")


def _service(url: str) -> Finding:
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
            status = answer.status
    except urllib.error.HTTPError as error:
        status = error.code  # it answers, which is what was asked
    except (OSError, ValueError) as error:
        return missing(WHAT, f"{url} doesn't answer ({error})", "check the network and HTTPS_PROXY")
    if status >= 500:
        return missing(WHAT, f"{url} answers {status}", "look at the service's status page")
    return ok(WHAT, f"{url} answers")
