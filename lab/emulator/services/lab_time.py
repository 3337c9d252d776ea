"""The emulator's services live in lab time: what they stamp and let expire follows its clock.

Left on the machine's time: STS and S3, whose expiry dates are compared with clients' clocks, and
Lambda, whose functions' code takes real time.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, tzinfo
from types import ModuleType
from typing import Any

from lab.clock import Clock
from lab.emulator.mending import Mending


def install(mending: Mending) -> None:
    """Mends the services' clocks."""
    from ministack.services import (
        backup,
        cloudwatch,
        cloudwatch_logs,
        dynamodb,
        ec2,
        eventbridge,
        iam,
        kms,
        rds,
        route53,
        scheduler,
        secretsmanager,
        sns,
        sqs,
        ssm,
    )

    for module in (
        backup,
        cloudwatch,
        cloudwatch_logs,
        dynamodb,
        ec2,
        eventbridge,
        iam,
        kms,
        rds,
        route53,
        scheduler,
        secretsmanager,
        sns,
        sqs,
        ssm,
    ):
        follow(module, mending.lab.clock)


def follow(module: ModuleType, clock: Clock) -> None:
    """Lets a module's ``time`` and ``datetime`` be the lab's."""
    names = vars(module)
    if isinstance(names.get("time"), (ModuleType, LabTime)):
        names["time"] = LabTime(clock)
    if isinstance(names.get("datetime"), type):
        names["datetime"] = lab_datetime(clock)


class LabTime:
    """The module ``time``, whose present is the lab's."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def time(self) -> float:
        """Seconds since the epoch, in lab time."""
        return self._clock.now()

    def gmtime(self, seconds: float | None = None) -> time.struct_time:
        """As ``time.gmtime``."""
        return time.gmtime(self._clock.now() if seconds is None else seconds)

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)


class _AnyDatetime(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, datetime)


def lab_datetime(clock: Clock) -> type[datetime]:
    """The class ``datetime``, whose present is the lab's; what it makes are plain datetimes."""

    class LabDatetime(datetime, metaclass=_AnyDatetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.fromtimestamp(clock.now(), tz)

        @classmethod
        def utcnow(cls) -> datetime:  # type: ignore[override]
            return datetime.fromtimestamp(clock.now(), UTC).replace(tzinfo=None)

    return LabDatetime
