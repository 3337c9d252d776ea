"""Calls of AWS's APIs: clients that reach this machine only, and what their errors mean."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from lab.provider.models import LOADER

if TYPE_CHECKING:
    from botocore.client import BaseClient

ENDPOINT_VARIABLE = "WARM_STANDBY_LAB_ENDPOINT"
LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1")

ENDPOINT_KEYS = {
    "events": ("cloudwatchevents", "eventbridge", "events"),
    "logs": ("cloudwatchlogs", "logs"),
    "elbv2": ("elb", "elbv2", "alb"),
}
"""Keys under which ``aws.Provider`` knows a botocore service, where they differ."""

T = TypeVar("T")


class CancelledError(Exception):
    """The engine asked for an end of waiting."""


def require_local(url: str) -> None:
    """Refuses an address that isn't on this machine."""
    host = urlsplit(url).hostname
    if host not in LOCAL_HOSTS:
        raise ValueError(
            f"the lab's provider calls this machine only: endpoint {url!r} is not on 127.0.0.1"
        )


@dataclass
class Aws:
    """What a configured provider process knows: region, endpoints, default tags."""

    region: str
    endpoints: Mapping[str, str] = field(default_factory=dict)
    access_key: str = "test"
    secret_key: str = "test"  # noqa: S105 - the emulator takes any
    token: str | None = None
    default_tags: Mapping[str, str] = field(default_factory=dict)
    cancelled: threading.Event = field(default_factory=threading.Event)
    _clients: dict[tuple[str, str], Any] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    @cached_property
    def _session(self) -> Any:
        import botocore.session

        # Nothing of the user's AWS set-up may reach the lab: no profile, no file, no metadata.
        nothing = (None, None, None, None)
        session = botocore.session.Session(
            session_vars={
                "profile": nothing,
                "config_file": (None, None, os.devnull, None),
                "credentials_file": (None, None, os.devnull, None),
                "ca_bundle": nothing,
            }
        )
        session.register_component("data_loader", LOADER)
        session.set_credentials(self.access_key, self.secret_key, self.token)
        return session

    def endpoint(self, service: str) -> str:
        """Returns the address of ``service``: the lab's variable over the provider's argument."""
        url = os.environ.get(ENDPOINT_VARIABLE, "")
        for key in (*ENDPOINT_KEYS.get(service, ()), service):
            url = url or self.endpoints.get(key, "")
        if not url:
            raise ValueError(
                f"no endpoint for {service}: the lab's provider never calls AWS; "
                f"set {ENDPOINT_VARIABLE} or the provider's endpoints"
            )
        require_local(url)
        return url

    def client(self, service: str, region: str | None = None) -> BaseClient:
        """Returns the client of a service in the provider's region (or another), made once."""
        key = (service, region or self.region)
        from botocore.config import Config

        with self._lock:  # making clients isn't thread-safe, using them is
            if key not in self._clients:
                self._clients[key] = self._session.create_client(
                    service,
                    region_name=key[1],
                    endpoint_url=self.endpoint(service),
                    config=Config(
                        retries={"mode": "standard", "max_attempts": 3},
                        max_pool_connections=64,
                        connect_timeout=5,
                        read_timeout=120,
                        s3={"addressing_style": "path"},
                        proxies={},
                        parameter_validation=True,
                        ignore_configured_endpoint_urls=True,
                    ),
                )
            return self._clients[key]

    def call(
        self,
        service: str,
        operation: str,
        parameters: Mapping[str, Any] | None = None,
        region: str | None = None,
    ) -> dict[str, Any]:
        """Calls an operation by AWS's name (``CreateVpc``)."""
        from botocore import xform_name

        method = getattr(self.client(service, region), xform_name(operation))
        return method(**(parameters or {}))

    @cached_property
    def account_id(self) -> str:
        """The account that the emulator says the credentials belong to."""
        return self.call("sts", "GetCallerIdentity")["Account"]

    def pause(self, seconds: float) -> None:
        """Waits, unless the engine cancels."""
        if self.cancelled.wait(seconds):
            raise CancelledError("cancelled while waiting")

    def until(self, what: str, seconds: float, probe: Callable[[], T | None]) -> T:
        """Polls ``probe`` until it answers something, for at most ``seconds``."""
        end = time.monotonic() + seconds
        pause = 0.02
        while True:
            answer = probe()
            if answer is not None:
                return answer
            if time.monotonic() > end:
                raise TimeoutError(f"{what}: not done after {seconds:g} s")
            self.pause(pause)
            pause = min(pause * 1.6, 2.0)

    def retry(
        self, seconds: float, codes: tuple[str, ...], act: Callable[[], T], says: str = ""
    ) -> T:
        """Calls ``act``, again for at most ``seconds`` while AWS answers one of ``codes``."""
        end = time.monotonic() + seconds
        pause = 0.05
        while True:
            try:
                return act()
            except Exception as error:
                if error_code(error) not in codes or says not in str(error):
                    raise
                if time.monotonic() > end:
                    raise
            self.pause(pause)
            pause = min(pause * 1.6, 5.0)


def error_code(error: BaseException) -> str:
    """AWS's error code, or an empty string."""
    response = getattr(error, "response", None)
    if isinstance(response, Mapping):
        return str(response.get("Error", {}).get("Code", ""))
    return ""


def explain(error: BaseException) -> str:
    """Returns an error as one line: operation, AWS's code and message."""
    code = error_code(error)
    if not code:
        return " ".join(str(error).split()) or type(error).__name__
    response = getattr(error, "response", {})
    operation = getattr(error, "operation_name", "")
    return f"{operation}: {code}: {response['Error'].get('Message', '')}".strip()


def may_have_happened(error: BaseException) -> bool:
    """Returns whether a call that failed may have had its effect: AWS failed half-way (5xx), or
    nobody answered."""
    from botocore.exceptions import ConnectionError, HTTPClientError

    if isinstance(error, ConnectionError | HTTPClientError):
        return True
    return _said(error).get("HTTPStatusCode", 0) >= 500


def was_retried(error: BaseException) -> bool:
    """Returns whether AWS refused a retry: it may have met what an earlier attempt had done."""
    return _said(error).get("RetryAttempts", 0) > 0


def _said(error: BaseException) -> Mapping[str, Any]:
    response = getattr(error, "response", None)
    return response.get("ResponseMetadata", {}) if isinstance(response, Mapping) else {}


NOT_FOUND_CODES = frozenset(
    {
        "404", "NotFound", "NoSuchBucket", "NoSuchKey", "NoSuchEntity", "NoSuchHostedZone",
        "NoSuchHealthCheck", "NoSuchTagSet", "NoSuchConfiguration", "NoSuchBucketPolicy",
        "NoSuchLifecycleConfiguration", "NoSuchPublicAccessBlockConfiguration",
        "ReplicationConfigurationNotFoundError", "OwnershipControlsNotFoundError",
        "ServerSideEncryptionConfigurationNotFoundError", "ParameterNotFound",
        "LoadBalancerNotFound", "TargetGroupNotFound", "ListenerNotFound", "RuleNotFound",
        "QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue",
        "ResourceNotFound", "NotFoundException", "ResourceNotFoundException",
    }
)  # fmt: skip


def is_not_found(error: BaseException) -> bool:
    """Returns whether AWS says that the thing isn't there."""
    code = error_code(error)
    return (
        code in NOT_FOUND_CODES
        or code.endswith(("NotFound", "NotFoundFault", "NotFoundException", "NotFoundError"))
        or code.endswith(("DoesNotExistException", ".NonExistentQueue"))
    )


DEPENDENCY_CODES = (
    "DependencyViolation", "ResourceInUse", "ResourceInUseException", "InUse",
    "InvalidDBSubnetGroupStateFault", "InvalidDBClusterStateFault",
    "InvalidGlobalClusterStateFault",
    "InvalidDBParameterGroupState", "DeleteConflict", "ConcurrentModificationException",
    "OperationAborted", "ConflictException", "PriorRequestNotComplete",
)  # fmt: skip
"""What AWS answers while something that goes away still holds on; worth waiting for."""
