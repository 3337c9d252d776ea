"""The two regions, their roles, and one explicit AWS provider for each."""

import os
from dataclasses import dataclass
from typing import Literal

import pulumi
import pulumi_aws as aws

from tapstack.naming import physical_name
from tapstack.pair import Pair
from tapstack.settings import Settings
from tapstack.well_known import PROJECT, SPARED_REGION_VARIABLE, SUFFIX_TAG, provider_name

EMULATED_SERVICES = (
    "acm", "backup", "cloudwatch", "cloudwatchevents", "dynamodb", "ec2", "elbv2", "events", "iam",
    "kms", "lambda_", "logs", "rds", "resourcegroupstaggingapi", "route53", "s3", "scheduler",
    "secretsmanager", "sns", "sqs", "ssm", "sts",
)  # fmt: skip
"""The provider's ``endpoints`` that the programs use; in the lab they are all one address."""

Role = Literal["primary", "secondary"]


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
    permissions_boundary: str | None = None
    """ARN of the policy that limits every role, if the account wants one."""

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

    def invoking(self) -> pulumi.InvokeOutputOptions:
        """Options of an invoke that this region answers."""
        return pulumi.InvokeOutputOptions(provider=self.provider)

    def options(self, **more: object) -> pulumi.ResourceOptions:
        """Options of a component of this region: its children are made by its provider."""
        return pulumi.ResourceOptions.merge(
            pulumi.ResourceOptions(providers=[self.provider]),
            pulumi.ResourceOptions(**more),  # type: ignore[arg-type]
        )


def asked(regions: Pair[Region]) -> Region:
    """The region that answers what either could: the standby, whose deployments must work while
    the primary is lost (trap 66), unless the standby is the one that a deployment leaves alone."""
    return regions.primary if _spares(regions.secondary.name) else regions.secondary


def _spares(region: str) -> bool:
    return os.environ.get(SPARED_REGION_VARIABLE, "") == region


def _answering(settings: Settings) -> str:
    """The name of the region that :func:`asked` returns."""
    standby = settings.standby_region
    return settings.primary_region if _spares(standby) else standby


def account_id(settings: Settings, regions: Pair[Region]) -> pulumi.Input[str]:
    """The account: as configured, else as STS says."""
    if settings.stack.account_id:
        return settings.stack.account_id
    return aws.get_caller_identity_output(opts=asked(regions).invoking()).account_id


def default_tags(settings: Settings, region: str, role: Role) -> dict[str, str]:
    """The tags of every taggable resource of a region (R9.2)."""
    return {
        "Environment": settings.environment,
        "Region": region,
        "DR-Role": role,
        "Project": PROJECT,
        SUFFIX_TAG: settings.suffix,
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
        provider_name(name),
        region=name,  # type: ignore[arg-type]
        # Where the provider looks whether its credentials are good, for a lost region's as well.
        sts_region=_answering(settings),  # type: ignore[arg-type]
        default_tags=aws.ProviderDefaultTagsArgs(tags=default_tags(settings, name, role)),
        **arguments,  # type: ignore[arg-type]
    )
    boundary = settings.stack.permissions_boundary or None
    return Region(name, role, settings.suffix, zones, provider, boundary)
