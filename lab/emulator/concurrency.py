"""How many functions a region's account runs at once, and who is throttled above it.

As the Lambda developer guide has it ("Understanding Lambda function scaling"): an account runs
1,000 executions at once in a region, a new one fewer. What is reserved for a function is taken from
that and is the function's own limit; the others share what is left.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from lab.emulator.worker import Outcome
from lab.faults import Fault, Faults

MOST = 1_000
LOW = 10
"""New accounts begin with less than the default (Lambda developer guide, "Lambda quotas")."""
LEAST_UNRESERVED = 100
"""What can't be reserved of an account's executions (PutFunctionConcurrency)."""

Name = tuple[str, str, str]
"""Account, region and name of a function."""


class Concurrency:
    """Counts the executions that run, those included that wait for a worker of the lab: on AWS each
    has an environment of its own."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._running: Counter[Name] = Counter()

    def limit(self, region: str) -> int:
        """How many executions the account may run at once in a region."""
        return LOW if self._faults.value(Fault.LOW_CONCURRENCY) == region else MOST

    def unreserved(self, account: str, region: str) -> int:
        """How many of them are not reserved for a function; not below 0."""
        return max(self.limit(region) - sum(reservations(account, region).values()), 0)

    def refusal(self, name: Name) -> str:
        """Why one more execution is throttled, as TooManyRequestsException's ``Reason``; empty when
        it may run."""
        reserved = reservations(*name[:2])
        if name[2] in reserved:
            if self._running[name] < reserved[name[2]]:
                return ""
            return "ReservedFunctionConcurrentInvocationLimitExceeded"
        shared = sum(
            count
            for (account, region, function), count in self._running.items()
            if (account, region) == name[:2] and function not in reserved
        )
        if shared < self.unreserved(*name[:2]):
            return ""
        return "ConcurrentInvocationLimitExceeded"

    def count(self, name: Name) -> int:
        """How many executions of a function run."""
        return self._running[name]

    @contextmanager
    def running(self, name: Name) -> Iterator[None]:
        """Counts an execution while it runs."""
        self._running[name] += 1
        try:
            yield
        finally:
            self._running[name] -= 1
            self._running += Counter()  # drops what has come to nothing


def reservations(account: str, region: str) -> dict[str, int]:
    """Function → executions that are reserved for it, for those that have any; 0 stops one."""
    from ministack.services import lambda_svc

    return {
        name: int(record["concurrency"])
        for (owner, where, name), record in list(lambda_svc._functions._data.items())
        if (owner, where) == (account, region) and record.get("concurrency") is not None
    }


def throttled(reason: str) -> Outcome:
    """What becomes of an event that isn't run."""
    error = {"errorType": "TooManyRequestsException", "errorMessage": "Rate Exceeded."}
    return Outcome(error=error, throttled=True, reason=reason)
