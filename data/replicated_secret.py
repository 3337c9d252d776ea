"""A secret that is written once, in the primary region, with its replica in the secondary."""

from collections.abc import Callable
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from tapstack.pair import Pair
from tapstack.regions import Region, asked
from tapstack.well_known import DEPLOYED_LABEL

PASSWORD_LENGTH = 40


@dataclass(frozen=True)
class ReplicatedSecretArgs:
    """The regions and their keys, and what the secret is."""

    regions: Pair[Region]
    keys: Pair[aws.kms.Key]
    recovery_days: int
    """0 deletes at once; anything else blocks re-creation under the same name for that long."""
    purpose: str
    description: str
    value_of: Callable[[pulumi.Output[str]], pulumi.Input[str]]
    """Makes the secret's text of a random password."""


def replicated_secret(
    parent: pulumi.Resource, args: ReplicatedSecretArgs
) -> tuple[aws.secretsmanager.Secret, aws.secretsmanager.SecretVersion]:
    """The secret and its first version: later runs get another random password and ignore it."""
    region = args.regions.primary
    secret = aws.secretsmanager.Secret(
        f"secret-{args.purpose}",
        name=region.physical_name("secret", args.purpose),
        description=args.description,
        kms_key_id=args.keys.primary.arn,
        recovery_window_in_days=args.recovery_days,
        replicas=[
            {
                "region": args.regions.secondary.name,
                "kms_key_id": args.keys.secondary.arn,
            }
        ],
        # A replica that an interrupted destroy left behind is taken over, not a failure.
        force_overwrite_replica_secret=True,
        opts=pulumi.ResourceOptions(parent=parent),
    )
    password = aws.secretsmanager.get_random_password_output(
        password_length=PASSWORD_LENGTH,
        # Aurora refuses / " @ and spaces, connection strings and HTTP headers more.
        exclude_punctuation=True,
        opts=asked(args.regions).invoking(),
    ).random_password
    version = aws.secretsmanager.SecretVersion(
        f"secret-version-{args.purpose}",
        secret_id=secret.id,
        secret_string=pulumi.Output.secret(args.value_of(password)),
        # The label stays when rotations take the current one away: without any AWS may delete the
        # version, a refresh drops it, and a new password is written as the current one (tf-aws
        # #37302).
        version_stages=["AWSCURRENT", DEPLOYED_LABEL],
        # Another password in every run; the first one stays (pulumi-aws reads it back).
        opts=pulumi.ResourceOptions(
            parent=parent,
            ignore_changes=["secret_string", "version_stages"],
            additional_secret_outputs=["secret_string"],
        ),
    )
    return secret, version


def replica_arn(arn: pulumi.Output[str], region: str) -> pulumi.Output[str]:
    """The ARN that a secret has in a region where it's replicated (or is): only the region differs.

    Source: Secrets Manager user guide, "Replicate AWS Secrets Manager secrets across Regions".
    """

    def moved(text: str) -> str:
        parts = text.split(":")
        return ":".join([*parts[:3], region, *parts[4:]])

    return arn.apply(moved)
