"""The two regions, their roles, and one explicit AWS provider for each."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

import pulumi
import pulumi_aws as aws

from tapstack.naming import physical_name
from tapstack.settings import Settings

PROJECT_TAG = "warm-standby"

EMULATED_SERVICES = (
    "acm", "backup", "cloudwatch", "cloudwatchevents", "ec2", "elbv2", "events", "iam", "kms",
    "lambda_", "logs", "rds", "resourcegroupstaggingapi", "route53", "s3", "scheduler",
    "secretsmanager", "sns", "sqs", "ssm", "sts",
)  # fmt: skip
"""The provider's ``endpoints`` that the programs use; in the lab they are all one address."""

T = TypeVar("T")
U = TypeVar("U")
Role = Literal["primary", "secondary"]


@dataclass(frozen=True)
class Pair(Generic[T]):
    """One thing in both regions."""

    primary: T
    secondary: T

    @classmethod
    def of(cls, both: Iterable[T]) -> "Pair[T]":
        """Of an iterable of two, primary first."""
        primary, secondary = both
        return cls(primary, secondary)

    def __iter__(self) -> Iterator[T]:
        """Primary first."""
        return iter((self.primary, self.secondary))

    def map(self, make: Callable[[T], U]) -> "Pair[U]":
        """The same made of each."""
        return Pair(make(self.primary), make(self.secondary))

    def swapped(self) -> "Pair[T]":
        """Each region's peer."""
        return Pair(self.secondary, self.primary)


@dataclass(frozen=True)
class Region:
    """One region as the programs see it: where things are made, and what they're called there."""

    name: str
    """``us-east-1``"""
    role: Role
    suffix: str
    zones: tuple[str, ...]
    """Three availability zones."""
    provider: aws.Provider
    """Makes every resource and invoke of this region."""

    @property
    def is_primary(self) -> bool:
        """Whether this region serves while nothing is broken."""
        return self.role == "primary"

    def physical_name(self, service: str, purpose: str = "") -> str:
        """``{service}-{purpose}-{region}-{suffix}``, checked against the service's limits."""
        return physical_name(service, purpose, self.name, self.suffix)

    def named(self, service: str, purpose: str = "") -> dict[str, str]:
        """Tags of a thing that AWS names by its ``Name`` tag."""
        return {"Name": self.physical_name(service, purpose)}

    def options(self, **more: object) -> pulumi.ResourceOptions:
        """Options of a component of this region: its children are made by its provider."""
        return pulumi.ResourceOptions.merge(
            pulumi.ResourceOptions(providers=[self.provider]),
            pulumi.ResourceOptions(**more),  # type: ignore[arg-type]
        )


def default_tags(settings: Settings, region: str, role: Role) -> dict[str, str]:
    """The tags of every taggable resource of a region (R9.2)."""
    return {
        "Environment": settings.environment,
        "Region": region,
        "DR-Role": role,
        "Project": PROJECT_TAG,
        "EnvironmentSuffix": settings.suffix,
    }


def both_regions(settings: Settings) -> Pair[Region]:
    """Declares the two providers; call it once a program."""
    return Pair(
        _region(settings, settings.primary_region, "primary", settings.stack.primary_zones),
        _region(settings, settings.standby_region, "secondary", settings.stack.standby_zones),
    )


def _region(settings: Settings, name: str, role: Role, zones: tuple[str, ...]) -> Region:
    arguments: dict[str, object] = {}
    if settings.is_lab:
        endpoint = settings.stack.endpoint
        arguments = {
            # The lab accepts any credentials; naming them keeps a profile's from being looked up.
            "access_key": "lab",
            "secret_key": "lab",
            "skip_credentials_validation": True,
            "skip_metadata_api_check": True,
            "skip_requesting_account_id": True,
            "s3_use_path_style": True,
            "endpoints": [aws.ProviderEndpointArgs(**dict.fromkeys(EMULATED_SERVICES, endpoint))],
        }
    if settings.stack.account_id:
        arguments["allowed_account_ids"] = [settings.stack.account_id]
    provider = aws.Provider(
        f"aws-{name}",
        region=name,  # type: ignore[arg-type]
        default_tags=aws.ProviderDefaultTagsArgs(tags=default_tags(settings, name, role)),
        **arguments,  # type: ignore[arg-type]
    )
    return Region(name, role, settings.suffix, zones, provider)
