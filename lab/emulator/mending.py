"""What a mend may touch of the lab."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from lab.api import ApiHook
from lab.context import LabContext
from lab.emulator.concurrency import Concurrency
from lab.emulator.functions import Function
from lab.emulator.mails import Mails
from lab.emulator.worker import Outcome


@dataclass(frozen=True)
class Mending:
    """Given to each module's ``install``."""

    lab: LabContext
    mend: Callable[[str, str, ApiHook], None]
    """(service, space-separated operations, hook): put the hook in front of the emulator; hooks
    put in place later run outside of those before them."""
    store: Callable[[str], dict[str, Any]]
    """name → JSON values that are kept over restarts"""
    mails: Mails
    """Where SNS's mails arrive."""
    target_state: Callable[[str, str], Mapping[str, str]]
    """(target group ARN, target id) → ``TargetHealth`` of DescribeTargetHealth"""
    concurrency: Concurrency
    """What the account may run at once."""
    invoke: Callable[[Function, Any], Coroutine[Any, Any, Outcome]]
    """Run a function with an event."""
    invoke_later: Callable[[Function, Mapping[str, Any], Any], None]
    """Accept an event for a function; the mapping is its event-invoke configuration."""
