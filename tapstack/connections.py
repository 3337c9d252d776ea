"""How many connections the database takes, and whether the functions at their peak fit.

Pure. Formula: ``LEAST({DBInstanceClassMemory/9531392}, 5000)``, Aurora PostgreSQL's default of
``max_connections`` (Aurora user guide, "Maximum connections to an Aurora PostgreSQL DB instance");
for db.serverless the table of "Maximum connections for Aurora serverless v2".
"""

import math
import re
from itertools import pairwise

from tapstack.app_settings import AppSettings
from tapstack.data_settings import DataSettings
from tapstack.errors import SettingsError

BYTES_PER_CONNECTION = 9_531_392
MOST_CONNECTIONS = 5000
MOST_WITH_LEAST_CAPACITY = 2000
"""AWS's cap when the minimum capacity is 0 or 0.5 ACU."""

SERVERLESS_CONNECTIONS = ((1.0, 189), (4.0, 823), (8.0, 1669), (16.0, 3360), (23.76, 5000))
"""(most ACU, ``max_connections``) as AWS publishes it, but for the last, where the line between
16 ACU and 32 ACU meets the cap. Values between are interpolated."""

CONNECTIONS_PER_FUNCTION = 2
"""A function instance serves one request at a time and holds one connection to the writer and one
to its region's readers. With one instance, or with one left of two, the reader endpoint leads to
the writer and both count there ("Aurora endpoint connections"). ``/ready`` opens a third one to
the local cluster, and closes it when it has answered."""

NOT_THE_APPLICATIONS_SHARE = 0.1
"""Of the limit: AWS keeps some of the class's nominal memory for itself, so the real limit is a
few percent lower than the formula's."""

NOT_THE_APPLICATIONS = 25
"""Connections for superusers, AWS's own sessions, the migration, the recovery probe,
readiness checks, people."""

ALARM_SHARE = 0.8
"""Of the limit: where ``connections near the maximum`` begins."""


def memory_gib(instance_class: str) -> float:
    """Memory of a memory-optimized class, in GiB ("DB instance classes for Aurora").

    Every family doubles from size to size: 16 GiB at ``large``, 32 in x2g.
    """
    match = re.fullmatch(r"db\.([rx]\d[a-z]*)\.(\d*)(x?)large", instance_class)
    if not match:
        raise SettingsError(f"data:instanceClass {instance_class} has an unknown memory size")
    family, factor, extra = match.groups()
    large = 32.0 if family.startswith("x") else 16.0
    return large * (2 * int(factor or 1) if extra else 1)


def max_connections(data: DataSettings) -> int:
    """``max_connections`` of every instance, at its default."""
    if not data.serverless:
        memory = memory_gib(data.instance_class) * 1024**3
        return min(math.floor(memory / BYTES_PER_CONNECTION), MOST_CONNECTIONS)
    cap = MOST_WITH_LEAST_CAPACITY if data.min_capacity <= 0.5 else MOST_CONNECTIONS
    return min(_of_capacity(data.max_capacity), cap)


def _of_capacity(acu: float) -> int:
    for (low, fewer), (high, more) in pairwise(SERVERLESS_CONNECTIONS):
        if acu <= high:
            return math.floor(fewer + (more - fewer) * (acu - low) / (high - low))
    return MOST_CONNECTIONS


def alarm_threshold(data: DataSettings) -> int:
    """Returns the number of connections above which an alarm warns of the maximum (R6.2)."""
    return math.floor(max_connections(data) * ALARM_SHARE)


def application_limit(data: DataSettings) -> int:
    """Connections that the application may hold, both regions together: they share one writer."""
    limit = max_connections(data)
    return max(math.floor(limit * (1 - NOT_THE_APPLICATIONS_SHARE)) - NOT_THE_APPLICATIONS, 0)


def check_connections(app: AppSettings, data: DataSettings) -> None:
    """Raises :class:`SettingsError` when the functions at their peak need more than there are."""
    needed = app.expected_concurrency * CONNECTIONS_PER_FUNCTION
    limit = application_limit(data)
    if needed > limit:
        size = f"{data.max_capacity:g} ACU" if data.serverless else data.instance_class
        raise SettingsError(
            f"app:expectedConcurrency {app.expected_concurrency} needs {needed} connections, "
            f"{CONNECTIONS_PER_FUNCTION} a function instance, and {size} leaves {limit} of its "
            f"{max_connections(data)} to the application; choose a larger data:instanceClass or "
            "data:maxCapacity, or a lower expectedConcurrency"
        )
