"""Physical names: ``{service}-{purpose}-{region}-{environmentSuffix}``, checked where they're made.

Each service's limits come from its API reference; a name that AWS would refuse is refused here,
with the limit, the value and the longest suffix that fits.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal

from tapstack.errors import NameTooLongError, SettingsError
from tapstack.well_known import EPOCH, FAILOVER_SWITCH, LIVE, PROJECT


@dataclass(frozen=True)
class NameRule:
    """What a service accepts as a name."""

    limit: int
    characters: str = r"[A-Za-z0-9-]"
    """Regular expression of one allowed character."""


_WORDY = r"[A-Za-z0-9_.-]"

RULES: Final[dict[str, NameRule]] = {
    "alb": NameRule(32),
    "tg": NameRule(32),
    "aurora-global": NameRule(63),
    "aurora-cluster": NameRule(63),
    "aurora-instance": NameRule(63),
    "aurora-subnets": NameRule(255, _WORDY),
    "aurora-parameters": NameRule(255),
    "alarm": NameRule(255),
    "archive": NameRule(48, _WORDY),
    "backup-plan": NameRule(50, _WORDY),
    "backup-selection": NameRule(50, _WORDY),
    "backup-vault": NameRule(50, r"[A-Za-z0-9_-]"),
    "bucket": NameRule(63, r"[a-z0-9-]"),
    "bus": NameRule(256, _WORDY),
    "dashboard": NameRule(255, r"[A-Za-z0-9_-]"),
    "log-group": NameRule(512, r"[A-Za-z0-9_/.#-]"),
    "function": NameRule(64, r"[A-Za-z0-9_-]"),
    "key": NameRule(250, r"[A-Za-z0-9/_-]"),
    "policy": NameRule(128, r"[A-Za-z0-9_+=,.@-]"),
    "queue": NameRule(80, r"[A-Za-z0-9_-]"),
    "restore-testing": NameRule(50),
    "role": NameRule(64, r"[A-Za-z0-9_+=,.@-]"),
    "rule": NameRule(64, _WORDY),
    "schedule": NameRule(64, _WORDY),
    "secret": NameRule(512, r"[A-Za-z0-9/_+=.@-]"),
    "securitygroup": NameRule(255, r"[A-Za-z0-9 ._:/()#,@\[\]+=&;{}!$*-]"),
    "table": NameRule(255, _WORDY),
    "topic": NameRule(256, r"[A-Za-z0-9_-]"),
}
"""Services whose names are restricted more than a tag value; all others are ``Name`` tags."""

_TAG = NameRule(256, r"[A-Za-z0-9 _.:/=+@-]")


def physical_name(service: str, purpose: str, region: str, suffix: str) -> str:
    """The physical name of one resource.

    ``service`` is a key of :data:`RULES`, or any word for things that are named by tag only
    (``vpc``, ``subnet``); an index or a zone goes into ``purpose`` (``private-a``).

    >>> physical_name("aurora-cluster", "", "us-east-1", "synthj5p6r0e5")
    'aurora-cluster-us-east-1-synthj5p6r0e5'
    """
    rule = RULES.get(service, _TAG)
    stem = "-".join(part for part in (service, purpose, region) if part)
    name = f"{stem}-{suffix}"
    if len(name) > rule.limit:
        raise NameTooLongError(
            f"TapStack:environmentSuffix is too long: {name} has {len(name)} characters, "
            f"{service} names have at most {rule.limit}; the longest suffix that fits has "
            f"{max(rule.limit - len(stem) - 1, 0)}"
        )
    if not re.fullmatch(f"(?:{rule.characters})+", name):
        raise SettingsError(f"{name} has characters that {service} names can't have")
    return name


def restore_testing_name(region: str, suffix: str) -> str:
    """A restore testing plan's name, for which AWS takes letters, digits and underscores only.

    >>> restore_testing_name("us-west-2", "dev-1")
    'restore_testing_us_west_2_dev_1'
    """
    return physical_name("restore-testing", "", region, suffix).replace("-", "_")


Scope = Literal["local", "shared"]
"""A parameter is true in its own region only, or the same in both."""


def parameter_path(region: str, suffix: str, scope: Scope, key: str) -> str:
    """``/warm-standby/{region}/{suffix}/{scope}/{key}``."""
    return f"/{PROJECT}/{region}/{suffix}/{scope}/{key}"


def shared_parameters_path(region: str, suffix: str) -> str:
    """Above a region's synchronised parameters; no slash at its end."""
    return parameter_path(region, suffix, "shared", "").removesuffix("/")


def failover_switch_parameter(region: str, suffix: str) -> str:
    """Path of the failover switch in the standby region, which ``data`` makes and ``app`` reads."""
    return parameter_path(region, suffix, "local", FAILOVER_SWITCH)


def epoch_parameter(region: str, suffix: str) -> str:
    """Path of the newest epoch that a region knows, which ``data`` makes."""
    return parameter_path(region, suffix, "shared", EPOCH)


def called(function_name: str) -> str:
    """A function with the alias by which it is called, as AWS Lambda's API takes it."""
    return f"{function_name}:{LIVE}"


def log_group_of(function_name: str) -> str:
    """The log group that AWS Lambda writes to."""
    return f"/aws/lambda/{function_name}"


def alias_of(key_name: str) -> str:
    """The alias of a KMS key."""
    return f"alias/{key_name}"
