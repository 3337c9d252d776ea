"""What a DB instance class means for a server: its memory, and from it ``max_connections``."""

import math

BYTES_PER_CONNECTION = 9_531_392
MOST_CONNECTIONS = 5_000
MOST_CONNECTIONS_NEAR_ZERO_CAPACITY = 2_000
GIB = 1024**3
SERVERLESS = "db.serverless"

# GiB of memory by size, for each family ("DB instance classes supported by Aurora", Aurora User
# Guide). Memory-optimised families double with each size from large (16 GiB; r3 and r4: 15.25).
_MEMORY_OPTIMISED = ("r5", "r6g", "r6gd", "r6i", "r6id", "r7g", "r7i", "r8g")
_SIZES = {
    "large": 1,
    "xlarge": 2,
    "2xlarge": 4,
    "4xlarge": 8,
    "8xlarge": 16,
    "12xlarge": 24,
    "16xlarge": 32,
    "24xlarge": 48,
    "32xlarge": 64,
    "48xlarge": 96,
}
MEMORY_GIB: dict[str, float] = {
    **{
        f"db.{family}.{size}": 16.0 * factor
        for family in _MEMORY_OPTIMISED
        for size, factor in _SIZES.items()
    },
    **{f"db.r4.{size}": 15.25 * _SIZES[size] for size in ("large", "xlarge", "2xlarge", "4xlarge")},
    "db.t3.medium": 4.0,
    "db.t3.large": 8.0,
    "db.t4g.medium": 4.0,
    "db.t4g.large": 8.0,
    **{
        f"db.x2g.{size}": 32.0 * factor
        for size, factor in _SIZES.items()
        if size in {"large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge"}
    },
}
DEFAULT_CLASS = "db.r6g.large"


def max_connections(
    instance_class: str, max_capacity: float | None = None, min_capacity: float | None = None
) -> int:
    """``LEAST({DBInstanceClassMemory/9531392},5000)``, Aurora PostgreSQL's default.

    ``DBInstanceClassMemory`` is taken as the class's nominal memory; AWS subtracts what its own
    processes use, so a real instance has slightly fewer. ``db.serverless`` counts 2 GiB for each
    ACU of ``max_capacity``, at most 2,000 when ``min_capacity`` is 0 or 0.5 ("Maximum connections
    for Aurora Serverless v2", Aurora User Guide). An unknown class counts as ``db.r6g.large``.
    """
    if instance_class == SERVERLESS:
        memory = 2.0 * (max_capacity or 16.0)
        near_zero = min_capacity is not None and min_capacity <= 0.5
        most = MOST_CONNECTIONS_NEAR_ZERO_CAPACITY if near_zero else MOST_CONNECTIONS
    else:
        memory = MEMORY_GIB.get(instance_class, MEMORY_GIB[DEFAULT_CLASS])
        most = MOST_CONNECTIONS
    return min(math.floor(memory * GIB / BYTES_PER_CONNECTION), most)
