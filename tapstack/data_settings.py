"""Settings of the data layer: the ``data:`` namespace."""

import re
from dataclasses import dataclass

from tapstack.errors import SettingsError
from tapstack.fields import between, matching, one_of, setting
from tapstack.network_settings import LOG_RETENTION_DAYS

SERVERLESS = "db.serverless"
ADVISED_PRIMARY_CAPACITY = 8.0
"""ACU that AWS advises at least for the primary of a global database (Aurora user guide, "Using
Aurora serverless with Aurora global databases")."""

OLDEST_VERSION = (14, 6)
FIRST_GLOBAL_VERSIONS = {14: 3, 15: 2, 16: 1, 17: 4}
"""First minor version of each major with Global Database (Aurora user guide, "Supported Regions
and DB engines for Aurora global databases")."""


SMALLER_CAPACITY = 128.0
FIRST_FULL_CAPACITY = {14: 10, 15: 5}
"""First minor version of a major that scales to 256 ACU instead of 128; later majors all do (Aurora
user guide, "Requirements and limitations for Aurora serverless")."""

FAMILIES = ("r5", "r6g", "r6gd", "r6i", "r6id", "r7g", "r7i", "r8g", "x2g")
"""Memory-optimized families of Aurora PostgreSQL, r5 or newer as a global database asks for ("DB
instance classes for Aurora"; "Getting started with Aurora global databases")."""

SIZES = ("large", *(f"{factor}xlarge" for factor in ("", 2, 4, 8, 12, 16, 24, 32, 48)))
"""Of all families together; ``doctor`` asks AWS whether the one named can be ordered."""


LIFTED_BY = ", unless who destroys has s3:BypassGovernanceRetention"
"""What AWS lets pass in governance mode (S3 user guide, "Locking objects with Object Lock")."""


def _instance_class(value: str) -> str | None:
    if re.fullmatch(r"db\.t\d\w*\.\w+", value):
        return (
            "can't be burstable: AWS refuses it in a global database (\"The requested instance "
            'class is not supported by global databases"); use db.r6g.large or db.serverless'
        )
    known = rf"db\.({'|'.join(FAMILIES)})\.({'|'.join(SIZES)})"
    if value == SERVERLESS or re.fullmatch(known, value):
        return None
    return (
        "must be db.serverless, or a size of a memory-optimized family "
        f"({', '.join(FAMILIES)}), such as db.r6g.large"
    )


def _engine_version(value: str) -> str | None:
    match = re.fullmatch(r"(\d+)\.(\d+)", value)
    if not match:
        return "must be major.minor, such as 16.8"
    major, minor = int(match[1]), int(match[2])
    if (major, minor) < OLDEST_VERSION:
        return "must be 14.6 or newer"
    if major not in FIRST_GLOBAL_VERSIONS or minor < FIRST_GLOBAL_VERSIONS[major]:
        return "is no Aurora PostgreSQL version that supports Global Database: use 16.8"
    return None


def _backup_window(value: str) -> str | None:
    time = r"([01]\d|2[0-3]):([0-5]\d)"
    match = re.fullmatch(f"{time}-{time}", value)
    if not match:
        return "must be hh:mm-hh:mm in UTC"
    begin, end = (int(match[at]) * 60 + int(match[at + 1]) for at in (1, 3))
    if not 30 <= (end - begin) % (24 * 60) <= 240:
        return "must be 30 minutes to 4 hours long: AWS asks for 30, the other region's is next"
    return None


@dataclass(frozen=True)
class DataSettings:
    """The global database, its backups, and the replicated buckets."""

    instance_class: str = setting(
        "db.r6g.large",
        check=_instance_class,
        help="Class of every database instance; burstable classes don't work in a global database",
    )
    engine_version: str = setting(
        "16.8", check=_engine_version, help="Aurora PostgreSQL version of both clusters"
    )
    instances_per_region: int = setting(
        1, check=between(1, 15), help="Database instances in each region's cluster"
    )
    min_capacity: float = setting(
        8.0, check=between(0, 256), help="Least ACU of db.serverless; AWS advises at least 8"
    )
    max_capacity: float = setting(16.0, check=between(1, 256), help="Most ACU of db.serverless")
    backup_retention_days: int = setting(
        7, check=between(1, 35), help="Days of point-in-time recovery in both regions"
    )
    preferred_backup_window: str = setting(
        "03:00-04:00",
        check=_backup_window,
        help="Daily backup window of the primary, UTC; the secondary's is six hours later",
    )
    snapshot_retention_days: int = setting(
        35,
        check=between(7, 3650),
        help="Days that AWS Backup keeps the writer's daily snapshots; HIPAA's rule asks for 35",
    )
    copy_retention_days: int = setting(
        35, check=between(7, 3650), help="Days that their copies in the other region are kept"
    )
    vault_copy_arn: str = setting(
        "",
        check=matching(
            r"arn:aws:backup:us-(east-1|west-2):\d{12}:backup-vault:[A-Za-z0-9_-]+",
            "the ARN of a backup vault in us-east-1 or us-west-2",
        ),
        help="A locked vault of another account, in the region that writes, for one more copy",
    )
    restore_testing: bool = setting(
        True, help="Restore the newest copy once a month, as a test, and delete it again"
    )
    bidirectional_replication: bool = setting(
        True, help="Replicate objects from us-west-2 to us-east-1 as well"
    )
    journal_lock_days: int = setting(
        0,
        check=lambda days: None if days == 0 or 1 <= days <= 3650 else "must be 0, or 1 to 3650",
        help="Days that nobody can change or delete an entry of recovery's journal; 0 locks none",
    )
    journal_lock_mode: str = setting(
        "GOVERNANCE",
        check=one_of("GOVERNANCE", "COMPLIANCE"),
        help="GOVERNANCE lets who has s3:BypassGovernanceRetention delete it, COMPLIANCE nobody",
    )
    secret_recovery_days: int = setting(
        0,
        check=lambda days: None if days == 0 or 7 <= days <= 30 else "must be 0, or 7 to 30",
        help="Days that a deleted secret can be recovered; anything but 0 blocks re-creation",
    )
    monitoring_interval: int = setting(
        60,
        check=one_of(0, 1, 5, 10, 15, 30, 60),
        help="Seconds between enhanced monitoring samples; 0 turns it off",
    )
    performance_insights: bool = setting(False, help="Performance Insights on every instance")
    log_retention_days: int = setting(
        90,
        check=one_of(*LOG_RETENTION_DAYS),
        help="Days that the databases' logs, with who read which record, are kept",
    )
    deletion_protection: bool = setting(
        False, help="Deletion protection of the clusters; true blocks destroy-all"
    )

    def __post_init__(self) -> None:
        if self.instance_class != SERVERLESS:
            return
        if self.min_capacity == 0:
            raise SettingsError(
                "data:minCapacity 0 pauses the database, which a global database can't do; "
                "use 0.5 or more (AWS advises 8)"
            )
        if self.min_capacity > self.max_capacity:
            raise SettingsError(
                f"data:minCapacity ({self.min_capacity}) is above data:maxCapacity "
                f"({self.max_capacity})"
            )
        for key, value in (("minCapacity", self.min_capacity), ("maxCapacity", self.max_capacity)):
            if value * 2 % 1:
                raise SettingsError(f"data:{key} must be a multiple of 0.5 ACU (got {value})")
        major, minor = (int(part) for part in self.engine_version.split("."))
        if self.max_capacity > SMALLER_CAPACITY and minor < FIRST_FULL_CAPACITY.get(major, 0):
            raise SettingsError(
                f"data:maxCapacity {self.max_capacity:g} is more than the {SMALLER_CAPACITY:g} ACU "
                f"of Aurora PostgreSQL {self.engine_version}: use "
                f"{major}.{FIRST_FULL_CAPACITY[major]} or newer"
            )

    @property
    def vault_copy_region(self) -> str:
        """The region of the other account's vault; empty without one."""
        return self.vault_copy_arn.split(":")[3] if self.vault_copy_arn else ""

    @property
    def vault_copy_account(self) -> str:
        """Whose it is; empty without one."""
        return self.vault_copy_arn.split(":")[4] if self.vault_copy_arn else ""

    @property
    def serverless(self) -> bool:
        """Whether the instances scale by ACU instead of having a fixed class."""
        return self.instance_class == SERVERLESS

    def warnings(self) -> tuple[str, ...]:
        """What works but goes against AWS's advice, or stays behind, one line each."""
        found: list[str] = []
        if self.serverless and self.min_capacity < ADVISED_PRIMARY_CAPACITY:
            found.append(
                f"data:minCapacity is {self.min_capacity} ACU; AWS advises at least "
                f"{ADVISED_PRIMARY_CAPACITY:g} in the primary of a global database"
            )
        if self.journal_lock_days:
            found.append(
                "data:journalLockDays: a destroy leaves the journal's buckets until "
                f"{self.journal_lock_days} days after the last entry"
                + (LIFTED_BY if self.journal_lock_mode == "GOVERNANCE" else "")
            )
        return tuple(found)
