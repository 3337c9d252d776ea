"""What the AWS account has: credentials, zones, quotas in both regions, classes, free names, and
that AWS Backup may take Aurora.

A standby with smaller quotas than the primary can't take over: parity is examined as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from ops.cloud import account, inventory
from ops.cloud.clients import Clients
from ops.doctor import offers, parameters
from ops.doctor.finding import Finding, advice, missing, ok
from ops.errors import OperatorError
from tapstack.naming import physical_name
from tapstack.settings import Settings
from tapstack.well_known import ACCESS_LOG_BUCKET, CONTENT_BUCKET, JOURNAL_BUCKET

BUCKETS = (CONTENT_BUCKET, ACCESS_LOG_BUCKET)
"""Purposes of the buckets that the data layer makes in each region."""


@dataclass(frozen=True)
class Quota:
    """One of AWS's quotas, and how much of it one environment takes in a region."""

    name: str
    service: str
    code: str
    """Of the Service Quotas API; the same in every region."""
    wanted: Callable[[Settings], int]
    used: Callable[[Clients, str], int] | None = None
    """How much is taken already, where that is one call."""


def _vpcs(clients: Clients, region: str) -> int:
    return len(clients.get("ec2", region).describe_vpcs()["Vpcs"])


def _addresses(clients: Clients, region: str) -> int:
    return len(clients.get("ec2", region).describe_addresses()["Addresses"])


CONCURRENCY = Quota(
    "concurrent executions", "lambda", "L-B99A9384", lambda s: s.app.expected_concurrency
)
QUOTAS = (
    Quota("VPCs", "vpc", "L-F678F1CE", lambda _: 1, _vpcs),
    Quota("Elastic IPs", "ec2", "L-0263D0A3", lambda s: s.network.nat_gateways, _addresses),
    Quota("NAT gateways per zone", "vpc", "L-FE5A380F", lambda s: min(s.network.nat_gateways, 1)),
    Quota("interface endpoints per VPC", "vpc", "L-29B6F2EB", lambda _: 10),
    Quota("load balancers", "elasticloadbalancing", "L-53DA6B97", lambda _: 1),
    Quota("database clusters", "rds", "L-952B80B8", lambda _: 1),
    Quota("database instances", "rds", "L-7B6409FD", lambda s: s.data.instances_per_region),
    CONCURRENCY,
)
"""Names and codes: AWS General Reference, the services' "endpoints and quotas"."""


def examine(clients: Clients, settings: Settings) -> Iterator[Finding]:
    """Everything that can be asked with the operator's credentials; nothing is changed."""
    try:
        found = account.current(clients)
    except OperatorError as error:
        yield missing("credentials", str(error), "set AWS_PROFILE, or aws sso login")
        return
    wanted = settings.stack.account_id
    if wanted and wanted != found:
        yield missing("account", f"{found}, and the stack's is {wanted}", "set AWS_PROFILE")
        return
    if wanted:
        yield ok("account", found)
    else:
        yield advice(
            "account",
            f"{found}; the stack belongs to no account",
            f"set TapStack:accountId to '{found}', and no other can be deployed to by mistake",
        )
    for region in clients.regions:
        yield from _asked(
            f"zones of {region}", lambda r=region: offers.judge(offers.ask(clients, settings, r))
        )
    deployed = _deployed(clients, settings)
    for quota in QUOTAS:
        yield from _asked(quota.name, lambda q=quota: _quota(clients, settings, q, deployed))
    yield from _asked("AWS Backup", lambda: _backup(clients))
    for region in clients.regions:
        yield from _asked(
            f"database parameters of {region}",
            lambda r=region: parameters.examine(clients, settings, r),
        )
    for region in clients.regions:
        locked = (JOURNAL_BUCKET,) if settings.data.journal_lock_days else ()
        for purpose in (*BUCKETS, *locked):
            name = physical_name("bucket", purpose, region, settings.suffix)
            yield from _asked(name, lambda n=name, r=region: _bucket(clients, n, r))


def _asked(what: str, ask: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """A question that AWS refuses is a finding, not the end of the examination."""
    try:
        yield from list(ask())
    except (ClientError, BotoCoreError) as error:
        said = " ".join(str(error).split())
        yield advice(what, f"can't be examined: {said}", "let the credentials read it")


def _deployed(clients: Clients, settings: Settings) -> bool:
    """Whether this environment already takes its part of the quotas."""
    try:
        region = clients.regions[1]
        filters = inventory.environment_filters(settings.suffix)
        return bool(clients.get("ec2", region).describe_vpcs(Filters=filters)["Vpcs"])
    except (ClientError, BotoCoreError):
        return False


def _quota(clients: Clients, settings: Settings, quota: Quota, deployed: bool) -> Iterator[Finding]:
    need = 0 if deployed else quota.wanted(settings)
    limits = {region: limit(clients, region, quota) for region in clients.regions}
    short = False
    for region, most in limits.items():
        used = quota.used(clients, region) if quota.used else 0
        if used + need > most:
            short = True
            taken = f", {used} taken" if quota.used else ""
            yield missing(
                quota.name,
                f"{most} in {region}{taken}, {need} more needed",
                increase(region, quota, used + need),
            )
    most, least = max(limits, key=limits.__getitem__), min(limits, key=limits.__getitem__)
    if limits[least] < limits[most]:
        # After a failover the roles are swapped, so each must be able to do what the other does.
        yield advice(
            quota.name,
            f"{limits[most]} in {most}, only {limits[least]} in {least}: {least} couldn't take "
            "over all of the load",
            increase(least, quota, limits[most]),
        )
    elif not short:
        yield ok(quota.name, f"{limits[most]} in each region")


def increase(region: str, quota: Quota, wanted: int) -> str:
    """The command that asks AWS for more."""
    return (
        f"aws service-quotas request-service-quota-increase --region {region} "
        f"--service-code {quota.service} --quota-code {quota.code} --desired-value {wanted}"
    )


def limit(clients: Clients, region: str, quota: Quota) -> int:
    """The quota that applies. AWS keeps no applied value of some quotas that were never raised, and
    then answers NoSuchResourceException: its default applies (GetServiceQuota)."""
    quotas = clients.get("service-quotas", region)
    asked = {"ServiceCode": quota.service, "QuotaCode": quota.code}
    try:
        answer = quotas.get_service_quota(**asked)
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchResourceException":
            raise
        answer = quotas.get_aws_default_service_quota(**asked)
    return int(answer["Quota"]["Value"])


def _backup(clients: Clients) -> Iterator[Finding]:
    """Whether AWS Backup takes Aurora clusters where the plan is.

    A setting of the account and region. For most services a plan that names a resource overrides
    it, for Aurora it doesn't: the plan runs and backs up nothing (AWS Backup developer guide,
    "Working with supported services"). An account that never used AWS Backup there is opted in
    when the first vault is made, and has no preference before.
    """
    region = clients.regions[0]
    answer = clients.get("backup", region).describe_region_settings()
    if answer.get("ResourceTypeOptInPreference", {}).get("Aurora", True):
        yield ok("AWS Backup", f"takes Aurora in {region}")
    else:
        yield advice(
            "AWS Backup",
            f"is turned off for Aurora in {region}: the daily backup would take nothing",
            f"aws backup update-region-settings --region {region} "
            "--resource-type-opt-in-preference Aurora=true",
        )


def _bucket(clients: Clients, name: str, region: str) -> Iterator[Finding]:
    try:
        clients.get("s3", region).head_bucket(Bucket=name)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in ("404", "NoSuchBucket"):
            yield ok(name, "free")
        elif code in ("301", "403"):
            yield missing(
                name,
                "the name is taken, in another account or region",
                "choose another TapStack:environmentSuffix",
            )
        else:
            raise
    else:
        yield ok(name, "this account's")
