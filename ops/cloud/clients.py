"""Clients of AWS's APIs for operators' tools: the account's, or the lab's."""

from __future__ import annotations

import re
import threading
from typing import Any

import botocore.session
from boto3.session import Session
from botocore.config import Config

from ops.stack_file import StackFile

IMPATIENT_SECONDS = 4
"""Longest wait for a connection, and for an answer, of who only looks."""
PROBE_SECONDS = 15
"""Longest wait of who acts: the probe function answers within 12 s."""
_LAB_KEY = "lab"


class Clients:
    """One client a service and region, made when first asked for; thread-safe."""

    def __init__(
        self,
        stack_file: StackFile,
        lab_endpoint: str | None = None,
        *,
        impatient: bool = False,
        once: bool = False,
        seconds: int = PROBE_SECONDS,
    ) -> None:
        """``impatient``: for who looks at a region that may be lost, and must not hang on it.

        ``once``: for calls that must not be repeated unseen; each is one try, whose answer may take
        ``seconds``.
        """
        self.endpoint = lab_endpoint
        """The lab's, None on AWS."""
        self._impatient, self._once, self._seconds = impatient, once, seconds
        self._session = _lab_session() if lab_endpoint else Session()
        self._lock = threading.Lock()
        self._made: dict[tuple[str, str], Any] = {}
        self._queues: dict[tuple[str, str], str] = {}
        self.regions = (
            stack_file.settings.primary_region,
            stack_file.settings.standby_region,
        )

    def get(self, service: str, region: str) -> Any:
        """The client of one service in one region."""
        with self._lock:
            key = (service, region)
            if key not in self._made:
                self._made[key] = self._make(service, region)
            return self._made[key]

    def queue_url(self, region: str, name: str) -> str:
        """The URL of a queue, asked for once: it is the same as long as the name is. Raises what
        boto3 raises."""
        key = (region, name)
        if key not in self._queues:
            found = self.get("sqs", region).get_queue_url(QueueName=name)
            self._queues[key] = found["QueueUrl"]
        return self._queues[key]

    def _make(self, service: str, region: str) -> Any:
        attempts = 1 if self._impatient else 5
        settings: dict[str, Any] = {"retries": {"mode": "standard", "max_attempts": attempts}}
        if self._once:
            settings["retries"] = {"total_max_attempts": 1}
        if self._impatient or self._once:
            seconds = self._seconds if self._once else IMPATIENT_SECONDS
            settings |= {"connect_timeout": IMPATIENT_SECONDS, "read_timeout": seconds}
        if not self.endpoint:
            return self._session.client(service, region_name=region, config=Config(**settings))
        # No proxy stands between this machine and itself, whatever the environment says.
        config = Config(proxies={}, s3={"addressing_style": "path"}, **settings)
        client = self._session.client(
            service,
            region_name=region,
            endpoint_url=self.endpoint,
            aws_access_key_id=_LAB_KEY,
            aws_secret_access_key=_LAB_KEY,
            config=config,
        )
        if service == "s3control":
            # It puts the account in front of every host, and the lab's is an address.
            client.meta.events.register("before-sign", _without_account)
        return client


def _lab_session() -> Session:
    """A session that reads neither a profile nor a configuration file of the user's."""
    nothing = (None, None, None, None)
    variables: dict[str, Any] = {
        "profile": nothing,
        "config_file": (None, None, "/dev/null", None),
        "credentials_file": (None, None, "/dev/null", None),
        "ca_bundle": nothing,
    }
    return Session(botocore_session=botocore.session.Session(session_vars=variables))


def _without_account(request: Any, **_: Any) -> None:
    request.url = re.sub(r"^(https?://)\d{12}\.", r"\1", request.url)
